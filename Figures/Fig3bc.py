"""Figures 3b and 3c: OOD r2, and the angle between decoders, for each architecture there is.

Five networks per point, 4 splits x 5 fits each: `python sweep.py 3b`. Paper: the effect does not
depend on the architecture, GPT generalises better than the RNN at small N_task, and decoders of the
two factors become orthogonal.
"""

import style

from paper import ARCHITECTURES, N_TASKS


def draw():
    """OOD r2 in both tests; angles of the decoders of the test as released."""
    wanted = {"measure": style.TESTS, "kind": (*ARCHITECTURES, ...), "n_task": N_TASKS}
    rows = style.rows("3bc", f"kind == network or kind in {ARCHITECTURES}", **wanted)
    fig, axes = style.plt.subplots(1, 3, figsize=(10, 3.4))
    style.tests(axes[:2], rows)
    style.plt.setp(axes[:2], ylim=(0.4, 1))
    style.curve(axes[2], rows[rows["measure"] == "as_released"], y="angle")
    style.task_axis(axes[2], rows["n_task"])
    axes[2].axhline(90, color="0.6", ls="--", lw=1)
    axes[2].set(ylabel="angle between decoders (degrees)", title="Orthogonal decoders")
    axes[2].set_yticks(range(45, 136, 15))
    style.letter(axes[0], "b")
    style.letter(axes[2], "c")
    axes[1].legend(loc="lower right")
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3bc")
