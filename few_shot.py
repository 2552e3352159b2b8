"""New tasks from few examples: how many labelled trials a frozen network needs for a new boundary.

    python few_shot.py --networks trained_networks --out Data/results.csv

A new task is a boundary c . x = b that no network was trained on: a random direction c, and b
uniform within +-`offset`, so that it misses the centre. Logistic regression learns its labels from
the representation at the last step of k noisy trials, and is tested on others, everywhere. Out of
distribution it learns from k trials of three quadrants and is tested in the fourth, each in turn.
The smaller sets of examples are part of the larger ones. Accuracy is the mean over boundaries, and
quadrants. Networks that differ in architecture only share trials; boundaries are always the same.

One rule for every representation. States are divided by one number, the root mean square distance
of the k examples from their mean, so that their geometry stays as it is. L2 regularisation expects
weights of variance C = 100, a round number near that of the optimal weights if states hold x*
alone: the logit 1.7 c . x sqrt(t) / sigma (`theory.probit_constant`), so scaled, has 120 at t = 20,
sigma = 0.2, D = 2. Where all examples are of one class, as with k = 1, it is predicted everywhere.

`optimum` is the accuracy of the best observer, who knows the boundary; `chance` that of the best
constant answer. Examples to 90 %: the smallest k whose accuracy is chance + 0.9 (optimum - chance),
linear in log k between those measured; inf where the largest k does not reach it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import qmc
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

import decoders
import settings
import table
import theory
import util
from checkpoint import load_ensemble
from decoders import QUADRANTS
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/beyond.md."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    out: Path | None = None  # .csv table; None: results.csv beside the networks
    overwrite: bool = False  # replace rows made with other settings
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as 'n_task=24'
    n_example: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # k, rising
    n_boundary: int = 20  # new tasks
    offset: float = 0.1  # largest distance of a boundary from the centre
    C: float = 100.0  # inverse strength of the L2 regularisation
    n_test: int = 2000  # test trials; a quarter of them in each quadrant
    seed: int = 0  # of boundaries and trials

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        util.check_least(self, {"n_boundary": 1, "n_test": 4, "seed": 0})
        k = list(self.n_example)
        if not k or k[0] < 1 or k != sorted(set(k)):
            raise UserError(f"n_example are numbers from 1, rising, not {' '.join(map(str, k))}")
        if not 0 <= self.offset < 0.5:
            raise UserError(f"offset lies from 0 to below 0.5, not {self.offset}")
        if not 0 < self.C < np.inf:
            raise UserError(f"C must be a positive number, not {self.C}")


LEVEL = 0.9  # share of what can be learned, to which examples are counted
Boundaries = tuple[np.ndarray, np.ndarray]  # normals c (boundary, D), offsets b (boundary,)


def new_boundaries(config: Config, n_dim: int) -> Boundaries:
    """The new tasks."""
    rng = np.random.default_rng(config.seed)
    normals = rng.standard_normal((config.n_boundary, n_dim))
    offsets = rng.uniform(-config.offset, config.offset, config.n_boundary)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True), offsets


def limits(boundaries: Boundaries, sd: float) -> tuple[float, float]:
    """Optimum and chance, mean over boundaries; a trial's samples have the mean x* + N(0, sd^2)."""
    normals, offsets = boundaries
    u, v = np.split(qmc.Sobol(2 * normals.shape[1], seed=0).random(8192), 2, 1)
    p = theory.label_probability(u - 0.5 + sd * ndtri(v), normals, sd, offsets)
    share = ((u - 0.5) @ normals.T > offsets).mean(0)
    return float(np.maximum(p, 1 - p).mean()), float(np.maximum(share, 1 - share).mean())


def learn(states: np.ndarray, labels: np.ndarray, C: float) -> tuple[np.ndarray, float]:
    """Weight (unit,) and bias by logistic regression on states (trial, unit), labels (trial,)."""
    if labels.all() or not labels.any():
        return np.zeros(states.shape[1]), labels[0] - 0.5
    mean = states.mean(0)
    scale = np.sqrt(((states - mean) ** 2).sum(1).mean()) or 1.0
    fitted = LogisticRegression(C=C, max_iter=1000).fit((states - mean) / scale, labels)
    weight = fitted.coef_[0] / scale
    return weight, fitted.intercept_[0] - weight @ mean


