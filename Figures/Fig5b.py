"""Figures 5b and S12: OOD r2, and the angle between decoders, against D, for RNN and GPT-2.

Data: Data/Fig5b,S12 RNN/ and Data/Fig5b,S12 GPT/, five networks per D and N_task, 4 splits x 5 fits
each; made by `python sweep.py 5b`. D = 2: the quadrant really held out, and the test as released
beside it; D > 2: one pair of signs of the last two factors held out. Angles are those of all pairs
of factors. Paper: generalisation needs N_task >= D, for both architectures.
"""

import numpy as np
import style

from paper import DIMS

ALL_DIMS = (2, *DIMS)
COLUMNS = {"RNN": "RNN", "gpt-2": "GPT-2"}
ROWS = {"r_sq": "OOD $r^2$", "angles": "angle between decoders (degrees)"}
SIGNS = {  # that need a word
    "fewer tasks than factors, $N_{task}<D$": {"marker": "o", "mfc": "w", "ls": ""},
    "$D=2$ as released (half of the fits are ID)": {"marker": "x", "ls": ""},
    "ID, median": {"ls": ":"},
}


def draw(folders):
    """A column per network; r2 above, angles below; a curve per N_task."""
    panels = [load(folders, name, network) for name in ROWS for network in COLUMNS]
    files = [f for panel in panels for by_dim in panel for f in by_dim.values()]
    if not files:
        raise style.no_data(folders, "5b")
    colors = style.colors_of({int(n) for file in files for n in file["n_tasks"]})
    fig, axes = style.plt.subplots(2, 2, figsize=(8, 6.8), sharex=True, sharey="row")
    for ax, panel, name in zip(axes.flat, panels, np.repeat(list(ROWS), 2), strict=True):
        for i, (n_task, color) in enumerate(colors.items()):
            values = (style.of_task(by_dim, n_task, name) for by_dim in panel)
            draw_task(ax, *values, n_task, color, shift=0.2 * (i - (len(colors) - 1) / 2))
    for (top, bottom), title in zip(axes.T, COLUMNS.values(), strict=True):
        style.theory(top, style.r_sq_theory(20))
        top.set_title(title)
        bottom.axhline(90, color="0.6", ls="--", lw=1)
        bottom.set(xlabel="number of factors, $D$", xticks=ALL_DIMS, xlim=(1.4, 10.6))
    for ax, label, letter in zip(axes[:, 0], ROWS.values(), ("5b", "S12"), strict=True):
        ax.set_ylabel(label)
        style.letter(ax, letter)
    style.r_sq_axis(axes[0, 0])
    for label, look in SIGNS.items():
        axes[0, 0].plot([], [], color="0.3", ms=4, label=label, **look)
    entries = [e for ax in axes.flat for e in zip(*ax.get_legend_handles_labels(), strict=True)]
    legend = {label: handle for handle, label in entries}
    fig.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=2)
    return fig


def load(folders, name, network):
    """OOD, ID, and D = 2 as released: three dicts D -> arrays."""
    found = {"OOD": {}, "ID": {}, "as_released": {}}
    folders = folders if network == "RNN" else folders[::-1]  # its own first
    kind, beside = ("r_sq", ("ID", "as_released")) if name == "r_sq" else ("decoders", ())
    for d in ALL_DIMS:
        ood = "quadrant" if d == 2 else "as_released"  # D > 2: one OOD measure, its name has no end
        wanted = dict.fromkeys((ood, *beside))
        files = style.condition(folders, f"nDim{d}", kind, (name, "n_tasks"), network, wanted)
        for measure, file in files.items():
            found["OOD" if measure == ood else measure][d] = file
    return found.values()


def draw_task(ax, ood, within, released, n_task, color, shift):
    """One N_task, values by D: OOD with quartiles, ID as a line, the released test as crosses."""
    if ood:
        label = f"$N_{{task}}={n_task}$, {style.counted(ood.values())} per point"
        style.bars(ax, np.array(list(ood)) + shift, style.stacked(ood.values()), label, color=color)
    few = {d: values for d, values in ood.items() if d > n_task}
    for values, look in ((few, "o"), (within, ":"), (released, "x")):
        middle = [np.nanmedian(v) for v in values.values()]
        x = np.array(list(values)) + shift
        ax.plot(x, middle, look, color=color, mfc="w", ms=4, lw=1, zorder=3)


if __name__ == "__main__":
    style.run(draw, "Fig5b", ("Fig5b,S12 RNN", "Fig5b,S12 GPT"))
