"""How a claim is judged: what it takes from the results, its parts, its verdicts.

A rule returns parts, each an estimate over networks, see `intervals`, and whether its interval lies
where the claim says. All hold: reproduced; none: not reproduced; some: partly. A part is undecided
if its interval holds both; so is the claim, if its verdict depends on that part.
"""

import copy
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import intervals
import paper
import released
import table
import util
from intervals import Estimate
from util import UserError

HOLDS, FAILS, UNDECIDED, PARTLY = "holds", "fails", "undecided", "partly"  # what a rule finds
VERDICTS = {HOLDS: "reproduced", PARTLY: PARTLY, FAILS: "not reproduced", UNDECIDED: UNDECIDED}
NOT_RUN, NONE, MAIN = "not run", "-", "verdict"
READINGS = {  # verdicts of a claim: test out of distribution, decoder, both in words
    MAIN: ("quadrant", "adam", "quadrant held out, decoder by Adam"),
    "by ridge": ("quadrant", "ridge", "quadrant held out, decoder by ridge"),
    "by closed form": ("quadrant", "closed_fit", "quadrant held out, closed form"),
    "as released": ("as_released", "adam", "as released, decoder by Adam"),
}
N_NET = 5  # the fewest networks of a condition; the paper's number
KEYS = ["network", "settings", "n_task", "measure", "decoder", "series"]


class NotRun(Exception):
    """What a claim needs has not been measured."""


class Data:
    """The results below a folder: rows of the table, and analyses."""

    decoder = "adam"  # whose rows are taken

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        self.folder, self.root = folder, folder.resolve().parent  # Figures/, Networks/ are there
        self.path = folder / "results.csv"
        there = self.path.exists()
        self.rows = table.read(self.path) if there else released.table_of(folder)
        self.about = table.about(self.path) if there else {}
        self.groups = dict(iter(self.rows.groupby(KEYS)))

    def read_by(self, decoder: str) -> "Data":
        """The same, but rows of another decoder."""
        other = copy.copy(self)
        other.decoder = decoder
        return other

    def medians(
        self, measure: str, kind="RNN", n_task=24, column="r2", by: Iterable[str] = (), **where: str
    ) -> pd.Series:
        """Number of each network of a kind, and of `by`; NotRun if there are too few networks."""
        own = table.network_columns(paper.configs(kind, (n_task,), runs=(0,))[0])
        wanted = {**own, "decoder": self.decoder, "series": "", **where}
        key = tuple({**wanted, "measure": measure}[name] for name in KEYS)
        rows = self.groups.get(key, self.rows[:0])
        if (n_net := rows["run"].nunique()) < N_NET:
            how = ", ".join(filter(None, (measure, wanted["decoder"], wanted["series"])))
            raise NotRun(f"{wanted['condition']}, {how}: {n_net} of {N_NET} networks")
        return intervals.of_networks(rows, *by, column=column)

    def errors(self, measure: str, kind="RNN", n_task=24) -> tuple[pd.Series, pd.Series]:
        """1 - r2 of each network, ID and OOD."""
        inside, ood = (1 - self.medians(m, kind, n_task) for m in ("ID", measure))
        if not inside.index.equals(ood.index):
            raise UserError(f"{self.path}: ID and {measure} are not of the same networks")
        return inside, ood

    def gap(self, measure: str, kind="RNN", n_task=24) -> pd.Series:
        """ID - OOD of each network."""
        inside, ood = self.errors(measure, kind, n_task)
        return ood - inside

    def ratio(self, measure: str, kind="RNN", n_task=24) -> pd.Series:
        """OOD error relative to ID error of each network."""
        inside, ood = self.errors(measure, kind, n_task)
        return ood / inside

    def analysis(self, name: str, *needs: str) -> list[np.ndarray]:
        """Arrays of analyze.py for the RNNs of N_task = 24, networks first."""
        path = self.folder / f"Analysis/RNN_nTask24/{name}.npz"
        found = util.load_npz(path, needs) if path.exists() else {needs[0]: np.empty(0)}
        if (n_net := len(found[needs[0]])) < N_NET:
            raise NotRun(f"Analysis/RNN_nTask24/{name}.npz: {n_net} of {N_NET} networks")
        return [found[need] for need in needs]


# ------------------------------------------------------------------ parts of a claim


class Part(NamedTuple):
    """Something that a claim says: what was measured, what that says, p of a comparison."""

    words: str
    level: str
    p: float | None = None


