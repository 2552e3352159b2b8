"""Write the tables of README.md from the committed files in Data/.

python results.py            write it
python results.py --check    say whether README.md holds what the data give
"""

import ctrl_c  # noqa: F401

# isort: split
import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import paper
import report
import util
from util import UserError

ROOT = Path(__file__).resolve().parent
README = ROOT / "README.md"
MARKS = {
    "verdicts": ("<!-- verdicts: written by results.py -->", "<!-- end of verdicts -->"),
    "claims": ("<!-- claims: written by results.py -->", "<!-- end of claims -->"),
    "results": ("<!-- results: written by results.py -->", "<!-- end of results -->"),
    "bench": ("<!-- bench: written by results.py from Data/bench.md -->", "<!-- end of bench -->"),
}
PAPER = {  # what the paper says of Figure 3a, per N_task
    2: "clearly worse OOD than ID",
    24: "high, gap to ID closed",
}


@dataclass
class Config:
    """Settings."""

    check: bool = False  # compare only


ENDS = {"ID": "_ID", "as_released": "", "quadrant": "_quadrant"}  # of file names, by measure
SETS = {  # figure -> network, folder below Data/, name in its files, sentence
    "Figures 3b and 3c, architectures": (
        ("RNN", "Fig3a", "RNN"),
        ("RNN, non-leaky", "Fig3b,c", "NoLeak"),
        ("LSTM", "Fig3b,c", "LSTM"),
        ("GPT-2", "Fig3b,c", "gpt-2"),
    ),
    "Figure S1, encoders": (("ReLU", "Fig3a", "RNN"), ("quadratic", "FigS1", "Quad")),
}


def read(folder, name):
    """A file of Data/`folder`, or UserError."""
    needs = ("n_tasks", "t", "sigma", "config") if name.startswith("r_sq") else ("angles",)
    return util.load_npz(ROOT / "Data" / folder / f"{name}.npz", needs)


def measures(folder, name):
    """r_sq files of one kind of network by measure."""
    return {m: read(folder, f"r_sq_{name}{end}") for m, end in ENDS.items()}


def training(kind, networks):
    """Words about how these networks of a kind were trained, from the logs beside them."""
    left, words = {Path(name).stem for name in networks}, []
    for head, last in report.logs_of([ROOT / "Networks" / kind]):
        there = left & set(head["networks"])
        if there:
            left -= there
            n_tasks = sorted({int(re.search(r"nTask(\d+)", name)[1]) for name in there})
            words.append(
                f"{len(there)} networks (N_task {', '.join(map(str, n_tasks))}), seed "
                f"{head['config']['seed']}, {last['batch']} batches, trained as one ensemble in "
                f"{last['seconds'] / 60:.0f} minutes on {head['machine']}"
            )
    if left:
        words.append(f"the log of {len(left)} more was not kept")
    return "; ".join(words)


def n_networks(r_sq):
    """How many networks are in r_sq (n_tasks, runs, splits, fits)."""
    return int((~np.isnan(r_sq[:, :, 0, 0])).sum())


def fig3a():
    """The table of Figure 3a, and a sentence about where its numbers come from."""
    rows, one = fig3a_rows("Fig3a")
    networks, figures = one["networks"].tolist(), "3a"
    if report.is_complete(report.Data(ROOT / "Data"), paper.FIGURES["3a_more"]):
        more, other = fig3a_rows("Fig3a_more")
        if str(one["config"]) != str(other["config"]):
            raise UserError("Data/Fig3a and Data/Fig3a_more were decoded with different settings")
        rows, networks = rows + more, networks + other["networks"].tolist()
        figures = "3a 3a_more"
    header = ["N_task", "networks", "ID", "OOD as released", "OOD quadrant held out", "gap"]
    header += ["ridge: ID", "ridge: OOD quadrant held out", "theory", "paper"]
    about = json.loads(str(one["config"]))
    _, _, n_split, n_fit = one["r_sq"].shape
    text = (
        f"**Figure 3a, RNN.** Median [quartiles] of r2 over networks, {n_split} splits and {n_fit} "
        f"fits; decoder seed {about['seed']}. {training('RNN', networks)}. "
        f"Everything again: `python sweep.py {figures}`."
    )
    return f"{text}\n\n{util.table(header, rows)}"


