"""What was found in networks, drawn: pictures of one network, and the panels figures share.

Arrays are those of one analysis (study.py, analyze.py, analyze_transformer.py); `net` says which
of its networks. What takes axes draws a panel into them, other functions return a figure. Fixed
points come in two stages: where a start is slow first, on the sheet, and at the bottom of q.
"""

import inspect

import numpy as np
import pandas as pd
import style
from matplotlib.colors import LogNorm
from mpl_toolkits.mplot3d.art3d import Line3DCollection
from style import plt

QUADRANTS = "#0072b2", "#009e73", "#e69f00", "#cc79a7"  # lower left, upper left, lower right, ...
LEAD, NEXT, REST = "#c1272d", "#0072b2", "0.6"  # eigenvalues: the first D, the next, all others
STAGES = "slow points", "bottom of $q$"
MARKS = (
    {"marker": ".", "s": 12, "color": "k", "lw": 0},
    {"marker": "x", "s": 24, "c": LEAD, "lw": 1},
)
FARTHEST = 1.5  # eigenvalue shown
N_PATH, N_FEW = 96, 12  # trajectories shown: in state space, per panel elsewhere
MOST_COLUMNS = 16  # of a mosaic; names of heads in a legend
THEORY = {"color": style.COLORS["theory"], "lw": 1.2, "ls": "--"}


def in_quadrants(x):
    """(rows of x in it, colour, name) of each quadrant; x (point, D)."""
    for i, color in enumerate(QUADRANTS):
        name = rf"$x_1{'<>'[i // 2]}0,\ x_2{'<>'[i % 2]}0$"
        yield 2 * (x[:, 0] > 0) + (x[:, 1] > 0) == i, color, name


def plane(ax, limit, names=("$x_1$", "$x_2$")):
    """The square of the first two factors, or of what goes with them."""
    limits = (-limit, limit)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal", xlim=limits, ylim=limits)
    for line in (ax.axhline, ax.axvline):
        line(0, color="0.8", lw=0.6, zorder=0)


def words(x):
    """A point as text."""
    return "(" + ", ".join(f"{value:.2f}" for value in x) + ")"


# ------------------------------------------------------------------ trials
def draw_trials(trials, decoder, net):
    """Units' rates and decoded x*, without noise and with it; r2 of decoded x* over time."""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 5.4), width_ratios=(1.2, 1, 1.1))
    until = decoder["last"] + 1
    for (left, middle, _), kind in zip(axes, ("noiseless", "noisy"), strict=True):
        rates, x = (trials[f"{kind}_{name}"][net][:N_FEW] for name in ("rates", "x"))
        heat_map(left, np.arange(rates.shape[1]), firing(rates[0]), "rate")
        left.set(xlabel="step", ylabel="unit", title=f"{kind}: rates in one trial")
        decoded = rates[:, :until] @ decoder["weight"][net] + decoder["bias"][net, 0]
        for rows, color, _ in in_quadrants(x):
            middle.plot(*decoded[rows, :, :2].T, color=color, lw=0.8, alpha=0.7)
            middle.plot(*x[rows, :2].T, "*", color=color, ms=9, mec="k", mew=0.5)
        plane(middle, 0.75)
        middle.set_title(f"{kind}: decoded, true (star)")
    (upper, lower), rates = axes[:, 2], trials["noiseless_rates"][net, :, :until]
    unit = rates[:, -1].std(0).argmax()  # which differs most between trials
    for rows, color, name in in_quadrants(trials["noiseless_x"][net]):
        upper.plot(rates[rows, :, unit][:N_FEW].T, color=color, lw=0.8)
        upper.plot([], color=color, lw=0.8, label=name)
    upper.set(xlabel="step", ylabel="rate", title=f"noiseless: unit {unit}")
    upper.legend(loc="upper left", fontsize=6.5, handlelength=1)
    lower.plot(decoder["theory"][:until], **THEORY, label="mean of the samples")
    lower.plot(decoder["r_sq"][net, :until], "o-", ms=3, color="k", label="decoded")
    lower.set(xlabel="step", ylabel="$r^2$", ylim=(-0.05, 1.02))
    lower.set_title("noisy: one decoder for all steps")
    lower.legend(loc="lower right")
    return fig


def firing(rates):
    """The units of rates (time, unit) that are not silent, the one of the highest peak first."""
    peak = np.abs(rates).max(0)
    return rates[:, peak.argsort()[::-1][: max(1, (peak > 0).sum())]]


