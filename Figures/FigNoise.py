"""r2 under noise of other kinds than white Gaussian, in training and in decoding.

Data: Data/Noise/ (white Gaussian: Data/Fig3a/), RNN, N_task = 24, five networks per kind, 4 splits
x 5 fits each; made by `python sweep.py Noise`. Dots are single fits, by network from left to right;
boxes are quartiles, triangles fits below the axis. Theory is r2 of the best unbiased estimate, from
util.py; for Gumbel noise, whose mean is 0.58 sigma, and noise after the encoder none is
given. Paper: controls of the effect, whose theory is written for white Gaussian noise.
"""

import style

from util import r_sq_anisotropic, r_sq_ar1

T = 20  # samples
KINDS = {  # mark of the files: name
    "RNN_CELoss": "white Gaussian",
    "Gumbel": "Gumbel",
    "Anisot": "anisotropic",
    "Autocorr": "AR(1)",
    "NoiseEnc": "after the\nencoder",
}
FLOOR = 0.5  # fits below it are triangles there


def draw(folders):
    """Three boxes per kind of noise, and the theory where there is one."""
    needs = {"needs": ("r_sq", "n_tasks")}
    found = {k: style.condition(folders[:1], k, **needs) for k in list(KINDS)[1:]}
    if not any(found.values()):
        raise style.no_data(folders[:1], "Noise")
    found = {"RNN_CELoss": style.condition(folders[-1:], "RNN_CELoss", **needs), **found}
    ceilings = {"RNN_CELoss": style.r_sq_theory(T)}
    ceilings |= {"Anisot": r_sq_anisotropic(T), "Autocorr": r_sq_ar1(T)}
    fig, ax = style.plt.subplots(figsize=(7, 3.8))
    style.boxes(ax, [style.of_task(files, 24) for files in found.values()], KINDS.values(), FLOOR)
    for i, kind in enumerate(found):
        if kind in ceilings and found[kind]:
            ax.hlines(ceilings[kind], i - 0.42, i + 0.42, color=style.COLORS["theory"], ls="--")
    ax.hlines(
        [], 0, 0, color=style.COLORS["theory"], ls="--", label="theory, best unbiased estimate"
    )
    ax.set_title("RNN, $N_{task}=24$")
    fig.legend(loc="outside lower center", ncols=2)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigNoise", ("Noise", "Fig3a"))
