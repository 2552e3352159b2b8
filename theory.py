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
from scipy.special import expit, gammaincinv, ndtr, ndtri, polygamma, xlogy
from scipy.stats import qmc

import settings
import tasks
from model import NOISE_ENC, Encoder
from util import UserError, generator, markdown, run_script

VARIANCE = 1 / 12  # of one factor over the whole space
STANDARD = tasks.make_task(settings.paper_settings())  # the paper's standard trial
SIGMA, T = STANDARD.sigma, len(range(STANDARD.n_step)[STANDARD.evidence_steps])  # 0.2, 20
AT_ONCE = 64  # trials, so that weights of all points fit the processor's cache
NO_NOISE = 1e-4  # no standard deviation is below this, so that nothing is divided by 0
GUMBEL_SD = math.pi / math.sqrt(6)  # of Gumbel noise of scale 1; its mean is np.euler_gamma


def r2_mean(t: ArrayLike, sigma: ArrayLike = SIGMA) -> np.ndarray:
    """r2 of the mean of `t` samples: 1 - 12 sigma^2 / t (0.9760 at t = 20), in quadrants too.

    It maximises the likelihood, exp(-sum (X - x)^2 / (2 sigma^2)); sigma^2 / t is its variance.
    """
    return 1 - 12 * np.asarray(sigma) ** 2 / np.asarray(t, dtype=float)


def r2_anisotropic(t: float = T, sigma: float = SIGMA, ratio: float = 2) -> float:
    """The same where the second of two channels has `ratio` times the noise, mean over both."""
    return 1 - 12 * (sigma**2 + (ratio * sigma) ** 2) / (2 * t)


def r2_autocorrelated(t: float = T, sigma: float = SIGMA, a: float = 0.7) -> float:
    """The same for AR(1) noise and generalised least squares, see `Observer.estimate`."""
    return float(1 - 12 * sigma**2 / worth(t, a))


def worth(t: float, a: float) -> float:
    """White samples that t samples with AR(1) noise are worth: 1' R^-1 1, R_ij = a^|i - j|.

    The inverse of R is tridiagonal: R^-1 1 = (1, 1 - a, ..., 1 - a, 1) / (1 + a).
    """
    return (t - (t - 2) * a) / (1 + a)


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


def copula(u: np.ndarray, corr: float = 0) -> np.ndarray:
    """x* (..., D) of uniform u: x1 = u1 - 0.5, x2 = Phi(corr z1 + sqrt(1 - corr^2) z2) - 0.5.

    z = Phi^-1(u); any factors beyond the second as the first.
    """
    x = u - 0.5
    if corr:
        z = ndtri(u[..., :2])
        x[..., 1] = ndtr(corr * z[..., 0] + math.sqrt(1 - corr**2) * z[..., 1]) - 0.5
    return x


def points(n: int, corr: float = 0) -> np.ndarray:
    """Points (4 n^2, 2), equally likely, of the square or of a prior with correlated factors.

    2-point Gauss-Legendre nodes of n x n cells, exact in the moments of each quadrant if n is even.
    """
    u = ((np.arange(n)[:, None] + 0.5 + np.array([-0.5, 0.5]) / math.sqrt(3)) / n).ravel()
    return copula(np.stack(np.meshgrid(u, u, indexing="ij"), -1).reshape(-1, 2), corr)


