"""Figure 3a: r2 of x* decoded from the RNN against N_task, in and out of distribution.

Five networks per N_task, any that there are, 4 splits x 5 fits each: `python sweep.py 3a 3a_more`.
Paper: OOD rises with N_task and the gap to ID closes. Control, dotted: the quadrant really held
out, read from the encoder's features averaged over the stimulus, with no network (`Controls`).
"""

import style

from theory import SIGMA, T, r2_mean


def draw():
    """The three measures in one panel."""
    rows = style.rows("3a", kind=("RNN",), measure=style.MEASURES)
    fig, ax = style.plt.subplots()
    style.curve(ax, rows, hue="measure")
    control = style.if_there(style.rows, "Controls", "measure == 'quadrant'", kind=["EncoderMean"])
    if control is not None:
        style.curve(ax, control, errorbar=None, marker="", linestyle=":")
    style.theory_line(ax, r2_mean(**rows[["t", "sigma"]].max().fillna({"t": T, "sigma": SIGMA})))
    style.task_axis(ax, rows["n_task"])
    title = f"RNN, {style.counted(rows, 'n_task', 'measure')} per point, median and quartiles"
    ax.set(title=title, ylabel="$r^2$ of decoded $x^*$", ylim=(None, 1))
    ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3a")
