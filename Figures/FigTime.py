"""r2 as a function of time in the trial, a curve the paper lacks: how well evidence is averaged.

Data: Data/Time/, ridge decoders at every step, N_task = 24, five networks per architecture; made by
`python sweep.py Time`. Theory: 1 - 12 sigma^2 / t for the mean of t samples; 1 / (1 + 12 sigma^2 /
t) for the best linear estimate, which knows the variance of x*.
"""

import numpy as np
import style


def draw(folders):
    """ID and OOD (quadrant held out) against the number of samples seen."""
    fig, axes = style.plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    titles = {"ID": "ID", "quadrant": "OOD, quadrant really held out"}
    for ax, (measure, title) in zip(axes, titles.items(), strict=True):
        for network, file in style.find(folders, "r_sq", measure, ("r_sq", "t")).items():
            seen = np.flatnonzero(np.diff(file["t"], prepend=0) > 0)
            style.curve(ax, file["t"][seen], file["r_sq"][seen], network)
        t = np.linspace(1, file["t"].max(), 200)
        ax.plot(t, style.r_sq_theory(t), color=style.COLORS["theory"], ls="--", lw=1.2)
        ax.plot(t, 1 / (1 + 0.48 / t), color=style.COLORS["theory"], ls=":", lw=1.2)
        ax.set(xlabel="samples of evidence seen, $t$", title=title, ylim=(0.4, 1))
        ax.set_xticks([1, 5, 10, 15, 20])
    axes[0].set_ylabel("$r^2$ of $x^*$, ridge decoders")
    axes[0].legend(loc="lower right")
    axes[1].plot([], [], color=style.COLORS["theory"], ls="--", label=style.NAMES["theory"])
    axes[1].plot([], [], color=style.COLORS["theory"], ls=":", label="best linear estimate")
    axes[1].legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigTime", ("Time",))
