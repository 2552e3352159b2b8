"""The analysis of recurrent networks: numbers against slow or independent ones."""

import numpy as np
import pytest
import torch
from conftest import ROOT, save_small
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

import analyze
import batches
import fixed_points
import study
import tasks
import util

TRAINED = [ROOT / f"tests/data/RNN_nTask{n}_n_batch20000_run0.pth" for n in (24, 2)]
SMALL = {"n_trial": 24, "n_fit": 256, "n_fine": 9, "n_start": 12, "n_repeat": 4, "n_iter": 20}


def study_of(*paths, **settings):
    return analyze.RecurrentStudy(analyze.Config(network=paths, **{**SMALL, **settings}))


def analysis(*paths, **settings):
    """The study and its arrays, nothing saved or drawn."""
    some, found = study_of(*paths, **settings), {}
    with torch.no_grad():
        analyze.analyze(some, lambda name, arrays: found.setdefault(name, arrays))
    return some, found


@pytest.fixture(scope="module")
def trained():
    return analysis(*TRAINED, n_trial=128, n_fit=1024, n_start=96, n_repeat=8, n_iter=100)


def test_noise_free_trials_are_those_of_the_task(tmp_path):
    for settings in ({}, {"task": "LinearClassificationBound"}, {"delay": 200}):
        some = study_of(*save_small(tmp_path, **settings))
        quiet = tasks.make_task({**some.configs[0], "n_sd_in": 0.0})
        inputs, _, x = batches.sample([quiet] * 2, some.generators(0), 5)
        assert torch.equal(some.show(x), inputs)


def test_a_cued_task_is_shown_with_its_rule(tmp_path):
    paths = save_small(tmp_path, n_task=(1,), task="ContextDependent")
    for rule in (0, 1):
        some = study_of(*paths, rule=rule)
        inputs = batches.sample(some.tasks, some.generators(0), 5)[0]
        shown = some.show(torch.zeros(1, 5, 2))
        assert torch.equal(shown[..., -2:], inputs[..., -2:])
        assert shown[..., 3 + rule].all()
    with pytest.raises(util.UserError, match="rule counts from 0 to 1"):
        study_of(*paths, rule=2)


@pytest.mark.parametrize("network", ["RNN", "LSTM", "GRU"])
def test_states_followed_step_by_step_are_those_of_the_network(tmp_path, network):
    some = study_of(*save_small(tmp_path, network=network))
    inputs = batches.sample(some.tasks, some.generators(0), 6)[0]
    states = some.follow(inputs)
    assert states.shape == (2, 6, 22, some.exact.network.n_state)
    rates = some.model.represent(inputs)
    torch.testing.assert_close(states[..., :16].float(), rates, atol=1e-5, rtol=1e-4)
    F, x_is_0 = some.rest_map(), some.show(torch.zeros(1, 1, 2))
    at_rest = some.follow(x_is_0)[:, :, some.last - 1 : some.last + 1]
    torch.testing.assert_close(F(at_rest[:, :, 0]), at_rest[:, :, 1])


def test_principal_components_are_those_of_scikit_learn():
    rates = np.random.default_rng(0).normal(size=(2, 30, 5, 8)) * np.arange(1, 9)
    mean, axes, share = study.principal(rates)
    for net in range(2):
        theirs = PCA().fit(rates[net].reshape(-1, 8))
        np.testing.assert_allclose(share[net], theirs.explained_variance_ratio_)
        np.testing.assert_allclose(np.abs(np.sum(axes[net] * theirs.components_.T, 0)), 1)
        ours = study.first_three(rates, mean, axes)[net].reshape(-1, 3)
        other = theirs.transform(rates[net].reshape(-1, 8))[:, :3]
        np.testing.assert_allclose(np.abs(ours), np.abs(other), atol=1e-9)
    two = study.principal(rates[..., :2])
    assert study.first_three(rates[..., :2], *two[:2]).shape == (2, 30, 5, 3)


def test_the_decoder_reads_x_off_trials_it_has_not_seen(trained):
    some, found = trained
    last, decoder, trials = some.last, found["decoder"], found["trials"]
    assert (decoder["r_sq"][:, last] > (0.95, 0.85)).all()
    for net in range(2):  # about what least squares on the test trials themselves would reach
        h, x = trials["noisy_rates"][net, :, last], trials["noisy_x"][net]
        assert decoder["r_sq"][net, last] > LinearRegression().fit(h, x).score(h, x) - 0.1
    np.testing.assert_allclose(decoder["theory"][1:21], 1 - 0.48 / np.arange(1, 21))
    assert np.isnan(decoder["theory"][0])


def test_rate_maps_and_their_correlations(tmp_path):
    def silence(model):
        model.network.inp_bias[:, :, :4] = -100

    some = study_of(*save_small(tmp_path, change=silence), n_grid=4)
    maps = study.rate_maps(some, some.last)
    assert maps["rates"].shape == (2, 4, 4, 16)
    np.testing.assert_allclose(maps["x"], [-0.375, -0.125, 0.125, 0.375])
    x = torch.tensor([[0.125, -0.375]])
    alone = some.model.represent(some.show(x[None]))[:, 0, some.last]
    np.testing.assert_allclose(maps["rates"][:, 2, 0], alone, atol=1e-6)
    assert np.isnan(maps["correlation"][:, :4]).all()  # they do not respond
    grid, found = np.repeat(maps["x"], 4), np.argwhere(np.isfinite(maps["correlation"][..., 0]))
    assert len(found) > 4
    for net, unit in found[:5]:
        slow = np.corrcoef(grid, maps["rates"][net, ..., unit].ravel())[0, 1]
        np.testing.assert_allclose(maps["correlation"][net, unit, 0], slow, atol=1e-5)


