"""The report: rules on made-up data where the verdict is known, and the command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, one_line

import paper
import report
import util

RUNS = np.arange(report.N_NET)
IDEAL = {2: 0.80, 3: 0.87, 6: 0.93, 12: 0.955, 24: 0.965}  # OOD r2 by N_task


FITS = np.linspace(-0.02, 0.02, 20).reshape(4, 5)  # deviation of single splits and fits


def spread(centres):
    """Values (n_tasks, run, split, fit); the networks' medians are near `centres`."""
    nets = np.array(centres, float)[:, None] + 0.001 * (RUNS - RUNS.mean())
    return nets[..., None, None] + FITS


def decoded(folder, stem, ood, inside=None, held=None, sigma=0.2, ends=("", "_quadrant")):
    """Files of generalize.py for OOD r2 by N_task; `held`: another where really held out."""
    inside = inside or {n: max(0.967, value) for n, value in ood.items()}
    n_tasks = np.array(list(ood))
    shared = {"n_tasks": n_tasks, "t": 20, "sigma": sigma, "machine": "a machine"}
    shared["config"] = json.dumps({"seed": 0, "networks": [f"{stem}{n}" for n in ood]})
    ccgp, chance = np.full((len(n_tasks), 5, 5, 2), 0.95), np.full((len(n_tasks), 5, 2, 3), 0.6)
    for measure in ("ccgp", "parallelism"):
        shared |= {measure: ccgp, f"{measure}_chance": chance}
    by_end = {"": ood, "_quadrant": held or ood, "_ID": inside}
    for end in (*ends, "_ID"):
        r_sq = spread(list(by_end[end].values()))
        util.save_npz(folder / f"{stem}{end}.npz", r_sq=r_sq, **shared)
    angles = np.full((*r_sq.shape, 2, 2), np.nan)
    angles[..., 0, 1] = 91 + 100 * FITS
    decoders = stem.replace("r_sq", "decoders")
    util.save_npz(folder / f"{decoders}.npz", angles=angles, n_tasks=n_tasks)


def free_rt(folder, miss=0.0):
    """Figure 5a; `miss`: how far it is off beyond 20 steps."""
    timing = np.array(paper.DURATIONS)
    steps = timing / 100
    r_sq = spread(1 - 0.48 / (steps + 1) - miss * (steps > 20))
    for end in ("", "_quadrant", "_ID"):
        file = folder / f"Fig5a/r_sq_Bound{end}.npz"
        util.save_npz(file, r_sq=r_sq, timing=timing, t=steps + 1, sigma=0.2)


RELU = ("RNN", "NoLeak")


def sparsity(folder, stem, n_tasks, alive=80.0):
    """Sparseness of five networks with 40 % dead units; `alive` %, that of the others."""
    dead = np.full((len(n_tasks), 5), 40.0)
    values = dead + (100 - dead) * (alive + np.arange(5)) / 100
    arrays = {"sparsity": values, "dead": dead, "n_tasks": np.array(n_tasks)}
    util.save_npz(folder / f"{stem}.npz", **arrays)


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
    kept = np.ones((5, 2, 128), bool)
    util.save_npz(
        folder / "Analysis/RNN_nTask24/spectrum.npz", eigenvalues=sizes, kept=kept, n_lead=2
    )
    shares = np.full((5, 4, 5), share)
    names = np.array(["noiseless, last stimulus step", "noiseless, all steps", "noisy", "all"])
    util.save_npz(folder / "Analysis/RNN_nTask24/pca.npz", share=shares, conditions=names)


