"""Shifts of the state on networks built by hand, and the script for every architecture."""

import itertools

import numpy as np
import pytest
import torch
from conftest import make, one_line, save_small

import causal
import decoders
import table
from checkpoint import load_ensemble

SIGMA, T, START = 0.2, 20, 21  # START: steps of fixation and stimulus


class Exact(torch.nn.Module):
    """A readout whose sigmoid is Phi(z), z the theorem's, of states made by `accumulate`."""

    def __init__(self, normals):
        super().__init__()
        self.normals = normals
        self.register_parameter("out_bias", torch.nn.Parameter(torch.zeros(1, 1, len(normals))))

    def forward(self, rates):
        mean = rates[..., 1:3] - rates[..., :1]
        z = (mean @ self.normals.T * T**0.5 / SIGMA).double()
        return torch.special.log_ndtr(z) - torch.special.log_ndtr(-z)


def accumulate(model):
    """Units: 0 counts steps, 1 and 2 count and average samples, 3 and 4 hold the last sample."""
    network = model.network
    for parameter in network.parameters():
        parameter.zero_()
    for unit in (0, 1, 2):
        network.rec_weight[0, unit, unit] = 1
        network.inp_weight[0, 0, unit] = 1
    for factor in (0, 1):
        network.inp_weight[0, 1 + factor, 1 + factor] = 1 / T
        network.inp_weight[0, 1 + factor, 3 + factor] = 1
        network.inp_weight[0, 0, 3 + factor] = 5


def ideal(**settings):
    trainer = make((6,), n_neu=8, encode=False)
    model = trainer.model.requires_grad_(False)
    accumulate(model)
    model.readout = Exact(trainer.tasks[0].normals)
    config = causal.Config(n_fit=512, n_trial=256, n_silenced=64, **settings)
    return causal.Networks(model, trainer.configs, config)


@pytest.mark.parametrize("n_seen", [5, 10, 20])
def test_an_ideal_network_moves_as_the_theorem_says(n_seen):
    found = causal.shifts(ideal(), n_seen)
    for measure in table.SHIFTS:
        own = dict(zip(table.DIRECTIONS, found[measure][0], strict=True))
        assert own["evidence"] == pytest.approx(1, abs=1e-3)
        assert own["encoding"] == pytest.approx(1, abs=1e-2)  # fitted on 512 trials
        assert own["decoder"] == pytest.approx(1, abs=1e-2)
        assert [own["unread"], own["natural"]] == pytest.approx([0, 0], abs=1e-2)
    assert abs(found["shift_slope"][0, 3]) < 0.2 < found["shift_size"][0, 3]  # some is read


def test_a_network_that_forgets_half_moves_by_half():
    """Its average halves in the decision step."""
    nets, ticks = ideal(), itertools.count()
    step = nets.model.network.step

    def forget(state, drive):
        state = step(state, drive)
        if next(ticks) % 22 == 21:
            state[..., 1:3] = (state[..., 1:3] + state[..., :1]) / 2
        return state

    nets.model.network.step = forget
    slope = dict(zip(table.DIRECTIONS, causal.shifts(nets, 10)["shift_slope"][0], strict=True))
    assert [slope[name] for name in ("evidence", "encoding")] == pytest.approx([0.5] * 2, abs=0.01)


def test_a_silenced_unit_matters_where_it_is_read():
    found = causal.silence(ideal())
    accuracy, moved = found["silenced_accuracy"][0], found["silenced_shift"][0]
    assert found["intact_accuracy"][0] > 0.9
    assert (accuracy[1:3] < 0.8).all() and (moved[1:3] > 0.1).all()
    np.testing.assert_allclose(accuracy[5:], found["intact_accuracy"][0])
    np.testing.assert_allclose(moved[5:], 0, atol=1e-6)


def test_probit_is_exact_far_from_the_middle():
    logits = torch.tensor([-200.0, -2, 0, 2, 30])
    found = decoders.probit(logits.double()).numpy()
    assert np.isfinite(found).all() and found[1] == pytest.approx(-found[3])
    assert [found[2], found[3]] == pytest.approx([0, 1.1790], abs=1e-4)


@pytest.mark.parametrize("network", ["RNN", "LSTM", "GRU", "gpt-2"])
def test_the_forward_pass_is_that_of_the_model(tmp_path, network):
    model, configs = load_ensemble(save_small(tmp_path, network=network))
    nets = causal.Networks(model, configs, causal.Config())
    inputs, _, mean = next(nets.trials(8, 0))
    state, logits = nets.run(inputs, T)
    assert torch.allclose(logits, model(inputs)[:, :, -1], atol=1e-5)
    shown = inputs[:, :, 1:11, 1:3].mean(2)
    assert torch.allclose(mean[:, :, 9], shown, atol=1e-6)
    assert state.shape == (2, 8, 32 if network == "LSTM" else 16)
    other = nets.run(inputs, T, lambda s, step: s + 1 if step == START else s)
    assert torch.allclose(other[0], state + 1) and not torch.allclose(other[1], logits)


def test_the_script_puts_rows_into_the_table(script, tiny_networks, tmp_path):
    out = tmp_path / "results.csv"
    small = "--n_fit", 256, "--n_trial", 64, "--n_silenced", 8
    command = "causal", "--networks", tiny_networks, "--out", out, *small
    code, text, err = script(*command)
    assert code == 0 and "N_task" in text, err
    rows = table.read(out)
    assert set(rows["measure"]) == {*table.CAUSAL}
    slopes = rows.query("measure == 'shift_slope'")
    assert len(slopes) == 4 * 2 * len(table.DIRECTIONS) and set(slopes["factor"]) == {
        *table.DIRECTIONS
    }
    assert set(slopes["t"]) == {10, 20} and set(slopes["step"]) == {11, 21}
    assert len(rows.query("measure == 'silenced_shift'")) == 4 * 8  # units
    alone = "--networks", *tiny_networks.glob("*Task3*.pth"), "--out", tmp_path / "new.csv"
    assert script(*command, *alone)[0] == 0  # a number does not depend on the neighbours
    again = table.read(tmp_path / "new.csv")["value"].to_numpy()
    np.testing.assert_allclose(again, rows.query("n_task == 3")["value"], rtol=1e-2, atol=1e-3)
    code, _, err = script(*command, "--size", 0.2)
    assert code == 2 and one_line(err) and "--overwrite" in err


def test_bad_input_is_one_clear_line(script, tmp_path, tiny_networks):
    def saved(name, **settings):
        (path,) = save_small(tmp_path, name, n_task=(4,), **settings)
        return path

    for words, path, *more in (
        ("no state to shift", saved("mean", network="encoder-mean", n_neu=40)),
        ("no linear boundaries", saved("quads", task="MultiplyClassificationFull")),
        ("no white Gaussian noise", saved("gumbel", dist="gumbel")),
        ("no probabilities", saved("squares", CE_loss=False)),
        ("no more units than factors", saved("small", n_neu=2)),
        ("n_seen must be 20", saved("gpt", network="gpt-2"), "--n_seen", 10),
        ("n_seen must be from 1", tiny_networks, "--n_seen", 21),
        ("so near to its boundary", tiny_networks, "--size", 3, "--n_fit", 256),
        ("n_trial", tiny_networks, "--n_trial", 0),
        ("size", tiny_networks, "--size", "nan"),
        ("must end in .csv", tiny_networks, "--out", tmp_path / "x.npz"),
    ):
        out = () if "--out" in more else ("--out", tmp_path / "out.csv")
        code, _, err = script("causal", "--networks", path, *more, *out)
        assert code == 2 and one_line(err) and words in err, err
