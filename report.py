"""Write REPORT.md, and the parts of README.md between marks, from Data/.

    python report.py                                             Data/ -> REPORT.md, README.md
    python report.py --data sweep/Data --out sweep/REPORT.md     from a sweep's own folder
    python report.py --check                                     are they what Data/ gives?

The claims, their rules and their verdicts are in claims.py; no verdict is typed by hand.
"""

import json
import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import paper
import settings
import table
import theory
import util
from claims import CLAIMS, NOT_RUN, ONLY_RELEASED, VERDICTS, Claim, Data
from util import UserError

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings."""

    data: Path = ROOT / "Data"  # folder with the results; Figures/ and Networks/ are beside it
    out: Path = ROOT / "REPORT.md"  # file to write
    readme: Path | None = None  # write its parts too; None: README.md, if `data` is Data/
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


def verdicts(rows: list[Row], data: Data) -> str:
    """How many claims have which verdict, and what is not run yet."""
    missing = ", ".join(name for name in paper.FIGURES if None in results_of(data, name))
    words = (
        f"{summary(rows)} (As released: by the evaluation that was released with the paper, half "
        "of whose fits are in distribution; see [Two tests of generalisation]"
        "(#two-tests-of-generalisation).) Each with its rule and numbers: [REPORT.md](REPORT.md)."
    )
    words += f" Still to be run at full scale: figures {missing}." if missing else ""
    return textwrap.fill(words, 100)


def readme(path: Path, rows: list[Row], logs: pd.DataFrame, data: Data) -> str:
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
    rows, logs = [(claim, *claim.verdict(data)) for claim in CLAIMS], logs_of(data)
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
