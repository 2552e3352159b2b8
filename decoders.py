"""Linear decoders of x* from the representation of trained, frozen networks, and their tests.

`generalize.py` says what is tested. Decoders of all networks, splits and fits are trained at once.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import log_expit, ndtri_exp
from torch import Generator, Tensor

import batches
import settings
import tasks
import theory
import util
from theory import VARIANCE
from util import UserError

QUADRANTS = range(4)  # by the signs of two factors: (-,-), (-,+), (+,-), (+,+)
AS_RELEASED = [[0], [0, 3], [0, 3], [3]]  # where the released D = 2 evaluation tests each split
MEASURES = ("ID", "quadrant", "as_released", "one_map")
AT_ONCE = 64  # trials per forward pass; more do not fit the processor's cache
CHUNK = 96  # batches for which trials are drawn at once; a multiple of 12, see `batch_order`
PENALTIES = 10.0 ** np.arange(-6, 1.5, 0.5)  # ridge, in units of the mean variance of a unit
CLIP = 2.0**-24  # outputs closer to 1 are 1 in single precision, as networks give them
Decoders = tuple[Tensor, Tensor]  # weight, bias
Moments = tuple[Tensor, Tensor, Tensor]


class Splits:
    """Quadrants that decoders see, `train`, and are tested in, `test`, per split.

    Quadrants are named by the signs of two `factors`, the last two; each split holds out one. With
    `split_var` a split holds out one sign of that factor. `as_released` is where the released D = 2
    evaluation tests; None where it is not defined.
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
    """Representations of an ensemble after `step` steps of decoding trials, by default all.

    `stimulus` is in ms, by default as in training.
    """

    def __init__(self, model, configs, splits, step=None, stimulus=None):
        self.model, self.n_net, self.splits, self.step = model, len(configs), splits, step
        task = tasks.make_task(configs[0])
        self.tasks = [task.decoding_task(q, splits.factors, stimulus) for q in QUADRANTS]
        self.n_seen = len(range(self.tasks[0].n_step)[:step][self.tasks[0].evidence_steps])

    def draw(self, generators: list[Generator], n_trial: int) -> tuple[Tensor, Tensor]:
        """Fresh trials: states (net, quadrant, n_trial, unit), x (net, quadrant, n_trial, D)."""
        states, xs = [], []
        network = getattr(self.model, "network", self.model)
        network.evidence_steps = self.tasks[0].evidence_steps  # controls ask
        for task in self.tasks:
            inputs, _, x = batches.sample([task] * self.n_net, generators, n_trial)
            for some in inputs[:, :, : self.step].split(AT_ONCE, 1):
                sizes, when = some.shape[1:3], task.evidence_steps
                noise = self.model.draw_noise(*sizes, generators, evidence_steps=when)
                states.append(self.model.represent_last(some, **noise))
            xs.append(x)
        return torch.cat(states, 1).unflatten(1, (4, n_trial)), torch.stack(xs, 1)


def n_batch_of(config: Any, network: dict) -> int:
    """Batches of a decoder's training; "paper": by N_task (docs/protocol.md, Generalisation)."""
    if config.n_batch != "paper":
        return config.n_batch
    return 3000 if network["n_task"] <= 3 else 2000 if network["n_task"] <= 6 else 1000


def fit_generators(config: Any, configs: list[dict], fit: int, device: Any) -> list[Generator]:
    """One generator per network, from its own settings and the number of the fit."""
    words = [[config.seed, c["seed"], c["run"], c["n_task"], c["n_dim"], fit] for c in configs]
    seeds = [int(np.random.SeedSequence(w).generate_state(1, np.uint64)[0] >> 1) for w in words]
    return [util.generator(seed, device) for seed in seeds]


# ------------------------------------------------------------------ decoders by Adam


