"""The report: rules on made-up data where the verdict is known, and the command."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import one_line

import claims
import paper
import report
import settings
import table
import theory
import util

RUNS = np.arange(claims.N_NET)
IDEAL = {2: 0.80, 3: 0.87, 6: 0.93, 12: 0.955, 24: 0.965}  # OOD r2 by N_task
FITS = np.linspace(-0.02, 0.02, 6).reshape(2, 3)  # deviation of single splits and fits
SPREAD = 0.001 * (RUNS - RUNS.mean())[:, None, None] + FITS  # (run, split, fit)
OF = {name: {"network": name} for name in ("LSTM", "gpt-2")} | {"NoLeak": {"leaky": False}}
FREE, HIGH_DIM = {"task": claims.FREE}, {"task": claims.HIGH_DIM}
MULTIPLY = {"task": "MultiplyClassificationFull"}


def named(n_task, network, **more):
    """Columns of rows of networks with these settings, but for `run`."""
    columns = table.network_columns(settings.complete({"n_task": n_task, **network}))
    del columns["run"]
    return {"decoder": "adam", "series": "", "step": 22, "stimulus": 2000, **columns, **more}


def decoded(ood, inside=None, held=None, sigma=0.2, t=20, at=(), **network):
    """Rows of generalize.py for OOD r2 by N_task; `held`: another where really held out."""
    frames = []
    for n, low in ood.items():
        columns = named(n, network, t=t, sigma=sigma, **dict(at))
        high = inside[n] if inside else max(0.967, low)
        for measure, r2 in (("ID", high), ("as_released", low), ("quadrant", (held or ood)[n])):
            rows = table.tidy(r2 + SPREAD, "r2", run=RUNS, split=range(2), fit=range(3))
            rows["angle"] = 91 + 100 * np.tile(FITS.ravel(), len(RUNS))
            frames.append(rows.assign(measure=measure, factor="1-2", **columns))
        for name in ("ccgp", "parallelism", "ccgp_chance_95", "parallelism_chance_95"):
            values = np.full((5, 2, 2), 0.6 if "chance" in name else 0.95)
            rows = table.tidy(values, "value", run=RUNS, fit=range(2), factor=["1", "2"])
            frames.append(rows.assign(measure=name, **columns))
    return pd.concat(frames)


def free_rt(miss=0.0):
    """Figure 5a; `miss`: how far it is off beyond 20 steps."""
    frames = []
    for ms in paper.DURATIONS:
        t, at = ms // 100 + 1, {"series": "stimulus", "stimulus": ms}
        r2 = {24: 1 - 0.48 / t - miss * (t > 21)}
        frames.append(decoded(r2, r2, t=t, at=at, **FREE))
    return pd.concat(frames)


def sparsity(n_task, alive=80.0, **network):
    """Sparseness of five networks with 40 % dead units; `alive` %, that of the others."""
    values = {"dead": np.full(5, 40.0), "sparsity": 40 + 60 * (alive + RUNS) / 100}
    frames = [table.tidy(v, "value", run=RUNS).assign(measure=m) for m, v in values.items()]
    return pd.concat(frames).assign(**named(n_task, network, decoder=""))


def put(folder, *frames, machine="a machine"):
    """Into the table, with provenance."""
    rows = pd.concat(frames)
    script = np.where(rows["measure"].isin(table.SPARSITY), "sparsity", "generalize")
    keys = rows.assign(script=script)[table.ENTRY].drop_duplicates().agg("|".join, axis=1)
    how = {"config": {"seed": 0}, "machine": machine}
    abouts = {
        k: {"networks": {f"{k.split('|')[0]}_run{r}": "0" for r in RUNS}, **how} for k in keys
    }
    table.put(folder / "results.csv", rows, abouts)


def sheet(folder, fixed=True, everywhere=True, dimension=2.1):
    """Points all over the square; at the bottom fixed and there still, or not."""
    rng = np.random.default_rng(0)
    decoded, again = (rng.uniform(-0.5, 0.5, (5, 2, *s, 2)) for s in ((128,), (4, 64)))
    if not everywhere:
        decoded, again = decoded / 4, again / 4
    if not fixed:
        decoded[:, 1], again[:, 1] = 0.1, 0.1
    util.save_npz(
        folder / "Analysis/RNN_nTask24/sheet.npz",
        kept=np.ones((5, 2, 128), bool),
        kind=np.full((5, 2, 128), int(not fixed)),
        dimension=np.full((5, 2, 128), dimension),
        cells=np.zeros((5, 2, 8, 8), int),
        decoded=decoded,
        jitters_decoded=again,
        jitters_kept=np.ones((5, 2, 4, 64), bool),
    )


def portrait(folder, third=0.4, share=0.3):
    """Eigenvalues and principal components."""
    sizes = np.broadcast_to([0.99, 0.98, third, 0.1], (5, 2, 128, 4)).astype(complex)
    sizes = np.where(np.arange(5)[:, None, None, None] == 0, sizes * 0.99, sizes)
    analysis, kept = folder / "Analysis/RNN_nTask24", np.ones((5, 2, 128), bool)
    util.save_npz(analysis / "spectrum.npz", eigenvalues=sizes, kept=kept, n_lead=2)
    names = np.array(["noiseless, last stimulus step", "noiseless, all steps", "noisy", "all"])
    util.save_npz(analysis / "pca.npz", share=np.full((5, 4, 5), share), conditions=names)


@pytest.fixture(scope="session")
def ideal(tmp_path_factory):
    """A folder of results in which every claim is reproduced."""
    folder, frames = tmp_path_factory.mktemp("ideal"), [free_rt()]
    for network in ({}, *OF.values(), {"activ_enc": "Quad"}, FREE):
        gain = 0.1 if network == OF["gpt-2"] else 0
        frames.append(decoded({n: min(0.966, r2 + gain) for n, r2 in IDEAL.items()}, **network))
    for sigma, share in ((0.1, 0.7), (0.3, 0.98), (0.4, 0.98)):
        top = dict.fromkeys((3, 6, 24), theory.r2_optimum(20, sigma))
        ood = {n: share * r2 for n, r2 in top.items()}
        frames.append(decoded(ood, top, sigma=sigma, n_sd_in=10 * sigma))
    for corr, r2 in ((0.4, 0.95), (0.8, 0.95), (1.0, 0.5)):
        frames.append(decoded({24: r2}, corr=corr))
    frames.append(decoded({24: 0.82}, **MULTIPLY))
    frames.append(decoded({1: 0.3}, task="ContextDependent"))
    for other in ({"dist": "gumbel"}, {"task": settings.ANISOT}, {"task": settings.AUTOCORR}):
        frames.append(decoded({24: 0.95}, sigma=np.nan, **other))
    frames.append(decoded({24: 0.95}, sigma=np.nan, noise_enc=True))
    for d in paper.DIMS:
        ood = {n: 0.9 + 0.001 * n if n >= d else 0.3 + 0.01 * n for n in paper.N_TASKS_DIM}
        frames += [decoded(ood, **HIGH_DIM, n_dim=d, network=name) for name in ("RNN", "gpt-2")]
        frames.append(sparsity(12, **HIGH_DIM, n_dim=d))
    frames += [sparsity(12), sparsity(24), sparsity(24, leaky=False)]
    put(folder, *frames)
    sheet(folder), portrait(folder)
    return folder


@pytest.fixture(scope="session")
def results(ideal):
    return claims.Data(ideal)


@pytest.fixture
def data(ideal, tmp_path):
    return Path(shutil.copytree(ideal, tmp_path / "Data"))


def log(folder, name, networks=("a",), batch=10):
    """The log of a training of 10 batches."""
    head = {"networks": networks, "config": {"seed": 3, "n_batch": 10}, "machine": "a machine"}
    lines = json.dumps(head), json.dumps({"batch": batch, "seconds": 7200.0})
    (folder / f"Networks/{name}").mkdir(parents=True)
    (folder / f"Networks/{name}/ensemble_0a.jsonl").write_text("\n".join(lines) + "\n")


def test_every_claim_is_reproduced_by_data_made_for_it(results):
    found = {claim.rule.__name__: verdict for claim, _, verdict in report.judged(results)}
    assert len(found) == len(claims.CLAIMS) == 24
    assert set(found.values()) == {"reproduced"}, found


LOW, MIDDLE, SAME = dict.fromkeys(IDEAL, 0.6), {**IDEAL, 24: 0.9}, dict.fromkeys(IDEAL, 0.967)
NO, PARTLY, YES, RELEASED = "not reproduced", "partly", "reproduced", claims.ONLY_RELEASED
FLAT = dict.fromkeys(paper.N_TASKS_DIM, 0.9)
THREE = ({}, OF["LSTM"], OF["NoLeak"])
QUIET = {"sigma": 0.1, "n_sd_in": 1.0}
CHANGES = [  # rows in place of the ideal ones, or a change of the analyses; verdicts
    (
        lambda: [decoded(IDEAL, held=MIDDLE)],
        {"ood_is_high": RELEASED, "gap_closes": PARTLY, "gap_at_few": YES},
    ),
    (lambda: [decoded({**IDEAL, 2: 0.96, 3: 0.96}, held=IDEAL)], {"gap_at_few": PARTLY}),
    (lambda: [decoded(MIDDLE)], {"ood_is_high": NO, "gap_closes": PARTLY, "ood_rises": YES}),
    (lambda: [decoded(LOW)], {"ood_rises": NO, "gap_closes": NO}),
    (lambda: [decoded(IDEAL, held=LOW)], {"ood_rises": RELEASED}),
    (lambda: [decoded(SAME)], {"gap_at_few": NO, "gpt_is_better": NO}),
    (lambda: [decoded({24: 0.99}, corr=0.4)], {"nothing_beats_the_optimum": NO}),
    (lambda: [decoded(MIDDLE), decoded(MIDDLE, **OF["LSTM"])], {"every_architecture": PARTLY}),
    (lambda: [decoded(MIDDLE, **each) for each in THREE], {"every_architecture": NO}),
    (lambda: [decoded(FLAT, **HIGH_DIM, n_dim=4)], {"n_task_needs_dimensions": PARTLY}),
    (lambda: [decoded({n: 0.99 for n in (3, 6, 24)}, **QUIET)], {"noise_helps": NO}),
    (lambda: [decoded({3: 0.5, 6: 0.99, 24: 0.99}, **QUIET)], {"noise_helps": PARTLY}),
    (lambda: [free_rt(miss=0.2)], {"durations": PARTLY}),
    (lambda: [decoded({24: 0.95}, corr=1.0)], {"correlated": PARTLY}),
    (lambda: [decoded({24: 0.6}, corr=0.4)], {"correlated": NO}),
    (lambda: [sparsity(24, 30)], {"sparse_by_architecture": PARTLY, "sparse_by_dimension": YES}),
    (lambda: [sparsity(24, 5, leaky=x) for x in (True, False)], {"sparse_by_architecture": NO}),
    (lambda folder: sheet(folder, fixed=False), {"attractor": PARTLY}),
    (lambda folder: sheet(folder, everywhere=False), {"attractor": PARTLY}),
    (lambda folder: sheet(folder, dimension=1.0), {"attractor": NO}),
    (lambda folder: portrait(folder, 0.95, 0.2), {"eigenvalues": NO, "three_components": NO}),
    (lambda: [decoded({24: 0.77}, **MULTIPLY)], {"nonlinear": PARTLY}),
    (lambda: [decoded({1: 0.9}, task="ContextDependent")], {"context_collapses": NO}),
    (
        lambda: [decoded({24: 0.7}, sigma=np.nan, task=settings.ANISOT)],
        {"other_noise": PARTLY, "noise_after_encoder": YES},
    ),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=[" ".join(e) for _, e in CHANGES])
def test_rules(change, expected, results, tmp_path):
    results = copy.copy(results)
    if change.__code__.co_argcount:
        change(tmp_path)
        results.folder = tmp_path
    else:
        rows = pd.concat(change())
        results.groups = {**results.groups, **dict(iter(rows.groupby(claims.KEYS)))}
        results.rows = pd.concat(results.groups.values())
    rules = {claim.rule.__name__: claim for claim in claims.CLAIMS}
    assert {rule: rules[rule].verdict(results)[1] for rule in expected} == expected


def test_a_network_counts_once_whatever_its_fits_do(results):
    found = results.r2(24, "quadrant")
    assert found.shape == (5,)
    results, key = copy.copy(results), ("RNN", "", 24, "quadrant", "adam", "")
    rows = results.groups[key].copy()
    rows.loc[(rows["run"] == 4) & (rows["split"] == 0) & (rows["fit"] < 2), "r2"] = -100
    results.groups = {**results.groups, key: rows}
    assert np.allclose(results.r2(24, "quadrant"), found)


def test_smallest_p_of_five_against_five_networks():
    assert claims.greater(RUNS + 10.0, RUNS) == ("p = 0.004", claims.HOLDS)
    assert claims.greater(RUNS, RUNS + 10.0) == ("p = 1.000", claims.FAILS)


def test_optimum():
    for t, value in ((20, 0.978), (10, 0.9574), (5, 0.9197), (1, 0.693)):
        assert abs(theory.r2_optimum(t, 0.2) - value) < 5e-4


def test_every_claim_names_a_figure_and_says_its_rule():
    for claim in claims.CLAIMS:
        assert claim.figure in paper.FIGURES
        words, rule = claim.words()
        assert words.endswith((".", ")")) and rule.endswith(".")


def test_what_is_missing_is_not_run_yet(data, tmp_path, script):
    rows = table.read(data / "results.csv")
    gone = rows.query("(n_dim == 6 and network == 'gpt-2') or corr == 1")
    two = rows.query("noise_enc and run > 2")
    (data / "results.csv").unlink()
    put(data, rows.drop(gone.index).drop(two.index))
    out = tmp_path / "REPORT.md"
    assert script("report", "--data", data, "--out", out)[0] == 0
    text = out.read_text()
    assert "Of 22 claims of the paper 19 are reproduced" in text and "3 not run yet" in text
    assert "n_dim6, quadrant: 0 of 5 networks; `python sweep.py 5b` makes what is needed" in text
    assert "0 of 5 networks; `python sweep.py S3b`" in text
    assert "3 of 5 networks; `python sweep.py Noise`" in text


def test_nothing_there_is_a_report_too(tmp_path, script):
    (tmp_path / "Data").mkdir()
    out = tmp_path / "REPORT.md"
    assert script("report", "--data", tmp_path / "Data", "--out", out)[0] == 0
    assert "22 not run yet" in out.read_text() and "No logs of finished" in out.read_text()


def test_report_and_check(data, tmp_path, script):
    options = ("--data", data, "--out", tmp_path / "REPORT.md")
    code, _, err = script("report", *options, "--check")
    assert code == 2 and one_line(err)
    (tmp_path / "Figures").mkdir()
    (tmp_path / "Figures/Fig3a.png").touch()
    log(tmp_path, "RNN"), log(tmp_path, "LSTM", batch=9)  # one is under way
    assert script("report", *options)[0] == 0
    text = options[3].read_text()
    assert "Of 22 claims of the paper 22 are reproduced; 0 partly" in text
    assert "[3a](Figures/Fig3a.png)" in text and "![Figure 3a](Figures/Fig3a.png)" in text
    assert "[S1]" not in text
    trained = "Logs of finished trainings: 1. Networks: 1, their seed 3, 2.0 hours in all, "
    assert f"{trained}several side by side, on a machine." in text
    row = next(line for line in text.splitlines() if line.startswith("| 3a "))
    assert [cell.strip() for cell in row.split("|")[3:7]] == ["5 of 10", "25", "0", "a machine"]
    assert "nan" not in text and "-0.000" not in text
    assert script("report", *options, "--check")[0] == 0
    put(data, decoded(MIDDLE))
    code, _, err = script("report", *options, "--check")
    assert code == 2 and one_line(err)
    assert options[3].read_text() == text  # left as it was


PARTS, RIDGE = ("verdicts", "claims", "results", "bench"), {"decoder": "ridge"}


def test_parts_of_a_readme(data, tmp_path, script):
    readme = tmp_path / "README.md"
    marks = [f"<!-- {n}: written by report.py -->\n<!-- end of {n} -->" for n in PARTS]
    readme.write_text("\n\n".join(["before", *marks, "after"]))
    (data / "bench.md").write_text("fast\n")
    log(tmp_path, "LSTM", [f"LSTM_nTask{n}_run{run}" for n in (2, 3) for run in RUNS])
    options = ("--data", data, "--out", tmp_path / "REPORT.md", "--readme", readme)

    def tasks():
        assert script("report", *options)[0] == 0
        lines = readme.read_text().split("Figures 3b")[0].splitlines()
        cells = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
        return cells[cells.index("N_task") + 2 :] if "N_task" in cells else []

    assert tasks() == []  # no ridge decoders
    put(data, decoded(IDEAL, at=RIDGE))
    assert tasks() == ["2", "3", "6", "12", "24"]
    text = readme.read_text()
    trained = (
        "10 networks (N_task 2, 3), seed 3, 10 batches, trained as one ensemble in 120 minutes"
    )
    assert f"LSTM: {trained} on a machine; the log of 15 more was not kept." in text
    assert "0.965 [0.9" in text and "91 [90, 92]" in text
    assert "fast" in text and "Still to be run at full scale: figures 2," in " ".join(text.split())
    more = {n: 0.97 for n in paper.N_TASKS_MORE}
    put(data, decoded(more))
    assert len(tasks()) == 5  # half made
    put(data, decoded(more, at=RIDGE))
    assert tasks()[5:] == ["48", "96", "192"] and script("report", *options, "--check")[0] == 0
    text = readme.read_text()
    assert text.startswith("before") and text.endswith("after")
    readme.write_text(text.replace("end of bench", ""))
    code, _, err = script("report", *options)
    assert code == 2 and one_line(err) and "marks around the bench" in err


def test_what_is_broken_is_one_line(data, tmp_path, script):
    options = ("--data", data, "--out", tmp_path / "REPORT.md")

    def fails_with(words):
        code, _, err = script("report", *options)
        assert code == 2 and one_line(err) and words in err, err

    file, sheets = data / "results.csv", data / "Analysis/RNN_nTask24/sheet.npz"
    whole, arrays = file.read_bytes(), sheets.read_bytes()
    file.write_bytes(whole[:-500])
    fails_with("results.csv")
    file.write_bytes(b"a,b\n1,2\n")
    fails_with("not a table that can be read")
    file.write_bytes(whole)
    sheets.write_bytes(arrays[:500])
    fails_with("sheet.npz")
    sheets.write_bytes(arrays)
    rows = decoded(IDEAL)
    put(data, rows[(rows["run"] > 0) | (rows["measure"] != "ID")], decoded(IDEAL).assign(run=5))
    fails_with("not of the same networks")
    file.write_bytes(whole), file.with_suffix(".json").unlink()
    log(tmp_path, "RNN")
    (tmp_path / "Networks/RNN/ensemble_0a.jsonl").write_text("{}\n")
    fails_with("ensemble_0a.jsonl")
    code, _, err = script("report", "--data", tmp_path / "no")
    assert code == 2 and one_line(err)
    assert not options[3].exists()


def test_committed_files_are_those_that_the_data_give(script):
    code, _, err = script("report", "--check")
    assert code == 0, err
