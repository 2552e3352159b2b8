"""Figure 3a: r2 of x* decoded from the RNN against N_task, in and out of distribution.

Data: Data/Fig3a/, and beyond N_task = 24 Data/Fig3a_more/, five networks per N_task, 4 splits x 5
fits each; made by `python sweep.py 3a 3a_more`.
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
    """The three measures in one panel; of an N_task in both folders the first one's."""
    curves, theory = {key: {} for key in FILES}, {"t": 20, "sigma": 0.2}
    for folder in folders:
        if folder == folders[0] or (style.DATA / folder).is_dir():
            paths = {key: Path(folder) / file for key, file in FILES.items()}
            for key, file in style.data(paths, ("r_sq", "n_tasks")).items():
                theory |= {name: file[name] for name in theory if name in file}
                for n_task, values in zip(file["n_tasks"].tolist(), file["r_sq"], strict=True):
                    curves[key].setdefault(n_task, values)
    curves = {key: dict(sorted(values.items())) for key, values in curves.items() if values}
    if not curves:
        raise style.no_data(folders[:1], "3a")
    fig, ax = style.plt.subplots()
    for key, values in curves.items():
        style.curve(ax, list(values), style.stacked(values.values()), key)
    style.theory(ax, style.r_sq_theory(**theory))
    style.task_axis(ax, sorted({n_task for values in curves.values() for n_task in values}))
    ax.set(ylabel="$r^2$ of decoded $x^*$", ylim=(None, 1))
    networks = style.counted([v for values in curves.values() for v in values.values()])
    ax.set_title(f"RNN, {networks} per point, median and quartiles")
    ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3a", ("Fig3a", "Fig3a_more"))
