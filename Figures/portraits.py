"""What was found in networks, drawn: pictures of one network, and the panels figures share.

Arrays are those of one analysis (study.py, analyze.py, analyze_transformer.py); `net` says which
of its networks. What takes axes draws a panel into them, other functions return a figure. Fixed
points come in two stages: where a start is slow first, on the sheet, and at the bottom of q.
"""

import inspect

import numpy as np
import pandas as pd
import style
from matplotlib.collections import LineCollection
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from style import plt

QUADRANTS = (  # of x1 and x2
    ("#0072b2", r"$x_1<0,\ x_2<0$"),
    ("#009e73", r"$x_1<0,\ x_2>0$"),
    ("#e69f00", r"$x_1>0,\ x_2<0$"),
    ("#cc79a7", r"$x_1>0,\ x_2>0$"),
)
LEAD, NEXT, REST = "#c1272d", "#0072b2", "0.6"  # eigenvalues: the first D, the next, all others
STAGES = ("slow points", "bottom of $q$")
FARTHEST = 1.5  # eigenvalue shown
N_PATH, N_FEW = 96, 12  # trajectories shown: in state space, per panel elsewhere
THEORY = {"color": style.COLORS["theory"], "lw": 1.2, "ls": "--"}
EXPLAINED = "noiseless trials, from light (early) to dark; dots: last stimulus step"


def in_quadrants(x):
    """(rows of x in it, colour, name) of each quadrant; x (point, D)."""
    for i, look in enumerate(QUADRANTS):
        yield 2 * (x[:, 0] > 0) + (x[:, 1] > 0) == i, *look


def plane(ax, limit, names=("$x_1$", "$x_2$")):
    """The square of the first two factors, or of what goes with them."""
    limits = (-limit, limit)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal", xlim=limits, ylim=limits)
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)


def words(x):
    """A point as text."""
    return "(" + ", ".join(f"{value:.2f}" for value in x) + ")"


# ------------------------------------------------------------------ trials
def draw_trials(trials, decoder, net):
    """Units' rates and decoded x*, without noise and with it; r2 of decoded x* over time."""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 5.4), width_ratios=(1.2, 1, 1.1))
    until, time = decoder["last"] + 1, np.arange(decoder["last"] + 1)
    for row, kind in zip(axes, ("noiseless", "noisy"), strict=True):
        rates, x = trials[f"{kind}_rates"][net], trials[f"{kind}_x"][net]
        heat_map(row[0], np.arange(rates.shape[1]), firing(rates[0]), "rate")
        row[0].set(xlabel="step", ylabel="unit", title=f"{kind}: rates in one trial")
        decoded = rates[:, :until] @ decoder["weight"][net] + decoder["bias"][net, 0]
        for rows, color, _ in in_quadrants(x[:N_FEW]):
            for path in decoded[:N_FEW][rows]:
                row[1].plot(*path[:, :2].T, color=color, lw=0.8, alpha=0.7)
            row[1].plot(*x[:N_FEW][rows, :2].T, "*", color=color, ms=9, mec="k", mew=0.5)
        plane(row[1], 0.75)
        row[1].set_title(f"{kind}: decoded, true (star)")
    rates, x = trials["noiseless_rates"][net, :, :until], trials["noiseless_x"][net]
    unit = rates[:, -1].std(0).argmax()  # which differs most between trials
    for rows, color, name in in_quadrants(x):
        for i, path in enumerate(rates[rows, :, unit][:N_FEW]):
            axes[0, 2].plot(path, color=color, lw=0.8, label=None if i else name)
    axes[0, 2].set(xlabel="step", ylabel="rate", title=f"noiseless: unit {unit}")
    axes[0, 2].legend(loc="upper left", fontsize=6.5, handlelength=1)
    axes[1, 2].plot(time, decoder["theory"][:until], **THEORY, label="mean of the samples")
    axes[1, 2].plot(time, decoder["r_sq"][net, :until], "o-", ms=3, color="k", label="decoded")
    axes[1, 2].set(xlabel="step", ylabel="$r^2$", ylim=(-0.05, 1.02))
    axes[1, 2].set_title("noisy: one decoder for all steps")
    axes[1, 2].legend(loc="lower right")
    return fig


