"""Behind the paper's encoder LSTM and GPT-2 need fewer examples than their input's mean, RNNs more.

Accuracy in 20 new tasks against the number of labelled trials: `python sweep.py FewShot`. Tested
everywhere, and in a quadrant of which no example was shown; with the paper's encoder, and with one
that mixes the factors. The last controls are networks as drawn, and the average of the samples,
which needs no encoder. Accuracy below 0.6 is cut off. Not in the paper.
"""

import itertools

import numpy as np
import style

import intervals
from paper import MIXED, N_TASKS_FEW

NAMES = {n: f"$N_{{task}}={n}$" for n in N_TASKS_FEW}
TESTS = {"few_shot": "everywhere", "few_shot_quadrant": "held-out quadrant"}
ENCODERS = {"ReLU": "", "Fourier": "Fourier, "}
OTHERS = {"drawn": {"color": "0.6", "marker": "", "label": "network as drawn"}}
OTHERS |= {"encoder-mean": style.CONTROL}
OTHERS |= {"input-mean": {"color": "#e08214", "marker": "", "label": "samples averaged"}}
HOW = """Medians of networks, 95 % intervals, and pale each network. Dashed: the optimal classifier.
Dotted: 90 % of what can be learned. In brackets: examples to there, N_task = 24 over the encoder's
mean, geometric mean [95 % interval]; below 1 networks need fewer; over 1000 counts as 2000."""


def ratio(needed):
    """Examples that networks of N_task = 24 need, over those of the control, as text."""
    pairs = needed[needed["n_task"] == 24].pivot_table("value", "run", "line").clip(upper=2000)
    log = np.log(pairs.reindex(columns=["trained", "encoder-mean"])).diff(-1, axis=1)
    own = log["trained"].dropna()
    found = intervals.estimate(lambda x: np.exp(x.mean(-1)), own) if len(own) > 1 else None
    return f"\n(x {found.text(2)})" if found else ""


def draw():
    """A row per encoder and test, a panel per architecture."""
    query = "n_sd_in == 2 and task == 'LinearClassificationCentOut' and leaky"
    found = style.rows("FewShot", query, "measure == 'few_shot'", decoder="", activ_enc=ENCODERS)
    line = found["network"].where(found["network"].str.contains("-mean"), "trained")
    line = line.mask((line == "trained") & (found["n_batch"] == 0), "drawn")
    found, mean = found.assign(line=line), found.groupby("measure")["value"].mean()
    chance, optimum = mean["few_shot_chance"], mean["few_shot_optimum"]
    keys = [*itertools.product([e for e in ENCODERS if e in {*found["activ_enc"]}], TESTS)]
    options = {"figsize": (style.WIDTH, 2.6 * len(keys)), "sharey": True, "sharex": True}
    fig, axes = style.plt.subplots(len(keys), 3, **options)
    for (encoder, measure), row in zip(keys, axes, strict=True):
        for ax, name in zip(row, MIXED, strict=True):
            own = (found["activ_enc"] == encoder) & found["network"].isin([name, "encoder-mean"])
            own = found[own | (found["network"] == "input-mean")]
            shown = own[own["measure"] == measure]
            where = {"x": "n_example", "value": "value", "ms": 3}
            style.curve(ax, shown[shown["line"] == "trained"], hue="n_task", names=NAMES, **where)
            for other, look in OTHERS.items():
                some = shown[(shown["line"] == other) & (shown["n_task"] == 24)]
                style.curve(ax, some, hue="line", **where | look)
            ax.axhline(optimum, color=style.COLORS["theory"], ls="--", lw=1.2)
            ax.axhline(chance + 0.9 * (optimum - chance), color="0.3", ls=":", lw=1)
            title = f"{ENCODERS[encoder]}{style.NAMES.get(name, name)}, {TESTS[measure]}"
            ax.set_title(title + ratio(own[own["measure"] == f"{measure}_90"]))
            ax.set(xscale="log", ylim=(0.6, 0.98), ylabel="accuracy", xlabel="labelled examples")
            ax.label_outer()
    style.legend(fig, 3)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigFewShot", HOW)
