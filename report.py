"""Write REPORT.md, and the parts of README.md and docs/ between marks, from Data/.

    python report.py                                             Data/ -> REPORT.md and pages
    python report.py --data sweep/Data --out sweep/REPORT.md     from a sweep's own folder
    python report.py --check                                     are they what Data/ gives?

The claims, their rules and their verdicts are in claims.py; no verdict is typed by hand. The parts
of the pages are in pages.py.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import pages
import paper
import util
from claims import CLAIMS, NOT_RUN, ONLY_RELEASED, VERDICTS, Claim, Data
from util import UserError

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings. More: docs/results.md."""

    data: Path = ROOT / "Data"  # folder with the results; Figures/ and Networks/ are beside it
    out: Path = ROOT / "REPORT.md"  # file to write
    pages: Path | None = None  # folder of README.md and docs/; none: this one, if data is Data/
    check: bool = False  # compare only


Row = tuple[Claim, str, str]  # a claim, what was measured, the verdict
INTRO = """# Report

Written by `python report.py` from the results in `{data}`; each verdict follows from the rule
printed with it.

**{summary}** Three more rows are checks of ours: what beats the optimum, abstraction, controls.

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
    path = data.root / f"Figures/{name}.png"
    link = Path(os.path.relpath(path, folder.resolve())).as_posix().replace(" ", "%20")
    return link if path.exists() else ""


def verdict_table(rows: list[Row], data: Data, folder: Path) -> str:
    """Table of the claims, with links to their pictures."""
    lines = []
    for i, (claim, _, verdict) in enumerate(rows, start=1):
        link = picture(data, claim.figure, folder)
        figure = f"[{claim.figure}]({link})" if link else claim.figure
        lines.append([i, claim.words()[0], figure, verdict])
    return util.markdown(["", "claim", "figure", "verdict"], lines)


def results_of(data: Data, figure: str) -> list[dict[str, Any] | None]:
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
    return list(found.values())


def listed(values: Iterable[Any], between: str = "; ") -> str:
    """Different values in order, as text; '-' where there are none."""
    return between.join(sorted({str(value) for value in values})) or "-"


def sources(data: Data) -> str:
    """Table of what each figure was made from."""
    header = ["figure", "shows", "results", "networks", "decoder seeds", "measured on"]
    rows = []
    for name, figure in paper.FIGURES.items():
        found = results_of(data, name)
        there = [how for how in found if how is not None]
        n_network = len({network for how in there for network in how.get("networks", ())})
        seeds = listed(how["config"]["seed"] for how in there if "seed" in how.get("config", {}))
        machines = listed(how["machine"] for how in there if "machine" in how)
        counts = f"{len(there)} of {len(found)}"
        rows.append([name, figure.shows, counts, n_network or "-", seeds, machines])
    return util.markdown(header, rows)


def logs_of(data: Data) -> pd.DataFrame:
    """Finished trainings of which there are logs beside the networks, a row per network."""
    rows = []
    for path in sorted(data.root.glob("Networks/*/ensemble_*[0-9a-f].jsonl")):
        try:
            lines = path.read_text().splitlines()
            head, last = json.loads(lines[0]), json.loads(lines[-1])
            if last.get("batch") == head["config"]["n_batch"]:
                how = head["config"]["seed"], last["batch"], last["seconds"], head["machine"]
                rows += [(name, path, path.parent.name, *how) for name in head["networks"]]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: not a log of train.py ({error!r})") from None
    columns = ["name", "path", "kind", "seed", "n_batch", "seconds", "machine"]
    return pd.DataFrame(rows, columns=columns)


def trainings(logs: pd.DataFrame) -> str:
    """Sentences about finished trainings."""
    if logs.empty:
        return "No logs of finished trainings are there."
    each = logs.drop_duplicates("path")
    return (
        f"Logs of finished trainings: {len(each)}. Networks: {logs['name'].nunique()}, their seed "
        f"{listed(each['seed'], ', ')}, {sum(each['seconds']) / 3600:.1f} hours in all, several "
        f"side by side, on {listed(each['machine'])}."
    )


def report(rows: list[Row], logs: pd.DataFrame, data: Data, folder: Path) -> str:
    """REPORT.md in a folder."""
    details, shown = [], {""}
    for i, (claim, measured, verdict) in enumerate(rows, start=1):
        words, rule = claim.words()
        details.append(f"**{i}. {words}** *{verdict}*.\n\nRule: {rule}\n\n{measured}")
        link = picture(data, claim.figure, folder)
        if link not in shown:  # several claims may share a picture
            details.append(f"![Figure {claim.figure}]({link})")
            shown.add(link)
    head = INTRO.format(summary=summary(rows), data=data.folder.name)
    head += f"\n\n## Verdicts\n\n{verdict_table(rows, data, folder)}"
    tail = ["## Where the numbers come from", trainings(logs), sources(data)]
    return "\n\n".join([head, "## Rules and measurements", *details, *tail]) + "\n"


def main(config: Config) -> None:
    """Write or compare."""
    data = Data(config.data)
    rows, logs = [(claim, *claim.verdict(data)) for claim in CLAIMS], logs_of(data)
    texts = {config.out: report(rows, logs, data, config.out.parent)}
    is_ours = config.data.resolve() == ROOT / "Data"
    if folder := config.pages or (ROOT if is_ours else None):
        verdicts = [(claim, verdict) for claim, _, verdict in rows]
        texts |= pages.written(folder, pages.Results(data, verdicts, logs))
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
