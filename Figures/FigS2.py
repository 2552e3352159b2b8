"""Figure S2: eigenvalues of the Jacobian at slow points, against the unit circle.

Data: Data/Analysis/RNN_nTask24/ and, for contrast, RNN_nTask2/; circles show network 0, the right
panel all five; made by `python sweep.py S2`. Slow points: where a start is slow first; bottom of q:
where it ends (analyze.py). Paper: two eigenvalues are near the circle, the others well inside.
We see at slow points of N_task = 24 (medians of the networks): 0.99 to 1.00, 0.96 to 0.98, and 0.20
to 0.53 for the third; at the bottom of q the first is 0.98 to 1.20.
"""

import portraits
import style


def draw(folders):
    """A row per N_task: both stages of network 0, and the largest eigenvalues of all networks."""
    found = style.analyses(folders, "spectrum")
    fig, rows = style.plt.subplots(
        len(found), 3, figsize=(10.5, 3 * len(found)), width_ratios=(1, 1, 1.1), squeeze=False
    )
    for row, kind in zip(rows, found, strict=True):
        spectrum, name = kind["spectrum"], style.title(kind)
        for ax, (stage, points) in zip(row, portraits.STAGES, strict=False):
            kept = spectrum["kept"][0, stage]
            values = spectrum["eigenvalues"][0, stage, kept]
            portraits.draw_circle(ax, values, spectrum["n_lead"])
            ax.set_title(f"{name}, {points}: {kept.sum()}")
        portraits.draw_ranks(row[2], spectrum)
        row[2].set_title(f"{name}: median, 5 to 95 % (n = {len(spectrum['kept'])})")
    rows[0, 0].legend(loc="upper right", handletextpad=0, borderpad=0, markerscale=1.5)
    rows[0, 2].legend(loc="lower left")
    top = max(ax.get_ylim()[1] for ax in rows[:, 2])
    for ax in rows[:, 2]:
        ax.set_ylim(0, top)
    for ax, text in zip(rows[0], "abc", strict=True):
        style.letter(ax, text)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS2", ("Analysis/RNN_nTask24", "Analysis/RNN_nTask2"))
