"""The sweep: jobs in order, skipped when done, redone when changed, killed at any moment."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, one_line

import paper
import sweep
import util

N_BATCH = 1000
TINY = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import paper
from paper import Figure, Kind, analyze, decode, sparse

tiny = {{"n_neu": 8, "n_batch": {N_BATCH}}}
paper.RUNS = (0, 1)
paper.KINDS = {{"RNN": Kind((2, 3), tiny), "NoLeak": Kind((2,), {{"leaky": False, **tiny}})}}
rnn = decode("Fig3a/r_sq_RNN_CELoss", ("RNN", (2, 3)), n_fit=1, n_batch=20)
paper.FIGURES = {{
    "3a": Figure("r2", (rnn,)),
    "3bc": Figure("both", (rnn, decode("Fig3b,c/r_sq_NoLeak_CELoss", ("NoLeak", (2,)),
                                       n_fit=1, n_batch=20))),
    "S6a": Figure("sparseness", (sparse("FigS6/arc/sparsity_RNN", ("RNN", (2, 3))),), "FigS6"),
}}
paper.ALIASES = {{}}
"""
RUN = f"import runpy\nrunpy.run_path({str(ROOT / 'sweep.py')!r}, run_name='__main__')\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """tiny(out, *flags, wait=True): sweep.py with a small paper, in a process of its own."""
    file = tmp_path_factory.mktemp("tiny") / "tiny_sweep.py"
    file.write_text(TINY + RUN)

    def run(out, *flags, wait=True):
        command = [sys.executable, str(file), *map(str, flags), "--out", str(out)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, **pipes)
        if not wait:
            return process
        out, err = process.communicate(timeout=400)
        return process.returncode, out, err

    return run


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """The folder of a sweep that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    code, words, err = tiny(out, "all")
    assert code == 0, words + err
    return out


def contents(out):
    """Bytes of all networks and data."""
    files = [*Path(out).rglob("*.pth"), *Path(out).rglob("*.npz")]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def left_over(out):
    """Files that no finished sweep leaves."""
    return [p for p in Path(out).rglob("*") if p.suffix in (".snapshot", ".partial")]


# ------------------------------------------------------------------ what is done, and when


def test_a_sweep_trains_decodes_and_draws(whole):
    names = set(contents(whole))
    assert len([n for n in names if n.startswith("Networks/RNN/")]) == 4
    assert {"Data/Fig3a/r_sq_RNN_CELoss.npz", "Data/Fig3a/decoders_RNN_CELoss_ID.npz"} <= names
    for picture in ("Fig3a.png", "Fig3bc.pdf", "FigS6.png"):
        assert (whole / "Figures" / picture).exists()
    assert not left_over(whole)