def heat_map(ax, time, values, name, limits=()):
    """Values (time, k) as colours between limits, or from 0; symmetric where some are negative."""
    top, signed = np.abs(values).max() or 1, len(limits) > 0 or values.min() < 0
    low, high = limits if len(limits) else (-top if signed else 0, top)
    look = {"cmap": "RdBu_r" if signed else "magma", "vmin": low, "vmax": high, "rasterized": True}
    mesh = ax.pcolormesh(time, range(values.shape[1]), values.T, shading="nearest", **look)
    ax.figure.colorbar(mesh, ax=ax, pad=0.02, label=name).locator = plt.MaxNLocator(4)
    ax.yaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.invert_yaxis()


def draw_one_trial(one_trial, net):
    """One noisy trial: evidence, rates, outputs, decoded x*."""
    fig = plt.figure(figsize=(5, 7))
    draw_trial(fig, one_trial, net)
    fig.suptitle("$x^*$ = " + words(one_trial["x"][net]) + ", dotted", fontsize=9)
    return fig


def draw_trial(fig, trial, net):
    """The same in a part of a figure; returns the uppermost axes."""
    axes = fig.subplots(4, 1, sharex=True, height_ratios=(1.1, 1.5, 1.4, 1.1))
    time, rates = trial["time"], trial["rates"][net]
    outputs = trial["outputs"][net][:, : trial["n_task"][net]]
    if trial["evidence"][0]:
        axes[0].plot(time, trial["inputs"][net][:, 0], color="0.6", label="fixation")
    draw_factors(axes[0], trial, net, "inputs", "X_{%d}")
    heat_map(axes[1], time, firing(rates), "rate")
    if np.isnan(outputs).any():
        style.note(axes[2], "no readout in this file")
    else:
        heat_map(axes[2], time, outputs, "output", trial["range"])
    fire = f"unit\n({np.abs(rates).any(0).sum()} of {rates.shape[1]} fire)"
    for ax, name in zip(axes, ("input", fire, "task", "decoded $x^*$"), strict=True):
        ax.set_ylabel(name)
    draw_factors(axes[3], trial, net, "decoded", r"\hat{x}_{%d}")
    axes[3].set_ylim(*np.clip(axes[3].get_ylim(), -1, 1))  # it may read anything elsewhere
    axes[3].set_xlabel("time (ms)")
    return axes[0]


def draw_factors(ax, trial, net, key, name, n_column=6):
    """Factors of a trial over time, inputs or decoded, and x* dotted; `name` with %d for which."""
    channels = slice(*trial["evidence"]) if key == "inputs" else slice(None)
    for i, value in enumerate(trial[key][net][:, channels].T):
        ax.plot(trial["time"], value, color=f"C{i}", lw=1.2, label=f"${name % (i + 1)}$")
        ax.axhline(trial["x"][net][i], color=f"C{i}", ls=":", lw=1)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=n_column, borderpad=0)


def draw_accumulators(ax, trial, net, n_shown=6):
    """Some outputs of a trial with free reaction time, their targets, and the bounds."""
    n_task = int(trial["n_task"][net])
    n_shown, colors = min(n_task, n_shown), task_colors(n_task)
    some = np.linspace(0, n_task - 1, n_shown).astype(int)
    outputs = "outputs", {"lw": 1.5}, f"outputs of {n_shown} tasks"
    for key, look, label in (outputs, ("targets", {"lw": 1, "ls": "--"}, "targets")):
        for task in some:
            ax.plot(trial["time"], trial[key][net][:, task], color=colors[task], **look)
        ax.plot([], color="k", label=label, **look)
    for level in trial["range"]:  # the bounds
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
    held = 100 * shares[:, :12].cumsum(1).T
    lines = ax.plot(range(1, 1 + len(held)), held, line, ms=4, lw=1.2, mfc="w", **look)
    lines[0].set_label(f"{name}: {style.span(100 * shares[:, :3].sum(1))} %")
    ax.axvline(3, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="principal components", ylabel="variance they hold (%)", ylim=(0, 102))
    ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
    ax.legend(loc="lower right", title="share of the first three")


def components(share):
    """Names of the first three."""
    return [f"PC {i + 1} ({100 * part:.0f} %)" for i, part in enumerate(np.pad(share, (0, 3))[:3])]


