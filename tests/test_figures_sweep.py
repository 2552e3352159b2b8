"""Figures over sweeps draw what lies in Data/, ours or the released; all.py draws all figures."""

import runpy
import sys

import numpy as np
import pytest
from conftest import ROOT, one_line, shell

import util

FIGURES = ROOT / "Figures"
ENDS = ("", "_quadrant", "_ID")  # of file names
SCRIPTS = {  # files without ends, with their N_task
    "Fig5a": {"Fig5a/r_sq_Bound": (24,)},
    "Fig5b": {
        **{f"Fig5b,S12 RNN/r_sq_nDim{d}_RNN": (3, 6) for d in (2, 4, 10)},
        **{f"Fig5b,S12 GPT/r_sq_nDim{d}_gpt-2": (3, 6) for d in (2, 8)},
    },
    "Fig5c": {f"Fig5c/r_sq_Noise{n}": (3, 24) for n in (1, 6)},
    "FigS3b": {f"FigS3b/r_sq_Corr{c}": (24,) for c in ("0.2", "1")},
    "FigNoise": {f"Noise/r_sq_{kind}": (24,) for kind in ("Anisot", "Autocorr", "NoiseEnc")},
    "FigContext": {"Context/r_sq_Context": (1,)},
}


def make(folder, files, ends=ENDS, **more):
    """Files of made-up r2, without what only ours hold; dict path below folder -> r_sq."""
    rng, made = np.random.default_rng(0), {}
    for name, n_tasks in files.items():
        for end in ends:
            values = rng.uniform(0.5, 0.9, (len(n_tasks), 2, 4, 2))
            util.save_npz(
                folder / f"{name}{end}.npz", r_sq=values, n_tasks=np.array(n_tasks), **more
            )
            made[f"{name}{end}"] = values
    return made


def make_figure(folder, name):
    """What a figure needs, all of it made up."""
    if name == "Fig5a":
        rng, steps = np.random.default_rng(0), np.array([5, 20, 50])
        for end in ENDS:
            r_sq = rng.uniform(0.5, 0.9, (3, 2, 4, 2))
            util.save_npz(folder / f"Fig5a/r_sq_Bound{end}.npz", r_sq=r_sq, timing=100 * steps)
        return {}
    if name == "Fig5b":
        angles = np.full((2, 2, 4, 2, 4, 4), np.nan)
        angles[..., 0, 1:] = np.random.default_rng(0).normal(90, 5, (2, 2, 4, 2, 3))
        path = folder / "Fig5b,S12 RNN" / "decoders_nDim4_RNN.npz"
        util.save_npz(path, angles=angles, n_tasks=np.array([3, 6]))
    return make(folder, SCRIPTS[name] | {"Fig3a/r_sq_RNN_CELoss": (2, 3, 24)})


