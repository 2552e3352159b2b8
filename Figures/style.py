"""What all figures share: colours and names, where data are, and how a figure is written."""

import functools
import io
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.transforms import Bbox
from PIL import Image
from scipy import stats
from tyro.conf import Positional

FIGURES = Path(__file__).resolve().parent
ROOT = FIGURES.parent
DATA = ROOT / "Data"  # the folder in use; one on the command line takes its place
sys.path.insert(0, str(ROOT))

import intervals  # noqa: E402, I001
import paper  # noqa: E402
import released  # noqa: E402
import settings  # noqa: E402
import table  # noqa: E402
import theory  # noqa: E402
from util import load_npz, run_script, UserError, write_atomic  # noqa: E402

MEASURES = ("ID", "quadrant", "as_released")  # in this order everywhere
TESTS = MEASURES[1:]  # out of distribution
COLORS = {"ID": "#4c4c4c", "quadrant": "#c1272d", "as_released": "#e08214", "theory": "#009e73"}
COLORS |= {"RNN": "#0072b2", "NoLeak": "#56b4e9", "LSTM": "#b79f00", "GRU": "#8c510a"}
COLORS |= {"gpt-2": "#7b3294", "Quad": "#d6604d", "Bound": "#d6604d", "EncoderMean": "#000000"}
COLORS["EncoderMean_Quad"] = "#7f7f7f"
MARKERS = {"quadrant": "s", "as_released": "^", "NoLeak": "s", "LSTM": "^", "gpt-2": "D"}
MARKERS |= {"Quad": "s", "Bound": "s", "EncoderMean": "", "EncoderMean_Quad": ""}
CONTROL = {"color": "k", "marker": "", "ls": ":", "label": "control: encoder's mean"}
NAMES = {"NoLeak": "RNN, non-leaky", "gpt-2": "GPT-2", "EncoderMean": CONTROL["label"]}
NAMES |= {"Quad": "RNN, quadratic encoder", "Bound": "RNN, free reaction time"}
NAMES |= {"ID": "in distribution (ID)", "quadrant": "OOD, quadrant held out"}
NAMES |= {"as_released": "OOD, as released", "theory": "optimum (band: see caption)"}
WIDTH = 8  # inches; text of 9 points can then be read at 800 pixels
R2 = "$r^2$ of decoded $x^*$"
MEDIANS = """Points and bars: median of networks, its 95 % interval; pale: each network, the median
of its fits; triangles: below the axis. As released, half of the OOD fits are in distribution.
Green band: ceilings of a quadrant held out, from the best linear readout to an observer who
knows the quadrant."""
# Settings that tell conditions of figures apart; what a whole folder shares of others is not named.
VARIED = {"n_task", "run", "seed"}.union(*(kind.settings for kind in paper.KINDS.values()))
VARIED -= {"n_batch"}  # but for 0, untrained
LEFT_OUT: list[str] = []  # lines on what is missing in a figure; `run` prints them once it is drawn

plt.switch_backend("Agg")
plt.rc("figure", figsize=(WIDTH, 3.6), **{"constrained_layout.use": True})
plt.rc("axes", titlesize=9, **{"spines.top": False, "spines.right": False})
plt.rc("legend", frameon=False, fontsize=8, labelspacing=0.3, columnspacing=1.3)
plt.rc("font", size=9)
plt.rcParams.update({"savefig.dpi": 200, "pdf.fonttype": 42})  # text stays text


class Missing(UserError):
    """Data that are not there."""


def if_there(read: Callable, *args: Any, **options: Any) -> Any:
    """What `read` gives; None, and a line in `LEFT_OUT`, where its data are not there."""
    try:
        return read(*args, **options)
    except Missing as error:
        LEFT_OUT.append(f"{error}; left out")


