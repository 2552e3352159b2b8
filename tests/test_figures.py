"""Figures draw from whatever lies in Data/, from any folder, without a display."""

import runpy
import sys

import numpy as np
import pytest
from conftest import ROOT, one_line, shell

import util


def test_fig3a_draws_from_files_in_the_layout_of_the_released_data(tmp_path):
    rng = np.random.default_rng(0)
    n_tasks = np.array([2, 3, 6, 12, 24])
    for name in ("r_sq_RNN_CELoss", "r_sq_RNN_CELoss_ID"):  # no file of ours, no t, no sigma
        util.save_npz(tmp_path / f"{name}.npz", r_sq=rng.random((5, 5, 4, 5)), n_tasks=n_tasks)
    result = shell("Figures/Fig3a.py", tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "r_sq_RNN_CELoss_quadrant.npz" in result.stderr  # says what it could not draw
    assert (tmp_path / "Fig3a.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "Fig3a.pdf").read_bytes()[:4] == b"%PDF"


def test_fig3a_without_data_is_one_line(tmp_path):
    result = shell("Figures/Fig3a.py", tmp_path)
    assert result.returncode == 2 and one_line(result.stderr)
    util.save_npz(tmp_path / "r_sq_RNN_CELoss.npz", n_tasks=np.arange(3))
    result = shell("Figures/Fig3a.py", tmp_path)
    assert result.returncode == 2 and "has no r_sq" in result.stderr


def test_figures_of_several_networks_draw_from_files_in_the_released_layout(tmp_path):
    rng = np.random.default_rng(0)
    n_tasks = np.array([2, 24])
    angles = np.full((2, 5, 4, 5, 2, 2), np.nan)
    angles[..., 0, 1] = 90 + rng.normal(size=(2, 5, 4, 5))
    for name in ("RNN_CELoss", "LSTM_CELoss", "gpt-2_CELoss", "RNN_NoLeak", "RNN_Quad"):
        for end in ("", "_quadrant"):
            r_sq = rng.random((2, 5, 4, 5))
            util.save_npz(tmp_path / f"r_sq_{name}{end}.npz", r_sq=r_sq, n_tasks=n_tasks)
        util.save_npz(tmp_path / f"decoders_{name}.npz", angles=angles, n_tasks=n_tasks)
    for figure in ("Fig3bc", "FigS1"):
        result = shell(f"Figures/{figure}.py", tmp_path, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert (tmp_path / f"{figure}.png").exists() and (tmp_path / f"{figure}.pdf").exists()
    (tmp_path / "empty").mkdir()
    for figure in ("Fig3bc", "FigS1", "FigTime"):
        result = shell(f"Figures/{figure}.py", tmp_path / "empty")
        assert result.returncode == 2 and one_line(result.stderr)


def test_r_sq_in_time_is_drawn(tmp_path):
    r_sq = np.random.default_rng(0).random((4, 5, 4, 5))
    for end in ("_ID", "_quadrant"):
        util.save_npz(tmp_path / f"r_sq_LSTM{end}.npz", r_sq=r_sq, t=np.array([1, 5, 20, 20]))
    result = shell("Figures/FigTime.py", tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "FigTime.png").exists()


@pytest.fixture
def draw(monkeypatch, capsys):
    """draw('Fig2', folder) runs Figures/Fig2.py here; returns exit code, stderr."""

    def run(figure, *args):
        monkeypatch.syspath_prepend(ROOT / "Figures")
        monkeypatch.setattr(sys, "argv", [f"{figure}.py", *map(str, args)])
        code = 0
        try:
            runpy.run_path(str(ROOT / f"Figures/{figure}.py"), run_name="__main__")
        except SystemExit as error:
            code = error.code
        return code, capsys.readouterr().err

    return run


def analysis(folder, n_task, network="RNN"):
    """Files as analyze.py writes them, for two networks of 6 units, of which 2 are silent."""
    rng, n = np.random.default_rng(0), n_task
    x, kept = rng.uniform(-0.5, 0.5, (2, 9, 2)), rng.random((2, 2, 7)) < 0.8
    eigenvalues = rng.random((2, 2, 7, 6)) * np.exp(1j * rng.random((2, 2, 7, 6)))
    correlation = rng.uniform(-0.7, 0.7, (2, 6, 2))
    correlation[:, :2] = np.nan
    fine = np.linspace(-0.5, 0.5, 9)
    logits = fine[:, None, None] * np.arange(1, n + 1) - fine[None, :, None]
    files = {
        "lines": {
            "x": fine,
            "logits": np.stack([logits, logits]),
            "x_labels": fine,
            "labels": np.stack([logits > 0.1] * 2).astype(np.uint8),
            "n_task": [n, n],
            "n_dim": 2,
        },
        "one_trial": {
            "time": 100 * np.arange(5),
            "inputs": rng.random((2, 5, 3)),
            "rates": rng.random((2, 5, 6)),
            "decoded": rng.random((2, 5, 2)),
            "x": x[:, 0],
            "outputs": rng.random((2, 5, n)),
            "range": [0, 1],
            "evidence": [1, 3],
            "n_task": [n, n],
        },
        "pca": {
            "conditions": ["noiseless, last stimulus step", "noiseless, all steps"],
            "share": np.full((2, 2, 6), 1 / 6),
        },
        "trajectories": {
            "trajectory": rng.random((2, 9, 5, 3)),
            "x": x,
            "share": np.full((2, 3), 0.3),
            "points": rng.random((2, 2, 7, 3)),
            "kept": kept,
        },
        "spectrum": {
            "eigenvalues": eigenvalues,
            "amplification": -1 / np.log(np.abs(eigenvalues)),
            "kept": kept,
            "n_lead": 2,
        },
        "rate_maps": {"rates": rng.random((2, 4, 4, 6)), "correlation": correlation},
        "encoder": {"x": x, "projected": rng.random((2, 9, 3)), "share": np.full((2, 4), 0.25)},
    }
    for name, arrays in files.items():
        util.save_npz(folder / f"{name}.npz", **arrays, networks=[f"{network}_run0", "_run1"])


def r_sq_files(folder, name, n_tasks, ends=("", "_ID", "_quadrant")):
    """r2 in the released layout."""
    values = np.random.default_rng(0).uniform(0.5, 0.9, (len(n_tasks), 5, 4, 5))
    for end in ends:
        util.save_npz(folder / f"r_sq_{name}{end}.npz", r_sq=values, n_tasks=n_tasks)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """A folder with subfolders as in Data/."""
    root = tmp_path_factory.mktemp("Data")
    for kind, n_task in (("RNN", 24), ("RNN", 2), ("gpt-2", 24), ("Multiply", 24), ("Bound", 24)):
        analysis(root / f"Analysis/{kind}_nTask{n_task}", n_task, kind)
    r_sq_files(root / "FigS4", "Multiply", [24])
    r_sq_files(root / "FigS5c", "Bound", [2, 24], ("", "_quadrant"))
    r_sq_files(root / "Fig3a", "RNN_CELoss", [2, 24], ("", "_quadrant"))
    return root


ANALYSES = ("2", "4", "S2", "S4", "S5", "S11")  # figures that draw what analyze.py found


@pytest.mark.parametrize("figure", ANALYSES)
def test_figures_draw_from_a_folder_laid_out_as_data(data_root, draw, figure):
    assert draw(f"Fig{figure}", data_root) == (0, "")  # nothing is left out
    assert (data_root / f"Fig{figure}.png").read_bytes()[:4] == b"\x89PNG"
    assert (data_root / f"Fig{figure}.pdf").read_bytes()[:4] == b"%PDF"


@pytest.mark.parametrize("figure", ("2", "S2", "S5"))
def test_figures_draw_one_analysis_and_say_what_they_leave_out(tmp_path, draw, figure):
    analysis(tmp_path / "mine", 3)
    code, error = draw(f"Fig{figure}", tmp_path / "mine")
    assert code == 0
    assert ("left out" in error) == (figure == "S5")  # r2
    assert (tmp_path / f"mine/Fig{figure}.png").exists()


def test_a_contrast_that_is_not_there_is_left_out(tmp_path, draw):
    analysis(tmp_path / "Analysis/RNN_nTask24", 24)
    code, error = draw("FigS11", tmp_path)
    assert code == 0 and one_line(error)
    assert "RNN_nTask2/" in error and (tmp_path / "FigS11.png").exists()


@pytest.mark.parametrize("figure", (*ANALYSES, "S6"))
def test_figures_without_data_are_one_line(tmp_path, draw, figure):
    code, error = draw(f"Fig{figure}", tmp_path)
    assert code == 2 and one_line(error) and str(tmp_path) in error


def test_an_analysis_without_one_of_its_arrays_is_one_line(tmp_path, draw):
    analysis(tmp_path, 3)
    util.save_npz(tmp_path / "spectrum.npz", eigenvalues=np.ones((1, 2, 3, 4)))
    code, error = draw("FigS2", tmp_path)
    assert code == 2 and "has no amplification" in error


def test_sparseness_is_drawn_from_files_in_the_released_layout(tmp_path, draw):
    rng = np.random.default_rng(0)
    for folder, names in (
        ("arc", ("RNN", "LSTM", "gpt-2")),
        ("HighDim", ("nDim2_RNN", "nDim4_RNN", "nDim2_gpt-2", "nDim4_gpt-2")),
    ):
        for name in names:
            values = rng.uniform(50, 90, (3, 5))
            ends = np.stack([values.min(1), values.max(1)])  # (2, n_tasks)
            arrays = {"sparsity": values, "confidence_intervals": ends, "n_tasks": [3, 6, 12]}
            util.save_npz(tmp_path / f"FigS6/{folder}/sparsity_{name}.npz", **arrays)
    result = shell("Figures/FigS6.py", tmp_path, cwd=tmp_path)
    assert result.returncode == 0 and result.stderr == ""
    assert (tmp_path / "FigS6.png").exists()
    code, error = draw("FigS6", tmp_path / "FigS6/arc")
    assert code == 0 and one_line(error)  # no nDim


def test_results_table_in_the_readme_is_the_one_the_data_give():
    result = shell("results.py", "--check")
    assert result.returncode == 0, result.stderr


def test_the_table_of_figure_3a_goes_on_once_all_of_it_is_there(monkeypatch, tmp_path):
    import results

    whole = ROOT / "Data/Fig3a"
    names = [path.name for path in whole.glob("r_sq*.npz")]
    monkeypatch.setattr(results, "ROOT", tmp_path)
    for name in names:
        path = tmp_path / "Data/Fig3a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((whole / name).read_bytes())
    table = results.fig3a()
    assert "`python sweep.py 3a`" in table
    more = tmp_path / "Data/Fig3a_more"
    more.mkdir()
    for name in names:
        if "ridge" not in name:
            (more / name).write_bytes((whole / name).read_bytes())
    assert results.fig3a() == table  # half made
    for name in names:
        arrays = util.load_npz(whole / name)
        del arrays["sha256"]
        util.save_npz(more / name, **{**arrays, "n_tasks": 100 * arrays["n_tasks"]})
    rows = [line.split("|")[1].strip() for line in results.fig3a().splitlines() if "|" in line]
    assert rows[2:] == ["2", "3", "6", "12", "24", "200", "300", "600", "1200", "2400"]