def r2_posterior(x: np.ndarray, shown: np.ndarray, sd: ArrayLike, known: bool = False) -> float:
    """r2 of the posterior mean of x* given shown + N(0, sd^2), for any prior and any encoder.

    P(x | seen) ~ exp(-|seen - shown|^2 / (2 sd^2)) over points closer than a posterior is wide; the
    MSE is the mean posterior variance over two trials a point, with opposite noise. x: points of
    the prior (point, 2); shown (point, K): without noise; known: the observer knows the quadrant.
    """
    shown, variance, split = shown / np.maximum(sd, NO_NOISE), 0.0, (x > 0) @ (2, 1)
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

    Arguments as above, for any D; quadrants are those of the last two factors. From the moments:
    E x + W (seen - E seen), W = Cov(x, shown) Cov(seen)^-1, Cov(seen) = Cov(shown) + diag(sd^2).
    Not held out, shown = x: r2 = 1 / (1 + 12 sd^2).
    """
    split, missed = (x[:, -2:] > 0) @ (2, 1), np.zeros_like(x)
    for quadrant in range(4):
        tested = split == quadrant
        fitted = ~tested if held_out else split >= 0
        off, seen = x - x[fitted].mean(0), shown - shown[fitted].mean(0)
        near, noise = seen[fitted], np.broadcast_to(sd, shown.shape[1]) ** 2
        cov = near.T @ near / len(near) + np.diag(noise)
        gain = np.linalg.pinv(cov, hermitian=True) @ near.T @ off[fitted] / len(near)
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
    over those: for D = 2 by Gauss and Legendre at 40 nodes, else over 256 quasi-random points. Far
    from edges P = Phi((c . mean - b) / sd), the theorem. `normals` (task, D): c; `offset` (task,).
    """
    n_dim, s = mean.shape[1], np.broadcast_to(sd, mean.shape[1])
    m, out = np.clip(mean, -0.5 - 6 * s, 0.5 + 6 * s), np.empty((len(mean), len(normals)))
    ends = (-0.5 - m) / s, (0.5 - m) / s
    low, high = map(ndtr, ends)
    if n_dim == 2:
        nodes, weights = np.polynomial.legendre.leggauss(40)
        first, last = (end.clip(-7, 7)[:, None] for end in ends)
        z = (first + last + (last - first) * nodes[:, None]) / 2  # (trial, node, D)
        weight = weights[:, None] * np.exp(-(z**2) / 2)
        weight /= weight.sum(1, keepdims=True)
    else:
        u = qmc.Sobol(n_dim, seed=0).random(256)
        z = ndtri(low[:, None] + u * (high - low)[:, None])
        weight = np.full((1, 256, n_dim), 1 / 256)
    x = m[:, None] + s * z
    for i, (c, b) in enumerate(zip(normals, np.broadcast_to(offset, len(normals)), strict=True)):
        j = abs(c).argmax()
        others = np.where(np.arange(n_dim) == j, 0, c)
        edge = ((b - x @ others) / c[j]).clip(-0.5, 0.5)
        below = (weight[..., j - 1] * ndtr((edge - m[:, [j]]) / s[j])).sum(1)
        below = (below - low[:, j]) / (high - low)[:, j]
        out[:, i] = 1 - below if c[j] > 0 else below
    return out.clip(0, 1)