def rows(figure, query="", needs="", decoder="adam", series="", **wanted: Any) -> pd.DataFrame:
    """Rows of the folder's table, or of the authors' .npz there, with a further column `kind`.

    `kind` is the name in paper.py, 'NoLeak', or else says what differs: 'LSTM n_neu=128'; but for
    what all networks of the folder share and no figure compares, as a smaller n_batch.

    Args:
        figure: a name that sweep.py knows, for the error.
        needs: query of rows without which there is nothing to draw; else `Missing` is raised.
        wanted: column=values that the figure shows, `...` for any others too; see `expect`.
    """
    path = DATA / "results.csv"
    found = _table(path, path.stat().st_mtime_ns if path.exists() else None)
    if len(found):
        found = found[(found["decoder"] == decoder) & (found["series"] == series)]
        for name, values in wanted.items():
            found = found if ... in values else found[found[name].isin(list(values))]
        found = found.query(query) if query else found
    if found.empty or (needs and found.query(needs).empty):
        raise Missing(f"{DATA}: no data yet; `python sweep.py {figure}` makes them")
    expect(found, **wanted)
    return found


@functools.lru_cache(1)
def _table(path, written):
    found = table.read(path) if written else released.table_of(path.parent)
    if found.empty:
        return found
    networks, shared = found.drop_duplicates(["network", "settings"]), set()
    for name in set(settings.PAPER).intersection(found) - VARIED:
        fixed = [n for n in settings.NETWORKS if name in settings.NETWORKS[n].FIXED]  # controls
        free = networks[~networks["network"].isin(fixed)]
        everywhere = free["settings"].str.contains(rf"\b{name}=(?!0\b)").all()
        of_one = free.groupby("network")[name] if everywhere else free[name]
        shared |= {name} if len(free) and np.max(of_one.nunique()) == 1 else set()
    kinds, texts = {}, found["network"] + " " + found["settings"]
    for name, kind in paper.KINDS.items():
        network = table.network_columns(paper.configs(name, kind.ensembles[0])[0])
        kinds[f"{network['network']} {network['settings']}".strip()] = name
    for text in texts.unique():
        told = " ".join(word for word in text.split() if word.split("=")[0] not in shared)
        kinds.setdefault(text, kinds.get(told, told))
    return found.assign(kind=texts.map(kinds))


def expect(found: pd.DataFrame, **wanted: Iterable) -> None:
    """A line in `LEFT_OUT` on values of columns, or combinations of them, that rows lack."""
    lines = []
    for name, values in wanted.items():
        there = set(found[name])
        lines += [f"{name} {value}" for value in values if value not in {*there, ...}]
        wanted[name] = [value for value in values if value in there]
    there = set(found[list(wanted)].itertuples(index=False, name=None))
    gaps = [each for each in itertools.product(*wanted.values()) if each not in there]
    lines += [" ".join(f"{n} {v}" for n, v in zip(wanted, each, strict=True)) for each in gaps]
    LEFT_OUT.extend([f"{DATA}: no {', no '.join(lines)}; left out"] if lines else [])


class Arrays(dict):
    """Those of the .npz `path` by name; one that is not there is a fault of the file."""

    def __missing__(self, name):
        raise UserError(f"{self['path']}: has no {name}")


def analyses(conditions: Iterable[str], *names: str, also=()) -> list[dict[str, Any]]:
    """What analyze.py wrote about conditions, below DATA/Analysis, or else in DATA itself.

    Each is a dict name -> arrays, with `n_task`, `network`, and `title`: 'RNN, N_task = 24'. One
    without a file of `names`, as 'lines', is left out; `also` are files that only some have.
    """
    folders = [DATA / "Analysis" / name for name in conditions]
    found, missing, needed = [], [], sorted({*names, "one_trial"})
    for folder in folders if any(map(Path.is_dir, folders)) else [DATA]:
        paths = {name: folder / f"{name}.npz" for name in (*needed, *also)}
        if absent := [name for name in needed if not paths[name].exists()]:
            missing.append(f"{paths[absent[0]]}: not there")
            continue
        files = {name: path for name, path in paths.items() if path.exists()}
        kind: dict[str, Any] = {k: Arrays(load_npz(p), path=p) for k, p in files.items()}
        n_task, of = kind["one_trial"]["n_task"], kind["one_trial"].get("networks", ["RNN"])
        known = [name for name in settings.NETWORKS if name in str(of[0])]  # a file's name
        network = max(known, key=len, default="RNN")
        title = f"{NAMES.get(network, network)}, $N_{{task}}={n_task[0]}$"
        found.append({**kind, "n_task": n_task, "network": network, "title": title})
    if not found:
        raise Missing(f"{missing[0]}; analyze.py writes it")
    LEFT_OUT.extend(f"{line}, left out" for line in missing)
    return found


