"""Write REPORT.md, and the parts of README.md and docs/ between marks, from Data/.

    python report.py                                             Data/ -> REPORT.md and pages
    python report.py --data sweep/Data --out sweep/REPORT.md     from a sweep's own folder
    python report.py --check                                     are they what Data/ gives?

The claims and their rules are in claims.py, findings in findings.py, the parts of pages in
pages.py; no verdict is typed by hand.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import findings
import intervals
import pages
import paper
import theory
import util
from claims import CLAIMS
from util import UserError
from verdicts import NOT_RUN, READINGS, VERDICTS, Data, Result

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings. More: docs/results.md."""

    data: Path = ROOT / "Data"  # folder with the results; Figures/ and Networks/ are beside it
    out: Path = ROOT / "REPORT.md"  # file to write
    pages: Path | None = None  # folder of README.md and docs/; none: this one, if data is Data/
    check: bool = False  # compare only


INTRO = """# Report

Written by `python report.py` from the results in `{data}`.

{findings}

## How to read the verdicts

A network sees noisy samples of x*, D numbers, and is trained to say on which side of N_task lines,
or planes, x* lies. A linear decoder then reads x* itself from the network's state. *r2* is 1 for a
perfect decoder and 0 for one that knows nothing; the mean of the {t} samples gives {r2:.3f}. *In
distribution* (ID) decoders are fitted and tested everywhere. *Out of distribution* (OOD) they are
fitted in three quadrants and tested in the fourth.

- **The number of a network** is the median over splits and fits of its decoders. Numbers are
  medians over networks, with 95 % intervals in brackets by bootstrap over networks ({n_net} per
  condition). With five, the interval of a median reaches from the lowest network to the highest.
- **A claim has parts.** A part *holds* if its interval lies where the rule says, *fails* if it
  lies elsewhere, and is *undecided* if the interval holds both. A claim is *reproduced* if all
  parts hold, *not reproduced* if all fail, *partly* if some hold and some fail, and *undecided*
  otherwise.
- **The verdict** is for the test that the paper describes, the quadrant held out, and for its
  decoder, trained by Adam. Beside it stands what the same rule gives for two other ways to read
  the same networks: ridge regression, and the theorem's closed form, which computes x* from the
  network's outputs. The last column is the test as released with the paper's networks. Half of its
  fits are tested on quadrants that their decoder was trained on, which is easily overlooked; for
  larger D it does not differ. "-": the rule has no such test.
- **Near and far.** Errors are compared by one yardstick: near means at most twice the error, as if
  half of the samples had been missed.
- **Comparisons** give the difference of medians in r2, Cliff's delta (1: every network of one
  group is above every one of the other) and p of one-sided exact Mann-Whitney tests over networks;
  trends give Spearman's rho. Verdicts follow from intervals alone. The p of a claim is the largest
  of its comparisons; beside it stands p adjusted by Holm for all claims of the paper that compare.
- **The rules** take their limits from the theory, a control or the paper's words, and were fixed
  before they were applied. An earlier version of this report was known then, with medians and
  ranges of the same networks read by Adam's decoder, so that some outcomes could be foreseen."""


# ------------------------------------------------------------------ the report


def summary(rows: list[Result]) -> str:
    """How many of the paper's claims have which verdict."""
    found = [row.verdict for row in rows if not row.claim.is_check]
    first, *others = (f"{found.count(each)} {each}" for each in (*VERDICTS.values(), NOT_RUN))
    return f"Of {len(found)} claims of the paper {'; '.join([first, *others])}."


def picture(data: Data, figure: str, folder: Path) -> str:
    """Link to a figure's picture from a file in `folder`; '' where there is none."""
    name = paper.FIGURES[figure].script or f"Fig{figure}"
    path = data.root / f"Figures/{name}.png"
    link = Path(os.path.relpath(path, folder.resolve())).as_posix().replace(" ", "%20")
    return link if path.exists() else ""


def verdict_table(rows: list[Result], data: Data, folder: Path) -> str:
    """Table of the claims, with links to their pictures."""
    lines = []
    for row in rows:
        name, link = row.claim.figure, picture(data, row.claim.figure, folder)
        verdict, *others = row.verdicts.values()
        figure = f"[{name}]({link})" if link else name
        lines.append([row.number, row.claim.words()[0], figure, verdict + row.note, *others])
    return util.markdown(["", "claim", "figure", *READINGS], lines)


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


def adjusted(rows: list[Result]) -> dict[int, str]:
    """Number of each claim of the paper that compares -> its p, and that adjusted by Holm."""
    p = {row.number: row.p for row in rows if row.p is not None and not row.claim.is_check}
    both = zip(p, p.values(), intervals.holm([*p.values()]), strict=True)
    how = f"Holm's over {len(p)} claims"
    return {i: f"- p of the claim {one:.2g}; {how} {other:.2g}." for i, one, other in both}


def report(rows: list[Result], logs: pd.DataFrame, data: Data, folder: Path) -> str:
    """REPORT.md in a folder."""
    details, shown, ps = [], {""}, adjusted(rows)
    for row in rows:
        words, rule = row.claim.words()
        measured = "\n".join(filter(None, (row.measured, ps.get(row.number))))
        head = f"**{row.number}. {words}** *{row.verdict}{row.note}*."
        details.append(f"{head}\n\nRule: {rule}\n\n{measured}")
        link = picture(data, row.claim.figure, folder)
        if link not in shown:  # several claims may share a picture
            details.append(f"![Figure {row.claim.figure}]({link})")
            shown.add(link)
    n_net = sorted({*data.rows.groupby("condition")["run"].nunique()})
    head = INTRO.format(
        data=data.folder.name,
        findings="\n".join(f"- {line}" for line in [*findings.found(data), f"**{summary(rows)}**"]),
        t=theory.T,
        r2=theory.r2_mean(theory.T),
        n_net=" to ".join(map(str, dict.fromkeys([*n_net[:1], *n_net[-1:]]))) or "0",
    )
    tables = [
        verdict_table([r for r in rows if r.claim.is_check == x], data, folder) for x in (0, 1)
    ]
    head += f"\n\n## Verdicts\n\n{tables[0]}\n\nChecks of ours:\n\n{tables[1]}"
    tail = ["## Where the numbers come from", trainings(logs), sources(data)]
    return "\n\n".join([head, "## Rules and measurements", *details, *tail]) + "\n"


def main(config: Config) -> None:
    """Write or compare."""
    data = Data(config.data)
    rows, logs = [claim.result(data) for claim in CLAIMS], logs_of(data)
    texts = {config.out: report(rows, logs, data, config.out.parent)}
    is_ours = config.data.resolve() == ROOT / "Data"
    if folder := config.pages or (ROOT if is_ours else None):
        verdicts = [(row.claim, row.verdict) for row in rows]
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
