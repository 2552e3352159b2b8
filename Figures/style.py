"""How every figure looks, and how it finds its data and is written."""

import io
import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FIGURES = Path(__file__).resolve().parent
ROOT = FIGURES.parent
DATA = ROOT / "Data"
sys.path.insert(0, str(ROOT))

from util import load_npz, r_sq_theory, stop, write_atomic, UserError  # noqa: E402, F401, I001

COLORS = {
    "ID": "#4c4c4c",
    "quadrant": "#c1272d",
    "as_released": "#0072b2",
    "theory": "#009e73",
    "RNN": "#0072b2",
    "NoLeak": "#56b4e9",
    "LSTM": "#d55e00",
    "GRU": "#e69f00",
    "gpt-2": "#7b3294",
    "ReLU": "#0072b2",
    "Quad": "#cc3311",
}
NAMES = {
    "NoLeak": "RNN, non-leaky",
    "gpt-2": "GPT-2",
    "ReLU": "ReLU encoder",
    "Quad": "quadratic encoder",
    "ID": "ID: trained and tested on all quadrants",
    "quadrant": "OOD: quadrant really held out",
    "as_released": "OOD as released (half of the fits are ID)",
    "theory": r"theory, $1 - 12\sigma^2/t$",
}

plt.rcParams.update(
    {
        "figure.figsize": (4.6, 3.6),
        "figure.constrained_layout.use": True,
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "legend.fontsize": 7.5,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,  # text stays text
    }
)


def data(files, needs):
    """Arrays of the .npz files below Data/ that are there; one line on stderr for each that is not.

    Args:
        files: dict key -> path below Data/, or absolute.
        needs: names of arrays each must have.
    """
    found = {}
    for key, path in files.items():
        if (DATA / path).exists():
            found[key] = load_npz(DATA / path, needs)
        else:
            print(f"{DATA / path}: not there, its curve is left out", file=sys.stderr)
    return found


MARKS = {"NoLeak": "NoLeak", "LSTM": "LSTM", "GRU": "GRU", "gpt": "gpt-2", "Quad": "Quad"}
MEASURES = {"_ID": "ID", "_quadrant": "quadrant"}  # ends of file names; none: as released


def find(folders, kind, measure, needs):
    """Data of one measure by network, from files in folders below Data/, ours or the authors'.

    The first folder that has a network's file gives it.

    Args:
        folders: names below Data/, or paths.
        kind: how file names begin, 'r_sq' or 'decoders'.
        measure: 'ID', 'quadrant' or 'as_released'.
        needs: names of arrays each must have.

    Returns:
        dict network -> arrays; a network is named by what `MARKS` finds in the file name, else RNN.
    """
    found = {}
    for folder in folders:
        for path in sorted((DATA / folder).glob(f"{kind}*.npz")):
            ends = [m for end, m in MEASURES.items() if path.stem.endswith(end)]
            if (ends or ["as_released"])[0] != measure or "ridge" in path.stem:  # Adam's
                continue
            name = next((n for mark, n in MARKS.items() if mark in path.stem), "RNN")
            if name not in found:
                found[name] = load_npz(path, needs)
    if not found:
        places = " or ".join(str(DATA / folder) for folder in folders)
        raise UserError(f"{places}: no {kind}*.npz of the measure {measure}")
    return {name: found[name] for name in ("RNN", *MARKS.values()) if name in found}


def quartiles(values):
    """Lower quartile, median, upper quartile over all axes but the first."""
    return np.nanpercentile(values.reshape(len(values), -1), [25, 50, 75], axis=1)


def n_networks(r_sq):
    """'5 networks', or '3 to 5 networks', for r_sq (n_tasks, runs, splits, fits)."""
    counts = (~np.isnan(r_sq[:, :, 0, 0])).sum(1)
    low, high = counts.min(), counts.max()
    return f"{low} networks" if low == high else f"{low} to {high} networks"


def curve(ax, x, values, key, **line):
    """Median with the quartiles as a band; values (len(x), ...)."""
    low, mid, high = quartiles(values)
    ax.fill_between(x, low, high, color=COLORS[key], alpha=0.18, lw=0)
    name = NAMES.get(key, key)
    ax.plot(x, mid, "o-", color=COLORS[key], label=name, ms=4, lw=1.5, **line)


def theory(ax, value):
    """The ceiling as a line."""
    ax.axhline(value, color=COLORS["theory"], ls="--", lw=1.2, label=NAMES["theory"])


def task_axis(ax, n_tasks):
    """N_task on a logarithmic axis, each value named."""
    ax.set_xscale("log")
    ax.set_xticks(n_tasks, [str(n) for n in n_tasks])
    ax.minorticks_off()
    ax.set_xlabel("number of tasks, $N_{task}$")


def write(fig, name, folder=FIGURES):
    """Write a figure as folder/name.png and .pdf, and close it."""
    for suffix in ("png", "pdf"):
        buffer = io.BytesIO()
        fig.savefig(
            buffer, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else None
        )
        write_atomic(Path(folder) / f"{name}.{suffix}", buffer.getvalue())
    plt.close(fig)


def run(draw, name, folders):
    """Draw a figure and write Figures/name.png and .pdf; a failure is one line, exit code 2.

    Args:
        draw: function of the folders that gives the figure.
        name: of the files.
        folders: below Data/; a folder given on the command line takes their place, and the figure
            is then written into it.
    """
    out = FIGURES
    if len(sys.argv) > 1:
        out = Path(sys.argv[1]).resolve()
        folders = (out,)
    try:
        fig = draw(folders)
        for suffix in ("png", "pdf"):
            buffer = io.BytesIO()
            fig.savefig(
                buffer, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else None
            )
            write_atomic(out / f"{name}.{suffix}", buffer.getvalue())
        print(out / f"{name}.png")
    except (UserError, OSError) as error:
        stop(name, error, 2)
    except KeyboardInterrupt:
        stop(name, "interrupted", 130)
