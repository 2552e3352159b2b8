"""What was found in one network, drawn: one function per picture, arrays in, figure out.

Every function takes the arrays of one analysis (see study.py, analyze.py, analyze_transformer.py;
files of the same name) and `net`, which network of them to draw. Fixed points come in two stages,
'sheet' and 'bottom'. What is drawn into given axes serves the figures of the paper too.
"""

import style
from matplotlib.collections import LineCollection
from mpl_toolkits.mplot3d.art3d import Line3DCollection

np, plt = style.np, style.plt
QUADRANTS = {  # by the signs of x1 and x2
    (False, False): ("#0072b2", r"$x_1<0,\ x_2<0$"),
    (False, True): ("#009e73", r"$x_1<0,\ x_2>0$"),
    (True, False): ("#e69f00", r"$x_1>0,\ x_2<0$"),
    (True, True): ("#cc79a7", r"$x_1>0,\ x_2>0$"),
}
LEAD, NEXT, REST = "#c1272d", "#0072b2", "0.6"  # eigenvalues: the first D, the next, all others
SHEET, BOTTOM = 0, 1  # stages
STAGES = ((SHEET, "slow points"), (BOTTOM, "bottom of $q$"))
FARTHEST = 1.5  # eigenvalue shown
FARTHEST_X = 1.0  # decoded x* shown: outside of the stimulus the decoder may read anything
N_PATH, N_FEW = 96, 12  # trajectories shown: in state space, per panel elsewhere


def in_quadrants(x):
    """(rows of x in it, colour, name) of each quadrant of the first two factors; x (point, D)."""
    for (first, second), look in QUADRANTS.items():
        yield ((x[:, 0] > 0) == first) & ((x[:, 1] > 0) == second), *look


def plane(ax, **labels):
    """The square of the first two factors."""
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", **labels)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)


def component(share, i):
    """Label of an axis."""
    return f"PC {i + 1} ({100 * share[i]:.0f} %)"


# ------------------------------------------------------------------ trials


def draw_trials(trials, decoder, net):
    """Units' rates and decoded x*, without noise and with it; r2 of decoded x* over time."""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 5.4), width_ratios=(1.2, 1, 1.1))
    until = decoder["last"] + 1
    for row, kind in zip(axes, ("noiseless", "noisy"), strict=True):
        rates, x = trials[f"{kind}_rates"][net], trials[f"{kind}_x"][net]
        heat_map(row[0], np.arange(rates.shape[1]), firing(rates[0]), "rate")
        row[0].set(xlabel="step", ylabel="unit", title=f"{kind}: rates in one trial")
        decoded = rates[:, :until] @ decoder["weight"][net] + decoder["bias"][net, 0]
        draw_decoded(row[1], decoded[:N_FEW], x[:N_FEW])
        row[1].set_title(f"{kind}: decoded, true (star)")
    draw_unit(axes[0, 2], trials["noiseless_rates"][net, :, :until], trials["noiseless_x"][net])
    time, theory = np.arange(until), style.COLORS["theory"]
    axes[1, 2].plot(
        time, decoder["theory"][:until], "--", color=theory, label="mean of the samples"
    )
    axes[1, 2].plot(time, decoder["r_sq"][net, :until], "o-", ms=3, color="k", label="decoded")
    axes[1, 2].set(xlabel="step", ylabel="$r^2$", ylim=(-0.05, 1.02))
    axes[1, 2].set_title("noisy: one decoder for all steps")
    axes[1, 2].legend(loc="lower right")
    return fig


def firing(rates):
    """The units of rates (time, unit) that are not silent, the one of the highest peak first."""
    peak = np.abs(rates).max(0)
    order = peak.argsort()[::-1]
    return rates[:, order[: max(1, (peak > 0).sum())]]


def heat_map(ax, time, values, name, **colors):
    """Values (time, k) as colours; by default from 0, or symmetric where some are negative."""
    if not colors:
        largest = np.abs(values).max() or 1
        signed = values.min() < 0
        colors = {"cmap": "RdBu_r", "vmin": -largest} if signed else {"cmap": "magma", "vmin": 0}
        colors["vmax"] = largest
    half = (time[1] - time[0]) / 2 if len(time) > 1 else 0.5
    box = (time[0] - half, time[-1] + half, values.shape[1] - 0.5, -0.5)
    look = {"aspect": "auto", "interpolation": "none", "extent": box}
    bar = ax.figure.colorbar(ax.imshow(values.T, **look, **colors), ax=ax, pad=0.02)
    bar.locator = plt.MaxNLocator(4)
    bar.set_label(name)
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))


def draw_decoded(ax, decoded, x):
    """Decoded x* (trial, time, D) on its way to x (trial, D), in the colour of its quadrant."""
    for rows, color, _ in in_quadrants(x):
        for path in decoded[rows]:
            ax.plot(*path[:, :2].T, color=color, lw=0.8, alpha=0.7)
        ax.plot(*x[rows, :2].T, "*", color=color, ms=9, mec="k", mew=0.5)
    plane(ax, xlim=(-0.75, 0.75), ylim=(-0.75, 0.75))


