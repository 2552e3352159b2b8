"""New tasks from few examples: the optimum is reached from the samples alone, chance from noise."""

import numpy as np
import pytest
from conftest import one_line, save_small

import decoders
import few_shot
import table
import util
from checkpoint import load_ensemble

SD = 0.2 / np.sqrt(20)
FLAGS = ("--n_boundary", 2, "--n_example", 1, 10, 60, "--n_test", 400)


def ideal(n_trial, rng):
    """The mean of a trial's samples, and x*, (quadrant, trial, 2) each."""
    x = (
        rng.uniform(0, 0.5, (4, n_trial, 2))
        * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])[:, None]
    )
    return x + SD * rng.standard_normal(x.shape), x


def curves(change=lambda states, rng: states, **settings):
    """Accuracy (2, k), and optimum and chance, of states made from the mean of the samples."""
    rng, config = np.random.default_rng(0), few_shot.Config(**settings)
    (h, x), (h_test, x_test) = ideal(334, rng), ideal(1000, rng)
    sets = [change(h, rng), x], [change(h_test, rng), x_test]
    boundaries = few_shot.new_boundaries(config, 2)
    found = few_shot.accuracy(*sets, boundaries, util.generator(0), config)
    return found, *few_shot.limits(boundaries, SD)


def test_the_mean_of_the_samples_comes_to_the_optimum():
    found, optimum, chance = curves(n_example=(1, 100, 1000), n_boundary=10)
    assert found[:, 0].max() < chance  # one example: its class, everywhere
    assert found[:, 1].max() < found[0, 2] < optimum + 3 * np.sqrt(0.04 / 4000)
    assert found[:, 2] == pytest.approx(optimum, abs=0.015)
    normals, offsets = few_shot.new_boundaries(few_shot.Config(n_boundary=10), 2)
    h, x = (v.reshape(-1, 2) for v in ideal(50_000, np.random.default_rng(1)))
    signs = ((h @ normals.T > offsets) == (x @ normals.T > offsets)).mean()
    assert signs == pytest.approx(optimum, abs=2e-3)  # nearly the best, but for the square's edges
    share = (x @ normals.T > offsets).mean(0)
    assert np.maximum(share, 1 - share).mean() == pytest.approx(chance, abs=2e-3)


def test_states_that_say_nothing_stay_at_chance():
    def shuffled(states, rng):
        return rng.permutation(states.reshape(-1, 2)).reshape(states.shape)

    found, _, chance = curves(shuffled, n_example=(1000,), n_boundary=10)
    assert 0.45 < found[0, 0] < chance + 0.01


def test_scale_rotation_and_silent_units_change_nothing():
    def other(states, rng):
        padded = np.concatenate([states, np.zeros_like(states)], -1)
        return 1e4 * padded @ np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0] + 7

    settings = {"n_example": (10, 300), "n_boundary": 3}
    np.testing.assert_allclose(curves(other, **settings)[0], curves(**settings)[0], atol=2e-3)


def test_one_class_and_equal_states():
    weight, bias = few_shot.learn(np.ones((3, 2)), np.array([False] * 3), 100)
    assert not weight.any() and bias < 0
    weight, bias = few_shot.learn(np.ones((3, 2)), np.array([True, True, False]), 100)
    assert bias + weight.sum() > 0


def test_examples_to_a_level_are_linear_in_log_k():
    curve = np.array([0.5, 0.7, 0.9, 0.8])
    for level, expected in ((0.4, 1), (0.6, np.sqrt(10)), (0.9, 100), (0.95, np.inf)):
        assert few_shot.examples_to(level, curve, (1, 10, 100, 1000)) == pytest.approx(expected)


def test_the_script_measures_each_network_by_itself(script, tiny_networks, tmp_path):
    out, command = tmp_path / "results.csv", ("few_shot", *FLAGS, "--networks")
    code, text, err = script(*command, tiny_networks, "--out", out)
    assert code == 0 and "quadrant held out" in text, err
    rows = table.read(out)
    assert set(rows["measure"]) == set(table.FEW_SHOT) and len(rows) == 4 * (2 * 3 + 4)
    found = rows[rows["measure"] == "few_shot"]
    assert set(found["n_example"]) == {1, 10, 60} and found["value"].between(0, 1).all()
    assert rows.query("measure == 'few_shot_90'")["n_example"].isna().all()
    assert script(*command, tiny_networks / "*nTask3_*run1*", "--out", tmp_path / "one.csv")[0] == 0
    alone, both = (
        table.read(path).query("n_task == 3 and run == 1").sort_values(["measure", "n_example"])
        for path in (tmp_path / "one.csv", out)
    )
    np.testing.assert_allclose(alone["value"], both["value"], atol=0.01)
    code, _, err = script(*command, tiny_networks, "--out", out, "--offset", 0)
    assert code == 2 and one_line(err) and "--overwrite" in err


def test_no_example_is_of_the_quadrant_held_out(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(few_shot, "learn", lambda h, y, C: seen.append(h) or (np.zeros(2), 1.0))
    x = np.stack([np.full((30, 2), q) for q in range(4)])
    config, one = few_shot.Config(n_example=(90,), n_boundary=1), [x, x]
    few_shot.accuracy(one, one, few_shot.new_boundaries(config, 2), util.generator(0), config)
    assert [set(h[:, 0]) for h in seen[1:]] == [{*range(4)} - {q} for q in range(4)]
    assert len(decoders.QUADRANTS) == 4 and len(seen) == 5


def test_input_mean_and_bad_input(script, tmp_path, tiny_networks):
    flags = ("--network", "input-mean", "--n_task", 2, "--runs", 0, "--out", tmp_path)
    assert script("train", *flags)[0] == 0
    model, configs = load_ensemble([tmp_path / "input-mean_nTask2_run0.pth"])
    h, x = decoders.States(model, configs, decoders.Splits(2)).draw([util.generator(0)], 2000)
    assert (h - x).std() == pytest.approx(SD, rel=0.03)
    quiet = save_small(tmp_path, "quiet", n_task=(2,), n_sd_in=0.0)
    first = next(tiny_networks.glob("*.pth"))
    for words, more in (
        ("white Gaussian noise", ("--networks", *quiet)),
        ("rising", ("--networks", first, "--n_example", 5, 5)),
        ("rising", ("--networks", first, "--n_example", 0, 5)),
        ("n_boundary", ("--networks", first, "--n_boundary", 0)),
        ("offset", ("--networks", first, "--offset", 0.5)),
        ("C must be", ("--networks", first, "--C", 0)),
        (".csv", ("--networks", first, "--out", tmp_path / "x.npz")),
        ("no such file", ("--networks", tmp_path / "no.pth")),
    ):
        code, _, err = script("few_shot", *more)
        assert code == 2 and one_line(err) and words in err, err
    for dims in (("--n_dim", 4, "--task", "LinearClassificationHighDim"), ("--n_neu", 3)):
        code, _, err = script("train", *flags, *dims)
        assert code == 2 and one_line(err) and "leaves no choice" in err, err
