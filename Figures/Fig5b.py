"""x* generalises once there are as many tasks as factors; with fewer, r2 falls with N_task / D.

Figures 5b and S12: OOD r2 (one pair of signs of the last two factors held out) and the angle
between decoders, for RNN and GPT-2: `python sweep.py 5b`. Control: the encoder's features averaged
over the stimulus, read as those of 12 tasks. Paper: generalisation needs N_task >= D.
"""

import style

from paper import DIMS, EVERY_D, N_TASKS_DIM

CONTROLS = ("EncoderMean", *(f"EncoderMean_nDim{d}" for d in DIMS))
INSIDE = {"marker": "", "ls": (0, (1, 1.5)), "lw": 1, "label": None}
TICKS = (0.3, 0.5, 1, 2, 4, 6)


def draw():
    """A column per network; r2 against D and against N_task / D; angles against D."""
    query = f"kind in {(*EVERY_D, *CONTROLS)} and n_task in {N_TASKS_DIM}"
    rows = style.rows("5b", query, needs="n_dim > 2", measure=("quadrant", "ID", ...))
    rows = rows.assign(tasks=rows["n_task"] / rows["n_dim"], from90=(rows["angle"] - 90).abs())
    rows["angle_of"] = rows["measure"].isin(("quadrant", "angles"))
    mean = rows["kind"].isin(CONTROLS)
    control, rows = rows[mean & (rows["n_task"] == N_TASKS_DIM[-1])], rows[~mean]
    style.expect(control, kind=CONTROLS)
    ood = rows[rows["measure"] == "quadrant"]
    style.expect(ood, network=("RNN", "gpt-2"), n_dim=(2, *DIMS), n_task=N_TASKS_DIM)
    look = {"hue": "n_task", "names": {n: f"$N_{{task}}={n}$" for n in N_TASKS_DIM}}
    fig, axes = style.plt.subplots(3, 2, figsize=(style.WIDTH, 7.8), sharey="row")
    for column, network in zip(axes.T, ("RNN", "gpt-2"), strict=True):
        some = rows[rows["network"] == network]
        inside, tested = (some[some["measure"] == name] for name in ("ID", "quadrant"))
        for ax, x in zip(column, ("n_dim", "tasks"), strict=False):
            style.curve(ax, tested, x, **look)
            style.curve(ax, control[control["measure"] == "quadrant"], x, **style.CONTROL)
            style.ceiling(ax, [style.ceilings_of(ood)], "quadrant")
            ax.set_ylim(0, 1)
        style.curve(column[0], inside, "n_dim", **look, **INSIDE)
        style.curve(column[2], some[some["angle_of"]], "n_dim", value="from90", **look)
        style.chance_angle(column[2])
        column[0].set_title(style.NAMES.get(network, network))
        for ax in column[::2]:
            ax.set(xlabel="number of factors, $D$", xticks=(2, *DIMS))
        column[1].axvline(1, color="0.8", zorder=0)
        column[1].set(xscale="log", xlabel=r"tasks per factor, $N_{task}\,/\,D$")
        column[1].set_xticks(TICKS, TICKS)
        column[1].minorticks_off()
    style.plt.setp(axes[:2, 0], ylabel=style.R2)
    axes[2, 1].set_ylabel("")
    axes[0, 0].plot([], [], color="0.4", **{**INSIDE, "label": "in distribution (ID)"})
    for ax, text in zip(axes[::2, 0], ("5b", "S12"), strict=True):
        style.letter(ax, text)
    style.legend(fig, 4)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig5b")
