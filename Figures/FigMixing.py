"""Where the encoder mixes the factors, its mean does not generalise, and RNNs of many tasks do.

Held-out r2 against the encoder, from the paper's (ReLU) to Fourier features of ever smaller length
scale: `python sweep.py Mixing`. Above decoders by Adam, below by ridge. Colours: networks, by
N_task. Black: the encoder's features averaged over the stimulus, no network. Grey: networks as
drawn. Where a line lies above the black one, the linear code was made, not inherited. Not in the
paper.
"""

import style

from paper import ENCODERS, MIXED, N_TASKS_EACH

PLACES = {name: i for i, name in enumerate(ENCODERS)}
LABELS = [
    name.removeprefix("Fourier").replace("Scaled", "scaled\n").replace("Quad", "sq.")
    for name in ENCODERS
]
LOOKS = {
    f"{n}": {"color": c, "label": f"$N_{{task}}={n}$"}
    for n, c in style.palette(N_TASKS_EACH).items()
}
LOOKS |= {"untrained": {"color": "0.6", "label": "untrained network"}, "control": style.CONTROL}

HOW = """Points and bars: median of networks, its 95 % interval; pale: each network, the median of
its fits; triangles: below the axis. Green: the optimum, and ceilings of a quadrant held out."""


def networks(decoder):
    """Held-out r2, with the encoder's place on the axis, and which line it belongs to."""
    query = "measure == 'quadrant' and n_sd_in == 2 and task == 'LinearClassificationCentOut'"
    needs = "activ_enc == 'Fourier'"
    found = style.rows("Mixing", f"{query} and leaky", needs, decoder)
    encoder = found["activ_enc"] + found["enc_scale"].map("{:g}".format)
    place = encoder.where(found["activ_enc"] == "Fourier", found["activ_enc"]).map(PLACES)
    line = found["n_task"].astype(str).where(found["n_batch"] > 0, "untrained")
    line = line.where(~found["network"].isin(["encoder-mean", "encoder-last"]), "control")
    found = found.assign(place=place, line=line)[found["network"] != "encoder-last"]
    return found[(found["line"] != "control") | (found["n_task"] == 24)]


def draw():
    """A panel per decoder and architecture."""
    fig, axes = style.plt.subplots(2, 3, figsize=(style.WIDTH, 6.4), sharey=True, sharex=True)
    adam, ridge = networks("adam"), style.if_there(networks, "ridge")
    both = {"Adam": adam, "ridge": adam[:0] if ridge is None else ridge}
    for row, (decoder, r2) in zip(axes, both.items(), strict=True):
        for ax, name in zip(row, MIXED, strict=True):
            for line, look in LOOKS.items():
                own = (r2["network"] == name) | (line == "control")
                some = r2[own & (r2["line"] == line)]
                style.curve(ax, some, x="place", hue="line", floor=-0.25, **look)
            if len(r2[r2["activ_enc"] == "ReLU"]):
                style.ceiling(ax, [style.ceilings_of(r2[r2["activ_enc"] == "ReLU"])], "quadrant")
            ax.set(title=f"{style.NAMES.get(name, name)}, {decoder}", ylim=(-0.25, 1))
            ax.set_xticks(list(PLACES.values()), LABELS, size=7.5)
    fig.supylabel(style.R2, size=9)
    for ax in axes[1]:
        ax.set(xlabel="encoder; Fourier length scale", xlim=(-0.4, len(PLACES) - 0.6))
    style.legend(fig, 4)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigMixing", HOW)
