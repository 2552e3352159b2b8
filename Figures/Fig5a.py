"""Decoders generalise best near the trained duration; in longer trials some networks lose x*.

Figure 5a: r2 of networks trained for free reaction time (N_task = 24, 20 steps of 100 ms), decoded
in trials of 5 to 50 steps: `python sweep.py 5a`. Evidence comes in the decision step too, so the
optimum has one sample more. Paper: disentangling needs time to accumulate evidence.
"""

import style

from paper import DURATIONS

TRAINED, FLOOR = 20, 0.5  # steps; of the axis


def draw():
    """The three measures, the control and the ceiling against the stimulus, in steps."""
    wanted = {"measure": style.MEASURES, "stimulus": (*DURATIONS, ...), "n_task": (24,)}
    wanted |= {"kind": ("Bound", "EncoderMean_Bound")}
    rows = style.rows("5a", needs="kind == 'Bound'", series="stimulus", **wanted)
    rows = rows.assign(steps=rows["stimulus"] / 100)
    trained, control = (rows[rows["kind"] == kind] for kind in wanted["kind"])
    fig, ax = style.plt.subplots(figsize=(6.4, 4))
    ax.axvline(TRAINED, color="0.8", lw=1, zorder=0)
    ax.annotate("as trained", (TRAINED + 0.4, FLOOR + 0.01), color="0.5")
    style.curve(ax, trained, x="steps", hue="measure", floor=FLOOR)
    style.curve(ax, control[control["measure"] == "quadrant"], x="steps", **style.CONTROL)
    best = {steps: style.ceilings_of(some) for steps, some in trained.groupby("steps")}
    style.ceiling(ax, list(best.values()), "quadrant", list(best))
    title = f"free reaction time, $N_{{task}}=24$, {style.counted(trained, 'measure', 'steps')}"
    ax.set(title=title, ylabel=style.R2, ylim=(FLOOR, 1))
    ax.set(xlabel="stimulus (steps of 100 ms)", xticks=list(best))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.05))
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig5a")
