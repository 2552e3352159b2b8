"""Behind a quadratic encoder the RNN generalises as well as behind the ReLU encoder.

Figure S1: OOD r2 against N_task, with the control of each encoder, its features averaged over the
stimulus: `python sweep.py S1`. Paper: the effect does not depend on the encoder.
"""

import style

from paper import N_TASKS

NAMES = {"RNN": "RNN, ReLU encoder", "Quad": "RNN, quadratic encoder"}
NAMES |= {"EncoderMean": "control: ReLU encoder's mean"}
NAMES |= {"EncoderMean_Quad": "control: quadratic encoder's mean"}


def draw():
    """A panel for each test."""
    kinds = {"kind": NAMES, "n_task": N_TASKS, "measure": style.TESTS}
    rows = style.rows("S1", needs="kind in ('RNN', 'Quad')", **kinds)
    fig, axes = style.plt.subplots(1, 2, figsize=(style.WIDTH, 3.8), sharey=True)
    style.tests(axes, rows, 0.55, names=NAMES)
    axes[1].set_ylabel("")
    style.legend(fig, 3)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS1")
