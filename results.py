"""Write the tables of README.md from the committed files in Data/.

python results.py            write it
python results.py --check    say whether README.md holds what the data give
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import util
from util import UserError

ROOT = Path(__file__).resolve().parent
README = ROOT / "README.md"
MARKS = {
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


def read(name):
    """A file of Data/Fig3a, or UserError."""
    needs = ("r_sq", "n_tasks", "t", "sigma", "config")
    return util.load_npz(ROOT / "Data" / "Fig3a" / name, needs)


def fig3a():
    """The rows of Figure 3a, and a sentence about where they come from."""
    ends = {"as_released": "", "quadrant": "_quadrant", "ID": "_ID"}
    adam = {m: read(f"r_sq_RNN_CELoss{end}.npz") for m, end in ends.items()}
    ridge = {m: read(f"r_sq_RNN_CELoss_ridge{end}.npz") for m, end in ends.items()}
    one = adam["quadrant"]
    for file in (*adam.values(), *ridge.values()):
        if not np.array_equal(file["n_tasks"], one["n_tasks"]):
            raise UserError("the files in Data/Fig3a differ in n_tasks")
    theory = util.r_sq_theory(one["t"], one["sigma"])
    header = ["N_task", "networks", "ID", "OOD as released", "OOD quadrant held out", "gap"]
    header += ["ridge: ID", "ridge: OOD quadrant held out", "theory", "paper"]
    rows = []
    for i, n_task in enumerate(one["n_tasks"]):
        values = {m: adam[m]["r_sq"][i] for m in ends}
        gap = np.nanmedian(values["ID"]) - np.nanmedian(values["quadrant"])
        rows.append(
            [
                f"{n_task}",
                int((~np.isnan(values["ID"][:, 0, 0])).sum()),
                *(util.quartiles(values[m]) for m in ("ID", "as_released", "quadrant")),
                f"{gap:.3f}",
                *(util.quartiles(ridge[m]["r_sq"][i]) for m in ("ID", "quadrant")),
                f"{theory:.3f}",
                PAPER.get(int(n_task), ""),
            ]
        )
    log = [json.loads(x) for x in (ROOT / "Data/Fig3a/training.jsonl").read_text().splitlines()]
    n_net, n_batch = len(log[0]["networks"]), log[-1]["batch"]
    minutes = log[-1]["seconds"] / 60
    about = json.loads(str(one["config"]))
    _, _, n_split, n_fit = one["r_sq"].shape
    text = (
        f"**Figure 3a, RNN.** Median [quartiles] of r2 over networks, {n_split} splits and {n_fit} "
        f"fits; decoder seed {about['seed']}. {n_net} networks, seed {log[0]['config']['seed']}, "
        f"{n_batch} batches, trained as one ensemble in {minutes:.0f} minutes on "
        f"{log[0]['machine']}. Everything again: `make fig3a`."
    )
    return f"{text}\n\n{util.table(header, rows)}"


def main(config):
    """Write or compare the parts of README.md between the marks."""
    text = new = README.read_text()
    parts = {"results": fig3a(), "bench": (ROOT / "Data" / "bench.md").read_text().strip()}
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
