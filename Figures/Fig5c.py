"""Figure 5c: OOD r2 against the noise of training, which is that of decoding too.

Data: Data/Fig5c/ (sigma = 0.2: Data/Fig3a/), five networks per point, 4 splits x 5 fits each; made
by `python sweep.py 5c`. Theory: 1 - 12 sigma^2 / t with t = 20 samples, 1 - 0.6 sigma^2. Paper:
disentangling needs noise. The legend says how far the medians lie below the theory.
"""

import numpy as np
import style

from paper import N_TASKS_NOISE, NOISES  # n_sd_in; sigma is a tenth of it

TESTS = ("as_released", "quadrant")


def draw(folders):
    """A panel per test, a curve per N_task, the ceiling."""
    load = {"needs": ("r_sq", "n_tasks"), "wanted": TESTS}
    found = {n / 10: style.condition(folders[:1], f"Noise{n}", **load) for n in NOISES}
    if not any(found.values()):
        raise style.no_data(folders[:1], "5c")
    found[0.2] = style.condition(folders[-1:], "RNN_CELoss", **load)
    fig, axes = style.plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
    for ax, measure in zip(axes, TESTS, strict=True):
        files = {sigma: found[sigma][measure] for sigma in sorted(found) if measure in found[sigma]}
        for n_task, color in style.colors_of(N_TASKS_NOISE).items():
            values = style.of_task(files, n_task)
            if values:
                draw_task(ax, np.array(list(values)), values.values(), n_task, color)
        sigma = np.linspace(0, 0.65, 100)
        ceiling = {"color": style.COLORS["theory"], "label": style.NAMES["theory"]}
        ax.plot(sigma, style.r_sq_theory(20, sigma), ls="--", lw=1.2, **ceiling)
        ax.set(xlabel=r"noise of training, $\sigma$", xticks=sorted(found), xlim=(0.05, 0.65))
        ax.set_title(style.NAMES[measure])
        ax.legend(loc="lower left")
    axes[0].set_ylabel("OOD $r^2$")
    style.r_sq_axis(axes[0])
    return fig


def draw_task(ax, sigma, values, n_task, color):
    """Curve of one N_task, named by its networks and its distance from theory."""
    r_sq = style.stacked(values)
    below = np.round(style.r_sq_theory(20, sigma) - np.nanmedian(r_sq, 1), 2) + 0.0  # no -0
    name = f"$N_{{task}}={n_task}$, {style.counted(values)}: "
    name += f"{min(below):.2f} to {max(below):.2f} below theory"
    style.curve(ax, sigma, r_sq, name, color=color)


if __name__ == "__main__":
    style.run(draw, "Fig5c", ("Fig5c", "Fig3a"))
