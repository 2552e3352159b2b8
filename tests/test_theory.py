"""Formulas of theory.py against brute-force simulation: 1e6 seeded trials, 3 standard errors."""

import functools

import numpy as np
import pytest
import torch
from conftest import ROOT
from scipy import ndimage
from scipy.special import ndtr, ndtri

import paper
import table
import tasks
import theory
from settings import complete
from theory import SIGMA, Observer, T

N, SD = 1_000_000, SIGMA / np.sqrt(T)
AUTOCORR, HIGH_DIM = complete({"autocorr": True}), {"task": "LinearClassificationHighDim"}
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
    x, observer = np.random.default_rng(0).uniform(-0.5, 0.5, N), Observer(AUTOCORR)
    noise = noise_of(tasks.LinearClassificationAutocorr, T)
    some = observer.estimate(noise[:100, :, None])[:, -1, 0]
    np.testing.assert_allclose(some, noise[:100] @ solved / solved.sum(), rtol=1e-4)
    best = x + SIGMA * noise @ solved / solved.sum()
    check(r2_of(best, x), theory.r2_autocorrelated())
    estimate = theory.posterior_mean(best, observer.sd(T)[0])
    check(r2_of(estimate, x), theory.ceilings(AUTOCORR)["optimum"])


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
    grid = torch.tensor(theory.points(10)).float()
    features = torch.tensor(theory.encode(config, grid) * np.sqrt(T) / 0.1).float()
    for _ in range(500):
        x = torch.rand(N // 500, 2, generator=rng) - 0.5
        seen = torch.tensor(theory.encode(config, x) * np.sqrt(T) / 0.1).float()
        seen += torch.randn(seen.shape, generator=rng)
        p = torch.softmax(seen @ features.T - (features**2).sum(1) / 2, 1)
        missed.append(r2_of((p @ grid).numpy(), x.numpy()))
    check(np.concatenate(missed), theory.ceilings(config)["optimum"], own=1.1e-4)  # over seeds


def trials_of(config, n, seed):
    """x*, labels and the estimate from all samples of n trials of the task itself."""
    observer, rng = Observer(config), torch.Generator().manual_seed(seed)
    task = observer.task
    inputs, x = torch.empty(n, task.n_step, task.n_channel), torch.empty(n, task.n_dim)
    task.fill(inputs, x, rng)
    seen = observer.estimate(inputs[:, task.evidence_steps, task.evidence].numpy())[:, -1]
    return observer, x.double().numpy(), task.labels(x).numpy(), seen


@pytest.mark.parametrize(
    "settings, t, n",
    [
        ({"n_task": 3}, T, 120),
        ({"task": "LinearClassificationAnisot", "n_task": 2}, T, 120),
        ({"autocorr": True, "n_task": 2}, T, 120),
        ({"dist": "gumbel", "n_task": 2}, 5, 70),
        ({"corr": 0.8, "n_task": 2}, 5, 70),
        ({"task": "MultiplyClassificationFull", "n_task": 8}, 5, 70),
        ({"task": "GridClassification", "n_task": 4}, 5, 100),
    ],
)
def test_the_optimal_classifier(settings, t, n):
    config, hit, lost = complete({**settings, "stimulus": 100 * t}), [], []
    edge = 0.5 + 5 * SIGMA / np.sqrt(t)
    line = np.linspace(-edge, edge, n)
    every = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    for part in range(10):  # P by interpolation between n x n estimates
        observer, _, labels, seen = trials_of(config, N // 10, part)
        if not part:
            observer.points = theory.points(24, observer.corr)
            tables = observer.labels(every, t).T.reshape(-1, n, n)
        at = (seen - line[0]) / (line[1] - line[0])
        look = {"order": 1, "mode": "nearest"}
        p = np.stack([ndimage.map_coordinates(own, at.T, **look) for own in tables], 1)
        hit.append(((p > 0.5) == labels).mean(1))
        lost.append(-np.log(np.where(labels, p, 1 - p).clip(1e-9)).mean(1))
    accuracy, loss = observer.classifier(t, 32768)
    check(np.concatenate(hit), accuracy, own=2e-4)  # of quasi-random trials
    check(np.concatenate(lost), loss, own=3e-4)


def test_boundaries_with_an_offset_and_more_factors():
    rng, mean = np.random.default_rng(4), np.array([[0.05, 0.1, 0.52, -0.1]])
    normals, x = np.array([[0.5, -0.5, 0.1, 0.7]]), mean + SD * rng.standard_normal((4 * N, 4))
    x = x[(abs(x) < 0.5).all(1)]
    for b in (0, -0.05):
        found = theory.label_probability(mean, normals, SD, b)[0, 0]
        check(x @ normals[0] > b, found, own=3e-4)
    c, mean = np.array([[0.6, 0.8], [-1, 0]]), np.array([[0.1, 0.49]])
    x = mean + SD * rng.standard_normal((2 * N, 2))
    x, found = x[(abs(x) < 0.5).all(1)], theory.label_probability(mean, c, SD, (0.4, -0.15))[0]
    check(x @ c[0] > 0.4, found[0])
    check(x @ c[1] > -0.15, found[1])
    middle = rng.uniform(-0.2, 0.2, (100, 2))  # far from edges: the theorem
    found = theory.label_probability(middle, c, SD, 0.02)
    np.testing.assert_allclose(found, ndtr((middle @ c.T - 0.02) / SD), atol=1e-6)


def test_the_optimal_classifier_after_the_encoder(n=8192):
    config = complete({"noise_enc": True, "n_task": 3})
    observer, rng = Observer(config), np.random.default_rng(1)
    x = rng.uniform(-0.5, 0.5, (n, 2))
    noise = observer.sigma[0] / np.sqrt(T) * rng.standard_normal((n, 40))
    seen, labels = observer.shown(x) + noise, observer.labels_at(x)
    p, (accuracy, loss) = observer.labels(seen, T), observer.classifier(T, n)
    for values, expected in (
        (((p > 0.5) == labels).mean(1), accuracy),
        (theory.cross_entropy(labels, p.clip(1e-9, 1 - 1e-7)).mean(1), loss),
    ):
        error = values.std() / np.sqrt(n)  # of the expected number too, of as many trials
        assert abs(values.mean() - expected) < 3 * error * np.sqrt(2)
    where, log_p = observer.near(x[:100], seen[:100], T, n=1024)  # another way, for any D
    again = (theory.softmax(log_p)[:, None] @ observer.labels_at(where))[:, 0]
    assert abs(again - p[:100]).mean() < 0.005


def test_more_factors_after_the_encoder(monkeypatch):
    config = complete({"n_dim": 10, "task": "LinearClassificationHighDim", "n_task": 2})
    observer = Observer(config)  # without an encoder the result is known
    for known, low in ((False, -0.5), (True, 0)):
        each = theory.r2_optimum(T, SIGMA, -0.5), theory.r2_optimum(T, SIGMA, low)
        assert observer.r2(T, known, 512) == pytest.approx(0.8 * each[0] + 0.2 * each[1], abs=4e-4)
    for name in ("r2", "classifier"):
        few = functools.partialmethod(getattr(Observer, name), n=128)
        monkeypatch.setattr(Observer, name, few)
    config = complete({**HIGH_DIM, "n_dim": 3, "noise_enc": True, "n_task": 2})
    found = theory.ceilings(config)
    assert found["linear, held out"] < found["best linear"] < found["optimum"]
    assert found["optimum"] < found["known quadrant"]


@pytest.mark.parametrize("settings", [{}, {"noise_enc": True}, {"corr": 0.5}, {"dist": "gumbel"}])
def test_without_noise_nothing_is_divided_by_it(settings):
    config = complete({**settings, "n_sd_in": 0.0, "n_task": 2})
    found = theory.ceilings(config, correlated=True)
    assert found["optimum"] == found["known quadrant"] == 1
    assert found["accuracy"] > 0.999 and found["cross-entropy"] < 0.001


def test_accumulators_know_the_target():
    task = tasks.LinearClassificationBound(2, bound=0.8, timing={"stimulus": 400})
    inputs, x = torch.empty(N, task.n_step, 2), torch.empty(N, 2)
    task.fill(inputs, x, torch.Generator().manual_seed(0))
    outputs = theory.accumulate(inputs.double().numpy(), task.phi, task.bound)
    np.testing.assert_allclose(outputs, task.targets(x, inputs), rtol=1e-5, atol=1e-5)
    assert 0.1 < (abs(outputs[:, -1]) == task.bound).mean() < 0.9


def test_numbers_and_the_command(script, monkeypatch):
    x, found = theory.points(32), list(theory.ceilings(complete({"n_task": 2})).values())
    assert found[:5] == pytest.approx([0.9760, 0.97794, 0.97988, 0.97656, 0.97506], abs=1e-5)
    assert theory.r2_posterior(x, x, SD, True) == pytest.approx(found[2], abs=3e-5)
    z, c = np.linspace(-12, 12, 4001), theory.probit_constant()
    far = [abs(1 / (1 + np.exp(-z)) - ndtr(z / each)).max() for each in (c - 0.005, c, c + 0.005)]
    assert c == pytest.approx(1.702, abs=5e-4) and far[1] == min(far) < 0.0096
    few = ("RNN", "Bound", "Corr1")
    monkeypatch.setattr(paper, "KINDS", {name: paper.KINDS[name] for name in few})
    table = {w[1]: w[3::2] for w in map(str.split, script("theory")[1].splitlines()) if w[1:]}
    assert theory.r2_optimum(T, 0.0) == 1 and set(paper.KINDS) <= set(table)
    code, _, err = script("theory", "--digits", -1)
    assert code == 2 and err == "theory.py: digits must be 0 to 17, not -1\n"
    assert table["RNN"] == [f"{r2:.4f}" for r2 in found] and table["Bound"][0] == "0.9771"


def test_nothing_in_the_table_is_above_its_ceiling(monkeypatch):
    """Of any median r2, by 3 standard errors: each of 640 test trials has 12 error^2, D of them."""
    monkeypatch.setattr(Observer, "classifier", lambda observer, t: (0, 0))  # r2 alone
    rows, ceilings = table.read(ROOT / "Data/results.csv"), {}
    rows, keys = rows[rows["series"] == ""], ["settings", "network", "n_dim", "n_task"]
    for (words, network, n_dim, n_task), own in rows.groupby(keys):
        config = {**table.settings_of(words, network), "network": network, "n_dim": n_dim}
        known = words, config["noise_enc"] and n_task
        if known not in ceilings:  # encoders differ, of runs too
            runs = own["run"].unique() if config["noise_enc"] else [0]
            every = [theory.ceilings({**config, "n_task": n_task, "run": run}) for run in runs]
            ceilings[known] = {name: np.mean([each[name] for each in every]) for name in theory.R2}
        for (_, measure), some in own.groupby(["decoder", "measure"]):
            if measure in ("ID", "quadrant", "as_released"):
                best = ceilings[known]["optimum"]  # with and without knowledge of the quadrant
                trials = 640 * some.groupby(["run", "fit"]).ngroups  # ID: splits share them
                error = 1.25 * (1 - best) * np.sqrt(2 / n_dim / trials)
                median = some["r2"].median()
                assert median < best + 3 * error, (words, network, n_task, measure)
                assert median < ceilings[known]["known quadrant"] + 3 * error
    assert len(ceilings) > 10
