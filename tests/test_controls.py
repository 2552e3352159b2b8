"""Controls: no network, no training, labels of a grid."""

import numpy as np
import pytest
import torch
from conftest import make, one_line, trials

import encoders
import tasks
from checkpoint import load_ensemble

TIMES = {"fixation": 200, "delay": 100, "stimulus": 500}


@pytest.mark.parametrize("network", ["encoder-mean", "encoder-last", "input-mean"])
def test_controls_are_the_encoders_features_over_the_stimulus(network):
    n_neu = 2 if network == "input-mean" else 40
    trainer = make((2, 5), network=network, n_neu=n_neu, **TIMES)
    inputs = trials(trainer)
    states = trainer.model.represent(inputs)
    features = trainer.model.encoder(inputs)[..., 1:]
    for t in range(inputs.shape[2]):
        seen = features[:, :, 2 : min(t + 1, 7)]  # 2 steps of fixation, 5 of stimulus
        if t < 2:
            assert not states[:, :, t].any() or network == "encoder-last"
        elif network.endswith("mean"):
            assert torch.allclose(states[:, :, t], seen.mean(2), atol=1e-5)
        else:
            assert torch.equal(states[:, :, t], seen[:, :, -1])
    assert torch.equal(trainer.model.represent_last(inputs), states[:, :, -1])


def test_an_untrained_network_is_the_one_that_training_begins_with(script, tmp_path):
    flags = "--network", "LSTM", "--n_task", 3, "--n_neu", 8, "--out", tmp_path
    assert script("train", *flags, "--n_batch", 0)[0] == 0
    model, configs = load_ensemble([tmp_path / "LSTM_nTask3_n_neu8_n_batch0_run0.pth"])
    fresh = make((3,), n_neu=8, network="LSTM").model
    assert configs[0]["n_batch"] == 0
    for (name, ours), other in zip(model.named_parameters(), fresh.parameters(), strict=True):
        assert torch.equal(ours, other), name


def test_a_control_has_nothing_to_choose(script, tmp_path):
    for flags in (("--n_neu", 30), ("--n_batch", 5), ("--no-encode",)):
        code, _, err = script("train", "--network", "encoder-mean", *flags, "--out", tmp_path)
        assert code == 2 and one_line(err) and "leaves no choice" in err, flags


def test_grid_labels_are_half_of_the_chambers_and_not_linear():
    task, other = (tasks.GridClassification(6, n_grid=4, labels_seed=seed) for seed in (3, 4))
    x = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    labels = task.labels(x)
    for row in range(4):
        for column in range(4):
            low = torch.tensor([row, column]) / 4 - 0.5
            inside = ((x > low) & (x < low + 0.25)).all(1)
            assert (labels[inside] == labels[inside][:1]).all()
    assert (task.chambers.sum(1) == 8).all() and not torch.equal(labels, other.labels(x))
    assert task.extras["chambers"] == task.chambers.tolist()


def test_affine_share_and_the_table_of_encoders(script):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (100_000, 2))
    affine, even = x @ [[1.0, 2], [3, -1]] + 5, np.abs(x) - 0.25
    assert encoders.affine_share(affine, x) == pytest.approx(1)
    assert encoders.affine_share(even, x) == pytest.approx(0, abs=1e-3)
    both = np.column_stack([x[:, 0], even[:, 0] * np.sqrt(x[:, 0].var() / even[:, 0].var())])
    assert encoders.affine_share(both, x) == pytest.approx(0.5, abs=0.01)
    code, out, err = script("encoders", "--n_net", 1, "--n_noise", 4, "--n_grid", 8)
    assert code == 0 and "Fourier0.12" in out, err
    code, _, err = script("encoders", "--data", "nowhere")
    assert code == 2 and one_line(err)