@pytest.fixture
def figure(monkeypatch, capsys, tmp_path):
    """figure(name, *arguments) runs the script from another folder; exit code, stdout, stderr."""
    monkeypatch.syspath_prepend(FIGURES)
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        import style

        style.LEFT_OUT.clear()
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(FIGURES / f"{name}.py"), run_name="__main__")
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def script(monkeypatch):
    """script(name): what a figure's script defines."""
    monkeypatch.syspath_prepend(FIGURES)
    return lambda name: runpy.run_path(str(FIGURES / f"{name}.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_figure_is_drawn_from_what_is_there(figure, tmp_path, name):
    make_figure(tmp_path / "Data", name)
    code, out, err = figure(name, tmp_path / "Data", tmp_path / "pictures")
    assert code == 0, err
    picture = tmp_path / "pictures" / f"{name}.png"
    assert out.strip() == str(picture) and picture.read_bytes()[:4] == b"\x89PNG"
    assert picture.with_suffix(".pdf").read_bytes()[:4] == b"%PDF"
    lines = err.splitlines()
    assert all(line.endswith("left out") for line in lines) and len(lines) == len(set(lines))
    assert bool(lines) == (name not in ("Fig5a", "FigContext"))  # theirs are complete


@pytest.mark.parametrize("name", SCRIPTS)
def test_figure_without_its_data_is_one_line(figure, tmp_path, name):
    make(tmp_path / "Data", {"Fig3a/r_sq_RNN_CELoss": (2, 3, 24)})
    code, _, err = figure(name, tmp_path / "Data")
    assert code == 2 and one_line(err) and f"sweep.py {name.removeprefix('Fig')}" in err


def test_one_measure_is_enough(figure, tmp_path):
    for name in ("Fig5c", "FigNoise", "FigContext", "FigS3b"):
        make(tmp_path / name, SCRIPTS[name], ends=[""])
        code, _, err = figure(name, tmp_path / name)
        assert code == 0 and "Fig3a" in err, err


def test_file_that_lacks_an_array_is_one_line(figure, tmp_path):
    util.save_npz(tmp_path / "Fig5a/r_sq_Bound.npz", r_sq=np.ones((1, 1, 1, 1)))
    code, _, err = figure("Fig5a", tmp_path)
    assert code == 2 and one_line(err) and "has no timing" in err


def test_fig3a_goes_on_where_there_are_more_tasks(script, tmp_path):
    made = make(tmp_path, {"Fig3a/r_sq_RNN_CELoss": (2, 24), "Fig3a_more/r_sq_RNN_CELoss": (48,)})
    (tmp_path / "Fig3a_more/r_sq_RNN_CELoss_ID.npz").unlink()
    folders = tmp_path / "Fig3a", tmp_path / "Fig3a_more", tmp_path / "not there"
    ax = script("Fig3a")["draw"](folders).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["OOD: quadrant really held out"].get_xdata(), [2, 24, 48])
    rows = [*made["Fig3a/r_sq_RNN_CELoss"], *made["Fig3a_more/r_sq_RNN_CELoss"]]
    released = lines["OOD as released (half of the fits are ID)"].get_ydata()
    np.testing.assert_allclose(released, [np.median(row) for row in rows])
    assert lines["ID: trained and tested on all quadrants"].get_xdata().tolist() == [2, 24]
    assert ax.get_title().startswith("RNN, 2 networks per point")


def test_fig3a_takes_an_n_task_from_the_first_folder(script, tmp_path):
    names = {"Fig3a/r_sq_RNN_CELoss": (48, 2, 24), "Fig3a_more/r_sq_RNN_CELoss": (48, 96)}
    made = make(tmp_path, names, ends=[""])
    ax = script("Fig3a")["draw"]((tmp_path / "Fig3a", tmp_path / "Fig3a_more")).axes[0]
    mine, more = (made[name] for name in names)
    assert ax.lines[0].get_xdata().tolist() == [2, 24, 48, 96]
    expected = [np.median(row) for row in (mine[1], mine[2], mine[0], more[1])]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), expected)


def test_fig3a_says_what_is_missing_before_more_tasks(figure, tmp_path):
    make(tmp_path, {"Fig3a_more/r_sq_RNN_CELoss": (48,)})
    code, _, err = figure("Fig3a", tmp_path)
    lines = err.splitlines()
    assert code == 0 and len(lines) == 3 and all("Fig3a/" in line for line in lines)


def test_fig5a_has_steps_and_the_theory_with_the_decision_step(script, tmp_path):
    make_figure(tmp_path, "Fig5a")
    ax = script("Fig5a")["draw"]((tmp_path / "Fig5a",)).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(lines["OOD: quadrant really held out"].get_xdata(), [5, 20, 50])
    theory = lines[r"theory, $1 - 12\sigma^2/(t+1)$"]
    np.testing.assert_allclose(theory.get_ydata(), 1 - 0.48 / (theory.get_xdata() + 1))


def test_fig5b_draws_the_held_out_test_and_marks_too_few_tasks(script, tmp_path):
    made = make_figure(tmp_path, "Fig5b")
    folders = tuple(tmp_path / f"Fig5b,S12 {name}" for name in ("RNN", "GPT"))
    ax = script("Fig5b")["draw"](folders).axes[0]
    n_task = 3  # the first: OOD with its bars, N_task < D, ID, as released
    curve, few, within, released = ax.lines[:4]
    expected = [
        np.median(made[f"Fig5b,S12 RNN/r_sq_nDim{d}_RNN{end}"][0])
        for d, end in ((2, "_quadrant"), (4, ""), (10, ""))
    ]
    np.testing.assert_allclose(curve.get_ydata(), expected)
    np.testing.assert_allclose(few.get_ydata(), expected[1:])  # D = 4, 10 > n_task
    assert few.get_markerfacecolor() == "w" and n_task < 4
    assert len(within.get_xdata()) == 3
    np.testing.assert_allclose(
        released.get_ydata(), [np.median(made["Fig5b,S12 RNN/r_sq_nDim2_RNN"][0])]
    )


