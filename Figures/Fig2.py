"""Figure 2: what an RNN of N_task = 24 does in a trial, and the state space behind it.

a to c show network 0, d five of N_task = 24 and, for contrast, of 2: `python sweep.py 2`. Paper:
the representation is a sheet over x*, on which evidence is summed along two directions, a
continuous attractor; the top 3 PCs hold about 85 % of the variance. We see 84 to 90 %.
"""

import portraits
import style


def draw():
    """Lines, one trial, trajectories and spectrum of N_task = 24; spectrum of the contrast."""
    needs = "lines", "one_trial", "trajectories", "pca"
    found = style.analyses(("RNN_nTask24", "RNN_nTask2"), *needs)
    fig = style.plt.figure(figsize=(11.5, 6.6))
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1, 1.25, 1.3))
    lines, spectrum = left.subplots(2, 1, height_ratios=(1.1, 1))
    portraits.draw_boundaries(lines, found[0]["lines"], 0)
    trial = portraits.draw_trial(middle, found[0]["one_trial"], 0)
    boxes = [-0.02, 0.5, 0.92, 0.46], [0.2, 0.16, 0.72, 0.32]
    space, plane = portraits.views(right, found[0]["trajectories"]["share"][0], *boxes)
    for ax in (space, plane):
        portraits.draw_paths(ax, found[0]["trajectories"], 0)
    space.set_title(portraits.EXPLAINED.replace("; ", "\n"), fontsize=8, y=1.02)
    plane.legend(loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=3, columnspacing=1)
    for kind, line, color in zip(found, ("o-", "s--"), ("k", portraits.LEAD), strict=False):
        shown = kind["pca"]["conditions"].tolist().index("noiseless, all steps")  # as in c
        shares, n_task = kind["pca"]["share"][:, shown], kind["n_task"]
        name = f"$N_{{task}}={n_task[0]}$ (n = {len(n_task)})"
        portraits.draw_spectra(spectrum, shares, name, line, color=color, alpha=0.6)
    for name, ax in {"a": lines, "b": trial, "c": space, "d": spectrum}.items():
        style.letter(ax, name, *((0.05, 0.99) if name == "c" else (-0.14, 1.04)))
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig2")
