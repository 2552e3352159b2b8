"""Figures 3b and 3c: OOD r2, and the angle between decoders, for each architecture.

Data: Data/Fig3b,c/ (the RNN's in Data/Fig3a/), five networks per point, 4 splits x 5 fits each;
made by `python sweep.py 3b`. Paper: the effect does not depend on the architecture, GPT generalises
better than the RNN at small N_task, and decoders of the two factors become orthogonal. Numbers:
README.md.
"""

import numpy as np
import style


def draw(folders):
    """OOD r2 as released and with the quadrant really held out; angles of the same decoders."""
    fig, axes = style.plt.subplots(1, 3, figsize=(10, 3.4))
    for ax, measure in zip(axes, ("as_released", "quadrant"), strict=False):
        for network, file in style.find(folders, "r_sq", measure, ("r_sq", "n_tasks")).items():
            style.curve(ax, file["n_tasks"], file["r_sq"], network)
        style.theory(ax, style.r_sq_theory(20))
        ax.set(ylabel="OOD $r^2$", ylim=(0.4, 1))
    axes[0].set_title("b  OOD as released (half of the fits are ID)", loc="left")
    axes[1].set_title("b  OOD, quadrant really held out", loc="left")
    axes[1].legend(loc="lower right")
    angles = style.find(folders, "decoders", "as_released", ("angles", "n_tasks"))
    for network, file in angles.items():
        style.curve(axes[2], file["n_tasks"], file["angles"], network)
    axes[2].axhline(90, color="0.6", ls="--", lw=1)
    axes[2].set(ylabel="angle between decoders (degrees)", yticks=np.arange(45, 136, 15))
    axes[2].set_title("c  Orthogonal decoders", loc="left")
    for ax in axes:
        style.task_axis(ax, np.unique(np.concatenate([f["n_tasks"] for f in angles.values()])))
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3bc", ("Fig3b,c", "Fig3a"))
