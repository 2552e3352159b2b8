"""Within a trial the network's state moves out on a sheet; its place there is the evidence.

Figure 2: a boundaries, b one noisy trial and c state space of network 0 of N_task = 24; d five
networks of N_task = 24 and, for contrast, of 2: `python sweep.py 2`. Paper: the representation is a
continuous attractor, a sheet over x*; the top 3 PCs hold about 85 % of the variance.
"""

import portraits
import style

HOW = """a: true boundaries dashed, those of the network in colour. c: trials without noise, from
light (early) to dark, the colour of their ends x1; then turned so that the sheet lies flat. d:
share of the variance; the legend says what three components hold."""


def draw():
    """Lines, one trial, state space and spectrum of N_task = 24; spectrum of the contrast."""
    needs = "lines", "one_trial", "trajectories", "pca"
    found = style.analyses(("RNN_nTask24", "RNN_nTask2"), *needs)
    fig = style.plt.figure(figsize=(style.WIDTH, 7.6))
    upper, lower = fig.subfigures(2, 1, height_ratios=(1.8, 1))
    left, right = upper.subfigures(1, 2, width_ratios=(1, 1.45))
    lines, spectrum = left.subplots(2, 1, height_ratios=(1.25, 1))
    portraits.draw_boundaries(lines, found[0]["lines"], 0)
    trial = portraits.draw_trial(right, found[0]["one_trial"], 0)
    layout = {"per_subplot_kw": {"s": {"projection": "3d"}}, "width_ratios": (1.5, 1, 1)}
    axes = lower.subplot_mosaic("sab", **layout)
    portraits.draw_paths(axes["s"], found[0]["trajectories"], 0)
    axes["b"].sharey(axes["a"])
    portraits.draw_sheet_of([axes["a"], axes["b"]], found[0]["trajectories"], 0)
    for kind, line, color in zip(found, ("o-", "s--"), ("k", portraits.LEAD), strict=False):
        shown = kind["pca"]["conditions"].tolist().index("noiseless, all steps")
        shares, n_task = kind["pca"]["share"][:, shown], kind["n_task"]
        name = f"$N_{{task}}={n_task[0]}$ (n = {len(n_task)})"
        portraits.draw_spectra(spectrum, shares, name, line, color=color, alpha=0.6)
    for name, ax in {"a": lines, "b": trial, "c": axes["s"], "d": spectrum}.items():
        style.letter(ax, name, *((-0.2, 1.1) if name == "c" else (-0.14, 1.04)))
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig2", HOW)
