"""With one task per trial, cued, x* is nearly lost; with both it is kept, less well than it came.

RNN, Adam's decoders: `python sweep.py Context`. Both kinds know the same two lines. Controls: the
encoder's features averaged over the stimulus, read as those of 2 tasks; an untrained RNN. Paper:
cued representations collapse.
"""

import style

ROWS = {
    "one task per trial,\ncued": "kind == 'Context' and n_task == 1",
    "both tasks in\neach trial": "kind == 'RNN' and n_task == 2",
    "control: encoder's\nmean": "kind == 'EncoderMean' and n_task == 2",
    "control: untrained\nRNN": "kind == 'Untrained_RNN' and n_task == 24",
}


def draw():
    """The three measures of each."""
    kinds = ("Context", "RNN", "EncoderMean", "Untrained_RNN")
    query = " or ".join(f"({own})" for own in ROWS.values())
    wanted = {"kind": kinds, "measure": style.MEASURES}
    rows = style.rows("Context", query, needs=ROWS["one task per trial,\ncued"], **wanted)
    fig, ax = style.plt.subplots(figsize=(style.WIDTH, 3.6))
    style.strips(ax, {name: rows.query(own) for name, own in ROWS.items()}, floor=-0.5)
    style.measures_legend(fig)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigContext")
