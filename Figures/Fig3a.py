"""The code comes with more tasks, but the mean of its input, with no network, reads x* as well.

Figure 3a: r2 of x* decoded from the RNN against N_task, in both tests out of distribution and in
distribution, by the paper's decoders (Adam) and by ridge. Controls: the encoder's features averaged
over the stimulus, with no network; the RNN as drawn, untrained (N_task = 24). Any N_task that there
are: `python sweep.py 3a 3a_more Controls`.
"""

import pandas as pd
import style

RED, BLACK, OPEN = style.COLORS["quadrant"], "k", {"mfc": "w", "ls": (0, (4, 1.5)), "lw": 1.2}
LINES = {  # kind, decoder, measure ('': the panel's), look
    "RNN, in distribution, Adam": ("RNN", "adam", "ID", {"color": style.COLORS["ID"]}),
    "RNN, OOD, Adam": ("RNN", "adam", "", {"color": RED, "marker": "s"}),
    "RNN, OOD, ridge": ("RNN", "ridge", "", {"color": RED, "marker": "s", **OPEN}),
    "control: encoder's mean, Adam": ("EncoderMean", "adam", "", {"color": BLACK}),
    "control: encoder's mean, ridge": ("EncoderMean", "ridge", "", {"color": BLACK, **OPEN}),
    "control: untrained RNN, ridge": ("Untrained_RNN", "ridge", "", {"color": "0.6", "ls": ""}),
}


def draw():
    """A panel for each test."""
    both, kinds = {"figure": "3a", "measure": style.MEASURES}, ("RNN", "EncoderMean")
    rows = [style.rows(needs="kind == 'RNN'", kind=kinds, **both)]
    rows += [style.if_there(style.rows, decoder="ridge", kind=(*kinds, "Untrained_RNN"), **both)]
    rows = pd.concat(rows)
    fig, axes = style.plt.subplots(1, 2, figsize=(style.WIDTH, 4.3), sharey=True)
    for ax, test in zip(axes, style.TESTS, strict=True):
        for label, (kind, decoder, measure, look) in LINES.items():
            own = rows["kind"].eq(kind) & rows["decoder"].eq(decoder)
            some = rows[own & rows["measure"].eq(measure or test)]
            style.curve(ax, some, floor=0.6, label=label, **look)
        style.task_axis(ax, rows.loc[rows["kind"] == "RNN", "n_task"])
        style.ceiling(ax, [style.ceilings_of(rows)], test)
        ax.set(title=style.NAMES[test], ylim=(0.6, 1))
    axes[0].set_ylabel(style.R2)
    counts = style.counted(rows[rows["kind"] == "RNN"], "n_task", "measure")
    fig.suptitle(f"RNN, {counts} per point", size=9)
    style.legend(fig, 3)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig3a")
