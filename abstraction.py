"""How abstract a representation of two factors is: CCGP and parallelism score, with their chance.

Source: Bernardi et al. 2020, "The geometry of abstraction in the hippocampus and prefrontal
cortex", Cell. The conditions are the quadrants of x*, by the signs of two factors: (-,-), (-,+),
(+,-), (+,+).

CCGP, cross-condition generalisation performance: a linear classifier of the sign of one factor is
trained where the other factor is negative and tested where it is positive, and the other way
round; the share of trials that it gets right. Input noise keeps it below 1: the sign of the mean of
t samples is right in 1 - sqrt(2 / pi) sigma / sqrt(t) of the trials, 0.964 at t = 20.

Parallelism score: the cosine between the coding directions of one factor, the difference of its two
class means, where the other factor is negative and where it is positive. Two halves make one pair.

Chance comes from a geometric null, see `scrambled`: 0.5 and 0 on average.
"""

import numpy as np
import torch

from util import UserError

N_TRIAL = 192  # trials per quadrant and fit; as many train as test the classifiers
N_DRAW = 20  # draws of the null per fit; fewer have no 5 % quantile
RIDGE = 1.0  # penalty of the classifier, in units of the mean variance of a unit within quadrants
TAILS = [0.05, 0.95]  # quantiles of the null
PAIRS = [[[0, 2], [1, 3]], [[0, 1], [2, 3]]]  # quadrants by (factor, half of the other, sign)


def means_of(states):
    """Mean of each quadrant, (net, quadrant, unit).

    Raises:
        UserError: states of another shape than (net, 4, trial, unit), or not finite.
    """
    if states.ndim != 4 or states.shape[1] != 4 or states.shape[2] < 2:
        wanted = "(net, 4 quadrants, 2 or more trials, unit)"
        raise UserError(f"states must be {wanted}, not {tuple(states.shape)}")
    mean = states.mean(2)
    if not mean.isfinite().all():
        raise UserError("states must be finite")
    return mean


def ccgp(states):
    """Cross-condition generalisation performance.

    The classifier is Fisher's linear discriminant with a ridge, which is least squares on labels
    -1 and 1: closed form, so that a fit is one 64 x 64 solution, batched over networks, factors and
    halves. All 25 networks, 5 fits and their null take seconds; LinearSVC takes 15 ms a classifier.
    The ridge is fixed. Without it the discriminant uses directions of tiny variance and generalises
    worse; at 1 it agrees with scikit-learn's LinearSVC at its default C: medians of five networks,
    one fit, 256 trials per quadrant, 0.923 and 0.921 (Networks/RNN, N_task = 24), 0.959 and 0.947
    (Networks/gpt-2, N_task = 24).

    Args:
        states: (net, quadrant, trial, unit).

    Returns:
        (net, factor), share of right trials, mean over both directions.
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


def parallelism(states):
    """Parallelism score.

    Args:
        states: (net, quadrant, trial, unit).

    Returns:
        (net, factor), cosine; NaN where a class difference is nothing but rounding.
    """
    mean = means_of(states)
    low, high = mean[:, torch.tensor(PAIRS, device=mean.device)].unbind(3)
    first, second = (high - low).unbind(2)  # coding directions (net, factor, unit) at the halves
    lengths = torch.stack([first.norm(dim=-1), second.norm(dim=-1)])
    rounding = 1e-6 * mean.norm(dim=-1).amax(1, keepdim=True)
    cosine = (first * second).sum(-1) / lengths.prod(0)
    return cosine.where((lengths > rounding).all(0), torch.nan)


def scrambled(states, generators):
    """One draw of the geometric null: quadrants stay as decodable, their geometry goes.

    The mean of each quadrant moves to a random isotropic place, the sum of squared distances of the
    four from their centre kept. The noise around each mean has its units permuted, in each quadrant
    differently. Both happen among the units that respond at all: a silent unit stays silent.

    Args:
        states: (net, quadrant, trial, unit).
        generators: one per network.

    Returns:
        (net, quadrant, trial, unit).
    """
    mean = means_of(states)
    centre = mean.mean(1, keepdim=True)
    silent = (states == states[:, :1, :1]).all(2).all(1)[:, None]  # (net, 1, unit)
    shape = mean.shape[1:]
    places = [torch.randn(shape, generator=g, device=g.device) for g in generators]
    places = torch.stack(places).to(mean.dtype).masked_fill(silent, 0)
    places = places - places.mean(1, keepdim=True)
    spread, drawn = (v.norm(dim=(1, 2), keepdim=True) for v in (mean - centre, places))
    places = centre + places * spread / drawn.clamp_min(1e-30)
    keys = torch.stack([torch.rand(shape, generator=g, device=g.device) for g in generators])
    source = (keys + silent).argsort(2)  # responding units in random order, then the silent ones
    target = silent.int().argsort(dim=2, stable=True).expand_as(source)
    order = torch.empty_like(source).scatter(2, target, source)
    noise = (states - mean[:, :, None]).gather(3, order[:, :, None].expand_as(states))
    return places[:, :, None] + noise


MEASURES = {"ccgp": ccgp, "parallelism": parallelism}


def abstraction(source, generators):
    """CCGP and parallelism of networks, each fit from fresh trials, and their chance.

    Args:
        source: `generalize.States`.
        generators: per fit one for each network.

    Returns:
        dict of arrays: ccgp, parallelism (net, fit, factor); ccgp_chance, parallelism_chance
        (net, factor, 3), mean, 5 % and 95 % quantile over fits and draws of the null.
    """
    found, null = ({name: [] for name in MEASURES} for _ in range(2))
    for rngs in generators:
        states, _ = source.draw(rngs, N_TRIAL)
        draws = (scrambled(states, rngs) for _ in range(N_DRAW))
        for into, some in ((found, [states]), (null, draws)):
            for one in some:
                for name, measure in MEASURES.items():
                    into[name].append(measure(one))
    out = {name: torch.stack(values, 1).cpu().numpy() for name, values in found.items()}
    for name, values in null.items():
        draws = torch.stack(values).cpu().numpy()  # (fit and draw, net, factor)
        ends = np.quantile(draws, TAILS, 0, method="weibull")  # unbiased for few draws
        out[f"{name}_chance"] = np.stack([draws.mean(0), *ends], -1)
    return out