def ideal(folder):
    """A folder of results in which every claim is reproduced."""
    few = {n: IDEAL[n] for n in (3, 6, 24)}
    decoded(folder, report.RNN, IDEAL)
    for stem in (*list(report.ARCHITECTURES.values())[1:], report.QUAD, "FigS5c/r_sq_Bound"):
        gain = 0.1 if stem == report.GPT else 0
        decoded(folder, stem, {n: min(0.966, value + gain) for n, value in IDEAL.items()})
    for noise, sigma in ((1, 0.1), (3, 0.3), (4, 0.4)):
        loss = 0.3 if noise == 1 else 0.02
        ceiling = report.optimum(20, sigma)
        inside = {n: ceiling for n in few}
        ood = {n: ceiling * (1 - loss) for n in few}
        decoded(folder, f"Fig5c/r_sq_Noise{noise}", ood, inside, sigma=sigma)
    for corr in (0.4, 0.8):
        decoded(folder, f"FigS3b/r_sq_Corr{corr}", {24: 0.95})
    decoded(folder, "FigS3b/r_sq_Corr1", {24: 0.5})
    decoded(folder, "FigS4/r_sq_Multiply", {24: 0.82})
    decoded(folder, "Context/r_sq_Context", {1: 0.3})
    for kind in ("Gumbel", "Anisot", "Autocorr", "NoiseEnc"):
        decoded(folder, f"Noise/r_sq_{kind}", {24: 0.95}, sigma=np.nan)
    free_rt(folder)
    for d in paper.DIMS:
        for name, end in (("RNN", "RNN"), ("GPT", "gpt-2")):
            ood = {n: 0.9 + 0.001 * n if n >= d else 0.3 + 0.01 * n for n in paper.N_TASKS_DIM}
            decoded(folder, f"Fig5b,S12 {name}/r_sq_nDim{d}_{end}", ood, ends=("",))
    for name in ("RNN", "NoLeak"):
        sparsity(folder, f"FigS6/arc/sparsity_{name}", paper.N_TASKS)
    for d in (2, *paper.DIMS):
        sparsity(folder, f"FigS6/HighDim/sparsity_nDim{d}_RNN", paper.N_TASKS_DIM)
    sheet(folder)
    portrait(folder)
    return folder


@pytest.fixture(scope="session")
def ideal_data(tmp_path_factory):
    return ideal(tmp_path_factory.mktemp("ideal"))


@pytest.fixture
def data(ideal_data, tmp_path):
    return Path(shutil.copytree(ideal_data, tmp_path / "Data"))


def log(folder, name, batch=10):
    """The log of a training of 10 batches."""
    head = {"networks": ["a"], "config": {"seed": 3, "n_batch": 10}, "machine": "a machine"}
    lines = json.dumps(head), json.dumps({"batch": batch, "seconds": 7200.0})
    (folder / f"Networks/{name}").mkdir(parents=True)
    (folder / f"Networks/{name}/ensemble_0a.jsonl").write_text("\n".join(lines) + "\n")


def verdicts(folder):
    """Verdict of each rule, by its name."""
    rows = report.judged(report.Data(folder))
    return {rule.__name__: row[-1] for (_, rule), row in zip(report.CLAIMS, rows, strict=True)}


def test_every_claim_is_reproduced_by_data_made_for_it(data):
    found = verdicts(data)
    assert len(found) == len(report.CLAIMS) == 24
    assert set(found.values()) == {"reproduced"}, found


