"""Write REPORT.md, and the parts of README.md between marks, from Data/.

    python report.py                                             Data/ -> REPORT.md, README.md
    python report.py --data sweep/Data --out sweep/REPORT.md     from a sweep's own folder
    python report.py --check                                     are they what Data/ gives?

The claims, their rules and their verdicts are in claims.py; no verdict is typed by hand.
"""

import json
import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import paper
import settings
import theory
import util
from claims import CLAIMS, NOT_RUN, ONLY_RELEASED, VERDICTS, Claim, Data, NotRun
from util import UserError

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings."""

    data: Path = ROOT / "Data"  # folder with the results; Figures/ and Networks/ are beside it
    out: Path = ROOT / "REPORT.md"  # file to write
    readme: Path | None = None  # write its parts too; None: README.md, if `data` is Data/
    check: bool = False  # compare only


Cell = dict[str, pd.DataFrame]  # measure -> rows
Row = tuple[Claim, str, str]  # a claim, what was measured, the verdict
INTRO = """# Report

Written by `python report.py` from the results in `{data}`; each verdict follows from the rule
printed with it.

**{summary}** Two more rows, on what beats the optimum and on abstraction, are checks of ours.

The unit is the network: its statistic is the median over splits and fits of its decoders. Numbers
are the median (lowest to highest) over networks, five per condition. Comparisons are one-sided
exact Mann-Whitney tests over networks; trends are Spearman's. A test holds at p < 0.01, and weakly
at p < 0.05; the smallest p of 5 against 5 networks is 0.004.

For D = 2 there are two tests out of distribution (OOD). *As released* is what the evaluation
released with the paper does: half of its fits are tested on quadrants that their decoder was
trained on, which is easily overlooked. Numbers are compared with the paper's under it. *Quadrant
really held out* is what the paper describes; conclusions are drawn under it. A claim counts as
reproduced if its rule holds under both, and as partly if it holds under the second or in the
weaker form that the rule names; one that fails with the quadrant really held out is marked *partly,
as released only*. D > 2 has one test, with the quadrant really held out."""


# ------------------------------------------------------------------ the report


def judged(data: Data) -> list[Row]:
    """Each claim, what was measured, and the verdict."""
    rows = []
    for claim in CLAIMS:
        try:
            rows.append((claim, *claim.verdict(data)))
        except NotRun as reason:
            words = f"- {reason}; `python sweep.py {claim.figure}` makes what is needed."
            rows.append((claim, words, NOT_RUN))
    return rows


def summary(rows: list[Row]) -> str:
    """How many of the paper's claims have which verdict."""
    found = [verdict for claim, _, verdict in rows if not claim.is_check]
    every = [*VERDICTS.values(), ONLY_RELEASED, NOT_RUN]
    counts = [f"{found.count(verdict)} {verdict}" for verdict in every[1:]]
    words = f"Of {len(found)} claims of the paper {found.count(every[0])} are {every[0]}"
    return "; ".join([words, *counts]) + "."


def picture(data: Data, figure: str, folder: Path) -> str:
    """Link to a figure's picture from a file in `folder`; '' where there is none."""
    name = paper.FIGURES[figure].script or f"Fig{figure}"
    path = data.folder.resolve().parent / "Figures" / f"{name}.png"
    link = Path(os.path.relpath(path, folder.resolve())).as_posix().replace(" ", "%20")
    return link if path.exists() else ""


def verdict_table(rows: list[Row], data: Data, folder: Path) -> str:
    """Table of the claims, with links to their pictures."""
    lines = []
    for i, (claim, _, verdict) in enumerate(rows, start=1):
        link, figure = picture(data, claim.figure, folder), claim.figure
        lines.append([i, claim.words()[0], f"[{figure}]({link})" if link else figure, verdict])
    return util.markdown(["", "claim", "figure", "verdict"], lines)


def results_of(data: Data, figure: str) -> dict[str, dict[str, Any] | None]:
    """How each result behind a figure was made, see `util.provenance`; None: not there yet."""
    found: dict[str, dict[str, Any] | None] = {}
    for product in paper.FIGURES[figure].products:
        for kind, n_tasks in product.networks:
            for config in paper.configs(kind, n_tasks, runs=(0,)):
                name = paper.name_of(product, config, kind)
                found[name] = data.about.get(name)
                if product.script.startswith("analyze"):
                    path = data.folder / name / f"{product.options['keep'][0]}.npz"
                    there = path.exists()
                    found[name] = util.about_of(util.load_npz(path)) or {} if there else None
    return found


def is_complete(data: Data, figure: str) -> bool:
    """Is all that a figure is drawn from there?"""
    return None not in results_of(data, figure).values()


