"""With free reaction time outputs sum evidence up to a bound, and x* generalises as with fixed.

Figure S5: a, b network 0 of N_task = 24; c free and fixed reaction time against N_task: `python
sweep.py S5`. Control: the encoder's features averaged over the stimulus.
"""

import portraits
import style

from paper import N_TASKS

NAMES = {**style.NAMES, "Bound": "free reaction time", "RNN": "fixed duration"}
HOW = """a: one noisy trial; targets dashed. b: ends of trials without noise, turned to lie flat;
black: slow points. """


def draw():
    """Accumulators, the sheet, OOD r2 of free and of fixed reaction time."""
    found = style.if_there(style.analyses, ("Bound_nTask24",), "one_trial", "trajectories")
    wanted = {"measure": style.TESTS, "kind": ("Bound", "RNN", "EncoderMean"), "n_task": N_TASKS}
    rows = style.if_there(style.rows, "S5", needs="kind == 'Bound'", **wanted)
    if not found and rows is None:
        raise style.Missing(style.LEFT_OUT[0])
    if found and found[0]["one_trial"]["targets"].shape[1] == 1:
        raise style.Missing(f"{style.DATA}: analyses of fixed duration, not of free reaction time")
    fig = style.plt.figure(figsize=(style.WIDTH, 7.2))
    upper, lower = fig.subfigures(2, 1, height_ratios=(1, 1))
    left, right = upper.subfigures(1, 2, width_ratios=(1.25, 1))
    inputs, outputs = left.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
    sheet = right.subplots(2, 1, sharex=True)
    if found:
        portraits.draw_factors(inputs, found[0]["one_trial"], 0, "inputs", "X_{%d}", 2)
        inputs.set_ylabel("input")
        portraits.draw_accumulators(outputs, found[0]["one_trial"], 0)
        portraits.draw_sheet_of(sheet, found[0]["trajectories"], 0)
    else:
        for ax in (inputs, outputs, *sheet):
            style.note(ax, "no data")
    panels = lower.subplots(1, 2, sharey=True)
    if rows is None:
        for ax in panels:
            style.note(ax, "no data")
    else:
        style.tests(panels, rows, 0.55, names=NAMES)
        panels[1].legend(loc="lower right")
        panels[1].set_ylabel("")
    for ax, text in zip((inputs, sheet[0], panels[0]), "abc", strict=True):
        style.letter(ax, text)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS5", HOW + style.MEDIANS)
