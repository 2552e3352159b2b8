"""Tools for the tests: run a script as a user would, or its main in this process."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

# Tests run side by side, one per core; threads of several would wait for each other.
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import pytest
import torch

import batches
import training
import util
from checkpoint import checkpoint
from settings import network_configs

ROOT = Path(__file__).resolve().parents[1]
# A shell's background job ignores Ctrl-C, and so would the scripts that tests start from there.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def small_numbers():
    """What a script did to numbers below full precision ends with its test."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def script(monkeypatch, capsys):
    """script('train', '--n_task', '2') runs train.py here; returns exit code, stdout, stderr."""

    def run(name, *args):
        module = __import__(name)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, args)])
        code = 0
        try:
            util.run_script(module.main, module.Config)
        except SystemExit as error:
            code = error.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def shell(*args, **options):
    """The same in a process of its own, from another folder."""
    command = [sys.executable, str(ROOT / args[0]), *map(str, args[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def make(n_task=(2, 5), runs=(0,), n_neu=16, **settings):
    """A Trainer of small networks."""
    kind = {"n_task": n_task, "runs": runs, "n_neu": n_neu, **settings}
    return training.Trainer(network_configs(kind), torch.device("cpu"))


def save_small(folder, name="net", change=lambda model: None, **settings):
    """Small untrained networks as files; `change` may alter their weights first."""
    trainer = make(**settings)
    with torch.no_grad():
        change(trainer.model)
    paths = [folder / f"{name}{net}.pth" for net in range(len(trainer.configs))]
    for net, path in enumerate(paths):
        util.save_torch(path, checkpoint(trainer.model, net, trainer.configs[net], [], []))
    return paths


def trials(trainer, n_trial=16):
    """Inputs (net, trial, time, channel) of a Trainer's networks, before the encoder."""
    generators = [util.generator(seed) for seed in range(len(trainer.tasks))]
    return batches.sample(trainer.tasks, generators, n_trial)[0]


def one_line(text):
    """Is this one clear line, no traceback?"""
    return text.count("\n") == 1 and "Traceback" not in text


TINY = ("--n_task", "2", "3", "--runs", "0", "1", "--n_batch", "120", "--n_neu", "8")


@pytest.fixture(scope="session")
def tiny_networks(tmp_path_factory):
    """A folder with 4 hardly trained networks."""
    folder = tmp_path_factory.mktemp("nets")
    assert shell("train.py", *TINY, "--out", folder).returncode == 0
    return folder


def blocks(page, language):
    """Code blocks of a page."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)
    return [code for name, code in found if name == language]


def commands(page):
    """The commands in a page's sh blocks, as lists of words; several in a line count each."""
    lines = "".join(blocks(page, "sh")).splitlines()
    parts = [part for line in lines for part in re.split(r" && ", line.split(" #")[0])]
    return [words for part in parts if (words := shlex.split(part, comments=True))]
