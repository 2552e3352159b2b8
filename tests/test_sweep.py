"""The sweep: jobs in order, skipped when done, redone when changed, killed at any moment."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
from conftest import ROOT, one_line

import paper
import settings
import sweep
import table
import util

TINY = """
import paper
from paper import Figure, Kind, decode, sparse

tiny, quick = {"n_neu": 8, "n_batch": 500}, {"n_fit": 1, "n_batch": 20}
paper.RUNS = (0, 1)
paper.KINDS = {"RNN": Kind((2, 3), **tiny), "NoLeak": Kind((2,), leaky=False, **tiny)}
paper.FIGURES = {
    "3a": Figure("r2", decode((2, 3), "RNN", **quick)),
    "3bc": Figure("both", decode((2, 3), "RNN", **quick), decode((2,), "NoLeak", **quick)),
    "S6a": Figure("sparseness", sparse((2, 3), "RNN"), script="FigS6"),
}
paper.ALIASES = {}
"""
RUN = "import runpy, sys\nsys.path.insert(0, {0!r})\n{1}\nrunpy.run_path({0!r} + '/sweep.py', "
RUN += "run_name='__main__')\n"
EVERY = sweep.Sweep(sweep.Config(sweep.GROUPS)).jobs


@pytest.fixture
def tiny(script, monkeypatch):
    """tiny(out, *flags): a sweep of a small paper in this process; exit code, stdout, stderr."""
    for name in ("RUNS", "KINDS", "FIGURES", "ALIASES"):
        monkeypatch.setattr(paper, name, getattr(paper, name))
    exec(TINY, {})
    return lambda out, *flags: script("sweep", *flags, "--out", out)


def begin(out, *flags, root=ROOT):
    """The same in a process of its own."""
    command = [sys.executable, "-c", RUN.format(str(root), TINY), *map(str, flags)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, "--out", str(out)], **pipes)


def ended(process):
    """Its exit code, and what it wrote."""
    words = process.communicate(timeout=400)
    return process.returncode, *words


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a sweep that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    code, words, err = ended(begin(out, "all"))
    assert code == 0, words + err
    return out


def contents(out):
    """Networks, decoders and rows of results."""
    files = [*out.rglob("*.pth"), *out.rglob("*.npz")]
    rows = (out / "Data/results.csv").read_text().splitlines()
    return {str(path.relative_to(out)): path.read_bytes() for path in files} | dict.fromkeys(rows)


def change_rows(out, condition, change):
    """Change rows of the table by hand: `change` gets them and gives what is left."""
    path = out / "Data/results.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    own = rows["condition"].str.contains(condition)
    pd.concat([rows[~own], change(rows[own])]).sort_index().to_csv(path, index=False)


def processes(out):
    """Process ids of all that work in a folder."""
    found = subprocess.run(["pgrep", "-f", str(out)], capture_output=True, text=True).stdout
    return [int(pid) for pid in found.split() if int(pid) != os.getpid()]


def left_over(out):
    """Files that no finished sweep leaves, and processes that work in the folder."""
    return [*out.rglob("*.snapshot"), *out.rglob(".*.partial"), *processes(out)]


def test_a_sweep_trains_decodes_and_draws(whole, tiny, tmp_path):
    assert len([name for name in contents(whole) if name.startswith("Networks/RNN/")]) == 4
    rows = table.read(whole / "Data/results.csv")
    assert set(rows["measure"]) >= {"ID", "quadrant", "ccgp", "sparsity"}
    for picture in ("Fig3a.png", "Fig3bc.pdf", "FigS6.png"):
        assert (whole / "Figures" / picture).exists()
    assert (whole / "REPORT.md").exists() and not left_over(whole)
    code, words, err = tiny(whole, "--list")
    assert code == 0 and "4 of 4" in words and "6 of 6 networks" in words, err
    words = tiny(tmp_path / "new", "--list")[1]
    assert "0 of 6 networks" in words and "min left" in words
    assert not (tmp_path / "new").exists()


def test_what_is_there_is_skipped_and_what_has_changed_is_made_again(whole, tiny, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.*") if p.suffix != ".log"}
    network, kept = next(out.glob("Networks/NoLeak/*run0.pth")), contents(out)
    network.unlink()  # its results are there
    code, _, err = tiny(out, "all")
    assert code == 0, err
    assert not network.exists()
    assert all(p.stat().st_mtime_ns == before[p] for p in before if p != network)
    change_rows(out, "leakyFalse", lambda rows: rows[:0])
    picture = out / "Figures/Fig3bc.png"
    assert tiny(out, "3bc")[0] == 0
    assert contents(out) == kept  # trained again, the same
    assert picture.stat().st_mtime_ns > before[picture]
    assert (out / "Figures/FigS6.png").stat().st_mtime_ns == before[out / "Figures/FigS6.png"]
    content = util.load_torch(network)
    content["state_dict"]["rec_to_rec.bias"] += 0.1
    util.save_torch(network, content)
    assert tiny(out, "3bc")[0] == 0  # made anew from the changed network
    assert not contents(out).keys() <= kept.keys()


def test_results_changed_by_hand_or_of_other_settings_are_not_replaced(
    whole, tiny, tmp_path, monkeypatch
):
    out = shutil.copytree(whole, tmp_path / "out")
    other = paper.decode((2, 3), "RNN", n_fit=2)
    monkeypatch.setitem(paper.FIGURES, "3a", paper.Figure("other settings", other))
    code, _, err = tiny(out, "3a")
    assert code == 2 and one_line(err) and "other settings" in err
    change_rows(out, "nTask3", lambda rows: rows.assign(value=[*rows["value"][:-1], "50"]))
    code, _, err = tiny(out, "all")
    assert code == 2 and one_line(err) and "changed by hand" in err
    assert tiny(out, "S6a", "--overwrite")[0] == 0
    assert contents(out) == contents(whole)


def test_a_failed_job_is_named_and_others_go_on(whole, tiny, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    change_rows(out, "leakyFalse", lambda rows: rows[:0])
    shutil.rmtree(out / "Networks/NoLeak")
    (out / "Networks/NoLeak").write_text("in the way")
    (out / "Figures/Fig3bc.png").unlink()
    code, words, err = tiny(out, "3bc")
    assert code == 2 and one_line(err) and "train NoLeak" in err and "not a folder" in err
    assert "generalize NoLeak adam: needs train NoLeak" in err
    assert (out / "Figures/Fig3bc.png").exists()  # of what is there
    assert "failed: train NoLeak" in words


def test_an_array_job_trains_its_part_whatever_the_scripts_say(whole, tmp_path):
    root, out = tmp_path / "edited", tmp_path / "out"
    shutil.copytree(ROOT, root, ignore=lambda _, names: [n for n in names if n[-3:] != ".py"])
    text = (root / "train.py").read_text()
    (root / "train.py").write_text(text.replace("n_neu: int = 64", "n_neu: int = 128"))
    assert text != (root / "train.py").read_text()
    parts = [("all", "--task_index", index, "--task_count", 2) for index in (0, 1)]
    for process in [begin(out, *part, root=root) for part in parts]:
        code, words, err = ended(process)
        assert code == 0 and "done: 1 trainings" in words, err
    made = list(out.rglob("*.pth"))
    assert len(made) == 6 and not list(out.rglob("*.csv"))
    for path in made:
        assert path.read_bytes() == (whole / path.relative_to(out)).read_bytes()


def test_every_setting_of_every_script_is_named():
    for name in ("train", *settings.MEASUREMENTS):
        command = next(job.command for job in EVERY.values() if job.command[0] == f"{name}.py")
        named = {word.removeprefix("--").removeprefix("no-") for word in command}
        assert set(__import__(name).Config.__dataclass_fields__) <= named, name


BAD = {
    "7z": "no figure 7z",
    "": "name figures",
    "3a --jobs -1": "jobs",
    "3a --task_index 2 --task_count 2": "task_index",
    "3a --task_count 2": "task_index",
    "3a --scheduler a --scheduler_file b": "choose one",
    "3a --scheduler tcp://127.0.0.1:9": "no Dask scheduler",
    "3a --scheduler_file /nowhere/at/all": "no Dask scheduler",
}


@pytest.mark.parametrize("flags", BAD)
def test_bad_input_is_one_line(script, monkeypatch, tmp_path, flags):
    monkeypatch.setattr(sweep, "CONNECT", 1)
    code, _, err = script("sweep", *flags.split(), "--out", tmp_path)
    assert code == 2 and one_line(err) and BAD[flags] in err
    assert not list(tmp_path.rglob("*.pth"))


def test_a_second_sweep_in_the_same_folder_stops(tiny, tmp_path):
    first = begin(tmp_path, "3a")
    try:
        while not list(tmp_path.rglob("train_RNN.log")):
            time.sleep(0.1)
        first.send_signal(signal.SIGSTOP)  # it might be done before the second has begun
        code, _, err = tiny(tmp_path, "3a")
        assert code == 2 and one_line(err) and "another sweep" in err
    finally:
        first.send_signal(signal.SIGINT)
        first.send_signal(signal.SIGCONT)
    code, _, err = ended(first)
    assert code == 130 and one_line(err)
    assert not processes(tmp_path)


@pytest.mark.parametrize("n_kill", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_it_ends_as_if_it_had_not_been(whole, tmp_path, n_kill):
    rng = random.Random(n_kill)
    running = begin(tmp_path, "3bc")
    for _ in range(n_kill):
        time.sleep(rng.uniform(1, 6))
        victims = processes(tmp_path)
        if victims:
            os.kill(rng.choice(victims), signal.SIGKILL)
        if running.poll() is not None:
            running.communicate()
            running = begin(tmp_path, "3bc")
    while ended(running)[0] != 0:  # a job may have been killed too often
        running = begin(tmp_path, "3bc")
    assert contents(tmp_path).items() <= contents(whole).items()
    assert len(list(tmp_path.rglob("*.pth"))) == 6
    assert not left_over(tmp_path)


def test_on_a_dask_cluster_with_a_worker_killed(whole, tmp_path):
    with socket.socket() as sock:  # a port that nobody listens on
        sock.bind(("127.0.0.1", 0))
        address, out = f"tcp://127.0.0.1:{sock.getsockname()[1]}", tmp_path / "out"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    started = [subprocess.Popen([*dask, "scheduler", "--host", address, "--no-dashboard"], **quiet)]
    work = ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    workers = [subprocess.Popen([*dask, *work], **quiet) for _ in range(2)]
    try:
        running, busy = begin(out, "3a", "--scheduler", address), []
        while not busy:
            assert running.poll() is None, ended(running)
            time.sleep(0.1)
            busy = [worker for worker in workers if psutil.Process(worker.pid).children()]
        busy[0].kill()
        code, words, err = ended(running)
        assert code == 0, words + err
    finally:
        for process in (*workers, *started):
            process.kill()
    assert contents(out).items() <= contents(whole).items()
    assert len(list(out.rglob("*.pth"))) == 4 and not left_over(out)


def test_every_product_of_the_paper_can_be_asked_for_and_has_one_maker():
    made = [what for job in EVERY.values() for what in (*job.networks, *job.results)]
    assert len(set(made)) == len(made)
    assert len({path for job in EVERY.values() for path in job.networks}) == 1355
    assert all(need in EVERY for job in EVERY.values() for need in job.needs)
    for name, figure in paper.FIGURES.items():
        assert (ROOT / "Figures" / f"{figure.script or f'Fig{name}'}.py").exists()
    assert not paper.ALIASES.keys() & paper.FIGURES and {*paper.ALIASES.values()} <= {
        *paper.FIGURES
    }
    first = sweep.Sweep(sweep.Config(("3a", "3b", "S1", "S6a"))).jobs
    trainings = sorted(name for name, job in first.items() if job.networks)
    kinds = "EncoderMean", "EncoderMean_Quad", "LSTM", "NoLeak", "Quad", "RNN", "gpt-2"
    assert trainings == [f"train {kind}" for kind in kinds]


def test_shipped_results_are_all_there():
    assert "about 0 min left" in sweep.Sweep(sweep.Config(("all",), list=True, out=ROOT)).report(2)
