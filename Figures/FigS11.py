"""With 24 tasks the first two time constants are stretched much more than all others.

Figure S11: A = -dt / (tau ln|mu|) for each eigenvalue mu of the Jacobian, its time constant in
units of tau, at the kept points of all networks of N_task = 24 and, for contrast, of 2: `python
sweep.py S11`. Paper: two of them are much stretched.
"""

import portraits
import style

HOW = """A row per number of tasks; left slow points, right where their search ends. Each rank's
histogram sums to 1; eigenvalues outside of the unit circle have no time constant."""


def draw():
    """A row per N_task, a column per stage."""
    found = style.analyses(("RNN_nTask24", "RNN_nTask2"), "spectrum")
    layout = {"figsize": (style.WIDTH, 0.8 + 2.4 * len(found)), "squeeze": False}
    fig, rows = style.plt.subplots(len(found), 2, sharex=True, sharey=True, **layout)
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
            ax.set_ylabel("share of its rank" if stage == 0 else "")
    style.legend(fig, 3)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS11", HOW)
