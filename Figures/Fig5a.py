"""Figure 5a: OOD r2 of networks trained for free reaction time against the duration of the trial.

Data: Data/Fig5a/, N_task = 24, five networks, 4 splits x 5 fits each; made by `python sweep.py 5a`.
They were trained on trials of 20 steps and are decoded, at the last step, in trials of 5 to 50.
Theory: evidence comes in the decision step too, so after t stimulus steps the mean of t + 1 samples
has r2 = 1 - 12 sigma^2 / (t + 1) = 1 - 0.48 / (t + 1). Paper: disentangling needs time to
accumulate evidence.
"""

import numpy as np
import style

STEP = 100  # ms
TRAINED = 20  # steps


def draw(folders):
    """The three measures and the theory against the stimulus, in steps."""
    found = style.condition(folders, "", needs=("r_sq", "timing"))
    if not found:
        raise style.no_data(folders, "5a")
    fig, ax = style.plt.subplots()
    ax.axvline(TRAINED, color="0.8", lw=1, zorder=0)
    for key, file in found.items():
        durations = file["timing"] / STEP
        style.curve(ax, durations, file["r_sq"], key)
    t = np.linspace(durations.min(), durations.max(), 200)
    ceiling = style.r_sq_theory(t + 1, file.get("sigma", 0.2))
    label = r"theory, $1 - 12\sigma^2/(t+1)$"
    ax.plot(t, ceiling, color=style.COLORS["theory"], ls="--", lw=1.2, label=label)
    style.r_sq_axis(ax)
    at = {"xy": (TRAINED, 1), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    ax.annotate("as trained", xytext=(3, 2), color="0.5", fontsize=7.5, **at)
    ax.set(xlabel="stimulus, $t$ (steps)", ylabel="$r^2$ of decoded $x^*$", xticks=durations)
    networks = style.counted(file["r_sq"])
    ax.set_title(f"Free reaction time, $N_{{task}}=24$, {networks}", pad=14)
    ax.legend(loc="lower left")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig5a", ("Fig5a",))