def palette(values: Iterable) -> dict:
    """A colour for each value, in the order of `COLORS`; numbers go from dark to light."""
    values = sorted(set(values))
    if values and not isinstance(values[0], str):
        shades = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(values)))
        return dict(zip(values, shades, strict=True))
    others = [value for value in values if value not in COLORS]
    more = dict(zip(others, sns.color_palette("Dark2", len(others)), strict=True))
    return {value: color for value, color in COLORS.items() if value in values} | more


def counted(found: pd.DataFrame, *by: str) -> str:
    """'5 networks', '3 to 5 networks' or '1 network' in each group of rows."""
    counts = found.groupby(list(by))["run"].nunique()
    return f"{span(counts)} network{'' if max(counts) == 1 else 's'}"


def span(values: Iterable) -> str:
    """'84 to 90', or '84' where all round to that."""
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def of_each(found: pd.DataFrame, by: str, value: str = "r2") -> pd.DataFrame:
    """Each network's number, see `intervals.of_networks`; columns `by`, run, `value`."""
    return intervals.of_networks(found.dropna(subset=value), by, column=value).reset_index()


def of_networks(found: pd.DataFrame, by: str, value: str = "r2") -> pd.DataFrame:
    """Median of the networks' numbers at each value of `by`, and its 95 % bootstrap interval.

    Columns value, low and high, as `intervals.Estimate`.
    """
    each = of_each(found, by, value).groupby(by)[value]
    rows = {key: intervals.median(some) for key, some in each}
    return pd.DataFrame.from_dict(rows, "index", columns=intervals.Estimate._fields)


def curve(ax, found, x="n_task", hue="kind", value="r2", floor=-np.inf, names=NAMES, **look):
    """A line for each value of `hue`: median of networks, its interval, and pale each network.

    Networks below `floor` are triangles there. `look` are options of lines, or functions of the
    value of `hue` that give one.
    """
    for key, color in palette(found[hue]).items():
        some = found[found[hue] == key].dropna(subset=value)
        if some.empty:
            continue
        own = {"color": color, "marker": MARKERS.get(key, "o"), "label": names.get(key, key)}
        own |= {"ls": ":" if str(key).startswith("EncoderMean") else "-", "ms": 5, "lw": 1.5} | look
        color, mid, each = own["color"], of_networks(some, x, value), of_each(some, x, value)
        ax.plot(mid.index, mid["value"], **own)
        ax.vlines(mid.index, mid["low"], mid["high"], color, lw=1.2, alpha=0.7)
        dot = {"color": color, "mew": 0, "alpha": 0.35, "ls": ""}
        inside, below = each[each[value] >= floor], each[each[value] < floor]
        ax.plot(inside[x], inside[value], "o", ms=3, **dot)
        if len(below):  # an empty line that is not clipped upsets the layout
            ax.plot(below[x], [floor] * len(below), "v", ms=6, clip_on=False, **dot)


def strips(ax: Any, groups: dict[str, pd.DataFrame], floor: float) -> None:
    """A row for each name -> rows: ID and both OOD tests, from `floor` to 1, and their ceilings.

    Networks below `floor` are triangles there; a median below it is told there.
    """
    for i, rows in enumerate(groups.values()):
        for y, measure in zip((i - 0.25, i, i + 0.25), MEASURES, strict=True):
            some, color = rows[rows["measure"] == measure].assign(y=y), COLORS[measure]
            if some.empty:
                continue
            best, linear, known = ceilings_of(some)
            green = {"color": COLORS["theory"], "zorder": 0}
            ax.vlines(best, y - 0.13, y + 0.13, lw=1.5, **green)
            if measure == "quadrant":
                ax.fill_betweenx([y - 0.13, y + 0.13], linear, known, alpha=0.25, lw=0, **green)
            each, ((mid, low, high),) = of_each(some, "y")["r2"], of_networks(some, "y").to_numpy()
            inside = each[each >= floor]
            ax.plot(inside, [y] * len(inside), "o", color=color, ms=3.5, mew=0, alpha=0.35)
            if len(inside) < len(each):
                ax.plot([floor], [y], "<", color=color, ms=5, clip_on=False)
            if mid < floor:
                at = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
                ax.annotate(f"median {mid:.2g}", (floor, y), color=color, fontsize=7.5, **at)
            else:
                ax.plot([max(low, floor), high], [y, y], color=color, lw=1.5)
                ax.plot([mid], [y], MARKERS.get(measure, "o"), color=color, ms=5)
    ax.set_yticks(range(len(groups)), groups)
    ax.tick_params(axis="y", length=0)
    ax.hlines(np.arange(len(groups) - 1) + 0.5, floor, 1, "0.9", lw=0.8, zorder=0)
    ax.set(xlabel=R2, xlim=(floor, 1), ylim=(len(groups) - 0.5, -0.5))