def firing(rates):
    """The units of rates (time, unit) that are not silent, the one of the highest peak first."""
    peak = np.abs(rates).max(0)
    return rates[:, peak.argsort()[::-1][: max(1, (peak > 0).sum())]]


def heat_map(ax, time, values, name, low=None, high=None):
    """Values (time, k) as colours from low to high, or 0; symmetric where some are negative."""
    high, signed = high or np.abs(values).max() or 1, low is not None or values.min() < 0
    low = (-high if low is None else low) if signed else 0
    look = {"cmap": "RdBu_r" if signed else "magma", "vmin": low, "vmax": high}
    number = np.arange(values.shape[1])
    mesh = ax.pcolormesh(time, number, values.T, shading="nearest", rasterized=True, **look)
    ax.figure.colorbar(mesh, ax=ax, pad=0.02, label=name).locator = plt.MaxNLocator(4)
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.invert_yaxis()


def draw_one_trial(one_trial, net):
    """One noisy trial: evidence, rates, outputs, decoded x*."""
    fig, axes = plt.subplots(4, 1, figsize=(5, 7), sharex=True, height_ratios=(1.1, 1.5, 1.4, 1.1))
    draw_trial(axes, one_trial, net)
    fig.suptitle("$x^*$ = " + words(one_trial["x"][net]) + ", dotted", fontsize=9)
    return fig


def draw_trial(axes, trial, net):
    """The same in four axes."""
    time, rates = trial["time"], trial["rates"][net]
    outputs = trial["outputs"][net][:, : trial["n_task"][net]]
    if trial["evidence"][0]:
        axes[0].plot(time, trial["inputs"][net][:, 0], color="0.6", label="fixation")
    draw_factors(axes[0], trial, net, "inputs", "X_{%d}")
    heat_map(axes[1], time, firing(rates), "rate")
    n_firing = (np.abs(rates).max(0) > 0).sum()
    if np.isnan(outputs).any():
        style.note(axes[2], "no readout in this file")
    else:
        heat_map(axes[2], time, outputs, "output", *trial["range"])
    fire = f"unit\n({n_firing} of {rates.shape[1]} fire)"
    for ax, name in zip(axes, ("input", fire, "task", "decoded $x^*$"), strict=True):
        ax.set_ylabel(name)
    draw_factors(axes[3], trial, net, "decoded", r"\hat{x}_{%d}")
    axes[3].set_ylim(*np.clip(axes[3].get_ylim(), -1, 1))  # it may read anything elsewhere
    axes[3].set_xlabel("time (ms)")


def draw_factors(ax, trial, net, key, name, n_column=6):
    """Factors of a trial over time, inputs or decoded, and x* dotted; `name` with %d for which."""
    channels = slice(*trial["evidence"]) if key == "inputs" else slice(None)
    for i, value in enumerate(trial[key][net][:, channels].T):
        look = {"color": f"C{i}", "lw": 1.2, "label": f"${name % (i + 1)}$"}
        ax.plot(trial["time"], value, **look)
        ax.axhline(trial["x"][net][i], color=f"C{i}", ls=":", lw=1)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=n_column, borderpad=0)


def draw_accumulators(ax, trial, net, n_shown=6):
    """Some outputs of a trial with free reaction time, their targets, and the bounds."""
    time, bound, n_task = trial["time"], trial["range"][1], int(trial["n_task"][net])
    colors, n_shown = task_colors(n_task), min(n_task, n_shown)
    for key, look, label in (
        ("outputs", {"lw": 1.5}, f"outputs of {n_shown} tasks"),
        ("targets", {"lw": 1, "ls": "--"}, "targets"),
    ):
        for task in np.linspace(0, n_task - 1, n_shown).astype(int):
            ax.plot(time, trial[key][net][:, task], color=colors[task], **look)
        ax.plot([], color="k", label=label, **look)
    for level in (-bound, bound):
        ax.axhline(level, color="0.6", lw=0.8, zorder=0)
    ax.set(xlabel="time (ms)", ylabel="running sum of evidence")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


