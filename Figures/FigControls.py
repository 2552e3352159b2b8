"""The mean of the encoder's features, with no network, is read as well as trained networks are.

N_task = 24: `python sweep.py Controls Time`. Left Adam, as in the paper; right ridge. Networks
trained on lines; the same untrained; an RNN trained on random labels of a grid's chambers, which
are not linear; the encoder's features, averaged over the stimulus or of its last sample, with no
network. Not in the paper. What the mean of the input gives, no network needs to have made.
"""

import pandas as pd
import style

TRAINED = {"RNN": "RNN", "NoLeak": "RNN, non-leaky", "LSTM": "LSTM", "gpt-2": "GPT-2"}
CONTROLS = {f"Untrained_{kind}": f"{name}, untrained" for kind, name in TRAINED.items()}
CONTROLS |= {"Grid": "RNN, grid labels", "EncoderMean": "encoder's mean"}
CONTROLS |= {"EncoderLast": "encoder, last sample"}


def draw():
    """A panel per decoder."""
    own, needs = {"figure": "Controls", "measure": style.MEASURES}, "kind == 'EncoderMean'"
    adam = style.rows(query="n_task == 24", needs=needs, kind=(*TRAINED, *CONTROLS), **own)
    of_time = {"query": "step == 22", "series": "step", "kind": TRAINED}
    ridge = [adam[:0]]
    for where in ({"query": "n_task == 24", "kind": CONTROLS}, of_time):
        found = style.if_there(style.rows, decoder="ridge", **where, **own)
        ridge += [] if found is None else [found]
    fig, axes = style.plt.subplots(1, 2, figsize=(style.WIDTH, 6.2), sharey=True)
    panels = (adam, "decoders by Adam"), (pd.concat(ridge), "decoders by ridge")
    for ax, (rows, title) in zip(axes, panels, strict=True):
        names = {**TRAINED, **CONTROLS}.items()
        style.strips(ax, {name: rows[rows["kind"] == kind] for kind, name in names}, floor=0.5)
        ax.set_title(title)
    style.measures_legend(fig)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigControls")
