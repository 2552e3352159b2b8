"""Held out, the RNN comes closest to the optimum at medium noise, not at the least.

Figure 5c: r2 of the RNN over the optimum at the noise that it was trained and decoded with: `python
sweep.py 5c`. Control: the encoder's features averaged over the stimulus, read as those of 24 tasks.
Paper: disentangling needs noise.
"""

import style

from paper import N_TASKS_NOISE, NOISES

NAMES = {n: f"RNN, $N_{{task}}={n}$" for n in N_TASKS_NOISE}


def draw():
    """A panel per measure, a curve per N_task."""
    kinds = ("RNN", *(f"Noise{noise}" for noise in NOISES))
    controls = ("EncoderMean", *(f"EncoderMean_{kind}" for kind in kinds[1:]))
    query, measures = f"kind in {kinds + controls}", style.MEASURES
    wanted = {"n_sd_in": sorted((2, *NOISES)), "n_task": N_TASKS_NOISE, "measure": measures}
    rows = style.rows("5c", query, needs=f"kind in {kinds[1:]}", **wanted)
    bounds = {sigma: style.ceilings_of(some) for sigma, some in rows.groupby("n_sd_in")}
    best = rows["n_sd_in"].map({sigma: each[0] for sigma, each in bounds.items()})
    rows = rows.assign(share=rows["r2"] / best, noise=rows["n_sd_in"] / 10)
    mean = rows["kind"].isin(controls)
    control, rows = rows[mean & (rows["n_task"] == 24)], rows[~mean]
    style.expect(control, kind=controls)
    fig, axes = style.plt.subplots(1, 3, figsize=(style.WIDTH, 3.6), sharey=True)
    for ax, measure in zip(axes, measures, strict=True):
        look = {"x": "noise", "value": "share", "floor": 0.7}
        style.curve(ax, rows[rows["measure"] == measure], hue="n_task", names=NAMES, **look)
        style.curve(ax, control[control["measure"] == measure], **look, **style.CONTROL)
        x = [sigma / 10 for sigma in bounds]
        style.ceiling(ax, list(bounds.values()), measure, x, ratio=True)
        ax.set(xlabel=r"noise of training, $\sigma$", xticks=x, ylim=(0.7, None))
        ax.set_title(style.NAMES[measure])
    axes[0].set_ylabel("$r^2$ / optimum at this noise")
    style.legend(fig, 5)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig5c")