# ------------------------------------------------------------------ state space
def draw_pca(pca, net):
    """Cumulative share of the variance per condition, noiseless in black, noisy dashed."""
    fig, ax = plt.subplots()
    n_step = len(pca["conditions"]) // 2
    for i, (name, share) in enumerate(zip(pca["conditions"], pca["share"][net], strict=True)):
        line, color = ("--", LEAD) if i >= n_step else ("-", "k")
        draw_spectra(ax, share[None], name, "os^"[i % n_step] + line, color=color)
    return fig


def draw_spectra(ax, shares, name, line, **look):
    """Cumulative shares (net, component) of the variance; a legend with those of the top 3."""
    label = f"{name}: {style.span(100 * shares[:, :3].sum(1))} %"
    number = np.arange(1, 1 + min(12, shares.shape[1]))
    labels = [label] + [None] * (len(shares) - 1)
    ax.plot(
        number, 100 * shares[:, :12].cumsum(1).T, line, ms=4, lw=1.2, mfc="w", label=labels, **look
    )
    ax.axvline(3, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="principal components", ylabel="variance they hold (%)", ylim=(0, 102))
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.legend(loc="lower right", title="share of the first three")


def views(fig, share, space=(0, 0.06, 0.42, 0.9), flat=(0.53, 0.13, 0.32, 0.78)):
    """Axes of the first three components, and of the first two, at boxes of a figure."""
    solid = fig.add_axes(space, projection="3d")
    solid.tick_params(labelsize=6, pad=-2)
    for axis in (solid.xaxis, solid.yaxis, solid.zaxis):
        axis.set_major_locator(plt.MaxNLocator(5))
        axis.pane.set_alpha(0.3)
        axis.labelpad = 0
    axes = [solid]
    if flat:
        axes.append(fig.add_axes(flat, aspect="equal", adjustable="datalim"))
        axes[1].xaxis.set_major_locator(plt.MaxNLocator(6))
    for ax in axes:
        names = zip("xyz" if ax is solid else "xy", components(share), strict=False)
        ax.set(**{f"{axis}label": name for axis, name in names})
    return axes


def components(share):
    """Names of the first three."""
    return [f"PC {i + 1} ({100 * part:.0f} %)" for i, part in enumerate(share[:3])]


def in_space(titles, shares, panel, **legend):
    """A row of views per title; `panel` is a function of axes and the number of the row."""
    fig = plt.figure(figsize=(9.5, 4.2 * len(titles)))
    fig.set_layout_engine("none")  # it would not leave room for the third axis
    rows = np.atleast_1d(fig.subfigures(len(titles), 1))
    for i, (row, title) in enumerate(zip(rows, titles, strict=True)):
        axes = views(row, shares[i])
        for ax in axes:
            panel(ax, i)
        axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), **legend)
        row.text(0.02, 0.95, title)
    return fig


def draw_encoder(encoder, net):
    """What the encoder makes of x*, in its first three components."""
    points, x, share = (encoder[name][net] for name in ("projected", "x", "share"))
    title, shares = "what the random encoder makes of $x^*$", np.pad(share, (0, 3))[None]
    return in_space([title], shares, lambda ax, _: draw_cloud(ax, points, x))


def draw_ends(ends, net):
    """The representation at the end of the stimulus and of the trial."""
    titles = [f"noiseless trials, {name}, its own components" for name in ends["names"]]
    points, x = ends["projected"][net], ends["x"][net]
    return in_space(titles, ends["share"][net], lambda ax, i: draw_cloud(ax, points[i], x))


def draw_trajectories(trajectories, net):
    """Noiseless trials in the first three components, time as shade; fixed points if there are."""
    found, shares = trajectories, trajectories["share"][net:]
    return in_space([EXPLAINED], shares, lambda ax, _: draw_paths(ax, found, net), markerscale=1.3)


def scatter(ax, points, **look):
    """Points (point, 3) in axes of three or two of their components, as bright far as near."""
    if ax.name == "3d":
        ax.scatter(*points.T, depthshade=False, **look)
    else:
        ax.scatter(*points[:, :2].T, **look)


