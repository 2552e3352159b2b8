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
"""

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

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


def abstraction(source: Any, generators: list[list[Generator]]) -> dict[str, np.ndarray]:
    """CCGP and parallelism of networks, each fit from fresh trials, and their chance.

    Args:
        source: `decoders.States`.
        generators: per fit one for each network.

    Returns:
        ccgp, parallelism (net, fit, factor); ccgp_chance, parallelism_chance (net, factor, 3),
        mean, 5 % and 95 % quantile over fits and draws of the null.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in MEASURES}
    for rngs in generators:
        states, _ = source.draw(rngs, N_TRIAL)
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
