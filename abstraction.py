"""How abstract a representation of two factors is: CCGP and parallelism score, with their chance.

Source: Bernardi et al. 2020, "The geometry of abstraction in the hippocampus and prefrontal
cortex", Cell. Conditions are the quadrants of x*, by the signs of two factors: (-,-), (-,+), (+,-),
(+,+). Arrays of states are (net, quadrant, trial, unit).

CCGP, cross-condition generalisation performance: a linear classifier of the sign of one factor is
trained where the other factor is negative and tested where it is positive, and the other way round;
the share of trials that it gets right. Input noise keeps it below 1: the sign of the mean of t
samples is right in 1 - sqrt(2 / pi) sigma / sqrt(t) of the trials, 0.964 at t = 20.
Parallelism score: the cosine between the coding directions of one factor, the difference of its two
class means, where the other factor is negative and where it is positive.
Chance comes from a geometric null, see `scrambled`: 0.5 and 0 on average.

The same measures, and the held-out r2 of section 3.1, of recordings (docs/own_data.md):

    python abstraction.py FILE.npz --out table.csv      rates (trial, unit) and x (trial, D) in it
"""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import tyro
from torch import Generator, Tensor
from tqdm import tqdm

import decoders
import settings
import table
import util
from theory import VARIANCE
from util import UserError

N_TRIAL = 192  # trials per quadrant and fit; as many train as test the classifiers
N_DRAW = 20  # draws of the null per fit; fewer have no 5 % quantile
RIDGE = 1.0  # penalty of the classifier, in units of the mean variance of a unit within quadrants
TAILS = [0.05, 0.95]  # quantiles of the null
PAIRS = [[[0, 2], [1, 3]], [[0, 1], [2, 3]]]  # quadrants by (factor, half of the other, sign)


def means_of(states: Tensor) -> Tensor:
    """Mean of each quadrant, (net, quadrant, unit); UserError for a wrong shape or numbers."""
    if states.ndim != 4 or states.shape[1] != 4 or states.shape[2] < 2:
        wanted = "(net, 4 quadrants, 2 or more trials, unit)"
        raise UserError(f"states must be {wanted}, not {tuple(states.shape)}")
    mean = states.mean(2)
    if not mean.isfinite().all():
        raise UserError("states must be finite")
    return mean


def ccgp(states: Tensor) -> Tensor:
    """CCGP (net, factor), mean over both directions.

    The classifier is Fisher's linear discriminant with a ridge, in closed form. Without the ridge
    it uses directions of tiny variance and generalises worse; at 1 it agrees with scikit-learn's
    LinearSVC within 0.012 (medians of five networks of Networks/RNN and gpt-2, N_task = 24).
    """
    mean, pairs = means_of(states), torch.tensor(PAIRS, device=states.device)
    noise = states - mean[:, :, None]
    within = (noise.transpose(2, 3) @ noise / noise.shape[2])[:, pairs].mean(3).double()
    ridge = within.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-30)  # if nothing varies
    eye = torch.eye(states.shape[3], dtype=within.dtype, device=states.device)
    low, high = mean[:, pairs].unbind(3)  # (net, factor, half, unit)
    difference = (high - low).double()
    weight = torch.linalg.solve(within + RIDGE * ridge[..., None, None] * eye, difference)
    weight = (weight * ridge[..., None]).to(states.dtype)
    threshold = (weight * (low + high)).sum(-1) / 2
    other_half = states[:, pairs.flip(1)]  # (net, factor, half, sign, trial, unit)
    output = (other_half @ weight[:, :, :, None, :, None]).squeeze(-1)
    chosen = output > threshold[..., None, None]
    truth = torch.tensor([False, True], device=states.device)[:, None]
    return (chosen == truth).double().mean((2, 3, 4))


def parallelism(states: Tensor) -> Tensor:
    """Parallelism score (net, factor); NaN where a class difference is nothing but rounding."""
    mean = means_of(states)
    low, high = mean[:, torch.tensor(PAIRS, device=mean.device)].unbind(3)
    coding = high - low  # directions (net, factor, half, unit)
    lengths, rounding = coding.norm(dim=-1), 1e-6 * mean.norm(dim=-1).amax(1)[:, None, None]
    cosine = coding.prod(2).sum(-1) / lengths.prod(2)
    return cosine.where((lengths > rounding).all(2), torch.nan)