def sources(data: Data) -> str:
    """Table of what each figure was made from."""
    header = ["figure", "shows", "results", "networks", "decoder seeds", "measured on"]
    rows = []
    for name, figure in paper.FIGURES.items():
        found = results_of(data, name).values()
        there = [how for how in found if how is not None]
        networks = {network for how in there for network in how.get("networks", ())}
        seeds = {str(how["config"]["seed"]) for how in there if "seed" in how.get("config", {})}
        machines = {how["machine"] for how in there if "machine" in how}
        shown = [len(networks), "; ".join(sorted(seeds)), "; ".join(sorted(machines))]
        counts = f"{len(there)} of {len(found)}"
        rows.append([name, figure.shows, counts, *(words or "-" for words in shown)])
    return util.markdown(header, rows)


def logs_of(folders: Iterable[Path]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """First and last line of the log of each finished training in these folders."""
    for path in sorted(path for f in folders for path in f.glob("ensemble_*[0-9a-f].jsonl")):
        try:
            lines = path.read_text().splitlines()
            head, last = json.loads(lines[0]), json.loads(lines[-1])
            is_finished = last.get("batch") == head["config"]["n_batch"]
            if is_finished and not (head.keys() >= {"networks", "machine"} and "seconds" in last):
                raise KeyError("networks, machine or seconds")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: not a log of train.py ({error!r})") from None
        if is_finished:
            yield head, last


def trainings(data: Data) -> str:
    """Sentences about finished trainings, from the logs beside the networks."""
    logs = list(logs_of((data.folder.resolve().parent / "Networks").glob("*")))
    if not logs:
        return "No logs of finished trainings are there."
    names = {name for head, _ in logs for name in head["networks"]}
    seeds = ", ".join(sorted({str(head["config"]["seed"]) for head, _ in logs}))
    machines = "; ".join(sorted({head["machine"] for head, _ in logs}))
    hours = sum(last["seconds"] for _, last in logs) / 3600
    return (
        f"Logs of finished trainings: {len(logs)}. Networks: {len(names)}, their seed {seeds}, "
        f"{hours:.1f} hours in all, several side by side, on {machines}."
    )


def report(rows: list[Row], data: Data, folder: Path) -> str:
    """REPORT.md in a folder."""
    details, shown = [], {""}
    for i, (claim, measured, verdict) in enumerate(rows, start=1):
        words, rule = claim.words()
        details.append(f"**{i}. {words}** *{verdict}*.\n\nRule: {rule}\n\n{measured}")
        link = picture(data, claim.figure, folder)
        if link not in shown:  # several claims may share a picture
            details.append(f"![Figure {claim.figure}]({link})")
            shown.add(link)
    parts = [
        INTRO.format(summary=summary(rows), data=data.folder.name),
        "## Verdicts",
        verdict_table(rows, data, folder),
        "## Rules and measurements",
        *details,
        "## Where the numbers come from",
        trainings(data),
        sources(data),
    ]
    return "\n\n".join(parts) + "\n"


# ------------------------------------------------------------------ parts of README.md

PAPER = {2: "clearly worse OOD than ID", 24: "high, gap to ID closed"}  # of Figure 3a, by N_task
ARCHITECTURES = {"RNN": "RNN", "RNN, non-leaky": "NoLeak", "LSTM": "LSTM", "GPT-2": "gpt-2"}
ENCODERS = {"ReLU": "RNN", "quadratic": "Quad"}  # name -> kind of networks
MEASURES = {"ID": "ID", "as_released": "OOD as released", "quadrant": "OOD quadrant held out"}


def cells(data: Data, kind: str, n_tasks: Iterable[int], decoder: str) -> dict[int, Cell]:
    """Rows of networks of a kind by N_task and measure, where there are any."""
    of_kind = {"decoder": decoder, "at_least": 0, **paper.KINDS[kind].settings}
    found = {n: {m: data.find(m, n, **of_kind) for m in MEASURES} for n in n_tasks}
    return {n: cell for n, cell in found.items() if len(cell["ID"])}


def quartiles(cell: Cell) -> list[str]:
    """'median [lower, upper]' of r2 over networks, splits and fits, for each measure."""
    return [util.quartiles(rows["r2"]) for rows in cell.values()]


def training(data: Data, kind: str, found: dict[int, Cell]) -> str:
    """Words about how networks of a kind were trained, from the logs beside them."""
    left = {
        settings.label(config): n
        for n, cell in found.items()
        for config in paper.configs(kind, (n,), runs=cell["ID"]["run"].unique().tolist())
    }
    words = []
    for head, last in logs_of([data.folder.resolve().parent / "Networks" / kind]):
        there = [left.pop(name) for name in head["networks"] if name in left]
        if there:
            n_tasks = ", ".join(map(str, sorted(set(there))))
            words.append(
                f"{len(there)} networks (N_task {n_tasks}), seed {head['config']['seed']}, "
                f"{last['batch']} batches, trained as one ensemble in "
                f"{last['seconds'] / 60:.0f} minutes on {head['machine']}"
            )
    if left:
        words.append(f"the log of {len(left)} more was not kept")
    return "; ".join(words) or "not run yet"


def figure_3a(data: Data) -> str:
    """The table of Figure 3a, and a sentence about where its numbers come from."""
    if not is_complete(data, "3a"):
        return "**Figure 3a, RNN.** Not run yet."
    figures = ["3a", "3a_more"] if is_complete(data, "3a_more") else ["3a"]
    n_tasks = (*paper.N_TASKS, *(paper.N_TASKS_MORE if figures[1:] else ()))
    adam, ridge = (cells(data, "RNN", n_tasks, decoder) for decoder in ("adam", "ridge"))
    header = ["N_task", "networks", *MEASURES.values(), "gap", "ridge: ID"]
    header += ["ridge: OOD quadrant held out", "theory", "paper"]
    rows, bound = [], f"{theory.r2_mean(theory.T):.3f}"
    for n in n_tasks:
        gap = adam[n]["ID"]["r2"].median() - adam[n]["quadrant"]["r2"].median()
        row = [n, adam[n]["ID"]["run"].nunique(), *quartiles(adam[n]), f"{gap:.3f}"]
        inside, _, held_out = quartiles(ridge[n])
        rows.append([*row, inside, held_out, bound, PAPER.get(n, "")])
    some = next(iter(adam.values()))["ID"]
    hows = [how for name in figures for how in results_of(data, name).values() if how]
    seeds = "; ".join(sorted({str(how["config"]["seed"]) for how in hows}))
    text = (
        f"**Figure 3a, RNN.** Median [quartiles] of r2 over networks, {some['split'].nunique()} "
        f"splits and {some['fit'].nunique()} fits; decoder seed {seeds}. "
        f"{training(data, 'RNN', adam)}. Everything again: `python sweep.py {' '.join(figures)}`."
    )
    return f"{text}\n\n{util.markdown(header, rows)}"


def comparison(data: Data, title: str, kinds: dict[str, str]) -> str:
    """The table of a figure that compares networks; those without data yet are named."""
    header = ["network", "N_task", "networks", *MEASURES.values()]
    header += ["angle between decoders (degrees)"]
    rows, words = [], []
    for name, kind in kinds.items():
        found = cells(data, kind, paper.N_TASKS, "adam")
        words.append(f"{name}: {training(data, kind, found)}.")
        for n, cell in found.items():
            angles = util.quartiles(cell["quadrant"]["angle"], 0)
            rows.append([name, n, cell["ID"]["run"].nunique(), *quartiles(cell), angles])
    text = f"**{title}.** Median [quartiles] of r2 and angle over networks, splits and fits."
    return f"{text} {' '.join(words)}\n\n{util.markdown(header, rows)}"


def verdicts(rows: list[Row], data: Data) -> str:
    """How many claims have which verdict, and what is not run yet."""
    missing = ", ".join(name for name in paper.FIGURES if not is_complete(data, name))
    words = (
        f"{summary(rows)} (As released: by the evaluation that was released with the paper, half "
        "of whose fits are in distribution; see [Two tests of generalisation]"
        "(#two-tests-of-generalisation).) Each with its rule and numbers: [REPORT.md](REPORT.md)."
    )
    words += f" Still to be run at full scale: figures {missing}." if missing else ""
    return textwrap.fill(words, 100)


def readme(path: Path, rows: list[Row], data: Data) -> str:
    """A README with its parts between marks written anew."""
    text = path.read_text()
    tables = [
        figure_3a(data),
        comparison(data, "Figures 3b and 3c, architectures", ARCHITECTURES),
        comparison(data, "Figure S1, encoders", ENCODERS),
    ]
    parts = {
        "verdicts": verdicts(rows, data),
        "claims": verdict_table(rows, data, path.parent),
        "results": "\n\n".join(tables),
        "bench": (data.folder / "bench.md").read_text().strip(),
    }
    for name, part in parts.items():
        begin, end = f"<!-- {name}: written by report.py -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise UserError(f"{path}: the marks around the {name} are missing")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{part}\n\n{end}{rest.split(end)[1]}"
    return text


def main(config: Config) -> None:
    """Write or compare."""
    data = Data(config.data)
    rows = judged(data)
    texts = {config.out: report(rows, data, config.out.parent)}
    is_ours = config.data.resolve() == ROOT / "Data"
    if path := config.readme or (ROOT / "README.md" if is_ours else None):
        texts[path] = readme(path, rows, data)
    for path, text in texts.items():
        if not config.check:
            util.write_atomic(path, text.encode())
            print(path)
        elif path.is_file() and path.read_text() == text:
            print(f"{path} is what {config.data} gives")
        else:
            raise UserError(
                f"{path}: is not what {config.data} and the logs in Networks give; run python "
                "report.py"
            )


if __name__ == "__main__":
    util.run_script(main, Config)
