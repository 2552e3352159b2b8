"""Networks split into processes: the same networks, resumed as begun, no process left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from conftest import ROOT, one_line
from test_train import LONG, batches_in, during, same, send

import train
import util
from settings import network_configs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folders with the networks of the long training, from two processes and from one."""
    folders, argv = [tmp_path_factory.mktemp(name) for name in ("two", "one")], sys.argv
    for folder, n_worker in zip(folders, "21", strict=True):
        sys.argv = ["train.py", *LONG, "--workers", n_worker, "--out", str(folder)]
        train.main(util.parse(train.Config, sys.argv[1:]))
    sys.argv = argv
    return folders


def processes_of(folder):
    """Numbers of the processes, but for this one, that work in a folder."""
    found = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout
    return [int(number) for number in found.split() if int(number) != os.getpid()]


def wait_for(is_true):
    """Look every now and then."""
    for _ in range(3000):
        if is_true():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def test_two_processes_train_the_same_networks_as_one(whole):
    two, one = whole
    same(two, one, atol=1e-4)
    logs = sorted(two.glob("*.jsonl"))
    heads = [json.loads(log.read_text().splitlines()[0])["networks"] for log in logs]
    assert sorted(heads[0] + heads[1]) == sorted(path.stem for path in two.glob("*.pth"))
    assert len(logs) == 2 and not list(two.glob("*.snapshot"))


