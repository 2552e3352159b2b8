"""train.py as its users run it, in one process: settings, interruptions, divergence; losses."""

import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT, TINY, make, one_line, shell

import train
import util
from batches import Batches, sample
from checkpoint import load_ensemble
from settings import label, network_configs, seeds_of
from tasks import make_task
from training import Trainer, confusion, draw_penalty, loss_of


def cases(text):
    """The options of each case of a table."""
    return [case.strip() for case in re.split(r"[|\n]", text.strip())]


def weights(path):
    """All tensors of a checkpoint by name."""
    content = torch.load(path, weights_only=True)
    parts = ("state_dict", "encoder", "decoder")
    tensors = {f"{p}.{k}": v for p in parts for k, v in content[p].items()}
    return tensors | {k: content[k] for k in ("loss_hist", "conf_matr_hist")}


def same(folder, other, atol=0.0):
    """Do two folders hold the same networks, bit for bit or nearly?"""
    names = sorted(p.name for p in folder.glob("*.pth"))
    assert names and names == sorted(p.name for p in other.glob("*.pth"))
    for name in names:
        first, second = weights(folder / name), weights(other / name)
        for k in first:
            equal = torch.equal(first[k], second[k])
            assert equal or (atol and torch.allclose(first[k], second[k], atol=atol)), (name, k)


def batches_in(log):
    """The numbers in a log's lines."""
    return [json.loads(line)["batch"] for line in log.read_text().splitlines()[1:]]


STEP = Trainer.step


def during(monkeypatch, actions):
    """Have f(trainer) called after batch 20 of trainings in this process: {20: f}."""

    def busy(self):
        result = STEP(self)
        actions.get(self.done, lambda trainer: None)(self)
        return result

    monkeypatch.setattr(Trainer, "step", busy)


def send(number):
    """An action that sends a signal to this process."""
    return lambda trainer: os.kill(os.getpid(), number)


def spoil(net):
    """An action that makes a network diverge."""
    return lambda trainer: trainer.model.readout.out_weight.data[net].fill_(float("nan"))


