"""Ceilings: how well the best observers estimate x* or classify it, to judge results against.

r2 = 1 - MSE / (1/12) everywhere: 1/12 is the variance of a factor over the whole space, also where
one quadrant is tested. `sd` is that of the error of the best estimate without bias, sigma / sqrt(t)
for white noise. `python theory.py` prints the ceilings of every condition in paper.KINDS.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import expit, ndtr, ndtri, polygamma, xlogy
from scipy.stats import qmc

import settings
import tasks
from model import NOISE_ENC, Encoder
from util import generator, markdown, run_script

VARIANCE = 1 / 12  # of one factor over the whole space
SIGMA, T = 0.2, 20  # of the paper's standard trial: noise, samples
GUMBEL_SD = math.pi / math.sqrt(6)  # of Gumbel noise of scale 1; its mean is np.euler_gamma


def r2_mean(t: ArrayLike, sigma: ArrayLike = SIGMA) -> np.ndarray:
    """r2 of the mean of `t` samples: 1 - 12 sigma^2 / t (0.9760 at t = 20), in quadrants too.

    It maximises the likelihood, exp(-sum (X - x)^2 / (2 sigma^2)); sigma^2 / t is its variance.
    """
    return 1 - 12 * np.asarray(sigma) ** 2 / np.asarray(t, dtype=float)


def r2_anisotropic(t: float = T, sigma: float = SIGMA, ratio: float = 2) -> float:
    """The same where the second of two channels has `ratio` times the noise, mean over both."""
    return 1 - 12 * (sigma**2 + (ratio * sigma) ** 2) / (2 * t)


def weights_autocorrelated(t: int = T, a: float = 0.7) -> np.ndarray:
    """Generalised least squares weights R^-1 1 / (1' R^-1 1) for AR(1) noise, R_ij = a^|i - j|.

    The inverse of R is tridiagonal: R^-1 1 = (1, 1 - a, ..., 1 - a, 1) / (1 + a).
    """
    weights = np.where(np.arange(t) % max(t - 1, 1), 1 - a, 1.0)
    return weights / weights.sum()


def r2_autocorrelated(t: float = T, sigma: float = SIGMA, a: float = 0.7) -> float:
    """r2 = 1 - 12 sigma^2 / (1' R^-1 1) of these weights; 1' R^-1 1 = (t - (t - 2) a) / (1 + a)."""
    return 1 - 12 * sigma**2 * (1 + a) / (t - (t - 2) * a)


def r2_gumbel(t: float = T, sigma: float = SIGMA) -> float:
    """r2 of the maximum-likelihood estimate under Gumbel noise of scale sigma, less its bias.

    exp(-(X_i - x) / sigma) is exponential, so the sufficient y = -sigma log sum exp(-X_i / sigma)
    is x - sigma log G, G ~ Gamma(t), of variance sigma^2 trigamma(t). The mean of the samples has
    the bias gamma sigma; without it, it reaches r2_mean(t, GUMBEL_SD * sigma).
    """
    return float(1 - 12 * sigma**2 * polygamma(1, t))


def posterior_mean(mean: ArrayLike, sd: ArrayLike, low=-0.5, high=0.5) -> np.ndarray:
    """E[x | mean] for mean ~ N(x, sd^2) and x uniform on [low, high].

    By Bayes x ~ N(mean, sd^2) cut to [low, high]. With a, b = (low - mean) / sd, (high - mean) / sd
    E = mean - sd (phi(b) - phi(a)) / (Phi(b) - Phi(a)). Means are cut at 6 sd outside (P = 1e-9).
    """
    mean = np.clip(mean, low - 6 * np.asarray(sd), high + 6 * np.asarray(sd))
    a, b = (low - mean) / sd, (high - mean) / sd
    rise = (np.exp(-(b**2) / 2) - np.exp(-(a**2) / 2)) / math.sqrt(2 * math.pi)
    return mean - sd * rise / (ndtr(b) - ndtr(a))


@functools.cache
def r2_optimum(t: float = T, sigma: float = SIGMA, low=-0.5, high=0.5, dist="gauss") -> float:
    """r2 of the posterior mean after t samples, x* uniform on [low, high] (0.9779 at t = 20).

    MSE = E[x^2] - E[E[x | y]^2], on grids of x and the sufficient y: the mean, or r2_gumbel's y.
    On [0, 0.5] the observer knows the quadrant. One who does not reaches the whole square's number
    in each quadrant: if x* is mirrored, so is E[x | y], and its MSE stays.
    """
    if not sigma:
        return 1.0
    n, reach = 2000, (6 if dist == "gauss" else 20) * sigma / math.sqrt(t)
    x = low + (high - low) * (np.arange(n) + 0.5) / n
    seen = np.linspace(low - reach, high + reach, n)
    d = (x - seen[:, None]) / sigma  # Gumbel: log p ~ t (d - exp d), seen = y + sigma log t
    weight = np.exp(t * (-(d**2) / 2 if dist == "gauss" else d - np.expm1(d)))
    mass, moment = weight.sum(1), weight @ x
    explained = np.divide(moment**2, mass, out=0 * mass, where=mass > 0).sum() / mass.sum()
    return float(1 - 12 * ((high**3 - low**3) / (3 * (high - low)) - explained))


def points(n: int, corr: float = 0) -> np.ndarray:
    """Points (4 n^2, 2), equally likely, of the square or of a prior with correlated factors.

    2-point Gauss-Legendre nodes u of n x n cells, exact in the moments of each quadrant if n is
    even; x1 = u1 - 0.5, x2 = Phi(corr z1 + sqrt(1 - corr^2) z2) - 0.5, z = Phi^-1(u).
    """
    u = ((np.arange(n)[:, None] + 0.5 + np.array([-0.5, 0.5]) / math.sqrt(3)) / n).ravel()
    u1, u2 = (side.ravel() for side in np.meshgrid(u, u, indexing="ij"))
    second = ndtr(corr * ndtri(u1) + math.sqrt(1 - corr**2) * ndtri(u2))
    return np.stack([u1, second], 1) - 0.5


def r2_posterior(x: np.ndarray, shown: np.ndarray, sd: ArrayLike, known: bool = False) -> float:
    """r2 of the posterior mean of x* given shown + N(0, sd^2), for any prior and any encoder.

    P(x | seen) ~ exp(-|seen - shown|^2 / (2 sd^2)) over points closer than a posterior is wide; the
    MSE is the mean posterior variance over two trials a point, with opposite noise. x: points of
    the prior (point, 2); shown (point, K): without noise; known: the observer knows the quadrant.
    """
    shown, variance, split = shown / sd, 0.0, (x > 0) @ (2, 1)
    noise = np.random.default_rng(0).standard_normal(shown.shape)
    for part, sign in itertools.product(np.array_split(np.arange(len(x)), 10), (-1, 1)):
        log_p = (shown + sign * noise)[part] @ shown.T - (shown**2).sum(1) / 2
        log_p[known & (split[part, None] != split)] = -np.inf
        weight = np.exp(log_p - log_p.max(1, keepdims=True))
        weight /= weight.sum(1, keepdims=True)
        variance += (weight @ x**2 - (weight @ x) ** 2).sum()
    return float(1 - 6 * variance / x.size)


def r2_linear(x: np.ndarray, shown: np.ndarray, sd: ArrayLike, held_out: bool = True) -> float:
    """r2 of the best linear estimate, fitted on three quadrants and tested in the fourth, in turn.

    Arguments as above. From the moments: E x + W (seen - E seen), W = Cov(x, shown) Cov(seen)^-1,
    Cov(seen) = Cov(shown) + diag(sd^2). Not held out, shown = x: r2 = 1 / (1 + 12 sd^2).
    """
    split, missed = (x > 0) @ (2, 1), np.zeros_like(x)
    for quadrant in range(4):
        tested = split == quadrant
        fitted = ~tested if held_out else split >= 0
        off, seen = x - x[fitted].mean(0), shown - shown[fitted].mean(0)
        near, noise = seen[fitted], np.broadcast_to(sd, shown.shape[1]) ** 2
        cov = near.T @ near / len(near) + np.diag(noise)
        gain = np.linalg.solve(cov, near.T @ off[fitted] / len(near))
        missed[tested] = (off - seen @ gain)[tested] ** 2 + noise @ gain**2
    return float(1 - 12 * missed.mean())


def encode(config: settings.Config, x: np.ndarray) -> np.ndarray:
    """Features (n, K) that the encoder of a network makes of x (n, D) without noise."""
    task = tasks.make_task(config)
    encoder = Encoder(1, task, *(config[name] for name in Encoder.SETTINGS))
    encoder.draw(0, generator(settings.seeds_of(config)["encoder"]))
    inputs = task.noiseless(torch.as_tensor(x).float())[None, :, task.evidence_steps][:, :, :1]
    return encoder(inputs)[0, :, 0, encoder.features].double().numpy()


def label_probability(
    mean: np.ndarray, normals: np.ndarray, sd: ArrayLike, offset: ArrayLike = 0
) -> np.ndarray:
    """Outputs of the optimal classifier, P(c . x > b | mean) (trial, task), for x* uniform.

    Given `mean` of the samples (trial, D) the factors are independent, N(mean, sd^2) cut to the
    square. P is a difference of Phi given all factors but the one with the largest |c_j|, averaged
    over 256 quantiles of those. Far from edges P = Phi((c . mean - b) / sd). `normals` (task, D)
    are c, `offset` (task,) is b.
    """
    n_dim, s, n = mean.shape[1], np.broadcast_to(sd, mean.shape[1]), 256
    m, out = np.clip(mean, -0.5 - 6 * s, 0.5 + 6 * s), np.empty((len(mean), len(normals)))
    low, high = ndtr((-0.5 - m) / s), ndtr((0.5 - m) / s)
    u = (np.arange(n)[:, None] + 0.5) / n if n_dim == 2 else qmc.Sobol(n_dim, seed=0).random(n)
    x = m[:, None] + s * ndtri(low[:, None] + u * (high - low)[:, None])  # (trial, n, D)
    for i, (c, b) in enumerate(zip(normals, np.broadcast_to(offset, len(normals)), strict=True)):
        j = abs(c).argmax()
        edge = ((b - x @ np.where(np.arange(n_dim) == j, 0, c)) / c[j]).clip(-0.5, 0.5)
        below = (ndtr((edge - m[:, [j]]) / s[j]).mean(1) - low[:, j]) / (high - low)[:, j]
        out[:, i] = 1 - below if c[j] > 0 else below
    return out.clip(0, 1)


def classifier_optimum(normals: np.ndarray, sd: ArrayLike) -> np.ndarray:
    """Its accuracy E max(P, 1 - P) and cross-entropy E H(P), in nats, mean over tasks: (2,)."""
    u, v = np.split(qmc.Sobol(2 * normals.shape[1], seed=0).random(8192), 2, 1)
    p = label_probability(u - 0.5 + sd * ndtri(v), normals, sd)  # x*, and noise of the mean
    return np.array([np.maximum(p, 1 - p).mean(), -(xlogy(p, p) + xlogy(1 - p, 1 - p)).mean()])


def probit_constant() -> float:
    """c for which the largest distance between the logistic s(z) and Phi(z / c) is least: 1.702."""
    z = np.linspace(0, 12, 12001)
    found = minimize_scalar(lambda c: abs(expit(z) - ndtr(z / c)).max(), (1.5, 2), (1.5, 2))
    return float(found.x)


def accumulate(samples: np.ndarray, phi: np.ndarray, bound: float) -> np.ndarray:
    """Optimal free-RT outputs (trial, time, task) from samples (trial, time, 2).

    The running sum of X2 - tan(phi_i) X1 until it reaches +-bound, then that bound. The target is
    this function of the samples so far, so the least MSE is 0.
    """
    outputs = np.zeros((len(samples), samples.shape[1] + 1, len(phi)))
    for t, x in enumerate(samples.swapaxes(0, 1)):
        last, step = outputs[:, t], x[:, 1:] - np.tan(phi) * x[:, :1]
        outputs[:, t + 1] = np.where(abs(last) < bound, last + step, last).clip(-bound, bound)
    return outputs[:, 1:]


def sigma_of(config: settings.Config) -> float:
    """sigma of a network's input noise; NaN where it is not white, Gaussian and on the inputs."""
    task = tasks.make_task(config)
    white = task.dist == "gauss" and not task.noise_ar and set(task.noise_ratio) == {1.0}
    return task.sigma if white and not config["noise_enc"] else math.nan


def ceilings(config: settings.Config, correlated: bool = False) -> dict[str, float]:
    """r2 that observers of the samples in a decoder's trial reach; NaN where it is not defined.

    x* is uniform, as decoders are tested; correlated: as the network was trained.
    """
    task, dist = tasks.make_task(config), config["dist"]
    steps, a = task.decoding_task(range(4)).evidence_steps, task.noise_ar
    n = steps.stop - steps.start  # free reaction time: one more than in training
    t = (n - (n - 2) * a) / (1 + a)  # white samples that are worth as much
    sigmas = [task.sigma * ratio for ratio in task.noise_ratio]
    ml = float(np.mean([r2_mean(t, s) if dist == "gauss" else r2_gumbel(t, s) for s in sigmas]))
    sd = np.array(sigmas) * (1 if dist == "gauss" else GUMBEL_SD) / math.sqrt(t)
    x = shown = points(24, task.corr if correlated else 0)
    if config["noise_enc"]:
        ml, shown = math.nan, encode(config, x)
        sd = np.full(1, config["n_sd_in"] / NOISE_ENC / math.sqrt(t))
    if correlated or config["noise_enc"]:
        best = [r2_posterior(x, shown, sd, known) for known in (False, True)]
    else:
        each = [[r2_optimum(t, s, low, dist=dist) for s in sigmas] for low in (-0.5, 0)]
        best = np.mean(each, 1).tolist()
    linear = [r2_linear(x, shown, sd, held_out) for held_out in (False, True)]
    own = 2 / task.n_dim  # share of the factors that say which quadrant it is
    best[1], linear[1] = (own * there + (1 - own) * whole for whole, there in (best, linear))
    names = "maximum likelihood", "optimum", "known quadrant", "best linear", "linear, held out"
    return dict(zip(names, (ml, *best, *linear), strict=True))


@dataclass
class Config:
    """Print r2 of the best observers in every condition of paper.KINDS; held out: one quadrant."""

    digits: int = 4  # of each number


def main(config: Config) -> None:
    """Print the table."""
    import paper  # needs `settings`, as this module does

    rows = []
    for name, kind in paper.KINDS.items():
        own = paper.configs(name, kind.ensembles[0][:1])
        for prior in ["", ", correlated x* in the test"][: 1 + bool(own[0]["corr"])]:
            every = [ceilings(c, bool(prior)) for c in own[: 5 if own[0]["noise_enc"] else 1]]
            r2 = np.mean([list(each.values()) for each in every], 0)
            rows.append([name + prior, *(f"{each:.{config.digits}f}" for each in r2)])
    print(markdown(["condition", *every[0]], rows).replace(" nan", "   -"))


if __name__ == "__main__":
    run_script(main, Config)