def draw_unit(ax, rates, x):
    """The unit that differs most between trials, over time, in the colour of the quadrant."""
    unit = rates[:, -1].std(0).argmax()
    for rows, color, name in in_quadrants(x):
        lines = ax.plot(rates[rows, :, unit][:N_FEW].T, color=color, lw=0.8)
        if lines:
            lines[0].set_label(name)
    ax.set(xlabel="step", ylabel="rate", title=f"noiseless: unit {unit}")
    ax.legend(loc="upper left", fontsize=6.5, handlelength=1)


def draw_one_trial(trial, net):
    """One noisy trial: evidence, rates, outputs, decoded x*."""
    fig, axes = plt.subplots(4, 1, figsize=(5, 7), sharex=True, height_ratios=(1.1, 1.5, 1.4, 1.1))
    draw_trial(axes, trial, net)
    fig.suptitle("$x^*$ = " + words(trial["x"][net]) + ", dotted", fontsize=9)
    return fig


def draw_trial(axes, trial, net):
    """The same in four given axes."""
    time = trial["time"]
    rates, outputs = trial["rates"][net], trial["outputs"][net][:, : trial["n_task"][net]]
    first, stop = trial["evidence"]
    if first:
        axes[0].plot(time, trial["inputs"][net][:, 0], color="0.6", label="fixation")
    draw_factors(axes[0], time, trial["inputs"][net][:, first:stop], trial["x"][net], "X_{%d}")
    heat_map(axes[1], time, firing(rates), "rate")
    n_firing = (np.abs(rates).max(0) > 0).sum()
    axes[1].set_ylabel(f"unit\n({n_firing} of {rates.shape[1]} fire)")
    if np.isnan(outputs).any():
        style.note(axes[2], "no readout in this file")
    else:
        low, high = trial["range"]
        heat_map(axes[2], time, outputs, "output", cmap="RdBu_r", vmin=low, vmax=high)
    axes[2].set_ylabel("task")
    axes[0].set_ylabel("input")
    draw_factors(axes[3], time, trial["decoded"][net], trial["x"][net], r"\hat{x}_{%d}")
    low, high = axes[3].get_ylim()
    axes[3].set_ylim(max(low, -FARTHEST_X), min(high, FARTHEST_X))
    axes[3].set(xlabel="time (ms)", ylabel="decoded $x^*$")
    for ax in (axes[0], axes[3]):
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=6, borderpad=0)


def draw_factors(ax, time, values, x, name):
    """One line per factor, values (time, D), and x* dotted; `name` with %d for its number."""
    for i, value in enumerate(values.T):
        look = {"color": plt.get_cmap("tab10")(i % 10), "lw": 1.2}
        ax.plot(time, value, **look, label=f"${name % (i + 1)}$")
        ax.axhline(x[i], color=look["color"], ls=":", lw=1)


N_ACCUMULATOR = 6  # tasks shown


def draw_accumulators(inputs, outputs, trial, net):
    """Evidence, and some of the outputs with their targets, in one noisy trial."""
    time, (first, stop), bound = trial["time"], trial["evidence"], trial["range"][1]
    evidence = trial["inputs"][net][:, first:stop]
    draw_factors(inputs, time, evidence, trial["x"][net], "X_{%d}")
    inputs.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderpad=0)
    inputs.set_ylabel("input")
    n_task = int(trial["n_task"][net])
    colors = task_colors(n_task)
    for task in np.linspace(0, n_task - 1, min(n_task, N_ACCUMULATOR)).astype(int):
        outputs.plot(time, trial["outputs"][net][:, task], color=colors[task], lw=1.5)
        if "targets" in trial:
            outputs.plot(time, trial["targets"][net][:, task], "--", color=colors[task], lw=1)
    for level in (-bound, bound):
        outputs.axhline(level, color="0.6", lw=0.8, zorder=0)
    outputs.plot([], color="k", label=f"outputs of {min(n_task, N_ACCUMULATOR)} tasks")
    if "targets" in trial:
        outputs.plot([], "--", color="k", lw=1, label="targets")
    outputs.set(xlabel="time (ms)", ylabel="running sum of evidence")
    outputs.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


# ------------------------------------------------------------------ state space


