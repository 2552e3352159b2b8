"""The authors' files: every kind loads from its layout and name alone, and never runs code."""

import collections

import numpy as np
import pytest
import torch
from conftest import one_line, trials

import model
import released
import train
import util

KINDS = {  # settings, and the authors' name for them
    "RNN": ({}, "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CElossnTask6"),
    "non-leaky": (
        {"leaky": False, "run": 1},
        "LinProbSigmoidSL64NoLeakbatch1e5LR0.001Noise2NetN0nTrial1CElossnTask6run1",
    ),
    "LSTM": (
        {"network": "LSTM"},
        "LinProbSigmoidSL64LSTMbatch1e5LR0.001Noise2NetN0nTrial1CElossnTask6Mix",
    ),
    "gpt-2": (
        {"network": "gpt-2"},
        "LinProbSigmoidSL64gpt-2batch2e4LR0.001Noise2NetN0nTrial1nLayer1nHead8CElossnTask6",
    ),
    "two layers, four heads": (
        {"network": "gpt-2", "n_layer": 2, "n_head": 4},
        "LinProbSigmoidSL64gpt-2batch2e4LR0.001Noise2NetN0nTrial1nLayer2nHead4CElossnTask6",
    ),
    "n_task = 2": ({"n_task": 2}, "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CEloss"),
    "D = 4": (
        {"n_dim": 4, "task": "LinearClassificationHighDim"},
        "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1nDim4CElossnTask6",
    ),
    "correlated": (
        {"corr": 0.5, "task": "LinearClassificationCorr"},
        "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1Corr0.5CElossnTask6",
    ),
    "quadratic encoder": (
        {"activ_enc": "Quad"},
        "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CElossnTask6MixQuad",
    ),
    "more noise": (
        {"n_sd_in": 4.0, "n_sd_net": 0.5},
        "LinProbSigmoidSL64batch1e5LR0.001Noise4NetN0.5nTrial1CElossnTask6",
    ),
    "free reaction time": (
        {"task": "LinearClassificationBound", "lr": 0.003},
        "LinBoundTanhSL64batch1e5LR0.003Noise2NetN0nTrial1nTask6",
    ),
}


def theirs(path, settings, old=True):
    """Write a network as the authors' files hold it; returns our model of it."""
    values = {"n_task": 6, "run": 0, **settings}
    n_task, run = values.pop("n_task"), values.pop("run")
    config = train.Config(n_task=(n_task,), runs=(run,), **values)
    trainer = train.Trainer(train.network_configs(config), torch.device("cpu"))
    content = model.checkpoint(trainer.model, 0, trainer.configs[0], [], [])
    content = {key: content[key] for key in ("state_dict", "encoder")}
    content["state_dict"] = collections.OrderedDict(content["state_dict"])
    content["loss_hist"], content["conf_matr_hist"] = np.random.rand(100), np.zeros((100, 2, 2))
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return trainer


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_their_networks_load_by_path(kind, old, tmp_path):
    settings, name = KINDS[kind]
    path = tmp_path / f"{name}.pth"
    trainer = theirs(path, settings, old)
    loaded, (config,) = model.load_ensemble([path])
    expected = trainer.configs[0]
    for setting in ("network", "task", "n_task", "run", "n_dim", "n_sd_in", "n_sd_net", "leaky"):
        assert config[setting] == expected[setting], setting
    for setting in ("n_head", "n_layer", "activ_enc", "corr", "fixation", "decision", "lr"):
        assert config[setting] == expected[setting], setting
    inputs = trials(trainer)
    ours = trainer.model.eval().represent(inputs)
    assert torch.equal(loaded.represent(inputs), ours)
    with pytest.raises(util.UserError, match="no readout"):
        loaded(inputs)


def test_their_networks_decode(script, tmp_path):
    for run in (0, 1):
        name = f"LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CElossnTask6run{run}.pth"
        theirs(tmp_path / name, {"run": run})
    settings = ("--n_batch", 10, "--n_fit", 1, "--out", tmp_path / "r_sq.npz")
    code, _, err = script("generalize", "--networks", tmp_path, *settings)
    assert code == 0, err
    assert util.load_npz(tmp_path / "r_sq.npz")["r_sq"].shape == (1, 2, 4, 1)


