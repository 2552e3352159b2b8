"""With 24 tasks two eigenvalues lie near 1, along the sheet, and all others well inside the circle.

Figure S2: eigenvalues of the Jacobian at the kept points of all networks of N_task = 24 and, for
contrast, of 2: `python sweep.py S2`. Slow points: where a start is slow first; bottom of q: where
its search ends (analyze.py). Paper: two eigenvalues are near the circle, the others well inside.
"""

import portraits
import style

CLOSE = (0.7, 1.3, -0.3, 0.3)
HOW = """Left: how many eigenvalues lie where, at slow points. Middle and right: close to 1, by
rank; the grey arc is the unit circle. Titles count the points of all networks."""


def draw():
    """A row per N_task: density in the plane, and close-ups of both stages."""
    found = style.analyses(("RNN_nTask24", "RNN_nTask2"), "spectrum")
    size = style.WIDTH, 0.4 + 2.7 * len(found)
    layout = {"figsize": size, "squeeze": False, "width_ratios": (1.25, 1, 1)}
    fig, rows = style.plt.subplots(len(found), 3, **layout)
    for row, kind in zip(rows, found, strict=True):
        spectrum = kind["spectrum"]
        image = portraits.draw_density(row[0], portraits.at_kept(spectrum, "eigenvalues", 0, 0))
        fig.colorbar(image, ax=row[0], label="eigenvalues", pad=0.02)
        row[0].set_title(f"{kind['title']} (n = {len(spectrum['kept'])})")
        for stage, ax in enumerate(row[1:]):
            portraits.draw_circle(ax, spectrum, slice(None), stage, CLOSE)
    handles, labels = rows[0, 1].get_legend_handles_labels()
    for ax, text in zip(rows[0], "abc", strict=True):
        style.letter(ax, text)
    legend = fig.legend(handles, labels, loc="outside lower center", ncols=3, markerscale=4)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS2", HOW)
