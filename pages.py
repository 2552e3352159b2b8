"""The parts of README.md and docs/ that a command writes: those between marks.

    <!-- findings: written by report.py -->
    <!-- end of findings -->

`PARTS` says what stands between them; report.py writes them all.
"""

import ast
import dataclasses
import importlib
import inspect
import io
import itertools
import re
import tokenize
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

import findings
import paper
import settings
import tasks
import util
from model import NETWORKS
from util import UserError
from verdicts import VERDICTS, Claim, Data, NotRun

ROOT = Path(__file__).resolve().parent
ON_README = 5  # findings there
MARKS = re.compile(r"<!-- (\w+): written by report\.py -->.*?<!-- end of \1 -->", re.DOTALL)


class Results(NamedTuple):
    """What pages are written from."""

    data: Data
    verdicts: list[tuple[Claim, str]]
    logs: pd.DataFrame  # of finished trainings, a row per network


def plain_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table without padding, for long cells."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# ------------------------------------------------------------------ findings and claims


def first_findings(results: Results) -> str:
    """Numbered list of the first findings that hold."""
    texts = findings.found(results.data)[:ON_README]
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, start=1))


def all_findings(results: Results) -> str:
    """List of all findings that hold."""
    return "\n".join(f"- {text}" for text in findings.found(results.data))


def claims_by_verdict(results: Results) -> str:
    """A row per verdict, with the claims of the paper that have it."""
    groups: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS.values()}
    for claim, verdict in results.verdicts:
        if not claim.is_check:
            groups.setdefault(verdict, []).append(claim.words()[0])
    cells = [[f"{name} ({len(own)})", "<br>".join(own)] for name, own in groups.items() if own]
    return plain_table(["verdict", "claims of the paper"], cells)


# ------------------------------------------------------------------ figures and tables

R2 = {"ID": {"measure": "ID"}, "OOD as released": {"measure": "as_released"}}
R2 |= {"OOD quadrant held out": {"measure": "quadrant"}}
ANGLE = {"angle between decoders, degrees": {"measure": "quadrant", "column": "angle"}}
AVERAGE = {"control, quadrant held out": {"measure": "quadrant", "kind": "EncoderMean"}}
RIDGE = {
    f"{name}, ridge": {**R2[name], "decoder": "ridge"} for name in ("ID", "OOD quadrant held out")
}
KINDS_3BC = {"RNN": "RNN", "RNN, non-leaky": "NoLeak", "LSTM": "LSTM", "GPT-2": "gpt-2"}
EVERY_N = (*paper.N_TASKS, *paper.N_TASKS_MORE)
TABLES: dict[str, tuple[dict[str, str], tuple[int, ...], dict[str, Any]]] = {
    # script in Figures/ -> networks, N_task, columns
    "Fig3a": ({"RNN": "RNN"}, EVERY_N, {**R2, **AVERAGE, **RIDGE}),
    "Fig3bc": (KINDS_3BC, paper.N_TASKS, {**R2, **ANGLE}),
    "FigS1": ({"ReLU": "RNN", "quadratic": "Quad"}, paper.N_TASKS, {**R2, **ANGLE}),
}


def cell(data: Data, digits: int, **wanted: Any) -> str:
    """'median (lowest to highest)' over networks; '-' where too few are there."""
    try:
        values = data.medians(**wanted)
    except NotRun:
        return "-"
    mid, low, high = (f"{x:.{digits}f}" for x in (values.median(), values.min(), values.max()))
    return f"{mid} ({low} to {high})"


def decoded(data: Data, script: str) -> str:
    """The table of r2 beside a figure; '' where there is none."""
    if script not in TABLES:
        return ""
    kinds, n_tasks, columns = TABLES[script]
    rows = []
    for (name, kind), n in itertools.product(kinds.items(), n_tasks):
        every = [{"kind": kind, "n_task": n, **wanted} for wanted in columns.values()]
        cells = [cell(data, 0 if "column" in wanted else 3, **wanted) for wanted in every]
        rows += [[name, n, *cells]] if {*cells} != {"-"} else []
    return util.markdown(["network", "N_task", *columns], rows)


def figures(results: Results) -> str:
    """Every figure: what to see, the picture, what it shows, the table."""
    parts = []
    for script in dict.fromkeys(f.script or f"Fig{name}" for name, f in paper.FIGURES.items()):
        path = ROOT / f"Figures/{script}.py"
        if not path.exists():  # nobody has drawn it yet
            continue
        first, _, others = str(ast.get_docstring(ast.parse(path.read_text()))).partition("\n")
        parts += [f"### Figure {script.removeprefix('Fig')}", first]
        is_drawn = path.with_suffix(".png").exists()
        parts += [f"![{script}](../Figures/{script}.png)" if is_drawn else "", others.strip()]
        parts += [decoded(results.data, script)]
    return "\n\n".join(filter(None, parts))


def trainings(results: Results) -> str:
    """Table of finished trainings."""
    header = ["folder", "networks", "batches", "seed", "minutes", "machine"]
    counts, each = results.logs["path"].value_counts(), results.logs.drop_duplicates("path")
    each = each.assign(
        networks=each["path"].map(counts), minutes=(each["seconds"] / 60).map("{:.0f}".format)
    )
    each = each.rename(columns={"kind": "folder", "n_batch": "batches"})
    return util.markdown(header, each[header].to_numpy())


def speed(results: Results) -> str:
    """What bench.py printed."""
    return (results.data.folder / "bench.md").read_text().strip()


# ------------------------------------------------------------------ settings


