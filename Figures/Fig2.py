"""Figure 2: what an RNN of N_task = 24 does in a trial, and the state space behind it.

Data: Data/Analysis/RNN_nTask24/ and, for contrast in d, RNN_nTask2/; a to c show network 0, d all
five of either kind; made by `python sweep.py 2`. Paper: the representation is a sheet over x*, on
which evidence is summed along two directions: a continuous attractor; the first three principal
components hold about 85 % of the variance. We see 84 to 90 % for N_task = 24.
"""

import portraits
import style

LOOKS = (("o-", "k"), ("s--", portraits.LEAD))  # N_task = 24 and 2
SHOWN = "noiseless, all steps"  # condition of pca.npz, as in c


def draw(folders):
    """Lines, one trial, trajectories and spectrum of the first folder; spectrum of the others."""
    found = style.analyses(folders, "lines", "one_trial", "trajectories", "pca")
    fig = style.plt.figure(figsize=(11.5, 6.6))
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1, 1.25, 1.3))
    lines, spectrum = left.subplots(2, 1, height_ratios=(1.1, 1))
    trial = middle.subplots(4, 1, sharex=True, height_ratios=(1.1, 1.5, 1.4, 1.1))
    portraits.draw_boundaries(lines, found[0]["lines"], 0)
    lines.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    portraits.draw_trial(trial, found[0]["one_trial"], 0)
    paths = found[0]["trajectories"]
    space = portraits.space(right, [-0.02, 0.5, 0.92, 0.46], paths["share"][0])
    plane = portraits.flat(right, [0.2, 0.16, 0.72, 0.32], paths["share"][0])
    for ax, axes in zip((space, plane), portraits.ALL, strict=True):
        portraits.draw_paths(ax, paths, 0, axes)
    space.set_title(portraits.EXPLAINED.replace("; ", "\n"), fontsize=8, y=1.02)
    plane.legend(loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=3, columnspacing=1)
    for kind, (line, color) in zip(found, LOOKS, strict=False):
        shares = kind["pca"]["share"][:, kind["pca"]["conditions"].tolist().index(SHOWN)]
        portraits.draw_spectra(spectrum, shares, kind["n_task"][0], line, color)
    panels = {"a": lines, "b": trial[0], "c": space, "d": spectrum}
    for name, ax in panels.items():
        x, y = (0.05, 0.99) if name == "c" else (-0.14, 1.04)
        style.letter(ax, name, x, y)
    return fig


if __name__ == "__main__":
    style.run(draw, "Fig2", ("Analysis/RNN_nTask24", "Analysis/RNN_nTask2"))
