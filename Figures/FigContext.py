"""Control: networks that do one of two tasks per trial, cued, against networks that do both.

RNN, five networks each, 4 splits x 5 fits: `python sweep.py Context`. Both kinds know the same two
lines. Dots are single fits, by network; boxes are quartiles. Paper: cued representations collapse.
"""

import style

CUED, BOTH = "kind == 'Context' and n_task == 1", "kind == 'RNN' and n_task == 2"


def draw():
    """Three boxes per kind of training."""
    wanted = {"kind": ("Context", "RNN"), "measure": style.MEASURES}
    rows = style.rows("Context", f"{CUED} or {BOTH}", needs=CUED, **wanted)
    fig, ax = style.plt.subplots(figsize=(5.4, 3.8))
    ax.set_title("RNN")
    names = {"one task per trial, cued": CUED, "both tasks in each trial": BOTH}
    style.boxes(ax, {name: rows.query(query) for name, query in names.items()}, floor=-1)
    style.theory_line(ax)
    fig.legend(loc="outside lower center", ncols=2)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigContext")
