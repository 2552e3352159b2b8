"""Decoding: fast against slow, known answers, and what users may get wrong."""

import numpy as np
import pytest
import torch
from conftest import one_line
from sklearn.linear_model import Ridge
from torch import nn
from tqdm import tqdm

import generalize
import train
import util
from RNN import RNN


def make(n_task=(2,), **settings):
    """Untrained small networks: model and configs."""
    config = train.Config(n_task=n_task, n_neu=12, **settings)
    trainer = train.Trainer(train.network_configs(config), torch.device("cpu"))
    return trainer.model.requires_grad_(False), trainer.configs


class PerfectModel:
    """Stands in for a network whose last state is the true x*, squeezed into 12 units."""

    def __init__(self, n_dim=2):
        self.map = torch.randn(n_dim, 12, generator=util.generator(0))
        self.network = RNN(1, 41, 12)

    def represent(self, inputs, noise):
        mean = inputs[:, :, 1:21, 1:].mean(2)
        return (mean @ self.map)[:, :, None]


def fits(model, configs, **settings):
    """Decoders, and their r2."""
    config = generalize.Config(**settings)
    device = torch.device("cpu")
    rngs = [generalize.fit_generators(config, configs, f, device) for f in range(config.n_fit)]
    fit = generalize.fit_ridge if config.decoder == "ridge" else generalize.fit_adam
    weight, bias = fit(model, configs, config, device, rngs, tqdm(disable=True))
    return weight, bias, generalize.test_decoders(model, configs, config, rngs, weight, bias)


