"""Lifetime sparseness on rates made by hand, and the script for every architecture."""

import numpy as np
import pytest
from conftest import one_line, save_small

import sparsity
import util
from checkpoint import load_ensemble


def test_sparseness_of_rates_made_by_hand():
    m = 1000
    rates = np.zeros((m, 4))
    rates[:, 1] = 0.3  # constant
    rates[7, 2] = 5.0  # responds to one stimulus
    rates[: m // 2, 3] = 2.0  # responds to every second one
    half = 100 * (1 - 0.5) / (1 - 1 / m)
    np.testing.assert_allclose(sparsity.lifetime_sparseness(rates), [100, 0, 100, half], atol=1e-9)


def test_sparseness_does_not_depend_on_scale_and_is_the_formula():
    rates = np.random.default_rng(0).exponential(size=(2, 50, 3))
    ours = sparsity.lifetime_sparseness(rates)
    assert ours.shape == (2, 3)
    np.testing.assert_allclose(sparsity.lifetime_sparseness(1e-6 * rates), ours)
    r = rates[1, :, 2]
    slow = (1 - r.mean() ** 2 / (r**2).mean()) / (1 - 1 / 50)
    assert ours[1, 2] == pytest.approx(100 * slow)


def test_interval_is_that_of_student():
    values = np.array([90.0, 92.0, 94.0, 91.0, 93.0, np.nan])
    half = 2.7764451052 * np.std(values[:5], ddof=1) / np.sqrt(5)  # t of 4 degrees of freedom
    np.testing.assert_allclose(sparsity.interval(values, 0.95), [92 - half, 92 + half])
    assert np.isnan(sparsity.interval(values[:1], 0.95)).all()


def test_the_script_groups_networks_by_n_task_and_run(script, tiny_networks, tmp_path):
    out = tmp_path / "new" / "sparsity.npz"
    command = ("sparsity", "--networks", tiny_networks, "--out", out, "--n_stimulus", 300)
    code, text, err = script(*command)
    assert code == 0 and not err, err
    assert "| 2      | 2 " in text
    found = util.load_npz(out, ("sparsity", "confidence_intervals", "n_tasks"))
    assert found["sparsity"].shape == (2, 2) and found["n_tasks"].tolist() == [2, 3]
    low, high = found["confidence_intervals"].T
    assert (low < found["sparsity"].mean(1)).all() and (found["sparsity"].mean(1) < high).all()
    assert ((found["sparsity"] > 0) & (found["sparsity"] <= 100)).all()

    code, _, err = script(*command)
    assert code == 2 and one_line(err) and "--overwrite" in err
    alone = ("--networks", tiny_networks / "*Task3*run1.pth", "--overwrite")
    assert script(*command, *alone)[0] == 0
    again = util.load_npz(out)  # a network's number does not depend on its neighbours
    np.testing.assert_allclose(again["sparsity"], found["sparsity"][1:, 1:], atol=1e-4)
    assert np.isnan(again["confidence_intervals"]).all()


def measured(folder, **settings):
    nets = load_ensemble(save_small(folder, **settings))
    return sparsity.sparsity(*nets, sparsity.Config(n_stimulus=100))


@pytest.mark.parametrize("network", ["LSTM", "GRU", "gpt-2"])
def test_every_architecture(tmp_path, network):
    found = measured(tmp_path, network=network)
    assert (found["active"] == 100).all() and (found["dead"] == 0).all()


def test_dead_units_count_as_fully_sparse(tmp_path):
    found = measured(tmp_path, change=lambda model: model.network.inp_bias.fill_(-100), n_task=(2,))
    assert [float(found[name][0, 0]) for name in ("sparsity", "dead", "active")] == [100, 100, 0]


def test_bad_input_is_one_clear_line(script, tmp_path, tiny_networks):
    (other,) = save_small(tmp_path, n_task=(2,), n_neu=9)
    first = next(tiny_networks.glob("*Task2*run0.pth"))
    twice = tmp_path / "twice.pth"
    twice.write_bytes(first.read_bytes())
    for words, more in (
        ("no such file", ("--networks", tmp_path / "no.pth")),
        ("n_neu is", ("--networks", tiny_networks, other)),
        ("two networks have n_task 2 and run 0", ("--networks", first, twice)),
        ("n_stimulus", ("--networks", first, "--n_stimulus", 1)),
        ("confidence", ("--networks", first, "--confidence", 95)),
        ("must end in .csv or .npz", ("--networks", first, "--out", tmp_path / "x.txt")),
    ):
        out = () if "--out" in more else ("--out", tmp_path / "out.npz")
        code, _, err = script("sparsity", *more, *out)
        assert code == 2 and one_line(err) and words in err, err