def draw_cloud(ax, points, x):
    """Points (point, 3), in the colour of x* (point, D)."""
    for rows, color, name in in_quadrants(x):
        scatter(ax, points[rows], color=color, s=11, label=name)


def draw_paths(ax, found, net):
    """The same in axes of two or three components."""
    paths = found["trajectory"][net][:N_PATH]
    draw_cloud(ax, paths[:, -1], found["x"][net][:N_PATH])
    n, kind = (3, Line3DCollection) if ax.name == "3d" else (2, LineCollection)
    pieces = np.stack([paths[:, :-1, :n], paths[:, 1:, :n]], 2)
    shade = np.broadcast_to(np.linspace(0.85, 0.25, pieces.shape[1]), pieces.shape[:2]).ravel()
    colors = np.stack([shade] * 3 + [np.full_like(shade, 0.6)], 1)
    ax.add_collection(kind(pieces.reshape(-1, 2, n), colors=colors, linewidths=0.5))
    looks = (
        {"marker": ".", "s": 12, "color": "k", "lw": 0},
        {"marker": "x", "s": 24, "color": LEAD, "lw": 1},
    )
    for stage, look in enumerate(looks if "points" in found else ()):
        points = found["points"][net, stage, found["kept"][net, stage]]
        scatter(ax, points, zorder=3, label=STAGES[stage], **look)
    ax.autoscale_view()


def draw_alone(fig, box, found):
    """The same of network 0 in one view of three components, panel b of a figure."""
    (ax,) = views(fig, found["share"][0], box, None)
    draw_paths(ax, found, 0)
    ax.legend(loc="upper center", bbox_to_anchor=(0.55, 0), ncols=3, columnspacing=1)
    style.letter(ax, "b", x=0, y=0.98)


def interactive(found, net, title):
    """The trajectories as a web page that needs nothing else; it turns until it is touched."""
    import plotly.graph_objects as go

    page, paths, x = go.Figure(), found["trajectory"][net][:N_PATH], found["x"][net][:N_PATH]
    names, n_time = np.array([f"x* = {words(row)}" for row in x]), paths.shape[1]

    def add(points, name, mode="markers", **look):
        xyz = dict(zip("xyz", points.T, strict=True))
        page.add_scatter3d(**xyz, name=name, mode=mode, hoverinfo="text", **look)

    lines = np.pad(paths, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)  # a gap after each
    steps = np.tile(np.arange(n_time + 1), len(x))
    shade = {"color": steps, "colorscale": [[0, "#e8e8e8"], [1, "#505050"]], "width": 2}
    hover = [f"{name}, step {step}" for name in names for step in range(n_time + 1)]
    add(lines.reshape(-1, 3), "trials", "lines", line=shade, text=hover)
    for rows, color, name in in_quadrants(x):
        for tex, plain in (("$", ""), ("\\ ", " "), ("_", ""), ("<", " < "), (">", " > ")):
            name = name.replace(tex, plain)
        add(paths[rows, -1], name, marker={"size": 4, "color": color}, text=names[rows])
    looks = ({"size": 2.5, "color": "black"}, {"size": 4, "color": LEAD})
    for stage, look in enumerate(looks if "points" in found else ()):
        kept, name = found["kept"][net, stage], STAGES[stage].replace("$", "")
        rows = zip(found["decoded"][net, stage, kept], found["pace"][net, stage, kept], strict=True)
        moves = "{}: decoded x* = {}, moves {:.1e} of the spread per step"
        text = [moves.format(name, words(row), pace) for row, pace in rows]
        add(found["points"][net, stage, kept], name, marker=look, text=text)
    titles = zip("xyz", components(found["share"][net]), strict=True)
    scene = {"aspectmode": "data", **{f"{axis}axis_title": name for axis, name in titles}}
    page.update_layout(title=title, template="simple_white", scene=scene)
    page.update_layout(legend={"itemsizing": "constant"}, margin={"l": 0, "r": 0, "b": 0})
    turn = (style.FIGURES / "turn.js").read_text()
    return page.to_html(include_plotlyjs=True, post_script=turn, div_id="state_space")


