"""train.py as its users run it: to the end, interrupted, and with settings that are wrong."""

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT, TINY, make, one_line, shell

import tasks
import train
import util
from model import load_ensemble


def weights(path):
    """All tensors of a checkpoint by name."""
    content = torch.load(path, weights_only=True)
    parts = ("state_dict", "encoder", "decoder")
    tensors = {f"{p}.{k}": v for p in parts for k, v in content[p].items()}
    return tensors | {k: content[k] for k in ("loss_hist", "conf_matr_hist")}


def same(folder, other):
    """Do two folders hold the same networks, bit for bit?"""
    names = sorted(p.name for p in folder.glob("*.pth"))
    assert names and names == sorted(p.name for p in other.glob("*.pth"))
    for name in names:
        first, second = weights(folder / name), weights(other / name)
        assert all(torch.equal(first[k], second[k]) for k in first), name


def test_writes_self_describing_checkpoints(tiny_networks):
    paths = sorted(tiny_networks.glob("*.pth"))
    assert len(paths) == 4
    content = torch.load(paths[0], weights_only=True)
    assert set(content) == {
        "state_dict",
        "encoder",
        "decoder",
        "config",
        "loss_hist",
        "conf_matr_hist",
    }
    assert content["loss_hist"].shape == (100,) and content["conf_matr_hist"].shape == (100, 2, 2)
    assert torch.allclose(content["conf_matr_hist"].sum((1, 2)), torch.ones(100))
    assert content["config"]["n_task"] == 2 and content["config"]["run"] == 0
    assert train.label(content["config"]) == paths[0].stem


