"""How many labelled trials does a frozen network need to learn a new boundary?

Accuracy in 20 new tasks against the number of examples: `python sweep.py FewShot`. Tested
everywhere, and in a quadrant of which no example was shown; with the paper's encoder, and with one
that mixes the factors. Colours: networks, by N_task. Grey: networks as drawn. Black: the encoder's
features averaged over the stimulus, no network. Orange: the samples averaged, no encoder. In
brackets: examples to 90 %, N_task = 24 over the average of the same encoder's features, geometric
mean [95 % bootstrap interval], where 1000 are not enough 2000; below 1 the network needs fewer.
Lines are medians over networks; bands hold all; accuracy below 0.6 is cut off. Not in the paper.
"""

import itertools

import numpy as np
import style
from scipy import stats

from paper import MIXED, N_TASKS_FEW

COLORS = {f"{n}": color for n, color in style.palette(N_TASKS_FEW).items()}
COLORS |= {"untrained": "0.6", "control": style.COLORS["EncoderMean"], "samples": "#e69f00"}
NAMES = {f"{n}": f"$N_{{task}}={n}$" for n in N_TASKS_FEW}
NAMES |= {"untrained": "network as drawn", "control": style.NAMES["EncoderMean"]}
NAMES |= {"samples": "samples averaged, no encoder"}
TESTS = {"few_shot": "everywhere", "few_shot_quadrant": "held-out quadrant"}
ENCODERS = {"ReLU": "", "Fourier": "Fourier encoder, "}


def ratio(needed):
    """Examples that networks of N_task = 24 need, over those of the control, as text."""
    pairs = needed[needed["n_task"] == 24].pivot_table("value", "run", "line").clip(upper=2000)
    log = np.log(pairs.reindex(columns=["24", "control"])).diff(-1, axis=1)["24"].dropna()
    if len(log) < 2:
        return ""
    ends = stats.bootstrap([log], np.mean, method="percentile", rng=0).confidence_interval
    return "\n(x {:.2f} [{:.2f}, {:.2f}])".format(*np.exp([log.mean(), *ends]))


def draw():
    """A row per encoder and test, a panel per architecture."""
    query = "n_sd_in == 2 and task == 'LinearClassificationCentOut' and leaky"
    found = style.rows("FewShot", query, "measure == 'few_shot'", decoder="", activ_enc=ENCODERS)
    line = found["n_task"].astype(str).where(found["n_batch"] > 0, "untrained")
    line = line.mask(found["network"] == "encoder-mean", "control")
    found = found.assign(line=line.mask(found["network"] == "input-mean", "samples"))
    mean = found.groupby("measure")["value"].mean()
    chance, optimum = mean["few_shot_chance"], mean["few_shot_optimum"]
    keys = [*itertools.product([e for e in ENCODERS if e in {*found["activ_enc"]}], TESTS)]
    options = {"figsize": (10.5, 3.2 * len(keys)), "sharey": True, "sharex": True}
    fig, axes = style.plt.subplots(len(keys), 3, **options)
    for (encoder, measure), row in zip(keys, axes, strict=True):
        for ax, name in zip(row, MIXED, strict=True):
            own = (found["activ_enc"] == encoder) & found["network"].isin([name, "encoder-mean"])
            own = found[own | (found["network"] == "input-mean")]
            look = {"names": NAMES, "colors": COLORS, "errorbar": ("pi", 100), "ms": 2.5, "lw": 1.2}
            style.curve(ax, own[own["measure"] == measure], "n_example", "value", "line", **look)
            style.theory_line(ax, optimum, label="optimal classifier")
            level = {"color": "0.3", "ls": ":", "lw": 1, "label": "90 % of what can be learned"}
            ax.axhline(chance + 0.9 * (optimum - chance), **level)
            title = f"{ENCODERS[encoder]}{style.NAMES.get(name, name)}, {TESTS[measure]}"
            ax.set_title(title + ratio(own[own["measure"] == f"{measure}_90"]))
            ax.set(xscale="log", xlabel="labelled examples", ylabel="accuracy", ylim=(0.6, 0.98))
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigFewShot")