# ------------------------------------------------------------------ fixed points
def draw_fixed_points(fixed_points, net):
    """How slow the points are, how far from visited states, where free runs lead; jitter."""
    fig, ((speed, distance), (free, jitter)) = plt.subplots(2, 2, figsize=(8.6, 5.6))
    names = "pace", "distance", "moved", "grown", "kept"
    found = zip(STAGES, ("k", LEAD), *(fixed_points[name][net] for name in names), strict=True)
    for name, color, pace, away, moved, grown, kept in found:
        look = {"histtype": "step", "color": color, "label": name}
        speed.hist(pace.clip(1e-17, 3), bins=np.logspace(-17, 0.5, 36), **look)
        distance.hist(away.clip(1e-4, 99), bins=np.logspace(-4, 2, 31), **look)
        runs = (moved, "-", "moved (spreads)"), (grown, ":", "perturbation grown by")
        for values, line, what in runs:
            values = np.sort(np.nan_to_num(values[kept], nan=np.inf)).clip(1e-17, 1e6)
            share = np.arange(1, len(values) + 1) / max(1, len(values))
            free.plot(values, share, line, color=color, label=f"{name}: {what}")
    speed.set(xlabel="speed (spreads per step)", ylabel="points", xscale="log")
    speed.legend(loc="upper center")
    label = "distance to a visited state (spreads)"
    distance.set(xlabel=label, ylabel="points", xscale="log")
    free.set(xlabel="after a free run", ylabel="share of kept points", xscale="log")
    free.legend(fontsize=6.5, loc="lower left", bbox_to_anchor=(-0.1, 1), ncols=2)
    draw_jitter(jitter, fixed_points, net)
    return fig


def draw_jitter(ax, points, net):
    """Counts by kind for each size of the jitter, both stages side by side."""
    kinds, names = points["jitters_kind"][net], [f"{size:g}" for size in points["jitters"]]
    colors = {"converged": "#0b3c5d", "slow": "#7fb2d6", "rejected": "0.85"}
    for stage, position in enumerate((1.06, -0.06)):
        counts = {kind: (kinds[stage] == i).sum(1) for i, kind in enumerate(colors)}
        bars = pd.DataFrame(counts, names).plot.bar
        bars(ax=ax, stacked=True, width=0.36, position=position, color=colors, legend=None, rot=0)
    top, sizes = 1.3 * kinds.shape[-1], (-0.6, len(names) - 0.4)
    ax.set(xlabel="size of the jitter", ylabel="points", ylim=(0, top), xlim=sizes)
    ax.set_title("left: slow points, right: bottom of $q$", fontsize=8)
    ax.legend(list(colors), ncols=3, loc="upper center")


def draw_spectrum(spectrum, net):
    """Eigenvalues at the kept points against the unit circle, their sizes, and A; by stage."""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 6))
    for stage, (row, name) in enumerate(zip(axes, STAGES, strict=True)):
        kept, n_lead = spectrum["kept"][net, stage], spectrum["n_lead"]
        row[0].set_title(f"{name}: {kept.sum()}")
        if not kept.any():
            for ax in row:
                style.note(ax, "none kept")
            continue
        values = spectrum["eigenvalues"][net, stage, kept]
        draw_circle(row[0], values, n_lead)
        for some, color, rank in ranked(np.abs(values), n_lead):
            histogram(row[1], some, np.linspace(0, FARTHEST, 61), color=color, label=rank)
        row[1].axvline(1, color="0.5", lw=0.8)
        row[1].set(xlabel=r"$|\mu|$", ylim=(0, 1.05))
        row[1].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handlelength=1)
        stretch = spectrum["amplification"][net, stage, kept]
        draw_amplification(row[2], stretch, np.abs(values), n_lead)
    return fig


def ranked(values, n_lead):
    """(values, colour, name) of the rest, the next and the first D eigenvalues; (point, unit)."""
    yield values[:, n_lead + 1 :], REST, f"rank {n_lead + 2} on"
    yield values[:, n_lead : n_lead + 1], NEXT, f"rank {n_lead + 1}"
    yield values[:, :n_lead], LEAD, f"the first {n_lead}"


