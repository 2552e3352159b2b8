"""Figure S4: an RNN that classifies against non-linear boundaries, |x1 x2| in each quadrant.

a and b show network 0, c five networks, 4 splits x 5 fits each; made by `python sweep.py S4`.
"""

import portraits
import style

TICKS = {"ID": "ID", "as_released": "OOD\nas released", "quadrant": "OOD, quadrant\nheld out"}


def draw():
    """Lines and trajectories; r2 of x*, in and out of distribution."""
    conditions, names = ("Multiply_nTask24",), ("lines", "trajectories")
    found = style.if_there(style.analyses, conditions, *names)
    rows = style.if_there(style.rows, "S4", "kind == 'Multiply' and n_task == 24")
    if not found and rows is None:
        raise style.Missing(style.LEFT_OUT[0])
    fig = style.plt.figure(figsize=(11, 3.9))
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1, 1.25, 1.05))
    lines, r2 = left.subplots(), right.subplots()
    if found:
        portraits.draw_boundaries(lines, found[0]["lines"], 0)
        style.letter(lines, "a")
        portraits.draw_alone(middle, [0, 0.14, 0.9, 0.8], found[0]["trajectories"])
    else:
        style.note(lines, "no data")
    for x, measure in enumerate(TICKS if rows is not None else ()):
        values = rows[rows["measure"] == measure].sort_values(["run", "split", "fit"])["r2"]
        if len(values):
            style.spread(r2, x, values, measure, floor=0, width=0.6)
    style.theory_line(r2)
    r2.set_xticks(range(len(TICKS)), TICKS.values())
    r2.set(ylabel="$r^2$ of decoded $x^*$", ylim=(None, 1), xlim=(-0.6, 2.6))
    r2.legend(loc="lower left")
    if rows is None:
        style.note(r2, "no data")
    style.letter(r2, "c")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS4")
