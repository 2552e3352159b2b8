"""How sparse representations are: lifetime sparseness and the share of active units (Figure S6).

    python sparsity.py --networks trained_networks --out Data/results.csv

A unit's lifetime sparseness over m noise-free stimuli is (1 - mean(r)^2 / mean(r^2)) / (1 - 1/m),
of its output r at the last stimulus step: 0 for a constant unit, 100 % for one that responds to a
single stimulus and for dead units, r = 0. A network's sparsity is the mean over its units. Active
are outputs that are not 0, in % of units x stimuli; this says something for ReLU units only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats

import batches
import decoders
import released
import settings
import table
import tasks
import util
from checkpoint import load_ensemble
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/protocol.md."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    out: Path | None = None  # .csv table, or .npz; None: results.csv beside the networks
    overwrite: bool = False  # replace an .npz that is there, rows made with other settings
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as 'n_task=24'
    n_stimulus: int = 1000  # m, noise-free stimuli
    confidence: float = 0.95  # of the intervals of the mean over networks
    seed: int = 0  # of the stimuli

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        util.check_least(self, {"n_stimulus": 2, "seed": 0})
        if not 0 < self.confidence < 1:
            raise UserError(f"confidence lies between 0 and 1, not {self.confidence}")


AT_ONCE = 250  # stimuli per forward pass


def lifetime_sparseness(rates: np.ndarray) -> np.ndarray:
    """(..., stimulus, unit) -> lifetime sparseness in % (..., unit), 100 for dead units."""
    rates = np.asarray(rates, np.float64)
    m, mean_of_squares = rates.shape[-2], (rates**2).mean(-2)
    dead = mean_of_squares == 0
    ratio = rates.mean(-2) ** 2 / np.where(dead, 1, mean_of_squares)
    return np.where(dead, 100, 100 * (1 - ratio) / (1 - 1 / m))


def interval(values: np.ndarray, confidence: float) -> np.ndarray:
    """t-interval of the mean over networks, lower and upper end; NaN for fewer than two."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.full(2, np.nan)
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return values.mean() + half * np.array([-1, 1])


def sparsity(model: Any, configs: list[settings.Config], config: Config) -> dict[str, np.ndarray]:
    """sparsity, active and dead of each network, (1, net), in %."""
    seeds = [settings.seeds_of(c)["task"] for c in configs]
    quiet = [tasks.make_task({**c, "n_sd_in": 0.0}, s) for c, s in zip(configs, seeds, strict=True)]
    rngs = decoders.fit_generators(config, configs, 0, "cpu")
    inputs, _, _ = batches.sample(quiet, rngs, config.n_stimulus)
    until_last = inputs[:, :, : quiet[0].steps["stimulus"].stop].split(AT_ONCE, 1)
    with torch.no_grad():
        rates = torch.cat([model.represent_last(x) for x in until_last], 1).numpy()
    sparse, active = lifetime_sparseness(rates).mean(1), 100 * (rates != 0).mean((1, 2))
    dead = 100 * (rates == 0).all(1).mean(1)
    return {"sparsity": sparse[None], "active": active[None], "dead": dead[None]}


def report(found: dict[str, np.ndarray], configs: list, confidence: float) -> str:
    """The table, as Markdown."""
    header = ["N_task", "networks", f"sparsity, mean [{100 * confidence:g} %]"]
    of_net, rows = np.array([c["n_task"] for c in configs]), []
    for n_task in np.unique(of_net):
        own = {name: values[0, of_net == n_task] for name, values in found.items()}
        low, high = interval(own["sparsity"], confidence)
        texts = [f"{values.mean():.1f} %" for values in own.values()]
        texts[0] += f" [{low:.1f}, {high:.1f}]" if np.isfinite(low) else ""
        rows.append([n_task, len(own["sparsity"]), *texts])
    return util.markdown([*header, "active", "dead units"], rows)


def main(config: Config) -> None:
    """Measure, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = load_ensemble(paths, config.assume)
    networks = dict(zip(paths, configs, strict=True))
    out, entries = table.destination("sparsity", config, networks)
    if out.suffix == ".npz" and out.exists() and not config.overwrite:
        raise UserError(f"{out}: is there already; another --out, or --overwrite")
    found = sparsity(model, configs, config)
    if out.suffix == ".csv":
        rows = table.rows_of(found, configs, pd.DataFrame({"series": [""]}))
        table.put(out, rows, {k: util.provenance(config, own) for k, own in entries.items()})
    else:
        arrays = released.on_grid(found, configs)
        ends = [interval(row, config.confidence) for row in arrays["sparsity"]]
        about = util.about_arrays(util.provenance(config, paths))
        util.save_npz(out, **arrays, confidence_intervals=ends, **about)
    shown = report(found, configs, config.confidence)
    print(f"{shown}\nt-interval over networks; saved in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
