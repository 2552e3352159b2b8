"""How every figure looks, and how it finds its data and is written."""

import io
import re
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
    "Bound": "#e69f00",
}
NAMES = {
    "NoLeak": "RNN, non-leaky",
    "gpt-2": "GPT-2",
    "ReLU": "ReLU encoder",
    "Quad": "quadratic encoder",
    "Bound": "RNN, free reaction time",
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


class Missing(UserError):
    """Data that are not there."""


LEFT_OUT = []  # lines on what is not drawn; `run` prints them beside a figure


def leave_out(line):
    """Say on stderr, once the figure is drawn, what is missing in it."""
    if line not in LEFT_OUT:
        LEFT_OUT.append(line)


def if_there(read, *args):
    """What read(*args) gives; None, and a line on stderr, where its data are not there."""
    try:
        return read(*args)
    except Missing as error:
        leave_out(f"{error}; left out")


def any_of(*found):
    """Raise Missing, with the first line of what is left out, where nothing was found."""
    if not any(found):
        raise Missing(LEFT_OUT[0])


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
            leave_out(f"{DATA / path}: not there, left out")
    return found


MARKS = {name: name for name in ("NoLeak", "LSTM", "GRU", "Quad", "Bound")}
MARKS |= {"gpt": "gpt-2", "GPT": "gpt-2"}
MEASURES = {"_ID": "ID", "_quadrant": "quadrant"}  # ends of file names; none: as released


ANALYSES = {  # what each file of analyze.py must hold to be drawn
    "lines": "x logits x_labels labels n_task n_dim",
    "one_trial": "time inputs rates decoded x outputs range evidence n_task",
    "pca": "conditions share",
    "trajectories": "trajectory x share",
    "spectrum": "eigenvalues amplification kept n_lead",
    "rate_maps": "rates correlation",
    "rate_maps_end": "rates correlation",
    "encoder": "x projected share",
}


def analyses(folders, *names, also=()):
    """What analyze.py wrote into each of the folders; one that lacks a file is left out.

    Args:
        folders: names below Data/, or paths.
        names: of its files, as 'lines'.
        also: of files that only some of them have.

    Returns:
        list of dict name -> arrays, one per folder; with n_task (net,) and `network`, a key of
        `COLORS`.

    Raises:
        Missing: no folder has them.
    """
    found, missing = [], []
    for folder in folders:
        paths = {
            name: DATA / folder / f"{name}.npz" for name in dict.fromkeys((*names, "one_trial"))
        }
        absent = [str(path) for path in paths.values() if not path.exists()]
        if absent:
            missing.append(f"{absent[0]}: not there")
            continue
        optional = {name: DATA / folder / f"{name}.npz" for name in also}
        paths |= {name: path for name, path in optional.items() if path.exists()}
        arrays = {name: load_npz(path, ANALYSES[name].split()) for name, path in paths.items()}
        trial = arrays["one_trial"]
        first = str(trial.get("networks", np.array([""]))[0])
        found.append({**arrays, "n_task": trial["n_task"], "network": network_of(first)})
    if not found:
        raise Missing(f"{missing[0]}; analyze.py writes it")
    for line in missing:
        leave_out(f"{line}, left out")
    return found


def title(kind):
    """'RNN, N_task = 24' of what `analyses` returns."""
    network = kind["network"]
    return f"{NAMES.get(network, network)}, $N_{{task}}={kind['n_task'][0]}$"


def network_of(name):
    """The architecture that a name of a file or network tells, a key of `COLORS`; else RNN."""
    return next((network for mark, network in MARKS.items() if mark in name), "RNN")


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
            name = network_of(path.stem)
            if name not in found:
                found[name] = load_npz(path, needs)
    if not found:
        places = " or ".join(str(DATA / folder) for folder in folders)
        raise Missing(f"{places}: no {kind}*.npz of the measure {measure}")
    return {name: found[name] for name in ("RNN", *MARKS.values()) if name in found}


ALL_MEASURES = ("ID", "quadrant", "as_released")


def condition(folders, mark, kind="r_sq", needs=("r_sq",), network=None, wanted=ALL_MEASURES):
    """Data of one condition by measure, from files in folders below Data/, ours or the authors'.

    Args:
        folders, kind, needs: as for `find`.
        mark: in the file name, with no number going on after it: 'Corr0.2'.
        network: what `network_of` must tell from folder and file name; None: anything.
        wanted: measures.

    Returns:
        dict measure -> arrays; those that are not there are named in one line for stderr.
    """
    paths, marked = {}, re.compile(re.escape(mark) + r"(\.0)?(?!\.?\d)")
    for folder in folders:
        for path in sorted((DATA / folder).glob(f"{kind}*.npz")):
            ends = [m for end, m in MEASURES.items() if path.stem.endswith(end)]
            told = network_of(f"{path.parent.name} {path.stem}")
            if marked.search(path.stem) and "ridge" not in path.stem and network in (None, told):
                paths.setdefault((ends or ["as_released"])[0], path)
    ends = {measure: end for end, measure in MEASURES.items()}
    missing = [f"{kind}*{mark}*{ends.get(m, '')}.npz" for m in wanted if m not in paths]
    if missing:
        leave_out(f"{DATA / folders[0]}: no {' or '.join(missing)}; left out")
    return {measure: load_npz(paths[measure], needs) for measure in wanted if measure in paths}


def sparseness(folders):
    """Files of sparsity.py, or the authors', in folders below Data/.

    Returns:
        those of architectures, dict network -> arrays; those of one D each, dict (network, D) ->
        arrays. Arrays have `rows` (n_tasks, 3): mean over networks, ends of its interval.
    """
    paths = [p for folder in folders for p in sorted((DATA / folder).glob("sparsity*.npz"))]
    if not paths:
        raise Missing(f"{DATA / folders[0]}: no sparsity*.npz; sparsity.py writes it")
    arc, by_dim = {}, {}
    for path in paths:
        file = load_npz(path, ("sparsity", "confidence_intervals", "n_tasks"))
        mean, ends = np.nanmean(file["sparsity"], 1), file["confidence_intervals"]
        if ends.shape != (len(mean), 2):  # (2, n_tasks)
            ends = ends.T
        file["rows"] = np.column_stack([mean, ends])
        network, dim = network_of(path.stem), re.search(r"nDim(\d+)", path.stem)
        if dim:
            by_dim[network, int(dim[1])] = file
        else:
            arc[network] = file
    if not arc:
        leave_out(f"{DATA / folders[0]}: no sparsity*.npz of architectures, left out")
    if not by_dim:
        leave_out(f"{DATA / folders[-1]}: no sparsity*.npz of one D each (nDim), left out")
    return {network: arc[network] for network in COLORS if network in arc}, by_dim


def no_data(folders, figure):
    """The error that says how to make the data of a figure."""
    places = " or ".join(str(DATA / folder) for folder in folders)
    return Missing(f"{places}: no data yet; `python sweep.py {figure}` makes them")


def of_task(files, n_task, name="r_sq"):
    """An array at one N_task, (run, split, fit, ...), of each of some files that has it.

    Args:
        files: dict key -> arrays.
    """
    rows = {key: file[name][file["n_tasks"] == n_task] for key, file in files.items()}
    return {key: r[0] for key, r in rows.items() if len(r) and not np.isnan(r).all()}


def stacked(values):
    """Arrays of different sizes as rows of one, filled up with NaN."""
    rows = [np.ravel(v) for v in values]
    full = np.full((len(rows), max(map(len, rows))), np.nan)
    for i, row in enumerate(rows):
        full[i, : len(row)] = row
    return full


def counted(values):
    """'5 networks', '3 to 5 networks' or '1 network', for arrays (run, ...)."""
    counts = [(~np.isnan(v.reshape(len(v), -1)).all(1)).sum() for v in values]
    return f"{span(counts)} network{'' if max(counts) == 1 else 's'}"


def quartiles(values):
    """Lower quartile, median, upper quartile over all axes but the first."""
    return np.nanpercentile(values.reshape(len(values), -1), [25, 50, 75], axis=1)


def span(values):
    """'84 to 90', or '84' where all round to that."""
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def curve(ax, x, values, key, **line):
    """Median with the quartiles as a band; values (len(x), ...)."""
    low, mid, high = quartiles(values)
    look = {"color": COLORS.get(key), "label": NAMES.get(key, key), "ms": 4, "lw": 1.5, **line}
    ax.fill_between(x, low, high, color=look["color"], alpha=0.18, lw=0)
    ax.plot(x, mid, "o-", **look)


def r_sq_axis(ax, floor=-1.0):
    """r2 up to 1, down to what is drawn or to `floor`."""
    ax.set_ylim(max(ax.get_ylim()[0], floor), 1)


def bars(ax, x, values, label, **look):
    """Median with the quartiles as an error bar; values (len(x), ...)."""
    low, mid, high = quartiles(values)
    ax.errorbar(x, mid, (mid - low, high - mid), fmt="o-", ms=4, lw=1, label=label, **look)


BELOW = "fits below the axis"


def spread(ax, x, values, key, floor, width=0.22):
    """Every fit as a dot, by network from left to right, quartiles as a box, median as a line.

    Args:
        x: position.
        values: (run, split, fit).
        floor: fits below it are triangles there.
    """
    values, color = values[~np.isnan(values)], COLORS[key]
    at, low = x + width * np.linspace(-0.42, 0.42, values.size), values < floor
    ax.plot(at[~low], values[~low], "o", color=color, ms=2, mew=0, alpha=0.5)
    if low.any():  # an empty line that is not clipped upsets the layout
        if all(line.get_label() != BELOW for line in ax.lines):  # once, for the legend
            ax.plot([], [], "v", color="0.5", ms=3.5, mew=0, label=BELOW)
        ax.plot(at[low], np.full(low.sum(), floor), "v", color=color, ms=3.5, mew=0, clip_on=False)
    bottom, mid, top = np.percentile(values, [25, 50, 75])
    ax.bar(x, top - bottom, width, bottom, fc=(*matplotlib.colors.to_rgb(color), 0.2), ec=color)
    ax.plot([x - width / 2, x + width / 2], [mid, mid], color=color, lw=2)


def boxes(ax, conditions, names, floor):
    """A group of three `spread`s, ID and both OOD tests, per condition.

    Args:
        conditions: dicts measure -> r2 (run, split, fit); names: theirs.
        floor: where the axis may end, unless a quartile lies below it.
    """
    labels = []
    every = [values for by_measure in conditions for values in by_measure.values()]
    floor = min([floor, *(np.nanpercentile(values, 25) for values in every)])
    for i, (values, name) in enumerate(zip(conditions, names, strict=True)):
        for x, measure in zip((i - 0.27, i, i + 0.27), ALL_MEASURES, strict=True):
            if measure in values:
                spread(ax, x, values[measure], measure, floor)
        labels.append(f"{name}\n({counted(values.values()) if values else 'no data'})")
    for measure in ALL_MEASURES:
        ax.plot([], [], "s", color=COLORS[measure], label=NAMES[measure])
    ax.set_xticks(range(len(labels)), labels)
    ax.tick_params(axis="x", length=0)
    ax.set(ylabel="$r^2$ of decoded $x^*$", xlim=(-0.5, len(labels) - 0.5))
    r_sq_axis(ax, floor)


def colors_of(values):
    """A colour for each of some numbers, from dark to light as they rise."""
    values = sorted(values)
    return dict(zip(values, plt.cm.viridis(np.linspace(0, 0.85, len(values))), strict=True))


def theory(ax, value):
    """The ceiling as a line."""
    ax.axhline(value, color=COLORS["theory"], ls="--", lw=1.2, label=NAMES["theory"])


def task_axis(ax, n_tasks):
    """N_task on a logarithmic axis, each value named."""
    ax.set_xscale("log")
    ax.set_xticks(n_tasks, [str(n) for n in n_tasks])
    ax.minorticks_off()
    ax.set_xlabel("number of tasks, $N_{task}$")


def note(ax, text):
    """Words in place of a picture."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.4")


def letter(ax, text, x=-0.12, y=1.04):
    """The letter of a panel, at its upper left."""
    write_at = ax.text2D if ax.name == "3d" else ax.text
    write_at(x, y, text, transform=ax.transAxes, weight="bold", size=12, ha="right", va="bottom")


def write(fig, name, folder=FIGURES):
    """Write a figure as folder/name.png and .pdf, and close it."""
    for suffix in ("png", "pdf"):
        buffer = io.BytesIO()
        fig.savefig(
            buffer, format=suffix, metadata={"CreationDate": None} if suffix == "pdf" else None
        )
        write_atomic(Path(folder) / f"{name}.{suffix}", buffer.getvalue())
    plt.close(fig)


def arguments():
    """Folders on the command line: none, that of the data, or this and where figures go."""
    given = [Path(word).resolve() for word in sys.argv[1:]]
    if len(given) > 2 or any(word.startswith("-") for word in sys.argv[1:]):
        raise UserError("takes up to two folders, where data are and where figures go; no options")
    if given and not given[0].is_dir():
        raise UserError(f"{given[0]}: no such folder")
    return given


def run(draw, name, folders):
    """Draw a figure and write Figures/name.png and .pdf; a failure is one line, exit code 2.

    Args:
        draw: function of the folders that gives the figure.
        name: of the files.
        folders: below Data/; a folder given on the command line takes the place of Data/, or, where
            it has none of them in it, is the only one. The figure is then written into it, or into
            the folder named after it.
    """
    out = FIGURES
    if len(sys.argv) > 1:
        data, out = Path(sys.argv[1]).resolve(), Path(sys.argv[-1]).resolve()
        below = tuple(data / folder for folder in folders)
        folders = below if any(folder.is_dir() for folder in below) else (data,)
    LEFT_OUT.clear()
    try:
        fig = draw(folders)
        out.mkdir(parents=True, exist_ok=True)
        write(fig, name, out)
        print("".join(f"{line}\n" for line in LEFT_OUT), end="", file=sys.stderr)
        print(out / f"{name}.png")
    except (UserError, OSError) as error:
        stop(name, error, 2)
    except KeyboardInterrupt:
        stop(name, "interrupted", 130)
