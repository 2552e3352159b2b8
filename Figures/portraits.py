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
EXPLAINED = "noiseless trials, from light (early) to dark; dots: last stimulus step"


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


def views(fig, share, space=(0, 0.06, 0.42, 0.9), flat=(0.53, 0.13, 0.32, 0.78)):
    """Axes of the first three components, and of the first two, at boxes of a figure."""
    axes = [fig.add_axes(space, projection="3d")]
    axes[0].tick_params(labelsize=6, pad=-2)
    for axis in (axes[0].xaxis, axes[0].yaxis, axes[0].zaxis):
        axis.set_major_locator(plt.MaxNLocator(5))
        axis.pane.set_alpha(0.3)
        axis.labelpad = 0
    if flat:
        axes.append(fig.add_axes(flat, aspect="equal", adjustable="datalim"))
        axes[1].xaxis.set_major_locator(plt.MaxNLocator(6))
    for ax in axes:
        names = zip("xyz" if ax.name == "3d" else "xy", components(share), strict=False)
        ax.set(**{f"{axis}label": name for axis, name in names})
    return axes


def components(share):
    """Names of the first three."""
    return [f"PC {i + 1} ({100 * part:.0f} %)" for i, part in enumerate(np.pad(share, (0, 3))[:3])]


def in_space(*rows, **legend):
    """A row of views for each (title, shares, panel, its further arguments after the axes)."""
    fig = plt.figure(figsize=(9.5, 4.2 * len(rows)))
    fig.set_layout_engine("none")  # it would not leave room for the third axis
    parts = np.atleast_1d(fig.subfigures(len(rows), 1))
    for part, (title, share, panel, *what) in zip(parts, rows, strict=True):
        axes = views(part, share)
        for ax in axes:
            panel(ax, *what)
        axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), **legend)
        part.text(0.02, 0.95, title)
    return fig


def draw_encoder(encoder, net):
    """What the encoder makes of x*, in its first three components."""
    share, *cloud = (encoder[name][net] for name in ("share", "projected", "x"))
    return in_space(("what the random encoder makes of $x^*$", share, draw_cloud, *cloud))


def draw_ends(ends, net):
    """The representation at the end of the stimulus and of the trial."""
    found = zip(ends["names"], ends["share"][net], ends["projected"][net], strict=True)
    title, x = "noiseless trials, {}, its own components", ends["x"][net]
    return in_space(*[(title.format(name), s, draw_cloud, points, x) for name, s, points in found])


def draw_trajectories(trajectories, net):
    """Noiseless trials in the first three components, time as shade; fixed points if there are."""
    row = EXPLAINED, trajectories["share"][net], draw_paths, trajectories, net
    return in_space(row, markerscale=1.3)


def scatter(ax, points, **look):
    """Points (point, 3) in axes of three or two of their components, as bright far as near."""
    look |= {"depthshade": False} if ax.name == "3d" else {}
    ax.scatter(*points.T[: 3 if ax.name == "3d" else 2], **look)


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
    shade = np.tile(np.linspace(0.85, 0.25, pieces.shape[1]), len(paths))
    look = {"array": shade, "cmap": "gray", "clim": (0, 1), "alpha": 0.6, "linewidths": 0.5}
    ax.add_collection(kind(pieces.reshape(-1, 2, n), **look))
    for stage, look in enumerate(MARKS if "points" in found else ()):
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


def draw_circle(ax, spectrum, net, stage):
    """Eigenvalues at the kept points of a stage in the complex plane."""
    values = at_kept(spectrum, "eigenvalues", net, stage)
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.5", lw=0.8))
    for some, color, name in ranked(values, spectrum["n_lead"]):
        look = {"color": color, "ms": 3 if color == REST else 5, "label": name}
        ax.plot(some.real.ravel(), some.imag.ravel(), ".", alpha=0.7, mew=0, **look)
    ax.set(xlabel="real", ylabel="imaginary", title=f"{STAGES[stage]}: {len(values)}")
    ax.set(aspect="equal", xlim=(-1.1, FARTHEST), ylim=(-1.1, 1.1))


def draw_shares(ax, values, n_lead, bins):
    """Histograms of values (point, unit) by rank; the first and the last bin are open."""
    for some, color, name in ranked(values, n_lead):
        some = some[~np.isnan(some)].clip(bins[0], bins[-1])
        share = np.full(some.size, 1 / max(1, some.size))
        ax.hist(some, bins, weights=share, alpha=0.75, color=color, label=name)
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


def draw_ranks(ax, spectrum):
    """Sizes of the first D + 1 eigenvalues at the kept points, one bar per stage and network."""
    n_lead, (n_net, n_stage, _) = int(spectrum["n_lead"]), spectrum["kept"].shape
    rank, color = np.arange(1, n_lead + 2), np.array([LEAD] * n_lead + [NEXT])
    for bar, (stage, net) in enumerate(np.ndindex(n_stage, n_net)):
        sizes = np.abs(at_kept(spectrum, "eigenvalues", net, stage)[:, : n_lead + 1])
        if len(sizes):
            low, middle, high = np.percentile(sizes, [5, 50, 95], 0)
            x = rank + 0.75 * ((bar + 0.5) / (n_stage * n_net) - 0.5)
            ax.vlines(x, low, high, color, lw=1.2)
            ax.scatter(x, middle, 30, "w" if stage else color, edgecolors=color, zorder=3)
    for name, fill in zip(STAGES, ("k", "w"), strict=True):
        ax.plot([], "ko", ms=5, mfc=fill, label=name)
    ax.axhline(1, color="0.5", lw=0.8, zorder=0)
    ax.set_xticks(rank, [rf"$|\mu_{i}|$" for i in rank])
    ax.set(ylabel="size", ylim=(0, None))


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
    draw_maps(left, rate_maps, net, 64)
    draw_correlations(right, rate_maps["correlation"][net], color=LEAD)
    return fig


