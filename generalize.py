"""Out-of-distribution generalisation of trained, frozen networks (SPEC 5).

    python generalize.py --networks trained_networks
    python generalize.py --networks trained_networks --in_distribution --out r_sq_ID.npz
    python generalize.py --networks trained_networks --decoder ridge --step 2 5 10 20    r2 in time
    python generalize.py --networks free_rt --stimulus 500 1000 5000    other trial durations

A linear decoder is trained to read x* from the representation at the last step. OOD: it sees three
quadrants of x* and is tested on the fourth, each in turn. ID: it sees and is tested on all four.
The OOD test comes in two versions. held_out = 'quadrant' tests on the quadrant held out.
held_out = 'as_released' is what the authors' released D = 2 evaluation does: of its four splits,
the two that hold out (-,+) or (+,-) are tested on the quadrants (+,+) and (-,-), which their
decoder was trained on. Every run measures ID and both OOD versions; the flags say which one is
saved as `r_sq`. Instead of a quadrant, `--split_var` holds out one sign of one factor.

Beside r2 stand measures of the representation alone, with no decoder of x*: CCGP and parallelism
score of the two factors whose signs name the quadrants (`abstraction.py`).
"""

import ctrl_c  # noqa: F401

# isort: split
import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

import abstraction
import tasks
import util
from model import axes_of, load_ensemble
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as n_task=24 leaky=False
    in_distribution: bool = False  # save the ID measure as r_sq
    held_out: Literal["quadrant", "as_released"] = "quadrant"  # save this OOD measure as r_sq
    decoder: Literal["adam", "ridge"] = "adam"  # adam: as in the paper; ridge: closed form
    n_fit: int = 5  # decoders per network and split, each with fresh trials
    n_batch: int = 0  # batches per adam decoder; 0: the paper's number for the network's N_task
    batch_sz: int = 16  # trials per batch
    lr: float = 3e-3  # learning rate of adam decoders
    n_test: int = 640  # test trials per decoder; 40 batches of 16
    n_ridge: int = 1024  # trials per quadrant and fit of ridge decoders
    split_var: int | None = None  # hold out one sign of this factor, from 0, instead of a quadrant
    step: tuple[int, ...] = ()  # decode after so many steps of the trial; none: after all of them
    stimulus: tuple[int, ...] = ()  # ms, decode with such stimuli; none: as in training
    seed: int = 0  # of decoders and their trials
    out: Path | None = None  # .npz to write; None: beside the networks
    save_decoders: bool = True  # write decoders*.npz too, with the angles between their columns
    # write X.npz (as released), X_quadrant.npz and X_ID.npz for out X; with D > 2 or split_var, as
    # the released test is then the held out one or there is none, X.npz (held out) and X_ID.npz
    every_measure: bool = False
    overwrite: bool = False  # replace an .npz that was made with other settings
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU if there is one

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        for name, low in (
            ("n_fit", 1),
            ("n_batch", 0),
            ("batch_sz", 1),
            ("n_test", 4),
            ("seed", 0),
        ):
            if getattr(self, name) < low:
                raise UserError(f"{name} must be at least {low}, not {getattr(self, name)}")
        for name in ("step", "stimulus"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise UserError(f"{name} names a number twice")
        if self.step and self.stimulus:
            raise UserError("step and stimulus are two axes; choose one")
        if self.n_ridge < 100:
            raise UserError(f"n_ridge must be at least 100, not {self.n_ridge}")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise UserError(f"lr must be a positive number, not {self.lr}")
        if self.every_measure and (self.in_distribution or self.held_out != "quadrant"):
            raise UserError("every_measure saves all three; leave out in_distribution and held_out")
        if self.out is not None and self.out.suffix != ".npz":
            raise UserError(f"out must end in .npz, not {self.out.name}")


QUADRANTS = range(4)  # by the signs of two factors: (-,-), (-,+), (+,-), (+,+)
AS_RELEASED = [[0], [0, 3], [0, 3], [3]]  # where the released D = 2 evaluation tests each split
AT_ONCE = 64  # trials per forward pass; more do not fit the processor's cache
NETS_AT_ONCE = 64  # networks decoded side by side; more take too much memory
VARIANCE = 1 / 12  # of one factor over the whole space; SPEC 5 uses it for one quadrant too
MEASURES = ("ID", "quadrant", "as_released")
ABSTRACTION_NAMES = {"ccgp": "CCGP", "parallelism": "parallelism"}  # in files, in the table


class Splits:
    """What decoders see and where they are tested.

    Quadrants are named by the signs of two factors. By default these are the last two, and each
    split holds out one quadrant; with `split_var` a split holds out one sign of that factor.

    Attributes:
        factors: the two factors.
        train, test: quadrants per split.
        as_released: where the released D = 2 evaluation tests; None where it is not defined.
    """

    def __init__(self, n_dim, split_var=None):
        self.factors, self.test = (n_dim - 2, n_dim - 1), [[q] for q in QUADRANTS]
        self.as_released = AS_RELEASED if n_dim == 2 else None
        if split_var is not None:
            if not 0 <= split_var < n_dim:
                raise UserError(f"split_var is a factor, 0 to {n_dim - 1}, not {split_var}")
            self.factors = split_var, n_dim - 1 if split_var < n_dim - 1 else 0
            self.test, self.as_released = [[0, 1], [2, 3]], None
        self.train = [[q for q in QUADRANTS if q not in held] for held in self.test]


class States:
    """Representations of the networks at one step of trials of the decoding task.

    Args:
        model, configs: ensemble and its networks' settings.
        splits: `Splits`.
        step: steps of the trial after which the representation is taken; None: all.
        stimulus: ms; None: as in training.

    Attributes:
        t: samples of evidence seen by then.
    """

    def __init__(self, model, configs, splits, step=None, stimulus=None):
        self.model, self.n_net, self.splits = model, len(configs), splits
        first, trained = configs[0], tasks.make_task(configs[0])
        timing = tasks.timing_of(first)
        if not trained.n_fix:
            timing["decision"] = first["dt"]
        if stimulus is not None:
            timing["stimulus"] = stimulus
        settings = {key: getattr(trained, key) for key in ("n_dim", "n_sd_in", "dt", "dist")}
        self.tasks = [
            tasks.TASKS[trained.decoding_task](
                quad_num=q, factors=splits.factors, like=trained, timing=timing, **settings
            )
            for q in QUADRANTS
        ]
        task = self.tasks[0]
        self.step = task.n_step if step is None else step
        if not 1 <= self.step <= task.n_step:
            raise UserError(f"step lies from 1 to {task.n_step} in these trials, not {step}")
        self.evidence_steps = task.evidence_steps
        self.t = len(range(self.step)[self.evidence_steps])

    def draw(self, generators, n_trial):
        """Fresh trials in each quadrant.

        Args:
            generators: one per network.
            n_trial: trials per quadrant.

        Returns:
            states (net, quadrant, trial, unit), x (net, quadrant, trial, D).
        """
        states, xs = [], []
        for task in self.tasks:
            inputs, _, x = tasks.sample([task] * self.n_net, generators, n_trial)
            for some in inputs[:, :, : self.step].split(AT_ONCE, 1):
                noise = self.model.draw_noise(
                    *some.shape[1:3], generators, evidence_steps=self.evidence_steps
                )
                states.append(self.model.represent_last(some, **noise))
            xs.append(x)
        return torch.cat(states, 1).unflatten(1, (4, n_trial)), torch.stack(xs, 1)


def n_batch_of(config, network):
    """Batches of a decoder's training, by default by the network's N_task (SPEC 5)."""
    n_task = network["n_task"]
    return config.n_batch or (3000 if n_task <= 3 else 2000 if n_task <= 6 else 1000)


ABSTRACTION = 2**32  # number of the first fit of abstraction measures, beyond those of decoders


def fit_generators(config, configs, fit, device):
    """One generator per network, from its own settings and the number of the fit alone."""
    words = [[config.seed, c["seed"], c["run"], c["n_task"], c["n_dim"], fit] for c in configs]
    seeds = [int(np.random.SeedSequence(w).generate_state(1, np.uint64)[0] >> 1) for w in words]
    return [util.generator(seed, device) for seed in seeds]


# ------------------------------------------------------------------ decoders by Adam


CHUNK = 96  # batches for which trials are drawn at once; a multiple of 12, see `batch_order`


def batch_order(rng, train, n_chunk):
    """Which trials each decoder of a network sees in a chunk, in which order.

    An OOD decoder takes equally many trials of all quadrants it may see; an ID decoder, of which
    there are as many, equally many of all four.

    Args:
        rng: the network's generator.
        train: quadrants per split.
        n_chunk: trials a decoder sees, each once.

    Returns:
        (2 splits, n_chunk) indices into (quadrant, trial) flattened, OOD splits first; there are
        n_chunk / len(train[0]) trials per quadrant.
    """
    n_trial = n_chunk // len(train[0])
    pool = torch.arange(4 * n_trial, device=rng.device).view(4, n_trial)
    ood = torch.stack([pool[seen].flatten() for seen in train])
    everywhere = pool[:, : n_chunk // 4].flatten().expand(len(train), -1)
    rows = torch.cat([ood, everywhere])
    shuffle = torch.rand(rows.shape, generator=rng, device=rng.device).argsort(1)
    return rows.gather(1, shuffle)


def fit_adam(source, configs, config, device, generators, show):
    """Train all decoders of all networks, splits and fits side by side with Adam.

    Args:
        source: `States`.
        configs: settings of the networks.
        config: `Config`.
        generators: per fit one for each network.
        show: progress bar.

    Returns:
        weight (net, fit, 2 splits, unit, D), bias (net, fit, 2 splits, 1, D), as in `batch_order`.
    """
    n_net, n_neu, n_dim = len(configs), configs[0]["n_neu"], configs[0]["n_dim"]
    n_batch, train = n_batch_of(config, configs[0]), source.splits.train
    n_chunk = CHUNK * config.batch_sz
    shape = (n_net, config.n_fit, 2 * len(train))
    states = torch.empty(*shape, n_chunk, n_neu, device=device)
    xs = torch.empty(*shape, n_chunk, n_dim, device=device)
    bound = n_neu**-0.5  # PyTorch's default for nn.Linear
    start = torch.empty(*shape, n_neu + 1, n_dim, device=device)
    for fit, rngs in enumerate(generators):
        for net, rng in enumerate(rngs):
            start[net, fit].uniform_(-bound, bound, generator=rng)
    start = start.flatten(0, 2)
    weight = start[:, :-1].clone().requires_grad_()
    bias = start[:, -1:].clone().requires_grad_()
    optimizer = torch.optim.Adam([weight, bias], lr=config.lr, fused=True)
    for batch in range(n_batch):
        position = batch % CHUNK
        if position == 0:
            for fit, rngs in enumerate(generators):
                h, x = source.draw(rngs, n_chunk // len(train[0]))
                order = torch.stack([batch_order(rng, train, n_chunk) for rng in rngs])
                states[:, fit] = pick(h.flatten(1, 2), order)
                xs[:, fit] = pick(x.flatten(1, 2), order)
        rows = slice(position * config.batch_sz, (position + 1) * config.batch_sz)
        output = torch.baddbmm(bias, states[..., rows, :].flatten(0, 2), weight)
        loss = F.mse_loss(output, xs[..., rows, :].flatten(0, 2), reduction="sum")
        (loss / (config.batch_sz * n_dim)).backward()  # summed over decoders: each its own
        optimizer.step()
        optimizer.zero_grad()
        show.update(n_net)
    return weight.detach().unflatten(0, shape), bias.detach().unflatten(0, shape)


def pick(values, order):
    """values (net, trial, k) at order (net, decoder, trial) -> (net, decoder, trial, k)."""
    net = torch.arange(len(values), device=values.device)[:, None, None]
    return values[net, order]


# ------------------------------------------------------------------ decoders in closed form


PENALTIES = 10.0 ** np.arange(-6, 1.5, 0.5)  # ridge, in units of the mean variance of a unit


def fit_ridge(source, configs, config, device, generators, show):
    """Ridge regression, its penalty chosen by leaving out one training quadrant at a time.

    The quadrant that is tested is never looked at. Arguments and result as `fit_adam`; the ID
    decoders of a fit are the same one.
    """
    train, n_net, n_dim = source.splits.train, len(configs), configs[0]["n_dim"]
    n_split = len(train)
    shape = (n_net, config.n_fit, 2 * n_split)
    weight = torch.empty(*shape, configs[0]["n_neu"], n_dim, dtype=torch.float64)
    bias = torch.empty(*shape, 1, n_dim, dtype=torch.float64)
    for fit, rngs in enumerate(generators):
        h, x = source.draw(rngs, config.n_ridge)
        moments = quadrant_moments(h.cpu(), x.cpu())
        for decoder, seen in enumerate([*train, list(QUADRANTS)]):
            weight[:, fit, decoder], bias[:, fit, decoder], _ = best_ridge(moments, seen)
        for fitted in (weight, bias):
            fitted[:, fit, n_split + 1 :] = fitted[:, fit, n_split : n_split + 1]
        show.update(n_net)
    return weight.float().to(device), bias.float().to(device)


def quadrant_moments(h, x):
    """Second moments of (h, 1) and x per quadrant, which is all that linear regression needs.

    Args:
        h: (net, quadrant, trial, unit); x: (net, quadrant, trial, D).

    Returns:
        hh (net, quadrant, unit + 1, unit + 1), hx (net, quadrant, unit + 1, D),
        xx (net, quadrant), all means over trials.
    """
    h, x = h.double(), x.double()
    h = torch.cat([h, torch.ones_like(h[..., :1])], -1)
    n_trial = h.shape[2]
    hh, hx = h.transpose(2, 3) @ h / n_trial, h.transpose(2, 3) @ x / n_trial
    return hh, hx, (x * x).sum((2, 3)) / n_trial


def ridge(moments, quadrants):
    """Ridge solutions for all penalties from the trials of `quadrants`.

    Returns:
        weight (net, penalty, unit, D), bias (net, penalty, 1, D).
    """
    hh, hx, _ = (m[:, quadrants].mean(1) for m in moments)
    mean_h, mean_x = hh[:, :-1, -1:], hx[:, -1:]
    values, vectors = torch.linalg.eigh(hh[:, :-1, :-1] - mean_h @ mean_h.transpose(1, 2))
    scale = values.mean(1).clamp_min(1e-30)
    penalty = torch.tensor(PENALTIES) * scale[:, None]
    projected = vectors.transpose(1, 2) @ (hx[:, :-1] - mean_h @ mean_x)
    shrunk = projected[:, None] / (values[:, None, :, None] + penalty[..., None, None])
    weight = vectors[:, None] @ shrunk
    return weight, mean_x[:, None] - mean_h.transpose(1, 2)[:, None] @ weight


def best_ridge(moments, seen):
    """Ridge solution with the penalty that is best on each part of `seen`, left out in turn.

    Returns:
        weight (net, unit, D), bias (net, 1, D), position in `PENALTIES` (net,).
    """
    error = 0
    for left_out in seen:
        inner = [q for q in seen if q != left_out]
        error = error + moment_error(moments, left_out, *ridge(moments, inner))
    best, every = error.argmin(1), torch.arange(len(error))
    return *(fitted[every, best] for fitted in ridge(moments, seen)), best


def moment_error(moments, quadrant, weight, bias):
    """Squared error, summed over factors, of decoders on one quadrant; (net, penalty)."""
    hh, hx, xx = (m[:, quadrant] for m in moments)
    w = torch.cat([weight, bias], 2)
    explained = (w * hx[:, None]).sum((2, 3))
    return xx[:, None] - 2 * explained + (w * (hh[:, None] @ w)).sum((2, 3))


# ------------------------------------------------------------------ testing


def r_sq_of(weight, bias, states, x):
    """r2 = 1 - MSE / Var, MSE pooled over factors and trials.

    Args:
        weight, bias: (net, decoder, unit, D), (net, decoder, 1, D).
        states, x: (net, decoder or 1, trial, unit), (net, decoder or 1, trial, D).

    Returns:
        (net, decoder).
    """
    return 1 - ((states @ weight + bias - x) ** 2).mean((2, 3)) / VARIANCE


def test_decoders(source, config, generators, weight, bias):
    """Test all decoders on fresh trials.

    Returns:
        dict measure -> r2 (net, split, fit).
    """
    n_test, splits = config.n_test, source.splits
    n_split = len(splits.test)
    results = {measure: [] for measure in MEASURES}
    for fit, rngs in enumerate(generators):
        h, x = source.draw(rngs, n_test)
        w, b = weight[:, fit], bias[:, fit]
        share = n_test // len(splits.test[0])
        held = [
            r_sq_of(
                w[:, s : s + 1],
                b[:, s : s + 1],
                h[:, quads, :share].flatten(1, 2)[:, None],
                x[:, quads, :share].flatten(1, 2)[:, None],
            )
            for s, quads in enumerate(splits.test)
        ]
        quadrant = as_released = torch.cat(held, 1)
        if splits.as_released:  # splits 1 and 2 are tested on the diagonal, sign at random
            on_diagonal = torch.tensor(splits.as_released[1], device=h.device)
            pick_net = torch.arange(len(h), device=h.device)[:, None]
            trial = torch.arange(n_test, device=h.device)
            signs = [torch.randint(2, (n_test,), generator=g, device=h.device) for g in rngs]
            drawn = on_diagonal[torch.stack(signs)]
            h_diagonal, x_diagonal = h[pick_net, drawn, trial], x[pick_net, drawn, trial]
            diagonal = r_sq_of(w[:, 1:3], b[:, 1:3], h_diagonal[:, None], x_diagonal[:, None])
            as_released = torch.cat([quadrant[:, :1], diagonal, quadrant[:, 3:]], 1)
        share = n_test // 4
        everywhere = r_sq_of(
            w[:, n_split:],
            b[:, n_split:],
            h[:, :, :share].flatten(1, 2)[:, None],
            x[:, :, :share].flatten(1, 2)[:, None],
        )
        for measure, r_sq in zip(MEASURES, (everywhere, quadrant, as_released), strict=True):
            results[measure].append(r_sq)
    return {measure: torch.stack(r, 2).cpu().numpy() for measure, r in results.items()}


def column_angles(weight):
    """Angles between a decoder's columns in degrees; 90 means orthogonal factors.

    Args:
        weight: (..., unit, D).

    Returns:
        (..., D, D), upper triangle, NaN elsewhere.
    """
    unit = weight / np.linalg.norm(weight, axis=-2, keepdims=True)
    cosine = np.swapaxes(unit, -1, -2) @ unit
    angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    angles[..., ~np.triu(np.ones(angles.shape[-2:], bool), 1)] = np.nan
    return angles


# ------------------------------------------------------------------ the measurement


def whens(config):
    """When decoders are fitted: name of the axis or None, arguments of `States` for each value."""
    for axis in ("step", "stimulus"):
        if getattr(config, axis):
            return axis, [{axis: value} for value in getattr(config, axis)]
    return None, [{}]


def generalize(paths, every, configs, config):
    """Decode networks of one kind.

    Args:
        paths: their checkpoints.
        every, configs: the networks in them, as `load_ensemble` returns them.
        config: `Config`.

    Returns:
        dict of arrays, NaN where a network is not there:
        ID, quadrant, as_released (when, n_task, run, split, fit);
        dec, dec_ID (when, n_task, run, split, fit, unit, D);
        ccgp, parallelism (when, n_task, run, fit, factor), ccgp_chance, parallelism_chance (when,
        n_task, run, factor, 3), see `abstraction.abstraction`;
        t (when,), samples of evidence seen; n_tasks, runs, splits; sigma, see `sigma_of`; axis, see
        `whens`.
    """
    device = util.pick_device(config.device)
    every.to(device)
    axis, at_each = whens(config)
    splits = Splits(configs[0]["n_dim"], config.split_var)
    times = [States(every, configs, splits, **when).t for when in at_each]  # checks them first
    groups = {}  # Adam's number of batches depends on N_task
    for net, c in enumerate(configs):
        n_step = config.n_fit if config.decoder == "ridge" else n_batch_of(config, c)
        groups.setdefault(n_step, []).append(net)
    n_tasks, runs = axes_of(configs)
    n_neu, n_dim = configs[0]["n_neu"], configs[0]["n_dim"]
    shape = (len(at_each), len(n_tasks), len(runs), len(splits.test), config.n_fit)
    out = {name: np.full(shape, np.nan, np.float32) for name in MEASURES}
    out |= {name: np.full((*shape, n_neu, n_dim), np.nan, np.float32) for name in ("dec", "dec_ID")}
    for name in ABSTRACTION_NAMES:
        out[name] = np.full((*shape[:3], config.n_fit, 2), np.nan)
        out[f"{name}_chance"] = np.full((*shape[:3], 2, 3), np.nan)
    total = len(at_each) * sum(n_step * len(nets) for n_step, nets in groups.items())
    fit_decoders = fit_ridge if config.decoder == "ridge" else fit_adam
    pieces = [
        nets[start : start + NETS_AT_ONCE]
        for nets in groups.values()
        for start in range(0, len(nets), NETS_AT_ONCE)
    ]
    with tqdm(total=total, unit=" network steps", disable=None) as show:
        for nets in pieces:
            model, some = copy.deepcopy(every), [configs[net] for net in nets]
            model.keep(nets)
            places = [(n_tasks.index(c["n_task"]), runs.index(c["run"])) for c in some]
            for i, when in enumerate(at_each):
                source = States(model, some, splits, **when)
                rngs = [fit_generators(config, some, fit, device) for fit in range(config.n_fit)]
                weight, bias = fit_decoders(source, some, config, device, rngs, show)
                r_sq = test_decoders(source, config, rngs, weight, bias)
                weight = weight.transpose(1, 2).cpu().numpy()  # (net, 2 splits, fit, unit, D)
                for net, place in enumerate(places):
                    at = i, *place
                    for measure in MEASURES:
                        out[measure][at] = r_sq[measure][net]
                        if not np.isfinite(out[measure][at]).all():
                            raise UserError(f"{paths[nets[net]]}: its decoders diverged; lower lr")
                    out["dec"][at], out["dec_ID"][at] = np.split(weight[net], 2)
                rngs = [
                    fit_generators(config, some, ABSTRACTION + fit, device)
                    for fit in range(config.n_fit)
                ]
                for name, values in abstraction.abstraction(source, rngs).items():
                    for net, place in enumerate(places):
                        out[name][(i, *place)] = values[net]
    return {
        **out,
        "n_tasks": np.array(n_tasks),
        "runs": np.array(runs),
        "t": np.array(times),
        "sigma": sigma_of(configs[0]),
        "splits": splits,
        "axis": axis,
    }


def sigma_of(config):
    """sigma of 1 - 12 sigma^2 / t; NaN where the noise is not white, Gaussian and on the inputs."""
    task = tasks.make_task(config)
    white = task.dist == "gauss" and not task.noise_ar and set(task.noise_ratio) == {1.0}
    return task.sigma if white and not config["noise_enc"] else math.nan


def report(result, config):
    """The table of medians and quartiles, as Markdown, and what chance gives."""
    axis, at_each = whens(config)
    header = [axis] if axis else []
    header += ["N_task", "networks", "splits x fits", "ID", "OOD held out", "OOD as released"]
    header += ["gap", "theory 1 - 12 sigma^2 / t", "angle", *ABSTRACTION_NAMES.values()]
    angles = column_angles(result["dec_ID" if config.in_distribution else "dec"])
    rows = []
    for i, when in enumerate(at_each):
        for k, n_task in enumerate(result["n_tasks"]):
            values = {m: result[m][i, k][~np.isnan(result[m][i, k])] for m in MEASURES}
            n_net = int((~np.isnan(result["ID"][i, k, :, 0, 0])).sum())
            *_, n_split, n_fit = result["ID"].shape
            gap = np.median(values["ID"]) - np.median(values["quadrant"])
            t = result["t"][i]
            known = t > 0 and not math.isnan(result["sigma"])
            theory = f"{util.r_sq_theory(t, result['sigma']):.3f}" if known else "-"
            texts = [util.quartiles(values[m]) for m in MEASURES]
            rows.append([*when.values(), n_task, n_net, f"{n_split} x {n_fit}", *texts])
            rows[-1] += [f"{gap:.3f}", theory, util.quartiles(angles[i, k], 0)]
            rows[-1] += [util.quartiles(result[name][i, k]) for name in ABSTRACTION_NAMES]
    words = []
    for name, label in ABSTRACTION_NAMES.items():
        chance = result[f"{name}_chance"].reshape(-1, 3)
        chance = chance[~np.isnan(chance).any(1)]
        ends = "{:.2f} [{:.2f}, {:.2f}]".format(*chance.mean(0)) if len(chance) else "-"
        words.append(f"{label} {ends}")
    words = f"chance by the geometric null, mean [5 %, 95 %]: {', '.join(words)}"
    return f"{util.table(header, rows)}\n{words}"


def save(path, measure, config, result, paths):
    """Write r_sq*.npz and decoders*.npz (SPEC 8) of one measure, with the settings inside.

    Where decoders were fitted at several steps or stimuli, these are the first axis, named `step`
    or `timing` (ms), and an N_task axis of length 1 is left out. In r_sq*.npz stand too, the
    same for every measure and decoder: ccgp, parallelism (n_tasks, runs, fits, 2) of the two
    `factors`, and ccgp_chance, parallelism_chance (n_tasks, runs, 2, 3), mean, 5 % and 95 %
    quantile of the null.
    """
    splits, everywhere = result["splits"], [list(QUADRANTS)] * len(result["splits"].train)
    test = {"ID": everywhere, "quadrant": splits.test}
    test["as_released"] = splits.as_released or splits.test
    width = max(map(len, test[measure]))
    shared = {
        "n_tasks": result["n_tasks"],
        "runs": result["runs"],
        "measure": measure,
        **util.provenance(config, paths),
    }
    axis, at_each = whens(config)
    if axis:
        name = "timing" if axis == "stimulus" else axis
        shared[name] = np.array([when[axis] for when in at_each])

    def shaped(values):
        if axis is None:
            return values[0]
        return values[:, 0] if len(result["n_tasks"]) == 1 else values

    util.save_npz(
        path,
        r_sq=shaped(result[measure]),
        train=np.array(everywhere if measure == "ID" else splits.train),
        test=np.array([q + [-1] * (width - len(q)) for q in test[measure]]),  # -1: nothing
        t=result["t"] if axis else result["t"][0],
        sigma=result["sigma"],
        factors=np.array(splits.factors),
        **{name: shaped(result[name]) for name in ABSTRACTION_NAMES},
        **{f"{name}_chance": shaped(result[f"{name}_chance"]) for name in ABSTRACTION_NAMES},
        **shared,
    )
    if not config.save_decoders:
        return
    dec = shaped(result["dec_ID" if measure == "ID" else "dec"])
    decoders = path.with_name("decoders" + path.name.removeprefix("r_sq"))
    util.save_npz(decoders, dec=dec, angles=column_angles(dec), **shared)


def files_of(config, paths, splits):
    """The .npz to write for each measure."""
    ridge_mark = "_ridge" if config.decoder == "ridge" else ""
    if not config.every_measure:
        measure = "ID" if config.in_distribution else config.held_out
        return {measure: config.out or paths[0].parent / f"r_sq_{measure}{ridge_mark}.npz"}
    ends = {"as_released": "", "quadrant": "_quadrant", "ID": "_ID"}
    if splits.as_released is None:
        ends = {"quadrant": "", "ID": "_ID"}
    out = config.out or paths[0].parent / f"r_sq{ridge_mark}.npz"
    return {m: out.with_name(f"{out.stem}{end}.npz") for m, end in ends.items()}


def main(config):
    """Decode, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = load_ensemble(paths, config.assume)
    files = files_of(config, paths, Splits(configs[0]["n_dim"], config.split_var))
    if config.split_var is not None and "as_released" in files:
        raise UserError("as_released is a test of quadrants; leave out split_var or held_out")
    for measure, path in files.items():
        util.make_folder(path.parent)
        if path.is_dir():
            raise UserError(f"{path}: is a folder")
        if path.exists() and not config.overwrite:
            found = util.load_npz(path)
            if str(found.get("measure")) != measure or util.differs(found, config, paths):
                raise UserError(f"{path}: made with other settings; another --out, or --overwrite")
    result = generalize(paths, model, configs, config)
    print(report(result, config))
    print(f"r2, median [quartiles]; decoder {config.decoder}")
    for measure, path in files.items():
        save(path, measure, config, result, paths)
        print(f"saved {measure} in {path}")


if __name__ == "__main__":
    util.run_script(main, Config)