def scrambled(states: Tensor, generators: list[Generator]) -> Tensor:
    """One draw of the geometric null: states whose quadrants are as decodable, geometry gone.

    The mean of each quadrant moves to a random isotropic place, the sum of squared distances of the
    four from their centre kept. The noise around each mean has its units permuted, in each quadrant
    differently. Both happen among the units that respond at all: a silent unit stays silent.
    """
    mean = means_of(states)
    shape, centre = mean.shape[1:], mean.mean(1, keepdim=True)
    silent = (states == states[:, :1, :1]).all(2).all(1)[:, None]  # (net, 1, unit)
    drawn = torch.stack([torch.randn(shape, generator=g, device=g.device) for g in generators])
    places = drawn.to(mean.dtype).masked_fill(silent, 0)
    places = places - places.mean(1, keepdim=True)
    spread, size = (v.norm(dim=(1, 2), keepdim=True) for v in (mean - centre, places))
    places = centre + places * spread / size.clamp_min(1e-30)
    keys = torch.stack([torch.rand(shape, generator=g, device=g.device) for g in generators])
    source = (keys + silent).argsort(2)  # responding units in random order, then the silent ones
    target = silent.int().argsort(dim=2, stable=True).expand_as(source)
    order = torch.empty_like(source).scatter(2, target, source)
    noise = (states - mean[:, :, None]).gather(3, order[:, :, None].expand_as(states))
    return places[:, :, None] + noise


MEASURES = {"ccgp": ccgp, "parallelism": parallelism}


