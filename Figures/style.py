"""What all figures share: colours and names, where data are, and how a figure is written."""

import functools
import io
import itertools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from tyro.conf import Positional

FIGURES = Path(__file__).resolve().parent
ROOT = FIGURES.parent
DATA = ROOT / "Data"  # the folder in use; one on the command line takes its place
sys.path.insert(0, str(ROOT))

import paper  # noqa: E402, I001
import released  # noqa: E402
import settings  # noqa: E402
import table  # noqa: E402
from theory import r2_mean, T  # noqa: E402
from util import load_npz, run_script, UserError, write_atomic  # noqa: E402

MEASURES, TESTS = ("ID", "quadrant", "as_released"), ("as_released", "quadrant")
COLORS = {"ID": "#4c4c4c", "quadrant": "#c1272d", "as_released": "#0072b2", "theory": "#009e73"}
COLORS |= {"RNN": "#0072b2", "NoLeak": "#56b4e9", "LSTM": "#d55e00", "GRU": "#e69f00"}
COLORS |= {"EncoderMean": "#000000", "gpt-2": "#7b3294", "Quad": "#cc3311", "Bound": "#e69f00"}
NAMES = {"NoLeak": "RNN, non-leaky", "gpt-2": "GPT-2", "theory": r"theory, $1 - 12\sigma^2/t$"}
NAMES |= {"Quad": "quadratic encoder", "Bound": "RNN, free reaction time"}
NAMES |= {"EncoderMean": "control: encoder's mean, no network"}
NAMES |= {"ID": "ID: trained and tested on all quadrants"}
NAMES |= {"quadrant": "OOD: quadrant really held out"}
NAMES |= {"as_released": "OOD as released (half of the fits are ID)"}
# Settings that tell conditions of figures apart; what a whole folder shares of others is not named.
VARIED = {"n_task", "run", "seed"}.union(*(kind.settings for kind in paper.KINDS.values()))
VARIED -= {"n_batch"}  # but for 0, untrained
LEFT_OUT: list[str] = []  # lines on what is missing in a figure; `run` prints them once it is drawn

plt.switch_backend("Agg")
plt.rc("figure", figsize=(4.6, 3.6), **{"constrained_layout.use": True})
plt.rc("axes", titlesize=9, **{"spines.top": False, "spines.right": False})
plt.rc("legend", frameon=False, fontsize=7.5)
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


def curve(ax, found, x="n_task", y="r2", hue="kind", names=NAMES, colors=None, **look) -> None:
    """A line for each value of `hue`: median of rows, and a band of their quartiles.

    `names` and `colors` give its label and colour; `look` are options of seaborn.lineplot.
    """
    for value, color in (colors or palette(found[hue])).items():
        if len(some := found[found[hue] == value]):
            line = {"color": color, "mec": color, "label": names.get(value, value), "ax": ax}
            line |= {"marker": "o", "ms": 4, "lw": 1.5, "legend": False, "estimator": "median"}
            line |= {"errorbar": ("pi", 50), "err_kws": {"alpha": 0.18, "lw": 0}}
            sns.lineplot(some, x=x, y=y, **line | look)


def tests(axes: Iterable, found: pd.DataFrame, **options: Any) -> None:
    """A panel for each of the two OOD tests: curves against N_task, and the theory."""
    for ax, measure in zip(axes, TESTS, strict=True):
        curve(ax, found[found["measure"] == measure], **options)
        theory_line(ax)
        task_axis(ax, found["n_task"])
        ax.set(ylabel="OOD $r^2$", title=NAMES[measure])


def r_sq_axis(ax: Any, floor: float = -1) -> None:
    """r2 up to 1, down to what is drawn or to `floor`."""
    ax.set_ylim(max(ax.get_ylim()[0], floor), 1)