def snapshots(folder):
    """Snapshots and when they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("*.snapshot")}


def start_and_stop(number, command, folder):
    """Start a training, and send it a signal once its snapshots change."""
    before = snapshots(folder)
    command = [sys.executable, str(ROOT / "train.py"), *command]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
    wait_for(lambda: snapshots(folder) != before)
    assert len(processes_of(folder)) == 3
    if number == signal.SIGINT:  # a terminal's goes to all processes of the group
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=100)
    wait_for(lambda: not processes_of(folder))
    assert ("resuming at batch" in out) == bool(before)
    return process.returncode, err


def test_interrupted_again_and_again_they_end_bit_for_bit(whole, script, tmp_path):
    command = [*LONG, "--workers", "2", "--out", str(tmp_path)]
    assert start_and_stop(signal.SIGKILL, command, tmp_path)[0] == -signal.SIGKILL
    for number in (signal.SIGINT, signal.SIGTERM):
        code, err = start_and_stop(number, command, tmp_path)
        assert code == 130 and one_line(err) and "of 600; the same command goes on" in err

    before = snapshots(tmp_path)

    def kill_one():
        wait_for(lambda: snapshots(tmp_path) != before)
        os.kill(processes_of(tmp_path)[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    code, out, err = script("train", *command)  # the one that was killed is replaced
    killer.join()
    assert code == 0 and not err and "600/600 batches, loss" in out
    same(whole[0], tmp_path)
    assert not list(tmp_path.glob("*.snapshot")) and not list(tmp_path.glob(".*.partial"))
    logs = list(tmp_path.glob("*[0-9a-f].jsonl"))
    assert [batches_in(log) for log in logs] == [list(range(6, 601, 6))] * 2


def test_a_begun_shard_goes_on_as_it_was_and_may_diverge(script, tmp_path, monkeypatch):
    args = ("--n_task", 2, 3, "--runs", 0, 1, "--n_batch", 200, "--n_neu", 6, "--out", tmp_path)
    during(monkeypatch, {100: send(signal.SIGINT)})
    assert script("train", *args, "--only", 0, 2, 3)[0] == 130
    (snapshot,) = tmp_path.glob("*.snapshot")
    state = util.load_torch(snapshot)
    state["model"]["readout.out_weight"][1] = float("nan")
    util.save_torch(snapshot, state)
    code, out, err = script("train", *args, "--workers", 1)
    assert code == 2 and f"resuming at batch 100 of 200 from {snapshot}" in out
    name = "RNN_nTask3_n_neu6_n_batch200_run0"
    assert f"{name} diverged (loss nan before batch 102)" in err and "Traceback" not in err
    assert err.splitlines()[-1] == f"train.py: 1 of 4 networks diverged: {name}"
    assert "3 networks in" in out and len(list(tmp_path.glob("*_run?.pth"))) == 3
    assert len(list(tmp_path.glob("*.jsonl"))) == 2 and not list(tmp_path.glob("*.snapshot"))


@pytest.mark.parametrize(
    ("command", "n_fake", "n_begun", "words"),
    [
        ("kill -9 $$", 9, 4, "a shard was killed, and so was each that took its place"),
        (
            "echo 'train.py: out of memory; fewer networks' >&2; exit 2",
            1,
            1,
            "out of memory; fewer",
        ),
    ],
)
def test_a_shard_is_started_again_three_times_and_its_last_words_are_passed_on(
    command, n_fake, n_begun, words, script, tmp_path, monkeypatch
):
    start, begun = util.start, []

    def fake(given, **options):  # a command of the shell, in place of the first shard's
        if given[-1] == "0" and len(begun) < n_fake:
            begun.append(given)
            given = ["sh", "-c", command]
        return start(given, **options)

    monkeypatch.setattr(util, "start", fake)
    args = ("--n_task", 2, 3, "--n_batch", 10**6, "--n_neu", 6, "--workers", 2, "--out", tmp_path)
    code, _, err = script("train", *args)
    assert code == 2 and one_line(err) and err.startswith(f"train.py: {words}")
    assert len(begun) == n_begun and not processes_of(tmp_path)


# ------------------------------------------------------------------ which networks together


def kinds(**settings):
    """Settings of 20 networks."""
    return network_configs({"n_task": tuple(range(2, 22)), "runs": (0,), **settings})


def test_how_many_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)

    def split(configs, n_shard=0):
        return train.split(train.Shard(configs, tmp_path), configs, n_shard)

    every = kinds()
    cases = [(every, 0, 3), (every[:11], 0, 2), (every[:7], 0, 1), (every[:3], 2, 2)]
    cases += [(every[:3], 9, 3), (every, 1, 1), (kinds(n_batch=10), 0, 1)]  # not worth the start
    assert [len(split(*case[:2])) for case in cases] == [case[2] for case in cases]
    assert [[c["n_task"] for c in s.networks] for s in split(every[:5], 2)] == [[2, 4, 6], [3, 5]]


def test_begun_shards_go_on_and_the_others_are_split(tmp_path):
    configs = kinds()[:7]

    def begin(some):
        state = {"shard": some, "done": 5}
        util.save_torch(train.Shard(some, tmp_path).snapshot, state)

    def split(n_shard):
        shards = train.split(train.Shard(configs, tmp_path), configs, n_shard)
        return shards[0].done, [[c["n_task"] for c in shard.networks] for shard in shards]

    begin(configs[1::3])
    begin(kinds()[6:8])  # one of them is not asked for
    begin(kinds(n_neu=5)[:3])  # other networks
    (tmp_path / "ensemble_0.snapshot").write_bytes(b"damaged")
    assert split(1) == split(2) == (5, [[3, 6], [2, 4, 5, 7, 8]])
    assert split(3) == (5, [[3, 6], [2, 5, 8], [4, 7]])  # as they were before
    begin(configs)  # all of them in one process
    assert split(3)[1] == [[2, 3, 4, 5, 6, 7, 8]]


def test_no_shards_where_they_cannot_be(script, tmp_path, monkeypatch):
    monkeypatch.setattr(train.sys, "platform", "win32")
    args = ("--n_task", 2, "--n_batch", 20, "--n_neu", 6, "--out", tmp_path)
    code, _, err = script("train", *args, "--workers", 2)
    assert code == 2 and one_line(err) and "--workers is for a CPU, and not for Windows" in err
    assert script("train", *args)[0] == 0


def test_only_some_networks_may_be_trained(script, tmp_path):
    args = ("--n_task", 2, 3, "--runs", 0, 1, "--n_batch", 20, "--n_neu", 6, "--out", tmp_path)
    assert script("train", *args, "--only", 1, 2)[0] == 0
    names = sorted(path.stem for path in tmp_path.glob("*.pth"))
    assert [name[:10] + name[-5:] for name in names] == ["RNN_nTask2_run1", "RNN_nTask3_run0"]
    assert "2 of 4 networks are trained already" in script("train", *args)[1]