class Observer:
    """The best observer of a network's trials: what samples say about x* and about the labels.

    It knows the noise, the boundaries and the prior: that of training, or uniform if not
    `correlated`. Samples are the evidence, or the encoder's features where these have the noise.
    """

    def __init__(self, config: settings.Config, correlated: bool = True):
        self.task = tasks.make_task(config, settings.seeds_of(config)["task"])
        self.gumbel, self.a = self.task.dist == "gumbel", self.task.noise_ar
        self.corr = getattr(self.task, "corr", 0.0) if correlated else 0.0
        self.encoded, self.shown = config["noise_enc"], lambda x: x
        self.sigma = self.task.sigma * np.resize(self.task.noise_ratio, self.task.n_dim)
        if self.encoded:
            self.shown = functools.partial(encode, config)
            self.sigma = np.full(Encoder.WIDTHS[-1], config["n_sd_in"] / NOISE_ENC)

    def sd(self, t: float) -> np.ndarray:
        """Standard deviation of the estimate after t samples, by channel;"""
        return np.maximum(self.sigma / np.sqrt(worth(t, self.a)), NO_NOISE)

    def estimate(self, samples: np.ndarray) -> np.ndarray:
        """All that the samples (trial, time, channel) so far say, after each of them, same shape.

        Gaussian noise: 1' R^-1 X / 1' R^-1 1, see `worth`, the mean where it is white. Gumbel
        noise: r2_gumbel's y, less its constant, -sigma log mean exp(-X / sigma).
        """
        t = np.arange(1, samples.shape[1] + 1)[:, None]
        if self.gumbel:
            sigma = self.sd(1)
            return -sigma * (np.logaddexp.accumulate(-samples / sigma, 1) - np.log(t))
        ends = self.a * (samples[:, :1] + samples)
        return ((1 - self.a) * samples.cumsum(1) + ends) / (t - (t - 2) * self.a)

    def labels(self, seen: np.ndarray, t: int, x: np.ndarray | None = None) -> np.ndarray:
        """P(label | estimate `seen` of t samples), (trial, label), with several rules of each.

        Exact for straight boundaries where the factors are independent given Gaussian estimates.
        Else numerically, P = sum p(seen | x) label(x) / sum p(seen | x), over points of the prior;
        for D > 2 over points near `x` (trial, D), x* itself, see `near`.
        """
        normals = getattr(self.task, "normals", None)
        if normals is not None and not (self.gumbel or self.corr or self.encoded):
            return label_probability(seen, normals.double().numpy(), self.sd(t))
        p = []
        for some in np.array_split(np.arange(len(seen)), len(seen) // AT_ONCE + 1):
            if self.task.n_dim > 2:
                where, log_p = self.near(np.asarray(x)[some], seen[some], t)
                p.append((softmax(log_p)[:, None] @ self.labels_at(where))[:, 0])
            else:
                p.append(softmax(self.log_p(seen[some], t)) @ self.labels_at(self.points))
        return np.concatenate(p).astype(float).clip(0, 1)

    def labels_at(self, x: np.ndarray) -> np.ndarray:
        """Labels (..., label) of points (..., D), 0 or 1."""
        labels = self.task.labels(torch.as_tensor(x.reshape(-1, x.shape[-1])))
        return labels.numpy().reshape(*x.shape[:-1], -1).astype(np.float32)

    @functools.cached_property
    def points(self) -> np.ndarray:
        """Points of the prior (point, 2)."""
        return points(36, self.corr)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """What the points show without noise (point, channel)."""
        return self.shown(self.points)

    def log_p(self, seen: np.ndarray, t: int) -> np.ndarray:
        """log p(seen | x) at all points, (trial, point), but for a constant."""
        if self.gumbel:  # see r2_optimum
            log_p = np.zeros((len(seen), len(self.features)))
            for own, y, s in zip(self.features.T, seen.T, self.sd(1), strict=True):
                nodes, place = np.unique(own, return_inverse=True)
                d = (nodes - y[:, None]) / s
                log_p += (t * (d - np.exp(d.clip(max=50))))[:, place]
            return log_p
        scaled = self.features / self.sd(t)
        return seen / self.sd(t) @ scaled.T - (scaled**2).sum(1) / 2

    def near(
        self, x: np.ndarray, seen: np.ndarray, t: int, known: bool = False, n: int = 512
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (trial, n, D) from which p(x | seen) follows, and their log weights, for any D.

        Importance sampling (Geweke, Hajivassiliou, Keane). The encoder made linear at x*, slope J
        in units of the noise, gives a Gaussian of precision J'J + 1 = (L L')^-1 and mean
        x* + L L' (J' noise - x*). Points mean + L z are drawn from it, 1.1 times as wide, one z_j
        after the other, each within the square: where [a, b] is left for it, z_j is Phi^-1(Phi(a) +
        u (Phi(b) - Phi(a))). The weight is p(seen | point) prod exp(z_j^2 / 2) (Phi(b) - Phi(a)).
        known: within the quadrant of x*, of the last two factors.
        """
        n_dim, sd, step = x.shape[1], self.sd(t), 0.02
        base = self.shown(x)
        moved = self.shown((x[:, None] + step * np.eye(n_dim)).reshape(-1, n_dim))
        slope = (moved.reshape(len(x), n_dim, -1) - base[:, None]) / (step * sd)
        wide = np.linalg.inv(slope @ slope.swapaxes(1, 2) + np.eye(n_dim))
        pull = (slope @ ((seen - base) / sd)[..., None])[..., 0] - x
        middle = (x + (wide @ pull[..., None])[..., 0]).clip(-0.5, 0.5)
        root, u = 1.1 * np.linalg.cholesky(wide), qmc.Sobol(n_dim, seed=0).random(n)
        z, log_p = np.zeros((len(x), n, n_dim)), np.zeros((len(x), n))
        for j in range(n_dim):
            ends = np.where(known * (j >= n_dim - 2) * x[:, [j]] * [1, -1] > 0, 0, [-0.5, 0.5])
            so_far = middle[:, [j]] + (z @ root[:, j, :, None])[..., 0]
            low, high = (ndtr((end[:, None] - so_far) / root[:, j, j, None]) for end in ends.T)
            log_p += np.log(np.maximum(high - low, 1e-300))
            z[..., j] = ndtri((low + u[:, j] * (high - low)).clip(1e-12, 1 - 1e-12))
        where = middle[:, None] + z @ root.swapaxes(1, 2)
        shown = self.shown(where.reshape(-1, n_dim)).reshape(len(x), n, -1)
        log_p += ((z**2).sum(2) - (((seen[:, None] - shown) / sd) ** 2).sum(2)) / 2
        return where, log_p

    def trials(self, t: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """x* (n, D) of quasi-random trials, and the estimate after t samples (n, channel)."""
        n_dim, n_channel = self.task.n_dim, len(self.sigma)
        u = qmc.Sobol(n_dim + n_channel, seed=0).random(n)
        x, v = copula(u[:, :n_dim], self.corr), u[:, n_dim:]
        noise = (
            -self.sigma * np.log(gammaincinv(t, v) / t) if self.gumbel else self.sd(t) * ndtri(v)
        )
        return x, self.shown(x) + noise

    def r2(self, t: int, known: bool = False, n: int = 1024) -> float:
        """r2 of the posterior mean over points `near` x*; known: the observer knows the quadrant.

        A weighted variance is too small by the sum of squared weights, one over effective points.
        """
        x, seen = self.trials(t, n)
        variance = 0.0
        for some in np.array_split(np.arange(n), n // AT_ONCE):
            where, log_p = self.near(x[some], seen[some], t, known)
            weight = softmax(log_p)
            mean = weight[:, None] @ where
            spread = (weight[..., None] * (where - mean) ** 2).sum(1)
            variance += (spread / (1 - (weight**2).sum(1, keepdims=True))).sum()
        return float(1 - variance / x.size / VARIANCE)

    def classifier(self, t: int = T, n: int = 2048) -> tuple[float, float]:
        """Accuracy E max(P, 1 - P) and cross-entropy E H(P), in nats, mean over tasks."""
        x, seen = self.trials(t, n)
        p = self.labels(seen, t, x)
        return float(np.maximum(p, 1 - p).mean()), float(cross_entropy(p, p).mean())


def softmax(log_p: np.ndarray) -> np.ndarray:
    """Weights along the last axis, of sum 1."""
    weight = np.exp((log_p - log_p.max(-1, keepdims=True)).astype(np.float32))
    return weight / weight.sum(-1, keepdims=True)


def cross_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Expected loss of outputs q where labels are 1 with probability p, in nats."""
    return -(xlogy(p, q) + xlogy(1 - p, 1 - q))


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