def draw_flat(axes, points, x, slow=()):
    """Points (point, 3) seen so that the sheet lies flat, a panel per factor, in its colour.

    The plane is that of the best linear readout of x1 and x2, x1 to the right, not stretched.
    `slow` are points (point, 3) to mark.
    """
    centre, look = points.mean(0), {"cmap": "coolwarm", "vmin": -0.5, "vmax": 0.5, "s": 14}
    readout = np.linalg.lstsq(points - centre, x[:, :2] - x[:, :2].mean(0), rcond=None)[0]
    basis, triangle = np.linalg.qr(readout)
    basis *= np.sign(np.diag(triangle))
    for i, ax in enumerate(axes):
        dots = ax.scatter(*((points - centre) @ basis).T, c=x[:, i], **look)
        if len(slow):
            ax.plot(*((slow - centre) @ basis).T, "k.", ms=3, label=STAGES[0])
        ax.set(aspect="equal", xlabel="along the readout of $x_1$")
        ax.set_title(f"seen flat, colour: $x_{i + 1}$")
    axes[0].set_ylabel("across it")
    look = {"ticks": [-0.5, 0, 0.5], "shrink": 0.6, "pad": 0.02}
    axes[0].figure.colorbar(dots, ax=list(axes), label="$x_1$, $x_2$", **look)