def draw_pca(pca, net, n_shown=12):
    """Cumulative share of the variance per condition."""
    fig, ax = plt.subplots()
    marks = "os^"[: len(pca["conditions"]) // 2]
    looks = [(mark + line, color) for line, color in (("-", "k"), ("--", LEAD)) for mark in marks]
    for name, share, (line, color) in zip(pca["conditions"], pca["share"][net], looks, strict=True):
        label = f"{name}: {100 * share[:3].sum():.0f} %"
        draw_shares(ax, share[:n_shown], line, color=color, label=label)
    return fig


def draw_shares(ax, share, line, **look):
    """Cumulative share of the variance, and a legend headed by what its labels say."""
    number = np.arange(1, len(share) + 1)
    ax.plot(number, 100 * share.cumsum(), line, ms=4, lw=1.2, mfc="w", **look)
    ax.axvline(3, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="principal components", ylabel="variance they hold (%)", ylim=(0, 102))
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.legend(loc="lower right", title="share of the first three")


def draw_spectra(ax, shares, n_task, line, color):
    """One curve per network, shares (net, component); smallest and largest share of the top 3."""
    top = 100 * shares[:, :3].sum(1)
    label = f"$N_{{task}}={n_task}$: {style.span(top)} % (n = {len(shares)})"
    for share in shares:
        draw_shares(ax, share[:12], line, color=color, alpha=0.6, label=label)
        label = None


def draw_trajectories(found, net):
    """Noiseless trials in the first three components, time as shade; fixed points if there are."""
    fig, views = space_and_plane(found["share"][net])
    for ax, axes in zip(views, ALL, strict=True):
        draw_paths(ax, found, net, axes)
    views[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.3)
    fig.text(0.02, 0.95, EXPLAINED)
    return fig


EXPLAINED = "noiseless trials, from light (early) to dark; dots: last stimulus step"


def draw_paths(ax, found, net, axes):
    """The same in axes of two or three dimensions; `axes`: which components."""
    path, x = found["trajectory"][net][:N_PATH][..., axes], found["x"][net][:N_PATH]
    for rows, color, name in in_quadrants(x):
        scatter(ax, path[rows, -1], color=color, s=11, label=name)
    shaded(ax, path, Line3DCollection if len(axes) == 3 else LineCollection)
    if "points" in found:
        draw_points(ax, found, net, axes)
    ax.autoscale_view()


ALL = [0, 1, 2], [0, 1]  # components shown in space and in the plane


def space_and_plane(share):
    """A figure with a view of three components and one of two."""
    fig = plt.figure(figsize=(9.5, 4.2))
    fig.set_layout_engine("none")  # it would not leave room for the third axis
    return fig, both_views(fig, share)


def both_views(fig, share):
    """The same in a figure, or a part of one."""
    return space(fig, [0, 0.06, 0.42, 0.9], share), flat(fig, [0.53, 0.13, 0.32, 0.78], share)


def space(fig, box, share):
    """Axes of the first three components at `box` of a figure."""
    ax = fig.add_axes(box, projection="3d")
    ax.set(**{f"{axis}label": component(share, i) for i, axis in enumerate("xyz")})
    ax.tick_params(labelsize=6, pad=-2)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(plt.MaxNLocator(5))
        axis.pane.set_alpha(0.3)
        axis.labelpad = 0
    return ax


def flat(fig, box, share):
    """Axes of the first two components at `box` of a figure."""
    ax = fig.add_axes(box, xlabel=component(share, 0), ylabel=component(share, 1))
    ax.set_aspect("equal", adjustable="datalim")
    ax.xaxis.set_major_locator(plt.MaxNLocator(6))
    return ax


def shaded(ax, paths, kind):
    """Paths (trial, time, k), from light to dark."""
    pieces = np.stack([paths[:, :-1], paths[:, 1:]], 2)
    shade = np.broadcast_to(np.linspace(0.85, 0.25, pieces.shape[1]), pieces.shape[:2]).ravel()
    colors = np.stack([shade] * 3 + [np.full_like(shade, 0.6)], 1)
    ax.add_collection(kind(pieces.reshape(-1, 2, paths.shape[-1]), colors=colors, linewidths=0.5))


def scatter(ax, points, **look):
    """Points (point, 2 or 3), the same colour near and far."""
    solid = {"depthshade": False} if points.shape[1] == 3 else {}
    ax.scatter(*points.T, **look, **solid)


def draw_points(ax, found, net, axes):
    """Kept fixed points: where they are slow first, and the bottom of q."""
    for stage, look in (
        (SHEET, {"marker": ".", "s": 12, "color": "k", "label": "slow points", "lw": 0}),
        (BOTTOM, {"marker": "x", "s": 24, "color": LEAD, "label": "bottom of $q$", "lw": 1}),
    ):
        points = found["points"][net, stage, found["kept"][net, stage]]
        scatter(ax, points[:, axes], zorder=3, **look)


TURN = """
const plot = document.getElementById('{plot_id}');
let angle = 0.9, stopped = false;
for (const event of ['mousedown', 'touchstart', 'wheel'])
  plot.addEventListener(event, () => { stopped = true; }, {passive: true, capture: true});
function turn() {
  if (stopped) return;
  angle += 0.006;
  const eye = {x: 1.7 * Math.cos(angle), y: 1.7 * Math.sin(angle), z: 0.8};
  Plotly.relayout(plot, {'scene.camera.eye': eye}).then(() => requestAnimationFrame(turn));
}
turn();
"""


def interactive(found, net, title):
    """The trajectories as a web page that needs nothing else; it turns until it is touched."""
    import plotly.graph_objects as go

    path, x, share = (
        found["trajectory"][net][:N_PATH],
        found["x"][net][:N_PATH],
        found["share"][net],
    )
    n_trial, n_time, _ = path.shape
    gap = np.full((n_trial, 1, 3), np.nan)
    lines = np.concatenate([path, gap], 1).reshape(-1, 3).astype(np.float32)
    names = [f"x* = {words(row)}" for row in x]
    steps = np.tile(np.arange(n_time + 1), n_trial)
    hover = [f"{name}, step {t}" for name in names for t in range(n_time + 1)]
    page = go.Figure()
    shade = {"color": steps, "colorscale": [[0, "#e8e8e8"], [1, "#505050"]], "width": 2}
    page.add_scatter3d(**xyz(lines), mode="lines", line=shade, text=hover, name="trials")
    for rows, color, name in in_quadrants(x):
        texts = [names[i] for i in rows.nonzero()[0]]
        look = {"size": 4, "color": color}
        page.add_scatter3d(
            **xyz(path[rows, -1]), mode="markers", marker=look, text=texts, name=plain(name)
        )
    if "points" in found:
        add_points(page, found, net)
    page.update_traces(hoverinfo="text")
    names = {f"{axis}axis": {"title": component(share, i)} for i, axis in enumerate("xyz")}
    page.update_layout(title=title, template="simple_white", scene={**names, "aspectmode": "data"})
    page.update_layout(legend={"itemsizing": "constant"}, margin={"l": 0, "r": 0, "b": 0})
    return page.to_html(include_plotlyjs=True, post_script=TURN, div_id="state_space")


def add_points(page, found, net):
    """Fixed points on the web page."""
    for stage, name, look in (
        (SHEET, "slow points", {"size": 2.5, "color": "black"}),
        (BOTTOM, "bottom of q", {"size": 4, "color": LEAD}),
    ):
        kept = found["kept"][net, stage]
        texts = [
            f"{name}: decoded x* = {words(row)}, moves {pace:.1e} of the spread per step"
            for row, pace in zip(
                found["decoded"][net, stage, kept], found["pace"][net, stage, kept], strict=True
            )
        ]
        points = found["points"][net, stage, kept]
        page.add_scatter3d(**xyz(points), mode="markers", marker=look, text=texts, name=name)


def xyz(points):
    """Points (point, 3) by the names that plotly wants."""
    return dict(zip("xyz", points.T, strict=True))


def words(x):
    """A point as text."""
    return "(" + ", ".join(f"{value:.2f}" for value in x) + ")"


def plain(name):
    """A name without TeX."""
    for old, new in (("$", ""), ("\\ ", " "), ("_", ""), ("<", " < "), (">", " > ")):
        name = name.replace(old, new)
    return name


# ------------------------------------------------------------------ fixed points


def draw_fixed_points(points, net):
    """How slow the points are, how far from visited states, where free runs lead; jitter."""
    fig, axes = plt.subplots(2, 2, figsize=(7.6, 5.6))
    stages = ((SHEET, "k", "slow points"), (BOTTOM, LEAD, "bottom of $q$"))
    tiny = 1e-17
    for stage, color, name in stages:
        look = {"histtype": "step", "color": color, "label": name}
        kept = points["kept"][net, stage]
        speeds = points["pace"][net, stage].clip(tiny, 3)
        axes[0, 0].hist(speeds, bins=np.logspace(-17, 0.5, 36), **look)
        distance = points["distance"][net, stage].clip(1e-4, 99)
        axes[0, 1].hist(distance, bins=np.logspace(-4, 2, 31), **look)
        for key, line in (("moved", "-"), ("grown", ":")):
            values = np.sort(np.nan_to_num(points[key][net, stage, kept], nan=np.inf))
            share = np.arange(1, len(values) + 1) / max(1, len(values))
            what = "moved (spreads)" if key == "moved" else "nudge grown by"
            values = values.clip(tiny, 1e6)
            axes[1, 0].plot(values, share, line, color=color, label=f"{name}: {what}")
    axes[0, 0].set(xscale="log", xlabel="speed (spreads per step)", ylabel="points")
    axes[0, 0].legend(loc="upper center")
    axes[0, 1].set(xscale="log", xlabel="distance to a visited state (spreads)", ylabel="points")
    axes[1, 0].set(xscale="log", xlabel="after a free run", ylabel="share of kept points")
    axes[1, 0].legend(fontsize=6.5, loc="lower left", bbox_to_anchor=(-0.1, 1), ncols=2)
    draw_jitter(axes[1, 1], points, net)
    return fig


def draw_jitter(ax, points, net):
    """Counts by kind for each size of the jitter, both stages side by side."""
    kinds = ("converged", "slow", "rejected")
    sizes = points["jitters"]
    for stage, shift in ((SHEET, -0.2), (BOTTOM, 0.2)):
        base = np.zeros(len(sizes))
        for i, color in enumerate(("#0b3c5d", "#7fb2d6", "0.85")):
            count = (points["jitters_kind"][net, stage] == i).sum(1)
            label = kinds[i] if stage == SHEET else None
            where = np.arange(len(sizes)) + shift
            ax.bar(where, count, 0.36, bottom=base, color=color, label=label)
            base += count
    ax.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
    ax.set(xlabel="size of the jitter", ylabel="points", ylim=(0, 1.3 * base.max()))
    ax.set_title("left: slow points, right: bottom of $q$", fontsize=8)
    ax.legend(ncols=3, loc="upper center")


def draw_spectrum(spectrum, net):
    """Eigenvalues at the kept points against the unit circle, their sizes, and A; by stage."""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 6))
    for row, (stage, name) in zip(axes, STAGES, strict=True):
        kept = spectrum["kept"][net, stage]
        row[0].set_title(f"{name}: {kept.sum()}")
        if not kept.any():
            for ax in row:
                style.note(ax, "none kept")
            continue
        values = spectrum["eigenvalues"][net, stage, kept]
        draw_circle(row[0], values, spectrum["n_lead"])
        draw_sizes(row[1], np.abs(values), spectrum["n_lead"])
        stretch = spectrum["amplification"][net, stage, kept]
        draw_amplification(row[2], stretch, np.abs(values), spectrum["n_lead"])
    return fig