def fields_of(config_class: type) -> Iterator[tuple[str, str, str]]:
    """Name, comment and heading of each setting, from the source of its dataclass.

    A comment stands behind a setting, or else in the lines above it. Lines above a setting that has
    its own comment are a heading of the settings from there on.
    """
    for cls in reversed([c for c in config_class.__mro__ if dataclasses.is_dataclass(c)]):
        source = inspect.getsource(cls)
        behind: dict[int, str] = {}  # comments by line
        alone: dict[int, str] = {}
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                kind = alone if token.line.lstrip().startswith("#") else behind
                kind[token.start[0]] = token.string.lstrip("# ")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                lines = [*itertools.takewhile(alone.get, range(node.lineno - 1, 0, -1))]
                above = " ".join(alone[n] for n in reversed(lines))
                own = behind.get(int(node.end_lineno or 0))
                yield node.target.id, own or above, above if own else ""


def value_text(value: Any) -> str:
    """A setting's value as it is typed in a shell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return " ".join(map(value_text, value)) or "none"
    if isinstance(value, Path):
        return str(value.relative_to(ROOT) if value.is_absolute() else value)
    if value is dataclasses.MISSING:
        return "(needed)"
    return "none" if value in (None, "") else f"{value:g}" if type(value) is float else str(value)


def choices(hint: Any) -> str:
    """What a setting may be, in words, from its type."""
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return ", ".join(map(str, inner))
    if typing.get_origin(hint) is tuple:
        return f"several: {choices(inner[0])}"
    if inner:  # X | None
        return " or ".join(choices(each) for each in inner if each is not type(None))
    words = {bool: "yes, no", int: "whole number", float: "number", Path: "path", str: "text"}
    return words[hint]


def choices_of_network(name: str, hint: Any) -> str:
    """The same for a setting of networks, with the limits of `settings.PAPER`."""
    named = {"network": [*NETWORKS], "task": [*tasks.TASKS]}
    named["task"] = [k for k in named["task"] if issubclass(tasks.TASKS[k], tasks.Classification)]
    if name in named:
        return ", ".join(named[name])
    limits = settings.PAPER.get(name)
    is_number = limits and type(limits.paper) in (int, float)
    return choices(hint) + (f", from {limits.low:g}" if limits and is_number else "")


def papers_value(script: str, name: str, default: Any) -> str:
    """The paper's value of a setting, where it differs from the default."""
    if script != "train":
        own = settings.MEASUREMENTS.get(script, {}).get(name, default)
        return "" if own == default else value_text(own)
    if name not in settings.PAPER:
        return ""
    own = settings.PAPER[name].paper
    words = [] if default in (own, (own,)) else [value_text(own)]
    others = {where: changed.get(name) for where, changed in settings.DIFFERS.items()}
    words += [f"{where}: {value_text(value)}" for where, value in others.items() if value]
    return "; ".join(words)


def settings_of(path: Path) -> str:
    """Table of a script's settings."""
    config_class = importlib.import_module(path.stem).Config
    hints = typing.get_type_hints(config_class)
    defaults = {field.name: field.default for field in dataclasses.fields(config_class)}
    rows = []
    for name, comment, heading in fields_of(config_class):
        rows += [[f"**{heading}**", "", "", "", ""]] if heading else []
        of_network = path.stem == "train"
        may_be = choices_of_network(name, hints[name]) if of_network else choices(hints[name])
        papers = papers_value(path.stem, name, defaults[name])
        rows.append([f"`{name}`", value_text(defaults[name]), may_be, papers, comment])
    header = ["setting", "default", "choices", "the paper, where it differs", "meaning"]
    kept = [i for i in range(len(header)) if i != 3 or any(row[3] for row in rows)]
    cells = [[row[i].replace("|", "\\|") for i in kept] for row in rows]
    return plain_table([header[i] for i in kept], cells)


def settings_tables(_: Results) -> str:
    """A table per script: setting, default, choices, the paper's value, meaning."""
    parts = []
    for path in sorted(ROOT.glob("*.py")):
        source = path.read_text()
        if source.rstrip().endswith("run_script(main, Config)"):
            title = str(ast.get_docstring(ast.parse(source))).split("\n")[0]
            parts += [f"## {path.name}", title, settings_of(path)]
    return "\n\n".join(parts)


# ------------------------------------------------------------------ pages

PARTS: dict[str, Callable[[Results], str]] = {
    "findings": first_findings,
    "claims": claims_by_verdict,
    "all_findings": all_findings,
    "figures": figures,
    "trainings": trainings,
    "speed": speed,
    "settings": settings_tables,
}


def written(folder: Path, results: Results) -> dict[Path, str]:
    """README.md and the pages of docs/ in a folder, with the parts between marks written anew.

    Raises:
        UserError: marks of a part that is none; a part that has no place.
    """
    done = set()

    def write(match: re.Match) -> str:
        done.add(name := match[1])
        if name not in PARTS:
            raise UserError(f"{path}: there is no part {name}; parts: {', '.join(PARTS)}")
        begin, end = f"<!-- {name}: written by report.py -->", f"<!-- end of {name} -->"
        return f"{begin}\n\n{PARTS[name](results)}\n\n{end}"

    texts = {}
    for path in [folder / "README.md", *sorted((folder / "docs").glob("*.md"))]:
        texts[path] = MARKS.sub(write, path.read_text())
    if missing := set(PARTS) - done:
        raise UserError(f"{folder}: no page has the marks of {', '.join(sorted(missing))}")
    return texts
