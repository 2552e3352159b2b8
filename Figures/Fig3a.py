"""Figure 3a: r2 of x* decoded from the RNN against N_task, in and out of distribution.

Data: Data/Fig3a/, and beyond N_task = 24 Data/Fig3a_more/, five networks per N_task, 4 splits x 5
fits each; made by `python sweep.py 3a 3a_more`.
Paper: OOD rises with N_task and the gap to ID closes. Numbers, networks, time and machine:
results table in README.md.
"""

from pathlib import Path

import numpy as np
import style

FILES = {
    "ID": "r_sq_RNN_CELoss_ID.npz",
    "as_released": "r_sq_RNN_CELoss.npz",
    "quadrant": "r_sq_RNN_CELoss_quadrant.npz",
}


def draw(folders):
    """The three measures in one panel."""
    found = [
        style.data({key: Path(folder) / file for key, file in FILES.items()}, ("r_sq", "n_tasks"))
        for folder in folders
        if any((style.DATA / folder / file).exists() for file in FILES.values())
    ]
    if not found:
        raise style.no_data(folders[:1], "3a")
    fig, ax = style.plt.subplots()
    n_tasks, counts = set(), []
    for key in FILES:
        files = [by_measure[key] for by_measure in found if key in by_measure]
        if files:
            x = np.concatenate([file["n_tasks"] for file in files])
            rows = [row for file in files for row in file["r_sq"]]
            style.curve(ax, x, style.stacked(rows), key)
            n_tasks, counts = n_tasks.union(x.tolist()), [*counts, *rows]
    any_file = next(iter(found[0].values()))
    style.theory(ax, style.r_sq_theory(any_file.get("t", 20), any_file.get("sigma", 0.2)))
    style.task_axis(ax, sorted(n_tasks))
    ax.set(ylabel="$r^2$ of decoded $x^*$", ylim=(None, 1))
    ax.set_title(f"RNN, {style.counted(counts)} per point, median and quartiles")
    ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3a", ("Fig3a", "Fig3a_more"))
