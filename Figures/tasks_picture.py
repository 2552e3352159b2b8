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
    """Draw tasks in two columns: their plane, one noisy trial, its targets. Write a PNG."""
    matplotlib.use("Agg")
    n_column = min(2, len(tasks))
    n_row = math.ceil(len(tasks) / n_column)
    fig = plt.figure(figsize=(8 * n_column, 2.2 * n_row + 0.4), layout="constrained")
    axes = fig.subplots(n_row, 3 * n_column, squeeze=False).reshape(-1, 3)
    seen: dict = {}
    for (plane, trial, target), task in zip(axes, tasks, strict=False):
        task.reset(seed=seed, options={"no_step": True})
        draw_plane(plane, task)
        time, ob = np.arange(task.n_step) * task.dt, task.ob
        trial.set_title(type(task).__name__, fontweight="bold")
        for fixation in ob[:, task.fixation].T:
            trial.plot(time, fixation, color="0.6", label="fixation")
        for i, evidence in enumerate(ob[:, task.evidence].T, 1):
            trial.plot(time, evidence, label=f"evidence $X_{{{i}}}$")
        for i, rule in enumerate(ob[:, task.rules].T, 1):
            trial.plot(time, rule, ":", label=f"rule {i}")
        trial.set(xlabel="time (ms)")
        seen |= {line.get_label(): line for line in trial.lines}
        high = np.abs(task.gt).max()
        look = {"aspect": "auto", "interpolation": "none", "cmap": "RdBu_r"}
        target.imshow(task.gt.T, vmin=-high, vmax=high, **look)
        target.set(xlabel="step", ylabel="target", yticks=range(0, task.n_out, 5))
        target.set_title(f"from {task.gt.min():.2g} to {task.gt.max():.2g}", fontsize="small")
    for ax in axes[len(tasks) :].flat:
        ax.set_axis_off()
    fig.legend(seen.values(), seen, loc="outside lower center", ncols=len(seen))
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110)
    util.write_atomic(path, buffer.getvalue())


def draw_plane(ax: Axes, task) -> None:
    """Boundaries in the plane of the first two factors, the x* of some trials, and of this one."""
    ax.set(xlim=(-0.5, 0.5), ylim=(-0.5, 0.5), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    x, line = torch.empty(400, task.n_dim), torch.linspace(-0.5, 0.5, 401)
    task.draw_latents(x, util.generator(0))
    ax.plot(x[:, 0], x[:, 1], ".", ms=2, color="0.75")
    grid = torch.zeros(401, 401, task.n_dim)
    grid[..., 0], grid[..., 1] = line, line[:, None]
    for edge in task.labels(grid.flatten(0, 1)).T.view(-1, 401, 401).float().numpy():
        ax.contour(line, line, edge, [0.5], colors="tab:blue", linewidths=0.8)
    ax.plot(*task.trial["x"][:2], "k*", ms=9)
