"""Formulas of theory.py against brute-force simulation: 1e6 seeded trials, 3 standard errors."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.special import ndtr, ndtri

import paper
import tasks
import theory
from settings import complete
from theory import SIGMA, T

N, SD = 1_000_000, SIGMA / np.sqrt(T)
MEANS = np.linspace(-0.5 - 6 * SD, 0.5 + 6 * SD, 200)  # of samples, for `lookup`


def check(values, expected, own=0.0):
    """The mean of values (trial,) is `expected`, which has a standard error `own`, within 3."""
    assert len(values) >= N
    assert abs(values.mean() - expected) < 3 * np.hypot(values.std() / np.sqrt(len(values)), own)


def r2_of(estimate, x):
    return (1 - 12 * (estimate - x) ** 2).reshape(len(x), -1).mean(1)  # of each trial


def lookup(table, at):
    at = (at - MEANS[0]) / (MEANS[1] - MEANS[0])  # (trial, 2); the table is of MEANS x MEANS
    return ndimage.map_coordinates(table, at.T, order=1, mode="nearest")


def noise_of(task, t, **settings):
    task, rng = task(2, timing={"stimulus": 100 * t}, **settings), torch.Generator().manual_seed(1)
    return task.draw_noise(N // 2, rng).permute(0, 2, 1).reshape(N, t).numpy()  # in units of sigma


@pytest.mark.parametrize("low", [-0.5, 0])  # the whole square; one quadrant
@pytest.mark.parametrize("t, sigma", [(20, 0.2), (20, 0.6), (1, 0.2)])
def test_estimates_of_white_noise(t, sigma, low):
    x, s = np.random.default_rng(0).uniform(low, 0.5, N), sigma / np.sqrt(t)
    mean = x + sigma * noise_of(tasks.LinearClassificationCentOut, t).mean(1)
    check(r2_of(mean, x), theory.r2_mean(t, sigma))
    check(r2_of(theory.posterior_mean(mean, s), x), theory.r2_optimum(t, sigma))  # either way
    estimate = theory.posterior_mean(mean, s, low)
    check(r2_of(estimate, x), theory.r2_optimum(t, sigma, low))
    check((estimate - x) * (mean - estimate), 0)  # the mean says nothing of the error


@pytest.mark.parametrize("corr, ratio, held_out", [(0, 1, 1), (0, 2, 1), (0.6, 1, 1), (0, 2, 0)])
def test_linear_estimates_and_anisotropic_noise(corr, ratio, held_out):
    sd, rng = SD * np.array([1, ratio]), np.random.default_rng(2)
    x = ndtr(rng.standard_normal((N, 2)) @ np.linalg.cholesky([[1, corr], [corr, 1]]).T) - 0.5
    mean, missed = x + sd * rng.standard_normal((N, 2)), np.empty(N)
    check(r2_of(mean, x), theory.r2_anisotropic(ratio=ratio))
    seen, split = np.column_stack([mean, np.ones(N)]), (x > 0) @ (2, 1)
    for q in range(4):
        train = (split != q) | (not held_out)
        fit = np.linalg.solve(seen[train].T @ seen[train], seen[train].T @ x[train])
        missed[split == q] = r2_of(seen @ fit, x)[split == q]
    check(missed, theory.r2_linear(*[theory.points(32, corr)] * 2, sd, held_out))
    if ratio == 2:
        found = theory.ceilings(complete({"task": "LinearClassificationAnisot"}))["optimum"]
        check(r2_of(theory.posterior_mean(mean, sd), x), found)


def test_autocorrelated_noise():
    solved = np.linalg.inv(0.7 ** abs(np.subtract.outer(np.arange(T), np.arange(T)))).sum(1)
    x, weights = np.random.default_rng(0).uniform(-0.5, 0.5, N), theory.weights_autocorrelated()
    np.testing.assert_allclose(weights, solved / solved.sum())
    best = x + SIGMA * noise_of(tasks.LinearClassificationAutocorr, T) @ weights
    check(r2_of(best, x), theory.r2_autocorrelated())
    estimate = theory.posterior_mean(best, SIGMA / np.sqrt(solved.sum()))
    check(r2_of(estimate, x), theory.ceilings(complete({"autocorr": True}))["optimum"])


@pytest.mark.parametrize("t", [20, 2])
def test_gumbel_noise(t):
    noise = noise_of(tasks.LinearClassificationCentOut, t, dist="gumbel").astype(float)
    mean, best = SIGMA * noise.mean(1), -SIGMA * np.log(np.exp(-noise).sum(1))
    check(mean, SIGMA * np.euler_gamma)
    check((mean - SIGMA * np.euler_gamma) ** 2, (theory.GUMBEL_SD * SIGMA) ** 2 / t)
    check(r2_of(best - best.mean(), 0 * best), theory.r2_gumbel(t))
    x, grid = np.random.default_rng(0).uniform(-0.5, 0.5, N), np.linspace(-0.5, 0.5, 401)
    at = np.linspace((x + best).min(), (x + best).max(), 4000)
    p = np.exp(t * (grid - at[:, None]) / SIGMA - np.exp((grid - at[:, None]) / SIGMA))
    expected = np.trapezoid(p * grid, grid) / np.trapezoid(p, grid)
    check(r2_of(np.interp(x + best, at, expected), x), theory.r2_optimum(t, dist="gumbel"))


def test_a_correlated_prior(corr=0.8):
    rng, u, points = np.random.default_rng(0), (np.arange(600) + 0.5) / 600, theory.points(32, corr)
    x = ndtr(rng.standard_normal((N, 2)) @ np.linalg.cholesky([[1, corr], [corr, 1]]).T) - 0.5
    a, b = np.meshgrid(ndtri(u), ndtri(u))
    prior = np.exp((2 * corr * a * b - corr**2 * (a**2 + b**2)) / (2 * (1 - corr**2)))
    like = np.exp(-(((MEANS[:, None] - u + 0.5) / SD) ** 2) / 2)
    first = (like * (u - 0.5)) @ prior @ like.T / (like @ prior @ like.T)
    mean = x + SD * rng.standard_normal(x.shape)
    estimate = np.stack([lookup(first, mean), lookup(first.T, mean)], 1)
    check(r2_of(estimate, x), theory.r2_posterior(points, points, SD))


def test_noise_after_the_encoder():
    config, missed, rng = complete({"noise_enc": True}), [], torch.Generator().manual_seed(0)
    grid = torch.tensor(theory.points(12)).float()
    features = torch.tensor(theory.encode(config, grid) * np.sqrt(T) / 0.1).float()
    for _ in range(500):
        x = torch.rand(N // 500, 2, generator=rng) - 0.5
        seen = torch.tensor(theory.encode(config, x) * np.sqrt(T) / 0.1).float()
        seen += torch.randn(seen.shape, generator=rng)
        p = torch.softmax(seen @ features.T - (features**2).sum(1) / 2, 1)
        missed.append(r2_of((p @ grid).numpy(), x.numpy()))
    check(np.concatenate(missed), theory.ceilings(config)["optimum"], own=1.1e-4)  # over seeds


def test_the_optimal_classifier():
    task, rng = tasks.LinearClassificationCentOut(3), np.random.default_rng(0)
    x, normals = rng.uniform(-0.5, 0.5, (N, 2)), task.normals.double().numpy()
    mean, labels = x + SD * rng.standard_normal(x.shape), task.labels(torch.tensor(x)).numpy()
    every = np.stack(np.meshgrid(MEANS, MEANS, indexing="ij"), -1).reshape(-1, 2)
    every = theory.label_probability(every, normals, SD).T.reshape(3, 200, 200)
    p = np.stack([lookup(own, mean) for own in every], 1)
    accuracy, loss = theory.classifier_optimum(normals, SD)
    check(((p > 0.5) == labels).mean(1), accuracy)
    check(-np.log(np.where(labels, p, 1 - p).clip(1e-12)).mean(1), loss)
    normals, mean = np.array([[0.5, -0.5, 0.1, 0.7]]), np.array([[0.05, 0.1, 0.52, -0.1]])
    x = mean + SD * np.random.default_rng(4).standard_normal((4 * N, 4))
    for b in (0, 0.05):
        p = theory.label_probability(mean, normals, SD, b)
        check(x[(abs(x) < 0.5).all(1)] @ normals[0] > b, p)


def test_accumulators_know_the_target():
    task = tasks.LinearClassificationBound(2, bound=1.0, timing={"stimulus": 600})
    inputs, x = torch.empty(N, task.n_step, 2), torch.empty(N, 2)
    task.fill(inputs, x, torch.Generator().manual_seed(0))
    outputs = theory.accumulate(inputs.double().numpy(), task.phi, task.bound)
    np.testing.assert_allclose(outputs, task.targets(x, inputs), rtol=1e-5, atol=1e-5)
    assert 0.1 < (abs(outputs[:, -1]) == task.bound).mean() < 0.9


def test_numbers_and_the_command(script):
    x, found = theory.points(32), list(theory.ceilings(complete({})).values())
    assert found == pytest.approx([0.9760, 0.97794, 0.97988, 0.97656, 0.97506], abs=1e-5)
    assert theory.r2_posterior(x, x, SD, True) == pytest.approx(found[2], abs=3e-5)
    z, c = np.linspace(-12, 12, 4001), theory.probit_constant()
    far = [abs(1 / (1 + np.exp(-z)) - ndtr(z / each)).max() for each in (c - 0.005, c, c + 0.005)]
    assert c == pytest.approx(1.702, abs=5e-4) and far[1] == min(far) < 0.0096
    table = {w[1]: w[3::2] for w in map(str.split, script("theory")[1].splitlines()) if w[1:]}
    assert theory.r2_optimum(T, 0.0) == 1 and set(paper.KINDS) <= set(table)
    assert table["RNN"] == [f"{r2:.4f}" for r2 in found] and table["Bound"][0] == "0.9771"
