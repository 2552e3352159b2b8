"""What a user adds or edits: a network of one's own goes everywhere; edits at the top are free."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT, blocks, commands

PAGE = "docs/extending.md"
TINY = {"train.py": "--n_neu 8 --n_batch 60", "generalize.py": "--n_fit 1 --n_batch 30"}
TINY |= {"analyze.py": "--n_trial 16 --n_start 4 --n_repeat 4 --no-pictures"}
SMALL = """
RUNS = (0, 1)
KINDS["SSM"].settings |= {"n_neu": 8, "n_batch": 200}
FIGURES["SSM"].products[0].options.update({"n_fit": 1, "n_batch": 30})
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the scripts with one class and one table entry more, and the words of a run."""
    tree = tmp_path_factory.mktemp("tree")
    for path in [*ROOT.glob("*.py"), *ROOT.glob("Figures/*.py")]:
        (tree / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, tree / path.relative_to(ROOT))
    task, network, entry, figure = blocks(PAGE, "python")
    (tree / "ssm.py").write_text(network)
    for name, more in (("tasks", task), ("model", entry), ("paper", figure + SMALL)):
        text = (tree / f"{name}.py").read_text()
        before, main, after = text.partition('if __name__ == "__main__":')
        (tree / f"{name}.py").write_text(f"{before}{more}\n\n{main}{after}")
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


def follow(tree, name):
    """Run the page's commands about an example at tiny size; what the last one printed."""
    for words in commands(PAGE):
        if {name, name.lower()} & {part for word in words for part in word.split("_")}:
            said = run(tree, *words[1:], *TINY.get(words[1], "").split())
    return said


def test_a_task_of_the_page_trains_and_decodes(tree):
    assert "OOD held out" in follow(tree, "Circles")
    assert (tree / "circles/trial.png").exists()
    assert set(pd.read_csv(tree / "circles/results.csv")["n_task"]) == {6}


def test_a_network_of_the_page_goes_everywhere(tree):
    assert "4 of 4" in follow(tree, "SSM")  # sweep.py --list comes last
    assert (tree / "ssm/SSM_nTask24_n_neu8_n_batch60_run0.pth").exists()
    assert set(pd.read_csv(tree / "ssm/results.csv")["network"]) == {"SSM"}
    assert (tree / "analysis_ssm/spectrum.npz").exists()
    rows = pd.read_csv(tree / "sweep/Data/results.csv").query("measure == 'quadrant'")
    assert set(rows["network"]) == {"SSM"} and set(rows["n_task"]) == {2, 3}
    assert (tree / "sweep/Figures/Fig3bc.png").stat().st_size > 20_000


def test_a_setting_edited_at_the_top_names_its_own_network(tree):
    edit(tree / "train.py", "n_neu: int = 64", "n_neu: int = 96")
    run(tree, "train.py", "--n_batch", 3, "--out", "edited")
    run(tree, "train.py", "--n_batch", 3, "--n_neu", 64, "--out", "edited")
    names = sorted(path.stem for path in (tree / "edited").glob("*.pth"))
    assert names == ["RNN_nTask24_n_batch3_run0", "RNN_nTask24_n_neu96_n_batch3_run0"]
