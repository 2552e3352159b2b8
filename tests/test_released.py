"""The authors' files: every kind loads from its layout and name alone, and never runs code."""

import collections

import numpy as np
import pytest
import torch
from conftest import make, one_line, trials

import checkpoint
import released
import table
import util

PLAIN = "LinProbSigmoidSL64batch1e5LR0.001Noise2NetN0nTrial1CEloss"
GPT = "LinProbSigmoidSL64gpt-2batch2e4LR0.001Noise2NetN0nTrial1nLayer1nHead8CElossnTask6"
HIGH, CORR = "LinearClassificationHighDim", "LinearClassificationCorr"
BOUND = "LinearClassificationBound"
TWO = GPT.replace("nLayer1nHead8", "nLayer2nHead4")
NOISY = f"{PLAIN}nTask6".replace("Noise2NetN0", "Noise4NetN0.5")
FREE = "LinBoundTanhSL64batch1e5LR0.003Noise2NetN0nTrial1nTask6"
KINDS = {  # settings, and the authors' name for them
    "RNN": ({}, f"{PLAIN}nTask6"),
    "non-leaky": ({"leaky": False, "run": 1}, f"{PLAIN}nTask6run1".replace("64", "64NoLeak")),
    "LSTM": ({"network": "LSTM"}, f"{PLAIN}nTask6Mix".replace("64", "64LSTM")),
    "gpt-2": ({"network": "gpt-2"}, GPT),
    "two layers, four heads": ({"network": "gpt-2", "n_layer": 2, "n_head": 4}, TWO),
    "n_task = 2": ({"n_task": 2}, PLAIN),
    "D = 4": ({"n_dim": 4, "task": HIGH}, PLAIN.replace("CEloss", "nDim4CElossnTask6")),
    "correlated": ({"corr": 0.5}, PLAIN.replace("CEloss", "Corr0.5CElossnTask6")),
    "quadratic encoder": ({"activ_enc": "Quad"}, f"{PLAIN}nTask6MixQuad"),
    "more noise": ({"n_sd_in": 4.0, "n_sd_net": 0.5}, NOISY),
    "free reaction time": ({"task": BOUND, "lr": 0.003}, FREE),
}


def theirs(path, settings, old=True):
    """Write a network as the authors' files hold it; returns our model of it."""
    values = {"n_task": 6, "run": 0, **settings}
    trainer = make((values.pop("n_task"),), (values.pop("run"),), n_neu=64, **values)
    content = checkpoint.checkpoint(trainer.model, 0, trainer.configs[0], [], [])
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
    loaded, (config,) = checkpoint.load_ensemble([path])
    expected = trainer.configs[0]
    names = "network task n_task run n_dim n_sd_in n_sd_net leaky n_head n_layer activ_enc corr"
    for setting in (*names.split(), "fixation", "decision", "lr"):
        assert config[setting] == expected[setting], setting
    inputs = trials(trainer)
    ours = trainer.model.eval().represent(inputs)
    assert torch.equal(loaded.represent(inputs), ours)
    with pytest.raises(util.UserError, match="no readout"):
        loaded(inputs)


def test_their_networks_decode(script, tmp_path):
    for run in (0, 1):
        theirs(tmp_path / f"{PLAIN}nTask6run{run}.pth", {"run": run})
    settings = ("--n_batch", 10, "--n_fit", 1, "--out", tmp_path / "r_sq.npz")
    code, _, err = script("generalize", "--networks", tmp_path, *settings)
    assert code == 0, err
    assert util.load_npz(tmp_path / "r_sq.npz")["r_sq"].shape == (1, 2, 4, 1)