def draw_circle(ax, values, n_lead):
    """Eigenvalues (point, unit) in the complex plane."""
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(angle), np.sin(angle), color="0.5", lw=0.8)
    for some, color, name in ranked(values, n_lead):
        look = {"color": color, "ms": 3 if color == REST else 5, "label": name}
        ax.plot(some.real.ravel(), some.imag.ravel(), ".", alpha=0.7, mew=0, **look)
    ax.set(xlabel="real", ylabel="imaginary", aspect="equal")
    ax.set(xlim=(-1.1, FARTHEST), ylim=(-1.1, 1.1))


def histogram(ax, values, bins, **look):
    """Shares that add up to 1; what lies outside stands in the first or the last bin."""
    weights = np.full(values.size, 1 / max(1, values.size))
    values = values.ravel().clip(bins[0], bins[-1])
    ax.hist(values, bins=bins, weights=weights, alpha=0.75, **look)
    ax.set(ylabel="share of its kind")


def draw_amplification(ax, stretch, sizes, n_lead):
    """Histograms of A (point, unit) of the eigenvalues inside the circle."""
    inside = np.where((sizes < 1) & (sizes > 0), stretch, np.nan)
    for some, color, name in ranked(inside, n_lead):
        histogram(ax, some[~np.isnan(some)], np.logspace(-1.5, 4, 56), color=color, label=name)
    outside = (sizes[:, :n_lead] > 1).mean()
    ax.set(xscale="log", xlabel=r"$A=-dt\,/\,(\tau\,\ln|\mu|)$")
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
    for name, fill in zip(STAGES, ("k", "w"), strict=True):
        ax.plot([], "ko", ms=5, mfc=fill, label=name)
    ax.axhline(1, color="0.5", lw=0.8, zorder=0)
    ax.set_xticks(range(1, n_lead + 2), [rf"$|\mu_{i + 1}|$" for i in range(n_lead + 1)])
    ax.set(ylabel="size", ylim=(0, None))


