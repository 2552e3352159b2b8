"""Figures draw from whatever lies in Data/, from any folder, without a display."""

import numpy as np
from conftest import one_line, shell

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


def test_results_table_in_the_readme_is_the_one_the_data_give():
    result = shell("results.py", "--check")
    assert result.returncode == 0, result.stderr
