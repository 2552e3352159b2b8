"""Why the decoder of the paper plateaus: how r2 with a quadrant held out depends on the decoder.

    python analyze_readouts.py --network Networks/RNN/*nTask24_run*.pth --out readouts

Decoders see three quadrants of x* and are tested on the fourth, each in turn. The network is
frozen; what changes is how a linear decoder of the same states is found (docs/readouts.md):
    penalties   ridge, from next to no penalty to a large one
    paths       Adam: learning rate, number of steps, start, average of the last half of the steps
    shares      how the error of Adam's decoders is made up, see `shares`
Each is saved as an .npz in `out`, Figures/FigReadouts.py draws them. Not in the paper. Networks of
one N_task; a few minutes for five networks on one idle core.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import checkpoint
import decoders
import settings
import util
from decoders import QUADRANTS
from theory import VARIANCE
from util import UserError

PENALTIES = 10.0 ** np.arange(-12, 2.5, 0.5)  # in units of the mean variance of a unit
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # of Adam; those but the paper's stop at its step number
STEPS = tuple(125 * 2**i for i in range(9))  # 125 to 32,000
STARTS = {"default": 1, "zero": 0}  # PyTorch's default start is multiplied by this
EDGES = (0, 1e-3, 0.1, np.inf)  # of bins of directions by variance, in units of their mean
PARTS = "silent units", "variance < 0.001 of mean", "0.001 to 0.1", "> 0.1, constant", "reference"
REFERENCES = ("ridge", "one map")
TESTED = 2**31  # number of the fit whose trials are for tests
Arrays = dict[str, Any]


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/results.md."""

    network: tuple[str, ...]  # checkpoints of networks of one kind and N_task
    out: Path = Path("readouts")  # folder to write into
    overwrite: bool = False  # write into a folder that has files in it
    keep: tuple[str, ...] = ("penalties", "paths", "shares")  # what to work out
    n_step: int = 32000  # of Adam, at most
    n_trial: int = 4096  # test trials per quadrant
    seed: int = 0  # of decoders and their trials


class Nets:
    """The networks of a script's settings, their states, and moments of states for tests."""

    def __init__(self, config: Config):
        util.check_least(config, {"n_step": 2, "n_trial": 100, "seed": 0})
        self.config, self.paths = config, util.find_checkpoints(config.network)
        model, self.configs = checkpoint.load_ensemble(self.paths)
        if len({c["n_task"] for c in self.configs}) > 1:
            raise UserError("networks differ in n_task; one N_task at a time")
        self.splits = decoders.Splits(self.configs[0]["n_dim"])
        self.source = decoders.States(model, self.configs, self.splits)
        drawn = self.source.draw(self.generators(TESTED), config.n_trial)
        self.tested = decoders.quadrant_moments(*drawn)
        papers = {**settings.MEASUREMENTS["generalize"], "n_fit": 1, "seed": config.seed}
        self.papers = SimpleNamespace(**papers)

    def generators(self, fit: int) -> list[torch.Generator]:
        """One generator per network for a fit."""
        return decoders.fit_generators(self.config, self.configs, fit, "cpu")

    def fit(self, find: Any, rngs: Any = None, **changes: Any) -> decoders.Decoders:
        """Decoders as of `decoders.fit_adam`, of one fit, by the paper's settings or `changes`."""
        config, rngs = (
            SimpleNamespace(**{**vars(self.papers), **changes}),
            rngs or self.generators(0),
        )
        weight, bias = find(self.source, self.configs, config, [rngs], tqdm(disable=True))
        return weight[:, 0].double(), bias[:, 0].double()

    def batches(self, rngs: list[torch.Generator], n_batch: int) -> Iterator[list[torch.Tensor]]:
        """Batches of the OOD decoders: states (net * split, trial, unit), x* (..., D)."""
        first, n_split, n = self.configs[0], len(self.splits.train), self.papers.batch_sz
        shape = len(self.configs), 1, 2 * n_split, decoders.CHUNK * n
        chunk = [torch.empty(*shape, first[size]) for size in ("n_neu", "n_dim")]
        for batch in tqdm(range(n_batch), unit=" steps", disable=None):
            at = batch % decoders.CHUNK * n
            if at == 0:
                decoders.fill_chunk(self.source, [rngs], *chunk)
            yield [v[:, 0, :n_split, at : at + n].flatten(0, 1) for v in chunk]

    def r_sq(self, quadrant: int, weight: torch.Tensor, bias: torch.Tensor) -> np.ndarray:
        """r2 in a quadrant (net, decoder) of decoders (net, decoder, unit or 1, D)."""
        error = decoders.squared_error(self.tested, quadrant, weight.double(), bias.double())
        return (1 - error / weight.shape[-1] / VARIANCE).numpy()


