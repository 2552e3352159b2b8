"""r2 under noise of other kinds than white Gaussian, in training and in decoding.

RNN, N_task = 24, five networks per kind, 4 splits x 5 fits each: `python sweep.py Noise`. Dots are
single fits, by network; boxes are quartiles. No theory is given for Gumbel noise, whose mean is
0.58 sigma, and for noise after the encoder. Paper: controls of the effect.
"""

import style

import theory

KINDS = {  # name, theory
    "RNN": ("white Gaussian", theory.r2_mean(theory.T)),
    "Gumbel": ("Gumbel", None),
    "Anisot": ("anisotropic", theory.r2_anisotropic()),
    "Autocorr": ("AR(1)", theory.r2_autocorrelated()),
    "NoiseEnc": ("after the\nencoder", None),
}


def draw():
    """Three boxes per kind of noise, and the theory where there is one."""
    wanted = {"kind": KINDS, "measure": style.MEASURES}
    rows = style.rows("Noise", "n_task == 24", needs="kind != 'RNN'", **wanted)
    fig, ax = style.plt.subplots(figsize=(7, 3.8))
    groups = {name: rows[rows["kind"] == kind] for kind, (name, _) in KINDS.items()}
    style.boxes(ax, groups, floor=0.5)
    label = "theory, best unbiased estimate"
    for i, (name, r2) in enumerate(KINDS.values()):
        if r2 and len(groups[name]):
            style.theory_line(ax, [r2, r2], [i - 0.42, i + 0.42], lw=1.5, label=label)
            label = None
    ax.set_title("RNN, $N_{task}=24$")
    fig.legend(loc="outside lower center", ncols=2)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigNoise")
