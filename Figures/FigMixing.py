"""Behind an encoder that mixes the factors, the control without a network fails: do networks?

Held-out r2 against the encoder, from the paper's (ReLU) to Fourier features of ever smaller length
scale: `python sweep.py Mixing`. Above decoders by Adam, below by ridge. Colours: networks, by
N_task. Black: the encoder's features averaged over the stimulus, no network. Grey: networks as
drawn. Where a line lies above the black one, the linear code was made, not inherited.
Medians over networks of each network's median over 4 splits and all fits; bands: all networks. Not
in the paper.
"""

import style

from paper import ENCODERS, MIXED, N_TASKS_EACH

PLACES = {name: i for i, name in enumerate(ENCODERS)}
LABELS = [name.removeprefix("Fourier").replace("Scaled", "scaled\n") for name in ENCODERS]
COLORS = {f"{n}": color for n, color in style.palette(N_TASKS_EACH).items()}
COLORS |= {"untrained": "0.6", "control": style.COLORS["EncoderMean"]}
NAMES = {f"{n}": f"$N_{{task}}={n}$" for n in N_TASKS_EACH}
NAMES |= {"untrained": "untrained network", "control": style.NAMES["EncoderMean"]}


def networks(decoder):
    """Held-out r2 of each network, its place on the axis, and which line it belongs to."""
    query = "measure == 'quadrant' and n_sd_in == 2 and task == 'LinearClassificationCentOut'"
    found = style.rows("Mixing", f"{query} and leaky", decoder=decoder)
    encoder = found["activ_enc"] + found["enc_scale"].map("{:g}".format)
    place = encoder.where(found["activ_enc"] == "Fourier", found["activ_enc"]).map(PLACES)
    line = found["n_task"].astype(str).where(found["n_batch"] > 0, "untrained")
    line = line.where(found["network"] != "encoder-mean", "control")
    by = ["network", "line", "place", "n_task", "run"]
    return found.assign(place=place, line=line).groupby(by)["r2"].median().reset_index()


def draw():
    """A panel per decoder and architecture."""
    fig, axes = style.plt.subplots(2, 3, figsize=(10.5, 6.6), sharey=True, sharex=True)
    for row, decoder in zip(axes, ("adam", "ridge"), strict=True):
        r2 = networks(decoder)
        for ax, name in zip(row, MIXED, strict=True):
            shown = r2[(r2["network"] == name) | (r2["line"] == "control")]
            look = {"hue": "line", "names": NAMES, "colors": COLORS, "errorbar": ("pi", 100)}
            style.curve(ax, shown, "place", **look)
            style.theory_line(ax)
            ax.set(title=f"{style.NAMES.get(name, name)}, decoders by {decoder}", ylim=(-0.5, 1))
            ax.set(xlabel="", ylabel="held-out $r^2$")
            ax.set_xticks(list(PLACES.values()), LABELS)
    fig.supxlabel("encoder: the paper's, scaled, and Fourier features by length scale", fontsize=9)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigMixing")
