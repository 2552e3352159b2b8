"""Decoding: fast against slow, known answers, what the script writes, and bad input."""

import numpy as np
import pytest
import torch
from conftest import make as trainer_of
from conftest import one_line, save_small, trials
from scipy.special import expit, log_ndtr, ndtri
from sklearn.linear_model import Ridge
from torch import nn
from tqdm import tqdm

import batches
import decoders
import table
import tasks
import util
from generalize import Config
from settings import seeds_of
from theory import r2_mean

CPU = torch.device("cpu")
HIGH = "LinearClassificationHighDim"


def make(n_task=(2,), **settings):
    """Untrained small networks: model and configs."""
    trainer = trainer_of(n_task, n_neu=12, **settings)
    return trainer.model.requires_grad_(False), trainer.configs


class Observer:
    """Stands in for a network whose last state is the mean of the evidence so far, in 12 units."""

    def __init__(self, n_dim=2, n_fix=1):
        self.n_fix, self.map = n_fix, torch.randn(n_dim, 12, generator=util.generator(0))

    def draw_noise(self, *_, **__):
        return {}

    def represent_last(self, inputs):
        seen = inputs[:, :, self.n_fix :, self.n_fix :]
        return seen.sum(2) / max(1, (seen[0, 0] != 0).any(-1).sum()) @ self.map


def source_of(model, configs, split_var=None, **when):
    return decoders.States(model, configs, decoders.Splits(configs[0]["n_dim"], split_var), **when)


def generators(configs, fit=0, **settings):
    return decoders.fit_generators(Config(**settings), configs, fit, CPU)


def fits(model, configs, split_var=None, when=None, **settings):
    """Decoders, and their r2."""
    config = Config(**settings)
    rngs = [decoders.fit_generators(config, configs, f, CPU) for f in range(config.n_fit)]
    source = source_of(model, configs, split_var, **(when or {}))
    fit = decoders.fit_ridge if config.decoder == "ridge" else decoders.fit_adam
    if config.decoder.startswith("closed"):
        source, fit = decoders.Outputs(source, "clip" in config.decoder), decoders.fit_closed
    weight, bias = fit(source, configs, config, rngs, tqdm(disable=True))
    return weight, bias, decoders.test_decoders(source, config.n_test, rngs, weight, bias)


TRAIN = decoders.Splits(2).train