def within(words: str, found: Estimate, low=-np.inf, high=np.inf, digits=3, **more: Any) -> Part:
    """Does an interval lie between two limits?"""
    level = HOLDS if low < found.low and found.high < high else UNDECIDED
    level = FAILS if found.high < low or found.low > high else level
    return Part(f"{words} {found.text(digits)}", level, **more)


def lies(words: str, values: Any, low=-np.inf, high=np.inf, digits=3) -> Part:
    """Does the median of networks lie between two limits?"""
    return within(words, intervals.median(values), low, high, digits)


def above(words: str, high: Any, low: Any, paired: bool = False) -> Part:
    """Is the median of some networks above that of others? `paired`: that of the differences."""
    p, delta = intervals.greater(high, low)
    found = intervals.difference(high, low)
    found = intervals.median((high - low).dropna()) if paired else found
    two = " against ".join(intervals.median(values).text() for values in (high, low))
    words = f"{words} {two}, difference {found.text(sign='+')}, delta {delta:.2f}, {p_words(p)}"
    return Part(words, within("", found, low=0).level, p)


def rises(words: str, groups: dict[int, Any]) -> Part:
    """Do values of networks rise with the key of their group?"""
    p = intervals.rising([*groups], [*groups.values()])
    part = within(f"{words} rho", intervals.correlation([*groups], [*groups.values()]), 0, digits=2)
    return Part(f"{part.words}, {p_words(p)}", part.level, p)


def p_words(p: float) -> str:
    """'p = 0.004', or 'p < 0.001'."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


class Claim(NamedTuple):
    """A claim; `figure` is a key of `paper.FIGURES`, whose sweep gives what is needed, if made.

    A check is ours, no claim of the paper.
    """

    number: int
    figure: str
    rule: Callable[..., list[Part]]
    is_check: bool = False
    is_made: bool = True

    def words(self) -> tuple[str, str]:
        """Claim and rule, as printed."""
        claim, rule = str(inspect.getdoc(self.rule)).split("\n", 1)
        return claim, " ".join(rule.split())

    def result(self, data: Data) -> "Result":
        """What was measured, and a verdict for each of `READINGS`.

        A rule that takes `test` goes through all of them; one that has a default for it, D > 2,
        through all but the released test; any other through the first alone.
        """
        test = inspect.signature(self.rule).parameters.get("test")
        lines, found, p = [], dict.fromkeys(READINGS, NONE), None
        for name, (measure, decoder, words) in READINGS.items():
            if name != MAIN and (test is None or test.default not in (test.empty, measure)):
                continue
            options = {} if test is None else {"test": measure}
            try:
                parts = self.rule(data.read_by(decoder), **options)
            except NotRun as reason:
                found[name] = NOT_RUN
                if name == MAIN:
                    how = f"; `python sweep.py {self.figure}` makes what is needed"
                    lines.append(f"- {reason}{how if self.is_made else ', and no command yet'}.")
                continue
            level = verdict_of(parts)
            found[name] = level if self.is_check else VERDICTS[level]
            p = max((x.p for x in parts if x.p is not None), default=None) if name == MAIN else p
            told = [f"{part.words}: {part.level}" for part in parts]
            lines += [f"- *{words}*"] if test is not None else []
            lines += [f"{'  ' if test is not None else ''}- {line}" for line in told]
        return Result(self, "\n".join(lines), found, p)


class Result(NamedTuple):
    """A claim, what was measured, a verdict for each of `READINGS`, p of its comparisons."""

    claim: Claim
    measured: str
    verdicts: dict[str, str]
    p: float | None = None  # the largest, since all must hold; with the first of `READINGS`

    @property
    def number(self) -> int:
        """Of the claim, from 1."""
        return self.claim.number

    @property
    def verdict(self) -> str:
        """With the quadrant held out and the paper's decoder."""
        return self.verdicts[MAIN]

    @property
    def note(self) -> str:
        """By which other decoders the claim holds where it does not by the paper's; '' by none."""
        good, others = (VERDICTS[HOLDS], HOLDS), ("by ridge", "by closed form")
        fails = self.verdict not in (*good, NOT_RUN)
        found = [name for name in others if fails and self.verdicts[name] in good]
        return f"; holds {' and '.join(found)}" if found else ""


def verdict_of(parts: list[Part]) -> str:
    """What all parts say; partly where some hold and some fail; or else undecided."""
    levels = {part.level for part in parts}
    if {HOLDS, FAILS} <= levels:
        return PARTLY
    return levels.pop() if len(levels) == 1 else UNDECIDED
