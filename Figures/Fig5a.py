"""Figure 5a: OOD r2 of networks trained for free reaction time against the duration of the trial.

N_task = 24, five networks, 4 splits x 5 fits each, trained on trials of 20 steps, decoded in trials
of 5 to 50: `python sweep.py 5a`. Evidence comes in the decision step too, so the ceiling is
1 - 0.48 / (t + 1). Paper: disentangling needs time to accumulate evidence.
"""

import numpy as np
import style

from paper import DURATIONS
from theory import r2_mean

TRAINED = 20  # steps of 100 ms


def draw():
    """The three measures and the theory against the stimulus, in steps."""
    wanted = {"measure": style.MEASURES, "stimulus": (*DURATIONS, ...)}
    rows = style.rows("5a", "kind == 'Bound' and n_task == 24", series="stimulus", **wanted)
    rows = rows.assign(steps=rows["stimulus"] / 100)
    steps = sorted(rows["steps"].unique())
    fig, ax = style.plt.subplots()
    ax.axvline(TRAINED, color="0.8", lw=1, zorder=0)
    style.curve(ax, rows, x="steps", hue="measure")
    t = np.linspace(steps[0], steps[-1], 200)
    style.theory_line(ax, r2_mean(t + 1), t, label=r"theory, $1 - 12\sigma^2/(t+1)$")
    style.r_sq_axis(ax)
    at = {"xy": (TRAINED, 1), "xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    ax.annotate("as trained", xytext=(3, 2), color="0.5", fontsize=7.5, **at)
    ax.set(xlabel="stimulus, $t$ (steps)", ylabel="$r^2$ of decoded $x^*$", xticks=steps)
    title = f"Free reaction time, $N_{{task}}=24$, {style.counted(rows, 'measure', 'steps')}"
    ax.set_title(title, pad=14)
    ax.legend(loc="lower left")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig5a")