def test_batch_order_uses_each_trial_once_and_never_the_quadrant_held_out():
    order = generalize.batch_order(util.generator(0), 512)
    assert order.shape == (8, 1536)
    for decoder, trials in enumerate(order):
        assert len(set(trials.tolist())) == 1536
        quadrants = torch.bincount(trials // 512, minlength=4).tolist()
        expected = [512] * 4 if decoder < 4 else [384] * 4
        if decoder < 4:
            expected[decoder] = 0
        assert quadrants == expected


def test_quadrant_states_are_those_of_the_network_in_that_quadrant():
    model, configs = make((2, 3))
    rngs = generalize.fit_generators(generalize.Config(), configs, 0, torch.device("cpu"))
    states, x = generalize.quadrant_states(model, configs, rngs, 5)
    assert states.shape == (2, 4, 5, 12) and x.shape == (2, 4, 5, 2)
    for quadrant, signs in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        assert (torch.sign(x[:, quadrant]) == torch.tensor(signs)).all()


def test_decoders_by_adam_equal_a_plain_loop():
    model, configs = make((2, 3))
    settings = {"n_fit": 2, "n_batch": 100, "seed": 4}
    weight, bias, _ = fits(model, configs, **settings)
    config, net, fit = generalize.Config(**settings), 1, 1
    for decoder in (2, 6):
        rng = generalize.fit_generators(config, configs, fit, torch.device("cpu"))
        start = torch.empty(8, 13, 2).uniform_(-(12**-0.5), 12**-0.5, generator=rng[net])
        start = start[decoder]
        linear = nn.Linear(12, 2)
        linear.weight.data, linear.bias.data = start[:12].T.clone(), start[12].clone()
        adam = torch.optim.Adam(linear.parameters(), lr=3e-3)
        rng[1 - net].manual_seed(0)  # what the other network draws does not matter
        for batch in range(100):
            if batch % generalize.CHUNK == 0:
                h, x = generalize.quadrant_states(model, configs, rng, 512)
                order = generalize.batch_order(rng[net], 512)[decoder]
                h, x = h[net].flatten(0, 1)[order], x[net].flatten(0, 1)[order]
            at = (batch % generalize.CHUNK) * 16
            loss = nn.functional.mse_loss(linear(h[at : at + 16]), x[at : at + 16])
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert torch.allclose(weight[net, fit, decoder], linear.weight.T, atol=1e-5)
        assert torch.allclose(bias[net, fit, decoder, 0], linear.bias, atol=1e-5)


def test_ridge_equals_scikit_learn():
    model, configs = make((2, 3))
    rngs = generalize.fit_generators(generalize.Config(), configs, 0, torch.device("cpu"))
    h, x = generalize.quadrant_states(model, configs, rngs, 400)
    moments = generalize.quadrant_moments(h, x)
    weight, bias = generalize.ridge(moments, [0, 1, 3])
    for net in range(2):
        seen_h = h[net, [0, 1, 3]].flatten(0, 1).double().numpy()
        seen_x = x[net, [0, 1, 3]].flatten(0, 1).double().numpy()
        scale = np.cov(seen_h.T, bias=True).trace() / 12
        for i in (0, 6, 12):
            alpha = generalize.PENALTIES[i] * scale * len(seen_h)
            slow = Ridge(alpha=alpha).fit(seen_h, seen_x)
            assert np.allclose(weight[net, i].T, slow.coef_, atol=1e-4 * abs(slow.coef_).max())
            assert np.allclose(bias[net, i, 0], slow.intercept_, atol=1e-4)
        error = generalize.moment_error(moments, 2, weight, bias)
        direct = ((h[:, 2].double()[:, None] @ weight + bias - x[:, 2][:, None]) ** 2).sum(3)
        assert torch.allclose(error, direct.mean(2), rtol=1e-5, atol=1e-8)


def test_ridge_never_looks_at_the_quadrant_it_is_tested_on(monkeypatch):
    model, configs = make()
    clean, _, _ = fits(model, configs, decoder="ridge", n_fit=1, n_ridge=200)
    states_of = generalize.quadrant_states

    def spoiled(*args):
        states, x = states_of(*args)
        states[:, 1] = 1e6 * torch.randn_like(states[:, 1])
        return states, x

    monkeypatch.setattr(generalize, "quadrant_states", spoiled)
    config = generalize.Config(decoder="ridge", n_fit=1, n_ridge=200)
    rngs = [generalize.fit_generators(config, configs, 0, torch.device("cpu"))]
    dirty, _ = generalize.fit_ridge(
        model, configs, config, torch.device("cpu"), rngs, tqdm(disable=True)
    )
    assert torch.equal(clean[:, :, 1], dirty[:, :, 1])
    assert not torch.allclose(clean[:, :, 0], dirty[:, :, 0])


@pytest.mark.parametrize("n_dim", [2, 3])
@pytest.mark.parametrize("decoder", ["adam", "ridge"])
def test_an_ideal_observer_reaches_the_theory_and_not_more(decoder, n_dim):
    task = "LinearClassificationCentOut" if n_dim == 2 else "LinearClassificationHighDim"
    _, configs = make(n_dim=n_dim, task=task)
    _, _, r_sq = fits(PerfectModel(n_dim), configs, decoder=decoder, n_batch=3000, n_test=4000)
    for measure in generalize.MEASURES:
        assert r_sq[measure].shape == (1, 4, 5)
        assert abs(np.median(r_sq[measure]) - util.r_sq_theory(20)) < 0.01
        assert r_sq[measure].max() < 0.985
    if n_dim > 2:
        assert np.array_equal(r_sq["quadrant"], r_sq["as_released"])


def test_r_sq_uses_the_variance_of_the_whole_space():
    x = torch.rand(1, 1, 100_000, 2) / 2  # one quadrant
    weight, bias = torch.zeros(1, 1, 3, 2), torch.full((1, 1, 1, 2), 0.25)
    r_sq = generalize.r_sq_of(weight, bias, torch.zeros(1, 1, 100_000, 3), x)
    assert r_sq.item() == pytest.approx(1 - 1 / 4, abs=0.01)  # its own variance is 1/48


def test_as_released_tests_two_splits_on_quadrants_their_decoder_knew():
    """A decoder that fails on (-,+) and (+,-) alone shows which test looks where."""

    def spoil(inputs, noise):
        mean = inputs[:, :, 1:21, 1:].mean(2)
        off_diagonal = (mean[..., :1] * mean[..., 1:]) < 0
        code = torch.where(off_diagonal, torch.zeros_like(mean), mean)
        return torch.cat([code, torch.zeros(*code.shape[:-1], 10)], -1)[:, :, None]

    model, (_, configs) = PerfectModel(), make()
    model.represent = spoil
    weight = torch.zeros(1, 1, 8, 12, 2)
    weight[..., :2, :] = torch.eye(2)
    config = generalize.Config(n_fit=1)
    rngs = [generalize.fit_generators(config, configs, 0, torch.device("cpu"))]
    bias = torch.zeros(1, 1, 8, 1, 2)
    r_sq = generalize.test_decoders(model, configs, config, rngs, weight, bias)
    good = r_sq["quadrant"][0, :, 0] > 0.9
    assert good.tolist() == [True, False, False, True]
    assert (r_sq["as_released"] > 0.9).all()
    assert 0.2 < r_sq["ID"].mean() < 0.8


def test_angles():
    weight = np.zeros((1, 3, 3))
    weight[0, :, 0], weight[0, :, 1], weight[0, :, 2] = (1, 0, 0), (1, 1, 0), (0, 0, -2)
    angles = generalize.column_angles(weight)[0]
    assert angles[0, 1] == pytest.approx(45) and angles[0, 2] == pytest.approx(90)
    assert np.isnan(angles[[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]).all()


def test_script_writes_what_it_measured(script, tiny_networks, tmp_path):
    command = ("generalize", "--networks", tiny_networks, "--n_batch", 30, "--n_fit", 2)
    out = tmp_path / "new" / "r_sq_RNN.npz"
    code, text, err = script(*command, "--out", out, "--every_measure")
    assert code == 0, err
    assert "OOD quadrant held out" in text and "0.976" in text
    files = {
        m: util.load_npz(out.with_name(f"r_sq_RNN{end}.npz"))
        for m, end in (("as_released", ""), ("quadrant", "_quadrant"), ("ID", "_ID"))
    }
    for file in files.values():
        assert file["r_sq"].shape == (2, 2, 4, 2)  # n_tasks, runs, splits, fits
        assert file["n_tasks"].tolist() == [2, 3] and not np.isnan(file["r_sq"]).any()
    assert files["quadrant"]["test"].tolist() == [[0], [1], [2], [3]]
    assert files["as_released"]["test"].tolist() == [[0, -1], [0, 3], [0, 3], [3, -1]]
    assert (
        files["quadrant"]["r_sq"][:, :, [0, 3]] == files["as_released"]["r_sq"][:, :, [0, 3]]
    ).all()
    decoders = util.load_npz(out.with_name("decoders_RNN_quadrant.npz"))
    assert decoders["dec"].shape == (2, 2, 4, 2, 8, 2)
    assert decoders["angles"].shape == (2, 2, 4, 2, 2, 2)
    for flags, measure in (
        ((), "quadrant"),
        (("--held_out", "as_released"), "as_released"),
        (("--in_distribution",), "ID"),
    ):
        one = tmp_path / f"{measure}.npz"
        assert script(*command, *flags, "--out", one)[0] == 0
        assert np.array_equal(util.load_npz(one)["r_sq"], files[measure]["r_sq"])  # seeded


def test_a_network_is_decoded_alone_as_among_others(script, tiny_networks, tmp_path):
    command = ("generalize", "--n_batch", 30, "--n_fit", 1, "--networks")
    every, alone = tmp_path / "every.npz", tmp_path / "alone.npz"
    assert script(*command, tiny_networks, "--out", every)[0] == 0
    assert script(*command, tiny_networks / "*nTask3*run1.pth", "--out", alone)[0] == 0
    assert np.allclose(
        util.load_npz(every)["r_sq"][1, 1], util.load_npz(alone)["r_sq"][0, 0], atol=1e-4
    )


def test_missing_runs_are_nan(script, tiny_networks, tmp_path):
    out = tmp_path / "r_sq.npz"
    names = [
        tiny_networks / f"RNN_nTask{n}_n_neu8_n_batch120_run{r}.pth" for n, r in ((2, 0), (3, 1))
    ]
    assert script("generalize", "--networks", *names, "--n_batch", 20, "--out", out)[0] == 0
    missing = np.isnan(util.load_npz(out)["r_sq"]).all((2, 3))
    assert missing.tolist() == [[False, True], [True, False]]


def test_bad_input_is_one_line(script, tiny_networks, tmp_path):
    (tmp_path / "empty").mkdir()
    good = next(tiny_networks.glob("*.pth"))
    (tmp_path / "cut.pth").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "text.pth").write_text("not a network")
    content = torch.load(good, weights_only=True)

    def variant(name, **changes):
        new = {**content, **changes}
        torch.save({k: v for k, v in new.items() if v is not None}, tmp_path / name)
        return tmp_path / name

    state = content["state_dict"]
    wrong = {
        "no such folder": (tmp_path / "nowhere",),
        "no glob": (tmp_path / "*.pth.gone",),
        "empty folder": (tmp_path / "empty",),
        "truncated": (tmp_path / "cut.pth",),
        "text": (tmp_path / "text.pth",),
        "no config": (variant("a.pth", config=None),),
        "missing tensor": (
            variant("b.pth", state_dict={k: v for k, v in state.items() if "rec_to_rec" not in k}),
        ),
        "other architecture": (variant("c.pth", config={**content["config"], "network": "CNN"}),),
        "wrong shape": (variant("d.pth", config={**content["config"], "n_neu": 9}),),
        "nan": (
            variant("e.pth", encoder={k: v * float("nan") for k, v in content["encoder"].items()}),
        ),
        "kinds mixed": (
            good,
            variant("f.pth", config={**content["config"], "leaky": False, "run": 7}),
        ),
        "same network twice": (good, variant("g.pth")),
        "list": (variant("h.pth", state_dict=[1, 2]),),
        "decoder gone": (variant("i.pth", decoder=None),),
        "config of another kind": (variant("j.pth", config=[1]),),
        "number as text": (variant("k.pth", config={**content["config"], "n_neu": "8"}),),
        "activation": (variant("l.pth", config={**content["config"], "activation": "sin"}),),
    }
    for case, paths in wrong.items():
        code, _, err = script("generalize", "--networks", *paths, "--out", tmp_path / "x.npz")
        assert code == 2 and one_line(err), (case, err)
    for flags in (
        ("--n_fit", 0),
        ("--decoder", "lasso"),
        ("--out", "x.txt"),
        ("--held", "no"),
        ("--lr", 0),
    ):
        code, _, err = script("generalize", "--networks", good, *flags)
        assert code == 2 and one_line(err), (flags, err)
    assert not (tmp_path / "x.npz").exists()


def test_results_of_other_settings_are_not_overwritten(script, tiny_networks, tmp_path):
    command = ("generalize", "--networks", tiny_networks, "--n_fit", 1, "--out", tmp_path / "r.npz")
    assert script(*command, "--n_batch", 20)[0] == 0
    assert script(*command, "--n_batch", 20)[0] == 0
    code, _, err = script(*command, "--n_batch", 30)
    assert code == 2 and one_line(err)
    assert script(*command, "--n_batch", 30, "--overwrite")[0] == 0


def test_network_noise_is_there_when_decoding():
    model, configs = make(n_sd_net=5.0)
    states = []
    for sigma in (model.network.sigma, 0.0):
        model.network.sigma = sigma
        rngs = generalize.fit_generators(generalize.Config(), configs, 0, torch.device("cpu"))
        states.append(generalize.quadrant_states(model, configs, rngs, 50)[0][:, 0])
    assert not torch.allclose(*states)


def test_loading_never_runs_code(script, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    torch.save({"state_dict": Evil(), "encoder": {}, "config": {}}, tmp_path / "evil.pth")
    code, _, err = script("generalize", "--networks", tmp_path / "evil.pth")
    assert code == 2 and one_line(err)
    assert not (tmp_path / "pwned").exists()
