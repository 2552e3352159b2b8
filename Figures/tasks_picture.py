"""The picture of tasks that `python tasks.py` draws: boundaries with x*, one trial, its targets."""

import io
import math
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes

import util


def draw(tasks: list, seed: int, path: Path) -> None:
    """Draw tasks in two columns: their plane, one noisy trial, its targets below. Write a PNG."""
    matplotlib.use("Agg")
    n_column = min(2, len(tasks))
    n_row = math.ceil(len(tasks) / n_column)
    font = {"font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "legend.fontsize": 8}
    with plt.rc_context(font):
        fig = plt.figure(figsize=(4 * n_column, 1.7 * n_row + 0.3), layout="constrained")
        cells = np.ravel(fig.subfigures(n_row, n_column))
        seen: dict = {}
        for cell, task in zip(cells, tasks, strict=False):
            task.reset(seed=seed, options={"no_step": True})
            axes = cell.subplot_mosaic([["x", "trial"], ["x", "target"]], width_ratios=(1, 1.6))
            cell.suptitle(type(task).__name__, fontsize=8, fontweight="bold")
            draw_plane(axes["x"], task)
            seen |= draw_trial(axes["trial"], axes["target"], task)
        fig.legend(seen.values(), seen, loc="outside lower center", ncols=len(seen))
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", dpi=160)
        plt.close(fig)
    util.write_atomic(path, buffer.getvalue())


def draw_trial(trial: Axes, target: Axes, task) -> dict:
    """One noisy trial over its targets, by step; lines by their name."""
    for fixation in task.ob[:, task.fixation].T:
        trial.plot(fixation, color="0.6", label="fixation")
    for i, evidence in enumerate(task.ob[:, task.evidence].T, 1):
        trial.plot(evidence, lw=1, label=f"evidence $X_{{{i}}}$")
    for i, rule in enumerate(task.ob[:, task.rules].T, 1):
        trial.plot(rule, ":", color=f"C{i + 3}", label=f"rule {i}")
    trial.sharex(target)
    trial.tick_params(labelbottom=False)
    high = np.abs(task.gt).max()
    look: dict = {"aspect": "auto", "interpolation": "none", "cmap": "RdBu_r"}
    image = target.imshow(task.gt.T, vmin=-high, vmax=high, **look)
    bar = target.figure.colorbar(image, ax=target, pad=0.02, ticks=[-high, 0, high])
    bar.set_ticks([-high, 0, high], labels=[f"{-high:.2g}", "0", f"{high:.2g}"])
    target.set(ylabel="target", yticks=[0, task.n_out - 1])
    target.set_xlabel("step", labelpad=0)
    return {line.get_label(): line for line in trial.lines}


def draw_plane(ax: Axes, task) -> None:
    """Boundaries in the plane of the first two factors, the x* of some trials, and of this one."""
    ax.set(xlim=(-0.5, 0.5), ylim=(-0.5, 0.5), aspect="equal", xticks=[-0.5, 0.5])
    ax.set(xlabel="$x_1$", ylabel="$x_2$", yticks=[-0.5, 0.5])
    x, line = torch.empty(400, task.n_dim), torch.linspace(-0.5, 0.5, 401)
    task.draw_latents(x, util.generator(0))
    ax.plot(x[:, 0], x[:, 1], ".", ms=2, color="0.75")
    grid = torch.zeros(401, 401, task.n_dim)
    grid[..., 0], grid[..., 1] = line, line[:, None]
    for edge in task.labels(grid.flatten(0, 1)).T.view(-1, 401, 401).float().numpy():
        ax.contour(line, line, edge, [0.5], colors="tab:blue", linewidths=0.8)
    ax.plot(*task.trial["x"][:2], "k*", ms=9)