def draw_encoder(encoder, net):
    """What the encoder makes of x*, in its first three components seen flat."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
    draw_flat(axes, encoder["projected"][net], encoder["x"][net])
    return fig


def draw_ends(ends, net):
    """The representation at the end of the stimulus and of the trial, noiseless, seen flat."""
    fig, rows = plt.subplots(len(ends["names"]), 2, figsize=(8, 7.4), squeeze=False)
    for row, name, points in zip(rows, ends["names"], ends["projected"][net], strict=True):
        draw_flat(row, points, ends["x"][net])
        row[0].set_title(f"{name}: {row[0].get_title()}")
    return fig


def draw_trajectories(trajectories, net):
    """Noiseless trials in the first three components, time as shade, and seen flat."""
    fig = plt.figure(figsize=(9, 7))
    upper, lower = fig.subfigures(2, 1, height_ratios=(1.2, 1))
    draw_paths(upper.add_subplot(projection="3d"), trajectories, net)
    draw_sheet_of(lower.subplots(1, 2, sharey=True), trajectories, net)
    return fig


def draw_sheet_of(axes, found, net):
    """The ends of trajectories seen flat, and slow points if there are."""
    slow = found["points"][net, 0, found["kept"][net, 0]] if "points" in found else ()
    draw_flat(axes, found["trajectory"][net][:, -1], found["x"][net], slow)


def draw_paths(ax, found, net):
    """Trajectories in axes of three components, their ends in the colour of x1."""
    paths = found["trajectory"][net][:N_PATH]
    x1 = {"c": found["x"][net][:N_PATH, 0], "cmap": "coolwarm", "vmin": -0.5, "vmax": 0.5}
    ax.scatter(*paths[:, -1].T, s=11, depthshade=False, **x1)
    shade = np.tile(np.linspace(0.85, 0.25, paths.shape[1] - 1), len(paths))
    look = {"array": shade, "cmap": "gray", "clim": (0, 1), "alpha": 0.6, "linewidths": 0.5}
    pieces = np.stack([paths[:, :-1], paths[:, 1:]], 2).reshape(-1, 2, 3)
    ax.add_collection(Line3DCollection(pieces, **look))
    for stage, look in enumerate(MARKS if "points" in found else ()):
        points = found["points"][net, stage, found["kept"][net, stage]]
        ax.scatter(*points.T, depthshade=False, zorder=3, label=STAGES[stage], **look)
    ax.autoscale_view()
    ax.tick_params(labelsize=6, pad=-2)
    for axis, name in zip("xyz", components(found["share"][net]), strict=True):
        getattr(ax, f"{axis}axis").set_major_locator(plt.MaxNLocator(4))
        getattr(ax, f"set_{axis}label")(name, labelpad=-5, size=7.5)
    ax.set_box_aspect((1, 1, 0.8), zoom=0.9)
    if "points" in found:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, handletextpad=0)


def interactive(found, net, title):
    """The trajectories as a web page that needs nothing else; it turns until it is touched."""
    import plotly.graph_objects as go

    paths, x = found["trajectory"][net][:N_PATH], found["x"][net][:N_PATH]
    names, n_time = np.array([f"x* = {words(row)}" for row in x]), paths.shape[1]
    lines = np.pad(paths, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)  # a gap after each
    steps = np.tile(np.arange(n_time + 1), len(x))
    shade = {"color": steps, "colorscale": [[0, "#e8e8e8"], [1, "#505050"]], "width": 2}
    hover = [f"{name}, step {step}" for name in names for step in range(n_time + 1)]
    shown = [("trials", lines.reshape(-1, 3), hover, {"mode": "lines", "line": shade})]
    for rows, color, name in in_quadrants(x):
        look = {"mode": "markers", "marker": {"size": 4, "color": color}}
        shown.append((name, paths[rows, -1], names[rows], look))
    for stage, (size, color) in enumerate(((2.5, "black"), (4, LEAD)) if "points" in found else ()):
        kept, look = found["kept"][net, stage], {"size": size, "color": color}
        points, decoded, pace = (found[k][net, stage, kept] for k in ("points", "decoded", "pace"))
        text = "decoded x* = {}, moves {:.1e} of the spread per step"
        hover = [text.format(words(row), speed) for row, speed in zip(decoded, pace, strict=True)]
        shown.append((STAGES[stage], points, hover, {"mode": "markers", "marker": look}))
    page, plain = go.Figure(), str.maketrans("", "", "$\\_")  # names without TeX
    for name, points, hover, look in shown:
        look |= dict(zip("xyz", points.T, strict=True))
        page.add_scatter3d(name=name.translate(plain), text=hover, hoverinfo="text", **look)
    titles = zip("xyz", components(found["share"][net]), strict=True)
    scene = {"aspectmode": "data", **{f"{axis}axis_title": name for axis, name in titles}}
    page.update_layout(title=title, template="simple_white", scene=scene)
    page.update_layout(legend={"itemsizing": "constant"}, margin={"l": 0, "r": 0, "b": 0})
    turn = (style.FIGURES / "turn.js").read_text()
    return page.to_html(include_plotlyjs=True, post_script=turn, div_id="state_space")


# ------------------------------------------------------------------ fixed points
def draw_fixed_points(fixed_points, net):
    """How slow the points are, how far from visited states, where free runs lead; jitter."""
    fig, axes = plt.subplots(2, 2, figsize=(8.6, 5.6))
    speed, distance, free, jitter = axes.flat
    runs = {"moved": ("-", "moved (spreads)"), "grown": (":", "perturbation grown by")}
    for stage, color in enumerate(("k", LEAD)):
        names = "pace", "distance", "kept"
        pace, away, kept = (fixed_points[name][net, stage] for name in names)
        look = {"histtype": "step", "color": color, "label": STAGES[stage]}
        speed.hist(pace.clip(1e-17, 3), bins=np.logspace(-17, 0.5, 36), **look)
        distance.hist(away.clip(1e-4, 99), bins=np.logspace(-4, 2, 31), **look)
        for name, (line, what) in runs.items():
            values = np.nan_to_num(fixed_points[name][net, stage, kept], nan=np.inf).clip(
                1e-17, 1e6
            )
            share = np.arange(1, len(values) + 1) / max(1, len(values))
            label = f"{STAGES[stage]}: {what}"
            free.plot(np.sort(values), share, line, color=color, label=label)
    names = "speed (spreads per step)", "distance to a visited state (spreads)", "after a free run"
    for ax, name in zip(axes.flat, names, strict=False):
        ax.set(xlabel=name, ylabel="points", xscale="log")
    free.set_ylabel("share of kept points")
    speed.legend(loc="upper center")
    free.legend(fontsize=6.5, loc="lower left", bbox_to_anchor=(-0.1, 1), ncols=2)
    kinds, sizes = (fixed_points[f"jitters{name}"] for name in ("_kind", ""))
    colors = {"converged": "#0b3c5d", "slow": "#7fb2d6", "rejected": "0.85"}
    look = {"stacked": True, "width": 0.36, "color": colors, "legend": None, "rot": 0}
    for counted, side in zip(kinds[net], (1.06, -0.06), strict=True):
        counts = {kind: (counted == i).sum(1) for i, kind in enumerate(colors)}
        bars = pd.DataFrame(counts, [f"{size:g}" for size in sizes])
        bars.plot.bar(ax=jitter, position=side, **look)
    top, ends = 1.3 * kinds.shape[-1], (-0.6, len(sizes) - 0.4)
    jitter.set(xlabel="size of the jitter", ylabel="points", ylim=(0, top), xlim=ends)
    jitter.set_title("left: slow points, right: bottom of $q$", fontsize=8)
    jitter.legend(list(colors), ncols=3, loc="upper center")
    return fig


def draw_spectrum(spectrum, net):
    """Eigenvalues at the kept points against the unit circle, their sizes, and A; by stage."""
    fig, axes = plt.subplots(2, 3, figsize=(9.5, 6))
    for stage, row in enumerate(axes):
        sizes = np.abs(at_kept(spectrum, "eigenvalues", net, stage))
        if not len(sizes):
            for ax in row:
                style.note(ax, "none kept")
            row[0].set_title(f"{STAGES[stage]}: 0")
            continue
        draw_circle(row[0], spectrum, net, stage)
        draw_shares(row[1], sizes, spectrum["n_lead"], np.linspace(0, FARTHEST, 61))
        row[1].axvline(1, color="0.5", lw=0.8)
        row[1].set(xlabel=r"$|\mu|$", ylim=(0, 1.05))
        row[1].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, handlelength=1)
        draw_amplification(row[2], spectrum, net, stage)
    return fig


def at_kept(spectrum, name, net, stage):
    """Values (point, unit) at the kept points of a network, or of a slice of them."""
    return spectrum[name][net, stage][spectrum["kept"][net, stage]]


def ranked(values, n_lead):
    """(values, colour, name) of the rest, the next and the first D eigenvalues; (point, unit)."""
    yield values[:, n_lead + 1 :], REST, f"rank {n_lead + 2} on"
    yield values[:, n_lead : n_lead + 1], NEXT, f"rank {n_lead + 1}"
    yield values[:, :n_lead], LEAD, f"the first {n_lead}"


def draw_circle(ax, spectrum, net, stage, limits=(-1.1, FARTHEST, -1.1, 1.1)):
    """Eigenvalues at the kept points of a stage in the complex plane, within limits."""
    values = at_kept(spectrum, "eigenvalues", net, stage)
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.5", lw=0.8))
    for some, color, name in ranked(values, spectrum["n_lead"]):
        look = {"color": color, "ms": 3, "label": name, "rasterized": True}
        ax.plot(some.real.ravel(), some.imag.ravel(), ".", alpha=0.3, mew=0, **look)
    ax.set(xlabel="real", title=f"{STAGES[stage]}: {len(values)}", aspect="equal")
    ax.axis(limits)


def draw_density(ax, values):
    """How many eigenvalues lie in each cell of the complex plane; the image, for a colour bar."""
    edges = np.linspace(-1.2, 1.2, 61), np.linspace(-1.2, 1.2, 61)
    look = {"cmap": "magma_r", "norm": LogNorm(1, 1e4), "rasterized": True}
    image = ax.hist2d(values.real.ravel(), values.imag.ravel(), edges, **look)[3]
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.5", lw=0.8))
    ax.set(xlabel="real", ylabel="imaginary", aspect="equal")
    return image


def draw_shares(ax, values, n_lead, bins):
    """Histograms of values (point, unit) by rank; the first and the last bin are open."""
    for some, color, name in ranked(values, n_lead):
        some = some[~np.isnan(some)].clip(bins[0], bins[-1])
        share = np.full(some.size, 1 / max(1, some.size))
        look = {"histtype": "stepfilled", "ec": color, "fc": (color, 0.35), "lw": 1.2}
        ax.hist(some, bins, weights=share, label=name, **look)
    ax.set_ylabel("share of its kind")


def draw_amplification(ax, spectrum, net, stage):
    """Histograms of A of the eigenvalues inside the circle, at the kept points."""
    stretch, n_lead = at_kept(spectrum, "amplification", net, stage), int(spectrum["n_lead"])
    sizes = np.abs(at_kept(spectrum, "eigenvalues", net, stage))
    inside = np.where((sizes < 1) & (sizes > 0), stretch, np.nan)
    draw_shares(ax, inside, n_lead, np.logspace(-1.5, 4, 56))
    outside = 100 * (sizes[:, :n_lead] > 1).mean()
    ax.set(xscale="log", xlabel=r"$A=-dt\,/\,(\tau\,\ln|\mu|)$")
    ax.set_title(rf"not shown: $|\mu|>1$, {outside:.0f} % of the first {n_lead}", fontsize=8)


def draw_sheet(sheet, net):
    """x* read off the points of both stages, and the local dimension."""
    fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    farthest = np.abs(sheet["decoded"][net][sheet["kept"][net]][:, :2]).max(initial=0)
    edges, least = np.linspace(-0.5, 0.5, sheet["cells"].shape[-1] + 1), sheet["jitters"].argmin()
    look = {"cmap": "viridis_r", "vmin": -10, "vmax": -1, "s": 12}
    for stage, (ax, name) in enumerate(zip(axes[:2], STAGES, strict=True)):
        here = {key: values[net, stage] for key, values in sheet.items() if np.ndim(values) > 1}
        cells = here["cells"].T > 0
        ax.pcolormesh(edges, edges, cells, cmap="Greys", vmin=0, vmax=5, edgecolors="0.85", lw=0.4)
        speed = np.log10(here["pace"][here["kept"]].clip(1e-10))
        dots = ax.scatter(*here["decoded"][here["kept"]][:, :2].T, c=speed, **look)
        again = here["jitters_decoded"][least][here["jitters_kept"][least]]
        label = f"with jitter {sheet['jitters'][least]:g}"
        ax.plot(*again[:, :2].T, "o", mfc="none", mec="0.45", mew=0.6, ms=4, label=label)
        covered, chance = (f"{100 * here[key]:.0f} %" for key in ("covered", "covered_at_most"))
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
    left.set_title(
        f"rates over $x_1$ (right) and $x_2$ (up)\n{draw_maps(left, rate_maps, net, 64)}"
    )
    draw_correlations(right, rate_maps["correlation"][net], color=LEAD)
    return fig


def draw_rate_maps_end(rate_maps_end, net):
    """The same at the end of the trial."""
    return draw_rate_maps(rate_maps_end, net)


def draw_maps(ax, maps, net, n_shown):
    """Rate maps of so many responding units, in the order of their direction; words on how many."""
    correlation = maps["correlation"][net]
    responding = np.isfinite(correlation[:, 0]).nonzero()[0]
    order = responding[np.arctan2(*correlation[responding, ::-1].T).argsort()]
    chosen = np.linspace(0, len(order) - 1, min(n_shown, len(order))).round().astype(int)
    mosaic(ax, {unit: maps["rates"][net, :, :, unit].T for unit in order[chosen]})
    bar = ax.figure.colorbar(plt.cm.ScalarMappable(cmap="magma"), ax=ax, shrink=0.6, pad=0.02)
    bar.set_ticks([0, 1], labels=["lowest", "highest"])
    of = f"{len(order)} of {len(correlation)} units respond"
    of += f", {len(chosen)} shown" if len(chosen) < len(order) else ""
    return of


def draw_correlations(ax, correlation, **look):
    """Each unit's correlation (unit, 2) with the factors, in the unit circle."""
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.7", lw=0.8))
    ax.plot(*correlation.T, "o", **{"ms": 5, "mec": "w", "mew": 0.5, **look})
    plane(ax, 1.05, ("correlation with $x_1$", "correlation with $x_2$"))


