"""Formulas of theory.py against brute-force simulation: 1e6 seeded trials, 3 standard errors."""

import functools

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.special import ndtr, ndtri

import paper
import tasks
import theory
from settings import complete
from theory import SIGMA, T

N = 1_000_000
SD = SIGMA / np.sqrt(T)


def check(values, expected, own=0.0):
    """The mean of values (trial,) is `expected` within 3 standard errors, and `own` of its own."""
    assert len(values) >= N
    error = np.hypot(values.std() / np.sqrt(len(values)), own)
    assert abs(values.mean() - expected) < 3 * error


def r2_of(estimate, x):
    """1 - error^2 / (1/12) of each trial, mean over factors."""
    return (1 - 12 * (estimate - x) ** 2).reshape(len(x), -1).mean(1)


def uniform(shape=N, low=-0.5, high=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(low, high, shape), rng


@functools.cache
def noise_mean(t, kind):
    """What 1e6 trials of t samples give as estimates of x* = 0, sigma = 1, and their samples' mean.

    The noise is that of the tasks themselves.
    """
    task = tasks.LinearClassificationCentOut if kind != "ar" else tasks.LinearClassificationAutocorr
    task = task(2, dist="gumbel" if kind == "gumbel" else "gauss", timing={"stimulus": 100 * t})
    rng = torch.Generator().manual_seed(1)
    parts = [task.draw_noise(N // 40, rng).double().numpy() for _ in range(20)]
    parts = [part.transpose(0, 2, 1).reshape(-1, t) for part in parts]  # two factors, two trials
    if kind == "gumbel":
        best = [-np.log(np.exp(-part).sum(1)) for part in parts]
    else:
        best = [part @ theory.weights_autocorrelated(t, task.noise_ar) for part in parts]
    return np.concatenate(best), np.concatenate([part.mean(1) for part in parts])


@pytest.mark.parametrize(("t", "sigma"), [(20, 0.2), (5, 0.2), (20, 0.6), (1, 0.2)])
def test_estimates_of_white_noise(t, sigma):
    x, _ = uniform()
    mean = x + sigma * noise_mean(t, "gauss")[1]
    s = sigma / np.sqrt(t)
    check(r2_of(mean, x), theory.r2_mean(t, sigma))
    check(r2_of(theory.posterior_mean(mean, s), x), theory.r2_optimum(t, sigma))
    check(r2_of(mean / (1 + 12 * s**2), x), 1 / (1 + 12 * s**2))


@pytest.mark.parametrize(("t", "sigma"), [(20, 0.2), (1, 0.2), (20, 0.6)])
def test_a_quadrant_known_and_not(t, sigma):
    x, _ = uniform(low=0)
    mean, s = x + sigma * noise_mean(t, "gauss")[1], sigma / np.sqrt(t)
    check(r2_of(theory.posterior_mean(mean, s, 0), x), theory.r2_optimum(t, sigma, 0))
    check(r2_of(theory.posterior_mean(mean, s), x), theory.r2_optimum(t, sigma))  # by symmetry


def test_the_numbers_of_the_standard_trial():
    assert theory.r2_mean(T) == pytest.approx(0.9760)
    assert theory.r2_optimum() == pytest.approx(0.97794, abs=1e-5)
    assert theory.r2_optimum(T, SIGMA, 0) == pytest.approx(0.97988, abs=1e-5)
    assert theory.r2_optimum(T, 0.0) == 1


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(("corr", "ratio"), [(0, 1), (0, 2), (0.6, 1)])
def test_the_best_linear_estimate(corr, ratio, held_out):
    """A regression on 1e6 trials of three quadrants, tested on trials of the fourth."""
    sd, rng = SD * np.array([1, ratio]), np.random.default_rng(2)
    z = rng.standard_normal((2 * N, 2))
    x = ndtr(np.stack([z[:, 0], corr * z[:, 0] + np.sqrt(1 - corr**2) * z[:, 1]], 1)) - 0.5
    seen = np.column_stack([x + sd * rng.standard_normal(x.shape), np.ones(len(x))])
    split, missed = (x > 0) @ (2, 1), []
    for q in range(4):
        fitted = split != q if held_out else split >= 0
        fit = np.linalg.lstsq(seen[fitted], x[fitted], rcond=None)[0]
        missed.append(r2_of(seen[split == q] @ fit, x[split == q]))
    points = theory.points(32, corr)
    # what the regression itself scatters is of second order in r2
    check(np.concatenate(missed), theory.r2_linear(points, points, sd, held_out), own=1e-5)


def test_anisotropic_noise():
    x, rng = uniform((N, 2))
    sd = SD * np.array([1, 2])
    mean = x + sd * rng.standard_normal((N, 2))
    check(r2_of(mean, x), theory.r2_anisotropic())
    found = theory.ceilings(complete({"task": "LinearClassificationAnisot"}))
    check(r2_of(theory.posterior_mean(mean, sd), x), found["optimum"])


def test_autocorrelated_noise():
    x, _ = uniform()
    best, mean = (x + SIGMA * noise for noise in noise_mean(T, "ar"))
    r = 0.7 ** abs(np.subtract.outer(np.arange(T), np.arange(T)))
    weights = np.linalg.solve(r, np.ones(T))
    np.testing.assert_allclose(theory.weights_autocorrelated(), weights / weights.sum())
    check(r2_of(best, x), theory.r2_autocorrelated())
    assert r2_of(mean, x).mean() < theory.r2_autocorrelated()
    found = theory.ceilings(complete({"task": "LinearClassificationAutocorr"}))
    sd = np.sqrt((1 - theory.r2_autocorrelated()) / 12)
    check(r2_of(theory.posterior_mean(best, sd), x), found["optimum"])


@pytest.mark.parametrize("t", [20, 2])
def test_gumbel_noise(t):
    best, mean = (SIGMA * noise for noise in noise_mean(t, "gumbel"))
    check(mean, SIGMA * np.euler_gamma)
    s = theory.GUMBEL_SD * SIGMA / np.sqrt(t)
    check((mean - SIGMA * np.euler_gamma) ** 2, s**2)
    check(r2_of(best - best.mean(), 0 * best), theory.r2_gumbel(t))
    x, low = uniform()[0], -0.5
    y, grid = x + best, np.linspace(low, 0.5, 401)  # posterior mean by trapezoids, looked up
    at = np.linspace(y.min(), y.max(), 4000)
    log_p = t * grid / SIGMA - np.exp((grid - at[:, None]) / SIGMA)
    p = np.exp(log_p - log_p.max(1, keepdims=True))
    expected = np.trapezoid(p * grid, grid) / np.trapezoid(p, grid)
    check(r2_of(np.interp(y, at, expected), x), theory.r2_optimum(t, SIGMA, dist="gumbel"))


def lookup(table, points, sd):
    """Values (..., k, k) on means of samples from -0.5 - 6 sd to 0.5 + 6 sd at points (trial, 2)."""
    at = (points + 0.5 + 6 * sd) / (1 + 12 * sd) * (len(table) - 1)
    return map_coordinates(table, at.T, order=1, mode="nearest")


@pytest.mark.parametrize("corr", [0.4, 0.8])
def test_a_correlated_prior(corr):
    """The posterior mean by the copula's density on a grid; theory.py has points of equal mass."""
    _, rng = uniform(1)
    z = rng.standard_normal((N, 2)) @ np.linalg.cholesky([[1, corr], [corr, 1]]).T
    x = ndtr(z) - 0.5
    u = (np.arange(600) + 0.5) / 600
    a, b = np.meshgrid(ndtri(u), ndtri(u), indexing="ij")
    prior = np.exp((2 * corr * a * b - corr**2 * (a**2 + b**2)) / (2 * (1 - corr**2)))
    m = np.linspace(-0.5 - 6 * SD, 0.5 + 6 * SD, 400)
    likelihood = np.exp(-(((m[:, None] - u + 0.5) / SD) ** 2) / 2)
    mean = x + SD * rng.standard_normal(x.shape)
    first = (likelihood * (u - 0.5)) @ prior @ likelihood.T / (likelihood @ prior @ likelihood.T)
    estimate = np.stack([lookup(first, mean, SD), lookup(first.T, mean, SD)], 1)
    points = theory.points(32, corr)
    check(r2_of(estimate, x), theory.r2_posterior(points, points, SD))


def test_noise_after_the_encoder():
    """Continuous x* and errors of estimates, against points and posterior variances."""
    config, sd = complete({"noise_enc": True}), 0.1 / np.sqrt(T)
    _, rng = uniform(1)
    grid, missed = theory.points(16), []
    features = torch.tensor(theory.encode(config, grid) / sd).float()
    centre, where = features.mean(0), torch.tensor(grid).float()
    features, noise = features - centre, torch.Generator().manual_seed(0)
    for _ in range(50):
        x = rng.uniform(-0.5, 0.5, (N // 50, 2))
        seen = torch.tensor(theory.encode(config, x) / sd).float() - centre
        seen += torch.randn(seen.shape, generator=noise)
        p = torch.softmax(seen @ features.T - (features**2).sum(1) / 2, 1)
        missed.append(r2_of((p @ where).numpy(), x))
    found = theory.ceilings(config)
    check(np.concatenate(missed), found["optimum"], own=1e-4)  # its scatter over seeds
    assert np.isnan(found["maximum likelihood"]) and found["known quadrant"] > found["optimum"]


@pytest.mark.parametrize("n_task", [3, 8])
def test_the_optimal_classifier(n_task):
    """Cross-entropy of P with labels equals E H(P) only where P is calibrated."""
    task = tasks.LinearClassificationCentOut(n_task)
    x, rng = uniform((N, 2))
    mean, labels = x + SD * rng.standard_normal(x.shape), task.labels(torch.tensor(x)).numpy()
    m = np.linspace(-0.5 - 6 * SD, 0.5 + 6 * SD, 200)
    every = np.stack(np.meshgrid(m, m, indexing="ij"), -1).reshape(-1, 2)
    p = theory.label_probability(every, task.normals.double().numpy(), SD)
    p = np.stack([lookup(own.reshape(200, 200), mean, SD) for own in p.T], 1)
    accuracy, loss = theory.classifier_optimum(task.normals.double().numpy(), SD)
    check(((p > 0.5) == labels).mean(1), accuracy)
    check(-np.log(np.where(labels, p, 1 - p).clip(1e-12)).mean(1), loss)


def test_label_probability_in_more_dimensions():
    normals = np.array([[0.5, -0.5, 0.1, 0.7], [0.1, 0.9, -0.3, -0.3]])
    for mean in np.random.default_rng(3).uniform(-0.5, 0.5, (4, 4)) * [0.3, 0.3, 1.1, 0.3]:
        x = mean + SD * np.random.default_rng(4).standard_normal((3 * N, 4))
        labels = x[(abs(x) < 0.5).all(1)] @ normals.T > 0
        for own, p in zip(
            labels.T, theory.label_probability(mean[None], normals, SD)[0], strict=True
        ):
            check(own, p, own=1e-4)


def test_accumulators_know_the_target():
    task, rng = tasks.LinearClassificationBound(4), torch.Generator().manual_seed(0)
    for _ in range(20):
        inputs, x = torch.empty(N // 20, task.n_step, 2), torch.empty(N // 20, 2)
        task.fill(inputs, x, rng)
        outputs = theory.accumulate(inputs.double().numpy(), task.phi, task.bound)
        np.testing.assert_allclose(outputs, task.targets(x, inputs), rtol=1e-5, atol=1e-5)
    assert 0.1 < (abs(outputs[:, -1]) == task.bound).mean() < 0.9


def test_the_logistic_is_close_to_a_probit():
    z, c = np.linspace(-12, 12, 4001), theory.probit_constant()
    far = [abs(1 / (1 + np.exp(-z)) - ndtr(z / each)).max() for each in (c - 0.005, c, c + 0.005)]
    assert c == pytest.approx(1.702, abs=5e-4)
    assert far[1] == min(far) == pytest.approx(0.0095, abs=1e-4)


def test_the_command_prints_every_condition(script):
    code, out, _ = script("theory")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()]
    assert code == 0 and set(paper.KINDS) <= {row[0] for row in rows}
    table = {row[0]: row[1:] for row in rows}
    assert table["RNN"] == ["0.9760", "0.9779", "0.9799", "0.9766", "0.9751"]
    assert float(table["Bound"][0]) == pytest.approx(theory.r2_mean(21), abs=1e-4)