LOW = {n: 0.6 for n in IDEAL}
MIDDLE = {**IDEAL, 24: 0.9}
CHANGES = {  # what is changed in the data, rule, verdict
    "one test only": (
        lambda d: decoded(d, report.RNN, IDEAL, held=MIDDLE),
        {"ood_is_high": report.ONLY_RELEASED, "gap_closes": "partly", "gap_at_few": "reproduced"},
    ),
    "released test close at few": (
        lambda d: decoded(d, report.RNN, {**IDEAL, 2: 0.96, 3: 0.96}, held=IDEAL),
        {"gap_at_few": "partly"},
    ),
    "low at 24 under both": (
        lambda d: decoded(d, report.RNN, MIDDLE),
        {"ood_is_high": "not reproduced", "gap_closes": "partly", "ood_rises": "reproduced"},
    ),
    "no trend": (
        lambda d: decoded(d, report.RNN, LOW),
        {"ood_rises": "not reproduced", "gap_closes": "not reproduced"},
    ),
    "trend under one test": (
        lambda d: decoded(d, report.RNN, IDEAL, held=LOW),
        {"ood_rises": report.ONLY_RELEASED},
    ),
    "gap never there": (
        lambda d: decoded(d, report.RNN, {n: 0.967 for n in IDEAL}),
        {"gap_at_few": "not reproduced", "gpt_is_better": "not reproduced"},
    ),
    "better than the optimum": (
        lambda d: decoded(d, "FigS3b/r_sq_Corr0.4", {24: 0.99}),
        {"nothing_beats_the_optimum": "not reproduced"},
    ),
    "two of four architectures": (
        lambda d: [decoded(d, report.ARCHITECTURES[n], MIDDLE) for n in ("RNN", "LSTM")],
        {"every_architecture": "partly"},
    ),
    "one of four architectures": (
        lambda d: [decoded(d, f, MIDDLE) for f in list(report.ARCHITECTURES.values())[:3]],
        {"every_architecture": "not reproduced"},
    ),
    "one D without an effect": (
        lambda d: decoded(
            d,
            "Fig5b,S12 RNN/r_sq_nDim4_RNN",
            {n: 0.9 for n in paper.N_TASKS_DIM},
            ends=("",),
        ),
        {"n_task_needs_dimensions": "partly"},
    ),
    "noise does not help": (
        lambda d: decoded(d, "Fig5c/r_sq_Noise1", {n: 0.99 for n in (3, 6, 24)}, sigma=0.1),
        {"noise_helps": "not reproduced"},
    ),
    "noise helps at N_task 3": (
        lambda d: decoded(d, "Fig5c/r_sq_Noise1", {3: 0.5, 6: 0.99, 24: 0.99}, sigma=0.1),
        {"noise_helps": "partly"},
    ),
    "trained durations only": (lambda d: free_rt(d, 0.2), {"durations": "partly"}),
    "no failure at correlation 1": (
        lambda d: decoded(d, "FigS3b/r_sq_Corr1", {24: 0.95}),
        {"correlated": "partly"},
    ),
    "fails at correlation 0.4": (
        lambda d: decoded(d, "FigS3b/r_sq_Corr0.4", {24: 0.6}),
        {"correlated": "not reproduced"},
    ),
    "sparse by dead units alone": (
        lambda d: sparsity(d, "FigS6/arc/sparsity_RNN", paper.N_TASKS, 30),
        {"sparse_by_architecture": "partly", "sparse_by_dimension": "reproduced"},
    ),
    "not sparse": (
        lambda d: [sparsity(d, f"FigS6/arc/sparsity_{n}", paper.N_TASKS, 5) for n in RELU],
        {"sparse_by_architecture": "not reproduced"},
    ),
    "slow points": (lambda d: sheet(d, fixed=False), {"attractor": "partly"}),
    "points in the middle": (
        lambda d: sheet(d, everywhere=False),
        {"attractor": "partly"},
    ),
    "points on a line": (lambda d: sheet(d, dimension=1.0), {"attractor": "not reproduced"}),
    "three near the circle": (
        lambda d: portrait(d, third=0.95, share=0.2),
        {"eigenvalues": "not reproduced", "three_components": "not reproduced"},
    ),
    "signs alone": (
        lambda d: decoded(d, "FigS4/r_sq_Multiply", {24: 0.77}),
        {"nonlinear": "partly"},
    ),
    "no collapse": (
        lambda d: decoded(d, "Context/r_sq_Context", {1: 0.9}),
        {"context_collapses": "not reproduced"},
    ),
    "one noise fails": (
        lambda d: decoded(d, "Noise/r_sq_Anisot", {24: 0.7}, sigma=np.nan),
        {"other_noise": "partly", "noise_after_encoder": "reproduced"},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_rules(name, data):
    change, expected = CHANGES[name]
    change(data)
    found = verdicts(data)
    assert {rule: found[rule] for rule in expected} == expected


def test_a_network_counts_once_whatever_its_fits_do(data):
    found = report.Data(data).r_sq(report.RNN, 24, "quadrant")
    assert found.shape == (5,)
    file = data / f"{report.RNN}_quadrant.npz"
    arrays = {k: v for k, v in util.load_npz(file).items() if k != "sha256"}
    arrays["r_sq"][-1, 0, 0] = -100  # 5 of the 20 decoders of one network
    util.save_npz(file, **arrays)
    assert np.allclose(report.Data(data).r_sq(report.RNN, 24, "quadrant"), found)


def test_smallest_p_of_five_against_five_networks():
    assert report.p_text(report.greater(RUNS + 10.0, RUNS)) == "p = 0.004"
    assert report.greater(RUNS, RUNS + 10.0) > 0.99


def test_optimum_is_that_of_the_specification():
    for t, value in ((20, 0.978), (10, 0.9574), (5, 0.9197), (1, 0.693)):
        assert abs(report.optimum(t, 0.2) - value) < 5e-4


def test_every_claim_names_a_figure_and_says_its_rule():
    for figure, rule in report.CLAIMS:
        assert figure in paper.FIGURES
        claim, text = rule.__doc__.strip().split("\n\n")
        assert claim.endswith((".", ")")) and "\n" not in claim and text.strip().endswith(".")


def test_what_is_missing_is_not_run_yet(data, tmp_path, script):
    (data / "Fig5b,S12 GPT/r_sq_nDim6_gpt-2.npz").unlink()
    (data / "FigS3b/r_sq_Corr1_quadrant.npz").unlink()
    arrays = util.load_npz(data / "Noise/r_sq_NoiseEnc.npz")
    arrays = {k: v for k, v in arrays.items() if k != "sha256"}
    arrays["r_sq"][:, 3:] = np.nan  # two networks are missing
    util.save_npz(data / "Noise/r_sq_NoiseEnc.npz", **arrays)
    found = verdicts(data)
    missing = {"n_task_needs_dimensions", "correlated", "noise_after_encoder"}
    assert {rule for rule, verdict in found.items() if verdict == "not run yet"} == missing
    out = tmp_path / "REPORT.md"
    assert script("report", "--data", data, "--out", out)[0] == 0
    text = out.read_text()
    assert "Of 22 claims of the paper" in text and "3 not run yet" in text
    assert "Fig5b,S12 GPT/r_sq_nDim6_gpt-2.npz is not there; `python sweep.py 5b`" in text
    assert "3 of 5 networks" in text


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
    log(tmp_path, "RNN"), log(tmp_path, "LSTM", 9)  # one is under way
    assert script("report", *options)[0] == 0
    text = options[3].read_text()
    assert "Of 22 claims of the paper 22 are reproduced; 0 partly" in text
    assert "[3a](Figures/Fig3a.png)" in text and "![Figure 3a](Figures/Fig3a.png)" in text
    assert "[S1]" not in text
    trained = "Logs of finished trainings: 1. Networks: 1, their seed 3, 2.0 hours in all, "
    assert f"{trained}several side by side, on a machine." in text
    assert "nan" not in text and "-0.000" not in text
    assert script("report", *options, "--check")[0] == 0
    decoded(data, report.RNN, MIDDLE)
    code, _, err = script("report", *options, "--check")
    assert code == 2 and one_line(err)
    assert options[3].read_text() == text  # left as it was


def test_what_is_broken_is_one_line(data, tmp_path, script):
    options = ("--data", data, "--out", tmp_path / "REPORT.md")
    file = data / f"{report.RNN}.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[:500])
    code, _, err = script("report", *options)
    assert code == 2 and one_line(err) and file.name in err
    util.save_npz(file, r_sq=np.zeros((5, 5)), n_tasks=np.arange(5))
    code, _, err = script("report", *options)
    assert code == 2 and one_line(err) and "shape" in err
    file.write_bytes(whole)
    log(tmp_path, "RNN")
    (tmp_path / "Networks/RNN/ensemble_0a.jsonl").write_text("{}\n")
    code, _, err = script("report", *options)
    assert code == 2 and one_line(err) and "ensemble_0a.jsonl" in err
    code, _, err = script("report", "--data", tmp_path / "no")
    assert code == 2 and one_line(err)
    assert not options[3].exists()


def test_the_committed_report_is_the_one_the_data_give(script):
    code, _, err = script("report", "--data", ROOT / "Data", "--out", ROOT / "REPORT.md", "--check")
    assert code == 0, err
