"""r2 under noise of other kinds than white Gaussian, in training and in decoding.

Data: Data/Noise/ (white Gaussian: Data/Fig3a/), RNN, N_task = 24, five networks per kind, 4 splits
x 5 fits each; made by `python sweep.py Noise`. Dots are single fits, by network from left to right;
boxes are quartiles, triangles fits below the axis. Theory is r2 of the best unbiased estimate, from
the functions below; for Gumbel noise, whose mean is 0.58 sigma, and noise after the encoder none is
given. Paper: controls of the effect, whose theory is written for white Gaussian noise.
"""

import style

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
    ceilings = {"RNN_CELoss": white(), "Anisot": anisotropic(), "Autocorr": ar1()}
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


def white(sigma=0.2, t=20):
    """r2 = 1 - 12 sigma^2 / t, the variance of the mean of t samples."""
    return style.r_sq_theory(t, sigma)


def anisotropic(sigma=0.2, t=20, ratio=2):
    """r2 = 1 - 12 (sigma^2 + ratio^2 sigma^2) / (2 t), the mean over two factors."""
    return 1 - 12 * (sigma**2 + (ratio * sigma) ** 2) / (2 * t)


def ar1(sigma=0.2, t=20, a=0.7):
    """r2 = 1 - 12 sigma^2 / (1' R^-1 1) of generalised least squares, R_ij = a^|i - j|.

    For AR(1) noise of standard deviation sigma 1' R^-1 1 = (t - (t - 2) a) / (1 + a).
    """
    return 1 - 12 * sigma**2 * (1 + a) / (t - (t - 2) * a)


if __name__ == "__main__":
    style.run(draw, "FigNoise", ("Noise", "Fig3a"))