def batch_order(rng: Generator, train: list[list[int]], n_chunk: int) -> Tensor:
    """Which trials (2 splits, n_chunk) of (quadrant, trial) flattened each decoder sees, in order.

    First come OOD decoders: each takes all n_chunk / len(train[0]) trials of each quadrant of its
    split. Then as many ID decoders take equally many of all four quadrants.
    """
    n_trial = n_chunk // len(train[0])
    pool = torch.arange(4 * n_trial, device=rng.device).view(4, n_trial)
    ood = torch.stack([pool[seen].flatten() for seen in train])
    everywhere = pool[:, : n_chunk // 4].flatten().expand(len(train), -1)
    rows = torch.cat([ood, everywhere])
    return rows.gather(1, torch.rand(rows.shape, generator=rng, device=rng.device).argsort(1))


def fit_adam(source: States, configs: list, config: Any, generators: list, show: Any) -> Decoders:
    """Train all decoders of all networks, splits and fits with Adam.

    Args:
        config: `generalize.Config`.
        generators: per fit one for each network.
        show: progress bar.

    Returns:
        weight (net, fit, 2 splits, unit, D), bias (net, fit, 2 splits, 1, D), as in `batch_order`.
    """
    n_net, n_neu, n_dim = len(configs), configs[0]["n_neu"], configs[0]["n_dim"]
    n_decoder, n_chunk = 2 * len(source.splits.train), CHUNK * config.batch_sz
    shape, device = (n_net, config.n_fit, n_decoder), generators[0][0].device
    states, xs = (torch.empty(*shape, n_chunk, n, device=device) for n in (n_neu, n_dim))
    start = torch.empty(*shape, n_neu + 1, n_dim, device=device)
    bound = n_neu**-0.5  # PyTorch's default for nn.Linear
    for fit, rngs in enumerate(generators):
        for net, rng in enumerate(rngs):
            start[net, fit].uniform_(-bound, bound, generator=rng)
    weight, bias = (v.clone().requires_grad_() for v in start.flatten(0, 2).split([n_neu, 1], 1))
    optimizer = torch.optim.Adam([weight, bias], lr=config.lr, fused=True)
    for batch in range(n_batch_of(config, configs[0])):
        position = batch % CHUNK
        if position == 0:
            fill_chunk(source, generators, states, xs)
        rows = slice(position * config.batch_sz, (position + 1) * config.batch_sz)
        some = (v[..., rows, :].flatten(0, 2) for v in (states, xs))
        adam_step(optimizer, weight, bias, *some)
        show.update(n_net)
    return weight.detach().unflatten(0, shape), bias.detach().unflatten(0, shape)


def fill_chunk(source: States, generators: list, states: Tensor, xs: Tensor) -> None:
    """Fresh trials, in order, into states (net, fit, 2 splits, n_chunk, unit) and xs (..., D)."""
    train, n_chunk = source.splits.train, states.shape[3]
    every = torch.arange(len(states), device=states.device)[:, None, None]
    for fit, rngs in enumerate(generators):
        h, x = source.draw(rngs, n_chunk // len(train[0]))
        order = torch.stack([batch_order(rng, train, n_chunk) for rng in rngs])
        states[:, fit] = h.flatten(1, 2)[every, order]
        xs[:, fit] = x.flatten(1, 2)[every, order]


def adam_step(optimizer: Any, weight: Tensor, bias: Tensor, states: Tensor, x: Tensor) -> None:
    """One batch (decoder, trial, unit or D) for decoders (decoder, unit or 1, D)."""
    loss = F.mse_loss(torch.baddbmm(bias, states, weight), x, reduction="sum")
    (loss / x[0].numel()).backward()  # summed over decoders: each its own
    optimizer.step()
    optimizer.zero_grad()


# ------------------------------------------------------------------ decoders in closed form


def fit_ridge(source: States, configs: list, config: Any, generators: list, show: Any) -> Decoders:
    """Ridge regression, its penalty chosen by leaving out one training quadrant at a time.

    Arguments and result as `fit_adam`; the ID decoders of a fit are the same one.
    """
    train, fitted = source.splits.train, []  # per fit (weight, bias) side by side
    for rngs in generators:
        moments = quadrant_moments(*(v.cpu() for v in source.draw(rngs, config.n_ridge)))
        every = list(range(moments[0].shape[1]))
        own = [torch.cat(best_ridge(moments, seen)[:2], 1) for seen in [*train, every]]
        fitted.append(torch.stack([*own, *own[-1:] * (len(train) - 1)], 1))
        show.update(len(configs))
    both = torch.stack(fitted, 1).float().to(generators[0][0].device)
    return both[..., :-1, :].contiguous(), both[..., -1:, :].contiguous()


def quadrant_moments(h: Tensor, x: Tensor) -> Moments:
    """Second moments hh, hx, xx of (h, 1) and x, (net, quadrant, trial, ...), all that is needed.

    They are (net, quadrant, unit + 1, unit + 1), (net, quadrant, unit + 1, D), (net, quadrant).
    """
    h, x = torch.cat([h, torch.ones_like(h[..., :1])], -1).double(), x.double()
    n_trial, transposed = h.shape[2], h.transpose(2, 3)
    return transposed @ h / n_trial, transposed @ x / n_trial, (x * x).sum((2, 3)) / n_trial


def ridge(
    moments: Moments, quadrants: Sequence[int], penalties: np.ndarray = PENALTIES
) -> tuple[Tensor, Tensor]:
    """Ridge solutions of all penalties: weight (net, penalty, unit, D), bias (..., 1, D)."""
    hh, hx, _ = (m[:, quadrants].mean(1) for m in moments)
    mean_h, mean_x = hh[:, :-1, -1:], hx[:, -1:]
    values, vectors = torch.linalg.eigh(hh[:, :-1, :-1] - mean_h @ mean_h.transpose(1, 2))
    scale = values.mean(1).clamp_min(1e-30)
    penalty = torch.tensor(penalties) * scale[:, None]
    projected = vectors.transpose(1, 2) @ (hx[:, :-1] - mean_h @ mean_x)
    shrunk = projected[:, None] / (values[:, None, :, None] + penalty[..., None, None])
    weight = vectors[:, None] @ shrunk
    return weight, mean_x[:, None] - mean_h.transpose(1, 2)[:, None] @ weight


def best_ridge(moments: Moments, seen: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Ridge solution whose penalty is best on each of `seen`, left out in turn, and its index."""
    error = torch.zeros(1)  # (net, penalty)
    for left_out in seen:
        weight, bias = ridge(moments, [q for q in seen if q != left_out])
        error = error + squared_error(moments, left_out, weight, bias)
    best, every = error.argmin(1), torch.arange(len(error))
    weight, bias = ridge(moments, seen)
    return weight[every, best], bias[every, best], best


def squared_error(moments: Moments, quadrant: int, weight: Tensor, bias: Tensor) -> Tensor:
    """Mean over trials in a quadrant, summed over factors, of decoders (net, decoder, ...)."""
    hh, hx, xx = (m[:, quadrant] for m in moments)
    w = torch.cat([weight, bias], 2)
    explained = (w * hx[:, None]).sum((2, 3))
    return xx[:, None] - 2 * explained + (w * (hh[:, None] @ w)).sum((2, 3))


# ------------------------------------------------------------------ the network's own outputs


class Outputs(States):
    """As `source`, but for states come Phi^-1(Y) of the outputs Y of trained networks, (..., task).

    With `clip` Y is first clipped to [CLIP, 1 - CLIP].
    """

    def __init__(self, source: States, clip: bool):
        vars(self).update(vars(source))
        self.least = math.log(CLIP) if clip else -math.inf

    def draw(self, generators: list[Generator], n_trial: int) -> tuple[Tensor, Tensor]:
        """As `States.draw`."""
        h, x = super().draw(generators, n_trial)
        return probit(self.model.readout(h), self.least), x


def probit(logits: Tensor, least: float = -math.inf) -> Tensor:
    """Phi^-1(Y) for Y = 1 / (1 + exp(-logit)), exact for any logit.

    It is worked out in double precision from log min(Y, 1 - Y), which is `least` at least.
    """
    z = logits.double().cpu().numpy()
    size = -ndtri_exp(np.maximum(log_expit(-abs(z)), least))
    return torch.from_numpy(np.sign(z) * size).to(logits)


def closed_map(source: States, config: settings.Config) -> tuple[Tensor, Tensor]:
    """Weight (task, D), bias (D,) of mu = (C'C)^-1 C' (sd Phi^-1(Y) + b) (the paper's theorem).

    C are unit normals of the boundaries c_i . x = b_i, and Y_i = Phi((c_i . mu - b_i) / sd_i) the
    optimal outputs: sd_i = sigma / sqrt(t) is the standard deviation of c_i . mu about c_i . x*
    after t samples. UserError where a network has no such outputs.
    """
    task = tasks.make_task(config, settings.seeds_of(config)["task"])
    normals = getattr(task, "normals", torch.zeros(1, task.n_dim)).double()
    rank = torch.linalg.matrix_rank(normals)
    for wrong, words in (
        (source.model.readout is None, "its file holds no readout"),
        (not config["n_batch"], "its outputs are not trained"),
        (not hasattr(task, "normals"), "it has no set of linear boundaries"),
        (not config["CE_loss"], "its outputs are no probabilities"),
        (config["noise_enc"], "its noise comes after the encoder"),
        (not source.n_seen, "no sample is seen by then"),
        (rank < task.n_dim, f"its boundaries span {rank} of D = {task.n_dim} dimensions"),
    ):
        if wrong:
            raise UserError(f"{settings.label(config)}: x* has no closed form, {words}")
    by_factor = np.resize(theory.mean_sd(task, source.n_seen), task.n_dim)
    sd = (normals**2 @ torch.from_numpy(by_factor) ** 2).sqrt()
    inverse = torch.linalg.pinv(normals).T
    return inverse * sd[:, None], (inverse * task.offsets[..., None]).sum(0)


def fit_closed(source: States, configs: list, config: Any, generators: list, show: Any) -> Decoders:
    """The closed form as a decoder of `Outputs`; 'closed_fit': these scaled by one fitted number.

    Arguments and result as `fit_adam`, its units the tasks. The scale has the least squared error
    in the training quadrants of a split. Without it nothing is fitted, and all decoders are equal.
    """
    train, n_task = source.splits.train, max(c["n_task"] for c in configs)
    weights, biases = zip(*(closed_map(source, c) for c in configs), strict=True)
    padded = torch.stack([F.pad(weight, (0, 0, 0, n_task - len(weight))) for weight in weights])
    weight, bias = (v.to(generators[0][0].device).float() for v in (padded, torch.stack(biases)))
    scale = torch.ones(len(configs), len(generators), 2 * len(train), device=weight.device)
    for fit, rngs in enumerate(generators):
        if "fit" in config.decoder:
            z, x = source.draw(rngs, config.n_ridge)
            output, x = z @ weight[:, None], x - bias[:, None, None]
            size, along = ((output * v).sum((2, 3)) for v in (output, x))  # (net, quadrant)
            for i, seen in enumerate([*train, *[list(QUADRANTS)] * len(train)]):
                scale[:, fit, i] = along[:, seen].sum(1) / size[:, seen].sum(1)
        show.update(len(configs))
    bias = bias[:, None, None, None].expand(*scale.shape, 1, -1)
    return scale[..., None, None] * weight[:, None, None], bias


# ------------------------------------------------------------------ testing


def r_sq_of(weight: Tensor, bias: Tensor, states: Tensor, x: Tensor) -> Tensor:
    """r2 = 1 - MSE / Var (net, decoder), MSE pooled over factors and trials.

    weight (net, decoder, unit, D), bias (net, decoder, 1, D), states and x (net, decoder or 1,
    trial, unit or D).
    """
    return 1 - ((states @ weight + bias - x) ** 2).mean((2, 3)) / VARIANCE


def test_decoders(
    source: States, n_test: int, generators: list, weight: Tensor, bias: Tensor
) -> dict[str, np.ndarray]:
    """r2 (net, split, fit) by measure, each decoder tested on `n_test` fresh trials."""
    splits, device, n_split = source.splits, weight.device, len(source.splits.test)
    places = [(quads, slice(split, None, n_split)) for split, quads in enumerate(splits.test)]
    places.append((list(QUADRANTS), slice(n_split, None)))  # of the ID decoders
    results: dict[str, list[Tensor]] = {measure: [] for measure in MEASURES}
    for fit, rngs in enumerate(generators):
        h, x = source.draw(rngs, n_test)
        w, b, tested = weight[:, fit], bias[:, fit], []
        for quads, some in places:
            few = (v[:, quads, : n_test // len(quads)].flatten(1, 2)[:, None] for v in (h, x))
            tested.append(r_sq_of(w[:, some], b[:, some], *few))
        *of_splits, everywhere = tested
        held, one_map = (torch.stack([both[:, i] for both in of_splits], 1) for i in (0, 1))
        as_released = held.clone()
        if splits.as_released:  # splits 1 and 2 are tested on the diagonal, sign at random
            signs = [torch.randint(2, (n_test,), generator=g, device=device) for g in rngs]
            drawn = torch.tensor(splits.as_released[1], device=device)[torch.stack(signs)]
            net, trial = torch.arange(len(h), device=device), torch.arange(n_test, device=device)
            few = (v[net[:, None], drawn, trial][:, None] for v in (h, x))
            as_released[:, 1:3] = r_sq_of(w[:, 1:3], b[:, 1:3], *few)
        for measure, r_sq in zip(MEASURES, (everywhere, held, as_released, one_map), strict=True):
            results[measure].append(r_sq)
    return {measure: torch.stack(r, 2).cpu().numpy() for measure, r in results.items()}


def column_angles(weight: np.ndarray) -> np.ndarray:
    """Angles in degrees between columns of decoders (..., unit, D), (..., D, D), upper triangle."""
    unit = weight / np.linalg.norm(weight, axis=-2, keepdims=True)
    cosine = np.swapaxes(unit, -1, -2) @ unit
    angles = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    angles[..., ~np.triu(np.ones(angles.shape[-2:], bool), 1)] = np.nan
    return angles
