"""`python abstraction.py FILE.npz`: recordings with a known answer, awkward ones, decodanda."""

import matplotlib
import numpy as np
import pytest
import torch
from conftest import ROOT, one_line

import abstraction
import table
import theory
import util


def recording(n_trial=1200, n_dim=2, sd=0.1, n_unit=12, seed=0):
    """A linear code of uniform x, with noise of this standard deviation along each axis."""
    rng = np.random.default_rng(seed)
    x, axes = (
        rng.uniform(-0.5, 0.5, (n_trial, n_dim)),
        np.linalg.qr(rng.normal(size=(n_unit,) * 2))[0],
    )
    return x @ axes[:n_dim] + sd * rng.normal(size=(n_trial, n_unit)), x


def run(script, path, *args, rates, x):
    """The table on stdout as {measure: (value, mean of chance, 5 %, 95 %)}, and all of stdout."""
    util.save_npz(path, rates=rates, x=x)
    code, text, err = script("abstraction", path, *args)
    assert code == 0, err
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")][2:]
    marks = str.maketrans("[,]", "   ")
    return {
        n.strip(): [float(w) for w in f"{v} {c}".translate(marks).split()] for n, v, c in lines
    }, text


@pytest.mark.parametrize("n_dim", [2, 4])
def test_a_linear_code_is_read_as_well_as_its_noise_allows(script, tmp_path, n_dim, sd=0.1):
    rates, x = recording(n_dim=n_dim, sd=sd)
    found, _ = run(script, tmp_path / "a.npz", "--centre", *[0] * n_dim, rates=rates, x=x)
    ideal = 1 / (1 + 12 * sd**2)
    assert found["r2, ID"][0] == pytest.approx(ideal, abs=0.015)
    points = theory.points(24)
    of_pair = theory.r2_linear(points, points, sd)
    held = (2 * of_pair + (n_dim - 2) * ideal) / n_dim  # the last two say which quadrant it is
    assert found["r2, held out, mean"][0] == pytest.approx(held, abs=0.02)
    assert found["angle between decoders, degrees"][0] == pytest.approx(90, abs=4)
    factors = (n_dim - 1, n_dim)
    bound = 1 - np.sqrt(2 / np.pi) * sd  # share of signs that noise leaves right
    for factor in factors:
        assert found[f"CCGP, factor {factor}"][0] == pytest.approx(bound, abs=0.02)
        assert found[f"parallelism, factor {factor}"][0] > 0.95


def test_a_shuffled_code_is_at_chance(script, tmp_path):
    rates, x = recording(400)
    found, _ = run(
        script, tmp_path / "a.npz", rates=np.random.default_rng(1).permutation(rates), x=x
    )
    for name in ("r2, ID", "r2, held out, mean", "CCGP, factor 1", "parallelism, factor 2"):
        value, _, low, high = found[name]
        assert low - 0.03 <= value <= high + 0.03, name
    guess = 1 - 12 * (1 / 48 + 1 / 9)  # the mean of three quadrants, in the fourth
    assert found["r2, held out, mean"][1] == pytest.approx(guess, abs=0.05)
    assert found["r2, ID"][1] == pytest.approx(0, abs=0.03)


def test_units_of_measurement_silent_units_and_the_number_of_trials_do_not_matter(script, tmp_path):
    rates, x = recording()
    before, _ = run(script, tmp_path / "a.npz", "--centre", 0, 0, rates=rates, x=x)
    keep = np.random.default_rng(2).random(len(x)) < np.where(x.sum(1) > 0, 1, 0.4)
    more = np.column_stack([np.full(len(x), 3), 40 * rates - 7, np.zeros(len(x))])
    after, text = run(
        script,
        tmp_path / "b.npz",
        "--centre",
        -60,
        12,
        rates=more[keep],
        x=(x * (90, 3) + (-60, 12))[keep],
    )
    assert "left out: 2 of 14 units" in text
    for name, (value, *_) in after.items():
        near = 12 if "angle" in name else 0.03
        assert value == pytest.approx(before[name][0], abs=near), name


def test_labels_of_two_values_and_few_trials(script, tmp_path):
    rng, n = np.random.default_rng(3), [3, 4, 30, 9]
    x = np.repeat([(0, 0), (0, 1), (1, 0), (1, 1)], n, 0)
    rates = x @ np.linalg.qr(rng.normal(size=(8, 8)))[0][:2] + 0.1 * rng.normal(size=(len(x), 8))
    found, text = run(script, tmp_path / "a.npz", rates=rates, x=x)
    assert "46 trials: 3 in (-,-), 4 in (-,+), 30 in (+,-), 9 in (+,+); 8 units; 3 folds" in text
    assert found["r2, ID"][0] > 0.9 and found["r2, held out, mean"][0] > 0.8
    assert found["CCGP, factor 1"][0] > 0.95
    code, _, err = script("abstraction", tmp_path / "a.npz", "--split_var", 1)
    assert code == 2 and one_line(err) and "label" in err


def test_adam_reads_it_as_well(script, tmp_path):
    rates, x = recording(400, n_unit=4)
    words = "--decoder", "adam", "--n_fold", 2
    found, _ = run(script, tmp_path / "a.npz", *words, rates=100 * rates, x=x)
    assert found["r2, ID"][0] > 0.85 and found["r2, held out, mean"][0] > 0.8
    assert found["r2, held out, mean"][3] < -0.3