def mean_sd(task: tasks.EvidenceTask, n: float) -> np.ndarray:
    """Standard deviations, as `noise_ratio`, of the best weighted mean of `n` samples about x*."""
    sigma = task.sigma * (GUMBEL_SD if task.dist == "gumbel" else 1)
    return sigma * np.array(task.noise_ratio) / math.sqrt(worth(n, task.noise_ar))


R2 = ("maximum likelihood", "optimum", "known quadrant", "best linear", "linear, held out")
CLASSIFIER = ("accuracy", "cross-entropy")
LOW = (-0.5, 0.0)  # lower end of a factor: in the whole space, in a known quadrant


def ceilings(config: settings.Config, correlated: bool = False) -> dict[str, float]:
    """r2 that observers of the samples in a decoder's trial reach; NaN where it is not defined.

    x* is uniform, as decoders are tested; correlated: as the network was trained. Last: what the
    optimal classifier reaches in trials as in training, on average over tasks.
    """
    observer, gauss = Observer(config, correlated), config["dist"] == "gauss"
    task, corr, n_dim = observer.task, observer.corr, observer.task.n_dim
    n = len(range(task.n_step + 1)[task.decoding_task(range(4)).evidence_steps])
    t, sd = worth(n, observer.a), observer.sd(n) * (1 if gauss else GUMBEL_SD)
    ml = float(np.mean([r2_mean(t, s) if gauss else r2_gumbel(t, s) for s in observer.sigma]))
    x = shown = points(24, corr)
    if observer.encoded:
        x = x if n_dim == 2 else qmc.Sobol(n_dim, seed=0).random(2048) - 0.5
        ml, shown = math.nan, observer.shown(x)
    if observer.encoded and n_dim > 2:
        best = [observer.r2(n, known) for known in (False, True)]
    elif observer.encoded or corr:
        best = [r2_posterior(x, shown, sd, known) for known in (False, True)]
    else:
        each = [[r2_optimum(t, s, low, dist=config["dist"]) for s in observer.sigma] for low in LOW]
        best = np.mean(each, 1).tolist()
    linear = [r2_linear(x, shown, sd[: shown.shape[1]], held_out) for held_out in (False, True)]
    own = 1 if observer.encoded else 2 / n_dim  # share of the factors that name the quadrant
    best[1], linear[1] = (own * there + (1 - own) * whole for whole, there in (best, linear))
    found = dict(zip(R2, (ml, *best, *linear), strict=True))
    n = len(range(task.n_step)[task.evidence_steps])  # in training
    trained = Observer(config).classifier(n) if config["CE_loss"] else (math.nan, math.nan)
    return found | dict(zip(CLASSIFIER, trained, strict=True))


@dataclass
class Config:
    """Print r2 of the best observers in every condition of paper.KINDS. More: docs/protocol.md."""

    digits: int = 4  # of each number


def main(config: Config) -> None:
    """Print the table."""
    import paper  # needs `settings`, as this module does

    if not 0 <= config.digits <= 17:
        raise UserError(f"digits must be 0 to 17, not {config.digits}")
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