def test_arrays_in_place_of_tensors(tmp_path):
    name = f"{PLAIN}nTask6.pth"
    trainer = theirs(tmp_path / name, {})
    content = torch.load(tmp_path / name, weights_only=False)
    for part in ("state_dict", "encoder"):
        content[part] = {k: v.double().numpy() for k, v in content[part].items()}
    content["seed"] = np.float64(1.5)
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=False)
    loaded, _ = checkpoint.load_ensemble([tmp_path / name])
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
        (PLAIN.replace("64", "32"), (), "n_neu"),
        (PLAIN.replace("64", "64LSTM"), (), "network"),
        (f"{PLAIN}nDim4", (), "n_dim"),
        (FREE, (), "n_fix"),
        (PLAIN, ("n_dim=3",), "n_dim"),
        (PLAIN, ("n_dims=3",), "n_dims"),
        (PLAIN, ("n_task=x",), "n_task"),
        (PLAIN, ("leaky",), "leaky"),
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
    name = f"{PLAIN}nTask6.pth"
    theirs(tmp_path / name, {})
    content = torch.load(tmp_path / name, weights_only=False)
    hidden = np.empty(1, object)
    hidden[0] = Evil(tmp_path / "pwned")
    ours = {"state_dict": Evil(tmp_path / "pwned"), "encoder": {}, "config": {}}
    theirs_too = [{**content, "loss_hist": evil} for evil in (ours["state_dict"], hidden)]
    for bad in (ours, *theirs_too):
        torch.save(bad, tmp_path / name, _use_new_zipfile_serialization=not old)
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
    wanted = {"n_task": 3, "lr": 0.1, "leaky": False}
    assert table.parse_settings(("n_task=3", "lr=0.1", "leaky=False")) == wanted


# ------------------------------------------------------------------ results

R_SQ = np.random.default_rng(0).random((2, 3, 4, 5))  # n_tasks, runs, splits, fits
FILES = {  # .npz below a folder of theirs -> what a row of it must say
    "Fig3a/r_sq_RNN_CELoss": {"network": "RNN", "measure": "as_released", "decoder": "adam"},
    "Fig3a/r_sq_RNN_CELoss_ID": {"measure": "ID", "n_batch": 100_000},
    "Fig3b,c/r_sq_NoLeak_CELoss": {"network": "RNN", "leaky": False},
    "Fig3b,c/r_sq_LSTM_CELoss_quadrant": {"network": "LSTM", "measure": "quadrant"},
    "Fig3b,c/r_sq_gpt-2_ridge": {"network": "gpt-2", "decoder": "ridge", "n_batch": 20_000},
    "Fig5b,S12 GPT/r_sq_nDim4": {"network": "gpt-2", "n_dim": 4, "task": HIGH, "factor": ""},
    "Fig5b,S12 RNN/r_sq_nDim6": {"network": "RNN", "n_dim": 6, "measure": "quadrant"},
    "Fig5c/r_sq_Noise3": {"n_sd_in": 3.0, "sigma": 0.3, "t": 20},
    "FigS1/r_sq_Quad_CELoss": {"activ_enc": "Quad"},
    "FigS3b/r_sq_Corr0.8": {"task": CORR, "corr": 0.8},
    "FigS4/r_sq_Multiply": {"task": "MultiplyClassificationFull"},
    "FigS5c/r_sq_Bound": {"task": BOUND, "t": 21, "step": 21, "lr": 0.003},
    "Noise/r_sq_NoiseEnc": {"noise_enc": True, "n_sd_in": 2.0},
    "Noise/r_sq_Autocorr": {"task": "LinearClassificationAutocorr"},
    "Context/r_sq_Context": {"task": "ContextDependent"},
}


@pytest.mark.parametrize("name", FILES)
def test_what_their_results_are_of_is_told_by_file_and_folder(name, tmp_path):
    n_tasks = np.array([1 if "Context" in name else 4, 24])
    util.save_npz(tmp_path / f"{name}.npz", r_sq=R_SQ, n_tasks=n_tasks)
    rows = released.table_of(tmp_path)
    assert np.array_equal(rows["r2"], R_SQ.ravel().astype(np.float32))
    assert set(rows["n_task"]) == set(n_tasks) and set(rows["run"]) == {0, 1, 2}
    for column, value in {"series": "", "stimulus": 2000, **FILES[name]}.items():
        assert set(rows[column]) == {value}, column