def test_loads_strictly_in_code_that_knows_the_four_keys_only(tiny_networks):
    content = torch.load(tiny_networks / "RNN_nTask3_n_neu8_n_batch120_run1.pth", weights_only=True)

    class TheirRNN(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inp_to_rec = torch.nn.Linear(41, 8)
            self.rec_to_rec = torch.nn.Linear(8, 8)
            self.rec_to_out = torch.nn.Linear(8, 3)

    TheirRNN().load_state_dict(content["state_dict"], strict=True)
    layers = [torch.nn.Linear(*s) for s in ((2, 100), (100, 100), (100, 40))]
    encoder = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    encoder.load_state_dict(content["encoder"], strict=True)


def test_log_is_json_lines(tiny_networks):
    (log,) = tiny_networks.glob("*.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines[0]["networks"]) == 4 and "machine" in lines[0]
    assert [line["batch"] for line in lines[1:]] == sorted({line["batch"] for line in lines[1:]})
    assert lines[-1]["batch"] == 120 and len(lines[-1]["loss"]) == 4
    assert not list(tiny_networks.glob("*.snapshot")) and not list(tiny_networks.glob(".*"))


def test_learns(script, tmp_path):
    script("train", "--n_task", 6, "--n_batch", 1500, "--lr", 0.003, "--out", tmp_path)
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


LONG = ("--n_task", "2", "5", "--n_batch", "1200", "--n_neu", "8", "--n_sd_net", "1")


@pytest.fixture(scope="module", params=[1, 2])
def uninterrupted(request, tmp_path_factory):
    """The long training to its end, and its number of processes."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert shell("train.py", *LONG, "--workers", request.param, "--out", folder).returncode == 0
    return folder, request.param


def start_and_stop(folder, number, n_worker):
    """Start the long training, send a signal once there is a snapshot; returns code, stderr."""
    command = [sys.executable, str(ROOT / "train.py"), *LONG, "--out", str(folder)]
    command += ["--workers", str(n_worker)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(3000):
        if list(folder.glob("*.snapshot")) or process.poll() is not None:
            break
        time.sleep(0.02)
    time.sleep(0.3)
    if number == signal.SIGINT:  # a terminal's goes to all processes
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=100)
    for _ in range(200):  # workers, if there were any
        if not is_group(process.pid):
            return process.returncode, err
        time.sleep(0.1)
    raise AssertionError("a process was left behind")


def is_group(number):
    """Are there processes in this group?"""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_resumes_bit_for_bit(number, uninterrupted, tmp_path):
    whole, n_worker = uninterrupted
    code, err = start_and_stop(tmp_path, number, n_worker)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130 and one_line(err) and "the same command goes on" in err
    assert not list(tmp_path.glob("*.pth"))
    again = shell("train.py", *LONG, "--workers", n_worker, "--out", tmp_path)
    assert again.returncode == 0 and "resuming at batch" in again.stdout
    same(whole, tmp_path)
    assert not list(tmp_path.glob("*.snapshot")) and not list(tmp_path.glob(".*.partial"))
    (log,) = tmp_path.glob("*.jsonl")
    batches = [json.loads(line).get("batch", 0) for line in log.read_text().splitlines()]
    assert batches == sorted(set(batches)) and len(batches) == 101


GPT2 = ("--network", "gpt-2")
FREE = ("--task", "LinearClassificationBound")
HIGH_DIM = ("--task", "LinearClassificationHighDim", "--n_dim", "3")
BAD = {
    "unknown setting": ("--n_tasks", "3"),
    "mistyped number": ("--lr", "fast"),
    "mistyped choice": ("--activation", "sigmoid"),
    "no boundaries": ("--n_task", "0"),
    "negative noise": ("--n_sd_in", "-2"),
    "negative network noise": ("--n_sd_net", "-2"),
    "too many dimensions": ("--n_dim", "3"),
    "unknown network": ("--network", "CNN"),
    "unknown task": ("--task", "Foo"),
    "decoder's task": ("--task", "DenoiseQuads"),
    "fewer than no batches": ("--n_batch", "-1"),
    "no trials": ("--batch_sz", "0"),
    "negative run": ("--runs", "-1"),
    "same run twice": ("--runs", "1", "1"),
    "learning rate": ("--lr", "-1"),
    "learning rate that is no number": ("--lr", "nan"),
    "timing": ("--stimulus", "250"),
    "no GPU": ("--device", "cuda"),
    "no units": ("--n_neu", "0"),
    "no layers": ("--n_layer", "0", *GPT2),
    "no heads": ("--n_head", "0", *GPT2),
    "heads that do not divide": ("--n_head", "7", *GPT2),
    "all dropped": ("--dropout", "1", *GPT2),
    "dropout below 0": ("--dropout", "-0.1", *GPT2),
    "no trials in a row": ("--trial_num", "0"),
    "activation of an LSTM": ("--activation", "tanh", "--network", "LSTM"),
    "leak of a gpt-2": ("--no-leaky", *GPT2),
    "initialisation of a GRU": ("--init", "ortho", "--network", "GRU"),
    "noise in a gpt-2": ("--n_sd_net", "1", *GPT2),
    "time constant of an LSTM": ("--tau", "200", "--network", "LSTM"),
    "heads of an RNN": ("--n_head", "4"),
    "layers of an RNN": ("--n_layer", "2"),
    "dropout of an RNN": ("--dropout", "0.2"),
    "a step longer than the time constant": ("--tau", "50"),
    "correlation above 1": ("--corr", "2"),
    "correlation that is no number": ("--corr", "nan"),
    "correlated and autocorrelated": ("--corr", "0.5", "--autocorr"),
    "correlated factors of another task": ("--corr", "0.5", *HIGH_DIM),
    "autocorrelated noise of another task": ("--autocorr", *HIGH_DIM),
    "coefficient without noise": ("--ar_coef", "0.5"),
    "coefficient of 1": ("--ar_coef", "1", "--autocorr"),
    "autocorrelated Gumbel noise": ("--dist", "gumbel", "--autocorr"),
    "unknown distribution": ("--dist", "cauchy"),
    "bound without accumulation": ("--bound", "3"),
    "bound of 0": ("--bound", "0", *FREE),
    "delay of free reaction time": ("--delay", "300", *FREE),
    "decision of free reaction time": ("--decision", "200", *FREE),
    "balance of free reaction time": ("--bal_err", *FREE),
    "rule without tasks": ("--rule_input",),
    "too many single tasks": ("--n_task", "2", "--task", "AttributeIntegrationCent"),
    "labels by four": ("--n_task", "6", "--task", "MultiplyClassificationFull"),
    "negative delay": ("--delay", "-100"),
    "no decision": ("--decision", "0"),
    "no time step": ("--dt", "0"),
    "noise after no encoder": ("--noise_enc", "--no-encode"),
    "activation of no encoder": ("--activ_enc", "Quad", "--no-encode"),
    "noise twice": ("--noise_enc", "--dist", "gumbel"),
    "autocorrelated noise after the encoder": ("--noise_enc", "--autocorr"),
    "the same by its task": ("--noise_enc", "--task", "LinearClassificationAutocorr"),
    "anisotropic noise after the encoder": ("--noise_enc", "--task", "LinearClassificationAnisot"),
    "negative noise after the encoder": ("--n_sd_in", "-1", "--noise_enc"),
    "balanced and last step": ("--bal_err", "--pen_end"),
    "last and random step": ("--pen_end", "--rand_pen"),
    "balanced and random step": ("--bal_err", "--rand_pen"),
    "unknown encoder": ("--activ_enc", "tanh"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_one_line(case, script, tmp_path):
    if case == "no GPU" and torch.cuda.is_available():
        pytest.skip("there is one")
    folder = tmp_path / "out"
    code, _, err = script("train", *TINY[6:], "--out", folder, *BAD[case])
    assert code == 2 and one_line(err), err
    setting, *value = BAD[case]
    assert setting.removeprefix("--").removeprefix("no-") in err or value[0] in err, err
    assert not folder.exists() or not list(folder.iterdir())


def test_bad_folders_are_one_line(script, tmp_path):
    (tmp_path / "file").write_text("mine")
    code, _, err = script("train", *TINY, "--out", tmp_path / "file")
    assert code == 2 and one_line(err) and (tmp_path / "file").read_text() == "mine"
    code, _, err = script("train", *TINY, "--out", tmp_path / "file" / "below")
    assert code == 2 and one_line(err)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_write_permission(script, tmp_path):
    tmp_path.chmod(0o500)
    code, _, err = script("train", *TINY, "--out", tmp_path)
    assert code == 2 and one_line(err)


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


@pytest.mark.parametrize("lost", [0, 2])
@pytest.mark.parametrize("batch", [55, 119])
def test_a_diverging_network_is_named_and_the_others_go_on(
    lost, batch, script, tmp_path, monkeypatch
):
    step = train.Trainer.step

    def poisoned(self):
        logits = step(self)
        if self.done == batch and len(self.configs) == 4:
            self.model.network.rec_weight.data[lost] = float("nan")
        return logits

    monkeypatch.setattr(train.Trainer, "step", poisoned)
    code, _, err = script("train", *TINY, "--out", tmp_path)
    label = f"RNN_nTask{2 + lost // 2}_n_neu8_n_batch120_run0"
    assert code == 2 and label in err and "Traceback" not in err
    assert len(list(tmp_path.glob("*_run?.pth"))) == 3
    kept = weights(tmp_path / f"{label}.diverged.pth")
    assert all(v.isfinite().all() for v in kept.values())
    assert len(kept["loss_hist"]) < 100
    code, _, err = script("generalize", "--networks", tmp_path / f"{label}.diverged.pth")
    assert code == 2 and "diverged" in err
    monkeypatch.setattr(train.Trainer, "step", step)
    healthy = tmp_path / "healthy"
    script("train", *TINY, "--out", healthy)
    for path in tmp_path.glob("*_run?.pth"):
        first, second = weights(path), weights(healthy / path.name)
        assert all(torch.allclose(first[k], second[k], atol=1e-4) for k in first)


def test_when_all_diverge_the_training_stops(script, tmp_path):
    code, _, err = script("train", *TINY, "--lr", "1e20", "--out", tmp_path)
    assert code == 2 and err.count("diverged (loss") == 4 and "no network is left" in err
    assert not list(tmp_path.glob("*_run?.pth"))
    assert len(list(tmp_path.glob("*.diverged.pth"))) == 4


def test_the_widest_network_may_diverge_and_the_rest_resume(script, tmp_path, monkeypatch):
    settings = ("--n_task", 2, 5, "--n_batch", 200, "--n_neu", 6, "--out", tmp_path)
    step = train.Trainer.step

    def poisoned(self):
        logits = step(self)
        if self.done == 20:
            self.model.readout.out_weight.data[1] = float("nan")
        if self.done == 100:
            os.kill(os.getpid(), signal.SIGINT)
        return logits

    monkeypatch.setattr(train.Trainer, "step", poisoned)
    assert script("train", *settings)[0] == 130
    monkeypatch.setattr(train.Trainer, "step", step)
    code, out, err = script("train", *settings)
    assert code == 2 and "resuming at batch 100" in out and "1 of 2 networks diverged" in err
    assert [p.name[:10] for p in tmp_path.glob("*_run?.pth")] == ["RNN_nTask2"]


def test_a_snapshot_of_networks_finished_elsewhere_is_left_behind(script, tmp_path, monkeypatch):
    command = ("--n_batch", 100, "--n_neu", 4, "--out", tmp_path)
    step = train.Trainer.step

    def poisoned(self):
        logits = step(self)
        if self.done == 5:
            self.model.readout.out_weight.data[1] = float("nan")
        if self.done == 50:
            os.kill(os.getpid(), signal.SIGINT)
        return logits

    monkeypatch.setattr(train.Trainer, "step", poisoned)
    assert script("train", "--n_task", 2, 3, *command)[0] == 130  # the snapshot holds n_task 2
    monkeypatch.setattr(train.Trainer, "step", step)
    assert script("train", "--n_task", 2, *command)[0] == 0
    assert script("train", "--n_task", 2, 3, *command)[0] == 0
    assert len(list(tmp_path.glob("*_run0.pth"))) == 2 and not list(tmp_path.glob("*.snapshot"))


def test_high_dimensional_networks_keep_their_boundaries(script, tmp_path):
    task = "LinearClassificationHighDim"
    settings = ("--task", task, "--n_dim", 4, "--n_task", 3, "--n_batch", 50, "--n_neu", 4)
    assert script("train", *settings, "--out", tmp_path)[0] == 0
    config = torch.load(next(tmp_path.glob("*.pth")), weights_only=True)["config"]
    seeds = util.seeds_for(0, 0, 3, 4)
    assert config["normals"] == tasks.make_task(config, seeds["task"]).normals.tolist()
    assert script("train", *settings, "--out", tmp_path)[0] == 0  # found again, skipped


# ------------------------------------------------------------------ settings, one by one


SETTINGS = [  # each option, from the shell, and what the network's file must then say
    (("--network", "LSTM"), {"network": "LSTM", "n_batch": 20}),
    (("--network", "GRU"), {"network": "GRU"}),
    (("--network", "gpt-2", "--n_head", 2), {"network": "gpt-2", "dropout": 0.1}),
    (("--network", "gpt-2", "--n_layer", 2, "--dropout", 0), {"n_layer": 2, "dropout": 0}),
    (("--no-leaky",), {"leaky": False}),
    (("--activation", "tanh"), {"activation": "tanh"}),
    (("--init", "ortho"), {"init": "ortho"}),
    (("--init", "sparse"), {"init": "sparse"}),
    (("--n_sd_net", 1.5, "--tau", 200), {"n_sd_net": 1.5, "tau": 200}),
    (("--no-encode",), {"encode": False}),
    (("--activ_enc", "Quad"), {"activ_enc": "Quad"}),
    (("--noise_enc",), {"noise_enc": True}),
    (("--noise_enc", "--trial_num", 2), {"noise_enc": True, "trial_num": 2}),
    (("--dist", "gumbel"), {"dist": "gumbel"}),
    (("--corr", 0.5), {"corr": 0.5, "task": "LinearClassificationCorr"}),
    (("--autocorr",), {"ar_coef": 0.7, "task": "LinearClassificationAutocorr"}),
    (("--task", "LinearClassificationAnisot"), {"task": "LinearClassificationAnisot"}),
    (("--task", "MultiplyClassificationFull", "--n_task", 4), {"n_task": 4}),
    (("--task", "LinearClassificationBound", "--bound", 3), {"bound": 3, "lr": 3e-3}),
    (("--task", "LinearClassificationBound", "--bound", 30), {"CE_loss": False, "fixation": 0}),
    (("--task", "LinearClassificationBound", "--network", "gpt-2"), {"stimulus": 2000}),
    (("--task", "ContextDependent", "--n_task", 1), {"rule_input": True}),
    (
        ("--task", "AttributeIntegrationCent", "--n_task", 1, "--rule_input"),
        {"rule_input": True, "task": "AttributeIntegrationCent"},
    ),
    (("--task", "TwoAlternativeForcedChoiceCent", "--n_task", 1), {"rule_input": False}),
    (("--delay", 500), {"delay": 500}),
    (("--dt", 50), {"dt": 50}),
    (("--no-CE_loss",), {"CE_loss": False, "lr": 1e-3}),
    (("--bal_err",), {"bal_err": True}),
    (("--pen_end",), {"pen_end": True}),
    (("--rand_pen",), {"rand_pen": True}),
    (("--trial_num", 3), {"trial_num": 3}),
    (("--trial_num", 2, "--network", "gpt-2"), {"trial_num": 2}),
]
SMALL = ("--n_task", 2, "--n_batch", 20, "--n_neu", 8)


@pytest.mark.parametrize(("args", "expected"), SETTINGS)
def test_trains_with_each_setting(args, expected, script, tmp_path):
    command = ("train", *SMALL, *args, "--out", tmp_path)
    code, _, err = script(*command)
    assert code == 0, err
    (path,) = tmp_path.glob("*.pth")
    model, (config,) = load_ensemble([path])
    assert {name: config[name] for name in expected} == expected
    saved = weights(path)
    assert all(v.isfinite().all() for v in saved.values()) and len(saved["loss_hist"]) == 100
    inputs, _, _ = tasks.sample([tasks.make_task(config)], [util.generator(0)], 3)
    assert model(inputs).isfinite().all()
    code, out, _ = script(*command)  # found again
    assert code == 0 and "1 of 1 networks are trained already" in out


def test_every_setting_has_a_file_name_of_its_own():
    labels = set()
    for args, _ in [((), {}), *SETTINGS]:
        config = util.parse(train.Config, [str(a) for a in (*SMALL, *args)])
        labels |= {train.label(c) for c in train.network_configs(config)}
    assert len(labels) == 1 + len(SETTINGS)
    assert all(len(label) < 150 for label in labels)


def test_numbers_of_the_paper():
    def paper(**settings):
        values = train.settled(train.Config(**settings))
        return values["n_batch"], values["lr"]

    assert paper() == paper(network="LSTM") == (100_000, 1e-3)
    assert paper(network="gpt-2") == (20_000, 1e-3)
    assert paper(task="LinearClassificationBound") == (100_000, 3e-3)
    assert paper(task="LinearClassificationBound", lr=0.01, n_batch=7) == (7, 0.01)


@pytest.mark.parametrize(
    "settings",
    [
        {"network": "LSTM", "lr": 0.01},
        {"network": "GRU", "lr": 0.01},
        {"network": "gpt-2", "lr": 0.003, "n_neu": 32, "pen_end": True, "stimulus": 500},
    ],
)
def test_other_networks_learn(settings):
    trainer = make(n_task=(2,), **settings)
    for _ in range(200):
        trainer.step()
    inputs, targets, _ = tasks.sample(trainer.tasks, [util.generator(0)], 500)
    logits = trainer.model.eval()(inputs)
    assert train.confusion(logits, targets, trainer.tasks[0])[0].diagonal().sum() > 0.8


# ------------------------------------------------------------------ losses


def slow_loss(z, targets, task, config, penalty):
    """Loss of one network by torch.nn.functional, trial by trial and step by step.

    z (trial, time, n_task), targets (trial, row or time, n_task), penalty None or (trial, time).
    """
    n_row, n_step, losses = config["trial_num"], task.n_step, []
    n_target = targets.shape[1] // n_row
    in_decision = [t in range(n_step)[task.target_steps] for t in range(n_step)]
    for trial in range(len(z)):
        for row in range(n_row):
            by_step = []
            for t in range(n_step):
                goal = torch.zeros_like(z[0, 0])
                if in_decision[t]:
                    goal[:] = targets[trial, row * n_target + (t if n_target > 1 else 0)]
                output = z[trial, row * n_step + t]
                if config["CE_loss"]:
                    probability = torch.sigmoid(output)
                    by_step.append(F.binary_cross_entropy(probability, (goal + 1) / 2))
                else:
                    scale = config["bound"] if "Bound" in config["task"] else 1
                    by_step.append(F.mse_loss(scale * torch.tanh(output), goal))
            by_step = torch.stack(by_step)
            if config["pen_end"]:
                losses.append(by_step[-1])
            elif config["rand_pen"]:
                (chosen,) = penalty[trial, row * n_step : (row + 1) * n_step].nonzero().flatten()
                losses.append(by_step[chosen])
            elif config["bal_err"]:
                decision = torch.tensor(in_decision)
                losses.append((by_step[decision].mean() + by_step[~decision].mean()) / 2)
            else:
                losses.append(by_step.mean())
    return torch.stack(losses).mean()


LOSSES = [
    {},
    {"delay": 300},
    {"decision": 300},
    {"CE_loss": False},
    {"bal_err": True},
    {"bal_err": True, "CE_loss": False, "delay": 200, "decision": 200},
    {"pen_end": True},
    {"pen_end": True, "CE_loss": False, "decision": 200},
    {"rand_pen": True},
    {"rand_pen": True, "CE_loss": False, "trial_num": 2},
    {"trial_num": 3},
    {"trial_num": 2, "bal_err": True},
    {"trial_num": 2, "pen_end": True},
    {"n_task": (4, 8), "task": "MultiplyClassificationFull"},
    {"n_task": (1,), "task": "ContextDependent"},
    {"task": "LinearClassificationBound"},
    {"task": "LinearClassificationBound", "bound": 2.0, "trial_num": 2},
    {"task": "LinearClassificationBound", "rand_pen": True},
    {"task": "LinearClassificationBound", "pen_end": True, "trial_num": 2},
]


@pytest.mark.parametrize("settings", LOSSES)
def test_losses_equal_slow_ones_with_their_gradients(settings):
    trainer = make(batch_sz=3, **{"n_task": (2, 5), **settings})
    task, config, batch = trainer.tasks[0], trainer.configs[0], trainer.draw_batch()
    targets, penalty = batch["targets"], batch.get("penalty")
    n_time = task.n_step * config["trial_num"]
    shape = len(trainer.tasks), 3, n_time, max(c["n_task"] for c in trainer.configs)
    logits = (2 * torch.randn(shape, generator=util.generator(0))).requires_grad_()
    loss = train.loss_of(logits, targets, task, trainer.weights, config, penalty)
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    in_training = trainer.compute(batch)  # the same loss of the network's own logits
    for net, own in enumerate(trainer.configs):
        n_task = own["n_task"]
        z = logits[net, ..., :n_task].detach().double().requires_grad_()
        arguments = targets[net, ..., :n_task].double(), task, config
        arguments += (None if penalty is None else penalty[net],)
        slow = slow_loss(z, *arguments)
        assert loss[net].item() == pytest.approx(slow.item(), rel=1e-5)
        (slow_grad,) = torch.autograd.grad(slow, z)
        tolerance = 1e-6 * slow_grad.abs().max().item()
        assert torch.allclose(grad[net, ..., :n_task].double(), slow_grad, atol=tolerance)
        assert (grad[net, ..., n_task:] == 0).all()
        slow = slow_loss(in_training[net, ..., :n_task].double(), *arguments)
        assert trainer.loss_sum[net].item() == pytest.approx(slow.item(), rel=1e-5)


def test_loss_is_binary_cross_entropy_of_each_network():
    trainer = make(n_task=(2, 5))
    inputs, targets, _ = tasks.sample(trainer.tasks, [util.generator(n) for n in range(2)], 16)
    logits = trainer.model(inputs).detach().requires_grad_()
    arguments = trainer.tasks[0], trainer.weights, trainer.configs[0]
    loss = train.loss_of(logits, targets, *arguments)
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    for net, n_task in enumerate((2, 5)):
        goal = torch.full((16, 22, n_task), 0.5)
        goal[:, -1] = (targets[net, :, 0, :n_task] + 1) / 2
        z = logits[net, ..., :n_task].detach().requires_grad_()
        slow = F.binary_cross_entropy(torch.sigmoid(z), goal)
        assert loss[net].item() == pytest.approx(slow.item(), rel=1e-5)
        (slow_grad,) = torch.autograd.grad(slow, z)
        assert torch.allclose(grad[net, ..., :n_task], slow_grad, atol=1e-8)
        assert (grad[net, ..., n_task:] == 0).all()


def test_the_penalised_step_is_drawn_at_random_in_each_trial():
    penalty = train.draw_penalty(4000, 66, 3, [util.generator(0), util.generator(1)])
    assert penalty.shape == (2, 4000, 66)
    by_trial = penalty.unflatten(2, (3, 22))
    assert ((by_trial == 22).sum(3) == 1).all() and (by_trial.sum(3) == 22).all()
    share = (by_trial > 0).float().mean((0, 1, 2))
    assert torch.allclose(share, torch.tensor(1 / 22), atol=0.005)
    assert not torch.equal(penalty[0], penalty[1])
    assert torch.equal(train.draw_penalty(4000, 66, 3, [util.generator(1)])[0], penalty[1])


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


@pytest.mark.parametrize(
    "settings", [{}, {"trial_num": 3}, {"task": "LinearClassificationBound"}, {"delay": 200}]
)
def test_noise_after_the_encoder(settings):
    trainer, seen = make(noise_enc=True, n_sd_in=3.0, **settings), []
    rngs = [util.generator(seed) for seed in (5, 6)]
    trial_num, task, model = settings.get("trial_num", 1), trainer.tasks[0], trainer.model
    inputs, _ = next(tasks.Batches(trainer.tasks, rngs, 300, trial_num))
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
    assert bound.tasks[0].bound == 2 and bound.model.encoder.n_out == 40
    assert bound.draw_batch()["targets"].abs().max() == 2
    ruled = make(n_task=(1,), task="AttributeIntegrationCent", rule_input=True)
    assert ruled.model.encoder.n_out == 43 and ruled.tasks[0].rule_input
    assert make(n_task=(1,), task="AttributeIntegrationCent").model.encoder.n_out == 41
    assert make(activ_enc="Quad").model.encoder.activ == "Quad"
    assert make(encode=False).model.network.inp_weight.shape[1] == 3
    network = make(activation="tanh", init="ortho", n_sd_net=2.0, leaky=False).model.network
    assert (network.activation, network.init, network.sigma) == ("tanh", "ortho", 0.2)
    assert network.keep_r == 1
    network = make(network="gpt-2", n_layer=2, n_head=4, dropout=0.2).model.network
    assert (network.n_layer, network.n_head, network.dropout) == (2, 4, 0.2)


RESUMED = [
    {"network": "gpt-2"},  # with dropout
    {"network": "LSTM", "rand_pen": True},
    {"n_sd_net": 1.0, "noise_enc": True, "rand_pen": True, "trial_num": 2},
    {"network": "GRU", "task": "LinearClassificationBound"},
]


@pytest.mark.parametrize("settings", RESUMED)
def test_a_resumed_training_is_the_same_bit_for_bit(settings, tmp_path):
    whole, first = make(**settings), make(**settings)
    for _ in range(12):
        whole.step()
    for _ in range(5):
        first.step()
    util.save_torch(tmp_path / "a.snapshot", first.state_dict())
    second = make(**settings)
    second.load_state_dict(util.load_torch(tmp_path / "a.snapshot"))
    for _ in range(7):
        second.step()
    assert second.done == 12 and torch.equal(second.loss_sum, whole.loss_sum)
    for mine, others in zip(second.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(mine, others)
    assert not torch.equal(first.model.readout.out_weight, whole.model.readout.out_weight)


def test_moments_of_silent_units_become_zero():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor knows no other way")
    trainer = make(n_task=(2,))
    trainer.step()
    for flush, is_zero in ((lambda: None, False), (util.flush_denormals, True)):
        flush()
        trainer.adam_state["exp_avg"].fill_(2.0**-126)  # the smallest of full precision
        trainer.descend(torch.zeros_like(trainer.vector))
        assert (trainer.adam_state["exp_avg"] == 0).all().item() == is_zero


def test_help_names_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        util.parse(train.Config, ["--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    for field in dataclasses.fields(train.Config):
        assert f"--{field.name}" in out
