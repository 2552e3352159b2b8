"""Figure S3b: r2 of networks trained on correlated factors against the correlation.

Data: Data/FigS3b/ (correlation 0: Data/Fig3a/), N_task = 24, five networks per point, 4 splits x 5
fits each; made by `python sweep.py S3b`. Decoding shows independent factors to all of them. A file
there that holds quartiles alone, `perc` (3, n) against `corr`, is drawn too. The paper shows
correlations from 0 to 1.
"""

import numpy as np
import style

from paper import CORRS

FLOOR = 0.3  # of the axis; medians below it are named, so that those near 1 can be told apart


def draw(folders):
    """ID and both OOD tests."""
    needs = ("r_sq", "n_tasks")
    found = {corr: style.condition(folders[:1], f"Corr{corr:g}", needs=needs) for corr in CORRS}
    alone = {path.stem: style.load_npz(path) for path in quartile_files(folders[0])}
    if not any(found.values()) and not alone:
        raise style.no_data(folders[:1], "S3b")
    found = {0: style.condition(folders[-1:], "RNN_CELoss", needs=needs), **found}
    fig, ax = style.plt.subplots()
    shown, points = [], []
    for measure in style.ALL_MEASURES:
        files = {corr: by[measure] for corr, by in found.items() if measure in by}
        values = style.of_task(files, 24)
        if values:
            style.curve(ax, list(values), style.stacked(values.values()), measure)
            shown += values.values()
            points += [(x, np.nanmedian(v), style.COLORS[measure]) for x, v in values.items()]
    for name, file in alone.items():
        low, mid, high = np.sort(file["perc"], 0)
        error = {"yerr": (mid - low, high - mid), "capsize": 2, "label": f"{name}.npz, quartiles"}
        ax.errorbar(file["corr"], mid, fmt="s--", color="k", ms=4, lw=1, **error)
        points += [(x, y, "k") for x, y in zip(file["corr"], mid, strict=True)]
    name_what_is_below(ax, points)
    style.theory(ax, style.r_sq_theory(20))
    ax.set(xlabel="correlation of factors in training", ylabel="$r^2$ of decoded $x^*$")
    ax.set_xticks((0, *CORRS))
    style.r_sq_axis(ax, FLOOR)
    networks = f"{style.counted(shown)} per point, " if shown else ""
    ax.set_title(f"RNN, $N_{{task}}=24$, {networks}median and quartiles")
    ax.legend(loc="lower left")
    return fig


def name_what_is_below(ax, points):
    """Medians below the axis as numbers at its foot; points (x, r2, colour)."""
    below = [point for point in points if point[1] < FLOOR]
    for i, (x, r_sq, color) in enumerate(below):
        y = FLOOR + 0.01 + 0.035 * sum(x == other for other, _, _ in below[:i])
        words = f"{r_sq:.2f} $\\downarrow$"
        ax.text(x, y, words, color=color, ha="center", va="bottom", fontsize=8)


def quartile_files(folder):
    """Files below a folder that hold `perc` and `corr`."""
    paths = sorted((style.DATA / folder).glob("*.npz"))
    return [path for path in paths if {"perc", "corr"} <= set(np.load(path).files)]


if __name__ == "__main__":
    style.run(draw, "FigS3b", ("FigS3b", "Fig3a"))