def test_their_other_arrays_have_rows_too(script, tmp_path):
    n_tasks, angles = np.array([3, 24]), np.full((2, 3, 4, 5, 2, 2), np.nan)
    angles[..., 0, 1] = 90 * R_SQ
    for name in ("r_sq", "decoders"):
        util.save_npz(tmp_path / f"{name}_LSTM.npz", r_sq=R_SQ, angles=angles, n_tasks=n_tasks)
    pairs = np.where(np.triu(np.ones((4, 4)), 1), R_SQ[..., None, None], np.nan)
    util.save_npz(tmp_path / "decoders_nDim4.npz", angles=pairs, n_tasks=n_tasks)
    timing = np.array([500, 2000])
    util.save_npz(tmp_path / "Fig5a/r_sq_Bound.npz", r_sq=R_SQ, timing=timing)
    util.save_npz(tmp_path / "sparsity_gpt.npz", sparsity=R_SQ[:, :, 0, 0], n_tasks=n_tasks)
    perc, corr = np.array([[0.9, 0.8], [0.7, 0.6], [0.8, 0.7]]), np.array([0, 0.4])
    util.save_npz(tmp_path / "FigS3b/correlated.npz", perc=perc, corr=corr)
    (tmp_path / "Analysis").mkdir()
    (tmp_path / "Analysis/pca.npz").write_bytes(b"not read")

    code, text, err = script("released", tmp_path)
    assert code == 0 and str(tmp_path / "results.csv") in text, err
    rows = table.read(tmp_path / "results.csv")
    lstm = rows.query("network == 'LSTM'")
    assert np.allclose(lstm["angle"], 90 * lstm["r2"]) and set(lstm["factor"]) == {"1-2"}
    high = rows.query("n_dim == 4")
    assert set(high["measure"]) == {"angles"} and len(set(high["factor"])) == 6
    assert len(high) == 6 * R_SQ.size
    bound = rows.query("series == 'stimulus' and task == @BOUND").sort_values(["stimulus", "run"])
    assert np.array_equal(bound["r2"], R_SQ.ravel().astype(np.float32))
    assert bound[["stimulus", "t"]].drop_duplicates().to_numpy().tolist() == [[500, 6], [2000, 21]]
    sparse = rows.query("measure == 'sparsity'").sort_values(["n_task", "run"])["value"]
    assert np.array_equal(sparse, R_SQ[:, :, 0, 0].ravel())
    levels = rows.query("measure == 'as_released_quartile' and corr == 0.4").sort_values("fit")
    assert levels["value"].tolist() == [0.6, 0.7, 0.8]


def test_files_of_any_name_that_generalize_wrote(script, tiny_networks, tmp_path):
    words = "--decoder", "ridge", "--n_fit", 1, "--n_ridge", 100, "--every_measure"
    out = tmp_path / "mine.npz"
    assert script("generalize", "--networks", tiny_networks, *words, "--out", out)[0] == 0
    rows = released.table_of(tmp_path)
    assert {"ID", "quadrant", "as_released", "ccgp"} <= set(rows["measure"])
    for measure, end in (("as_released", ""), ("quadrant", "_quadrant"), ("ID", "_ID")):
        found = rows[rows["measure"] == measure].sort_values(["n_task", "run", "split", "fit"])
        saved = util.load_npz(tmp_path / f"mine{end}.npz")["r_sq"]
        assert np.array_equal(found["r2"], saved.ravel()) and found["angle"].notna().all()


def test_results_that_cannot_be_told_are_one_line(script, tmp_path):
    for words in ("no r_sq", "has no n_tasks", "has no r_sq", "no such folder"):
        folder = tmp_path / "gone" if words == "no such folder" else tmp_path
        code, _, err = script("released", folder)
        assert code == 2 and one_line(err) and words in err
        arrays = {"r_sq": R_SQ} if words == "no r_sq" else {"n_tasks": [2]}
        util.save_npz(tmp_path / "r_sq_RNN.npz", **arrays)
    assert released.table_of(tmp_path / "gone").empty
