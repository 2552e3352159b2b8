"""Controls: what the same decoders read with no network, no training, or no lines to learn.

N_task = 24, five networks each, 4 splits x 5 fits: `python sweep.py Controls`. Above decoders by
Adam, as in the paper, below by ridge. Left trained networks; middle networks as drawn, and one
trained on labels of a grid's chambers, which are not linear; right the encoder's features, averaged
over the stimulus or of its last sample, with no network. Dots are single fits; boxes are quartiles;
numbers are medians below the axis.
Not in the paper. What the average of the input gives, no network needs to have made.
"""

import pandas as pd
import style

NAMES = {"RNN": "RNN", "NoLeak": "non-leaky", "LSTM": "LSTM", "gpt-2": "GPT-2"}
NAMES |= {f"Untrained_{kind}": f"{name},\nuntrained" for kind, name in NAMES.items()}
NAMES |= {"Grid": "RNN, grid\nlabels"}
NAMES |= {"EncoderMean": "encoder,\nmean", "EncoderLast": "encoder,\nlast"}
TRAINED = ("RNN", "NoLeak", "LSTM", "gpt-2")


def draw():
    """A row per decoder, three boxes per condition."""
    options = {"figure": "Controls", "measure": style.MEASURES}
    adam = style.rows(query="n_task == 24", needs="kind == 'EncoderMean'", kind=NAMES, **options)
    controls = [kind for kind in NAMES if kind not in TRAINED]
    of_24, of_time = {"query": "n_task == 24"}, {"query": "step == 22", "series": "step"}
    ridge = [adam[:0]]
    for kinds, where in ((controls, of_24), (TRAINED, of_time)):
        found = style.if_there(style.rows, decoder="ridge", kind=kinds, **where, **options)
        ridge += [] if found is None else [found]
    fig, axes = style.plt.subplots(2, 1, figsize=(11, 7))
    panels = (adam, "Adam", 0), (pd.concat(ridge), "ridge", 0.5)
    for ax, (rows, title, floor) in zip(axes, panels, strict=True):
        if rows.empty:
            style.note(ax, "no data")
            continue
        groups = {name: rows[rows["kind"] == kind] for kind, name in NAMES.items()}
        style.boxes(ax, groups, floor, fixed=True)
        style.theory_line(ax)
        ax.set_title(f"decoders by {title}")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigControls")