def test_what_is_there_is_skipped_and_what_has_changed_is_made_again(whole, tiny, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*.*") if p.suffix != ".log"}
    code, _, err = tiny(whole, "all")
    assert code == 0, err
    assert {p: p.stat().st_mtime_ns for p in before} == before
    network = next(whole.glob("Networks/NoLeak/*run0.pth"))
    kept, data = network.read_bytes(), whole / "Data/Fig3b,c/r_sq_NoLeak_CELoss.npz"
    network.unlink()
    (whole / "Figures/FigS6.png").unlink()
    assert tiny(whole, "all")[0] == 0
    assert not network.exists()  # its results are there
    assert (whole / "Figures/FigS6.png").exists()
    data.unlink()
    assert tiny(whole, "all")[0] == 0
    assert network.read_bytes() == kept  # trained again, the same
    assert data.exists()
    mine = whole / "Data/Fig3a/r_sq_RNN_CELoss.npz"
    assert mine.stat().st_mtime_ns == before[mine]
    content = util.load_torch(network)
    content["state_dict"]["rec_to_rec.bias"] += 0.1
    util.save_torch(network, content)
    before = util.load_npz(data)["r_sq"]
    assert tiny(whole, "all")[0] == 0  # made anew from the changed network
    assert (util.load_npz(data)["r_sq"] != before).any()
    network.write_bytes(kept)
    assert tiny(whole, "all")[0] == 0


def test_list_says_what_is_there_and_runs_nothing(whole, tiny, tmp_path):
    code, words, err = tiny(whole, "--list")
    assert code == 0 and "4 of 4" in words and "6 of 6 networks" in words, err
    code, words, _ = tiny(tmp_path / "new", "--list")
    assert code == 0 and "0 of 6 networks" in words and "min left" in words
    assert not (tmp_path / "new").exists()


def test_data_changed_by_hand_are_noticed(whole, tiny, tmp_path):
    path = whole / "Data/Fig3a/r_sq_RNN_CELoss_ID.npz"
    kept = path.read_bytes()
    arrays = util.load_npz(path)
    np.savez(path, **{**arrays, "r_sq": arrays["r_sq"] + 0.1})
    try:
        code, _, err = tiny(whole, "all")
        assert code == 2 and one_line(err) and "changed by hand" in err
        with pytest.raises(util.UserError, match="changed by hand"):
            util.load_npz(path)
        assert tiny(whole, "all", "--overwrite")[0] == 0
        assert path.read_bytes() == kept
    finally:
        path.write_bytes(kept)


def test_results_of_other_settings_or_measures_are_not_replaced(whole, tiny, script):
    before = contents(whole)
    code, _, err = tiny(whole, "all", "--quick")
    assert code == 2 and one_line(err) and "other settings" in err
    path = whole / "Data/Fig3a/r_sq_RNN_CELoss.npz"
    arrays = {k: v for k, v in util.load_npz(path).items() if k != "sha256"}
    util.save_npz(path, **{**arrays, "measure": "quadrant"})
    code, _, err = tiny(whole, "all")
    assert code == 2 and one_line(err) and "other settings" in err
    path.write_bytes(before["Data/Fig3a/r_sq_RNN_CELoss.npz"])
    assert contents(whole) == before


def test_an_array_job_trains_its_part(tiny, tmp_path, whole):
    for index in (0, 1):
        code, _, err = tiny(tmp_path, "all", "--task_index", index, "--task_count", 2)
        assert code == 0, err
        assert len(list(tmp_path.rglob("*.pth"))) == (4, 6)[index]
    there = contents(tmp_path)
    assert not [name for name in there if name.endswith(".npz")]
    assert all(contents(whole)[name] == there[name] for name in there)


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    "flags, words",
    [
        (("7z",), "no figure 7z"),
        ((), "name figures"),
        (("3a", "--jobs", "-1"), "jobs"),
        (("3a", "--task_index", "2", "--task_count", "2"), "task_index"),
        (("3a", "--task_count", "2"), "task_index"),
        (("3a", "--scheduler", "a", "--scheduler_file", "b"), "choose one"),
        (("3a", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler"),
        (("3a", "--scheduler_file", "/nowhere/at/all"), "no Dask scheduler"),
    ],
)
def test_bad_input_is_one_line(script, monkeypatch, tmp_path, flags, words):
    monkeypatch.setattr(sweep, "CONNECT", 1)
    code, _, err = script("sweep", *flags, "--out", tmp_path)
    assert code == 2 and one_line(err) and words in err
    assert not list(tmp_path.rglob("*.pth"))


def test_a_second_sweep_in_the_same_folder_stops(tiny, tmp_path):
    first = tiny(tmp_path, "3a", wait=False)
    try:
        while not (tmp_path / "logs/sweep.log").exists():
            time.sleep(0.1)
        time.sleep(0.5)
        first.send_signal(signal.SIGSTOP)  # it might be done before the second has begun
        code, _, err = tiny(tmp_path, "3a")
        assert code == 2 and one_line(err) and "another sweep" in err
    finally:
        first.send_signal(signal.SIGINT)
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=100)
    assert first.returncode == 130 and one_line(err)
    assert not processes(tmp_path)


def test_a_failed_job_is_named_and_others_go_on(tiny, tmp_path):
    (tmp_path / "Networks").mkdir()
    (tmp_path / "Networks/NoLeak").write_text("in the way")
    code, words, err = tiny(tmp_path, "all")
    assert code == 2 and one_line(err) and "train NoLeak" in err and "not a folder" in err
    assert (tmp_path / "Figures/Fig3a.png").exists()
    assert "failed: train NoLeak" in words


# ------------------------------------------------------------------ kill -9


def processes(out):
    """Process ids of all that work in a folder."""
    found = subprocess.run(["pgrep", "-f", str(out)], capture_output=True, text=True).stdout
    return [int(pid) for pid in found.split() if int(pid) != os.getpid()]


def killed_at_random(tiny, out, n_kill, seed):
    """Sweep until done; n_kill times a process, drawn at random, is killed."""
    rng = random.Random(seed)
    running = tiny(out, "all", wait=False)
    for _ in range(n_kill):
        time.sleep(rng.uniform(1, 9))
        victims = processes(out)
        if victims:
            os.kill(rng.choice(victims), signal.SIGKILL)
        if running.poll() is not None:
            running.communicate()
            running = tiny(out, "all", wait=False)
    running.communicate(timeout=400)
    while running.returncode != 0:  # a job may have been killed too often
        running = tiny(out, "all", wait=False)
        running.communicate(timeout=400)


@pytest.mark.parametrize("n_kill", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_it_ends_as_if_it_had_not_been(tiny, whole, tmp_path, n_kill):
    killed_at_random(tiny, tmp_path, n_kill, seed=n_kill)
    assert contents(tmp_path) == contents(whole)
    assert not left_over(tmp_path) and not processes(tmp_path)


# ------------------------------------------------------------------ a cluster


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_on_a_dask_cluster_with_a_worker_killed(tiny, whole, tmp_path):
    address, out = f"tcp://127.0.0.1:{free_port()}", tmp_path / "out"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    listen = ["--host", address, "--no-dashboard"]
    started = [subprocess.Popen([*dask, "scheduler", *listen], **quiet)]
    work = ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    workers = [subprocess.Popen([*dask, *work], **quiet) for _ in range(3)]
    try:
        running = tiny(out, "all", "--scheduler", address, wait=False)
        while not list(out.rglob("train*.log")):
            assert running.poll() is None, running.communicate()
            time.sleep(0.2)
        workers[0].kill()
        words, err = running.communicate(timeout=300)
        assert running.returncode == 0, words + err
    finally:
        for process in (*workers, *started):
            process.kill()
    assert contents(out) == contents(whole)
    assert not left_over(out)


# ------------------------------------------------------------------ the table of the paper


def test_every_product_can_be_asked_for_and_has_one_maker(tmp_path):
    jobs = sweep.Sweep(sweep.Config(("all",), out=tmp_path)).jobs
    outputs = [p for job in jobs.values() for p in job.outputs if p.suffix in (".npz", ".pth")]
    assert len(set(outputs)) == len(outputs)
    assert all(need in jobs for job in jobs.values() for need in job.needs)
    for name, figure in paper.FIGURES.items():
        assert (ROOT / "Figures" / f"{figure.script or f'Fig{name}'}.py").exists()
    for alias, name in paper.ALIASES.items():
        assert alias not in paper.FIGURES and name in paper.FIGURES


def test_conditions_of_the_paper_are_all_there(tmp_path):
    every = sweep.Sweep(sweep.Config(("all",), out=tmp_path))
    files = {path for job in every.jobs.values() if job.work for path in job.outputs}
    assert len(files) == 450
    first = sweep.Sweep(sweep.Config(("3a", "3b", "S1", "S6a"), out=tmp_path))
    trainings = [name for name, job in first.jobs.items() if job.work]
    assert sorted(trainings) == [
        "train LSTM",
        "train NoLeak",
        "train Quad",
        "train RNN",
        "train gpt-2",
    ]
