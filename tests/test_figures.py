"""Figures draw what lies in a folder, ours or the authors', and say in a line what they lack."""

import os
import pickle
import runpy
import signal
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, one_line, shell

import paper
import table
import theory
import util

FIGURES = ROOT / "Figures"
sys.path.insert(0, str(FIGURES))

import style  # noqa: E402

NAMES = sorted(path.stem for path in FIGURES.glob("Fig*.py"))
READOUTS = ("RNN_nTask24_readouts", "RNN_nTask6_readouts")
ANALYSES = ("Fig2", "Fig4", "FigS2", "FigS4", "FigS5", "FigS11")  # draw what analyze.py found
QUADRANT = style.NAMES["quadrant"]
FIG3A = ("RNN", (2, 3, 24))
LEARNERS = ("RNN", "EncoderMean", "InputMean")
SOME = {  # a part of what the figure shows, and what it has to say on the rest
    "Fig3a": ([FIG3A, ("EncoderMean", (2, 3, 24))], "no data yet"),
    "Fig3bc": ([FIG3A, ("NoLeak", (2, 24))], "no kind LSTM"),
    "Fig5a": ([("Bound", (24,), "stimulus", (500, 2000, 5000))], "no stimulus 1000"),
    "Fig5b": ([FIG3A, ("nDim4", (3, 6)), ("nDim10", (3, 6)), ("gpt-2_nDim8", (6,))], "n_task 12"),
    "Fig5c": ([FIG3A, ("Noise1", (3, 24)), ("Noise6", (3, 24))], "no n_sd_in 3"),
    "FigCausal": ([("RNN", (2, 24), "causal"), ("gpt-2", (2, 6), "causal")], "no network LSTM"),
    "FigContext": ([FIG3A, ("Context", (1,))], "no kind Untrained_RNN"),
    "FigControls": ([FIG3A, ("EncoderMean", (24,)), ("Grid", (24,))], "no kind LSTM"),
    "FigFewShot": ([(kind, (2, 24), "few_shot") for kind in LEARNERS], "no activ_enc Fourier"),
    "FigMixing": (
        [FIG3A, ("RNN_Fourier0.12", (2, 24)), ("EncoderMean_Fourier0.12", (24,))],
        "no data yet",
    ),
    "FigNoise": ([FIG3A, ("Anisot", (24,)), ("NoiseEnc", (24,))], "no kind Gumbel"),
    "FigOptimal": (
        [FIG3A, ("RNN", (2, 24), "optimality"), ("Noise6", (24,), "optimality")],
        "no kind NoLeak",
    ),
    "FigReadouts": ([FIG3A], "no data yet"),
    "FigS1": ([FIG3A, ("Quad", (2, 24))], "no n_task 6"),
    "FigS3b": ([FIG3A, ("Corr0.2", (24,)), ("Corr1", (24,))], "no corr 0.4"),
    "FigS6": ([("RNN", (2, 3), "sparsity"), ("nDim4", (3,), "sparsity")], "no kind NoLeak"),
    "FigTime": ([("LSTM", (24,), "step", (2, 3, 21, 22))], "no kind RNN"),
}


