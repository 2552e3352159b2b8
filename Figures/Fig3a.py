"""Figure 3a: r2 of x* decoded from the RNN against N_task, in and out of distribution.

Data: Data/Fig3a/, five networks per N_task, 4 splits x 5 fits each; made by `python sweep.py 3a`.
Paper: OOD rises with N_task and the gap to ID closes. Numbers, networks, time and machine:
results table in README.md.
"""

from pathlib import Path

import style

FILES = {
    "ID": "r_sq_RNN_CELoss_ID.npz",
    "as_released": "r_sq_RNN_CELoss.npz",
    "quadrant": "r_sq_RNN_CELoss_quadrant.npz",
}


def draw(folders):
    """The three measures in one panel."""
    (folder,) = folders
    if not any((style.DATA / folder / file).exists() for file in FILES.values()):
        raise style.Missing(f"{style.DATA / folder}: no data yet; `python sweep.py 3a` makes them")
    found = style.data(
        {key: Path(folder) / file for key, file in FILES.items()}, ("r_sq", "n_tasks")
    )
    fig, ax = style.plt.subplots()
    for key, file in found.items():
        style.curve(ax, file["n_tasks"], file["r_sq"], key)
    any_file = next(iter(found.values()))
    style.theory(ax, style.r_sq_theory(any_file.get("t", 20), any_file.get("sigma", 0.2)))
    style.task_axis(ax, any_file["n_tasks"])
    ax.set(ylabel="$r^2$ of decoded $x^*$", ylim=(None, 1))
    ax.set_title(f"RNN, {style.n_networks(any_file['r_sq'])} per point, median and quartiles")
    ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3a", ("Fig3a",))
