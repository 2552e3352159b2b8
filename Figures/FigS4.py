"""Figure S4: an RNN that classifies against non-linear boundaries, |x1 x2| in each quadrant.

Data: Data/Analysis/Multiply_nTask24/ (network 0) for a and b, Data/FigS4/ for c: five networks, 4
splits x 5 fits each; made by `python sweep.py S4`.
"""

import portraits
import style

MEASURES = {"ID": "ID", "as_released": "OOD\nas released", "quadrant": "OOD, quadrant\nheld out"}


def draw(folders):
    """Lines and trajectories; r2 of x*, in and out of distribution."""
    found = style.if_there(style.analyses, folders[:1], "lines", "trajectories")
    needs = "r_sq", "n_tasks"
    r_sq = {m: style.if_there(style.find, folders[-1:], "r_sq", m, needs) for m in MEASURES}
    style.any_of(found, *r_sq.values())
    fig = style.plt.figure(figsize=(11, 3.9))
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1, 1.25, 1.05))
    lines, r_sq_panel = left.subplots(), right.subplots()
    if found:
        portraits.draw_boundaries(lines, found[0]["lines"], 0)
        lines.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
        paths = found[0]["trajectories"]
        space = portraits.space(middle, [0, 0.14, 0.9, 0.8], paths["share"][0])
        portraits.draw_paths(space, paths, 0, portraits.ALL[0])
        space.legend(loc="upper center", bbox_to_anchor=(0.55, 0.0), ncols=3, columnspacing=1)
        style.letter(lines, "a")
        style.letter(space, "b", x=0, y=0.98)
    else:
        style.note(lines, "no data")
    for i, (measure, networks) in enumerate(r_sq.items()):
        if networks:
            values = next(iter(networks.values()))["r_sq"]
            style.spread(r_sq_panel, i, values, measure, floor=0, width=0.6)
    if not any(r_sq.values()):
        style.note(r_sq_panel, "no data")
    style.theory(r_sq_panel, style.r_sq_theory(20))
    r_sq_panel.set_xticks(range(len(MEASURES)), MEASURES.values())
    r_sq_panel.set(ylabel="$r^2$ of decoded $x^*$", ylim=(None, 1), xlim=(-0.6, 2.6))
    r_sq_panel.legend(loc="lower left")
    style.letter(r_sq_panel, "c")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS4", ("Analysis/Multiply_nTask24", "FigS4"))