def mosaic(ax, maps, n_column=None):
    """Maps (row, column) by name, side by side in rows, each scaled to its own range."""
    n_column = n_column or max(1, int(np.ceil(np.sqrt(len(maps)))))
    n, gap = max((len(values) for values in maps.values()), default=1), 2.2
    for i, (name, values) in enumerate(maps.items()):
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
    return fig


def draw_boundaries(ax, lines, net):
    """The same in given axes."""
    n_task, x, fine = int(lines["n_task"][net]), lines["x"], lines["x_labels"]
    known = np.isfinite(lines["logits"][net, ..., 0]).all()  # has the file a readout?
    for i, color in enumerate(task_colors(n_task)):
        truth, logit = lines["labels"][net, :, :, i], lines["logits"][net, :, :, i]
        if truth.min() < truth.max():
            ax.contour(fine, fine, truth.T, [0.5], colors="0.5", linewidths=0.7, linestyles="--")
        if known and logit.min() < 0 < logit.max():
            ax.contour(x, x, logit.T, [0], colors=[color], linewidths=1.2)
    ax.plot([], "--", color="0.5", lw=0.7, label="true")
    if known:
        ax.plot([], color=task_colors(n_task)[n_task // 3], lw=1.2, label="network, without noise")
    plane(ax, 0.5)
    note = "all other factors 0" if lines["n_dim"] > 2 else None
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, title=note)


def task_colors(n_task):
    """One colour per task, in a circle as their boundaries."""
    return 0.85 * plt.get_cmap("hsv")((np.arange(n_task) + 0.5) / n_task)[:, :3]


# ------------------------------------------------------------------ attention
def head_look(head, n_head):
    """One colour per head."""
    return {"color": plt.get_cmap("turbo")((head + 0.5) / n_head), "label": f"head {head}"}


def draw_values(values, net):
    """Value vectors over the square, by head and channel; correlations with x1 and x2; by layer."""
    n_layer, n_head, n_channel = values["correlation"].shape[1:4]
    fig, rows = plt.subplots(n_layer, 2, figsize=(9.5, 4.8 * n_layer), squeeze=False)
    for layer, (left, right) in enumerate(rows):
        correlation, vectors = values["correlation"][net, layer], values["values"][net, :, :, layer]
        responding, pairs = np.isfinite(correlation[..., 0]), list(np.ndindex(n_head, n_channel))
        maps = {f"{head}.{i}": vectors[:, :, head, i].T for head, i in pairs[:256]}
        mosaic(left, maps, min(n_channel, MOST_COLUMNS))
        title = f"layer {layer}: values (head.channel) over $x_1$ (right)\nand $x_2$ (up), "
        left.set_title(f"{title}{responding.sum()} of {responding.size} channels respond")
        for head in range(n_head):
            draw_correlations(right, correlation[head, responding[head]], **head_look(head, n_head))
        if n_head <= MOST_COLUMNS:
            right.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0)
    return fig


