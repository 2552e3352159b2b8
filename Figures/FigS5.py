"""Figure S5: free reaction time, where outputs are running sums of evidence up to a bound.

Data: Data/Analysis/Bound_nTask24/ (network 0) for a and b; Data/FigS5c/ and, for fixed duration,
Data/Fig3a/ for c: five networks per point, 4 splits x 5 fits each; made by `python sweep.py S5`.
"""

import portraits
import style

TITLES = {"as_released": "OOD as released", "quadrant": "OOD, quadrant really held out"}


def draw(folders):
    """Accumulators, trajectories, OOD r2 of free and of fixed reaction time."""
    found = style.if_there(style.analyses, folders[:1], "one_trial", "trajectories")
    rows = {m: style.if_there(free_and_fixed, folders, m) for m in TITLES}
    style.any_of(found, *rows.values())
    fig = style.plt.figure(figsize=(11.5, 5))
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1, 1.25, 1))
    if found:
        inputs, outputs = left.subplots(2, 1, sharex=True, height_ratios=(1, 1.6))
        portraits.draw_accumulators(inputs, outputs, found[0]["one_trial"], 0)
        paths = found[0]["trajectories"]
        space = portraits.space(middle, [0, 0.2, 0.9, 0.72], paths["share"][0])
        portraits.draw_paths(space, paths, 0, portraits.ALL[0])
        space.legend(loc="upper center", bbox_to_anchor=(0.55, 0), ncols=3, columnspacing=1)
        style.letter(inputs, "a")
        style.letter(space, "b", x=0)
    panels = right.subplots(2, 1, sharex=True, sharey=True)
    for ax, (measure, curves) in zip(panels, rows.items(), strict=True):
        for key, file in (curves or {}).items():
            name = {"label": "free reaction time" if key == "Bound" else "fixed duration"}
            style.curve(ax, file["n_tasks"], file["r_sq"], key, **name)
            style.task_axis(ax, file["n_tasks"])
        if not curves:
            style.note(ax, "no data")
            continue
        style.theory(ax, style.r_sq_theory(20))
        ax.set(ylabel="OOD $r^2$", title=TITLES[measure])
        ax.legend(loc="lower right")
    panels[0].set(xlabel="", ylim=(None, 1))
    style.letter(panels[0], "c")
    return fig


def free_and_fixed(folders, measure):
    """r2 of networks with free reaction time, and of the RNN of Figure 3a."""
    needs = "r_sq", "n_tasks"
    free = style.find(folders[1:2] or folders, "r_sq", measure, needs)
    fixed = style.if_there(style.find, folders[-1:], "r_sq", measure, needs) or {}
    curves = {"Bound": free.get("Bound", next(iter(free.values()))), "RNN": fixed.get("RNN")}
    return {key: file for key, file in curves.items() if file}


if __name__ == "__main__":
    style.run(draw, "FigS5", ("Analysis/Bound_nTask24", "FigS5c", "Fig3a"))
