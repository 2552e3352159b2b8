"""train.py as its users run it: to the end, interrupted, and with settings that are wrong."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import ROOT, TINY, one_line, shell

import train
import util


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


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert shell("train.py", *LONG, "--out", folder).returncode == 0
    return folder


def start_and_stop(folder, number):
    """Start the long training, send a signal once there is a snapshot; returns code, stderr."""
    command = [sys.executable, str(ROOT / "train.py"), *LONG, "--out", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    for _ in range(3000):
        if list(folder.glob("*.snapshot")) or process.poll() is not None:
            break
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=100)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_resumes_bit_for_bit(number, uninterrupted, tmp_path):
    code, err = start_and_stop(tmp_path, number)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 130 and one_line(err) and "the same command goes on" in err
    assert not list(tmp_path.glob("*.pth"))
    again = shell("train.py", *LONG, "--out", tmp_path)
    assert again.returncode == 0 and "resuming at batch" in again.stdout
    same(uninterrupted, tmp_path)
    assert not list(tmp_path.glob("*.snapshot")) and not list(tmp_path.glob(".*.partial"))
    (log,) = tmp_path.glob("*.jsonl")
    batches = [json.loads(line).get("batch", 0) for line in log.read_text().splitlines()]
    assert batches == sorted(set(batches)) and len(batches) == 101


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
    "no batches": ("--n_batch", "0"),
    "no trials": ("--batch_sz", "0"),
    "negative run": ("--runs", "-1"),
    "same run twice": ("--runs", "1", "1"),
    "learning rate": ("--lr", "0"),
    "timing": ("--stimulus", "250"),
    "no GPU": ("--device", "cuda"),
    "no units": ("--n_neu", "0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_one_line(case, script, tmp_path):
    if case == "no GPU" and torch.cuda.is_available():
        pytest.skip("there is one")
    folder = tmp_path / "out"
    code, _, err = script("train", *TINY[6:], "--out", folder, *BAD[case])
    assert code == 2 and one_line(err), err
    assert BAD[case][0].strip("-") in err or BAD[case][1] in err, err
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
    assert config["normals"] == train.make_task(config, seeds).normals.tolist()
    assert script("train", *settings, "--out", tmp_path)[0] == 0  # found again, skipped


def test_help_names_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        util.parse(train.Config, ["--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    for field in train.dataclasses.fields(train.Config):
        assert f"--{field.name}" in out