def measures_legend(fig: Any) -> None:
    """Names of what `strips` shows, below the panels."""
    dots: dict[str, dict[str, Any]] = {
        m: {"color": COLORS[m], "marker": MARKERS.get(m, "o"), "ls": ""} for m in MEASURES
    }
    dots["theory"] = {"color": COLORS["theory"], "marker": "|", "ls": "", "mew": 1.5, "ms": 9}
    lines = [plt.Line2D([], [], label=NAMES[name], **look) for name, look in dots.items()]
    fig.legend(handles=lines, loc="outside lower center", ncols=4, handletextpad=0.2)


def tests(axes: Iterable, found: pd.DataFrame, floor: float, **options: Any) -> None:
    """A panel for each of the two OOD tests: curves against N_task, and the ceiling."""
    for ax, measure in zip(axes, TESTS, strict=True):
        some = found[found["measure"] == measure]
        curve(ax, some, floor=floor, **options)
        if len(some):
            ceiling(ax, [ceilings_of(some)], measure)
        task_axis(ax, found["n_task"])
        ax.set(ylabel=R2, title=NAMES[measure], ylim=(floor, 1))


def ceilings_of(found: pd.DataFrame) -> tuple[float, float, float]:
    """r2 of observers of the trials in which these networks, of one kind, were decoded.

    The optimum, also of a quadrant held out if the observer does not know that it is; the best
    linear estimate fitted on the other quadrants; the optimum if it knows.
    """
    names, every = ("n_dim", "n_task", "run", "stimulus"), found.drop_duplicates("run")
    rows = every if every["noise_enc"].any() else every[:1]  # where it depends on the encoder
    known = []
    for row in rows.to_dict("records"):
        own = {name: int(row[name]) for name in names if row[name] >= 0}
        known.append({**table.settings_of(row["settings"], row["network"]), **own})
    bounds = pd.DataFrame([theory.ceilings(config) for config in known]).mean()
    return tuple(bounds[["optimum", "linear, held out", "known quadrant"]])


def ceiling(ax: Any, bounds: list, measure: str, x: Any = None, ratio: bool = False) -> None:
    """Ceilings as `ceilings_of` gives them at each x, or one for all; `ratio`: to the optimum."""
    best, linear, known = np.transpose(bounds) / (np.transpose(bounds)[0] if ratio else 1)
    look, fill = {"color": COLORS["theory"], "zorder": 0}, {"alpha": 0.25, "lw": 0}
    line = {"ls": "--", "lw": 1.2, "label": NAMES["theory"], **look}
    _ = ax.axhline(best[0], **line) if x is None else ax.plot(x, best, **line)
    if measure == "quadrant" and x is None:
        ax.axhspan(linear[0], known[0], **look, **fill)
    elif measure == "quadrant":
        ax.fill_between(x, linear, known, **look, **fill)


def chance_angle(ax: Any, n: int = 64) -> None:
    """Median distance from 90 degrees of the angle between random directions in n dimensions."""
    share = stats.beta.ppf(0.5, 0.5, (n - 1) / 2)  # cos^2 of the angle
    degrees, label = np.degrees(np.arcsin(np.sqrt(share))), "random directions"
    ax.axhline(degrees, color="0.6", ls="-.", lw=1.2, label=label, zorder=0)
    ax.set(ylabel="distance of angle from 90°", ylim=(0, None))


