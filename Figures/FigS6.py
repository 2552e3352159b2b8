"""Figure S6: lifetime sparseness of the representation against N_task and against D.

Data: Data/FigS6/arc/ and Data/FigS6/HighDim/, five networks per point, 1000 noise-free stimuli
each; mean over networks, with its 95 % interval in a, c and d, and each network as a dot in b; made
by `python sweep.py S6a S6b`. A unit that responds to a single stimulus has 100 %, a constant one 0;
dead units count as 100 %. We see, from N_task = 2 to 24: non-leaky RNN 94 to 87 %, GPT-2 3.6 to 2.4
%.
"""

import numpy as np
import style


def draw(folders):
    """Sparseness and active units by architecture; sparseness against D, a curve per N_task."""
    arc, by_dim = style.sparseness(folders)
    n_row = 1 + bool(by_dim)
    fig, axes = style.plt.subplots(n_row, 2, figsize=(8, 3.1 * n_row), squeeze=False)
    for network, file in arc.items():
        look = {"color": style.COLORS[network], "label": style.NAMES.get(network, network)}
        means(axes[0, 0], file["n_tasks"], file["rows"], **look)
        if "active" in file and network in ("RNN", "NoLeak"):  # those of ReLU units
            axes[0, 1].plot(file["n_tasks"], file["active"], ".", color=look["color"], alpha=0.4)
            axes[0, 1].plot(file["n_tasks"], np.nanmean(file["active"], 1), "o-", ms=4, **look)
    for ax, network in zip(axes[1:].flat, ("RNN", "gpt-2"), strict=False):
        files = {dim: file for (name, dim), file in sorted(by_dim.items()) if name == network}
        n_tasks = sorted({n for file in files.values() for n in file["n_tasks"].tolist()})
        for i, (n_task, color) in enumerate(style.colors_of(n_tasks).items()):
            rows = {dim: file["rows"][file["n_tasks"] == n_task] for dim, file in files.items()}
            dims = [dim for dim in files if len(rows[dim])]
            x = np.array(dims) + 0.2 * (i - (len(n_tasks) - 1) / 2)  # side by side
            means(ax, x, np.concatenate([rows[dim] for dim in dims]), color=color, label=n_task)
        ax.set_xticks(sorted(files))
        ax.set(xlabel="$D$", title=f"{style.NAMES.get(network, network)}, last stimulus step")
    axes[0, 0].set_title("mean of networks, 95 % interval of the mean")
    axes[0, 1].set_title("mean of networks, each as a dot")
    for ax in axes[0]:
        style.task_axis(ax, sorted({n for file in arc.values() for n in file["n_tasks"].tolist()}))
    for ax, text in zip(axes.flat, "abcd", strict=False):
        ax.set_ylabel("lifetime sparseness (%)" if text != "b" else "active units x stimuli (%)")
        style.letter(ax, text)
        if ax.lines:
            ax.legend(title="$N_{task}$" if text in "cd" else None, ncols=1 + (text in "cd"))
        else:
            style.note(ax, "no data")
    return fig


def means(ax, x, rows, **look):
    """Mean, lower and upper end of its interval, as (point, 3); no end beyond 0 to 100 %."""
    mean, low, high = np.clip(rows, 0, 100).T
    ax.errorbar(x, mean, [mean - low, high - mean], fmt="o-", ms=4, lw=1.5, capsize=2, **look)


if __name__ == "__main__":
    style.run(draw, "FigS6", ("FigS6/arc", "FigS6/HighDim"))