def draw_circle(ax, values, n_lead):
    """Eigenvalues (point, unit) in the complex plane."""
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(angle), np.sin(angle), color="0.5", lw=0.8)
    for some, color, name in parts(values, n_lead):
        look = {"color": color, "ms": 3 if color == REST else 5, "label": name}
        ax.plot(some.real.ravel(), some.imag.ravel(), ".", alpha=0.7, mew=0, **look)
    ax.set(xlabel="real", ylabel="imaginary", aspect="equal")
    ax.set(xlim=(-1.1, FARTHEST), ylim=(-1.1, 1.1))


def parts(values, n_lead):
    """(values, colour, name) of the rest, the next and the first D eigenvalues; (point, unit)."""
    yield values[:, n_lead + 1 :], REST, f"rank {n_lead + 2} on"
    yield values[:, n_lead : n_lead + 1], NEXT, f"rank {n_lead + 1}"
    yield values[:, :n_lead], LEAD, f"the first {n_lead}"


def draw_sizes(ax, sizes, n_lead):
    """Histograms of |mu|; larger ones stand in the last bin."""
    bins = np.linspace(0, FARTHEST, 61)
    for some, color, name in parts(sizes, n_lead):
        shares(ax, some.ravel(), bins, color=color, label=name)
    ax.axvline(1, color="0.5", lw=0.8)
    ax.set(xlabel=r"$|\mu|$", ylabel="share of its kind", ylim=(0, 1.05))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handlelength=1)


