"""What `analyze.py` found in one network, drawn: one function per picture, arrays in, figure out.

Every function takes the arrays of one analysis (see analyze.py; files of the same name) and `net`,
which network of them to draw. Fixed points come in two stages, 'sheet' and 'bottom'.
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
FARTHEST = 1.5  # eigenvalue shown
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


def note(ax, text):
    """Words in place of a picture."""
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.4")


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
        heat_map(row[0], np.arange(rates.shape[1]), firing(rates[0]))
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


def heat_map(ax, time, values, **colors):
    """Values (time, k) as colours; by default from 0, or symmetric where some are negative."""
    if not colors:
        largest = np.abs(values).max() or 1
        signed = values.min() < 0
        colors = {"cmap": "RdBu_r", "vmin": -largest} if signed else {"cmap": "magma", "vmin": 0}
        colors["vmax"] = largest
    half = (time[1] - time[0]) / 2 if len(time) > 1 else 0.5
    box = (time[0] - half, time[-1] + half, values.shape[1] - 0.5, -0.5)
    look = {"aspect": "auto", "interpolation": "none", "extent": box}
    ax.figure.colorbar(ax.imshow(values.T, **look, **colors), ax=ax, pad=0.02)
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
    time, x = trial["time"], trial["x"][net]
    first, stop = trial["evidence"]
    rates, outputs = trial["rates"][net], trial["outputs"][net][:, : trial["n_task"][net]]
    if first:
        axes[0].plot(time, trial["inputs"][net][:, 0], color="0.6", label="fixation")
    for i in range(stop - first):
        look = {"color": plt.get_cmap("tab10")(i % 10), "lw": 1.2}
        axes[0].plot(time, trial["inputs"][net][:, first + i], **look, label=f"$X_{{{i + 1}}}$")
        label = rf"$\hat{{x}}_{{{i + 1}}}$"
        axes[3].plot(time, trial["decoded"][net][:, i], **look, label=label)
        for ax in (axes[0], axes[3]):
            ax.axhline(x[i], color=look["color"], ls=":", lw=1)
    heat_map(axes[1], time, firing(rates))
    n_firing = (np.abs(rates).max(0) > 0).sum()
    axes[1].set_ylabel(f"unit\n({n_firing} of {rates.shape[1]} fire)")
    if np.isnan(outputs).any():
        note(axes[2], "no readout in this file")
    else:
        low, high = trial["range"]
        heat_map(axes[2], time, outputs, cmap="RdBu_r", vmin=low, vmax=high)
    axes[2].set_ylabel("task\n(output)")
    axes[0].set_ylabel("input")
    axes[3].set(xlabel="time (ms)", ylabel="decoded $x^*$")
    for ax in (axes[0], axes[3]):
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=6, borderpad=0)
    fig.suptitle("$x^*$ = " + words(x) + ", dotted", fontsize=9)
    return fig


# ------------------------------------------------------------------ state space


def draw_pca(pca, net, n_shown=12):
    """Cumulative share of the variance per condition."""
    fig, ax = plt.subplots()
    looks = (("o-", "k"), ("s-", "k"), ("o--", LEAD), ("s--", LEAD))
    for name, share, (line, color) in zip(pca["conditions"], pca["share"][net], looks, strict=True):
        many = share[:n_shown]
        label = f"{name}: {100 * share[:3].sum():.0f} %"
        number = np.arange(1, len(many) + 1)
        ax.plot(number, 100 * many.cumsum(), line, color=color, ms=4, lw=1.2, mfc="w", label=label)
    ax.axvline(3, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="principal components", ylabel="variance they hold (%)", ylim=(0, 102))
    ax.legend(loc="lower right", title="share of the first three")
    return fig


def draw_trajectories(found, net):
    """Noiseless trials in the first three components, time as shade, fixed points on top."""
    path, x = found["trajectory"][net][:N_PATH], found["x"][net][:N_PATH]
    fig, views = space_and_plane(found["share"][net])
    for ax, axes, kind in zip(views, ALL, (Line3DCollection, LineCollection), strict=True):
        shaded(ax, path[:, :, axes], kind)
        for rows, color, name in in_quadrants(x):
            scatter(ax, path[rows, -1][:, axes], color=color, s=11, label=name)
        draw_points(ax, found, net, axes)
        ax.autoscale_view()
    views[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.3)
    fig.text(0.02, 0.95, "noiseless trials, from light (early) to dark; dots: last stimulus step")
    return fig


ALL = [0, 1, 2], [0, 1]  # components shown in space and in the plane


def space_and_plane(share):
    """A figure with a view of three components and one of two."""
    fig = plt.figure(figsize=(9.5, 4.2))
    fig.set_layout_engine("none")  # it would not leave room for the third axis
    space = fig.add_axes([0.0, 0.06, 0.42, 0.9], projection="3d")
    flat = fig.add_axes([0.53, 0.13, 0.32, 0.78])
    for ax in (space, flat):
        ax.set(xlabel=component(share, 0), ylabel=component(share, 1))
    space.set_zlabel(component(share, 2))
    space.tick_params(labelsize=6, pad=-2)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_major_locator(plt.MaxNLocator(5))
        axis.pane.set_alpha(0.3)
        axis.labelpad = 0
    flat.set_aspect("equal", adjustable="datalim")
    return fig, (space, flat)


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
    page.update_traces(hoverinfo="text")
    names = {f"{axis}axis": {"title": component(share, i)} for i, axis in enumerate("xyz")}
    page.update_layout(title=title, template="simple_white", scene={**names, "aspectmode": "data"})
    page.update_layout(legend={"itemsizing": "constant"}, margin={"l": 0, "r": 0, "b": 0})
    return page.to_html(include_plotlyjs=True, post_script=TURN, div_id="state_space")


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
    for row, stage, name in zip(
        axes, (SHEET, BOTTOM), ("slow points", "bottom of $q$"), strict=True
    ):
        kept = spectrum["kept"][net, stage]
        row[0].set_title(f"{name}: {kept.sum()}")
        if not kept.any():
            for ax in row:
                note(ax, "none kept")
                ax.set_axis_off()
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
    for some, color, size in parts(values, n_lead):
        ax.plot(some.real.ravel(), some.imag.ravel(), ".", color=color, ms=size, alpha=0.7, mew=0)
    ax.set(xlabel="real", ylabel="imaginary", aspect="equal")
    ax.set(xlim=(-1.1, FARTHEST), ylim=(-1.1, 1.1))


def parts(values, n_lead):
    """(values, colour, size) of the rest, the next and the first D eigenvalues; (point, unit)."""
    yield values[:, n_lead + 1 :], REST, 3
    yield values[:, n_lead : n_lead + 1], NEXT, 5
    yield values[:, :n_lead], LEAD, 5


def draw_sizes(ax, sizes, n_lead):
    """Histograms of |mu|; larger ones stand in the last bin."""
    bins = np.linspace(0, FARTHEST, 61)
    names = (f"rank {n_lead + 2} on", f"rank {n_lead + 1}", f"the first {n_lead}")
    for (some, color, _), name in zip(parts(sizes, n_lead), names, strict=True):
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
    for (some, color, _), (size, _, _) in both:
        shares(ax, some[(size < 1) & (size > 0)], np.logspace(-1.5, 4, 56), color=color)
    outside = (sizes[:, :n_lead] > 1).mean()
    ax.set(xscale="log", xlabel=r"$A=-dt\,/\,(\tau\,\ln|\mu|)$", ylabel="share of its kind")
    ax.set_title(rf"not shown: $|\mu|>1$, {100 * outside:.0f} % of the first {n_lead}", fontsize=8)


def draw_sheet(sheet, net):
    """x* read off the points of both stages, and the local dimension."""
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    n_grid = sheet["cells"].shape[-1]
    farthest = np.abs(sheet["decoded"][net][sheet["kept"][net]][:, :2]).max(initial=0)
    outside = 1.1 * max(0.5, min(farthest, 1))
    for ax, stage, name in zip(
        axes, (SHEET, BOTTOM), ("slow points", "bottom of $q$"), strict=False
    ):
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
        note(axes[2], "too few different points")
    axes[2].set(xlabel="local dimension", ylabel="points")
    return fig


# ------------------------------------------------------------------ what units respond to


def draw_rate_maps(maps, net, n_shown=64):
    """Rate maps of responding units, in the order of the direction they prefer; correlations."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.8), width_ratios=(1.15, 1))
    rates, correlation = maps["rates"][net], maps["correlation"][net]
    responding = np.isfinite(correlation[:, 0]).nonzero()[0]
    angle = np.arctan2(correlation[responding, 1], correlation[responding, 0])
    order = responding[angle.argsort()][:n_shown]
    mosaic(left, [rates[:, :, unit].T for unit in order], order)
    of = f"{len(responding)} of {rates.shape[-1]} units respond"
    left.set_title(f"rates over $x_1$ (right) and $x_2$ (up),\neach up to its maximum; {of}")
    right.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.7", lw=0.8))
    right.plot(*correlation[responding].T, "o", color=LEAD, ms=5, mec="w", mew=0.5)
    plane(right, xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
    right.set(xlabel="correlation with $x_1$", ylabel="correlation with $x_2$")
    return fig


def mosaic(ax, maps, names):
    """Maps (row, column) side by side in rows, each scaled to its own range."""
    n_column = max(1, int(np.ceil(np.sqrt(len(maps)))))
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
        for rows, color, name in in_quadrants(encoder["x"][net]):
            scatter(ax, encoder["projected"][net, rows][:, axes], color=color, s=11, label=name)
    views[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    fig.text(0.02, 0.95, "what the random encoder makes of $x^*$")
    return fig


def draw_lines(lines, net):
    """Boundaries in the square, true ones dashed, those of the network in colour."""
    fig, ax = plt.subplots(figsize=(4.4, 4.4))
    n_task, x, fine = int(lines["n_task"][net]), lines["x"], lines["x_labels"]
    colors = plt.get_cmap("twilight")((np.arange(n_task) + 0.5) / n_task)
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
    fig.legend(loc="outside upper center", ncols=2)
    return fig


def draw_all(results, net, folder):
    """All pictures of a network into a folder."""
    figures = {
        "trials": draw_trials(results["trials"], results["decoder"], net),
        "one_trial": draw_one_trial(results["one_trial"], net),
        "pca": draw_pca(results["pca"], net),
        "trajectories": draw_trajectories(results["trajectories"], net),
        "fixed_points": draw_fixed_points(results["points"], net),
        "spectrum": draw_spectrum(results["spectrum"], net),
        "sheet": draw_sheet(results["sheet"], net),
        "rate_maps": draw_rate_maps(results["rate_maps"], net),
        "encoder": draw_encoder(results["encoder"], net),
        "lines": draw_lines(results["lines"], net),
    }
    for name, fig in figures.items():
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # it is laid out: not once more for each of the two files
        style.write(fig, name, folder)
    page = interactive(results["trajectories"], net, folder.name)
    style.write_atomic(folder / "trajectories.html", page.encode())