def test_fig5c_says_how_far_below_theory(script, tmp_path):
    (tmp_path / "Fig5c").mkdir()
    for n in (1, 6):
        r_sq = np.full((1, 2, 4, 2), 1 - 0.6 * (n / 10) ** 2 - n / 100)
        path = tmp_path / f"Fig5c/r_sq_Noise{n}_quadrant.npz"
        util.save_npz(path, r_sq=r_sq, n_tasks=np.array([6]))
    axes = script("Fig5c")["draw"]((tmp_path / "Fig5c", tmp_path / "Fig3a")).axes
    label = axes[1].lines[0].get_label()
    assert "2 networks" in label and "0.01 to 0.06 below theory" in label
    np.testing.assert_allclose(axes[1].lines[0].get_xdata(), [0.1, 0.6])


def test_fig_s3b_draws_quartiles_alone(figure, tmp_path):
    perc = np.array([[0.8, 0.7], [0.9, 0.8], [0.95, 0.9]])
    util.save_npz(tmp_path / "FigS3b/correlated.npz", perc=perc, corr=np.array([0.0, 1.0]))
    code, _, err = figure("FigS3b", tmp_path)
    assert code == 0, err
    assert (tmp_path / "FigS3b.png").exists()


def test_fig_s3b_names_medians_below_its_axis(script, tmp_path):
    files = {f"FigS3b/r_sq_Corr{c}": (24,) for c in ("0.8", "1")}
    make(tmp_path, files)
    low = np.full((1, 2, 4, 2), -0.5)
    path = tmp_path / "FigS3b/r_sq_Corr1_quadrant.npz"
    util.save_npz(path, r_sq=low, n_tasks=np.array([24]))
    ax = script("FigS3b")["draw"]((tmp_path / "FigS3b", tmp_path / "Fig3a")).axes[0]
    (named,) = ax.texts
    x, y = named.get_position()
    assert named.get_text().startswith("-0.50") and x == 1 and -0.5 < ax.get_ylim()[0] < y


def test_fig_s3b_names_released_medians_below_its_axis(script, tmp_path):
    perc = np.array([[-0.9, 0.8], [-0.7, 0.9], [0.1, 0.95]])
    util.save_npz(tmp_path / "FigS3b/correlated.npz", perc=perc, corr=np.array([1.0, 0.0]))
    (named,) = script("FigS3b")["draw"]((tmp_path / "FigS3b",)).axes[0].texts
    assert named.get_text().startswith("-0.70")


def test_ceilings_of_other_noise_are_those_of_least_squares():
    assert util.r_sq_theory(20) == pytest.approx(0.976)
    assert util.r_sq_anisotropic(20) == pytest.approx(0.94)
    lag = np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    variance = 0.2**2 / np.linalg.solve(0.7**lag, np.ones(20)).sum()
    assert util.r_sq_ar1(20) == pytest.approx(1 - 12 * variance)
    assert util.r_sq_ar1(20, a=0) == pytest.approx(0.976)


def test_marks_are_whole_numbers(script, tmp_path):
    style = script("Fig5a")["style"]
    make(tmp_path, {f"r_sq_{name}": (3,) for name in ("nDim10", "Corr0.25", "Corr1.0")}, ends=[""])
    for mark, found in (("nDim1", 0), ("nDim10", 1), ("Corr0.2", 0), ("Corr0.25", 1), ("Corr1", 1)):
        assert len(style.condition((tmp_path,), mark)) == found, mark


def test_all_draws_what_it_can(tmp_path):
    data = tmp_path / "Data"
    assert shell("Figures/all.py", data).returncode == 2  # no such folder
    assert shell("Figures/all.py", "--help").returncode == 2
    data.mkdir()
    result = shell("Figures/all.py", data, cwd=tmp_path)
    assert result.returncode == 1 and "drawn" not in result.stdout
    assert all(f"{name:10} no data" in result.stdout for name in SCRIPTS)
    make_figure(data, "Fig5c")
    result = shell("Figures/all.py", data, tmp_path / "pictures", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert sorted(lines) == sorted(path.stem for path in FIGURES.glob("Fig*.py"))
    assert {name for name, line in lines.items() if " drawn " in line} >= {"Fig3a", "Fig5c"}
    assert "no data" in lines["Fig5a"] and "left out" in lines["Fig5c"]
    assert (tmp_path / "pictures" / "Fig5c.pdf").exists()
    (data / "Fig3a" / "r_sq_RNN_CELoss.npz").write_bytes(b"cut off")
    result = shell("Figures/all.py", data, cwd=tmp_path)
    assert result.returncode == 1 and "FAILED" in result.stdout