class Way:
    """Adam's decoders (net * split, ...) with one learning rate and start, and sums of them."""

    def __init__(self, rate: float, start: list[torch.Tensor]):
        self.rate, self.own = rate, [v.clone().requires_grad_() for v in start]
        self.optimizer = torch.optim.Adam(self.own, lr=rate, fused=True)
        self.total = [torch.zeros_like(v) for v in start]
        self.totals: dict[int, list[torch.Tensor]] = {}  # after steps of which half is asked

    def step(self, states: torch.Tensor, x: torch.Tensor) -> None:
        """One batch."""
        decoders.adam_step(self.optimizer, self.own[0], self.own[1], states, x)
        for total, value in zip(self.total, self.own, strict=True):
            total += value.detach()

    def mean(self, step: int) -> list[torch.Tensor]:
        """Mean decoders of the last half of `step` steps."""
        half = zip(self.total, self.totals[step // 2], strict=True)
        return [(total - before) / (step - step // 2) for total, before in half]


def penalties(nets: Nets) -> Arrays:
    """r2 of ridge by penalty, with the quadrant held out and of the map fitted on all quadrants."""
    drawn = nets.source.draw(nets.generators(0), nets.papers.n_ridge)
    moments, held, one_map = decoders.quadrant_moments(*drawn), [], []
    everywhere = decoders.ridge(moments, QUADRANTS, PENALTIES)
    for split, seen in enumerate(nets.splits.train):
        held.append(nets.r_sq(split, *decoders.ridge(moments, seen, PENALTIES)))
        one_map.append(nets.r_sq(split, *everywhere))
    return {
        "penalty": PENALTIES,  # in units of the mean variance of a unit
        "r_sq": np.stack(held, 1),  # (net, split, penalty)
        "r_sq_one_map": np.stack(one_map, 1),
    }


def paths(nets: Nets) -> Arrays:
    """r2 of Adam's decoders on their way; those of a network see the same trials in one order."""
    papers, n_split = nets.papers, len(nets.splits.train)
    n_batch = decoders.n_batch_of(papers, nets.configs[0])
    steps = sorted({step for step in (*STEPS, n_batch) if step <= nets.config.n_step})
    rngs = nets.generators(0)
    drawn = nets.fit(decoders.fit_adam, rngs, n_batch=0)  # no step: the start
    start = [v[:, :n_split].flatten(0, 1).float() for v in drawn]
    ways = {
        (i, k): Way(rate, [scale * v for v in start])
        for i, rate in enumerate(RATES)
        for k, scale in enumerate(STARTS.values())
    }
    shape = len(RATES), len(STARTS), 2, len(steps), len(nets.configs), n_split
    found = np.full(shape, np.nan)
    for n_done, some in enumerate(nets.batches(rngs, steps[-1]), start=1):
        for at, way in ways.items():
            if n_done > n_batch and way.rate != papers.lr:
                continue
            way.step(*some)
            if n_done in {step // 2 for step in steps}:
                way.totals[n_done] = [total.clone() for total in way.total]
            for kind, pair in enumerate((way.own, way.mean(n_done)) if n_done in steps else ()):
                w, b = (v.detach().unflatten(0, (-1, n_split)) for v in pair)
                r_sq = [nets.r_sq(q, w[:, [q]], b[:, [q]])[:, 0] for q in range(n_split)]
                found[(*at, kind, steps.index(n_done))] = np.stack(r_sq, 1)
    return {
        "r_sq": np.moveaxis(found, 4, 0),  # (net, rate, start, last or mean, step, split)
        "rate": RATES,
        "start": [*STARTS],
        "step": steps,
        "papers": (papers.lr, n_batch),
    }


def shares(nets: Nets) -> Arrays:
    """The squared error of Adam's decoders in the held-out quadrant as a sum of parts.

    With a reference decoder w' of the same states, residuals e = x - w . h and e' = x - w' . h,
        E |e|^2 = E |e'|^2 - E (w - w') . h (e + e'),   because e' - e = (w - w') . h,
    exactly. The second term is linear in w - w', so it is the sum over parts of w - w': weights of
    units silent in the training quadrants; of the others, components along principal directions of
    the states in the training quadrants, binned by their variance there. States are relative to
    their mean in the training quadrants; the constant that is left belongs to the last bin.
    References: ridge of the same three quadrants, and of all four (one map). Units: of r2.
    """
    w, b = nets.fit(decoders.fit_adam)
    w_ridge, b_ridge = nets.fit(decoders.fit_ridge)
    n_split, n_dim = len(nets.splits.train), w.shape[-1]
    found = np.empty((len(w), n_split, len(REFERENCES), len(PARTS)))
    counts = np.empty((len(w), n_split, len(PARTS) - 1))
    for split, seen in enumerate(nets.splits.train):
        hh = nets.tested[0][:, seen].mean(1)
        mean = hh[:, :-1, -1:]
        silent = hh.diagonal(dim1=1, dim2=2)[:, :-1, None] == 0
        values, vectors = torch.linalg.eigh(hh[:, :-1, :-1] - mean @ mean.transpose(1, 2))
        which = np.digitize(values / values.mean(1, keepdim=True), EDGES[1:])
        bins = range(len(EDGES) - 1)
        counts[:, split, 0] = silent.sum((1, 2)).numpy()
        for i in bins:
            counts[:, split, 1 + i] = (which == i).sum(1)
        counts[:, split, 1] -= counts[:, split, 0]  # silent units are directions without variance
        hh, hx, _ = (m[:, split] for m in nets.tested)
        for i, other in enumerate((split, n_split + split)):
            d, d_b = w[:, split] - w_ridge[:, other], b[:, split] - b_ridge[:, other]
            total = torch.cat([w[:, split] + w_ridge[:, other], b[:, split] + b_ridge[:, other]], 1)
            slope = 2 * hx - hh @ total  # E h (e + e')
            by_unit = slope[:, :-1] - mean @ slope[:, -1:]
            along = vectors.transpose(1, 2) @ (d * ~silent)
            inside = [vectors @ (along * torch.tensor(which == i)[..., None]) for i in bins]
            errors = [-(part * by_unit).sum((1, 2)) for part in (d * silent, *inside)]
            constant = d_b + mean.transpose(1, 2) @ d
            errors[-1] -= (constant * slope[:, -1:]).sum((1, 2))
            pair = (v[:, other : other + 1] for v in (w_ridge, b_ridge))
            errors.append(decoders.squared_error(nets.tested, split, *pair)[:, 0])
            found[:, split, i] = torch.stack(errors, 1).numpy() / n_dim / VARIANCE
    return {
        "parts": found,  # (net, split, reference, part), adds up to 1 - r2 of Adam's decoders
        "reference": REFERENCES,
        "part": PARTS,
        "counts": counts,  # (net, split, part): silent units, other directions in each bin
    }


ANALYSES = {"penalties": penalties, "paths": paths, "shares": shares}


def main(config: Config) -> None:
    """Work out, save, print."""
    if unknown := set(config.keep) - set(ANALYSES):
        raise UserError(f"keep: no analysis {min(unknown)}; analyses: {', '.join(ANALYSES)}")
    nets, out = Nets(config), util.make_folder(config.out)
    if any(out.iterdir()) and not config.overwrite:
        raise UserError(f"{out}: has files in it; another --out, or --overwrite")
    about = util.about_arrays(util.provenance(config, nets.paths))
    for name in config.keep:
        found = ANALYSES[name](nets)
        util.save_npz(out / f"{name}.npz", **found, n_task=[nets.configs[0]["n_task"]], **about)
    print(f"saved {', '.join(config.keep)} in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
