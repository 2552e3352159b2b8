"""Control: networks that do one of two tasks per trial, cued, against networks that do both.

Data: Data/Context/ (one task per trial, N_task = 1) and Data/Fig3a/ (both at once, N_task = 2),
RNN, five networks each, 4 splits x 5 fits; made by `python sweep.py Context`. Both kinds know the
same two lines. Dots are single fits, by network from left to right; boxes are quartiles, triangles
fits below the axis. Paper: the representations of the cued networks collapse.
"""

import style

FLOOR = -1.0  # fits below it are triangles there


def draw(folders):
    """Three boxes per kind of training."""
    needs = {"needs": ("r_sq", "n_tasks")}
    cued = style.of_task(style.condition(folders[:1], "Context", **needs), 1)
    if not cued:
        raise style.no_data(folders[:1], "Context")
    both = style.of_task(style.condition(folders[-1:], "RNN_CELoss", **needs), 2)
    fig, ax = style.plt.subplots(figsize=(5.4, 3.8))
    names = ("one task per trial, cued", "both tasks in each trial")
    ax.set_title("RNN")
    style.boxes(ax, (cued, both), names, FLOOR)
    style.theory(ax, style.r_sq_theory(20))
    fig.legend(loc="outside lower center", ncols=2)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigContext", ("Context", "Fig3a"))
