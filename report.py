"""Write REPORT.md, and the parts of README.md between marks, from Data/.

    python report.py                                             Data/ -> REPORT.md, README.md
    python report.py --data sweep/Data --out sweep/REPORT.md     from a sweep's own folder
    python report.py --check                                     are they what Data/ gives?

The claims and their rules are in claims.py; no verdict is typed by hand.
"""

import contextlib
import json
import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import intervals
import paper
import settings
import table
import theory
import util
from claims import CLAIMS, FINDINGS
from util import UserError
from verdicts import NOT_RUN, READINGS, VERDICTS, Data, NotRun, Result

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings."""

    data: Path = ROOT / "Data"  # folder with the results; Figures/ and Networks/ are beside it
    out: Path = ROOT / "REPORT.md"  # file to write
    readme: Path | None = None  # write its parts too; None: README.md, if `data` is Data/
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


def findings(data: Data) -> list[str]:
    """Sentences of `claims.FINDINGS`, those whose results are there."""
    found = []
    for finding in FINDINGS:
        with contextlib.suppress(NotRun):
            found.append(finding(data))
    return found


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
        findings="\n".join(f"- {line}" for line in [*findings(data), f"**{summary(rows)}**"]),
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


# ------------------------------------------------------------------ parts of README.md

PAPER = {2: "clearly worse OOD than ID", 24: "high, gap to ID closed"}  # of Figure 3a, by N_task
ARCHITECTURES = {"RNN": "RNN", "RNN, non-leaky": "NoLeak", "LSTM": "LSTM", "GPT-2": "gpt-2"}
ENCODERS = {"ReLU": "RNN", "quadratic": "Quad"}  # name -> kind of networks
MEASURES = {"ID": "ID", "as_released": "OOD as released", "quadrant": "OOD quadrant held out"}
ANGLE = "angle between decoders (degrees)"


def decoded(data: Data, kind: str, n_tasks: Sequence[int], decoder: str = "adam") -> pd.DataFrame:
    """Rows of networks of a kind, those of `MEASURES` at the end of trials as in training."""
    own = table.network_columns(paper.configs(kind, (2,), runs=(0,))[0])
    of_kind = f"network == {own['network']!r} and settings == {own['settings']!r}"
    rows = data.rows.query(f"{of_kind} and decoder == @decoder and series == ''")
    return rows[rows["n_task"].isin(n_tasks) & rows["measure"].isin(MEASURES)]


def summarised(rows: pd.DataFrame) -> pd.DataFrame:
    """By N_task: networks, and 'median [quartiles]' of r2 and angle over them, splits and fits."""
    r2 = rows.groupby(["n_task", "measure"])["r2"].agg(util.quartiles).unstack()
    found = r2.reindex(columns=[*MEASURES]).rename(columns=MEASURES)
    inside, ood = (rows[rows["measure"] == m].groupby("n_task") for m in ("ID", "quadrant"))
    found.insert(0, "networks", inside["run"].nunique())
    return found.assign(**{ANGLE: ood["angle"].agg(util.quartiles, digits=0)})


def training(logs: pd.DataFrame, kind: str, rows: pd.DataFrame) -> str:
    """Words about how networks of a kind were trained."""
    runs = rows.groupby("n_task")["run"].unique()
    names = {
        settings.label(config): n
        for n, own in zip(runs.index.tolist(), runs, strict=True)
        for config in paper.configs(kind, (n,), runs=own.tolist())
    }
    words = []
    logs = logs[logs["name"].isin(names) & (logs["kind"] == kind)].drop_duplicates("name")
    for _, log in logs.groupby("path"):
        n_tasks, how = sorted({names[name] for name in log["name"]}), log.iloc[0]
        words.append(
            f"{len(log)} networks (N_task {', '.join(map(str, n_tasks))}), seed {how['seed']}, "
            f"{how['n_batch']} batches, trained as one ensemble in {how['seconds'] / 60:.0f} "
            f"minutes on {how['machine']}"
        )
    if missing := len(names) - len(logs):
        words.append(f"the log of {missing} more was not kept")
    return "; ".join(words) or "not run yet"


def figure_3a(data: Data, logs: pd.DataFrame) -> str:
    """The table of Figure 3a, and a sentence about where its numbers come from."""
    hows = {figure: results_of(data, figure) for figure in ("3a", "3a_more")}
    figures = [figure for figure, how in hows.items() if None not in how]
    if "3a" not in figures:
        return "**Figure 3a, RNN.** Not run yet."
    n_tasks = (*paper.N_TASKS, *(paper.N_TASKS_MORE if "3a_more" in figures else ()))
    rows, ridge = (decoded(data, "RNN", n_tasks, decoder) for decoder in ("adam", "ridge"))
    medians = rows.pivot_table("r2", "n_task", "measure", "median")
    cells = summarised(rows).drop(columns=ANGLE)
    cells["gap"] = (medians["ID"] - medians["quadrant"]).map("{:.3f}".format)
    both = summarised(ridge)[["ID", "OOD quadrant held out"]].add_prefix("ridge: ")
    cells = cells.join(both).rename_axis("N_task").reset_index()
    cells["theory"] = f"{theory.r2_mean(theory.T):.3f}"
    cells["paper"] = cells["N_task"].map(PAPER).fillna("")
    seeds = listed(how["config"]["seed"] for name in figures for how in hows[name] if how)
    text = (
        f"**Figure 3a, RNN.** Median [quartiles] of r2 over networks, {rows['split'].nunique()} "
        f"splits and {rows['fit'].nunique()} fits; decoder seed {seeds}. "
        f"{training(logs, 'RNN', rows)}. Everything again: `python sweep.py {' '.join(figures)}`."
    )
    return f"{text}\n\n{util.markdown(cells, cells.to_numpy())}"


def comparison(data: Data, logs: pd.DataFrame, title: str, kinds: dict[str, str]) -> str:
    """The table of a figure that compares networks; those without data yet are named."""
    rows = {name: decoded(data, kind, paper.N_TASKS) for name, kind in kinds.items()}
    words = " ".join(f"{name}: {training(logs, kinds[name], rows[name])}." for name in kinds)
    cells = pd.concat({name: summarised(own) for name, own in rows.items()})
    cells = cells.rename_axis(["network", "N_task"]).reset_index()
    text = f"**{title}.** Median [quartiles] of r2 and angle over networks, splits and fits."
    return f"{text} {words}\n\n{util.markdown(cells, cells.to_numpy())}"


def verdicts(rows: list[Result], data: Data) -> str:
    """How many claims have which verdict, and what is not run yet."""
    missing = ", ".join(name for name in paper.FIGURES if None in results_of(data, name))
    words = (
        f"{summary(rows)} (As released: by the evaluation that was released with the paper, half "
        "of whose fits are in distribution; see [Two tests of generalisation]"
        "(#two-tests-of-generalisation).) Each with its rule and numbers: [REPORT.md](REPORT.md)."
    )
    words += f" Still to be run at full scale: figures {missing}." if missing else ""
    return textwrap.fill(words, 100)


def readme(path: Path, rows: list[Result], logs: pd.DataFrame, data: Data) -> str:
    """A README with its parts between marks written anew."""
    text = path.read_text()
    kinds = {"Figures 3b and 3c, architectures": ARCHITECTURES, "Figure S1, encoders": ENCODERS}
    tables = [figure_3a(data, logs), *(comparison(data, logs, *each) for each in kinds.items())]
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
    rows, logs = [claim.result(data) for claim in CLAIMS], logs_of(data)
    texts = {config.out: report(rows, logs, data, config.out.parent)}
    is_ours = config.data.resolve() == ROOT / "Data"
    if path := config.readme or (ROOT / "README.md" if is_ours else None):
        texts[path] = readme(path, rows, logs, data)
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
