"""CCGP and parallelism: codes whose geometry is known, the geometric null, the real script."""

import functools
import itertools
import types

import numpy as np
import pytest
import torch
from conftest import make, one_line
from sklearn.linear_model import RidgeClassifier

import abstraction
import decoders
import generalize
import util
from util import UserError

SIGNS = torch.tensor([(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])
XOR = SIGNS[:, :1] * SIGNS[:, 1:]


def random(seed, *shape):
    return torch.randn(shape, generator=util.generator(seed))


def clouds(means, n_trial=200, noise=0.1, seed=0):
    """States (net, quadrant, trial, unit) around means (net, quadrant, unit)."""
    n_net, _, n_unit = means.shape
    return means[:, :, None] + noise * random(seed, n_net, 4, n_trial, n_unit)


def embedded(code, n_unit=20, n_net=3):
    """A code (quadrant, k) as means (net, quadrant, unit), along random orthonormal directions."""
    axes = torch.linalg.qr(random(1, n_net, n_unit, code.shape[1]))[0]
    return code @ axes.transpose(1, 2)


def rngs(n_net, seed=0):
    return [util.generator(seed + net) for net in range(n_net)]


class Source:
    """Stands in for `decoders.States`: the same code and noise, fresh trials."""

    def __init__(self, means, noise=0.1):
        self.means, self.noise = means, noise

    def draw(self, generators, n_trial):
        shape = 4, n_trial, self.means.shape[2]
        noise = torch.stack([torch.randn(shape, generator=g) for g in generators])
        return self.means[:, :, None] + self.noise * noise, None


def test_a_factorised_code_is_abstract_and_an_xor_code_is_not():
    for code, share, sign in ((SIGNS, 1, 1), (XOR, 0, -1)):  # XOR: right on the wrong side
        states = clouds(embedded(code))
        assert (abstraction.ccgp(states) == share).all()
        assert (sign * abstraction.parallelism(states) > 0.99).all()


def test_factors_and_their_xor_together():
    """Coding directions at the halves are (2, -2 k) and (2, 2 k): cosine (1 - k^2) / (1 + k^2)."""
    for k in (0.5, 1.0, 2.0):
        states = clouds(embedded(torch.cat([SIGNS, k * XOR], 1)), noise=0.02)
        expected = (1 - k**2) / (1 + k**2)
        assert abstraction.parallelism(states).numpy() == pytest.approx(expected, abs=0.01)


def test_factors_stand_in_their_order():
    """Coding directions of the first factor are (6, -2), (6, 2), of the second (0, -2), (0, 2)."""
    states = clouds(embedded(torch.cat([3 * SIGNS[:, :1], XOR], 1)))
    ccgp, parallelism = abstraction.ccgp(states), abstraction.parallelism(states)
    assert (ccgp == torch.tensor([1.0, 0.0])).all()
    assert torch.allclose(parallelism, torch.tensor([0.8, -1.0]), atol=0.02)


def test_the_classifier_equals_ridge_regression_on_labels():
    n_trial, n_unit = 60, 12
    states = clouds(random(2, 2, 4, n_unit), n_trial, noise=1.5)
    found, pairs = abstraction.ccgp(states), abstraction.PAIRS
    labels = np.repeat([-1, 1], n_trial)
    for net, factor in itertools.product(range(2), range(2)):
        right = []
        for seen, other in (pairs[factor], pairs[factor][::-1]):
            h = states[net, seen]
            within = h - h.mean(1, keepdim=True)
            penalty = abstraction.RIDGE * (within**2).mean().item() * 2 * n_trial
            slow = RidgeClassifier(alpha=penalty).fit(h.flatten(0, 1).numpy(), labels)
            right.append(slow.score(states[net, other].flatten(0, 1).numpy(), labels))
        assert found[net, factor] == pytest.approx(np.mean(right), abs=0.01)


def test_rotation_scale_and_place_do_not_matter():
    states = clouds(random(3, 2, 4, 10), noise=0.5)
    turn = torch.linalg.qr(random(4, 10, 10))[0]
    for measure in abstraction.MEASURES.values():
        before = measure(states)
        for after in (states @ turn, 1e-3 * states, 50 * states, states + 3):
            assert torch.allclose(measure(after), before, atol=2e-3)


def test_a_random_code_is_at_chance():
    states = clouds(random(5, 300, 4, 32), n_trial=30)
    found = {name: measure(states) for name, measure in abstraction.MEASURES.items()}
    assert found["ccgp"].mean() == pytest.approx(0.5, abs=0.05)
    assert found["parallelism"].mean() == pytest.approx(0, abs=0.02)
    out = abstraction.abstraction(Source(random(6, 100, 4, 32), noise=0.5), [rngs(100)])
    for name, chance in (("ccgp", 0.5), ("parallelism", 0.0)):
        mean, low, high = np.moveaxis(out[f"{name}_chance"], -1, 0)
        assert mean.mean() == pytest.approx(chance, abs=0.05)
        inside = (out[name][:, 0] >= low) & (out[name][:, 0] <= high)
        assert 0.83 < inside.mean() < 0.97  # 5 to 95 %


def test_the_null_keeps_decodability_and_not_geometry():
    means = embedded(SIGNS, n_unit=64)
    states = clouds(means)
    null = abstraction.scrambled(states, rngs(3))
    centred = null.mean(2) - null.mean((1, 2))[:, None]
    spread = (states.mean(2) - states.mean((1, 2))[:, None]).norm(dim=(1, 2))
    assert torch.allclose(centred.norm(dim=(1, 2)), spread, rtol=1e-4)
    new, old = ((s - s.mean(2, keepdim=True)).std(2).sort(-1)[0] for s in (null, states))
    assert torch.allclose(new, old, atol=1e-5)  # the same units, in another order
    for net, factor in itertools.product(range(3), range(2)):
        labels, h = SIGNS[:, factor].repeat_interleave(200).numpy(), null[net].flatten(0, 1).numpy()
        assert RidgeClassifier().fit(h, labels).score(h, labels) > 0.98
    several = [abstraction.scrambled(states, rngs(3, 10 * draw)) for draw in range(20)]
    scores = torch.stack([abstraction.parallelism(one) for one in several])
    assert abs(scores.mean()) < 0.05 and scores.std() == pytest.approx(1 / 8, rel=0.3)


def test_silent_units_stay_silent_in_the_null():
    states = clouds(random(7, 2, 4, 10))
    states[0, :, :, [1, 4, 9]] = 0
    states[1, :, :, :7] = 0.3
    null = abstraction.scrambled(states, rngs(2))
    assert (null[0, :, :, [1, 4, 9]] == 0).all()
    assert torch.allclose(null[1, :, :, :7], torch.tensor(0.3))
    for net, silent in ((0, 3), (1, 7)):
        assert (null[net].flatten(0, 1).std(0) > 1e-3).sum() == 10 - silent


def test_the_null_is_seeded_and_a_networks_own():
    states = clouds(random(8, 3, 4, 10))
    null = abstraction.scrambled(states, rngs(3))
    assert torch.equal(null, abstraction.scrambled(states, rngs(3)))
    assert not torch.allclose(null, abstraction.scrambled(states, rngs(3, 50)))
    alone = abstraction.scrambled(states[1:2], rngs(1, 1))
    assert torch.allclose(alone[0], null[1], atol=1e-6)


@pytest.mark.parametrize("n_fit", [1, 3])
def test_shapes_and_the_order_of_quantiles(n_fit):
    source, own = Source(embedded(SIGNS, n_net=2)), lambda: [rngs(2, 100 * f) for f in range(n_fit)]
    out, again = (abstraction.abstraction(source, own()) for _ in range(2))
    assert all(np.array_equal(out[name], again[name]) for name in out)
    for name in ("ccgp", "parallelism"):
        assert out[name].shape == (2, n_fit, 2) and out[f"{name}_chance"].shape == (2, 2, 3)
        mean, low, high = np.moveaxis(out[f"{name}_chance"], -1, 0)
        assert (low < mean).all() and (mean < high).all() and (out[name] > 0.9).all()


def test_states_that_say_nothing():
    states = torch.full((2, 4, 20, 5), 0.7)
    for some in (states, abstraction.scrambled(states, rngs(2))):
        assert (abstraction.ccgp(some) == 0.5).all()
        assert abstraction.parallelism(some).isnan().all()


def test_bad_states():
    null = functools.partial(abstraction.scrambled, generators=rngs(2))
    for measure in (*abstraction.MEASURES.values(), null):
        for shape in ((4, 20, 5), (2, 3, 20, 5), (2, 4, 1, 5)):
            with pytest.raises(UserError, match="quadrants"):
                measure(torch.zeros(shape))
        for wrong in (torch.nan, torch.inf):
            states = torch.zeros(2, 4, 20, 5)
            states[1, 2, 3, 4] = wrong
            with pytest.raises(UserError, match="finite"):
                measure(states)


@pytest.mark.parametrize("n_dim, split_var", [(2, None), (4, None), (4, 1)])
def test_an_ideal_observer_is_as_good_as_the_noise_allows(n_dim, split_var):
    task = "LinearClassificationCentOut" if n_dim == 2 else "LinearClassificationHighDim"
    configs = make(n_task=(3, 6), n_dim=n_dim, task=task).configs
    splits = decoders.Splits(n_dim, split_var)
    axes = torch.linalg.qr(random(9, 12, n_dim))[0].T
    observer = types.SimpleNamespace(
        draw_noise=lambda *_, **__: {},
        represent_last=lambda inputs: inputs[:, :, 1:21, 1:].mean(2) @ axes,  # mean of the evidence
    )
    source = decoders.States(observer, configs, splits)
    fits = [decoders.fit_generators(generalize.Config(), configs, f, "cpu") for f in range(5)]
    out = abstraction.abstraction(source, fits)
    bound = 1 - np.sqrt(2 / np.pi) * source.tasks[0].sigma / np.sqrt(20)
    assert bound == pytest.approx(0.964, abs=1e-3)
    assert out["ccgp"].shape == (2, 5, 2)
    assert out["ccgp"].mean() == pytest.approx(bound, abs=0.01)
    assert (out["parallelism"] > 0.9).all()


def test_generators_are_no_decoders():
    config, configs, first = generalize.Config(), make().configs, generalize.ABSTRACTION
    fits = (*range(50), *range(first, first + 50))
    own = [decoders.fit_generators(config, configs, fit, "cpu") for fit in fits]
    assert len({g.initial_seed() for rngs in own for g in rngs}) == 100 * len(configs)


def test_script_shows_and_saves_them(script, tiny_networks, tmp_path, monkeypatch):
    command = ("generalize", "--networks", tiny_networks, "--n_fit", 2, "--n_ridge", 100)
    command, files = (*command, "--n_batch", 20), []
    for decoder in ("adam", "ridge"):
        out = tmp_path / f"r_sq_{decoder}.npz"
        code, text, err = script(*command, "--decoder", decoder, "--out", out)
        assert code == 0 and "chance by the geometric null" in text, err
        assert all(f"| {column} " in text for column in ("angle", "CCGP", "parallelism"))
        files.append(util.load_npz(out))
    names = [name + end for name in ("ccgp", "parallelism") for end in ("", "_chance")]
    for name in names:  # decoders have no part in it
        last = (2, 3) if name.endswith("chance") else (2, 2)  # factors, 3; fits, factors
        assert files[0][name].shape == (2, 2, *last)
        assert np.array_equal(files[0][name], files[1][name]) and np.isfinite(files[0][name]).all()
    assert files[0]["factors"].tolist() == [0, 1]
    angles = util.load_npz(tmp_path / "decoders_ridge.npz")["angles"][1]  # of the text
    low, mid, high = np.nanpercentile(angles, [25, 50, 75])
    assert f"| {mid:.0f} [{low:.0f}, {high:.0f}] " in text

    chance = {name: np.zeros((4, *files[0][name].shape[2:])) for name in names}
    monkeypatch.setattr(abstraction, "abstraction", lambda *_: chance)
    without = tmp_path / "without.npz"
    assert script(*command, "--out", without)[0] == 0  # r2 is the same, bit for bit
    assert np.array_equal(util.load_npz(without)["r_sq"], files[0]["r_sq"])


def test_diverged_states_are_one_line(script, tiny_networks, monkeypatch, tmp_path):
    def broken(source, generators):
        return abstraction.ccgp(torch.full((1, 4, 5, 6), torch.nan))

    monkeypatch.setattr(abstraction, "abstraction", broken)
    settings = ("--networks", tiny_networks, "--decoder", "ridge", "--n_fit", 1, "--n_ridge", 100)
    code, _, err = script("generalize", *settings, "--out", tmp_path / "x.npz")
    assert code == 2 and one_line(err)
