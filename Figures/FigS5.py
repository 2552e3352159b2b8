"""Figure S5: free reaction time, where outputs are running sums of evidence up to a bound.

a and b show network 0 of N_task = 24; c free and fixed reaction time, five networks per point, 4
splits x 5 fits each; made by `python sweep.py S5`.
"""

import portraits
import style

from paper import N_TASKS

FREE = f"kind == 'Bound' and n_task in {N_TASKS}"
NAMES = {"Bound": "free reaction time", "RNN": "fixed duration"}


def draw():
    """Accumulators, trajectories, OOD r2 of free and of fixed reaction time."""
    conditions, names = ("Bound_nTask24",), ("one_trial", "trajectories")
    found = style.if_there(style.analyses, conditions, *names)
    query = f"kind in ('Bound', 'RNN') and n_task in {N_TASKS} and measure in {style.TESTS}"
    rows = style.if_there(style.rows, "S5", query, needs=FREE)
    if not found and rows is None:
        raise style.Missing(style.LEFT_OUT[0])
    if found and found[0]["one_trial"]["targets"].shape[1] == 1:
        raise style.Missing(f"{style.DATA}: analyses of fixed duration, not of free reaction time")
    fig = style.plt.figure(figsize=(11.5, 5))
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1, 1.25, 1))
    if found:
        inputs, outputs = left.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        portraits.draw_factors(inputs, found[0]["one_trial"], 0, "inputs", "X_{%d}", 2)
        inputs.set_ylabel("input")
        portraits.draw_accumulators(outputs, found[0]["one_trial"], 0)
        style.letter(inputs, "a")
        portraits.draw_alone(middle, [0, 0.2, 0.9, 0.72], found[0]["trajectories"])
    panels = right.subplots(2, 1, sharex=True, sharey=True)
    if rows is None:
        for ax in panels:
            style.note(ax, "no data")
    else:
        style.expect(rows, measure=style.TESTS, kind=("Bound", "RNN"), n_task=N_TASKS)
        style.tests(panels, rows, names=NAMES)
        for ax in panels:
            ax.legend(loc="lower right")
        panels[0].set(xlabel="", ylim=(None, 1))
    style.letter(panels[0], "c")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS5")
