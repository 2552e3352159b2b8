"""r2 as a function of time in the trial, a curve the paper lacks: how well evidence is averaged.

Ridge decoders at every step, N_task = 24, five networks per architecture: `python sweep.py Time`.
Theory: 1 - 12 sigma^2 / t for the mean of t samples; 1 / (1 + 12 sigma^2 / t) for the best linear
estimate, which knows the variance of x*.
"""

import numpy as np
import style

from paper import ARCHITECTURES
from theory import r2_mean


def draw():
    """ID and OOD (quadrant held out) against the number of samples seen."""
    wanted = {"measure": ("ID", "quadrant"), "kind": (*ARCHITECTURES, ...)}
    query = f"(kind == network or kind in {ARCHITECTURES}) and n_task == 24"
    rows = style.rows("Time", query, decoder="ridge", series="step", **wanted)
    rows = rows[rows["step"] == rows.groupby("t")["step"].transform("min")]  # evidence came
    fig, axes = style.plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    t = np.linspace(1, rows["t"].max(), 200)
    for ax, measure in zip(axes, wanted["measure"], strict=True):
        style.curve(ax, rows[rows["measure"] == measure], x="t")
        style.theory_line(ax, r2_mean(t), t)
        style.theory_line(ax, 1 / (2 - r2_mean(t)), t, ls=":", label="best linear estimate")
        ax.set(xlabel="samples of evidence seen, $t$", ylabel="$r^2$ of $x^*$, ridge decoders")
        ax.set(title=style.NAMES[measure], ylim=(0.4, 1), xticks=[1, 5, 10, 15, 20])
        ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigTime")