def accuracy(
    pool: list[np.ndarray],
    test: list[np.ndarray],
    boundaries: Boundaries,
    rng: torch.Generator,
    config: Config,
) -> np.ndarray:
    """Accuracy of one network (2, k): everywhere, and in a held-out quadrant.

    Args:
        pool: states (quadrant, trial, unit) and x (quadrant, trial, D) of which examples are taken.
        test: the same, of the test trials.
        rng: generator that takes examples anew for each boundary.
    """
    (h, x), (h_test, x_test) = ([v.reshape(-1, v.shape[2]) for v in each] for each in (pool, test))
    own, tested = (np.repeat(QUADRANTS, each[0].shape[1]) for each in (pool, test))
    found = np.zeros((2, len(config.n_example)))
    for c, b in zip(*boundaries, strict=True):
        labels, truth = x @ c > b, x_test @ c > b
        order = torch.randperm(len(x), generator=rng).numpy()
        for held_out in (None, *QUADRANTS):
            seen = order if held_out is None else order[own[order] != held_out]
            there = slice(None) if held_out is None else tested == held_out
            for i, k in enumerate(config.n_example):
                weight, bias = learn(h[seen[:k]], labels[seen[:k]], config.C)
                hits = (h_test[there] @ weight + bias > 0) == truth[there]
                found[int(held_out is not None), i] += hits.mean()
    return found / (config.n_boundary * np.array([[1], [len(QUADRANTS)]]))


def examples_to(level: float, curve: np.ndarray, n_example: tuple[int, ...]) -> float:
    """The number of examples at which accuracy (k,) first is `level`; inf where it never is."""
    if not (curve >= level).any():
        return np.inf
    i = int((curve >= level).argmax())
    if i == 0:
        return float(n_example[0])
    return float(np.exp(np.interp(level, curve[[i - 1, i]], np.log(n_example[i - 1 : i + 1]))))


def few_shot(model: Any, configs: list[settings.Config], sd: float, config: Config) -> dict:
    """The measures of `table.FEW_SHOT`, (1, net) or (1, net, k); `sd` as in `limits`."""
    source = decoders.States(model, configs, decoders.Splits(configs[0]["n_dim"]))
    boundaries = new_boundaries(config, configs[0]["n_dim"])
    rngs = decoders.fit_generators(config, configs, 0, "cpu")
    n_trials = -(-config.n_example[-1] // 3), config.n_test // 4  # three quadrants hold all k
    pools, tests = ([v.double().numpy() for v in source.draw(rngs, n)] for n in n_trials)
    optimum, chance = limits(boundaries, sd)
    level, each = chance + LEVEL * (optimum - chance), []
    for net, rng in enumerate(tqdm(rngs, unit=" networks", disable=None)):
        pool, test = ([v[net] for v in own] for own in (pools, tests))
        curves = accuracy(pool, test, boundaries, rng, config)
        needed = [examples_to(level, curve, config.n_example) for curve in curves]
        each.append([*curves, *needed, optimum, chance])
    measured = zip(table.FEW_SHOT, zip(*each, strict=True), strict=True)
    return {name: np.array(values)[None] for name, values in measured}


def report(found: dict[str, np.ndarray], configs: list, config: Config) -> str:
    """The table, as Markdown."""
    of_net, rows = np.array([c["n_task"] for c in configs]), []
    for n_task in np.unique(of_net):
        own = {name: values[0, of_net == n_task] for name, values in found.items()}
        for name, test in (("few_shot", "everywhere"), ("few_shot_quadrant", "quadrant held out")):
            needed = own[f"{name}_90"]
            texts = [f"{value:.3f}" for value in np.median(own[name], 0)]
            ends = f"{np.median(needed):.3g} [{needed.min():.3g}, {needed.max():.3g}]"
            rows.append([n_task, len(needed), test, *texts, ends])
    optimum, chance = (found[f"few_shot_{end}"][0, 0] for end in ("optimum", "chance"))
    header = ["N_task", "networks", "tested", *config.n_example, "examples to 90 % [range]"]
    words = f"optimum {optimum:.3f}, chance {chance:.3f}"
    shown = f"accuracy by number of examples, median over networks; {words}"
    return f"{util.markdown(header, rows)}\n{shown}"


def main(config: Config) -> None:
    """Measure, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = load_ensemble(paths, config.assume)
    times = table.time_columns(configs[0])
    sd = theory.sigma_of(configs[0]) / np.sqrt(times["t"][0])
    if not sd > 0:
        raise UserError(f"{paths[0]}: the optimum is known for white Gaussian noise of inputs only")
    out, entries = table.destination("few_shot", config, dict(zip(paths, configs, strict=True)))
    found = few_shot(model, configs, sd, config)
    rows = table.rows_of(found, configs, times)
    rows["n_example"] = rows["n_example"].map(dict(enumerate(config.n_example)))
    table.put(out, rows, {k: util.provenance(config, own) for k, own in entries.items()})
    print(f"{report(found, configs, config)}\nsaved in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