def draw_attention(attention, net):
    """Mean weight that the last steps give each step, and its standard deviation over trials."""
    n_layer, n_head = attention["mean"].shape[1:3]
    n_column = min(n_head, 4)
    n_row = n_layer * -(-n_head // n_column)
    layout = {"figsize": (0.6 + 2.2 * n_column, 0.5 + 1.75 * n_row), "squeeze": False}
    fig, axes = plt.subplots(n_row, n_column, sharex=True, sharey=True, **layout)
    axes = axes.reshape(n_layer, -1)
    for ax in axes[:, n_head:].flat:
        ax.set_axis_off()
    fig.supxlabel("step attended to", fontsize=9)
    fig.supylabel("weight", fontsize=9)
    most, least = attention["n_seen"].max(), 2e-3
    queries = list(zip(attention["queries"], attention["query_names"], ("k", LEAD), strict=False))
    for head, ax in np.ndenumerate(axes[:, :n_head]):
        ax.set_title(f"layer {head[0]}, " * (n_layer > 1) + f"head {head[1]}", fontsize=8)
        for i, (query, name, color) in enumerate(queries):
            at, steps = (net, *head, query), np.arange(query + 1)
            mean, sd = (attention[key][at][steps] for key in ("mean", "sd"))
            low, middle, high = np.clip([mean - sd, mean, mean + sd], least / 2, None)
            ax.fill_between(steps, low, high, color=color, alpha=0.15, lw=0)
            label, text = f"asked in the {name}", f"{attention['n_effective'][at]:.1f}"
            ax.plot(steps, middle, "o-", color=color, ms=2, lw=1, label=label)
            ax.text(0.5 + 0.25 * i, 0.88, text, color=color, transform=ax.transAxes, fontsize=8)
        ax.plot(attention["evidence"], [1 / most] * 2, **THEORY, label="even")
        ax.set(yscale="log", ylim=(least, 1.5))
    title = f"weights, mean and sd of trials; numbers: effective samples of {most}"
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, title=title)
    return fig


PICTURES = [draw_trials, draw_one_trial, draw_pca, draw_trajectories, draw_fixed_points]
PICTURES += [draw_spectrum, draw_sheet, draw_ends, draw_attention]
PICTURES += [draw_values, draw_rate_maps, draw_rate_maps_end]
PICTURES += [draw_encoder, draw_lines]  # their arguments: the analyses they show, and `net`


def draw_all(results, net, folder):
    """All pictures of a network that there are results for, into a folder."""
    for draw in PICTURES:
        *needs, _ = inspect.signature(draw).parameters
        if results.keys() >= set(needs):
            fig = draw(*[results[need] for need in needs], net)
            fig.draw_without_rendering()  # squares find their place in the second layout
            style.write(fig, draw.__name__.removeprefix("draw_"), folder)
    page = interactive(results["trajectories"], net, folder.name)
    style.write_atomic(folder / "trajectories.html", page.encode())