def test_points_are_what_they_are_said_to_be(trained):
    some, found = trained
    points, config = found["fixed_points"], some.config
    state = torch.tensor(points["state"])
    F, spread = some.rest_map(), points["spread"][:, None, None]
    for stage in range(2):
        q = fixed_points.speed(F, state[:, stage])
        np.testing.assert_allclose(points["q"][:, stage], q, atol=1e-30)
    assert (state >= 0).all()
    pace = np.sqrt(2 * points["q"]) / spread
    assert ((pace <= config.tol_fixed) == (points["kind"] == 0)).all()
    assert ((pace > config.tol_slow) == (points["kind"] == 2)).all()
    assert (points["q"][:, 1] <= points["q"][:, 0]).all()
    counts = points["unique"]
    assert (np.diff(counts, axis=2) <= 0).all() and (counts[:, 1] <= counts[:, 0]).all()
    free = fixed_points.run_freely(F, state[:, 0], config.n_free)
    moved = (free - state[:, 0]).norm(dim=2) / spread[:, 0]
    np.testing.assert_allclose(points["moved"][:, 0], moved, rtol=1e-6, atol=1e-9)


def test_the_sheet_of_a_trained_network(trained):
    """N_task = 24: slow points form a sheet over x*; two eigenvalues near the circle, no third."""
    found = trained[1]
    sheet, spectrum, points = (found[key] for key in ("sheet", "spectrum", "fixed_points"))
    many, few = 0, 1  # N_task = 24 and 2
    kept = points["kept"][:, 0]
    assert (kept.mean(1) > 0.8).all()
    size = np.abs(spectrum["eigenvalues"][many, 0, kept[many]])
    first, second, third = np.median(size[:, :3], 0)
    assert 0.95 < second <= first < 1.08 and third < 0.6
    assert 1.3 < np.nanmedian(sheet["dimension"][many, 0]) < 2.3
    assert sheet["covered"][many, 0] > 0.4 > sheet["covered"][few, 0]
    assert (sheet["lowest"][many, 0] < -0.35).all() and (sheet["highest"][many, 0] > 0.35).all()
    assert found["pca"]["share"][many, :, :3].sum(1).min() > 0.75
    assert (points["unique"][:, 1, 0] < points["unique"][:, 0, 0]).all()


def test_time_constants_are_those_of_the_eigenvalues(trained):
    spectrum = trained[1]["spectrum"]
    size = np.abs(spectrum["eigenvalues"])
    inside = (size > 0.1) & (size < 0.99)
    decay = np.exp(-100 / spectrum["time_constant"][inside])  # what is left after dt = 100 ms
    np.testing.assert_allclose(decay, size[inside], rtol=1e-9)
    np.testing.assert_allclose(spectrum["amplification"] * 100, spectrum["time_constant"])
    assert (np.diff(size, axis=-1) <= 1e-12).all()


def test_cells_of_the_square_are_counted():
    x = np.array([[-0.4, -0.4, 9], [-0.3, -0.4, 9], [0.4, 0.4, 9], [0.1, 0.6, 9], [0.4, -0.4, 9]])
    kept = np.array([True, True, True, True, False])
    assert study.count_cells(x[None], kept[None], 2).tolist() == [[[2, 0], [0, 1]]]
    rng = np.random.default_rng(0)
    drawn = [len(set(rng.integers(0, 64, 128))) / 64 for _ in range(400)]
    assert study.covered_by_chance(128, 8) == pytest.approx(np.mean(drawn), abs=0.01)


KINDS = [
    {"leaky": False},
    {"activation": "tanh", "n_sd_net": 1.0},
    {"network": "LSTM", "noise_enc": True},
    {"network": "GRU"},
    {"task": "LinearClassificationBound"},
    {"task": "MultiplyClassificationFull", "n_task": (4, 8)},
    {"task": "LinearClassificationHighDim", "n_dim": 3},
    {"task": "ContextDependent", "n_task": (1,)},
    {"encode": False, "CE_loss": False, "n_neu": 3},
]


@pytest.mark.parametrize("settings", KINDS, ids=lambda s: "-".join(map(str, s.values())))
def test_every_kind_of_network_can_be_analyzed(tmp_path, settings):
    some, found = analysis(*save_small(tmp_path, **settings))
    low, high = some.exact.network.bounds()
    state = torch.tensor(found["fixed_points"]["state"])
    assert state.isfinite().all() and (state >= low).all() and (state <= high).all()
    assert found["sheet"]["decoded"].shape == (*state.shape[:3], some.tasks[0].n_dim)
    assert found["trajectories"]["points"].shape == (*state.shape[:3], 3)
    assert len(analyze.report(some, found).splitlines()) > 10
    assert "starts per network" in analyze.legend(some, found)
