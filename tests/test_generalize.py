"""Decoding: fast against slow, known answers, and what users may get wrong."""

import numpy as np
import pytest
import torch
from conftest import one_line, trials
from sklearn.linear_model import Ridge
from torch import nn
from tqdm import tqdm

import generalize
import tasks
import train
import util


def make(n_task=(2,), **settings):
    """Untrained small networks: model and configs."""
    config = train.Config(n_task=n_task, n_neu=12, **settings)
    trainer = train.Trainer(train.network_configs(config), torch.device("cpu"))
    return trainer.model.requires_grad_(False), trainer.configs


class PerfectModel:
    """Stands in for a network whose last state is the true x*, squeezed into 12 units."""

    def __init__(self, n_dim=2):
        self.map = torch.randn(n_dim, 12, generator=util.generator(0))

    def draw_noise(self, *_, **__):
        return {}

    def represent_last(self, inputs):
        return inputs[:, :, 1:21, 1:].mean(2) @ self.map


CPU = torch.device("cpu")


def source_of(model, configs, split_var=None, **when):
    splits = generalize.Splits(configs[0]["n_dim"], split_var)
    return generalize.States(model, configs, splits, **when)


def generators(configs, fit=0, **settings):
    return generalize.fit_generators(generalize.Config(**settings), configs, fit, CPU)


def fits(model, configs, split_var=None, when=None, **settings):
    """Decoders, and their r2."""
    config = generalize.Config(**settings)
    rngs = [generalize.fit_generators(config, configs, f, CPU) for f in range(config.n_fit)]
    fit = generalize.fit_ridge if config.decoder == "ridge" else generalize.fit_adam
    source = source_of(model, configs, split_var, **(when or {}))
    weight, bias = fit(source, configs, config, CPU, rngs, tqdm(disable=True))
    return weight, bias, generalize.test_decoders(source, config, rngs, weight, bias)


TRAIN = generalize.Splits(2).train


