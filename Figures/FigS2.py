"""Figure S2: eigenvalues of the Jacobian at slow points, against the unit circle.

Circles show network 0, the right panel five, of N_task = 24 and, for contrast, of 2: `python
sweep.py S2`. Slow points: where a start is slow first; bottom of q: where it ends (analyze.py).
Paper: two eigenvalues are near the circle, the others well inside. We see at slow points of
N_task = 24 (medians of networks): 0.99 to 1.00, 0.96 to 0.98, and 0.20 to 0.53 for the third; at
the bottom of q the first is 0.98 to 1.20.
"""

import portraits
import style


def draw():
    """A row per N_task: both stages of network 0, and the largest eigenvalues of all networks."""
    found = style.analyses(("RNN_nTask24", "RNN_nTask2"), "spectrum")
    layout = {"figsize": (10.5, 3 * len(found)), "width_ratios": (1, 1, 1.1), "squeeze": False}
    fig, rows = style.plt.subplots(len(found), 3, **layout)
    for row, kind in zip(rows, found, strict=True):
        spectrum, name = kind["spectrum"], kind["title"]
        for stage, ax in enumerate(row[:2]):
            portraits.draw_circle(ax, spectrum, 0, stage)
            ax.set_title(f"{name}, {ax.get_title()}")
        portraits.draw_ranks(row[2], spectrum)
        row[2].set_title(f"{name}: median, 5 to 95 % (n = {len(spectrum['kept'])})")
    rows[0, 0].legend(loc="upper right", handletextpad=0, borderpad=0, markerscale=1.5)
    rows[0, 2].legend(loc="lower left")
    style.plt.setp(rows[:, 2], ylim=(0, max(ax.get_ylim()[1] for ax in rows[:, 2])))
    for ax, text in zip(rows[0], "abc", strict=True):
        style.letter(ax, text)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS2")