def test_batch_order_uses_each_trial_once_and_never_the_quadrant_held_out():
    order = decoders.batch_order(util.generator(0), TRAIN, 1536)
    assert order.shape == (8, 1536) and all(len(set(seen.tolist())) == 1536 for seen in order)
    for decoder, seen in enumerate(order):
        expected = np.array([512 if decoder < 4 else 384] * 4) * (np.arange(4) != decoder)
        assert torch.bincount(seen // 512, minlength=4).tolist() == expected.tolist()


def test_quadrant_states_are_those_of_the_network_in_that_quadrant():
    model, configs = make((2, 3))
    states, x = source_of(model, configs).draw(generators(configs), 5)
    assert states.shape == (2, 4, 5, 12) and x.shape == (2, 4, 5, 2)
    signs = torch.tensor([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    assert (torch.sign(x) == signs[:, None]).all()


def test_decoders_by_adam_equal_a_plain_loop():
    model, configs = make((2, 3))
    settings = {"n_fit": 2, "n_batch": 100, "seed": 4}
    weight, bias, _ = fits(model, configs, **settings)
    config, net, fit = Config(**settings), 1, 1
    for decoder in (2, 6):
        rng = decoders.fit_generators(config, configs, fit, CPU)
        start = torch.empty(8, 13, 2).uniform_(-(12**-0.5), 12**-0.5, generator=rng[net])[decoder]
        linear = nn.Linear(12, 2)
        linear.weight.data, linear.bias.data = start[:12].T.clone(), start[12].clone()
        adam = torch.optim.Adam(linear.parameters(), lr=3e-3)
        rng[1 - net].manual_seed(0)  # what the other network draws does not matter
        for batch in range(100):
            if batch % decoders.CHUNK == 0:
                h, x = source_of(model, configs).draw(rng, 512)
                order = decoders.batch_order(rng[net], TRAIN, 1536)[decoder]
                h, x = h[net].flatten(0, 1)[order], x[net].flatten(0, 1)[order]
            at = (batch % decoders.CHUNK) * 16
            loss = nn.functional.mse_loss(linear(h[at : at + 16]), x[at : at + 16])
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert torch.allclose(weight[net, fit, decoder], linear.weight.T, atol=1e-5)
        assert torch.allclose(bias[net, fit, decoder, 0], linear.bias, atol=1e-5)


def test_ridge_equals_scikit_learn():
    model, configs = make((2, 3))
    h, x = source_of(model, configs).draw(generators(configs), 400)
    moments = decoders.quadrant_moments(h, x)
    weight, bias = decoders.ridge(moments, [0, 1, 3])
    for net in range(2):
        seen_h, seen_x = (v[net, [0, 1, 3]].flatten(0, 1).double().numpy() for v in (h, x))
        scale = np.cov(seen_h.T, bias=True).trace() / 12
        for i in (0, 6, 12):
            alpha = decoders.PENALTIES[i] * scale * len(seen_h)
            slow = Ridge(alpha=alpha).fit(seen_h, seen_x)
            assert np.allclose(weight[net, i].T, slow.coef_, atol=1e-4 * abs(slow.coef_).max())
            assert np.allclose(bias[net, i, 0], slow.intercept_, atol=1e-4)
    error = 0  # of the penalty, on each quadrant left out
    for left_out in (0, 1, 3):
        weight, bias = decoders.ridge(moments, [q for q in (0, 1, 3) if q != left_out])
        output = h[:, left_out].double()[:, None] @ weight + bias
        error = error + ((output - x[:, left_out][:, None]) ** 2).sum(3).mean(2)
    assert torch.equal(decoders.best_ridge(moments, [0, 1, 3])[2], error.argmin(1))


def test_ridge_never_looks_at_the_quadrant_it_is_tested_on(monkeypatch):
    model, configs = make()
    clean, _, _ = fits(model, configs, decoder="ridge", n_fit=1, n_ridge=200)
    draw = decoders.States.draw

    def spoiled(*args):
        states, x = draw(*args)
        states[:, 1] = 1e6 * torch.randn_like(states[:, 1])
        return states, x

    monkeypatch.setattr(decoders.States, "draw", spoiled)
    dirty, _, _ = fits(model, configs, decoder="ridge", n_fit=1, n_ridge=200)
    assert torch.equal(clean[:, :, 1], dirty[:, :, 1])
    assert not torch.allclose(clean[:, :, 0], dirty[:, :, 0])


@pytest.mark.parametrize("n_dim", [2, 3])
@pytest.mark.parametrize("decoder", ["adam", "ridge"])
def test_an_ideal_observer_reaches_the_theory_and_not_more(decoder, n_dim):
    task = "LinearClassificationCentOut" if n_dim == 2 else HIGH
    _, configs = make(n_dim=n_dim, task=task)
    _, _, r_sq = fits(Observer(n_dim), configs, decoder=decoder, n_batch=3000, n_test=4000)
    for measure in decoders.MEASURES:
        assert r_sq[measure].shape == (1, 4, 5)
        assert abs(np.median(r_sq[measure]) - r2_mean(20)) < 0.01
        assert r_sq[measure].max() < 0.985
    if n_dim > 2:
        assert np.array_equal(r_sq["quadrant"], r_sq["as_released"])


def test_r_sq_uses_the_variance_of_the_whole_space():
    x = torch.rand(1, 1, 100_000, 2) / 2  # one quadrant
    weight, bias = torch.zeros(1, 1, 3, 2), torch.full((1, 1, 1, 2), 0.25)
    r_sq = decoders.r_sq_of(weight, bias, torch.zeros(1, 1, 100_000, 3), x)
    assert r_sq.item() == pytest.approx(1 - 1 / 4, abs=0.01)  # its own variance is 1/48


def test_as_released_tests_two_splits_on_quadrants_their_decoder_knew():
    """A decoder that fails on (-,+) and (+,-) alone shows which test looks where."""

    def spoil(inputs):
        mean = inputs[:, :, 1:21, 1:].mean(2)
        code = mean * (mean.prod(-1, keepdim=True) > 0)
        return torch.nn.functional.pad(code, (0, 10))

    model, (_, configs) = Observer(), make()
    model.represent_last = spoil
    weight, bias = torch.zeros(1, 1, 8, 12, 2), torch.zeros(1, 1, 8, 1, 2)
    weight[..., :2, :] = torch.eye(2)
    source = source_of(model, configs)
    r_sq = decoders.test_decoders(source, 640, [generators(configs)], weight, bias)
    assert (r_sq["quadrant"][0, :, 0] > 0.9).tolist() == [True, False, False, True]
    assert (r_sq["as_released"] > 0.9).all() and 0.2 < r_sq["ID"].mean() < 0.8


def test_angles():
    weight = np.zeros((1, 3, 3))
    weight[0, :, 0], weight[0, :, 1], weight[0, :, 2] = (1, 0, 0), (1, 1, 0), (0, 0, -2)
    angles = decoders.column_angles(weight)[0]
    assert angles[0, 1] == pytest.approx(45) and angles[0, 2] == pytest.approx(90)
    assert np.isnan(angles[[0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]]).all()


def test_script_writes_what_it_measured(script, tiny_networks, tmp_path):
    command = ("generalize", "--networks", tiny_networks, "--n_batch", 30, "--n_fit", 2)
    out = tmp_path / "new" / "r_sq_RNN.npz"
    code, text, err = script(*command, "--out", out, "--every_measure")
    assert code == 0 and "OOD held out" in text and "0.976" in text, err
    released, held, within = (
        util.load_npz(out.with_name(f"r_sq_RNN{end}.npz")) for end in ("", "_quadrant", "_ID")
    )
    for file in (released, held, within):
        assert file["r_sq"].shape == (2, 2, 4, 2)  # n_tasks, runs, splits, fits
        assert file["n_tasks"].tolist() == [2, 3] and not np.isnan(file["r_sq"]).any()
    assert held["test"].tolist() == [[0], [1], [2], [3]]
    assert released["test"].tolist() == [[0, -1], [0, 3], [0, 3], [3, -1]]
    assert (held["r_sq"][:, :, [0, 3]] == released["r_sq"][:, :, [0, 3]]).all()
    weights = util.load_npz(out.with_name("decoders_RNN_quadrant.npz"))
    assert weights["dec"].shape == (2, 2, 4, 2, 8, 2)
    assert weights["angles"].shape == (2, 2, 4, 2, 2, 2)
    one, flags = tmp_path / "one.npz", ((), ("--held_out", "as_released"), ("--in_distribution",))
    for some, file in zip(flags, (held, released, within), strict=True):
        assert script(*command, *some, "--overwrite", "--out", one)[0] == 0
        assert np.array_equal(util.load_npz(one)["r_sq"], file["r_sq"])  # seeded


def test_a_network_is_decoded_alone_as_among_others_and_missing_runs_are_nan(
    script, tiny_networks, tmp_path
):
    command = ("generalize", "--n_batch", 30, "--n_fit", 1, "--networks")
    names, files = ("*nTask2*run0.pth", "*nTask3*run1.pth"), []
    for some in ([tiny_networks], [tiny_networks / name for name in names]):
        out = tmp_path / f"{len(some)}.npz"
        assert script(*command, *some, "--out", out)[0] == 0
        files.append(util.load_npz(out)["r_sq"])
    missing = np.eye(2) == 0  # (n_tasks, runs)
    assert np.isnan(files[1][missing]).all() and not np.isnan(files[0]).any()
    assert np.allclose(files[0][~missing], files[1][~missing], atol=1e-4)


def test_bad_input_is_one_line(script, tiny_networks, tmp_path):
    (tmp_path / "empty").mkdir()
    good, out = next(tiny_networks.glob("*.pth")), tmp_path / "x.npz"
    content = torch.load(good, weights_only=True)
    config, state, encoder = (content[part] for part in ("config", "state_dict", "encoder"))
    files = {  # name -> what differs from a good file
        "no config": {"config": None},
        "list": {"state_dict": [1, 2]},
        "config of another kind": {"config": [1]},
        "decoder gone": {"decoder": None},
        "missing tensor": {"state_dict": {k: v for k, v in state.items() if "to_rec" not in k}},
        "extra tensor": {"state_dict": {**state, "foo": torch.zeros(2)}},
        "nan": {"encoder": {key: value * torch.nan for key, value in encoder.items()}},
        "other architecture": {"config": {**config, "network": "CNN"}},
        "another network's tensors": {"config": {**config, "network": "LSTM"}},
        "wrong shape": {"config": {**config, "n_neu": 9}},
        "number as text": {"config": {**config, "n_neu": "8"}},
        "activation": {"config": {**config, "activation": "sin"}},
        "mixed": {"config": {**config, "leaky": False, "run": 7}},
        "twice": {},
    }
    for name, changes in files.items():
        new = {key: value for key, value in {**content, **changes}.items() if value is not None}
        torch.save(new, tmp_path / f"{name}.pth")
    (tmp_path / "cut.pth").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "text.pth").write_text("not a network")
    for name in (*files, "cut", "text", "not there", "empty", "*.gone"):
        with_good = (good,) if name in ("mixed", "twice") else ()
        path = tmp_path / (name if name in ("empty", "*.gone") else f"{name}.pth")
        code, _, err = script("generalize", "--networks", path, *with_good, "--out", out)
        assert code == 2 and one_line(err), (name, err)
    for flags in ("--n_fit 0", "--decoder lasso", "--out x.txt", "--held no", "--lr 0"):
        code, _, err = script("generalize", "--networks", good, *flags.split())
        assert code == 2 and one_line(err), (flags, err)
    assert not out.exists()


def test_results_of_other_settings_are_not_overwritten(script, tiny_networks, tmp_path):
    command = ("generalize", "--networks", tiny_networks, "--n_fit", 1, "--out", tmp_path / "r.npz")
    assert [script(*command, "--n_batch", 20)[0] for _ in range(2)] == [0, 0]
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


def test_split_var_holds_out_one_sign_of_one_factor():
    for split_var, other in ((0, 2), (1, 2), (2, 0)):
        splits = decoders.Splits(3, split_var)
        assert splits.factors == (split_var, other)
        model, configs = make(n_dim=3, task=HIGH)
        _, x = source_of(model, configs, split_var).draw(generators(configs), 20)
        for held, sign in zip(splits.test, (-1, 1), strict=True):
            assert (torch.sign(x[:, held][..., split_var]) == sign).all()
        both = zip(splits.train, splits.test, strict=True)
        assert all(sorted(a + b) == [0, 1, 2, 3] for a, b in both)
    order = decoders.batch_order(util.generator(0), splits.train, 1536)
    assert order.shape == (4, 1536)
    assert torch.bincount(order[0] // 768, minlength=4).tolist() == [0, 0, 768, 768]
    assert torch.bincount(order[2] // 768, minlength=4).tolist() == [384] * 4


@pytest.mark.parametrize("decoder", ["adam", "ridge"])
def test_an_ideal_observer_generalises_over_a_factor(decoder):
    _, configs = make(n_dim=3, task=HIGH)
    settings = {"decoder": decoder, "n_batch": 2000, "n_test": 2000, "n_fit": 2}
    _, _, r_sq = fits(Observer(3), configs, split_var=1, **settings)
    assert r_sq["quadrant"].shape == (1, 2, 2)
    assert abs(np.median(r_sq["quadrant"]) - r2_mean(20)) < 0.015


@pytest.mark.parametrize("step, t", [(1, 0), (2, 1), (6, 5), (21, 20), (22, 20)])
def test_decoding_after_some_steps_follows_the_theory(step, t):
    _, configs = make()
    settings = {"decoder": "ridge", "n_fit": 2, "n_ridge": 4000, "n_test": 4000}
    assert table.time_columns(configs[0], [step])["t"].tolist() == [t]
    _, _, r_sq = fits(Observer(), configs, when={"step": step}, **settings)
    best = 1 / (1 + 0.48 / t) if t else 0  # of linear decoders
    assert np.median(r_sq["ID"]) == pytest.approx(best, abs=0.01)


def test_free_reaction_time_is_decoded_at_any_duration():
    _, configs = make(task="LinearClassificationBound")
    model = Observer(n_fix=0)
    for stimulus, t in ((500, 6), (5000, 51)):  # evidence comes in the decision step too
        when = {"stimulus": stimulus}
        assert table.time_columns(configs[0], (), [stimulus])["t"].tolist() == [t]
        settings = {"decoder": "ridge", "n_fit": 2, "n_ridge": 4000, "n_test": 4000}
        _, _, r_sq = fits(model, configs, when=when, **settings)
        assert np.median(r_sq["ID"]) == pytest.approx(1 / (1 + 0.48 / t), abs=0.01)


def test_the_last_representation_is_that_of_the_whole_pass():
    for network in ("RNN", "LSTM", "GRU", "gpt-2"):
        trainer = trainer_of((2, 3), n_neu=8, network=network)
        model = trainer.model.eval()
        inputs = trials(trainer)
        for n_step in (1, 9, 22):
            some = inputs[:, :, :n_step]
            last = model.represent_last(some)
            assert torch.allclose(last, model.represent(inputs)[:, :, n_step - 1], atol=1e-5)


def test_script_decodes_in_time_and_at_durations(script, tiny_networks, tmp_path):
    settings = ("--decoder", "ridge", "--n_fit", 1, "--n_ridge", 100, "--networks")

    def run(networks, *flags):
        out = tmp_path / f"of{'_'.join(map(str, flags))}.npz"
        code, text, err = script("generalize", *settings, networks, *flags, "--out", out)
        assert code == 0, err
        return util.load_npz(out), text

    file, text = run(tiny_networks, "--step", 1, 2, 22)
    assert file["r_sq"].shape == (3, 2, 2, 4, 1) and file["step"].tolist() == [1, 2, 22]
    assert file["t"].tolist() == [0, 1, 20] and "| step |" in text and "| - " in text
    assert file["ccgp"].shape == (3, 2, 2, 1, 2) and file["ccgp_chance"].shape == (3, 2, 2, 2, 3)
    assert (file["ccgp"][0] == 0.5).all()  # fixation says nothing of x*
    assert np.isnan(file["parallelism"][0]).all() and not np.isnan(file["parallelism"][1:]).any()
    one = tiny_networks / "*nTask3*"
    file, _ = run(one, "--stimulus", 500, 1000, 2000)
    assert file["r_sq"].shape == (3, 2, 4, 1) and file["timing"].tolist() == [500, 1000, 2000]
    assert file["parallelism"].shape == (3, 2, 1, 2)
    assert np.array_equal(run(one)[0]["r_sq"][0], file["r_sq"][2])
    wrong = ("--step 23", "--step 0", "--step 2 --stimulus 500", "--stimulus 250", "--step 2 2")
    wrong += ("--split_var 2", "--split_var 0 --held_out as_released")
    for flags in wrong:
        command = ("generalize", *settings, one, *flags.split(), "--out", tmp_path / "x.npz")
        code, _, err = script(*command)
        assert code == 2 and one_line(err), (flags, err)


def test_one_map_is_the_id_decoder_tested_in_each_quadrant():
    model, configs = make((2, 3))
    weight, bias, r_sq = fits(model, configs, decoder="ridge", n_fit=2, n_ridge=200, n_test=100)
    for fit in range(2):
        rngs = generators(configs, fit)
        source = source_of(model, configs)
        source.draw(rngs, 200)  # those it was fitted on
        h, x = source.draw(rngs, 100)
        for net in range(2):
            for split in range(4):
                w, b = (v[net, fit, 4 + split] for v in (weight, bias))
                error = sum(
                    ((h[net, split, trial] @ w + b[0] - x[net, split, trial]) ** 2).mean()
                    for trial in range(100)
                )
                found = r_sq["one_map"][net, split, fit]
                assert found == pytest.approx(float(1 - 12 * error / 100), abs=1e-5)
    assert not np.allclose(r_sq["one_map"], r_sq["quadrant"], atol=1e-4)


# ------------------------------------------------------------------ the closed form


class Classifier(Observer):
    """The optimal classifier, Phi((c . mean - b) sqrt(t) / sigma), or `scale` times as sure."""

    def __init__(self, config, t=20, scale=1.0):
        super().__init__(config["n_dim"])
        self.map, self.t, self.scale = torch.eye(config["n_dim"]), t, scale
        self.task = tasks.make_task(config, seeds_of(config)["task"])

    def readout(self, mean):
        z = (mean @ self.task.normals.T - self.task.offsets).double() * self.t**0.5 / 0.2
        z *= self.scale
        return (log_ndtr(z) - log_ndtr(-z)).float()


def test_outputs_of_any_size_are_turned_into_standard_deviations():
    logits = torch.linspace(-12, 12, 49, dtype=torch.float64)
    assert np.allclose(decoders.probit(logits), ndtri(expit(logits)), atol=1e-9)
    large = torch.tensor([20.0, 100.0, 1e4, -1e4])
    z = decoders.probit(large).double()
    assert np.allclose(log_ndtr(-abs(z)), -abs(large), rtol=1e-5) and z[3] == -z[2]
    clipped = decoders.probit(large, np.log(decoders.CLIP))
    assert np.allclose(abs(clipped), -ndtri(decoders.CLIP)) and clipped[3] < 0
    assert np.float32(1 - decoders.CLIP / 2) == 1 > np.float32(1 - decoders.CLIP)


@pytest.mark.parametrize("offsets", [False, True])
@pytest.mark.parametrize("n_dim, n_task, step", [(2, 2, None), (2, 5, 6), (3, 4, None), (2, 3, 2)])
def test_the_closed_form_recovers_the_mean_of_the_evidence(
    monkeypatch, n_dim, n_task, step, offsets
):
    if offsets:
        monkeypatch.setattr(tasks.Classification, "offsets", torch.linspace(-0.2, 0.3, n_task))
    _, configs = make((n_task,), n_dim=n_dim, task=HIGH)
    model = Classifier(configs[0], len(range(step or 22)[1:21]))
    weight, bias, r_sq = fits(model, configs, decoder="closed", n_fit=1, when={"step": step})
    source = source_of(model, configs, step=step)
    outputs, _ = decoders.Outputs(source, False).draw(generators(configs), 50)
    means, _ = source.draw(generators(configs), 50)
    assert torch.allclose(outputs[0] @ weight[0, 0, 0] + bias[0, 0, 0], means[0], atol=1e-4)
    assert (weight == weight[:, :, :1]).all() and np.array_equal(r_sq["quadrant"], r_sq["one_map"])
    assert np.median(r_sq["quadrant"]) == pytest.approx(float(r2_mean(model.t)), abs=0.15 / model.t)


def test_the_scale_of_the_closed_form_is_fitted_on_the_training_quadrants():
    _, configs = make((6,), task=HIGH)
    model = Classifier(configs[0], scale=0.5)
    _, _, plain = fits(model, configs, decoder="closed", n_fit=2)
    right, _, _ = fits(Classifier(configs[0]), configs, decoder="closed", n_fit=2)
    weight, _, fitted = fits(model, configs, decoder="closed_fit", n_fit=2)
    scale = weight[..., 0, 0] / right[..., 0, 0]
    shrunk = 1 / (1 + 0.024)  # noise of the mean, 0.002, against x* of variance 1/12
    assert torch.allclose(scale, torch.tensor(2 * shrunk), rtol=0.02)
    assert np.median(plain["quadrant"]) < 0.8 < 0.96 < np.median(fitted["quadrant"])
    source = decoders.Outputs(source_of(model, configs), False)
    z, x = source.draw(generators(configs), 1024)
    output = z[0] @ right[0, 0, 0]
    seen = [v[[0, 1, 3]].reshape(-1, 1) for v in (output, x[0])]  # quadrant 2 is held out
    assert scale[0, 0, 2].item() == pytest.approx(np.linalg.lstsq(*seen)[0].item(), rel=1e-4)


def test_clipping_takes_sure_outputs_down():
    _, configs = make((4,), task=HIGH)
    model = Classifier(configs[0])
    plain, clipped = (
        np.median(fits(model, configs, decoder=name, n_fit=1)[2]["ID"])
        for name in ("closed", "closed_clip")
    )
    assert plain - 0.02 > clipped > 0.5


NO_CLOSED_FORM: list[tuple[dict, str, str]] = [
    ({"n_task": (3,), "n_dim": 4, "task": HIGH}, "", "span 3 of D = 4"),
    ({"n_task": (1,)}, "", "span 1 of D = 2"),
    ({"task": "MultiplyClassificationFull"}, "", "linear boundaries"),
    ({"task": "GridClassification"}, "", "linear boundaries"),
    ({"task": "ContextDependent", "n_task": (1,)}, "", "linear boundaries"),
    ({"task": "LinearClassificationBound"}, "", "probabilities"),
    ({"noise_enc": True}, "", "after the encoder"),
    ({"n_batch": 0}, "", "not trained"),
    ({"network": "encoder-mean", "n_neu": 40}, "", "not trained"),
    ({}, "--step 1 22", "no sample"),
]


@pytest.mark.parametrize("kind, flags, words", NO_CLOSED_FORM, ids=str)
def test_where_there_is_no_closed_form_one_line_says_why(script, tmp_path, kind, flags, words):
    save_small(tmp_path, **{"n_neu": 8, "n_task": (4,), **kind})
    command = ("generalize", "--networks", tmp_path, "--decoder", "closed_fit", *flags.split())
    code, _, err = script(*command)
    assert code == 2 and one_line(err) and words in err, err
    assert not (tmp_path / "results.csv").exists()


def test_the_closed_form_stands_in_the_table(script, tiny_networks, tmp_path):
    for decoder in ("closed", "closed_fit", "closed_clip", "closed_fit_clip"):
        command = ("generalize", "--networks", tiny_networks, "--decoder", decoder, "--n_fit", 1)
        code, text, err = script(*command, "--out", tmp_path / "r.csv")
        assert code == 0 and f"decoder {decoder}" in text, err
    rows = table.read(tmp_path / "r.csv").query("measure in @decoders.MEASURES")
    sizes = rows.groupby(["decoder", "n_task", "run", "measure"]).size()
    assert sizes.shape == (4 * 2 * 2 * 4,) and (sizes == 4).all()
    assert rows["angle"].isna().all() and rows["r2"].notna().all()
    of = rows.pivot_table("r2", ["n_task", "run", "measure", "split"], "decoder")
    assert np.allclose(of["closed"], of["closed_clip"])  # hardly trained: nothing saturates
    assert not np.allclose(of["closed"], of["closed_fit"])


KINDS: list[dict] = [{"network": "LSTM"}, {"network": "GRU"}, {"network": "gpt-2", "n_head": 2}]
KINDS += [{"noise_enc": True}, {"encode": False}, {"task": "LinearClassificationBound"}]
KINDS += [{"task": "ContextDependent", "n_task": (1,)}, {"autocorr": True}]
KINDS += [{"task": "MultiplyClassificationFull"}]


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_networks_of_every_kind_decode(script, tmp_path, settings):
    save_small(tmp_path, **{"n_neu": 8, "n_task": (4,), **settings})
    code, _, err = script("generalize", "--networks", tmp_path, "--n_batch", 10, "--n_fit", 1)
    assert code == 0, err


def test_decoding_shows_the_noise_that_the_network_was_trained_with():
    kinds = ({"task": "LinearClassificationAnisot"}, (0.2, 0.4)), ({"noise_enc": True}, (0.0, 0.0))
    for settings, sd in kinds:
        task = source_of(*make(**settings)).tasks[3]
        inputs, _, x = batches.sample([task], [util.generator(0)], 2000)
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
        (networks,), flags, n_split = save_small(tmp_path, n_task=(4,), n_dim=4, task=HIGH), (), 4
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