def test_writes_self_describing_checkpoints_and_a_log(tiny_networks):
    paths = sorted(tiny_networks.glob("*.pth"))
    assert len(paths) == 4
    content = torch.load(paths[0], weights_only=True)
    parts = {"state_dict", "encoder", "decoder", "config", "loss_hist", "conf_matr_hist"}
    assert set(content) == parts
    assert content["loss_hist"].shape == (100,) and content["conf_matr_hist"].shape == (100, 2, 2)
    assert torch.allclose(content["conf_matr_hist"].sum((1, 2)), torch.ones(100))
    assert content["config"]["n_task"] == 2 and content["config"]["run"] == 0
    assert label(content["config"]) == paths[0].stem
    (log,) = tiny_networks.glob("*.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines[0]["networks"]) == 4 and set(lines[0]) == {"networks", "config", "machine"}
    assert batches_in(log) == sorted(set(batches_in(log))) and batches_in(log)[-1] == 120
    last = {"batch", "networks", "loss", "accuracy", "networks_x_batches_per_s", "seconds"}
    assert set(lines[-1]) == last and len(lines[-1]["loss"]) == 4
    assert not list(tiny_networks.glob("*.snapshot")) and not list(tiny_networks.glob(".*"))


def test_loads_strictly_in_code_that_knows_the_four_keys_only(tiny_networks):
    content = torch.load(tiny_networks / "RNN_nTask3_n_neu8_n_batch120_run1.pth", weights_only=True)
    network = {"inp_to_rec": (8, 41), "rec_to_rec": (8, 8), "rec_to_out": (3, 8)}
    encoder = {"0": (100, 2), "2": (100, 100), "4": (40, 100)}
    for part, layers in (("state_dict", network), ("encoder", encoder)):
        expected = {f"{layer}.weight": shape for layer, shape in layers.items()}
        expected |= {f"{layer}.bias": shape[:1] for layer, shape in layers.items()}
        assert {key: tuple(x.shape) for key, x in content[part].items()} == expected


def test_learns(script, tmp_path):
    args = ("--n_task", 6, "--n_batch", 800, "--lr", 0.005, "--out", tmp_path)
    code, out, _ = script("train", *args)
    assert code == 0 and "800/800 batches, loss" in out and "networks x batches/s" in out
    content = torch.load(next(tmp_path.glob("*.pth")), weights_only=True)
    accuracy = content["conf_matr_hist"][-20:].diagonal(dim1=1, dim2=2).sum(1).mean()
    assert accuracy > 0.85
    assert content["loss_hist"][-1] < content["loss_hist"][0]


def test_what_is_trained_is_skipped_and_never_overwritten(script, tmp_path):
    command = ("train", "--n_task", 2, "--n_batch", 100, "--n_neu", 4, "--out", tmp_path)
    assert script(*command)[0] == 0
    path = next(tmp_path.glob("*.pth"))
    before = path.stat().st_mtime_ns
    code, out, _ = script(*command)
    assert code == 0 and "1 of 1 networks are trained already, skipped" in out
    assert path.stat().st_mtime_ns == before
    code, out, _ = script(*command, "--runs", 0, 1)
    assert code == 0 and "1 of 2" in out and len(list(tmp_path.glob("*.pth"))) == 2
    content = torch.load(path, weights_only=True)
    content["config"]["lr"] = 0.5  # another network under the same name
    torch.save(content, path)
    code, _, err = script(*command)
    assert code == 2 and one_line(err) and "lr = 0.5" in err
    assert script(*command, "--overwrite")[0] == 0
    assert torch.load(path, weights_only=True)["config"]["lr"] == 0.001


# ------------------------------------------------------------------ interrupted


LONG = ("--n_task", "2", "5", "--n_batch", "600", "--n_neu", "8", "--n_sd_net", "1")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The long training to its end."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    train.main(util.parse(train.Config, [*LONG, "--workers", "1", "--out", str(folder)]))
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_resumes_bit_for_bit(number, uninterrupted, script, monkeypatch, tmp_path):
    command = [*LONG, "--workers", "1", "--out", str(tmp_path)]
    if number == signal.SIGKILL:  # at random, once there is a snapshot
        process = subprocess.Popen([sys.executable, str(ROOT / "train.py"), *command])
        while not list(tmp_path.glob("*.snapshot")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.2)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    else:
        during(monkeypatch, {345: send(number)})
        code, _, err = script("train", *command)
        assert code == 130 and one_line(err) and "stopped at batch 345 of 600; the same" in err
    assert not list(tmp_path.glob("*.pth"))
    during(monkeypatch, {})
    code, out, _ = script("train", *command)
    assert code == 0 and "resuming at batch" in out
    same(uninterrupted, tmp_path)
    assert not list(tmp_path.glob("*.snapshot")) and not list(tmp_path.glob(".*.partial"))
    (log,) = tmp_path.glob("*.jsonl")
    assert batches_in(log) == list(range(6, 601, 6))


def after(n_batch, trainer):
    """A Trainer after so many more batches."""
    for _ in range(n_batch):
        trainer.step()
    return trainer


RESUMED = [
    {"network": "gpt-2"},  # with dropout
    {"network": "LSTM", "rand_pen": True},
    {"n_sd_net": 1.0, "noise_enc": True, "rand_pen": True, "trial_num": 2},
    {"network": "GRU", "task": "LinearClassificationBound"},
]


@pytest.mark.parametrize("settings", RESUMED)
def test_a_snapshot_holds_all_that_matters(settings, tmp_path):
    whole, first, second = after(9, make(**settings)), after(4, make(**settings)), make(**settings)
    util.save_torch(tmp_path / "a.snapshot", first.state_dict())
    second.load_state_dict(util.load_torch(tmp_path / "a.snapshot"))
    after(5, second)
    assert second.done == 9 and torch.equal(second.loss_sum, whole.loss_sum)
    for mine, others in zip(second.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, others)
    assert not torch.equal(first.model.readout.out_weight, whole.model.readout.out_weight)


# ------------------------------------------------------------------ bad input


BAD = """
--n_tasks 3 | --lr fast | --activation sigmoid | --n_task 0 | --n_sd_in -2 | --n_sd_net -2
--n_dim 3 | --network CNN | --task Foo | --task DenoiseQuads | --n_batch -1 | --batch_sz 0
--runs -1 | --runs 1 1 | --lr -1 | --lr nan | --stimulus 250 | --device cuda | --n_neu 0
--n_layer 0 --network gpt-2 | --n_head 0 --network gpt-2 | --n_head 7 --network gpt-2
--dropout 1 --network gpt-2 | --dropout -0.1 --network gpt-2 | --trial_num 0
--activation tanh --network LSTM | --no-leaky --network gpt-2 | --init ortho --network GRU
--n_sd_net 1 --network gpt-2 | --tau 200 --network LSTM | --n_head 4 | --n_layer 2 | --dropout 0.2
--tau 50 | --corr 2 | --corr nan | --corr 0.5 --autocorr | --ar_coef 0.5 | --ar_coef 1 --autocorr
--corr 0.5 --task LinearClassificationHighDim --n_dim 3
--autocorr --task LinearClassificationHighDim --n_dim 3
--dist gumbel --autocorr | --dist cauchy | --bound 3 | --bound 0 --task LinearClassificationBound
--delay 300 --task LinearClassificationBound | --decision 200 --task LinearClassificationBound
--bal_err --task LinearClassificationBound | --rule_input
--n_task 2 --task AttributeIntegrationCent | --n_task 6 --task MultiplyClassificationFull
--delay -100 | --decision 0 | --dt 0 | --noise_enc --no-encode | --activ_enc Quad --no-encode
--noise_enc --dist gumbel | --noise_enc --autocorr | --n_sd_in -1 --noise_enc
--noise_enc --task LinearClassificationAutocorr | --noise_enc --task LinearClassificationAnisot
--bal_err --pen_end | --pen_end --rand_pen | --bal_err --rand_pen | --activ_enc tanh
--workers -1 | --only 4 | --only -1 | --enc_scale 0.2 | --enc_scale 0 --activ_enc Fourier
"""


@pytest.mark.parametrize("case", cases(BAD))
def test_bad_settings_are_one_line(case, script, tmp_path):
    if case == "--device cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    code, _, err = script("train", *TINY[6:], "--out", tmp_path / "out", *case.split())
    assert code == 2 and one_line(err), err
    setting, *value = case.split()
    assert setting.removeprefix("--").removeprefix("no-") in err or value[0] in err, err
    assert not list(tmp_path.glob("out/*"))


def test_bad_folders_are_one_line(script, tmp_path):
    (tmp_path / "file").write_text("mine")
    folders = [tmp_path / "file", tmp_path / "file" / "below"]
    if os.geteuid():  # root may write everywhere
        (tmp_path / "closed").mkdir(0o500)
        folders.append(tmp_path / "closed")
    for folder in folders:
        code, _, err = script("train", *TINY, "--out", folder)
        assert code == 2 and one_line(err) and (tmp_path / "file").read_text() == "mine"


def test_a_damaged_snapshot_or_network_is_one_line(script, tmp_path):
    command = ("train", *TINY, "--out", tmp_path)
    assert script(*command)[0] == 0
    (log,) = tmp_path.glob("*.jsonl")
    path = sorted(tmp_path.glob("*.pth"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    code, _, err = script(*command)
    assert code == 2 and one_line(err) and path.name in err
    path.unlink()
    snapshot = log.with_suffix(".snapshot")
    for content in (b"", b"not a snapshot", whole):
        snapshot.write_bytes(content)
        code, _, err = script(*command)
        assert code == 2 and one_line(err) and snapshot.name in err
    torch.save({"device": "cuda"}, snapshot)
    code, _, err = script(*command)
    assert code == 2 and one_line(err) and "begun on cuda" in err
    snapshot.unlink()
    assert script(*command)[0] == 0


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = shell("train.py", *TINY, "--out", tmp_path, preexec_fn=small_files)
    assert result.returncode == 2 and one_line(result.stderr), result.stderr
    assert not list(tmp_path.glob("*.pth")) and not list(tmp_path.glob(".*"))


# ------------------------------------------------------------------ divergence


@pytest.mark.parametrize(("lost", "batch"), [(0, 55), (2, 119)])
def test_a_diverging_network_is_named_and_the_others_go_on(
    lost, batch, script, tmp_path, monkeypatch, tiny_networks
):
    during(monkeypatch, {batch: spoil(lost)})
    code, _, err = script("train", *TINY, "--out", tmp_path)
    name = f"RNN_nTask{2 + lost // 2}_n_neu8_n_batch120_run0"
    assert code == 2 and err.count(name) == 3 and "Traceback" not in err
    assert f"1 of 4 networks diverged: {name}" in err
    kept = weights(tmp_path / f"{name}.diverged.pth")
    assert all(v.isfinite().all() for v in kept.values())
    assert len(kept["loss_hist"]) < 100
    code, _, err = script("generalize", "--networks", tmp_path / f"{name}.diverged.pth")
    assert code == 2 and "diverged" in err
    others = list(tmp_path.glob("*_run?.pth"))
    for path in others:
        first, second = weights(path), weights(tiny_networks / path.name)
        assert all(torch.allclose(first[k], second[k], atol=1e-4) for k in first)
    (log,) = tmp_path.glob("*.jsonl")
    left = json.loads(log.read_text().splitlines()[-1])["networks"]
    assert sorted(left) == sorted(path.stem for path in others) and len(left) == 3


def test_when_all_diverge_the_training_stops(script, tmp_path):
    code, _, err = script("train", *TINY, "--lr", "1e20", "--out", tmp_path)
    assert code == 2 and err.count("diverged (loss") == 4 and "no network is left" in err
    assert not list(tmp_path.glob("*_run?.pth")) and not list(tmp_path.glob("*.snapshot"))
    assert len(list(tmp_path.glob("*.diverged.pth"))) == 4


def test_the_widest_network_may_diverge_and_the_rest_resume(script, tmp_path, monkeypatch):
    first, second = (tmp_path / name for name in ("first", "second"))
    command = ("train", "--n_batch", 100, "--n_neu", 4, "--n_task", 2)
    during(monkeypatch, {5: spoil(1), 50: send(signal.SIGINT)})
    assert script(*command, 3, "--out", first)[0] == 130  # the snapshot holds n_task 2
    during(monkeypatch, {})
    shutil.copytree(first, second)
    code, out, err = script(*command, 3, "--out", first)
    assert code == 2 and "resuming at batch 50" in out and "1 of 2 networks diverged" in err
    assert [p.name[:10] for p in first.glob("*_run?.pth")] == ["RNN_nTask2"]
    assert script(*command, "--out", second)[0] == 0  # all that is in the snapshot is finished
    assert script(*command, 3, "--out", second)[0] == 0
    assert len(list(second.glob("*_run0.pth"))) == 2
    assert not list(tmp_path.glob("*/*.snapshot"))


# ------------------------------------------------------------------ settings, one by one


def test_high_dimensional_networks_keep_their_boundaries(script, tmp_path):
    task = "LinearClassificationHighDim"
    settings = ("--task", task, "--n_dim", 4, "--n_task", 3, "--n_batch", 50, "--n_neu", 4)
    assert script("train", *settings, "--out", tmp_path)[0] == 0
    config = torch.load(next(tmp_path.glob("*.pth")), weights_only=True)["config"]
    seed = seeds_of({"seed": 0, "run": 0, "n_task": 3, "n_dim": 4})["task"]
    assert config["normals"] == make_task(config, seed).normals.tolist()
    assert script("train", *settings, "--out", tmp_path)[0] == 0  # found again, skipped


SETTINGS = """
--network LSTM > n_batch 20 | --network GRU | --network gpt-2 --n_head 2 > dropout 0.1
--network gpt-2 --n_layer 2 --dropout 0.0 | --no-leaky | --activation tanh | --init ortho
--init sparse | --n_sd_net 1.5 --tau 200 | --no-encode | --activ_enc Quad | --noise_enc
--activ_enc Fourier --enc_scale 0.25 | --activ_enc ScaledReLU > enc_scale 0.12
--noise_enc --trial_num 2 | --dist gumbel | --corr 0.5 > task LinearClassificationCorr
--autocorr > ar_coef 0.7 task LinearClassificationAutocorr | --task LinearClassificationAnisot
--task MultiplyClassificationFull --n_task 4
--task LinearClassificationBound --bound 3.0 > lr 0.003
--task LinearClassificationBound --bound 30.0 > CE_loss False fixation 0
--task LinearClassificationBound --network gpt-2 > stimulus 2000
--task ContextDependent --n_task 1 > rule_input True
--task AttributeIntegrationCent --n_task 1 --rule_input
--task TwoAlternativeForcedChoiceCent --n_task 1 > rule_input False | --delay 500 | --dt 50
--no-CE_loss > lr 0.001 | --bal_err | --pen_end | --rand_pen | --trial_num 3
--trial_num 2 --network gpt-2
"""
SMALL = ("--n_task", "2", "--n_batch", "20", "--n_neu", "8")


def expected_of(case):
    """What the network's file says: the options' own values, and others after >."""
    options, _, others = case.partition(" > ")
    expected = dict(zip(others.split()[::2], others.split()[1::2], strict=True))
    for option in re.split(r" ?--", options)[1:]:
        name, value = [*option.split(), "True"][:2]
        expected |= {name[3:]: "False"} if name.startswith("no-") else {name: value}
    return {name: value for name, value in expected.items() if name != "autocorr"}


@pytest.mark.parametrize("case", cases(SETTINGS))
def test_trains_with_each_setting(case, script, tmp_path):
    command = ("train", *SMALL, *case.partition(" > ")[0].split(), "--out", tmp_path)
    code, _, err = script(*command)
    assert code == 0, err
    (path,) = tmp_path.glob("*.pth")
    model, (config,) = load_ensemble([path])
    expected = expected_of(case)
    assert {name: str(config[name]) for name in expected} == expected
    saved = weights(path)
    assert all(v.isfinite().all() for v in saved.values()) and len(saved["loss_hist"]) == 100
    inputs, _, _ = sample([make_task(config)], [util.generator(0)], 3)
    assert model(inputs).isfinite().all()
    code, out, _ = script(*command)  # found again
    assert code == 0 and "1 of 1 networks are trained already" in out


def test_every_setting_has_a_file_name_of_its_own():
    labels = set()
    for case in ("", *cases(SETTINGS)):
        config = util.parse(train.Config, [*SMALL, *case.partition(" > ")[0].split()])
        labels |= {label(c) for c in network_configs(config)}
    assert len(labels) == 1 + len(cases(SETTINGS))
    assert all(len(name) < 150 for name in labels)


def test_numbers_of_the_paper_and_names_of_networks_do_not_follow_the_script():
    def numbers(**settings):
        (config,) = network_configs(train.Config(**settings))
        return config["n_batch"], config["lr"]

    assert numbers() == numbers(network="LSTM") == (100_000, 1e-3)
    assert numbers(network="gpt-2") == (20_000, 1e-3)
    assert numbers(task="LinearClassificationBound") == (100_000, 3e-3)
    assert numbers(task="LinearClassificationBound", lr=0.01, n_batch=7) == (7, 0.01)


def test_a_script_edited_at_the_top_says_so_in_the_names(script, tmp_path, monkeypatch):
    text, default = (ROOT / "train.py").read_text(), "n_neu: int = 64"
    assert text.count(default) == 1
    (tmp_path / "edited.py").write_text(text.replace(default, "n_neu: int = 12"))
    monkeypatch.syspath_prepend(tmp_path)
    for args in ((), ("--n_neu", 64)):
        assert script("edited", *args, "--n_batch", 5, "--out", tmp_path)[0] == 0
    names = sorted(path.stem for path in tmp_path.glob("*.pth"))
    assert names == ["RNN_nTask24_n_batch5_run0", "RNN_nTask24_n_neu12_n_batch5_run0"]


SHORT = {"network": "gpt-2", "lr": 0.003, "n_neu": 32, "pen_end": True, "stimulus": 500}


@pytest.mark.parametrize("settings", [{"network": "LSTM"}, {"network": "GRU"}, SHORT])
def test_other_networks_learn(settings):
    trainer = after(200, make(n_task=(2,), **{"lr": 0.01, **settings}))
    inputs, targets, _ = sample(trainer.tasks, [util.generator(0)], 500)
    logits = trainer.model.eval()(inputs)
    assert confusion(logits, targets, trainer.tasks[0])[0].diagonal().sum() > 0.8


# ------------------------------------------------------------------ losses


def slow_loss(z, targets, penalty, task, config):
    """Loss of one network by torch.nn.functional; (trial, time, task or 1), trials in a row."""
    losses, in_decision = [], torch.zeros(task.n_step, dtype=torch.bool)
    in_decision[task.target_steps] = True
    scale = config["bound"] if "Bound" in config["task"] else 1
    for row in zip(*(x.chunk(config["trial_num"], 1) for x in (z, targets, penalty)), strict=True):
        output, goal, penalised = row[0], torch.zeros_like(row[0]), row[2][..., 0] > 0
        goal[:, in_decision] = row[1]
        if config["CE_loss"]:
            share, half = torch.sigmoid(output), (goal + 1) / 2
            by_step = F.binary_cross_entropy(share, half, reduction="none").mean(2)
        else:
            by_step = F.mse_loss(scale * torch.tanh(output), goal, reduction="none").mean(2)
        chosen = by_step[penalised] if config["rand_pen"] else by_step
        chosen = by_step[:, -1] if config["pen_end"] else chosen
        if config["bal_err"]:
            chosen = (by_step[:, in_decision].mean() + by_step[:, ~in_decision].mean()) / 2
        losses.append(chosen.mean())
    return torch.stack(losses).mean()


LOSSES = """
--n_task 2 5 | --delay 300 | --decision 300 | --no-CE_loss | --bal_err
--bal_err --no-CE_loss --delay 200 --decision 200 | --pen_end
--pen_end --no-CE_loss --decision 200 | --rand_pen | --rand_pen --no-CE_loss --trial_num 2
--trial_num 3 | --trial_num 2 --bal_err | --trial_num 2 --pen_end
--n_task 4 8 --task MultiplyClassificationFull | --n_task 1 --task ContextDependent
--task LinearClassificationBound | --task LinearClassificationBound --bound 2 --trial_num 2
--task LinearClassificationBound --rand_pen
--task LinearClassificationBound --pen_end --trial_num 2
"""


@pytest.mark.parametrize("case", cases(LOSSES))
def test_losses_equal_slow_ones_with_their_gradients(case):
    small = ["--n_task", "2", "5", "--n_neu", "16", "--batch_sz", "3"]
    configs = network_configs(util.parse(train.Config, [*small, *case.split()]))
    trainer = Trainer(configs, torch.device("cpu"))
    task, config, batch = trainer.tasks[0], trainer.configs[0], trainer.draw_batch()
    targets, penalty = batch["targets"], batch.get("penalty")
    n_time = task.n_step * config["trial_num"]
    shape = len(trainer.tasks), 3, n_time, max(c["n_task"] for c in trainer.configs)
    logits = (2 * torch.randn(shape, generator=util.generator(0))).requires_grad_()
    loss = loss_of(logits, targets, task, trainer.weights, config, penalty)
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    in_training = trainer.compute(**batch)  # the same loss of the network's own logits
    every = torch.ones(*shape[:3]) if penalty is None else penalty
    for net, n_task in enumerate(own["n_task"] for own in trainer.configs):
        z = logits[net, ..., :n_task].detach().double().requires_grad_()
        arguments = targets[net, ..., :n_task].double(), every[net, ..., None], task, config
        slow = slow_loss(z, *arguments)
        assert loss[net].item() == pytest.approx(slow.item(), rel=1e-5)
        (slow_grad,) = torch.autograd.grad(slow, z)
        tolerance = 1e-6 * slow_grad.abs().max().item()
        assert torch.allclose(grad[net, ..., :n_task].double(), slow_grad, atol=tolerance)
        assert (grad[net, ..., n_task:] == 0).all()
        slow = slow_loss(in_training[net, ..., :n_task].double(), *arguments)
        assert trainer.loss_sum[net].item() == pytest.approx(slow.item(), rel=1e-5)


def test_the_penalised_step_is_drawn_at_random_in_each_trial():
    penalty = draw_penalty(4000, 66, 3, [util.generator(0), util.generator(1)])
    assert penalty.shape == (2, 4000, 66)
    by_trial = penalty.unflatten(2, (3, 22))
    assert ((by_trial == 22).sum(3) == 1).all() and (by_trial.sum(3) == 22).all()
    share = (by_trial > 0).float().mean((0, 1, 2))
    assert torch.allclose(share, torch.tensor(1 / 22), atol=0.005)
    assert not torch.equal(penalty[0], penalty[1])
    assert torch.equal(draw_penalty(4000, 66, 3, [util.generator(1)])[0], penalty[1])


@pytest.mark.parametrize("network", ["RNN", "LSTM", "GRU"])
def test_the_state_is_carried_over_trials_in_a_row(network):
    trainer = make(network=network, trial_num=3, batch_sz=4)
    inputs = trainer.draw_batch()["inputs"]
    assert inputs.shape[2] == 66
    states, drive = trainer.model.network(inputs), trainer.model.network.drive(inputs)
    state = torch.zeros(2, 4, trainer.model.network.n_state)
    for t in range(66):
        state = trainer.model.network.step(state, drive[:, :, t])
        assert torch.allclose(state[..., :16], states[:, :, t], atol=1e-5)
    reset = trainer.model.network(inputs[:, :, 22:])
    assert (reset - states[:, :, 22:])[:, :, 0].abs().max() > 1e-3


NOISY = [{}, {"trial_num": 3}, {"task": "LinearClassificationBound"}, {"delay": 200}]


@pytest.mark.parametrize("settings", NOISY)
def test_noise_after_the_encoder(settings):
    trainer, seen = make(noise_enc=True, n_sd_in=3.0, **settings), []
    rngs = [util.generator(seed) for seed in (5, 6)]
    trial_num, task, model = settings.get("trial_num", 1), trainer.tasks[0], trainer.model
    inputs, _ = next(Batches(trainer.tasks, rngs, 300, trial_num))
    shown = inputs.unflatten(2, (trial_num, -1))[..., task.evidence_steps, task.n_fix :]
    assert (shown == shown[:, :, :, :1]).all()  # the trials themselves are free of noise
    noise = model.draw_noise(300, inputs.shape[2], rngs, trial_num)
    model.network.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(inputs, **noise)
    added = (seen[0] - model.encoder(inputs)).unflatten(2, (trial_num, -1))
    in_stimulus = added[..., task.evidence_steps, task.n_fix :]
    assert in_stimulus.shape[3:] == (20, 40)
    sd = in_stimulus.std((0, 1, 3, 4))
    assert torch.allclose(sd, torch.tensor(3.0 / 20), rtol=0.01)
    assert abs(in_stimulus.mean()) < 1e-3
    in_stimulus.zero_()
    assert not added.any()  # none on the fixation channel, none in other steps


def test_settings_reach_task_encoder_and_network():
    assert make(corr=0.5).tasks[0].corr == 0.5
    assert make(autocorr=True, ar_coef=0.3).tasks[0].noise_ar == 0.3
    assert make(dist="gumbel").tasks[0].dist == "gumbel"
    bound = make(task="LinearClassificationBound", bound=2.0)
    assert bound.tasks[0].bound == bound.draw_batch()["targets"].abs().max() == 2
    assert bound.model.encoder.n_out == 40 and make(activ_enc="Quad").model.encoder.activ == "Quad"
    for rule_input in (False, True):
        single = make(n_task=(1,), task="AttributeIntegrationCent", rule_input=rule_input)
        assert single.model.encoder.n_out == 41 + 2 * rule_input
        assert single.tasks[0].rule_input == rule_input
    assert make(encode=False).model.network.inp_weight.shape[1] == 3
    network = make(activation="tanh", init="ortho", n_sd_net=2.0, leaky=False).model.network
    assert (network.activation, network.init, network.sigma) == ("tanh", "ortho", 0.2)
    assert network.keep_r == 1
    network = make(network="gpt-2", n_layer=2, n_head=4, dropout=0.2).model.network
    assert (network.n_layer, network.n_head, network.dropout) == (2, 4, 0.2)


def test_moments_of_silent_units_become_zero():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor knows no other way")
    trainer = make(n_task=(2,))
    trainer.step()
    for flush, is_zero in ((lambda: None, False), (util.flush_denormals, True)):
        flush()
        trainer.adam["exp_avg"].fill_(2.0**-126)  # the smallest of full precision
        trainer.update(0 * sum(p.sum() for p in trainer.trained))
        assert (trainer.adam["exp_avg"] == 0).all().item() == is_zero


def test_help_names_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        util.parse(train.Config, ["--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    for field in dataclasses.fields(train.Config):
        assert f"--{field.name}" in out
