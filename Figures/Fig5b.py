"""Figures 5b and S12: OOD r2, and the angle between decoders, against D, for RNN and GPT-2.

Five networks per D and N_task, 4 splits x 5 fits each: `python sweep.py 5b`. D > 2: one pair of
signs of the last two factors held out; angles of all pairs of factors. Paper: generalisation needs
N_task >= D, for both architectures.
"""

import style

from paper import DIMS, EVERY_D, N_TASKS_DIM

LABELS = {"r2": "OOD $r^2$", "angle": "angle between decoders (degrees)"}
SIGNS = {"fewer tasks than factors, $N_{task}<D$": "o"}  # that need a word
SIGNS |= {"$D=2$ as released (half of the fits are ID)": "x", "ID, median": ":"}


def draw():
    """A column per network; r2 above, angles below; a curve per N_task."""
    query = f"kind in {EVERY_D} and n_task in {N_TASKS_DIM}"
    rows = style.rows("5b", query, needs="n_dim > 2")
    tested = rows[rows["measure"] == "quadrant"]
    style.expect(tested, network=("RNN", "gpt-2"), n_dim=(2, *DIMS), n_task=N_TASKS_DIM)
    rows["x"] = rows["n_dim"] + 0.2 * rows["n_task"].map(N_TASKS_DIM.index) - 0.3  # side by side
    fig, axes = style.plt.subplots(2, 2, figsize=(8, 6.8), sharex=True, sharey="row")
    for column, network in zip(axes.T, ("RNN", "gpt-2"), strict=True):
        for ax, y in zip(column, LABELS, strict=True):
            draw_panel(ax, rows[rows["network"] == network].dropna(subset=y), y)
        style.theory_line(column[0])
        column[0].set_title(style.NAMES.get(network, network))
        column[1].axhline(90, color="0.6", ls="--", lw=1)
        column[1].set(xlabel="number of factors, $D$", xticks=(2, *DIMS), xlim=(1.4, 10.6))
    for ax, y, letter in zip(axes[:, 0], LABELS, ("5b", "S12"), strict=True):
        ax.set_ylabel(LABELS[y])
        style.letter(ax, letter)
    style.r_sq_axis(axes[0, 0])
    for label, sign in SIGNS.items():
        axes[0, 0].plot([], [], sign, color="0.3", mfc="w", ms=4, label=label)
    entries = [e for ax in axes.flat for e in zip(*ax.get_legend_handles_labels(), strict=True)]
    legend = {label: handle for handle, label in entries}
    fig.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=2)
    return fig


def draw_panel(ax, rows, y):
    """OOD with quartiles, and `SIGNS`."""
    within, released = rows["measure"] == "ID", rows["measure"] == "as_released"
    ood, colors = rows[~within & ~released], style.palette(N_TASKS_DIM)
    counts = {n: style.counted(some, "n_dim") for n, some in ood.groupby("n_task")}
    names = {n: f"$N_{{task}}={n}$, {count} per point" for n, count in counts.items()}
    bars = {"err_style": "bars", "err_kws": {"lw": 1}, "lw": 1}
    style.curve(ax, ood, "x", y, "n_task", names, colors, **bars)
    shown = (ood[ood["n_dim"] > ood["n_task"]], rows[released], rows[within])
    for sign, some in zip(SIGNS.values(), shown if y == "r2" else shown[:1], strict=False):
        for n_task, group in some.groupby("n_task"):
            look = {"color": colors[n_task], "mfc": "w", "ms": 4, "lw": 1, "zorder": 3}
            ax.plot(group.groupby("x")[y].median(), sign, **look)


if __name__ == "__main__":
    style.run(draw, "Fig5b")