def shares(ax, values, bins, **look):
    """A histogram that adds up to 1."""
    weights = np.full(values.size, 1 / max(1, values.size))
    ax.hist(values.clip(bins[0], bins[-1]), bins=bins, weights=weights, alpha=0.75, **look)


def draw_amplification(ax, stretch, sizes, n_lead):
    """Histograms of A of eigenvalues inside the circle."""
    both = zip(parts(stretch, n_lead), parts(sizes, n_lead), strict=True)
    for (some, color, name), (size, _, _) in both:
        inside = some[(size < 1) & (size > 0)]
        shares(ax, inside, np.logspace(-1.5, 4, 56), color=color, label=name)
    outside = (sizes[:, :n_lead] > 1).mean()
    ax.set(xscale="log", xlabel=r"$A=-dt\,/\,(\tau\,\ln|\mu|)$", ylabel="share of its kind")
    ax.set_title(rf"not shown: $|\mu|>1$, {100 * outside:.0f} % of the first {n_lead}", fontsize=8)


def draw_ranks(ax, spectrum):
    """Sizes of the first D + 1 eigenvalues at the kept points, one bar per stage and network."""
    n_lead, (n_net, n_stage, _) = int(spectrum["n_lead"]), spectrum["kept"].shape
    for rank, stage, net in np.ndindex(n_lead + 1, n_stage, n_net):
        sizes = np.abs(spectrum["eigenvalues"][net, stage, spectrum["kept"][net, stage], rank])
        if sizes.size:
            low, middle, high = np.percentile(sizes, [5, 50, 95])
            x = rank + 1 + 0.75 * ((n_net * stage + net + 0.5) / (n_stage * n_net) - 0.5)
            color = LEAD if rank < n_lead else NEXT
            look = {"color": color, "mfc": "w" if stage else color, "ms": 5, "lw": 1.2}
            ax.errorbar(x, middle, [[middle - low], [high - middle]], fmt="o", **look)
    ax.plot([], "ko", ms=5, label=STAGES[SHEET][1])
    ax.plot([], "ko", ms=5, mfc="w", label=STAGES[BOTTOM][1])
    ax.axhline(1, color="0.5", lw=0.8, zorder=0)
    ax.set_xticks(range(1, n_lead + 2), [rf"$|\mu_{i + 1}|$" for i in range(n_lead + 1)])
    ax.set(ylabel="size", ylim=(0, None))


