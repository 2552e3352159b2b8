"""Networks trained on correlated factors keep them apart, until the two factors are one.

Figure S3: r2 of independent factors, decoded from the RNN (N_task = 24), against the correlation it
was trained with: `python sweep.py S3b`. The authors' quartiles are drawn where they are there.
Control: the encoder's features averaged over the stimulus; no training, so one number for all.
"""

import style

from paper import CORRS

FLOOR = 0.4
AUTHORS = "measure == 'as_released_quartile'"


def draw():
    """ID and both OOD tests."""
    kinds = ("RNN", *(f"Corr{c:g}" for c in CORRS))
    query = f"n_task == 24 and (kind in {(*kinds, 'EncoderMean')} or {AUTHORS})"
    rows = style.rows("S3b", query, needs=f"kind in {kinds[1:]} or {AUTHORS}")
    shown, authors = rows[rows["kind"].isin(kinds)], rows.query(AUTHORS)
    shown = shown[shown["measure"].isin(style.MEASURES)]
    control = rows.query("kind == 'EncoderMean' and measure == 'quadrant'")
    if authors.empty or len(shown):
        style.expect(shown, measure=style.MEASURES, corr=(0, *CORRS))
    fig, ax = style.plt.subplots(figsize=(6.4, 4))
    style.curve(ax, shown, x="corr", hue="measure", floor=FLOOR)
    for measure, some in shown.groupby("measure"):
        tell(ax, style.of_networks(some, "corr")["value"], style.COLORS[measure])
    if len(control):
        ax.axhline(style.of_networks(control, "n_task")["value"].item(), **style.CONTROL)
    if len(authors):
        perc = authors.pivot_table("value", "corr", "fit")
        low, mid, high = perc.to_numpy().T
        look = {"fmt": "s--", "color": "k", "ms": 4, "lw": 1, "capsize": 2}
        error, label = (mid - low, high - mid), "the authors' quartiles, as released"
        ax.errorbar(perc.index, mid, error, label=label, **look)
        tell(ax, perc.iloc[:, 1], "k")
    if len(shown):
        style.ceiling(ax, [style.ceilings_of(shown)], "quadrant")
    ax.set(xlabel="correlation of factors in training", xticks=(0, *CORRS))
    ax.set(ylabel=style.R2, ylim=(FLOOR, 1), title="RNN, $N_{task}=24$")
    ax.legend(loc="lower left")
    return fig


def tell(ax, middles, color):
    """Those below the axis as numbers."""
    for x, middle in middles[middles < FLOOR].items():
        at = {"xytext": (-7, 3), "textcoords": "offset points", "ha": "right"}
        ax.annotate(f"{middle:.2f}", (x, FLOOR), color=color, **at)


if __name__ == "__main__":
    style.run(draw, "FigS3b")