def test_batch_order_uses_each_trial_once_and_never_the_quadrant_held_out():
    order = generalize.batch_order(util.generator(0), TRAIN, 1536)
    assert order.shape == (8, 1536)
    for decoder, seen in enumerate(order):
        assert len(set(seen.tolist())) == 1536
        quadrants = torch.bincount(seen // 512, minlength=4).tolist()
        expected = [512] * 4 if decoder < 4 else [384] * 4
        if decoder < 4:
            expected[decoder] = 0
        assert quadrants == expected


def test_quadrant_states_are_those_of_the_network_in_that_quadrant():
    model, configs = make((2, 3))
    states, x = source_of(model, configs).draw(generators(configs), 5)
    assert states.shape == (2, 4, 5, 12) and x.shape == (2, 4, 5, 2)
    for quadrant, signs in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        assert (torch.sign(x[:, quadrant]) == torch.tensor(signs)).all()


def test_decoders_by_adam_equal_a_plain_loop():
    model, configs = make((2, 3))
    settings = {"n_fit": 2, "n_batch": 100, "seed": 4}
    weight, bias, _ = fits(model, configs, **settings)
    config, net, fit = generalize.Config(**settings), 1, 1
    for decoder in (2, 6):
        rng = generalize.fit_generators(config, configs, fit, CPU)
        start = torch.empty(8, 13, 2).uniform_(-(12**-0.5), 12**-0.5, generator=rng[net])
        start = start[decoder]
        linear = nn.Linear(12, 2)
        linear.weight.data, linear.bias.data = start[:12].T.clone(), start[12].clone()
        adam = torch.optim.Adam(linear.parameters(), lr=3e-3)
        rng[1 - net].manual_seed(0)  # what the other network draws does not matter
        for batch in range(100):
            if batch % generalize.CHUNK == 0:
                h, x = source_of(model, configs).draw(rng, 512)
                order = generalize.batch_order(rng[net], TRAIN, 1536)[decoder]
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
    h, x = source_of(model, configs).draw(generators(configs), 400)
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
    draw = generalize.States.draw

    def spoiled(*args):
        states, x = draw(*args)
        states[:, 1] = 1e6 * torch.randn_like(states[:, 1])
        return states, x

    monkeypatch.setattr(generalize.States, "draw", spoiled)
    config = generalize.Config(decoder="ridge", n_fit=1, n_ridge=200)
    source, rngs = source_of(model, configs), [generators(configs)]
    dirty, _ = generalize.fit_ridge(source, configs, config, CPU, rngs, tqdm(disable=True))
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

    def spoil(inputs):
        mean = inputs[:, :, 1:21, 1:].mean(2)
        off_diagonal = (mean[..., :1] * mean[..., 1:]) < 0
        code = torch.where(off_diagonal, torch.zeros_like(mean), mean)
        return torch.cat([code, torch.zeros(*code.shape[:-1], 10)], -1)

    model, (_, configs) = PerfectModel(), make()
    model.represent_last = spoil
    weight = torch.zeros(1, 1, 8, 12, 2)
    weight[..., :2, :] = torch.eye(2)
    config = generalize.Config(n_fit=1)
    source, rngs, bias = (
        source_of(model, configs),
        [generators(configs)],
        torch.zeros(1, 1, 8, 1, 2),
    )
    r_sq = generalize.test_decoders(source, config, rngs, weight, bias)
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
    assert "OOD held out" in text and "0.976" in text
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
        "another network's tensors": (
            variant("c2.pth", config={**content["config"], "network": "LSTM"}),
        ),
        "extra tensor": (variant("b2.pth", state_dict={**state, "foo": torch.zeros(2)}),),
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
        states.append(source_of(model, configs).draw(generators(configs), 50)[0][:, 0])
    assert not torch.allclose(*states)


def test_loading_never_runs_code(script, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "pwned"), "w"))

    torch.save({"state_dict": Evil(), "encoder": {}, "config": {}}, tmp_path / "evil.pth")
    code, _, err = script("generalize", "--networks", tmp_path / "evil.pth")
    assert code == 2 and one_line(err)
    assert not (tmp_path / "pwned").exists()