def made_up(kind, n_tasks, series="", moments=(22,), measures=style.MEASURES, **settings):
    """Rows of two networks per N_task of a kind in paper.py, r2 random from 0.5 to 0.9."""
    rng, rows = np.random.default_rng(0), []
    for config in paper.configs(kind, n_tasks, **{"runs": (0, 1), **settings}):
        if series in ("sparsity", "optimality"):
            names = ("sparsity", "active") if series == "sparsity" else table.OPTIMALITY
            values = {"measure": names, "value": rng.uniform(0.05, 0.95, len(names))}
            some = pd.DataFrame(values).assign(decoder="", series="", t=20)
        elif series == "few_shot":
            axes = {"measure": table.FEW_SHOT, "n_example": (1, 10, 100)}
            some = table.tidy(rng.uniform(0.4, 0.9, (6, 3)), "value", **axes)
            some = some.assign(decoder="", series="")
        elif series == "causal":
            axes = {"measure": table.SHIFTS, "t": (10, 20), "factor": table.DIRECTIONS}
            some = [table.tidy(rng.random((2, 2, 6)), "value", **axes)]
            some += [table.tidy(rng.random((2, 8)), "value", measure=table.SILENCED, fit=range(8))]
            one = pd.DataFrame({"measure": ["intact_accuracy"], "value": [0.9]})
            some = pd.concat([*some, one]).assign(decoder="", series="")
        else:
            axes = {series or "step": moments, "measure": measures, "split": range(4)}
            axes["fit"] = 0, 1
            values = rng.uniform(0.5, 0.9, [len(labels) for labels in axes.values()])
            decoder = "ridge" if series == "step" else "adam"
            some = table.tidy(values, "r2", **axes).assign(decoder=decoder, series=series)
            t = some["step"].clip(upper=21) - 1 if series == "step" else 20
            some = some.assign(t=t, sigma=0.2, angle=rng.normal(90, 5, values.size))
        rows.append(some.assign(**table.network_columns(config)))
    return pd.concat(rows)


def save(folder, *rows):
    """A table of rows, of what `made_up` gives for tuples."""
    rows = [made_up(*each) if isinstance(each, tuple) else each for each in rows]
    folder.mkdir(parents=True, exist_ok=True)
    rows = pd.concat(rows).reindex(columns=table.COLUMNS)
    rows.to_csv(folder / "results.csv", index=False)
    return rows


