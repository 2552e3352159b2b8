"""Shifts of the state along the linear code move the outputs as the theorem says; across it less.

Five networks per point: `python sweep.py Causal`. Columns: when the state is shifted, by what its
decoder reads as 0.1. Top: slope of the outputs' movement on the theorem's, 1 if they follow it.
Middle: size of the movement over the theorem's; 0 if a direction is ignored. `causal.py` says what
the directions are; evidence is the ceiling. Bottom: outputs with one unit silenced, the units of
each network in order of what they matter. Not in the paper.
"""

import style

from paper import MIXED, N_TASKS_FEW
from table import CAUSAL, DIRECTIONS, SHIFTS

SHADES = "#009e73", "#c1272d", "#e69f00", "0.6", "#0072b2", "#56b4e9"
COLORS = dict(zip(DIRECTIONS, SHADES, strict=True))
NAMES = {"evidence": "evidence itself (ceiling)", "encoding": "encoding direction"}
NAMES |= {"decoder": "decoder's pseudo-inverse", "random": "random", "unread": "unread"}
NAMES |= {"natural": "unread, its own length"}
SHOWN = {"shift_slope": DIRECTIONS[:3], "shift_size": DIRECTIONS[1:]}
MOMENTS = (("RNN", 10), ("LSTM", 10), ("RNN", 20), ("LSTM", 20), ("gpt-2", 20))

HOW = "Points and bars: median of networks, its 95 % interval; pale: each network."


def legend(fig, colors):
    """Below the panels: a line for each name."""
    lines = [style.plt.Line2D([], [], c=color, label=name) for name, color in colors.items()]
    fig.legend(handles=lines, loc="outside lower center", ncols=len(lines))


def draw():
    """Slope and size in a column per moment, and a panel of silenced units per architecture."""
    options = {"network": MIXED, "n_task": N_TASKS_FEW, "measure": CAUSAL, "decoder": ""}
    rows = style.rows("Causal", "settings == ''", **options)
    fig = style.plt.figure(figsize=(11, 8))
    above, below = fig.subfigures(2, 1, height_ratios=(2, 1))
    axes = above.subplots(2, 5, sharey="row", sharex=True)
    for column, (network, t) in zip(axes.T, MOMENTS, strict=True):
        own = rows[(rows["network"] == network) & (rows["t"] == t)]
        column[0].set_title(f"{style.NAMES.get(network, network)}, after {t} of 20 samples")
        for ax, measure in zip(column, SHIFTS, strict=True):
            some = own[own["measure"] == measure]
            for name in SHOWN[measure]:
                look = {"color": COLORS[name], "label": NAMES[name]}
                style.curve(ax, some[some["factor"] == name], value="value", **look)
            ax.axhline(measure == "shift_slope", color="k", lw=0.8, ls=":")
            style.task_axis(ax, N_TASKS_FEW)
            ax.set_ylabel(measure.replace("_", " "))
    legend(above, {NAMES[name]: color for name, color in COLORS.items()})
    shades = style.palette(N_TASKS_FEW)
    legend(below, {f"$N_{{task}}={n}$": color for n, color in shades.items()})
    for ax, network in zip(below.subplots(1, 3, sharey=True), MIXED, strict=True):
        own = rows[(rows["network"] == network) & (rows["measure"] == "silenced_accuracy")]
        rank = own.groupby(["n_task", "run"])["value"].rank(method="first")
        look = {"x": "rank", "hue": "n_task", "value": "value", "marker": ""}
        style.curve(ax, own.assign(rank=rank), **look)
        ax.set(title=style.NAMES.get(network, network), xlabel="silenced unit, worst first")
        ax.set_ylabel("accuracy")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigCausal", HOW)
