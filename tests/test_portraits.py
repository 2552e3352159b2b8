"""The scripts analyze.py and analyze_transformer.py: files, pictures, words, bad input."""

import json
import shutil

import pytest
import torch
from conftest import ROOT, one_line, save_small

import util

RNN = ROOT / "tests/data/RNN_nTask24_n_batch20000_run0.pth"
GPT = ROOT / "Networks/gpt-2/gpt-2_nTask24_run0.pth"
SMALL = ("--n_trial", 24, "--n_fit", 256, "--n_fine", 9)
FEW = {"analyze": ("--n_start", 12, "--n_repeat", 4, "--n_iter", 20), "analyze_transformer": ()}
PICTURES = "trials one_trial pca trajectories rate_maps encoder lines"
OWN_PICTURES = {
    "analyze": "fixed_points spectrum sheet",
    "analyze_transformer": "ends attention values rate_maps_end",
}


@pytest.fixture
def run(script, tmp_path):
    """run('analyze', path, '--keep', 'pca') -> exit code, stdout, stderr, the folder written."""

    def run(name, *paths_and_options, out=tmp_path / "out"):
        settings = (*SMALL, *FEW[name], "--out", out)
        return *script(name, *settings, "--network", *paths_and_options), out

    return run


@pytest.fixture
def drawn(monkeypatch):
    """Names of the pictures drawn, which are laid out but, to save time, not written."""
    monkeypatch.syspath_prepend(ROOT / "Figures")
    import style

    names = []

    def close(fig, name, folder):
        names.append(name)
        style.plt.close(fig)

    monkeypatch.setattr(style, "write", close)
    return names


@pytest.mark.parametrize("name", FEW)
def test_a_script_saves_draws_and_prints(run, name):
    path, words, array, shape = (RNN, ["share of the grid"], "fixed_points", (1, 2, 12, 64))
    if name == "analyze_transformer":
        path, words, array, shape = (GPT, ["head 7", "samples"], "attention", (1, 1, 8, 22, 22))
    code, text, err, out = run(name, path)
    assert code == 0 and not err, err
    assert all(word in text for word in ("top 3 PCs", *words))
    pictures = f"{PICTURES} {OWN_PICTURES[name]}".split()
    files = {f"{picture}.{kind}" for picture in pictures for kind in ("png", "pdf")}
    folder = out / path.stem
    assert {file.name for file in folder.iterdir()} == {*files, "trajectories.html"}
    for file in files:
        assert (folder / file).read_bytes()[:4] == (b"\x89PNG" if file[-1] == "g" else b"%PDF")
    page = (folder / "trajectories.html").read_text()
    assert "<script src=" not in page and "x* = (" in page  # needs no network; hover shows x*
    assert "requestAnimationFrame(turn)" in page
    assert ("slow points" in page) == (name == "analyze")
    arrays = util.load_npz(out / f"{array}.npz", ("networks", "config"))
    assert arrays["state" if name == "analyze" else "mean"].shape == shape
    assert json.loads(str(arrays["config"]))["n_trial"] == 24
    code, _, err, _ = run(name, path)
    assert code == 2 and one_line(err) and "--overwrite" in err


def test_a_network_without_points_or_readout_is_drawn_all_the_same(run, drawn, tmp_path):
    """The authors' files hold no readout; and here a state never rests."""

    def move_on(model):
        model.network.rec_weight[:] = torch.eye(16)
        model.network.rec_bias[:] = 1

    settings = {"task": "LinearClassificationHighDim", "n_dim": 3, "n_task": (3,)}
    path = save_small(tmp_path, change=move_on, **settings)[0]
    content = torch.load(path)
    path = tmp_path / "LinProbSigmoidSL16batch1e5LR0.001Noise2NetN0nTrial1nDim3CElossnTask3.pth"
    torch.save({key: content[key] for key in ("state_dict", "encoder")}, path)
    code, text, err, _ = run("analyze", path)
    assert code == 0, err
    assert "no fixed and no slow point" in text
    assert {"spectrum", "one_trial", "lines"} <= set(drawn)


def test_free_reaction_time_and_layers_are_drawn(run, drawn, tmp_path):
    settings = {"task": "LinearClassificationBound", "n_layer": 2, "n_head": 1, "n_task": (2,)}
    path = save_small(tmp_path, network="gpt-2", **settings)[0]
    code, text, err, _ = run("analyze_transformer", path)
    assert code == 0 and not err, err
    assert "values of layer 1" in text
    assert "attention" in drawn and "rate_maps_end" not in drawn


def test_bad_input_is_one_clear_line(run, tmp_path):
    def kill(model):
        for parameter in model.network.parameters():
            parameter.zero_()

    few = {"n_task": (2,)}
    rnn, dead = save_small(tmp_path, "rnn", **few)[0], save_small(tmp_path, "dead", kill, **few)[0]
    few["network"] = "gpt-2"
    gpt, dead_gpt = (
        save_small(tmp_path, "gpt", **few)[0],
        save_small(tmp_path, "gone", kill, **few)[0],
    )
    full, broken = tmp_path / "full", tmp_path / "broken.pth"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    twin = shutil.copy(rnn, full)
    broken.write_bytes(rnn.read_bytes()[:500])
    for name, given, words in (
        ("analyze", [gpt], "gpt-2 has no state"),
        ("analyze", [dead], "all its units are dead"),
        ("analyze", [tmp_path / "no.pth"], "no such file"),
        ("analyze", [broken], "not a checkpoint"),
        ("analyze", [rnn, twin], "two networks are called rnn0"),
        ("analyze", [rnn, "--n_start", 0], "n_start must be at least 1"),
        ("analyze", [rnn, "--jitters", -1], "jitter must be"),
        ("analyze", [rnn, "--out", full], "--overwrite"),
        ("analyze", [rnn, "--out", full / "notes.txt"], "not a folder"),
        ("analyze_transformer", [rnn], "RNN has no attention"),
        ("analyze_transformer", [dead_gpt], "all its units are dead"),
        ("analyze_transformer", [gpt, "--n_grid", 1], "n_grid must be at least 2"),
        ("analyze_transformer", [gpt, "--out", full], "--overwrite"),
        ("analyze", [rnn, "--no-pictures", "--keep", "pca", "dreams"], "no analysis dreams"),
    ):
        code, _, err, _ = run(name, *given)
        assert code == 2 and one_line(err) and words in err, err
    assert {path.name for path in full.iterdir()} == {"notes.txt", rnn.name}