def draw_sheet(sheet, net):
    """x* read off the points of both stages, and the local dimension."""
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    n_grid = sheet["cells"].shape[-1]
    farthest = np.abs(sheet["decoded"][net][sheet["kept"][net]][:, :2]).max(initial=0)
    outside = 1.1 * max(0.5, min(farthest, 1))
    for ax, (stage, name) in zip(axes, STAGES, strict=False):
        kept = sheet["kept"][net, stage]
        cells = sheet["cells"][net, stage].T > 0
        edges = np.linspace(-0.5, 0.5, n_grid + 1)
        ax.pcolormesh(edges, edges, cells, cmap="Greys", vmin=0, vmax=5, edgecolors="0.85", lw=0.4)
        x, pace = sheet["decoded"][net, stage, kept], sheet["pace"][net, stage, kept]
        dots = ax.scatter(
            *x[:, :2].T, c=np.log10(pace.clip(1e-10)), cmap="viridis_r", vmin=-10, vmax=-1, s=12
        )
        least = sheet["jitters"].argmin()
        again = sheet["jitters_decoded"][net, stage, least][
            sheet["jitters_kept"][net, stage, least]
        ]
        label = f"with jitter {sheet['jitters'][least]:g}"
        ax.plot(*again[:, :2].T, "o", mfc="none", mec="0.45", mew=0.6, ms=4, label=label)
        share, most = sheet["covered"][net, stage], sheet["covered_at_most"][net, stage]
        ax.set_title(f"{name}: {100 * share:.0f} % of cells hit\n(at random: {100 * most:.0f} %)")
        plane(ax, xlim=(-outside, outside), ylim=(-outside, outside))
    axes[0].legend(loc="lower left", bbox_to_anchor=(-0.05, -0.02), handletextpad=0)
    fig.colorbar(dots, ax=axes[:2], label="log$_{10}$ speed", shrink=0.8)
    dimension = sheet["dimension"][net, SHEET]
    dimension = dimension[np.isfinite(dimension)]
    if dimension.size:
        axes[2].hist(dimension, bins=np.linspace(0, max(4, dimension.max()), 41), color="0.4")
        axes[2].axvline(np.median(dimension), color=LEAD, lw=1)
        axes[2].set_title(f"slow points, median {np.median(dimension):.2f}")
    else:
        style.note(axes[2], "too few different points")
    axes[2].set(xlabel="local dimension", ylabel="points")
    return fig


# ------------------------------------------------------------------ what units respond to