def task_axis(ax: Any, n_tasks: Iterable[int]) -> None:
    """N_task on a logarithmic axis, each value named."""
    ax.set_xscale("log")
    ax.set_xticks(sorted(set(n_tasks)), sorted(set(n_tasks)))
    ax.minorticks_off()
    ax.set_xlabel("number of tasks, $N_{task}$")


def legend(fig: Any, n_column: int) -> None:
    """Every label of the panels once, below them."""
    entries = [e for ax in fig.axes for e in zip(*ax.get_legend_handles_labels(), strict=True)]
    shown = {label: line for line, label in reversed(entries)}
    shown = {label: shown[label] for label in dict.fromkeys(label for _, label in entries)}
    fig.legend(shown.values(), shown, loc="outside lower center", ncols=n_column)


def note(ax: Any, text: str) -> None:
    """Words in place of a picture."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.4")


def letter(ax: Any, text: str, x: float = -0.12, y: float = 1.04) -> None:
    """The letter of a panel, at its upper left."""
    write_at = ax.text2D if ax.name == "3d" else ax.text
    write_at(x, y, text, transform=ax.transAxes, weight="bold", size=12, ha="right", va="bottom")


def write(fig: Any, name: str, folder: Path = FIGURES, see="", how="") -> None:
    """Write a figure, with what to `see` and `how` below it, as folder/name.png and .pdf."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")  # as it is: not once more with the caption's room
    for legend in fig.legends:
        at = legend.get_window_extent().transformed(fig.transFigure.inverted())
        legend.set_bbox_to_anchor(at, transform=fig.transFigure)
        legend.borderaxespad = 0
    width, height = fig.get_size_inches()
    lines = textwrap.wrap(see, int(16 * width)) + textwrap.wrap(how, int(18.5 * width))
    for i, line in enumerate(lines):
        look = {"size": 8.5} if line in see else {"size": 7.5, "color": "0.35"}
        fig.text(0.01, -(0.02 + 0.15 * i) / height, line, va="top", **look)
    box = Bbox([[0, -0.15 * len(lines) - 0.08 * bool(lines)], [width, height]])
    for suffix in ("png", "pdf"):
        buffer = io.BytesIO()
        options = {"metadata": {"CreationDate": None}} if suffix == "pdf" else {}
        fig.savefig(buffer, format=suffix, bbox_inches=box, **options)
        if suffix == "png":  # 256 colours are enough, and a third of the size
            image, buffer = Image.open(buffer).convert("RGB"), io.BytesIO()
            image.quantize(256, Image.Quantize.FASTOCTREE).save(buffer, "png", optimize=True)
        write_atomic(folder / f"{name}.{suffix}", buffer.getvalue())
    plt.close(fig)


@dataclass
class Config:
    """Draw from results.csv in a folder, or from the authors' .npz. More: docs/results.md."""

    data: Positional[Path | None] = None  # where they are; else Data/
    out: Positional[Path | None] = None  # where the figure goes; else `data`, or else Figures/

    def __post_init__(self) -> None:
        self.out = self.out or self.data or FIGURES
        self.data = self.data or ROOT / "Data"
        if not self.data.is_dir():
            raise UserError(f"{self.data}: no such folder")


def run(draw: Callable[[], Any], name: str, how: str = MEDIANS) -> None:
    """Write the figure that draw() gives, of the folders on the command line, as .png and .pdf.

    Below it stands `how` to read it; before that, of our own data, what to see: the first line of
    the script's docstring.
    """

    def main(config: Any) -> None:
        global DATA
        DATA = config.data
        LEFT_OUT.clear()
        fig = draw()
        config.out.mkdir(parents=True, exist_ok=True)
        see = draw.__globals__["__doc__"].splitlines()[0] if DATA == ROOT / "Data" else ""
        write(fig, name, config.out, see, how)
        LEFT_OUT[:] = dict.fromkeys(LEFT_OUT)
        print("".join(f"{line}\n" for line in LEFT_OUT), end="", file=sys.stderr)
        print(config.out / f"{name}.png")

    run_script(main, Config)