def test_split_var_holds_out_one_sign_of_one_factor():
    for split_var, other in ((0, 2), (1, 2), (2, 0)):
        splits = generalize.Splits(3, split_var)
        assert splits.factors == (split_var, other)
        model, configs = make(n_dim=3, task="LinearClassificationHighDim")
        _, x = source_of(model, configs, split_var).draw(generators(configs), 20)
        for held, sign in zip(splits.test, (-1, 1), strict=True):
            assert (torch.sign(x[:, held][..., split_var]) == sign).all()
        assert all(
            sorted(a + b) == [0, 1, 2, 3] for a, b in zip(splits.train, splits.test, strict=True)
        )
    order = generalize.batch_order(util.generator(0), splits.train, 1536)
    assert order.shape == (4, 1536)
    assert torch.bincount(order[0] // 768, minlength=4).tolist() == [0, 0, 768, 768]
    assert torch.bincount(order[2] // 768, minlength=4).tolist() == [384] * 4


@pytest.mark.parametrize("decoder", ["adam", "ridge"])
def test_an_ideal_observer_generalises_over_a_factor(decoder):
    _, configs = make(n_dim=3, task="LinearClassificationHighDim")
    settings = {"decoder": decoder, "n_batch": 2000, "n_test": 2000, "n_fit": 2}
    _, _, r_sq = fits(PerfectModel(3), configs, split_var=1, **settings)
    assert r_sq["quadrant"].shape == (1, 2, 2)
    assert abs(np.median(r_sq["quadrant"]) - util.r_sq_theory(20)) < 0.015


class Averaging(PerfectModel):
    """The mean of all evidence seen so far: the theory's curve in time."""

    n_fix = 1

    def represent_last(self, inputs):
        seen = inputs[:, :, self.n_fix :][..., self.n_fix :] if self.n_fix else inputs
        n_seen = (seen[0, 0] != 0).any(-1).sum()
        return seen.sum(2) / max(1, n_seen) @ self.map


@pytest.mark.parametrize("step, t", [(1, 0), (2, 1), (6, 5), (21, 20), (22, 20)])
def test_decoding_after_some_steps_follows_the_theory(step, t):
    _, configs = make()
    settings = {"decoder": "ridge", "n_fit": 2, "n_ridge": 4000, "n_test": 4000}
    source = source_of(PerfectModel(), configs, step=step)
    assert source.t == t
    _, _, r_sq = fits(Averaging(), configs, when={"step": step}, **settings)
    if t == 0:
        assert abs(np.median(r_sq["ID"])) < 0.01
    else:
        prior = 0.693 if t == 1 else util.r_sq_theory(t)  # linear: 1 / (1 + 0.48 / t) is the best
        assert np.median(r_sq["ID"]) == pytest.approx(1 / (1 + 0.48 / t), abs=0.01), prior


def test_free_reaction_time_is_decoded_at_any_duration():
    _, configs = make(task="LinearClassificationBound")
    model = Averaging()
    model.n_fix = 0
    for stimulus, t in ((500, 6), (5000, 51)):  # evidence comes in the decision step too
        when = {"stimulus": stimulus}
        assert source_of(model, configs, **when).t == t
        settings = {"decoder": "ridge", "n_fit": 2, "n_ridge": 4000, "n_test": 4000}
        _, _, r_sq = fits(model, configs, when=when, **settings)
        assert np.median(r_sq["ID"]) == pytest.approx(1 / (1 + 0.48 / t), abs=0.01)


def test_the_last_representation_is_that_of_the_whole_pass():
    for network in ("RNN", "LSTM", "GRU", "gpt-2"):
        config = train.Config(network=network, n_task=(2, 3), n_neu=8, n_head=8, n_layer=1)
        trainer = train.Trainer(train.network_configs(config), CPU)
        model = trainer.model.eval()
        inputs = trials(trainer)
        for n_step in (1, 9, 22):
            some = inputs[:, :, :n_step]
            last = model.represent_last(some)
            assert torch.allclose(last, model.represent(inputs)[:, :, n_step - 1], atol=1e-5)


def test_script_decodes_in_time_and_at_durations(script, tiny_networks, tmp_path):
    command = ("generalize", "--networks", tiny_networks, "--decoder", "ridge", "--n_fit", 1)
    command += ("--n_ridge", 100)
    out = tmp_path / "r_sq_time.npz"
    code, text, err = script(*command, "--step", 2, 22, "--out", out)
    assert code == 0, err
    file = util.load_npz(out)
    assert file["r_sq"].shape == (2, 2, 2, 4, 1) and file["step"].tolist() == [2, 22]
    assert file["t"].tolist() == [1, 20] and "| step |" in text
    one = tiny_networks / "*nTask3*"
    command = ("generalize", "--networks", one, *command[3:])
    code, _, err = script(*command, "--stimulus", 500, 1000, 2000, "--out", tmp_path / "r_sq_t.npz")
    assert code == 0, err
    file = util.load_npz(tmp_path / "r_sq_t.npz")
    assert file["r_sq"].shape == (3, 2, 4, 1) and file["timing"].tolist() == [500, 1000, 2000]
    whole = tmp_path / "r_sq_whole.npz"
    assert script(*command, "--out", whole)[0] == 0
    assert np.array_equal(util.load_npz(whole)["r_sq"][0], file["r_sq"][2])
    for flags in (
        ("--step", 23),
        ("--step", 0),
        ("--step", 2, "--stimulus", 500),
        ("--stimulus", 250),
        ("--step", 2, 2),
        ("--split_var", 2),
        ("--split_var", 0, "--held_out", "as_released"),
    ):
        code, _, err = script(*command, *flags, "--out", tmp_path / "x.npz")
        assert code == 2 and one_line(err), (flags, err)


def test_networks_of_every_kind_decode(script, tmp_path):
    kinds = {
        "LSTM": ("--network", "LSTM"),
        "GRU": ("--network", "GRU"),
        "gpt-2": ("--network", "gpt-2", "--n_head", 2),
        "noise after the encoder": ("--noise_enc",),
        "no encoder": ("--no-encode",),
        "free reaction time": ("--task", "LinearClassificationBound"),
        "rules": ("--task", "ContextDependent"),
        "AR(1)": ("--autocorr",),
        "non-linear": ("--task", "MultiplyClassificationFull"),
    }
    for i, (kind, flags) in enumerate(kinds.items()):
        n_task = 1 if kind == "rules" else 4
        settings = ("--n_task", n_task, "--n_batch", 10, "--n_neu", 8, *flags)
        code, _, err = script("train", *settings, "--out", tmp_path / str(i))
        assert code == 0, (kind, err)
        settings = ("--networks", tmp_path / str(i), "--n_batch", 10, "--n_fit", 1)
        code, _, err = script("generalize", *settings)
        assert code == 0, (kind, err)


def test_decoding_shows_the_noise_that_the_network_was_trained_with():
    for settings, sd in (
        ({"task": "LinearClassificationAnisot"}, (0.2, 0.4)),
        ({"noise_enc": True}, (0.0, 0.0)),
    ):
        model, configs = make(**settings)
        task = source_of(model, configs).tasks[3]
        inputs, _, x = tasks.sample([task], [util.generator(0)], 2000)
        noise = inputs[0, :, 1:21, 1:] - x[0][:, None]
        assert torch.allclose(noise.std((0, 1)), torch.tensor(sd), atol=5e-3)


def test_noise_after_the_encoder_follows_the_evidence(monkeypatch):
    """Free reaction time shows evidence in the decision step too, unlike training."""
    model, configs = make(noise_enc=True, task="LinearClassificationBound")
    in_training, seen, add_noise = model.evidence_steps, [], model.add_noise

    def watch(u, encoder_noise):
        seen.append(encoder_noise)
        return add_noise(u, encoder_noise)

    monkeypatch.setattr(model, "add_noise", watch)
    for stimulus, n_step in ((2000, 21), (500, 6)):
        source = source_of(model, configs, stimulus=stimulus)
        source.draw(generators(configs), 5)
        assert seen[-1].shape == (1, 5, n_step, 40) and (seen[-1] != 0).all()
        assert model.evidence_steps == in_training


@pytest.mark.parametrize("kind", ["four factors", "one sign held out"])
def test_every_measure_is_two_files_where_the_released_test_says_nothing_more(
    script, tiny_networks, tmp_path, kind
):
    networks, flags, n_split = tiny_networks, ("--split_var", 1), 2
    if kind == "four factors":
        networks, flags, n_split = tmp_path / "nets", (), 4
        settings = ("--task", "LinearClassificationHighDim", "--n_dim", 4, "--n_neu", 8)
        code, _, err = script("train", *settings, "--n_task", 4, "--n_batch", 10, "--out", networks)
        assert code == 0, err
    command = ("generalize", "--networks", networks, "--n_batch", 10, "--n_fit", 1, *flags)
    out = tmp_path / "new" / "r_sq_RNN.npz"
    code, _, err = script(*command, "--every_measure", "--out", out)
    assert code == 0, err
    names = [f"{file}_RNN{end}.npz" for file in ("decoders", "r_sq") for end in ("", "_ID")]
    assert sorted(path.name for path in out.parent.iterdir()) == sorted(names)
    for end, measure in (("", ()), ("_ID", ("--in_distribution",))):
        one = tmp_path / f"one{end}.npz"
        assert script(*command, *measure, "--out", one)[0] == 0
        both = util.load_npz(one), util.load_npz(out.with_name(f"r_sq_RNN{end}.npz"))
        assert both[0]["r_sq"].shape[2:] == (n_split, 1)
        for key in ("r_sq", "test", "config"):
            assert np.array_equal(both[0][key], both[1][key])
