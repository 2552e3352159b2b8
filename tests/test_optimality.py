"""How optimal networks are: the best observer reaches the optimum, over-confidence is found."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import one_line, save_small
from scipy.special import logit

import checkpoint
import optimality
import table
import theory
from optimality import compare
from settings import complete
from util import generator

KINDS = {
    "white": {},
    "wide": {"task": "LinearClassificationHighDim", "n_dim": 4},
    "correlated": {"corr": 0.6},
    "after the encoder": {"noise_enc": True},
    "curved": {"task": "MultiplyClassificationFull", "n_task": 4},
    "cued": {"task": "ContextDependent", "n_task": 1},
}


class Ideal:
    """The best observer in the place of a network; its logits `sharper` times as large."""

    def __init__(self, config, sharper=1.0):
        self.model = checkpoint.Model([config])
        self.model.draw([{"encoder": 0, "weights": 0, **theory.settings.seeds_of(config)}])
        self.observer, self.sharper = theory.Observer(config), sharper
        self.encoder, self.draw_noise = self.model.encoder, self.model.draw_noise
        self.add_noise = self.model.add_noise

    def represent_last(self, inputs, **noise):
        task, when = self.observer.task, self.observer.task.evidence_steps
        samples = inputs[0, :, when, task.evidence]
        if self.observer.encoded:
            seen = self.model.add_noise(self.encoder(inputs), noise["encoder_noise"])
            samples = seen[0, :, when, self.encoder.features]
        mean = samples.double().numpy().mean(1)
        p = self.observer.labels(mean, samples.shape[1])
        if task.n_rule:
            cued = inputs[0, :, 0, task.rules].argmax(1).numpy()
            p = p[np.arange(len(p)), cued][:, None]
        return self.sharper * torch.tensor(logit(p.clip(1e-12, 1 - 1e-12)))[None]

    @staticmethod
    def readout(states):
        return states


def judged(settings, sharper=1.0, n_trial=600):
    config = complete({"n_task": 3, **settings})
    rng, ideal = generator(1), Ideal(config, sharper)
    ((p, logits),) = optimality.judge(ideal, [config], n_trial, [rng])
    return compare(p, logits, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_observer_is_optimal(kind):
    found = judged(KINDS[kind])
    assert found["accuracy"] == pytest.approx(found["accuracy_optimal"], abs=1e-9)
    assert found["cross_entropy"] == pytest.approx(found["cross_entropy_optimal"], abs=1e-6)
    assert found["calibration"] < 1e-6 and 0.8 < found["accuracy"] < 1
    for name in ("calibration_slope", "logit_slope", "logit_r2"):
        assert found[name] == pytest.approx(1, abs=1e-4), name


def test_doubled_logits_are_over_confident():
    right, bold = judged({}), judged({}, sharper=2)
    assert bold["calibration_slope"] == pytest.approx(0.5, abs=1e-4)
    assert bold["calibration"] > 0.01 and bold["logit_slope"] > 1.3
    assert bold["accuracy"] == right["accuracy"]
    assert bold["cross_entropy"] > right["cross_entropy"] + 0.005


def test_expected_labels_stand_for_real_ones(n=200_000):
    rng = np.random.default_rng(0)
    p, noise = rng.beta(0.5, 0.5, (n, 1)), rng.standard_normal((n, 1))
    own, labels = logit(p) + noise, rng.random((n, 1)) < p
    expected, real = compare(p, own, 20), compare(labels.astype(float), own, 20)
    for name in ("accuracy", "cross_entropy", "calibration", "calibration_slope"):
        assert real[name] == pytest.approx(expected[name], abs=0.01), name
    assert expected["calibration_slope"] < 0.9  # noise is over-confidence
    slow = np.zeros(2)  # expected calibration error, bin by bin
    q = 1 / (1 + np.exp(-own))
    for low in np.arange(20) / 20:
        some = (q >= low) & (q < low + 0.05)
        slow += some.mean() * abs(p[some].mean() - q[some].mean())
    assert expected["calibration"] == pytest.approx(slow[0])


def test_the_script(script, tiny_networks, tmp_path):
    out = tmp_path / "new" / "results.csv"
    command = "optimality", "--networks", tiny_networks, "--out", out, "--n_trial", 300
    code, text, err = script(*command)
    assert code == 0 and not err, err
    assert "| 20      | 2      | 2 " in text
    assert script(*command, "--stimulus", 100, 2000)[0] == 0
    rows = table.read(out)
    assert set(rows["measure"]) == set(table.OPTIMALITY) and len(rows) == 4 * 8 * (1 + 2)
    ends = ("_n_neu8_n_batch120|optimality||", "_n_neu8_n_batch120|optimality||stimulus")
    keys = [f"RNN_nTask{n}{end}" for n in (2, 3) for end in ends]
    assert sorted(table.about(out)) == sorted(keys)
    wide = rows.pivot_table("value", ["n_task", "run", "t", "series"], "measure").reset_index()
    assert (wide["accuracy"] < wide["accuracy_optimal"]).all()
    assert (wide["cross_entropy"] > wide["cross_entropy_optimal"]).all()
    best = wide.groupby("t")["accuracy_optimal"].max()
    assert best[1] < 0.86 < 0.94 < best[20]
    last = wide[wide["t"] == 20].drop(columns=["t", "series"]).groupby(["n_task", "run"])
    assert (last.max() - last.min() < 1e-12).all(axis=None)  # asked at the end is the plain test

    code, _, err = script(*command, "--seed", 1)
    assert code == 2 and one_line(err) and "--overwrite" in err
    alone = "--networks", tiny_networks / "*Task3*run1.pth", "--overwrite"
    assert script(*command, *alone)[0] == 0
    again = table.read(out).query("n_task == 3 and series == ''")  # whatever its neighbours
    before = rows.query("n_task == 3 and run == 1 and series == ''")
    pd.testing.assert_series_equal(
        again["value"], before["value"], check_index=False, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("network", ["LSTM", "gpt-2", "encoder-mean"])
def test_every_architecture(tmp_path, network):
    size = {"n_neu": 40} if network == "encoder-mean" else {}
    model, configs = checkpoint.load_ensemble(save_small(tmp_path, network=network, **size))
    times = table.time_columns(configs[0])
    found = optimality.optimality(model, configs, times, optimality.Config(n_trial=100))
    assert found["accuracy"].shape == (1, 2)
    assert (abs(found["accuracy"] - 0.5) < 0.4).all()  # untrained


def test_bad_input_is_one_clear_line(script, tmp_path, tiny_networks):
    (free,) = save_small(tmp_path, "free", n_task=(2,), task="LinearClassificationBound")
    first = next(tiny_networks.glob("*Task2*run0.pth"))
    for words, more in (
        ("no such file", ("--networks", tmp_path / "no.pth")),
        ("trained by squared error", ("--networks", free)),
        ("n_trial", ("--networks", first, "--n_trial", 1)),
        ("n_bin", ("--networks", first, "--n_bin", 1)),
        ("twice", ("--networks", first, "--stimulus", 100, 100)),
        ("150", ("--networks", first, "--stimulus", 150)),
        ("must end in .csv", ("--networks", first, "--out", tmp_path / "x.npz")),
    ):
        out = () if "--out" in more else ("--out", tmp_path / "out.csv")
        code, _, err = script("optimality", *more, *out)
        assert code == 2 and one_line(err) and words in err, err
