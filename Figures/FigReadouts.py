"""Why the decoder plateaus: r2 of x*, quadrant held out, by how a linear decoder is found.

RNN, N_task = 24 above and 6 below, five networks each: `python sweep.py Readouts`. The same states
are read by ridge, and by Adam at several learning rates and numbers of steps, from PyTorch's
default start or from zero, its last step or the mean of the last half of its steps; crosses are the
paper's setting. Bars: what the error of Adam's decoders is made of, beside a reference decoder of
the same states. Right, RNN above and LSTM below: readouts against N_task; the closed form needs no
decoder. Medians over networks and splits, bands are quartiles. Not in the paper (docs/readouts.md).
"""

import numpy as np
import style

from paper import N_TASKS
from theory import r2_optimum

NAMES = {"adam": "Adam", "ridge": "ridge", "closed": "closed form, theory's scale"}
NAMES |= {"closed_fit": "closed form, fitted scale", "one_map": "one ridge map of all quadrants"}
COLORS = dict(zip(NAMES, ("#c1272d", "#e69f00", "#56b4e9", "#0072b2", "#4c4c4c"), strict=True))
WAYS = [("default", "last step", "C3-"), ("default", "mean of last half", "C3:")]
WAYS += [("zero", "last step", "C0-"), ("zero", "mean of last half", "C0:")]

HOW = """Lines and bands: median and quartiles of networks and splits. Crosses: the paper's setting.
Right: medians of networks and 95 % intervals. Dashed: the optimum."""
BEST = {"color": style.COLORS["theory"], "ls": "--", "lw": 1.2, "label": style.NAMES["theory"]}


def arrays(n_task):
    """What analyze_readouts.py found: penalties, paths, shares."""
    folder = style.DATA / f"Analysis/RNN_nTask{n_task}_readouts"
    paths = [folder / f"{name}.npz" for name in ("penalties", "paths", "shares")]
    if gone := [path for path in paths if not path.exists()]:
        raise style.Missing(f"{gone[0]}: not there; `python sweep.py Readouts` makes it")
    return [style.load_npz(path) for path in paths]


def band(ax, x, values, look, **options):
    """Median and quartiles of values (net, x, split)."""
    low, mid, high = np.percentile(values, [25, 50, 75], axis=(0, 2))
    (line,) = ax.plot(x, mid, look, **options)
    ax.fill_between(x, low, high, color=line.get_color(), alpha=0.12, lw=0)
    ax.set_xscale("log")


def draw():
    """A row per N_task; in the last column per architecture."""
    fig, axes = style.plt.subplots(2, 5, figsize=(14, 6.2))
    for n_task, network, row in zip((24, 6), ("RNN", "LSTM"), axes, strict=True):
        ridge, adam, parts = arrays(n_task)
        for key, name in (("r_sq", "ridge"), ("r_sq_one_map", "one_map")):
            look = {"color": COLORS[name], "label": NAMES[name]}
            band(row[0], ridge["penalty"], ridge[key].swapaxes(1, 2), "-", **look)
        papers = rate, n_batch = adam["papers"]
        at_rate, at_step = (adam["rate"] == rate).argmax(), (adam["step"] == n_batch).argmax()
        for i, (start, kind, look) in enumerate(WAYS):
            r_sq, label = adam["r_sq"][:, :, i // 2, i % 2], f"{start} start, {kind}"
            band(row[1], adam["rate"], r_sq[:, :, at_step], look, label=label)
            band(row[2], adam["step"], r_sq[:, at_rate], look, label=label)
        names = "ridge penalty / mean variance of a unit", "learning rate of Adam", "steps of Adam"
        for ax, name, x in zip(row, names, (None, *papers), strict=False):
            ax.axhline(r2_optimum(), **BEST)
            ax.set(xlabel=name, ylabel="$r^2$", ylim=(0.6, 1), title=f"$N_{{task}}={n_task}$")
            mid = np.median(adam["r_sq"][:, at_rate, 0, 0, at_step])
            _ = x and ax.plot(x, mid, "kx", ms=8, mew=2, zorder=3)
        shares = parts["parts"].mean((0, 1))  # (reference, part)
        for i, name in enumerate(parts["part"]):
            row[3].bar((0, 1), shares[:, i], 0.6, shares[:, :i].sum(1), label=name, color=f"C{i}")
        row[3].set_xticks((0, 1), parts["reference"])
        row[3].set(ylabel="mean $1 - r^2$ of Adam's decoders", xlabel="reference decoder")
        row[3].set(ylim=(0, 1.7 * shares.sum(1).max()), xlim=(-0.6, 1.6))
        for name in NAMES:
            decoder, measure = ("ridge", name) if name == "one_map" else (name, "quadrant")
            wanted = {
                "measure": [measure],
                "kind": [network],
                "decoder": decoder,
                "n_task": N_TASKS,
            }
            if (rows := style.if_there(style.rows, "Readouts", **wanted)) is not None:
                style.curve(row[4], rows, label=NAMES[name], color=COLORS[name])
                style.task_axis(row[4], rows["n_task"])
                row[4].set_xlim(1.7, 28)
        row[4].axhline(r2_optimum(), **BEST)
        row[4].set(title=network, ylabel="$r^2$", ylim=(0.4, 1))
    for ax, where in zip(
        axes[0, (0, 1, 3, 4)], ("lower left",) * 2 + ("upper left", "lower right"), strict=True
    ):
        ax.legend(loc=where, fontsize=7)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigReadouts", HOW)