@pytest.fixture
def figure(monkeypatch, capsys, tmp_path):
    """figure(name, *arguments) runs the script from another folder; exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(style.plt.rcParams, "savefig.dpi", 40)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(FIGURES / f"{name}.py"), run_name="__main__")
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """drawn(name, *rows) saves rows and draws them: the table, and the axes of the figure."""
    monkeypatch.setattr(style, "DATA", tmp_path)

    def draw(name, *rows):
        saved = save(tmp_path, *rows) if rows else None
        return saved, runpy.run_path(str(FIGURES / f"{name}.py"))["draw"]().axes

    yield draw
    style.plt.close("all")


def curves(ax):
    """Lines of a panel by their label."""
    return {line.get_label(): line for line in ax.lines}


def analysis(folder, condition):
    """A folder with what analyze.py found, as in Data/Analysis/."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "Data/Analysis" / condition).glob("*.npz"):
        (folder / path.name).symlink_to(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder as Data/: a table with all of `SOME`, and analyses."""
    root = tmp_path_factory.mktemp("Data")
    some = ("RNN_nTask24", "RNN_nTask2", "gpt-2_nTask24", "Multiply_nTask24", "Bound_nTask24")
    for kind in (*some, *READOUTS):
        analysis(root / "Analysis" / kind, kind)
    some = {each for rows, _ in SOME.values() for each in rows}
    save(root, *sorted(some, key=str), ("Multiply", (24,)), ("Bound", (2, 24)))
    return root


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_draws_what_is_there_and_says_what_it_leaves_out(figure, data, tmp_path, name):
    code, out, err = figure(name, data, tmp_path / "pictures")
    assert code == 0, err
    picture = tmp_path / "pictures" / f"{name}.png"
    assert out.strip() == str(picture) and picture.read_bytes()[:4] == b"\x89PNG"
    assert picture.with_suffix(".pdf").read_bytes()[:4] == b"%PDF"
    lines = err.splitlines()
    assert all(line.endswith("left out") for line in lines) and len(lines) == len(set(lines))
    said = SOME.get(name, ([], "n_task" if name == "FigS5" else None))[1]
    assert said in err if said else not lines


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_without_its_data_is_one_line(figure, tmp_path, name):
    if name in ("Fig5a", "Fig5b", "Fig5c", "FigS3b", "FigNoise", "FigContext", "FigControls"):
        save(tmp_path, FIG3A)  # is not enough
    code, _, err = figure(name, tmp_path)
    assert code == 2 and one_line(err) and str(tmp_path) in err
    assert f"`python sweep.py {name[3:]}" in err or name in ANALYSES
    assert not list(tmp_path.glob("*.p*"))


def test_one_measure_is_enough(figure, tmp_path):
    for name in ("Fig5c", "FigNoise", "FigContext", "FigS3b"):
        kinds = [kind for kind in SOME[name][0] if kind != FIG3A]
        save(tmp_path / name, *(made_up(*kind, measures=("as_released",)) for kind in kinds))
        code, _, err = figure(name, tmp_path / name)
        assert code == 0 and "no measure quadrant" in err, err


def test_figures_draw_from_the_released_layout_without_a_display(figure, tmp_path):
    rng, angles = np.random.default_rng(0), np.full((2, 5, 4, 5, 2, 2), np.nan)
    angles[..., 0, 1] = rng.normal(90, 1, (2, 5, 4, 5))
    for name in ("RNN_CELoss", "LSTM_CELoss", "gpt-2_CELoss", "RNN_NoLeak", "RNN_Quad"):
        r_sq = rng.random((2, 5, 4, 5))  # no file of ours, no t, no sigma
        util.save_npz(tmp_path / f"r_sq_{name}.npz", r_sq=r_sq, n_tasks=[2, 24])
        util.save_npz(tmp_path / f"decoders_{name}.npz", angles=angles, n_tasks=[2, 24])
    for name in ("arc/sparsity_RNN", "arc/sparsity_LSTM", "HighDim/sparsity_nDim4_RNN"):
        values = rng.uniform(50, 90, (3, 5))
        ends = np.stack([values.min(1), values.max(1)])  # (2, n_tasks)
        arrays = {"sparsity": values, "confidence_intervals": ends, "n_tasks": [3, 6, 12]}
        util.save_npz(tmp_path / f"FigS6/{name}.npz", **arrays)
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "MPLBACKEND")}
    result = shell("Figures/all.py", tmp_path, tmp_path / "new", cwd=tmp_path, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    drawn = {"Fig3a": 2, "Fig3bc": 2, "FigS1": 1, "FigS6": 2}
    assert sorted(lines) == NAMES
    for name, line in lines.items():
        if name in drawn:
            assert " drawn " in line and line.endswith(f"  {drawn[name]} left out")
        else:
            assert f"{name:10} no data" in line and f"{name}.py: {tmp_path}" in line
    assert (tmp_path / "new/Fig3bc.pdf").exists()
    code, _, err = figure("FigS6", tmp_path / "FigS6/arc")
    assert code == 0 and "n_dim 4" in err  # no nDim
    assert (tmp_path / "FigS6/arc/FigS6.png").exists()


@pytest.mark.parametrize("name", ("Fig3a", "all"))
def test_wrong_arguments_are_one_line(figure, tmp_path, name):
    for arguments in ((tmp_path / "absent",), ("--loud",), "abc"):
        code, out, err = figure(name, *arguments)
        assert code == 2 and one_line(err) and not out
    code, out, _ = figure(name, "--help")
    assert code == 0 and "results.csv" in out
    (tmp_path / "results.csv").write_text("condition,network\nRNN,")
    code, out, err = figure(name, tmp_path)
    assert (code, not out) == (2, one_line(err)) or (code == 1 and "drawn" not in out)
    assert "results.csv" in (err or out)


ALONE = {"Fig2": ("RNN_nTask2", ""), "FigS2": ("RNN_nTask24", "")}
ALONE |= {"FigS5": ("Bound_nTask24", "no data yet"), "FigS11": ("RNN_nTask24", "RNN_nTask2/")}


@pytest.mark.parametrize("name", ALONE)
def test_figures_draw_one_analysis(figure, tmp_path, name):
    kind, left_out = ALONE[name]  # of Figure S11 the contrast
    analysis(tmp_path / ("Analysis/RNN_nTask24" if name == "FigS11" else ""), kind)
    code, _, err = figure(name, tmp_path)
    assert code == 0 and left_out in err and len(err.splitlines()) == bool(left_out)


def test_accumulators_need_free_reaction_time(figure, tmp_path):
    analysis(tmp_path, "RNN_nTask24")
    code, out, err = figure("FigS5", tmp_path)
    assert code == 2 and one_line(err) and "fixed duration" in err and not out


class Code:
    def __reduce__(self):
        return print, ("code from a file was run",)


def test_a_bad_file_is_one_line_and_runs_nothing(figure, tmp_path):
    analysis(tmp_path, "RNN_nTask2")
    (tmp_path / "spectrum.npz").unlink()
    for bad in ({}, {"kept": np.array([Code()], dtype=object)}):
        np.savez(tmp_path / "spectrum.npz", eigenvalues=np.ones((2, 2, 3, 4)), **bad)
        code, out, err = figure("FigS2", tmp_path)
        assert code == 2 and one_line(err) and "has no kept" in err and not out
    bad = tmp_path / "r_sq_RNN_CELoss.npz"
    for content in ({"n_tasks": range(3)}, {"r_sq": np.array([Code()], dtype=object)}, Code()):
        if isinstance(content, dict):
            np.savez(bad, **content)
        else:
            bad.write_bytes(pickle.dumps(content))
        code, out, err = figure("Fig3a", tmp_path)
        assert code == 2 and one_line(err) and bad.name in err and not out


def test_a_failure_is_one_line_and_leaves_what_was_there(figure, monkeypatch, tmp_path):
    save(tmp_path, FIG3A)
    assert figure("Fig3a", tmp_path)[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("Fig3a.*")}
    code, _, err = figure("Fig3a", tmp_path, tmp_path / "results.csv")
    assert code == 2 and one_line(err)
    monkeypatch.setattr(style, "rows", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert figure("Fig3a", tmp_path) == (130, "", "Fig3a.py: interrupted\n")
    assert figure("all", tmp_path)[::2] == (130, "all.py: interrupted\n")
    assert before == {path: path.read_bytes() for path in tmp_path.glob("Fig3a.*")}


def medians(rows, by, measure="quadrant"):
    """Median over networks, for each value of a column, of the median over splits and fits."""
    some = rows[rows["measure"] == measure].groupby([by, "run"])["r2"].median()
    return some.groupby(by).median().to_numpy()


def test_networks_are_summed_up_by_median_and_bootstrap():
    rng = np.random.default_rng(1)
    values = pd.DataFrame({"run": range(400), "r2": rng.normal(0.5, 0.1, 400)}).assign(x=1)
    spread = [values.assign(r2=values["r2"] + far) for far in (0, -9, 9)]  # fits far out
    ((mid, low, high),) = style.of_networks(pd.concat(spread), "x").to_numpy()
    assert mid == pytest.approx(values["r2"].median())
    half = 1.96 * 1.2533 * values["r2"].std() / 20  # of a median, for normal values
    np.testing.assert_allclose(high - low, 2 * half, rtol=0.3)


def test_fig3a_draws_both_tests_at_any_n_task_with_controls_and_the_ceiling(drawn):
    more = made_up("RNN", (48,), measures=("quadrant", "as_released"))
    mean = made_up("EncoderMean", (2, 24)).assign(r2=0.9)
    ridge = made_up("RNN", (2, 24)).assign(r2=0.7, decoder="ridge")
    rows, axes = drawn("Fig3a", ("RNN", (5, 2, 24)), more, mean, ridge)
    rows = rows[(rows["network"] == "RNN") & (rows["decoder"] == "adam")]
    for ax, measure in zip(axes, style.TESTS, strict=True):
        lines = curves(ax)
        own, inside = (lines[f"RNN, {name}, Adam"] for name in ("OOD", "in distribution"))
        assert own.get_xdata().tolist() == [2, 5, 24, 48]
        np.testing.assert_allclose(own.get_ydata(), medians(rows, "n_task", measure))
        assert inside.get_xdata().tolist() == [2, 5, 24]
        np.testing.assert_allclose(inside.get_ydata(), medians(rows, "n_task", "ID"))
        assert lines["RNN, OOD, ridge"].get_ydata().tolist() == pytest.approx([0.7, 0.7])
        control = lines["control: encoder's mean, Adam"]
        assert control.get_ydata().tolist() == pytest.approx([0.9, 0.9])
        np.testing.assert_allclose(lines[style.NAMES["theory"]].get_ydata(), 0.9779, atol=1e-4)


def test_a_network_whose_decoders_fail_is_shown_and_in_no_mean(drawn):
    rows = made_up("NoLeak", (2, 24))
    fails = (rows["n_task"] == 24) & (rows["run"] == 1)
    _, axes = drawn("Fig3bc", FIG3A, rows.assign(r2=np.where(fails, -3, rows["r2"])))
    for ax, measure in zip(axes, style.TESTS, strict=False):
        line = curves(ax)[style.NAMES["NoLeak"]]
        np.testing.assert_allclose(line.get_ydata(), medians(rows[~fails], "n_task", measure))
        (mark,) = [line for line in ax.lines if line.get_marker() == "v"]
        assert mark.get_xdata() == [24] and mark.get_ydata() == [ax.get_ylim()[0]]


def test_other_networks_do_not_slip_into_a_curve(drawn):
    others = ({"n_neu": 128}, {"seed": 1}, {"n_batch": 200}, {"n_sd_in": 2.5}, {"decision": 200})
    rows = [made_up("RNN", (2, 24), **other) for other in others]
    rows += [made_up("LSTM", (2, 24), n_neu=8), made_up("Corr0.2", (24,), n_neu=128)]
    rows += [made_up("Corr0.2", (2, 24)).assign(decoder="ridge"), made_up("RNN", (24,), "step")]
    own = ("RNN", (2, 24)), ("Corr1", (24,))
    for name in ("Fig3a", "Fig3bc", "FigS3b"):
        (_, alone), (_, among) = drawn(name, *own), drawn(name, *own, *rows)
        for one, other in zip(alone, among, strict=True):
            assert list(curves(one)) == list(curves(other))
            for a, b in zip(one.lines, other.lines, strict=True):
                np.testing.assert_array_equal(a.get_ydata(), b.get_ydata())


def test_a_folder_of_shorter_trainings_is_drawn(drawn):
    short = made_up("RNN", (2, 24), n_batch=200)
    _, axes = drawn("Fig3bc", short, made_up("gpt-2", (2, 24), n_batch=50))
    assert {"RNN", "GPT-2"} <= set(curves(axes[0]))
    assert "RNN, OOD, Adam" in curves(drawn("Fig3a")[1][0])
    with pytest.raises(style.Missing, match="sweep"):
        drawn("Fig3a", short, made_up("RNN", (24,), n_batch=50))


def test_a_new_architecture_has_its_name_and_a_colour(drawn, monkeypatch):
    for known in (style.COLORS, paper.KINDS):
        monkeypatch.delitem(known, "LSTM")
    network = {"kind": "RNN", "n_tasks": (2, 24), "network": "LSTM"}
    _, axes = drawn("Fig3bc", ("RNN", (2, 24)), made_up(**network))
    assert curves(axes[0])["LSTM"].get_color() not in style.COLORS.values()


def test_fig5a_marks_failures_at_the_edge_and_knows_the_sample_in_the_decision_step(drawn):
    some = made_up("Bound", (24,), "stimulus", (500, 2000, 5000))
    fails = (some["stimulus"] == 5000) & (some["run"] == 1)
    rows, (ax,) = drawn("Fig5a", some.assign(r2=np.where(fails, -1, some["r2"])))
    lines = curves(ax)
    assert ax.get_ylim() == (0.5, 1)
    assert lines[QUADRANT].get_xdata().tolist() == [5, 20, 50]
    np.testing.assert_allclose(lines[QUADRANT].get_ydata(), medians(rows, "stimulus"))
    marks = [line for line in ax.lines if line.get_marker() == "v"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in marks] == [(50, 0.5)] * 3
    best = [theory.r2_optimum(t) for t in (6, 21, 51)]
    np.testing.assert_allclose(lines[style.NAMES["theory"]].get_ydata(), best)


def test_fig5b_draws_true_d_and_tasks_per_factor(drawn):
    high = [made_up(kind, (3, 6), measures=("quadrant", "ID")) for kind in ("nDim4", "nDim10")]
    rows, axes = drawn("Fig5b", ("RNN", (3, 6)), *high)
    rows = rows[rows["n_task"] == 3]
    over_d, over_tasks = (curves(axes[i])["$N_{task}=3$"] for i in (0, 2))
    assert over_d.get_xdata().tolist() == [2, 4, 10]
    np.testing.assert_allclose(over_d.get_ydata(), medians(rows, "n_dim"))
    assert over_tasks.get_xdata().tolist() == pytest.approx([0.3, 0.75, 1.5])
    np.testing.assert_allclose(over_tasks.get_ydata(), medians(rows, "n_dim")[::-1])


def test_fig5c_is_over_the_optimum_at_its_noise(drawn):
    rows = pd.concat([made_up(f"Noise{n}", (6,), measures=("quadrant",)) for n in (1, 6)])
    best = rows["settings"].map(lambda words: theory.r2_optimum(20, float(words[-3:]) / 10))
    _, axes = drawn("Fig5c", rows.assign(r2=0.8 * best))
    line = curves(axes[1])["RNN, $N_{task}=6$"]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.6])
    np.testing.assert_allclose(line.get_ydata(), 0.8, rtol=1e-6)


@pytest.mark.parametrize("authors", (False, True))
def test_fig_s3b_names_middles_below_its_axis(drawn, tmp_path, authors):
    if authors:  # quartiles alone
        perc = np.array([[-0.9, 0.8], [-0.5, 0.9], [0.1, 0.95]])
        util.save_npz(tmp_path / "FigS3b/correlated.npz", perc=perc, corr=np.array([1.0, 0.0]))
        _, (ax,) = drawn("FigS3b")
    else:
        low = made_up("Corr1", (24,), measures=("quadrant",)).assign(r2=-0.5)
        inside = made_up("Corr1", (24,), measures=("ID",))
        _, (ax,) = drawn("FigS3b", ("Corr0.8", (24,)), inside, low)
    (named,) = ax.texts
    assert named.get_text() == "-0.50" and named.xy == (1, ax.get_ylim()[0])


def test_strips_tell_a_mean_below_their_axis(drawn):
    low = made_up("Context", (1,), measures=("quadrant",)).assign(r2=-2)
    _, (ax,) = drawn("FigContext", FIG3A, low, made_up("Context", (1,), measures=("ID",)))
    assert [text.get_text() for text in ax.texts] == ["median -2"]


def test_a_figure_of_our_own_data_says_what_to_see(drawn, figure, monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(style, "write", lambda *_, **__: said.append(_[3:]))
    save(tmp_path, FIG3A)
    assert figure("Fig3a", tmp_path)[0] == 0
    monkeypatch.setattr(style, "ROOT", tmp_path.parent)
    (tmp_path.parent / "Data").mkdir()
    save(tmp_path.parent / "Data", FIG3A)
    assert figure("Fig3a")[0] == 0
    assert said[0] == ("", style.MEDIANS) and said[1][0].endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_of_a_figure_is_a_sentence(name):
    first, second = (FIGURES / f"{name}.py").read_text().splitlines()[:2]
    assert first.startswith('"""') and first.endswith(".") and not second


def test_ceilings_of_other_noise_are_those_of_least_squares():
    assert theory.r2_mean(20) == pytest.approx(0.976)
    assert theory.r2_anisotropic(20) == pytest.approx(0.94)
    lag = np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    variance = 0.2**2 / np.linalg.solve(0.7**lag, np.ones(20)).sum()
    assert theory.r2_autocorrelated(20) == pytest.approx(1 - 12 * variance)
    assert theory.r2_autocorrelated(20, a=0) == pytest.approx(0.976)
