"""Figure S6: lifetime sparseness of the representation against N_task and against D.

Five networks per point, 1000 noise-free stimuli each: `python sweep.py S6a S6b`. A unit that
responds to a single stimulus has 100 %, a constant one 0; dead units count as 100 %.
"""

import numpy as np
import style
from scipy import stats

from paper import ARCHITECTURES, DIMS, EVERY_D, N_TASKS, N_TASKS_DIM


def draw():
    """Sparseness and active units by architecture; sparseness against D, a curve per N_task."""
    query = f"kind in {(*ARCHITECTURES, *EVERY_D)} or kind == network"
    rows = style.rows("S6a", query, needs="measure in ('sparsity', 'active')", decoder="")
    sparse, active = rows[rows["measure"] == "sparsity"], rows[rows["measure"] == "active"]
    arc = sparse.query(f"n_dim == 2 and n_task in {N_TASKS}")
    active = active.query(f"kind in ('RNN', 'NoLeak') and n_task in {N_TASKS}")  # units are ReLU
    by_dim = sparse.query(f"kind in {EVERY_D} and n_task in {N_TASKS_DIM}")
    style.expect(arc, kind=ARCHITECTURES, n_task=N_TASKS)
    style.expect(by_dim, network=("RNN", "gpt-2"), n_dim=(2, *DIMS), n_task=N_TASKS_DIM)
    n_row = 1 + any(by_dim["n_dim"] > 2)
    fig, axes = style.plt.subplots(n_row, 2, figsize=(8, 3.1 * n_row), squeeze=False)
    mean = {"y": "value", "estimator": "mean", "errorbar": None}
    bars = {**mean, "err_style": "bars", "err_kws": {"capsize": 2}, "errorbar": interval}
    style.curve(axes[0, 0], arc, **bars)
    axes[0, 0].set_title("mean of networks, 95 % interval of the mean")
    style.curve(axes[0, 1], active, **mean)
    look = {"s": 9, "c": active["kind"].map(style.COLORS), "alpha": 0.4}
    axes[0, 1].scatter(active["n_task"], active["value"], **look)
    axes[0, 1].set_title("mean of networks, each as a dot")
    by_dim["x"] = by_dim["n_dim"] + 0.2 * by_dim["n_task"].map(N_TASKS_DIM.index) - 0.3
    for ax, network in zip(axes[1:].flat, ("RNN", "gpt-2"), strict=False):
        some = by_dim[by_dim["network"] == network]
        style.curve(ax, some, "x", hue="n_task", **bars)
        title = f"{style.NAMES.get(network, network)}, last stimulus step"
        ax.set(xlabel="$D$", title=title, xticks=sorted(some["n_dim"].unique()))
    for ax, text in zip(axes.flat, "abcd", strict=False):
        if text in "ab":
            style.task_axis(ax, arc["n_task"])
        ax.set_ylabel("active units x stimuli (%)" if text == "b" else "lifetime sparseness (%)")
        style.letter(ax, text)
        if ax.lines:
            ax.legend(title="$N_{task}$" if text in "cd" else None, ncols=1 + (text in "cd"))
        else:
            style.note(ax, "no data")
    return fig


def interval(values):
    """95 % interval of the mean, no end beyond 0 to 100 %."""
    ends = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return np.clip(ends, 0, 100)


if __name__ == "__main__":
    style.run(draw, "FigS6")
