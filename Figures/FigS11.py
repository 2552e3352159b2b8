"""Figure S11: by how much the network stretches the time scale of its units, at slow points.

Data: Data/Analysis/RNN_nTask24/ and, for contrast, RNN_nTask2/; all kept points of all five
networks; made by `python sweep.py S11`. A = -dt / (tau ln|mu|) for each eigenvalue mu of the
Jacobian: the time constant that it stands for, in units of tau. Paper: two of them are much
stretched. We see at slow points of N_task = 24, in the median: 55 for the first two (of those with
|mu| < 1, 78 %), 1.1 for the third, 0.5 for the rest.
"""

import numpy as np
import portraits
import style


def draw(folders):
    """A row per N_task, a column per stage."""
    found = style.analyses(folders, "spectrum")
    fig, rows = style.plt.subplots(
        len(found), 2, figsize=(8, 3.1 * len(found)), squeeze=False, sharex=True
    )
    for row, kind in zip(rows, found, strict=True):
        spectrum, n_lead = kind["spectrum"], int(kind["spectrum"]["n_lead"])
        for ax, (stage, points) in zip(row, portraits.STAGES, strict=True):
            kept = spectrum["kept"][:, stage]
            sizes = np.abs(spectrum["eigenvalues"][:, stage][kept])
            stretch = spectrum["amplification"][:, stage][kept]
            if not kept.any():
                style.note(ax, "no points")
                continue
            portraits.draw_amplification(ax, stretch, sizes, n_lead)
            title = f"{style.title(kind)}, {points}: {kept.sum()} (n = {len(kept)})"
            ax.set(xlabel=ax.get_xlabel() if ax in rows[-1] else "")
            ax.set_title(f"{title}\n{ax.get_title()}", fontsize=8)
    rows[0, 0].legend(loc="upper right", title="eigenvalues")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigS11", ("Analysis/RNN_nTask24", "Analysis/RNN_nTask2"))