def fig3a_rows(folder):
    """Rows of the table of Figure 3a from a folder below Data/, and one of its files."""
    adam, ridge = (measures(folder, f"RNN_CELoss{end}") for end in ("", "_ridge"))
    one = adam["quadrant"]
    for file in (*adam.values(), *ridge.values()):
        if not np.array_equal(file["n_tasks"], one["n_tasks"]):
            raise UserError(f"the files in Data/{folder} differ in n_tasks")
    theory, rows = util.r_sq_theory(one["t"], one["sigma"]), []
    for i, n_task in enumerate(one["n_tasks"]):
        values = {m: adam[m]["r_sq"][i] for m in ENDS}
        gap = np.nanmedian(values["ID"]) - np.nanmedian(values["quadrant"])
        rows.append(
            [
                f"{n_task}",
                n_networks(values["ID"][None]),
                *(util.quartiles(values[m]) for m in ENDS),
                f"{gap:.3f}",
                *(util.quartiles(ridge[m]["r_sq"][i]) for m in ("ID", "quadrant")),
                f"{theory:.3f}",
                PAPER.get(int(n_task), ""),
            ]
        )
    return rows, one


def comparison(title, networks):
    """The table of a figure that compares networks; those without data yet are named."""
    header = ["network", "N_task", "networks", "ID", "OOD as released", "OOD quadrant held out"]
    header += ["angle between decoders (degrees)"]
    rows, words = [], []
    for label, folder, name in networks:
        if not (ROOT / "Data" / folder / f"r_sq_{name}_CELoss.npz").exists():
            words.append(f"{label}: not run yet.")
            continue
        files = measures(folder, f"{name}_CELoss")
        angles = read(folder, f"decoders_{name}_CELoss")["angles"]
        for i, n_task in enumerate(files["ID"]["n_tasks"]):
            values = [files[m]["r_sq"][i] for m in ENDS]
            n_net = n_networks(values[0][None])
            low, mid, high = np.nanpercentile(angles[i], [25, 50, 75])
            row = [label, n_task, n_net, *map(util.quartiles, values)]
            rows.append([*row, f"{mid:.0f} [{low:.0f}, {high:.0f}]"])
        words.append(f"{label}: {training(name, files['ID']['networks'].tolist())}.")
    text = f"**{title}.** Median [quartiles] of r2 and angle over networks, splits and fits."
    return f"{text} {' '.join(words)}\n\n{util.table(header, rows)}"


def verdicts(rows, data):
    """How many claims have which verdict, and what is not run yet."""
    missing = [n for n, figure in paper.FIGURES.items() if not report.is_complete(data, figure)]
    words = f"{report.summary_of(rows)} (As released: by the evaluation that was released with the "
    words += "paper, half of whose fits are in distribution; see [Two tests of generalisation]"
    words += "(#two-tests-of-generalisation).) Each with its rule and numbers: "
    words += "[REPORT.md](REPORT.md)."
    if missing:
        words += f" Still to be run at full scale: figures {', '.join(missing)}."
    return textwrap.fill(words, 100)


def main(config):
    """Write or compare the parts of README.md between the marks."""
    text = new = README.read_text()
    tables = [fig3a(), *(comparison(title, networks) for title, networks in SETS.items())]
    bench = (ROOT / "Data" / "bench.md").read_text().strip()
    data = report.Data(ROOT / "Data")
    rows = report.judged(data)
    claims = report.verdicts(rows, report.Config())
    parts = {
        "results": "\n\n".join(tables),
        "bench": bench,
        "verdicts": verdicts(rows, data),
        "claims": claims,
    }
    for name, (begin, end) in MARKS.items():
        if begin not in new or end not in new:
            raise UserError(f"{README}: the marks around the {name} are missing")
        head, rest = new.split(begin)
        new = f"{head}{begin}\n\n{parts[name]}\n\n{end}{rest.split(end)[1]}"
    if config.check:
        if new != text:
            raise UserError("README.md: the results are not those of Data/; run python results.py")
        print("README.md holds the results of Data/")
    else:
        util.write_atomic(README, new.encode())
        print(README)


if __name__ == "__main__":
    util.run_script(main, Config)