def draw_sheet(sheet, net):
    """x* read off the points of both stages, and the local dimension."""
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    farthest = np.abs(sheet["decoded"][net][sheet["kept"][net]][:, :2]).max(initial=0)
    edges, least = np.linspace(-0.5, 0.5, sheet["cells"].shape[-1] + 1), sheet["jitters"].argmin()
    for stage, (ax, name) in enumerate(zip(axes[:2], STAGES, strict=True)):
        cells, kept = sheet["cells"][net, stage].T > 0, sheet["kept"][net, stage]
        ax.pcolormesh(edges, edges, cells, cmap="Greys", vmin=0, vmax=5, edgecolors="0.85", lw=0.4)
        x, pace = sheet["decoded"][net, stage, kept], sheet["pace"][net, stage, kept]
        look = {"cmap": "viridis_r", "vmin": -10, "vmax": -1, "s": 12}
        dots = ax.scatter(*x[:, :2].T, c=np.log10(pace.clip(1e-10)), **look)
        again = sheet["jitters_decoded"][net, stage, least]
        again = again[sheet["jitters_kept"][net, stage, least]]
        label = f"with jitter {sheet['jitters'][least]:g}"
        ax.plot(*again[:, :2].T, "o", mfc="none", mec="0.45", mew=0.6, ms=4, label=label)
        shares = [100 * sheet[key][net, stage] for key in ("covered", "covered_at_most")]
        covered, chance = (f"{share:.0f} %" for share in shares)
        ax.set_title(f"{name}: {covered} of the grid\ncovered (at random: {chance})")
        plane(ax, 1.1 * max(0.5, min(farthest, 1)))
    axes[0].legend(loc="lower left", bbox_to_anchor=(-0.05, -0.02), handletextpad=0)
    fig.colorbar(dots, ax=axes[:2], label="log$_{10}$ speed", shrink=0.8)
    dimension = sheet["dimension"][net, 0]
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
def draw_rate_maps(rate_maps, net):
    """Rate maps of responding units, in the order of the direction they prefer; correlations."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.8), width_ratios=(1.15, 1))
    draw_maps(left, rate_maps, net, 64)
    draw_correlations(right, rate_maps["correlation"][net], color=LEAD)
    return fig


def draw_rate_maps_end(rate_maps_end, net):
    """The same at the end of the trial."""
    return draw_rate_maps(rate_maps_end, net)


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
    plane(ax, 1.05, ("correlation with $x_1$", "correlation with $x_2$"))


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
    plane(ax, 0.5)
    if lines["n_dim"] > 2:
        ax.set_title("all other factors 0")


def task_colors(n_task):
    """One colour per task, in a circle as their boundaries."""
    return 0.85 * plt.get_cmap("hsv")((np.arange(n_task) + 0.5) / n_task)[:, :3]


# ------------------------------------------------------------------ attention
MOST_COLUMNS = 16  # of a mosaic; names of heads in a legend


def head_look(head, n_head):
    """One colour per head."""
    return {"color": plt.get_cmap("turbo")((head + 0.5) / n_head), "label": f"head {head}"}


def draw_values(values, net):
    """Value vectors over the square, by head and channel; correlations with x1 and x2; by layer."""
    n_layer, n_head, n_channel = values["correlation"].shape[1:4]
    fig, rows = plt.subplots(n_layer, 2, figsize=(9.5, 4.8 * n_layer), squeeze=False)
    for layer, (left, right) in enumerate(rows):
        correlation = values["correlation"][net, layer]
        responding = np.isfinite(correlation[..., 0])
        pairs = list(np.ndindex(n_head, n_channel))[:256]
        maps = [values["values"][net, :, :, layer, head, channel].T for head, channel in pairs]
        names = [f"{head}.{channel}" for head, channel in pairs]
        mosaic(left, maps, names, min(n_channel, MOST_COLUMNS))
        of = f"{responding.sum()} of {responding.size} channels respond"
        left.set_title(
            f"layer {layer}: values (head.channel) over $x_1$ (right)\nand $x_2$ (up), {of}"
        )
        for head in range(n_head):
            draw_correlations(right, correlation[head, responding[head]], **head_look(head, n_head))
        if n_head <= MOST_COLUMNS:
            right.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0)
    return fig


def head_panels(attention, ylabel):
    """A figure with a titled panel per head, filled layer by layer; list of (axes, layer, head)."""
    n_layer, n_head = attention["mean"].shape[1:3]
    n_column = min(n_head, 4)
    n_row = n_layer * -(-n_head // n_column)
    size = 0.6 + 2.2 * n_column, 0.5 + 1.75 * n_row
    fig, axes = plt.subplots(n_row, n_column, figsize=size, sharex=True, sharey=True, squeeze=False)
    panels = []
    for layer, rows in enumerate(np.split(axes, n_layer)):
        panels += [(ax, layer, head) for head, ax in enumerate(rows.flat[:n_head])]
        for ax in rows.flat[n_head:]:
            ax.set_axis_off()
    for ax, layer, head in panels:
        name = f"layer {layer}, head {head}" if n_layer > 1 else f"head {head}"
        ax.set_title(name, fontsize=8)
    fig.supxlabel("step attended to", fontsize=9)
    fig.supylabel(ylabel, fontsize=9)
    return fig, panels


def draw_attention(attention, net):
    """Mean weight that the last steps give each step, and its standard deviation over trials."""
    fig, panels = head_panels(attention, "weight")
    evidence, most, least = attention["evidence"], attention["n_seen"].max(), 2e-3
    queries = list(zip(attention["queries"], attention["query_names"], ("k", LEAD), strict=False))
    for ax, layer, head in panels:
        for i, (query, name, color) in enumerate(queries):
            at, steps = (net, layer, head, query), np.arange(query + 1)
            mean, sd = (attention[key][at][steps] for key in ("mean", "sd"))
            low, middle, high = np.clip([mean - sd, mean, mean + sd], least / 2, None)
            ax.fill_between(steps, low, high, color=color, alpha=0.15, lw=0)
            label = f"asked in the {name}"
            ax.plot(steps, middle, "o-", color=color, ms=2, lw=1, label=label)
            text = f"{attention['n_effective'][at]:.1f}"
            ax.text(0.5 + 0.25 * i, 0.88, text, color=color, transform=ax.transAxes, fontsize=8)
        ax.plot(evidence, [1 / most] * 2, **THEORY, label="even")
        ax.set(yscale="log", ylim=(least, 1.5))
    handles, labels = panels[0][0].get_legend_handles_labels()
    title = f"weights, mean and sd of trials; numbers: effective samples of {most}"
    fig.legend(handles, labels, loc="outside upper center", ncols=3, title=title)
    return fig


def draw_attention_matrix(attention, net):
    """Mean weights of all steps that ask, in units of even attention over all steps so far."""
    fig, panels = head_panels(attention, "step that asks")
    steps = np.arange(attention["mean"].shape[-1])
    colors = plt.get_cmap("RdBu_r").with_extremes(bad="0.88")
    for ax, layer, head in panels:
        times_even = (attention["mean"][net, layer, head] * (steps[:, None] + 1)).clip(1 / 64)
        shown = np.ma.array(np.log2(times_even), mask=steps > steps[:, None])
        image = ax.imshow(shown, cmap=colors, vmin=-2, vmax=2, interpolation="none")
    bar = fig.colorbar(image, ax=[ax for ax, _, _ in panels], extend="both", shrink=0.8)
    bar.set_ticks([-2, -1, 0, 1, 2], labels=["1/4", "1/2", "even", "2", "4"])
    bar.set_label("weight / even weight")
    return fig


def draw_attention_in_time(attention, net):
    """Effective samples, distance from even averaging and what misses the evidence, over time."""
    n_layer, n_head, n_step = attention["mean"].shape[1:4]
    fig, rows = plt.subplots(n_layer, 3, figsize=(9.5, 3.1 * n_layer), squeeze=False)
    time, seen = np.arange(n_step), attention["n_seen"]
    panels = {
        "n_effective": ("effective samples", None),
        "distance": ("distance from even averaging", None),
        "elsewhere": ("weight outside of the evidence", 1.02),
    }
    for layer, row in enumerate(rows):
        for ax, (key, (name, top)) in zip(row, panels.items(), strict=True):
            for head in range(n_head):
                ax.plot(time, attention[key][net, layer, head], lw=1.1, **head_look(head, n_head))
            joint = attention[f"joint_{key}"][net, layer]
            ax.plot(time, joint, "o-", color="k", ms=2.5, lw=1, label="mean of the heads")
            if key == "n_effective":
                ax.plot(time[seen > 0], seen[seen > 0], **THEORY, label="even")
            ax.set(xlabel="step that asks", ylabel=name, ylim=(0, top))
        if n_layer > 1:
            row[0].set_title(f"layer {layer}")
    handles, labels = rows[0, 0].get_legend_handles_labels()
    if n_head <= MOST_COLUMNS:
        fig.legend(handles, labels, loc="outside right upper", handlelength=1.2)
    return fig


PICTURES = [draw_trials, draw_one_trial, draw_pca, draw_trajectories, draw_fixed_points]
PICTURES += [draw_spectrum, draw_sheet, draw_ends, draw_attention, draw_attention_matrix]
PICTURES += [draw_attention_in_time, draw_values, draw_rate_maps, draw_rate_maps_end]
PICTURES += [draw_encoder, draw_lines]  # their arguments: the analyses they show, and `net`


def draw_all(results, net, folder):
    """All pictures of a network that there are results for, into a folder."""
    for draw in PICTURES:
        *needs, _ = inspect.signature(draw).parameters
        if results.keys() >= set(needs):
            fig = draw(*[results[need] for need in needs], net)
            for _ in range(2):  # squares find their place in the second layout
                fig.draw_without_rendering()
            fig.set_layout_engine("none")  # it is laid out: not once more for each of the two files
            style.write(fig, draw.__name__.removeprefix("draw_"), folder)
    page = interactive(results["trajectories"], net, folder.name)
    style.write_atomic(folder / "trajectories.html", page.encode())
