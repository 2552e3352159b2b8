"""Under noise of any kind x* is read near the optimum in distribution, less well out of it.

RNN, N_task = 24, trained and decoded under this noise: `python sweep.py Noise`. Controls: the
encoder's features averaged over the stimulus, under the same noise. Paper: controls of the effect.
"""

import style

KINDS = {"RNN": "white Gaussian", "Gumbel": "Gumbel noise", "Anisot": "anisotropic noise"}
KINDS |= {"Autocorr": "AR(1) noise", "NoiseEnc": "noise after encoder"}
CONTROLS = {kind: f"EncoderMean_{kind}".replace("_RNN", "") for kind in KINDS}


def draw():
    """The three measures of each kind of noise, and of its control where there is one."""
    wanted = {"kind": (*KINDS, *CONTROLS.values()), "measure": style.MEASURES}
    rows = style.rows("Noise", "n_task == 24", needs=f"kind in {(*KINDS,)[1:]}", **wanted)
    groups = {}
    for kind, name in KINDS.items():
        groups[f"{name}, RNN"] = rows[rows["kind"] == kind]
        groups[f"{name}, encoder's mean"] = rows[rows["kind"] == CONTROLS[kind]]
    groups = {name: some for name, some in groups.items() if len(some)}
    size = style.WIDTH, 1.2 + 0.5 * len(groups)
    fig, ax = style.plt.subplots(figsize=size)
    style.strips(ax, groups, floor=0.6)
    style.measures_legend(fig)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigNoise")