def draw_rate_maps(maps, net):
    """Rate maps of responding units, in the order of the direction they prefer; correlations."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.8), width_ratios=(1.15, 1))
    draw_maps(left, maps, net, 64)
    draw_correlations(right, maps["correlation"][net], color=LEAD)
    return fig


def draw_maps(ax, maps, net, n_shown):
    """Rate maps of so many responding units, evenly chosen in the order of their direction."""
    rates, correlation = maps["rates"][net], maps["correlation"][net]
    responding = np.isfinite(correlation[:, 0]).nonzero()[0]
    angle = np.arctan2(correlation[responding, 1], correlation[responding, 0])
    chosen = np.linspace(0, len(responding) - 1, min(n_shown, len(responding))).round().astype(int)
    order = responding[angle.argsort()][chosen]
    mosaic(ax, [rates[:, :, unit].T for unit in order], order)
    of = f"{len(responding)} of {rates.shape[-1]} units respond"
    of += f", {len(order)} shown" if len(order) < len(responding) else ""
    ax.set_title(f"rates over $x_1$ (right) and $x_2$ (up),\neach over its own range;\n{of}")


def draw_correlations(ax, correlation, **look):
    """Each unit's correlation (unit, 2) with the factors, in the unit circle."""
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.7", lw=0.8))
    ax.plot(*correlation.T, "o", **{"ms": 5, "mec": "w", "mew": 0.5, **look})
    plane(ax, xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
    ax.set(xlabel="correlation with $x_1$", ylabel="correlation with $x_2$")


def mosaic(ax, maps, names, n_column=None):
    """Maps (row, column) side by side in rows, each scaled to its own range."""
    n_column = n_column or max(1, int(np.ceil(np.sqrt(len(maps)))))
    n, gap = maps[0].shape[0] if maps else 1, 2.2
    for i, (values, name) in enumerate(zip(maps, names, strict=True)):
        x, y = (i % n_column) * (n + gap), -(i // n_column) * (n + gap)
        ax.imshow(values, origin="lower", extent=(x, x + n, y, y + n), cmap="magma")
        ax.text(x + n / 2, y + n, name, ha="center", va="bottom", fontsize=6)
    n_row = -(-len(maps) // n_column)
    ax.set(xlim=(0, n_column * (n + gap) - gap), ylim=((1 - n_row) * (n + gap), n + gap))
    ax.set_axis_off()


def draw_encoder(encoder, net):
    """What the encoder makes of x*, in its first three components, in the colour of x*."""
    fig, views = space_and_plane(np.pad(encoder["share"][net], (0, 3)))
    for ax, axes in zip(views, ALL, strict=True):
        draw_encoded(ax, encoder, net, axes)
    views[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    fig.text(0.02, 0.95, "what the random encoder makes of $x^*$")
    return fig


def draw_encoded(ax, encoder, net, axes):
    """The same in axes of two or three dimensions; `axes`: which components."""
    for rows, color, name in in_quadrants(encoder["x"][net]):
        scatter(ax, encoder["projected"][net, rows][:, axes], color=color, s=11, label=name)


def draw_ends(ends, net):
    """The representation at the end of the stimulus and of the trial, in the colour of x*."""
    fig = plt.figure(figsize=(9.5, 4.2 * len(ends["names"])))
    rows = np.atleast_1d(fig.subfigures(len(ends["names"]), 1))
    for i, (row, name) in enumerate(zip(rows, ends["names"], strict=True)):
        some = {"x": ends["x"], "projected": ends["projected"][:, i]}
        views = both_views(row, ends["share"][net, i])
        for ax, axes in zip(views, ALL, strict=True):
            draw_encoded(ax, some, net, axes)
        views[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        row.text(0.02, 0.94, f"noiseless trials, {name}, its own components")
    fig.set_layout_engine("none")
    return fig


def draw_lines(lines, net):
    """Boundaries in the square, true ones dashed, those of the network in colour."""
    fig, ax = plt.subplots(figsize=(4.4, 4.4))
    draw_boundaries(ax, lines, net)
    fig.legend(loc="outside upper center", ncols=2)
    return fig


def draw_boundaries(ax, lines, net):
    """The same in given axes, without a legend."""
    n_task, x, fine = int(lines["n_task"][net]), lines["x"], lines["x_labels"]
    colors = task_colors(n_task)
    for i in range(n_task):
        truth, logit = lines["labels"][net, :, :, i], lines["logits"][net, :, :, i]
        if truth.min() < truth.max():
            ax.contour(fine, fine, truth.T, [0.5], colors="0.5", linewidths=0.7, linestyles="--")
        if np.isfinite(logit).all() and logit.min() < 0 < logit.max():
            ax.contour(x, x, logit.T, [0], colors=[colors[i]], linewidths=1.2)
    ax.plot([], "--", color="0.5", lw=0.7, label="true")
    if np.isfinite(lines["logits"][net, ..., 0]).all():
        ax.plot([], color=colors[n_task // 3], lw=1.2, label="network, without noise")
    plane(ax, xlim=(-0.5, 0.5), ylim=(-0.5, 0.5))
    if lines["n_dim"] > 2:
        ax.set_title("all other factors 0")


def task_colors(n_task):
    """One colour per task, in a circle as their boundaries."""
    return 0.85 * plt.get_cmap("hsv")((np.arange(n_task) + 0.5) / n_task)[:, :3]


# ------------------------------------------------------------------ attention


def head_color(head, n_head):
    """One colour per head."""
    return plt.get_cmap("turbo")((head + 0.5) / n_head)


MOST_COLUMNS = 16


def draw_values(values, net, n_shown=256):
    """Value vectors over the square, by head and channel; correlations with x1 and x2; by layer."""
    n_layer, n_head, n_channel = values["correlation"].shape[1:4]
    fig, rows = plt.subplots(n_layer, 2, figsize=(9.5, 4.8 * n_layer), squeeze=False)
    for layer, (left, right) in enumerate(rows):
        correlation = values["correlation"][net, layer]
        responding = np.isfinite(correlation[..., 0])
        pairs = list(np.ndindex(n_head, n_channel))[:n_shown]
        maps = [values["values"][net, :, :, layer, head, channel].T for head, channel in pairs]
        names = [f"{head}.{channel}" for head, channel in pairs]
        mosaic(left, maps, names, min(n_channel, MOST_COLUMNS))
        of = f"{responding.sum()} of {responding.size} channels respond"
        left.set_title(
            f"layer {layer}: values (head.channel) over $x_1$ (right)\nand $x_2$ (up), {of}"
        )
        for head in range(n_head):
            look = {"color": head_color(head, n_head), "label": f"head {head}"}
            draw_correlations(right, correlation[head, responding[head]], **look)
        if n_head <= MOST_COLUMNS:
            right.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0)
    return fig


def head_panels(n_layer, n_head):
    """A figure with a small panel per head, its rows filled layer by layer.

    Returns:
        figure, list of (axes, layer, head).
    """
    n_column = min(n_head, 4)
    per_layer = -(-n_head // n_column)
    shape = n_layer * per_layer, n_column
    size = 0.6 + 2.2 * n_column, 0.5 + 1.75 * shape[0]
    fig, axes = plt.subplots(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    panels = []
    for layer, rows in enumerate(np.split(axes, n_layer)):
        panels += [(ax, layer, head) for head, ax in enumerate(rows.flat[:n_head])]
        for ax in rows.flat[n_head:]:
            ax.set_axis_off()
    return fig, panels


def head_name(layer, head, n_layer):
    """Title of a panel."""
    return f"layer {layer}, head {head}" if n_layer > 1 else f"head {head}"


LEAST = 2e-3  # weight shown


def draw_attention(attention, net):
    """Mean weight that the last steps give each step, and its standard deviation over trials."""
    n_layer, n_head = attention["mean"].shape[1:3]
    fig, panels = head_panels(n_layer, n_head)
    evidence, most = attention["evidence"], attention["n_seen"].max()
    queries = list(zip(attention["queries"], attention["query_names"], ("k", LEAD), strict=False))
    for ax, layer, head in panels:
        for i, (query, name, color) in enumerate(queries):
            at, steps = (net, layer, head, query), np.arange(query + 1)
            mean, sd = (attention[key][at][steps] for key in ("mean", "sd"))
            low, high = (mean + side * sd for side in (-1, 1))
            ax.fill_between(steps, low.clip(LEAST / 2), high.clip(LEAST / 2), color=color, **BAND)
            label = f"asked in the {name}"
            ax.plot(steps, mean.clip(LEAST / 2), "o-", color=color, ms=2, lw=1, label=label)
            words = f"{attention['n_effective'][at]:.1f}"
            ax.text(0.5 + 0.25 * i, 0.88, words, color=color, transform=ax.transAxes, fontsize=8)
        look = {"color": style.COLORS["theory"], "lw": 1.2, "ls": "--", "label": "even"}
        ax.plot(evidence, [1 / most] * 2, **look)
        ax.set(yscale="log", ylim=(LEAST, 1.5))
        ax.set_title(head_name(layer, head, n_layer), fontsize=8)
    fig.supxlabel("step attended to", fontsize=9)
    fig.supylabel("weight", fontsize=9)
    handles, labels = panels[0][0].get_legend_handles_labels()
    title = f"weights, mean and sd of trials; numbers: effective samples of {most}"
    fig.legend(handles, labels, loc="outside upper center", ncols=3, title=title)
    return fig


BAND = {"alpha": 0.15, "lw": 0}


def draw_attention_matrix(attention, net):
    """Mean weights of all steps that ask, in units of even attention over all steps so far."""
    n_layer, n_head, n_step = attention["mean"].shape[1:4]
    fig, panels = head_panels(n_layer, n_head)
    colors = plt.get_cmap("RdBu_r").with_extremes(bad="0.88")
    later = np.triu(np.ones((n_step, n_step), bool), 1)
    so_far = np.arange(1, n_step + 1)[:, None]
    for ax, layer, head in panels:
        times_even = (attention["mean"][net, layer, head] * so_far).clip(1 / 64)
        shown = np.ma.array(np.log2(times_even), mask=later)
        image = ax.imshow(shown, cmap=colors, vmin=-2, vmax=2, interpolation="none")
        ax.set_title(head_name(layer, head, n_layer), fontsize=8)
    fig.supxlabel("step attended to", fontsize=9)
    fig.supylabel("step that asks", fontsize=9)
    bar = fig.colorbar(image, ax=[ax for ax, _, _ in panels], extend="both", shrink=0.8)
    bar.set_ticks([-2, -1, 0, 1, 2], labels=["1/4", "1/2", "even", "2", "4"])
    bar.set_label("weight / even weight")
    return fig


def draw_attention_in_time(attention, net):
    """Effective samples, distance from even averaging and what misses the evidence, over time."""
    n_layer, n_head, n_step = attention["mean"].shape[1:4]
    fig, rows = plt.subplots(n_layer, 3, figsize=(9.5, 3.1 * n_layer), squeeze=False)
    time, seen = np.arange(n_step), attention["n_seen"]
    for layer, row in enumerate(rows):
        keys = ("n_effective", "distance", "elsewhere")
        for ax, key in zip(row, keys, strict=True):
            for head in range(n_head):
                look = {"color": head_color(head, n_head), "label": f"head {head}"}
                ax.plot(time, attention[key][net, layer, head], lw=1.1, **look)
            joint = attention[f"joint_{key}"][net, layer]
            ax.plot(time, joint, "o-", color="k", ms=2.5, lw=1, label="mean of the heads")
            ax.set(xlabel="step that asks")
        some = seen > 0
        look = {"color": style.COLORS["theory"], "lw": 1.2, "ls": "--", "label": "even"}
        row[0].plot(time[some], seen[some], **look)
        row[0].set(ylabel="effective samples", ylim=(0, None))
        row[1].set(ylabel="distance from even averaging", ylim=(0, None))
        row[2].set(ylabel="weight outside of the evidence", ylim=(0, 1.02))
        if n_layer > 1:
            row[0].set_title(f"layer {layer}")
    handles, labels = rows[0, 0].get_legend_handles_labels()
    if n_head <= MOST_COLUMNS:
        fig.legend(handles, labels, loc="outside right upper", handlelength=1.2)
    return fig


# ------------------------------------------------------------------ all of it


PICTURES = {  # name: how it is drawn, from which results
    "trials": (draw_trials, "trials", "decoder"),
    "one_trial": (draw_one_trial, "one_trial"),
    "pca": (draw_pca, "pca"),
    "trajectories": (draw_trajectories, "trajectories"),
    "fixed_points": (draw_fixed_points, "points"),
    "spectrum": (draw_spectrum, "spectrum"),
    "sheet": (draw_sheet, "sheet"),
    "ends": (draw_ends, "ends"),
    "attention": (draw_attention, "attention"),
    "attention_matrix": (draw_attention_matrix, "attention"),
    "attention_in_time": (draw_attention_in_time, "attention"),
    "values": (draw_values, "values"),
    "rate_maps": (draw_rate_maps, "rate_maps"),
    "rate_maps_end": (draw_rate_maps, "rate_maps_end"),
    "encoder": (draw_encoder, "encoder"),
    "lines": (draw_lines, "lines"),
}


def draw_all(results, net, folder):
    """All pictures of a network that there are results for, into a folder."""
    for name, (draw, *needs) in PICTURES.items():
        if results.keys() >= set(needs):
            fig = draw(*[results[need] for need in needs], net)
            for _ in range(2):  # squares find their place in the second layout
                fig.draw_without_rendering()
            fig.set_layout_engine("none")  # it is laid out: not once more for each of the two files
            style.write(fig, name, folder)
    page = interactive(results["trajectories"], net, folder.name)
    style.write_atomic(folder / "trajectories.html", page.encode())
