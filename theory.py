"""r2 of the best estimates of x*, to plot and judge results against.

The mean of t samples of noise sigma is the maximum-likelihood estimate of x*, with the error
sigma^2 / t; the variance of a factor, uniform on [-0.5, 0.5], is 1/12.
"""

import functools
import math

import numpy as np
from numpy.typing import ArrayLike

import settings
import tasks

VARIANCE = 1 / 12  # of one factor over the whole space
SIGMA, T = 0.2, 20  # of the paper's standard trial: noise, samples


def r2_mean(t: ArrayLike, sigma: ArrayLike = SIGMA) -> np.ndarray:
    """r2 of the mean of `t` samples: 1 - 12 sigma^2 / t (0.976 at t = 20)."""
    return 1 - 12 * np.asarray(sigma) ** 2 / np.asarray(t, dtype=float)


def r2_anisotropic(t: float = T, sigma: float = SIGMA, ratio: float = 2) -> float:
    """The same where the second of two channels has `ratio` times the noise, mean over both."""
    return 1 - 12 * (sigma**2 + (ratio * sigma) ** 2) / (2 * t)


def r2_autocorrelated(t: float = T, sigma: float = SIGMA, a: float = 0.7) -> float:
    """r2 = 1 - 12 sigma^2 / (1' R^-1 1) of generalised least squares, R_ij = a^|i - j|.

    For AR(1) noise of standard deviation sigma 1' R^-1 1 = (t - (t - 2) a) / (1 + a).
    """
    return 1 - 12 * sigma**2 * (1 + a) / (t - (t - 2) * a)


@functools.cache
def r2_optimum(t: int = T, sigma: float = SIGMA) -> float:
    """r2 of the posterior mean after t samples, x* uniform: the optimum (0.978 at t = 20)."""
    n, s = 2000, sigma / np.sqrt(t)
    x = (np.arange(n) + 0.5) / n - 0.5
    seen = np.linspace(-0.5 - 6 * s, 0.5 + 6 * s, n)
    weight = np.exp(-0.5 * ((seen[:, None] - x) / s) ** 2)
    mass = weight.sum(1)
    mean = weight @ x / mass
    return float(12 * (mass * mean**2).sum() / mass.sum())


def sigma_of(config: settings.Config) -> float:
    """sigma of a network's input noise; NaN where it is not white, Gaussian and on the inputs."""
    task = tasks.make_task(config)
    white = task.dist == "gauss" and not task.noise_ar and set(task.noise_ratio) == {1.0}
    return task.sigma if white and not config["noise_enc"] else math.nan
