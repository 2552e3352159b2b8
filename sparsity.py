"""How sparse representations are: lifetime sparseness and the share of active units (SPEC 7, S6).

    python sparsity.py --networks trained_networks --out Data/FigS6/arc/sparsity_RNN.npz

For networks of one kind, gpt-2 too, by N_task and run. A unit's lifetime sparseness over m
noise-free stimuli is S = (1 - mean(r)^2 / mean(r^2)) / (1 - 1/m), of its output r at the last
stimulus step: 0 for a constant unit, 100 % for one that responds to a single stimulus; dead units,
r = 0 for all stimuli, count as 100 %. A network's sparsity is the mean over its units. Active are
outputs that are not 0, in % of units x stimuli; this says something for ReLU units only.
"""

import ctrl_c  # noqa: F401

# isort: split
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats

import generalize
import tasks
import util
from model import axes_of, load_ensemble
from train import seeds_of
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    out: Path | None = None  # .npz to write; None: sparsity.npz beside the networks
    overwrite: bool = False  # replace an .npz that is there
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as 'n_task=24'
    n_stimulus: int = 1000  # m, noise-free stimuli
    confidence: float = 0.95  # of the intervals of the mean over networks
    seed: int = 0  # of the stimuli

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        if self.n_stimulus < 2:
            raise UserError(f"n_stimulus must be at least 2, not {self.n_stimulus}")
        if not 0 < self.confidence < 1:
            raise UserError(f"confidence lies between 0 and 1, not {self.confidence}")
        if self.seed < 0:
            raise UserError(f"seed must be at least 0, not {self.seed}")
        if self.out is not None and self.out.suffix != ".npz":
            raise UserError(f"out must end in .npz, not {self.out.name}")


AT_ONCE = 250  # stimuli per forward pass


def last_rates(model, configs, config):
    """Outputs at the last stimulus step of noise-free trials, (net, stimulus, unit)."""
    quiet = [tasks.make_task({**c, "n_sd_in": 0.0}, seeds_of(c)["task"]) for c in configs]
    rngs = generalize.fit_generators(config, configs, 0, "cpu")
    inputs, _, _ = tasks.sample(quiet, rngs, config.n_stimulus)
    until_last = inputs[:, :, : quiet[0].steps["stimulus"].stop]
    return torch.cat([model.represent_last(some) for some in until_last.split(AT_ONCE, 1)], 1)


def lifetime_sparseness(rates):
    """Lifetime sparseness in % of each unit.

    Args:
        rates: (..., stimulus, unit).

    Returns:
        (..., unit); 100 for dead units.
    """
    rates = np.asarray(rates, np.float64)
    m, mean_of_squares = rates.shape[-2], (rates**2).mean(-2)
    dead = mean_of_squares == 0
    ratio = rates.mean(-2) ** 2 / np.where(dead, 1, mean_of_squares)
    return np.where(dead, 100, 100 * (1 - ratio) / (1 - 1 / m))


def interval(values, confidence):
    """t-interval of the mean over networks, lower and upper end; NaN for fewer than two."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.full(2, np.nan)
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return values.mean() + half * np.array([-1, 1])


def sparsity(paths, config):
    """Measure networks of one kind.

    Args:
        paths: their checkpoints.
        config: `Config`.

    Returns:
        dict of arrays in %, NaN where a network is not there: sparsity, active, dead (n_tasks,
        runs); confidence_intervals (n_tasks, 2) of the mean sparsity over runs; n_tasks, runs.
    """
    model, configs = load_ensemble(paths, config.assume)
    n_tasks, runs = axes_of(configs)
    with torch.no_grad():
        rates = last_rates(model, configs, config).numpy()
    per_net = {
        "sparsity": lifetime_sparseness(rates).mean(1),
        "active": 100 * (rates != 0).mean((1, 2)),
        "dead": 100 * (rates == 0).all(1).mean(1),
    }
    out = {key: np.full((len(n_tasks), len(runs)), np.nan) for key in per_net}
    for net, c in enumerate(configs):
        for key, values in per_net.items():
            out[key][n_tasks.index(c["n_task"]), runs.index(c["run"])] = values[net]
    ends = [interval(row, config.confidence) for row in out["sparsity"]]
    return {
        **out,
        "confidence_intervals": np.array(ends),
        "n_tasks": np.array(n_tasks),
        "runs": np.array(runs),
    }


def report(result, config):
    """The table, as Markdown."""
    header = ["N_task", "networks", f"sparsity, mean [{100 * config.confidence:g} %]"]
    header += ["active", "dead units"]
    rows = []
    for i, n_task in enumerate(result["n_tasks"]):
        mean = {key: np.nanmean(result[key][i]) for key in ("sparsity", "active", "dead")}
        low, high = result["confidence_intervals"][i]
        row = [n_task, np.isfinite(result["sparsity"][i]).sum()]
        ends = f" [{low:.1f}, {high:.1f}]" if np.isfinite(low) else ""
        row += [f"{mean['sparsity']:.1f} %{ends}"]
        rows.append(row + [f"{mean[key]:.1f} %" for key in ("active", "dead")])
    return util.table(header, rows)


def main(config):
    """Measure, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    out = config.out or paths[0].parent / "sparsity.npz"
    util.make_folder(out.parent)
    if out.exists() and not config.overwrite:
        raise UserError(f"{out}: is there already; another --out, or --overwrite")
    result = sparsity(paths, config)
    util.save_npz(out, **result, **util.provenance(config, paths))
    print(f"{report(result, config)}\nt-interval over networks; saved in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
