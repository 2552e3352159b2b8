"""How close networks come to the optimal classifier, and whether the better ones generalise better.

Five networks per point, 4000 trials each, the same for network and optimum: `python sweep.py
Optimal`. The loss above the optimum is the expected cross-entropy less that of the optimal
classifier. Logits are compared by the theorem, Phi^-1(output) of network and optimum trial by
trial: slope and r2 are 1 if it holds. Asked early: the stimulus ends after t samples, for which
networks were not trained. Last: each network's r2 in the held-out quadrant (Adam) against its loss,
with the rank correlation of the two, each less its mean over networks of the same N_task.

To see: all are close to the optimum and well calibrated, the LSTM closest. Asked early, LSTM and
GPT-2 stay optimal; RNNs do not, for they answer at the time they were trained for. Better
classifiers of one architecture and N_task tend to generalise better, but loss explains little.
"""

import style
from scipy.stats import spearmanr

from paper import ARCHITECTURES, ASKED, N_TASKS, N_TASKS_DIM, N_TASKS_NOISE, NOISES
from table import OPTIMALITY

KEYS = ["kind", "network", "n_dim", "n_task", "run", "n_sd_in", "t"]
PANELS = {"loss": "loss above the optimum (nats)", "calibration": "calibration error"}
PANELS |= {
    "logit_slope": "logits against theory, slope",
    "logit_r2": "logits against theory, $r^2$",
}

HOW = """Points and bars: median of networks, its 95 % interval; pale: each network. In f and g
there is one network of a condition, but for sigma = 0.2 and D = 2."""


def read(query="", series="", **wanted):
    """A row per network and time, a column per measure."""
    options = {"decoder": "", "series": series, "measure": OPTIMALITY}
    found = style.rows("Optimal", query, **options, **wanted)
    found = found.pivot_table("value", KEYS, "measure").reset_index()
    share = found["accuracy"] / found["accuracy_optimal"]
    return found.assign(loss=found["cross_entropy"] - found["cross_entropy_optimal"], share=share)


def draw():
    """By N_task; asked early; against noise and D; r2 out of distribution against the loss."""
    fig, axes = style.plt.subplots(2, 4, figsize=(14, 6.4))
    every = read(kind=(*ARCHITECTURES, ...))
    plain = every.query(f"kind in {ARCHITECTURES} and n_task in {N_TASKS}")
    for ax, (name, label) in zip(axes[0], PANELS.items(), strict=True):
        style.curve(ax, plain, value=name)
        style.task_axis(ax, N_TASKS)
        ax.set(ylabel=label, **({"ylim": (0, None)} if name in ("loss", "calibration") else {}))
        _ = name.startswith("logit") and ax.axhline(1, color="0.6", ls="--", lw=1)
    early = style.if_there(read, "n_task == 24", "stimulus", kind=ARCHITECTURES, stimulus=ASKED)
    early = plain[:0] if early is None else early
    noisy = every.query(f"(kind == 'RNN' or n_sd_in in {NOISES}) and n_task in {N_TASKS_NOISE}")
    wide = every.query(f"(kind == 'RNN' or n_dim > 2) and n_task in {N_TASKS_DIM}")
    wide, noisy = wide.query("network == 'RNN'"), noisy.assign(sigma=noisy["n_sd_in"] / 10)
    hue, tasks = (
        {"hue": "n_task", "value": "loss"},
        {n: f"$N_{{task}}={n}$" for n in (*N_TASKS, *N_TASKS_DIM)},
    )
    style.curve(axes[1, 0], early, x="t", value="share")
    style.curve(axes[1, 1], noisy, x="sigma", names=tasks, **hue)
    style.curve(axes[1, 2], wide, x="n_dim", names=tasks, **hue)
    labels = (("samples seen when asked, $t$", "accuracy / optimal, $N_{task}=24$"),)
    labels += ((r"noise, $\sigma$; RNN", PANELS["loss"]), ("$D$; RNN", PANELS["loss"]))
    labels += ((PANELS["loss"], "held-out quadrant, $r^2$"),)
    r2 = style.rows("Optimal", kind=ARCHITECTURES, n_task=N_TASKS, measure=("quadrant",))
    r2 = r2.groupby(KEYS[:5])["r2"].median().reset_index().merge(plain, on=KEYS[:5])
    for kind, some in r2.groupby("kind"):
        within = some[["loss", "r2"]] - some.groupby("n_task")[["loss", "r2"]].transform("mean")
        rank = f", {spearmanr(*within.to_numpy().T)[0]:.2f}" if len(some) > len(N_TASKS) else ""
        look = {"color": style.COLORS[kind], "s": 12 + 2 * some["n_task"], "alpha": 0.7, "lw": 0}
        axes[1, 3].scatter(
            some["loss"], some["r2"], label=style.NAMES.get(kind, kind) + rank, **look
        )
    for ax, (x, y) in zip(axes[1], labels, strict=True):
        ax.set(xlabel=x, ylabel=y)
    axes[1, 3].set(xscale="log", title="dots grow with $N_{task}$")
    for ax, text in zip(axes.flat, "abcdefgh", strict=True):
        style.letter(ax, text)
        _ = ax.legend() if ax.get_legend_handles_labels()[0] else style.note(ax, "no data")
    return fig


if __name__ == "__main__":
    style.run(draw, "FigOptimal", HOW)
