"""Figure S1: OOD r2 of the RNN behind a ReLU and behind a quadratic random encoder.

Five networks per point, 4 splits x 5 fits each: `python sweep.py S1`. Paper: the effect does not
depend on the encoder.
"""

import style

from paper import N_TASKS


def draw():
    """OOD r2 as released and with the quadrant really held out."""
    rows = style.rows("S1", measure=style.TESTS, kind=("RNN", "Quad"), n_task=N_TASKS)
    fig, axes = style.plt.subplots(1, 2, figsize=(7, 3.4))
    style.tests(axes, rows, names={"RNN": "ReLU encoder", "Quad": "quadratic encoder"})
    style.plt.setp(axes, ylim=(0.4, 1))
    axes[1].legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS1")