def spread(ax: Any, x: float, values: Any, key: str, floor: float, width: float = 0.22) -> None:
    """Every fit as a dot, below `floor` as a triangle; quartiles as a box, median as a line."""
    values, look, below = np.asarray(values), {"color": COLORS[key], "mew": 0}, values < floor
    at, label = x + width * np.linspace(-0.42, 0.42, values.size), "fits below the axis"
    ax.plot(at[~below], values[~below], "o", ms=2, alpha=0.5, **look)
    if below.any():  # an empty line that is not clipped upsets the layout
        if label not in [line.get_label() for line in ax.lines]:  # once, for the legend
            ax.plot([], [], "v", color="0.5", ms=3.5, mew=0, label=label)
        ax.plot(at[below], np.full(below.sum(), floor), "v", ms=3.5, clip_on=False, **look)
    bottom, mid, top = np.percentile(values, [25, 50, 75])
    ax.bar(x, top - bottom, width, bottom, fc=(COLORS[key], 0.2), ec=COLORS[key])
    ax.plot([x - width / 2, x + width / 2], [mid, mid], color=COLORS[key], lw=2)


def boxes(ax: Any, groups: dict[str, pd.DataFrame], floor: float, fixed: bool = False) -> None:
    """ID and both OOD tests of each name -> rows, down to `floor`, or the lowest quartile.

    With `fixed` to `floor` at all events; medians below it are told there.
    """
    every = pd.concat(groups, names=["name"]).groupby(["name", "measure"])["r2"]
    floor, labels = floor if fixed else min(floor, every.quantile(0.25).min()), []
    for i, (name, group) in enumerate(groups.items()):
        ordered = group.sort_values(["run", "split", "fit"])
        for x, measure in zip((i - 0.27, i, i + 0.27), MEASURES, strict=True):
            if len(some := ordered[ordered["measure"] == measure]):
                spread(ax, x, some["r2"], measure, floor)
                if some["r2"].median() < floor:
                    look = {"color": COLORS[measure], "rotation": 90, "fontsize": 7, "ha": "center"}
                    y, mid = floor + 0.05 * (1 - floor), some["r2"].median()
                    ax.text(x, y, f"{mid:.2g}", va="bottom", **look)
        labels.append(f"{name}\n({counted(group, 'measure') if len(group) else 'no data'})")
    for measure in MEASURES:
        ax.plot([], [], "s", color=COLORS[measure], label=NAMES[measure])
    ax.set_xticks(range(len(labels)), labels)
    ax.tick_params(axis="x", length=0)
    ax.set(ylabel="$r^2$ of decoded $x^*$", xlim=(-0.5, len(labels) - 0.5))
    r_sq_axis(ax, floor)


def theory_line(ax: Any, r2: Any = None, x: Any = None, **look: Any) -> None:
    """The ceiling, against `x` where it depends on it; that of the paper's trial if no other."""
    r2 = r2_mean(T) if r2 is None else r2
    look = {"color": COLORS["theory"], "ls": "--", "lw": 1.2, "label": NAMES["theory"], **look}
    _ = ax.axhline(r2, **look) if x is None else ax.plot(x, r2, **look)


def task_axis(ax: Any, n_tasks: Iterable[int]) -> None:
    """N_task on a logarithmic axis, each value named."""
    ax.set_xscale("log")
    ax.set_xticks(sorted(set(n_tasks)), sorted(set(n_tasks)))
    ax.minorticks_off()
    ax.set_xlabel("number of tasks, $N_{task}$")


def note(ax: Any, text: str) -> None:
    """Words in place of a picture."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.4")


def letter(ax: Any, text: str, x: float = -0.12, y: float = 1.04) -> None:
    """The letter of a panel, at its upper left."""
    write_at = ax.text2D if ax.name == "3d" else ax.text
    write_at(x, y, text, transform=ax.transAxes, weight="bold", size=12, ha="right", va="bottom")


def write(fig: Any, name: str, folder: Path = FIGURES) -> None:
    """Write a figure as folder/name.png and .pdf, and close it."""
    for suffix, metadata in (("png", None), ("pdf", {"CreationDate": None})):
        buffer = io.BytesIO()
        fig.savefig(buffer, format=suffix, metadata=metadata)
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


def run(draw: Callable[[], Any], name: str) -> None:
    """Write the figure that draw() gives, of the folders on the command line, as .png and .pdf."""

    def main(config: Any) -> None:
        global DATA
        DATA = config.data
        LEFT_OUT.clear()
        fig = draw()
        config.out.mkdir(parents=True, exist_ok=True)
        write(fig, name, config.out)
        LEFT_OUT[:] = dict.fromkeys(LEFT_OUT)
        print("".join(f"{line}\n" for line in LEFT_OUT), end="", file=sys.stderr)
        print(config.out / f"{name}.png")

    run_script(main, Config)