def abstraction(
    source: Any, generators: list[list[Generator]], n_trial: int = N_TRIAL
) -> dict[str, np.ndarray]:
    """CCGP and parallelism of networks, each fit from fresh trials, and their chance.

    Args:
        source: `decoders.States`, or `Recorded`.
        generators: per fit one for each network.
        n_trial: per quadrant and fit.

    Returns:
        ccgp, parallelism (net, fit, factor); ccgp_chance, parallelism_chance (net, factor, 3),
        mean, 5 % and 95 % quantile over fits and draws of the null.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in MEASURES}
    for rngs in generators:
        states, _ = source.draw(rngs, n_trial)
        for draw in range(1 + N_DRAW):
            some = scrambled(states, rngs) if draw else states
            for name, measure in MEASURES.items():
                found[name].append(measure(some))
    out = {}
    for name, values in found.items():
        every = torch.stack(values).unflatten(0, (len(generators), -1)).cpu().numpy()
        null = every[:, 1:].reshape(-1, *every.shape[2:])  # (fit and draw, net, factor)
        ends = np.quantile(null, TAILS, 0, method="weibull")  # unbiased for few draws
        out[name] = every[:, 0].swapaxes(0, 1).astype(np.float64)
        out[f"{name}_chance"] = np.stack([null.mean(0), *ends], -1).astype(np.float64)
    return out


# ------------------------------------------------------------------ recordings

NAMES = ["(-,-)", "(-,+)", "(+,-)", "(+,+)"]  # of quadrants
CHANCE = ["_chance", "_chance_5", "_chance_95"]  # mean and quantiles, as table.py names them


@dataclass
class Recorded(decoders.States):
    """Recorded trials in the place of those that a network can be shown anew.

    Trials of a quadrant come in random order, all of them again once they are used up. So they
    weigh the same, and so do quadrants, however many trials they have.
    """

    rates: Tensor  # (trial, unit)
    x: Tensor  # (trial, D)
    rows: list[Tensor]  # per quadrant, or part of one, the trials to draw from
    orders: Tensor  # (net, trial), with which trial's rates each x goes: further nets are shuffles
    splits: Any  # decoders.Splits

    def draw(self, generators: list[Generator], n_trial: int) -> tuple[Tensor, Tensor]:
        """States (net, quadrant, n_trial, unit), x (net, quadrant, n_trial, D)."""
        picked = torch.empty(len(generators), len(self.rows), n_trial, dtype=torch.long)
        for net, rng in enumerate(generators):
            for part, own in enumerate(self.rows):
                rounds = range(-(-n_trial // len(own)))
                again = [torch.randperm(len(own), generator=rng) for _ in rounds]
                picked[net, part] = own[torch.cat(again)[:n_trial]]
        order = self.orders[torch.arange(len(picked))[:, None, None], picked]
        return self.rates[order], self.x[picked]

    def fold(self, fold: int, n_fold: int) -> tuple["Recorded", "Recorded"]:
        """Trials of every quadrant to test with, one part of `n_fold`, and all others."""
        parts = [[own[i::n_fold] for i in range(n_fold)] for own in self.rows]
        test = [own.pop(fold) for own in parts]
        return replace(self, rows=test), replace(self, rows=list(map(torch.cat, parts)))

    def divided(self, n: int) -> "Recorded":
        """Quadrants in n parts each; ridge leaves these out to choose its penalty."""
        rows = [own[i::n] for own in self.rows for i in range(n)]
        train = [[n * q + i for q in seen for i in range(n)] for seen in self.splits.train]
        return replace(self, rows=rows, splits=SimpleNamespace(train=train))


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """rates (trial, unit) and x (trial, D) of a file; UserError for what cannot be measured."""
    arrays = util.load_npz(path, ("rates", "x"))
    for name, last in (("rates", "unit"), ("x", "factor")):
        values = arrays[name]
        if values.ndim != 2 or not values.size or values.dtype.kind not in "biuf":
            wants = f"numbers (trial, {last}), not {values.dtype} {values.shape}"
            raise UserError(f"{path}: {name} must be {wants}")
        if (bad := ~np.isfinite(values).all(1)).any():
            where = f"{bad.sum()} of {len(bad)} trials, first in trial {bad.argmax()} from 0"
            raise UserError(f"{path}: {name} is NaN or infinite in {where}; leave them out")
        if name == "x" and len(np.unique(values, axis=0)) == 1:
            raise UserError(f"{path}: x is the same in all trials")
    rates, x = (arrays[name].astype(np.float64) for name in ("rates", "x"))
    if len(rates) != len(x):
        raise UserError(f"{path}: rates has {len(rates)} trials, x has {len(x)}")
    if x.shape[1] < 2:
        raise UserError(f"{path}: x needs two factors or more, not {x.shape[1]}")
    return rates, x


def prepare(rates: np.ndarray, x: np.ndarray, splits: Any, centre: tuple) -> list[Any]:
    """A recording as decoders take it: rates, x, and the trials of each quadrant.

    x is 0 at the cut, and its variance, quadrants weighing the same, is `theory.VARIANCE`, that of
    networks' x*: r2 = 1 - MSE / variance. Rates have the mean 0 and, over units, the variance 1.
    """
    if len(centre) not in (0, x.shape[1]):
        raise UserError(f"centre needs one number for each of {x.shape[1]} factors, or none")
    two = [len(np.unique(factor)) == 2 for factor in x.T]
    x = x - (centre or np.where(two, (x.min(0) + x.max(0)) / 2, np.median(x, 0)))
    if len(splits.train) == 2 and two[splits.factors[0]]:
        raise UserError("split_var: a decoder cannot learn a label from one of its two values")
    which = (x[:, splits.factors] > 0) @ (2, 1)
    rows = [np.flatnonzero(which == quadrant) for quadrant in decoders.QUADRANTS]
    few = min(rows, key=len)
    if len(few) < 2:
        names = " and ".join(str(factor + 1) for factor in splits.factors)
        where = f"of factors {names} has {len(few)} trials and needs 2 or more"
        raise UserError(
            f"quadrant {NAMES[list(map(len, rows)).index(len(few))]} {where}; see --centre"
        )
    mean = np.mean([x[own].mean(0) for own in rows], 0)
    variance = np.mean([((x[own] - mean) ** 2).mean(0) for own in rows], 0)
    if not variance.all():
        raise UserError(f"factor {variance.argmin() + 1} of x never changes")
    active = rates.std(0) > 1e-9 * abs(rates).max(0)
    if not active.any():
        raise UserError("no unit's rate ever changes")
    if not active.all():
        print(f"left out: {(~active).sum()} of {active.size} units, whose rate never changes")
    rates = (rates - rates.mean(0))[:, active]
    scaled = rates / np.sqrt(rates.var(0).mean()), x * np.sqrt(VARIANCE / variance)
    return [*(torch.tensor(v).float() for v in scaled), [torch.tensor(own) for own in rows]]


def decode(source: Recorded, rngs: list[Generator], config: "Config") -> dict[str, np.ndarray]:
    """Fit and test decoders by cross-validation, of the recording and its shuffles side by side.

    Returns:
        ID, quadrant (net, split, fold), angles, angles_ID (net, split, fold, D, D).
    """
    made = {**settings.MEASUREMENTS["generalize"], "n_fit": 1, "n_batch": 1000}
    counts = [len(own) for own in source.rows]
    n_fold = min(config.n_fold, *counts)
    factors = source.x[:, source.splits.factors].T
    has_labels = min(len(factor.unique()) for factor in factors) == 2
    # Two quadrants leave a label constant; then parts of quadrants are left out, for the penalty
    n_part = min(n_fold, *(n - -(-n // n_fold) for n in counts)) if has_labels else 1
    options = SimpleNamespace(**{**made, "n_ridge": max(made["n_ridge"] // n_part, *counts)})
    shape = {"n_neu": source.rates.shape[1], "n_dim": source.x.shape[1]}
    fit = decoders.fit_ridge if config.decoder == "ridge" else decoders.fit_adam
    found: dict[str, list[np.ndarray]] = {}
    with tqdm(unit=" network steps", disable=None) as show:
        for fold in range(n_fold):
            test, train = source.fold(fold, n_fold)
            train = train.divided(n_part) if config.decoder == "ridge" else train
            weight, bias = fit(train, [shape] * len(rngs), options, [rngs], show)
            n_test = max(made["n_test"], 4 * max(map(len, test.rows)))  # of four quadrants in ID
            new = decoders.test_decoders(test, n_test, [rngs], weight, bias)
            both = np.split(weight.transpose(1, 2).numpy(), 2, axis=1)
            new |= zip(("angles", "angles_ID"), map(decoders.column_angles, both), strict=True)
            for name, values in new.items():
                found.setdefault(name, []).append(values)
    return {name: np.concatenate(values, 2) for name, values in found.items()}


def rows_of(found: dict[str, np.ndarray], n_dim: int, config: "Config") -> pd.DataFrame:
    """Rows as of generalize.py; the condition is the file's name, the network 'recording'.

    Rows of chance, of r2 and of angles too, are those of `CHANCE`.
    """
    series = "" if config.split_var is None else f"split_var{config.split_var}"
    own = settings.paper_settings("recording") | {"n_dim": n_dim}
    times, frames = pd.DataFrame({"series": [series]}), []
    for name, angles in (("ID", "angles_ID"), ("quadrant", "angles")):
        both = [found[name], found[angles]]
        of_shuffles = [chance(values[1:].mean(2, keepdims=True)) for values in both]
        for end, values in zip(["", *CHANCE], [both, *zip(*of_shuffles, strict=True)], strict=True):
            r_sq = dict(zip(("r_sq", "angles"), (v[None, :1] for v in values), strict=True))
            rows = table.rows_of(r_sq, [own], times, config.decoder, f"{name}{end}")
            frames.append(rows.replace({"measure": {"angles": f"angles{end}"}}))
    same = {k: v[None] for k, v in found.items() if k.startswith(tuple(MEASURES))}
    frames.append(table.rows_of(same, [own], times, config.decoder))
    rows = table.joined(frames).assign(n_task=None, run=None)
    return rows.assign(condition=config.file.stem, settings="")


def chance(values: np.ndarray) -> np.ndarray:
    """Mean, 5 % and 95 % quantile over the first axis, (3, 1, ...)."""
    ends = np.quantile(values, TAILS, 0, method="weibull")
    return np.stack([values.mean(0), *ends])[:, None]


def report(found: dict[str, np.ndarray], splits: Any) -> str:
    """The results as a Markdown table: mean over folds, and chance."""
    lines = {"r2, ID": found["ID"].mean((1, 2))}
    for split, quadrants in enumerate(splits.test):
        name = " ".join(NAMES[quadrant] for quadrant in quadrants)
        lines[f"r2, {name} held out"] = found["quadrant"][:, split].mean(1)
    lines["r2, held out, mean"] = found["quadrant"].mean((1, 2))
    lines["angle between decoders, degrees"] = np.nanmean(found["angles"], (1, 2, 3, 4))
    rows = []
    for name, values in lines.items():
        rows.append((name, values[0], *chance(values[1:])[:, 0]))
    for name, word in (("ccgp", "CCGP"), ("parallelism", "parallelism")):
        for i, factor in enumerate(splits.factors):
            own = found[name][0, :, i].mean(), *found[f"{name}_chance"][0, i]
            rows.append((f"{word}, factor {factor + 1}", *own))
    cells = [(n, f"{v:.3f}", f"{mid:.3f} [{low:.3f}, {high:.3f}]") for n, v, mid, low, high in rows]
    return util.markdown(("measure", "value", "chance, mean [5 %, 95 %]"), cells)


@dataclass
class Config:
    """How linear, and how abstract, is a recorded code? Held-out r2, angle, CCGP, parallelism.

    More: docs/own_data.md.
    """

    file: tyro.conf.Positional[Path]  # .npz with rates (trial, unit) and x (trial, D), any units
    decoder: Literal["ridge", "adam"] = "ridge"  # adam: 1000 batches, as for networks
    centre: tuple[float, ...] = ()  # cut of each factor; none: median, middle of two values
    split_var: int | None = None  # hold out one sign of this factor, from 0, instead of a quadrant
    n_fold: int = 5  # of cross-validation; fewer where a quadrant has fewer trials
    seed: int = 0  # of folds and shuffles
    out: Path | None = None  # .csv, see table.py; rows of a file of this name in it are replaced


def main(config: Config) -> None:
    """Measure, print the table, save."""
    if config.n_fold < 2 or config.seed < 0:
        raise UserError("n_fold must be at least 2, seed at least 0")
    if config.out and (config.out.suffix != ".csv" or "," in config.file.stem):
        raise UserError("out must end in .csv, and the name of the recording have no comma")
    if config.out and config.out.exists():
        table.about(config.out)  # stops here, not at the end, if it is no table
    rates, x = load(config.file)
    splits = decoders.Splits(x.shape[1], config.split_var)
    splits.as_released = None
    states, targets, rows = prepare(rates, x, splits, config.centre)
    n_trial, n_dim = x.shape
    words = np.random.SeedSequence(config.seed).generate_state(1 + N_DRAW)
    rngs = [util.generator(int(word)) for word in words]
    orders = [torch.randperm(n_trial, generator=rng) for rng in rngs]
    orders[0] = torch.arange(n_trial)
    rows = [own[torch.randperm(len(own), generator=rngs[0])] for own in rows]
    source = Recorded(states, targets, rows, torch.stack(orders), splits)
    found = decode(source, rngs, config)
    n_fold = found["ID"].shape[2]
    found |= abstraction(source, [rngs[:1]] * 5, max(N_TRIAL, *map(len, rows)))
    for name in MEASURES:  # of all trials each time, so one number; only the null differs
        found[name] = found[name].mean(1, keepdims=True)
    print(report(found, splits))
    counts = ", ".join(f"{len(own)} in {name}" for own, name in zip(rows, NAMES, strict=True))
    print(f"{n_trial} trials: {counts}; {states.shape[1]} units; {n_fold} folds, {config.decoder}")
    if config.out:
        of = config.file.stem, "generalize", config.decoder
        saved = rows_of(found, n_dim, config)
        about = {table.key_of(*of, saved["series"][0]): util.provenance(config, [config.file])}
        table.put(config.out, saved, about)
        print(f"saved in {config.out}")


if __name__ == "__main__":
    util.run_script(main, Config)
