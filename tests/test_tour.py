"""tour.ipynb runs as it stands, and is committed with what it shows."""

import os

import nbformat
from conftest import ROOT
from nbclient import NotebookClient


def shown(notebook):
    """Per cell how many figures and how many lines of text it shows."""
    outputs = [cell.get("outputs", []) for cell in notebook.cells]
    figures = [sum("image/png" in o.get("data", {}) for o in own) for own in outputs]
    lines = [sum(o.get("text", "").count("\n") for o in own) for own in outputs]
    return figures, lines


def test_the_tour_runs_and_its_outputs_are_committed(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what it trains
    path = ROOT / "tour.ipynb"
    committed, tour = (nbformat.read(path, nbformat.NO_CONVERT) for _ in range(2))
    assert len(tour.cells) == 10 and path.stat().st_size < 500_000
    for cell in tour.cells:
        cell.pop("outputs", None)  # nbclient makes them anew
    options = {"timeout": 240, "resources": {"metadata": {"path": str(ROOT)}}}
    NotebookClient(tour, kernel_name="python3", **options).execute(env=dict(os.environ))
    assert shown(tour) == shown(committed) and sum(shown(tour)[0]) == 4
    assert list(tmp_path.rglob("*.pth"))