def draw_rate_maps_end(rate_maps_end, net):
    """The same at the end of the trial."""
    return draw_rate_maps(rate_maps_end, net)


def draw_maps(ax, maps, net, n_shown):
    """Rate maps of so many responding units, evenly chosen in the order of their direction."""
    correlation = maps["correlation"][net]
    responding = np.isfinite(correlation[:, 0]).nonzero()[0]
    order = responding[np.arctan2(*correlation[responding, ::-1].T).argsort()]
    chosen = np.linspace(0, len(order) - 1, min(n_shown, len(order))).round().astype(int)
    mosaic(ax, {unit: maps["rates"][net, :, :, unit].T for unit in order[chosen]})
    of = f"{len(order)} of {len(correlation)} units respond"
    of += f", {len(chosen)} shown" if len(chosen) < len(order) else ""
    ax.set_title(f"rates over $x_1$ (right) and $x_2$ (up),\neach over its own range;\n{of}")


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


def head_panels(attention, ylabel):
    """A figure with a panel per head, layer by layer, and a dict (layer, head) -> its axes."""
    n_layer, n_head = attention["mean"].shape[1:3]
    n_column = min(n_head, 4)
    n_row = n_layer * -(-n_head // n_column)
    size = 0.6 + 2.2 * n_column, 0.5 + 1.75 * n_row
    fig, axes = plt.subplots(n_row, n_column, figsize=size, sharex=True, sharey=True, squeeze=False)
    axes = axes.reshape(n_layer, -1)
    for ax in axes[:, n_head:].flat:
        ax.set_axis_off()
    panels = dict(np.ndenumerate(axes[:, :n_head]))
    for (layer, head), ax in panels.items():
        ax.set_title(f"layer {layer}, " * (n_layer > 1) + f"head {head}", fontsize=8)
    fig.supxlabel("step attended to", fontsize=9)
    fig.supylabel(ylabel, fontsize=9)
    return fig, panels


def draw_attention(attention, net):
    """Mean weight that the last steps give each step, and its standard deviation over trials."""
    fig, panels = head_panels(attention, "weight")
    most, least = attention["n_seen"].max(), 2e-3
    queries = list(zip(attention["queries"], attention["query_names"], ("k", LEAD), strict=False))
    for head, ax in panels.items():
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


def draw_attention_matrix(attention, net):
    """Mean weights of all steps that ask, in units of even attention over all steps so far."""
    fig, panels = head_panels(attention, "step that asks")
    steps = np.arange(attention["mean"].shape[-1])
    colors = plt.get_cmap("RdBu_r").with_extremes(bad="0.88")
    for head, ax in panels.items():
        times_even = (attention["mean"][(net, *head)] * (steps[:, None] + 1)).clip(1 / 64)
        shown = np.ma.array(np.log2(times_even), mask=steps > steps[:, None])
        image = ax.imshow(shown, cmap=colors, vmin=-2, vmax=2, interpolation="none")
    bar = fig.colorbar(image, ax=list(panels.values()), extend="both", shrink=0.8)
    bar.set_ticks([-2, -1, 0, 1, 2], labels=["1/4", "1/2", "even", "2", "4"])
    bar.set_label("weight / even weight")
    return fig


def draw_attention_in_time(attention, net):
    """Effective samples, distance from even averaging and what misses the evidence, over time."""
    (n_layer, n_head), seen = attention["mean"].shape[1:3], attention["n_seen"]
    fig, rows = plt.subplots(n_layer, 3, figsize=(9.5, 3.1 * n_layer), squeeze=False)
    names = {"n_effective": "effective samples", "distance": "distance from even averaging"}
    names["elsewhere"] = "weight outside of the evidence"
    for (layer, column), ax in np.ndenumerate(rows):
        key, name = list(names.items())[column]
        for head, values in enumerate(attention[key][net, layer]):
            ax.plot(values, lw=1.1, **head_look(head, n_head))
        joint = attention[f"joint_{key}"][net, layer]
        ax.plot(joint, "o-", color="k", ms=2.5, lw=1, label="mean of the heads")
        if key == "n_effective":
            ax.plot(np.where(seen > 0, seen, np.nan), **THEORY, label="even")
        ax.set(xlabel="step that asks", ylabel=name, ylim=(0, 1.02 if key == "elsewhere" else None))
        ax.set_title(f"layer {layer}" if n_layer > 1 and column == 0 else "")
    if n_head <= MOST_COLUMNS:
        handles, labels = rows[0, 0].get_legend_handles_labels()
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
