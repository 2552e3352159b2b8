"""Figure S11: by how much the network stretches the time scale of its units, at slow points.

All kept points of five networks of N_task = 24 and, for contrast, of 2: `python sweep.py S11`.
A = -dt / (tau ln|mu|) for each eigenvalue mu of the Jacobian: its time constant in units of tau.
Paper: two of them are much stretched. We see at slow points of N_task = 24, in the median: 55 for
the first two (of those with |mu| < 1, 78 %), 1.1 for the third, 0.5 for the rest.
"""

import portraits
import style


def draw():
    """A row per N_task, a column per stage."""
    found = style.analyses(("RNN_nTask24", "RNN_nTask2"), "spectrum")
    size = (8, 3.1 * len(found))
    fig, rows = style.plt.subplots(len(found), 2, figsize=size, squeeze=False, sharex=True)
    for row, kind in zip(rows, found, strict=True):
        for stage, (ax, points) in enumerate(zip(row, portraits.STAGES, strict=True)):
            kept = kind["spectrum"]["kept"][:, stage]
            if not kept.any():
                style.note(ax, "no points")
                continue
            portraits.draw_amplification(ax, kind["spectrum"], slice(None), stage)
            title = f"{kind['title']}, {points}: {kept.sum()} (n = {len(kept)})"
            ax.set_title(f"{title}\n{ax.get_title()}", fontsize=8)
            ax.set_xlabel(ax.get_xlabel() if kind is found[-1] else "")
    rows[0, 0].legend(loc="upper right", title="eigenvalues")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS11")