def test_arrays_in_place_of_tensors(tmp_path):
    name = "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CElossnTask6.pth"
    trainer = theirs(tmp_path / name, {})
    content = torch.load(tmp_path / name, weights_only=False)
    for part in ("state_dict", "encoder"):
        content[part] = {k: v.double().numpy() for k, v in content[part].items()}
    content["seed"] = np.float64(1.5)
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=False)
    loaded, _ = model.load_ensemble([tmp_path / name])
    inputs = trials(trainer)
    assert torch.equal(loaded.represent(inputs), trainer.model.represent(inputs))


def test_gaps_are_named_and_can_be_filled(script, tmp_path):
    path = tmp_path / "mine.pth"
    theirs(path, {})
    settings = ("--networks", path, "--n_batch", 10, "--n_fit", 1)
    code, _, err = script("generalize", *settings)
    assert code == 2 and one_line(err) and "--assume" in err
    for gap in ("n_task", "n_sd_in", "leaky", "activ_enc"):
        assert gap in err
    given = ("n_task=6", "n_sd_in=2", "leaky=True", "n_sd_net=0", "activ_enc=ReLU", "CE_loss=True")
    code, out, err = script("generalize", *settings, "--assume", *given)
    assert code == 0 and "| 6 " in out, err


@pytest.mark.parametrize(
    "name, assumed, word",
    [
        ("LinProbSigmoidSL32batch1e5LR0.001Noise2NetN0nTrial1CElossnTask6", (), "n_neu"),
        ("LinProbSigmoidSL64LSTMbatch1e5LR0.001Noise2NetN0nTrial1CEloss", (), "network"),
        ("LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1nDim4CEloss", (), "n_dim"),
        ("LinBoundTanhSL64batch1e5LR0.001Noise2NetN0nTrial1nTask6", (), "n_fix"),
        ("LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CEloss", ("n_dim=3",), "n_dim"),
        ("LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CEloss", ("n_dims=3",), "n_dims"),
        ("LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CEloss", ("n_task=x",), "n_task"),
        ("LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CEloss", ("leaky",), "leaky"),
    ],
)
def test_contradictions_are_one_line(name, assumed, word, script, tmp_path):
    theirs(tmp_path / f"{name}.pth", {})
    flags = ("--assume", *assumed) if assumed else ()
    code, _, err = script("generalize", "--networks", tmp_path, "--n_batch", 10, *flags)
    assert code == 2 and one_line(err) and word in err, err


def test_networks_of_no_known_kind_are_one_line(script, tmp_path):
    torch.save({"state_dict": {"fc.weight": torch.zeros(2, 2)}, "encoder": {}}, tmp_path / "a.pth")
    torch.save({"state_dict": [1], "encoder": {}}, tmp_path / "b.pth")
    for name in "ab":
        code, _, err = script("generalize", "--networks", tmp_path / f"{name}.pth")
        assert code == 2 and one_line(err), err


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("old", [True, False])
def test_a_malicious_pickle_is_refused(old, script, tmp_path):
    name = "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CElossnTask6.pth"
    theirs(tmp_path / name, {})
    content = torch.load(tmp_path / name, weights_only=False)
    hidden = np.empty(1, object)
    hidden[0] = Evil(tmp_path / "pwned")
    for place in (Evil(tmp_path / "pwned"), hidden):
        content["loss_hist"] = place
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=not old)
        code, _, err = script("generalize", "--networks", tmp_path / name, "--n_batch", 10)
        assert code == 2 and one_line(err), err
        assert not (tmp_path / "pwned").exists()


def test_their_npz_may_hold_pickles_that_nothing_reads(tmp_path):
    ragged = np.empty(2, object)
    ragged[:] = [[0], [0, 3]]
    np.savez(tmp_path / "r_sq.npz", r_sq=np.zeros((2, 5, 4, 5)), n_tasks=[2, 3], test=ragged)
    file = util.load_npz(tmp_path / "r_sq.npz", ("r_sq", "n_tasks"))
    assert set(file) == {"r_sq", "n_tasks"}
    with pytest.raises(util.UserError):
        util.load_npz(tmp_path / "r_sq.npz", ("test",))


def test_assumed_values_have_the_type_of_their_setting():
    given = released.parse_assumed(("n_task=3", "lr=0.1", "leaky=False"), model.CONFIG)
    assert given == {"n_task": 3, "lr": 0.1, "leaky": False}
