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
    query = f"(kind in {ARCHITECTURES} or kind == network) and n_task == 24"
    rows = style.rows("Time", query, decoder="ridge", series="step")
    rows = rows[rows["step"] == rows.groupby("t")["step"].transform("min")]  # evidence came
    style.expect(rows, measure=("ID", "quadrant"), kind=ARCHITECTURES)
    fig, axes = style.plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    t, look = np.linspace(1, rows["t"].max(), 200), {"color": style.COLORS["theory"], "lw": 1.2}
    for ax, measure in zip(axes, ("ID", "quadrant"), strict=True):
        style.curve(ax, rows[rows["measure"] == measure], x="t")
        ax.plot(t, r2_mean(t), ls="--", **look, label=style.NAMES["theory"])
        ax.plot(t, 1 / (2 - r2_mean(t)), ls=":", **look, label="best linear estimate")
        ax.set(xlabel="samples of evidence seen, $t$", ylabel="$r^2$ of $x^*$, ridge decoders")
        ax.set(title=style.NAMES[measure], ylim=(0.4, 1), xticks=[1, 5, 10, 15, 20])
        ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigTime")