def test_a_shipped_network_as_a_recording_has_its_own_numbers(script, tmp_path, monkeypatch):
    """The example of docs/own_data.md, as it stands there."""
    monkeypatch.chdir(ROOT)
    example = (ROOT / "docs/own_data.md").read_text().split("```python\n")[1].split("```")[0]
    assert "mine/recorded.npz" in example
    exec(example.replace("mine/recorded.npz", str(tmp_path / "recorded.npz")), {})
    out = tmp_path / "table.csv"
    words = "--centre", 0, 0, "--out", out
    assert script("abstraction", tmp_path / "recorded.npz", *words)[0] == 0
    new, old = table.read(out), table.read("Data/results.csv")
    old = old.query("condition == 'RNN_nTask24' and run == 0 and series == ''")
    assert set(new["condition"]) == {"recorded"} and set(new["decoder"]) == {"ridge"}
    for measure, near in (("ID", 0.01), ("quadrant", 0.02)):
        wanted = f"measure == '{measure}' and decoder == 'ridge'"
        r2 = [rows.query(wanted).r2.mean() for rows in (new, old)]
        assert r2[0] == pytest.approx(r2[1], abs=near)
    assert new.query("measure == 'quadrant_chance_95'").r2.max() < 0
    for measure in ("ccgp", "parallelism"):
        values = [rows.query(f"measure == '{measure}'")["value"].mean() for rows in (new, old)]
        assert values[0] == pytest.approx(values[1], abs=0.05)


def test_one_sign_of_a_factor_held_out(script, tmp_path):
    rates, x = recording(400, n_dim=3)
    words = "--split_var", 0, "--out", tmp_path / "t.csv"
    found, _ = run(script, tmp_path / "a.npz", *words, rates=rates, x=x)
    assert {"r2, (-,-) (-,+) held out", "CCGP, factor 1", "CCGP, factor 3"} <= set(found)
    rows = table.read(tmp_path / "t.csv")
    assert set(rows["series"]) == {"split_var0"} and "split_var" in set(rows["measure"])


def test_ccgp_equals_decodandas(n_trial=200):
    """An independent package: linear support vector machines, in place of Fisher's discriminant."""
    with matplotlib.rc_context():  # which it changes when imported
        decodanda = pytest.importorskip("decodanda", reason="decodanda is not installed")
    signs = np.repeat([(-1, -1), (-1, 1), (1, -1), (1, 1)], n_trial, 0)
    for mixing, sd in ((0.0, 1.0), (0.6, 0.8), (1.0, 0.8)):  # of factors with their product
        ours, theirs = [], []
        for seed in range(2):
            rng = np.random.default_rng(seed)
            axes = np.linalg.qr(rng.normal(size=(10, 3)))[0].T
            code = np.column_stack([signs, mixing * signs.prod(1)]) @ axes
            rates = code + sd * rng.normal(size=code.shape)
            states = torch.tensor(rates).float().view(1, 4, n_trial, 10)
            ours.append(abstraction.ccgp(states).mean())
            data = {"raster": rates, "trial": np.arange(len(rates)), "a": signs[:, 0]}
            np.random.seed(0)  # their only source of random numbers
            there = decodanda.Decodanda(data | {"b": signs[:, 1]}, {"a": [-1, 1], "b": [-1, 1]})
            theirs += [np.mean(there.CCGP_dichotomy(name, resamplings=10)) for name in "ab"]
        assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.03)


def broken(**arrays):
    rates, x = recording(40)
    return {"rates": rates, "x": x, **{k: v(rates, x) for k, v in arrays.items()}}


WRONG = [
    (broken(rates=lambda r, _: r[:, :, None]), [], "numbers (trial, unit)"),
    (broken(x=lambda _, x: x[:, 0]), [], "numbers (trial, factor)"),
    (broken(x=lambda _, x: x[:, :1]), [], "two factors"),
    (broken(x=lambda _, x: x[:-3]), [], "has 40 trials, x has 37"),
    (broken(x=lambda _, x: x.astype(str)), [], "numbers"),
    (broken(rates=lambda r, _: np.where(np.arange(40)[:, None] == 7, np.nan, r)), [], "trial 7"),
    (broken(rates=lambda r, _: 0 * r), [], "no unit"),
    (broken(x=lambda _, x: x * (1, 0)), [], "quadrant"),
    (broken(x=lambda _, x: np.sort(x, 0)), [], "(-,+) of factors 1 and 2 has 0 trials"),
    (broken(x=lambda _, x: np.column_stack([0 * x[:, 0], x])), [], "factor 1 of x never changes"),
    (broken(), ["--centre", 0], "centre"),
    (broken(), ["--centre", 9, 9], "has 0 trials"),
    (broken(), ["--split_var", 2], "split_var"),
    (broken(), ["--n_fold", 1], "n_fold"),
    (broken(), ["--out", "x.npz"], ".csv"),
    ({"rates": np.zeros((3, 3))}, [], "has no x"),
]


@pytest.mark.parametrize("arrays, words, said", WRONG, ids=[said for *_, said in WRONG])
def test_what_cannot_be_measured_is_one_line(script, tmp_path, arrays, words, said):
    util.save_npz(tmp_path / "a.npz", **arrays)
    code, _, err = script("abstraction", tmp_path / "a.npz", *words)
    assert code == 2 and one_line(err) and said in err, err
