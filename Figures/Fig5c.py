"""Figure 5c: OOD r2 against the noise of training, which is that of decoding too.

RNN, five networks per point, 4 splits x 5 fits each: `python sweep.py 5c`. Theory: 1 - 12 sigma^2 /
t with t = 20 samples. Paper: disentangling needs noise.
"""

import numpy as np
import style

from paper import N_TASKS_NOISE, NOISES
from theory import T, r2_mean


def draw():
    """A panel per test, a curve per N_task; the legend says how far below theory medians lie."""
    kinds = ("RNN", *(f"Noise{noise}" for noise in NOISES))
    wanted = {"measure": style.TESTS, "n_sd_in": sorted((2, *NOISES)), "n_task": N_TASKS_NOISE}
    rows = style.rows("5c", f"kind in {kinds}", needs="kind != 'RNN'", **wanted)
    rows = rows.assign(noise=rows["n_sd_in"] / 10)  # sigma
    fig, axes = style.plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
    sigma = np.linspace(0, 0.65, 100)
    for ax, measure in zip(axes, style.TESTS, strict=True):
        shown, names = rows[rows["measure"] == measure], {}
        for n_task, some in shown.groupby("n_task"):
            medians = some.groupby("noise")["r2"].median()
            below = (r2_mean(T, medians.index) - medians).round(2) + 0.0  # no -0
            names[n_task] = f"$N_{{task}}={n_task}$, {style.counted(some, 'noise')}: "
            names[n_task] += f"{min(below):.2f} to {max(below):.2f} below theory"
        style.curve(ax, shown, x="noise", hue="n_task", names=names)
        style.theory_line(ax, r2_mean(T, sigma), sigma)
        ax.set(xlabel=r"noise of training, $\sigma$", ylabel="OOD $r^2$", xlim=(0.05, 0.65))
        ax.set(title=style.NAMES[measure], xticks=sorted(rows["noise"].unique()))
        ax.legend(loc="lower left")
    style.r_sq_axis(axes[0])
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig5c")
