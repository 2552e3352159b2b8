"""All architectures average the evidence; with few samples GPT-2 generalises least.

Not in the paper: r2 against samples seen, over the optimum after as many. Ridge decoders at every
step, N_task = 24: `python sweep.py Time`. Control: the encoder's features averaged so far.
"""

import style

from paper import ARCHITECTURES

LOW = {"ID": 0.95, "quadrant": 0.6}  # of the axis


def draw():
    """ID and OOD (quadrant held out) against the number of samples seen."""
    wanted = {"measure": (*LOW,), "kind": (*ARCHITECTURES, "EncoderMean", ...)}
    query = f"(kind == network or kind in {(*wanted['kind'][:-1],)}) and n_task == 24"
    rows = style.rows("Time", query, "kind != 'EncoderMean'", "ridge", "step", **wanted)
    rows = rows[rows["step"] == rows.groupby("t")["step"].transform("min")]  # evidence came
    rows = rows.assign(stimulus=rows["t"] * rows["dt"])  # a trial that ends here has this optimum
    bounds = {t: style.ceilings_of(some) for t, some in rows.groupby("t")}
    best = rows["t"].map({t: each[0] for t, each in bounds.items()})
    rows = rows.assign(share=rows["r2"] / best)
    fig, axes = style.plt.subplots(1, 2, figsize=(style.WIDTH, 4))
    for ax, (measure, low) in zip(axes, LOW.items(), strict=True):
        some = rows[rows["measure"] == measure]
        style.curve(ax, some, x="t", value="share", floor=low, ms=4, lw=1)
        style.ceiling(ax, list(bounds.values()), measure, list(bounds), ratio=True)
        ax.set(xlabel="samples of evidence seen, $t$", ylabel="$r^2$ / optimum after $t$ samples")
        ax.set(title=style.NAMES[measure], ylim=(low, 1.005), xticks=[1, 5, 10, 15, 20])
    style.legend(fig, 4)
    return fig


if __name__ == "__main__":
    style.run(draw, "FigTime")
