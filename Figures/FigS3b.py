"""Figure S3b: r2 of networks trained on correlated factors against the correlation.

RNN, N_task = 24, five networks per point, 4 splits x 5 fits each: `python sweep.py S3b`. Decoding
shows independent factors to all of them. The authors' quartiles are drawn where they are there.
"""

import style

from paper import CORRS

FLOOR = 0.3  # of the axis; medians below it are named, so that those near 1 can be told apart
AUTHORS = "measure == 'as_released_quartile'"


def draw():
    """ID and both OOD tests."""
    query = f"n_task == 24 and (kind in {('RNN', *(f'Corr{c:g}' for c in CORRS))} or {AUTHORS})"
    rows = style.rows("S3b", query, needs=f"kind != 'RNN' or {AUTHORS}")
    shown = rows[rows["measure"].isin(style.MEASURES)]
    authors = rows.query(AUTHORS).pivot_table("value", "corr", "fit")
    if authors.empty or len(shown):
        style.expect(shown, measure=style.MEASURES, corr=(0, *CORRS))
    fig, ax = style.plt.subplots()
    style.curve(ax, shown, x="corr", hue="measure")
    if len(authors):
        low, mid, high = authors.to_numpy().T
        look = {"fmt": "s--", "color": "k", "ms": 4, "lw": 1, "capsize": 2}
        error = (mid - low, high - mid)
        ax.errorbar(authors.index, mid, error, label="the authors' quartiles", **look)
    lines = [line for line in ax.lines[::-1] if line.get_linestyle() != "None"]  # no caps
    points = [(*point, line.get_color()) for line in lines for point in line.get_xydata()]
    below = [point for point in points if point[1] < FLOOR]
    for i, (x, r2, color) in enumerate(below):  # as numbers at the foot of the axis
        y = FLOOR + 0.01 + 0.035 * sum(x == other for other, _, _ in below[:i])
        ax.text(x, y, f"{r2:.2f} $\\downarrow$", color=color, ha="center", fontsize=8)
    style.theory_line(ax)
    ax.set(xlabel="correlation of factors in training", ylabel="$r^2$ of decoded $x^*$")
    ax.set_xticks((0, *CORRS))
    style.r_sq_axis(ax, FLOOR)
    counts = f"{style.counted(shown, 'measure', 'corr')} per point, " if len(shown) else ""
    ax.set_title(f"RNN, $N_{{task}}=24$, {counts}median and quartiles")
    ax.legend(loc="lower left")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS3b")
