"""The trained networks in Networks/ are what their sums say, and load."""

import hashlib

import numpy as np
import pytest
from conftest import ROOT

import model
import util

FOLDERS = sorted(path.name for path in (ROOT / "Networks").iterdir() if path.is_dir())


def test_sums():
    lines = (ROOT / "Networks" / "SHA256SUMS").read_text().splitlines()
    said = {name: total for total, name in (line.split() for line in lines)}
    files = {f"{path.parent.name}/{path.name}": path for path in ROOT.glob("Networks/*/*.pth")}
    assert set(said) == set(files)
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == said[name], name


@pytest.mark.parametrize("folder", FOLDERS)
def test_they_load_and_generalise(folder, script, tmp_path):
    paths = util.find_checkpoints([ROOT / "Networks" / folder])
    _, configs = model.load_ensemble(paths)
    assert {c["run"] for c in configs} == set(range(5))
    settings = ("--decoder", "ridge", "--n_fit", 1, "--n_ridge", 500, "--out", tmp_path / "r.npz")
    one = ROOT / "Networks" / folder / "*nTask24*run0.pth"
    assert script("generalize", "--networks", one, "--in_distribution", *settings)[0] == 0
    assert np.median(util.load_npz(tmp_path / "r.npz")["r_sq"]) > 0.95
