"""What a user adds or edits: a network of one's own goes everywhere; edits at the top are free."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

SSM = '''
"""A diagonal linear state-space layer: h(t) = a h(t-1) + W u(t) + b, one a per unit."""

import torch

from RNN import Network, RecurrentNetwork, affine


class SSM(RecurrentNetwork):
    def __init__(self, n_net, n_in, n_neu):
        Network.__init__(self, n_net, n_neu)
        self.add_linear("inp", n_in, n_neu, "inp.{}")
        self.add_vector("rate", n_neu, "rate")

    @torch.no_grad()
    def draw(self, net, rng):
        self.draw_linear("inp", net, rng)
        self.rate[net].uniform_(1, 4, generator=rng)

    def drive(self, inputs):
        return affine(inputs, self.inp_weight, self.inp_bias)

    def step(self, state, drive):
        return torch.sigmoid(self.rate) * state + drive
'''
FIGURE = """
RUNS = (0, 1)
SMALL = {"n_fit": 1, "n_batch": 30}
KINDS["SSM"] = Kind((2, 3), network="SSM", n_neu=8, n_batch=200)
FIGURES["SSM"] = Figure("a new layer", decode((2, 3), "SSM", **SMALL), script="Fig3bc")
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the scripts with one class and one table entry more, and the words of a run."""
    tree = tmp_path_factory.mktemp("tree")
    for path in [*ROOT.glob("*.py"), *ROOT.glob("Figures/*.py")]:
        (tree / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, tree / path.relative_to(ROOT))
    (tree / "ssm.py").write_text(SSM)
    edit(tree / "model.py", '"gpt-2": GPT2}', '"gpt-2": GPT2, "SSM": SSM}')
    edit(tree / "model.py", "\nimport tasks\n", "\nimport tasks\nfrom ssm import SSM\n")
    with open(tree / "paper.py", "a") as file:
        file.write(FIGURE)
    return tree


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def run(tree, *words):
    """Run a script of the tree from within it."""
    command = [sys.executable, *map(str, words)]
    found = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_a_network_from_outside_trains_decodes_and_is_analysed(tree):
    run(tree, "train.py", "--network", "SSM", "--n_neu", 8, "--n_batch", 60, "--out", "nets")
    assert (tree / "nets/SSM_nTask24_n_neu8_n_batch60_run0.pth").exists()
    flags = "--networks", "nets", "--n_fit", 1, "--n_batch", 30
    assert "OOD held out" in run(tree, "generalize.py", *flags)
    assert set(pd.read_csv(tree / "nets/results.csv")["network"]) == {"SSM"}
    few = "--n_trial", 16, "--n_start", 4, "--n_repeat", 4, "--no-pictures"
    run(tree, "analyze.py", "--network", "nets", *few)
    assert (tree / "analysis/spectrum.npz").exists()


def test_a_network_from_outside_is_swept_and_drawn(tree):
    listed = run(tree, "sweep.py", "SSM", "--list")
    assert "0 of 4" in listed  # and a time, though nobody has timed it
    run(tree, "sweep.py", "SSM")
    rows = pd.read_csv(tree / "sweep/Data/results.csv").query("measure == 'quadrant'")
    assert set(rows["network"]) == {"SSM"} and set(rows["n_task"]) == {2, 3}
    assert (tree / "sweep/Figures/Fig3bc.png").stat().st_size > 20_000


def test_a_setting_edited_at_the_top_names_its_own_network(tree):
    edit(tree / "train.py", "n_neu: int = 64", "n_neu: int = 96")
    run(tree, "train.py", "--n_batch", 3, "--out", "edited")
    run(tree, "train.py", "--n_batch", 3, "--n_neu", 64, "--out", "edited")
    names = sorted(path.stem for path in (tree / "edited").glob("*.pth"))
    assert names == ["RNN_nTask24_n_batch3_run0", "RNN_nTask24_n_neu96_n_batch3_run0"]
