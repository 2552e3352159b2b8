"""How a decoder is found: fast against slow, exact sums, what the script writes, and bad input."""

import numpy as np
import pytest
import torch
from conftest import one_line

import analyze_readouts
import decoders
import util


@pytest.fixture
def nets(tiny_networks):
    config = analyze_readouts.Config(network=(str(tiny_networks / "*nTask3*"),), n_trial=200)
    return analyze_readouts.Nets(config)


def trials_of(nets):
    """The trials of the tests, states and x* (net, quadrant, trial, ...)."""
    drawn = nets.source.draw(nets.generators(analyze_readouts.TESTED), 200)
    return [v.double() for v in drawn]


def test_paths_pass_through_decoders_by_adam(nets, monkeypatch):
    monkeypatch.setattr(analyze_readouts, "STEPS", (2, 4))
    nets.config.n_step, nets.papers.n_batch = 4, 4
    found, (h, x) = analyze_readouts.paths(nets), trials_of(nets)
    assert found["step"] == [2, 4] and found["r_sq"].shape == (2, 5, 2, 2, 2, 4)
    assert not np.isnan(found["r_sq"]).any()
    for at, rate in ((2, 3e-3), (4, 3e-2)):
        walked = [nets.fit(decoders.fit_adam, n_batch=n, lr=rate) for n in (2, 3, 4)]
        mean = [(third + last) / 2 for third, last in zip(*walked[1:], strict=True)]
        for kind, (weight, bias) in enumerate((walked[-1], mean)):
            for split in range(4):
                output = h[:, split] @ weight[:, split] + bias[:, split]
                slow = 1 - 12 * ((output - x[:, split]) ** 2).mean((1, 2))
                assert np.allclose(found["r_sq"][:, at, 0, kind, -1, split], slow, atol=1e-4)
    assert (found["r_sq"][:, :, 1] != found["r_sq"][:, :, 0]).all()


def test_other_rates_stop_at_the_papers_number_of_steps(nets):
    nets.config.n_step, nets.papers.n_batch = 250, 125
    found = analyze_readouts.paths(nets)
    assert np.isnan(found["r_sq"][:, [0, 1, 3, 4], :, :, 1]).all()
    assert not np.isnan(found["r_sq"][:, 2]).any() and not np.isnan(found["r_sq"][..., 0, :]).any()


def test_parts_add_up_to_the_error_and_are_what_they_are_called(nets):
    nets.papers.n_batch, nets.papers.n_ridge = 50, 200
    h, x = trials_of(nets)
    h[:, :3, :, 1], h[:, 3, :, 1] = 0, x[:, 3, :, 0]  # a unit silent in three quadrants
    nets.tested = decoders.quadrant_moments(h, x)
    found = analyze_readouts.shares(nets)
    (w, b), (w_ridge, b_ridge) = nets.fit(decoders.fit_adam), nets.fit(decoders.fit_ridge)
    for split in range(4):
        missed = x[:, split] - h[:, split] @ w[:, split] - b[:, split]
        total = 12 * (missed**2).mean((1, 2))
        assert np.allclose(found["parts"][:, split].sum(-1), total[:, None], rtol=1e-6)
    seen = h[:, :3].flatten(1, 2)
    assert (seen[:, :, 1] == 0).all() and not (h[:, 3, :, 1] == 0).all()
    silent = (seen == 0).all(1)
    assert np.array_equal(found["counts"][:, 3, 0], silent.sum(1))
    assert (found["counts"].sum(-1) == h.shape[-1]).all()
    for i, other in enumerate((3, 7)):
        missed = x[:, 3] - h[:, 3] @ w[:, 3] - b[:, 3]
        of_other = x[:, 3] - h[:, 3] @ w_ridge[:, other] - b_ridge[:, other]
        step = (h[:, 3] * silent[:, None]) @ (w[:, 3] - w_ridge[:, other])
        slow = -12 * (step * (missed + of_other)).mean((1, 2))
        assert np.allclose(found["parts"][:, 3, i, 0], slow, atol=1e-9)
        assert np.allclose(found["parts"][:, 3, i, -1], 12 * (of_other**2).mean((1, 2)), rtol=1e-6)


def test_small_variance_is_where_only_such_weights_differ(nets, monkeypatch):
    """A decoder that differs from the reference along one weak direction has its error there."""
    monkeypatch.setattr(analyze_readouts, "EDGES", (0, 0.5, 1, np.inf))  # few units, all vary
    h, _ = trials_of(nets)
    seen = h[:, [0, 1, 2]].flatten(1, 2)
    values, vectors = torch.linalg.eigh(torch.stack([own.T.cov(correction=0) for own in seen]))
    ratio = values / values.mean(1, keepdim=True)
    weak = [int(np.flatnonzero((own > 1e-9) & (own < 0.5))[-1]) for own in ratio]
    direction = torch.stack([v[:, i] for v, i in zip(vectors, weak, strict=True)])
    weight, bias = (v.clone() for v in nets.fit(decoders.fit_ridge, n_ridge=200))
    other = weight.clone()
    other[:, 3] += 100 * direction[:, :, None]
    shift = 100 * (seen.mean(1) * direction).sum(1)  # the bias makes up for its mean
    monkeypatch.setattr(decoders, "fit_ridge", "ridge")
    monkeypatch.setattr(decoders, "fit_adam", "adam")
    moved = bias.clone()
    moved[:, 3] -= shift[:, None, None]
    monkeypatch.setattr(nets, "fit", {"ridge": (weight, bias), "adam": (other, moved)}.get)
    found = analyze_readouts.shares(nets)["parts"][:, 3, 0]
    assert np.allclose(found[:, [0, 2, 3]], 0, atol=1e-6) and (abs(found[:, 1]) > 1e-4).all()


def test_penalties_are_those_of_ridge(nets):
    nets.papers.n_ridge = 200
    found = analyze_readouts.penalties(nets)
    weight, bias = nets.fit(decoders.fit_ridge, n_ridge=200)
    for split in range(4):
        best = nets.r_sq(split, weight[:, [split]], bias[:, [split]])
        near = abs(found["r_sq"][:, split] - best).min(1)  # its penalty is one of them
        assert (near < 1e-4).all()
        near = abs(found["r_sq_one_map"][:, split] - nets.r_sq(split, weight[:, [4]], bias[:, [4]]))
        assert (near.min(1) < 1e-4).all()


def test_script_saves_what_is_asked_for(script, tiny_networks, tmp_path):
    three, out = tiny_networks / "*nTask3*", tmp_path / "new"
    command = ("analyze_readouts", "--network", three, "--n_trial", 100, "--n_step", 125)
    code, text, err = script(*command, "--keep", "penalties", "paths", "--out", out)
    assert code == 0 and "saved penalties, paths" in text, err
    assert sorted(path.name for path in out.iterdir()) == ["paths.npz", "penalties.npz"]
    file = util.load_npz(out / "paths.npz", ("r_sq", "networks", "machine"))
    assert file["step"].tolist() == [125] and file["n_task"].tolist() == [3]
    for flags in ("", "--overwrite --keep pca", "--overwrite --n_step 1", "--overwrite --seed -1"):
        code, _, err = script(*command, "--out", out, *flags.split())
        assert code == 2 and one_line(err), flags
    code, _, err = script("analyze_readouts", "--network", tiny_networks, "--out", tmp_path / "x")
    assert code == 2 and one_line(err) and "n_task" in err
