"""The claims of the paper: for each a rule, what was measured here, and a verdict.

A claim is a function of the results, listed in `RULES`. The first line of its docstring is the
claim, the others are the rule, as REPORT.md prints them. It returns what was measured, in words,
and whether the rule holds. The unit is the network: its number is the median over splits and fits;
tests compare networks. `Data.medians` takes networks by their kind, see `paper.KINDS`.
"""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

import paper
import released
import study
import table
import theory
import util
from theory import T
from util import UserError

HOLDS, PARTLY, FAILS = 2, 1, 0  # what a rule finds
VERDICTS = {HOLDS: "reproduced", PARTLY: "partly", FAILS: "not reproduced"}
ONLY_RELEASED, NOT_RUN = "partly, as released only", "not run yet"
TESTS = {"as_released": "as released", "quadrant": "quadrant really held out"}
N_NET = 5  # networks per condition; the smallest p of 5 against 5 is 0.004
KINDS = {"RNN": "RNN", "non-leaky RNN": "NoLeak", "LSTM": "LSTM", "GPT": "gpt-2"}
SLOW, BOTTOM = 0, 1  # stages of analyze.py: where a search first moves slowly, where it ends
KEYS = ["network", "settings", "n_task", "measure", "decoder", "series"]
Found = tuple[str, int]  # what was measured; HOLDS, PARTLY or FAILS


class NotRun(Exception):
    """What a claim needs has not been measured."""


class Data:
    """The results below a folder: rows of the table, and analyses."""

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        self.folder, self.root = folder, folder.resolve().parent  # Figures/, Networks/ are there
        self.path = folder / "results.csv"
        there = self.path.exists()
        self.rows = table.read(self.path) if there else released.table_of(folder)
        self.about = table.about(self.path) if there else {}
        self.groups = dict(iter(self.rows.groupby(KEYS)))

    def medians(
        self, measure: str, kind="RNN", n_task=24, column="r2", by: Any = "run", **where: str
    ) -> pd.Series:
        """Median of a column of each network of a kind; NotRun if there are too few networks."""
        own = table.network_columns(paper.configs(kind, (n_task,), runs=(0,))[0])
        wanted = {**own, "decoder": "adam", "series": "", **where}
        key = tuple({**wanted, "measure": measure}[name] for name in KEYS)
        rows = self.groups.get(key, self.rows[:0])
        if (n_net := rows["run"].nunique()) < N_NET:
            raise NotRun(f"{wanted['condition']}, {measure}: {n_net} of {N_NET} networks")
        return rows.groupby(by)[column].median()

    def gap(self, measure: str, kind="RNN", n_task=24) -> pd.Series:
        """ID - OOD of each network."""
        inside, ood = (self.medians(m, kind, n_task) for m in ("ID", measure))
        if not inside.index.equals(ood.index):
            raise UserError(f"{self.path}: ID and {measure} are not of the same networks")
        return inside - ood

    def analysis(self, name: str, *needs: str) -> list[np.ndarray]:
        """Arrays of analyze.py for the RNNs of N_task = 24, networks first."""
        path = self.folder / f"Analysis/RNN_nTask24/{name}.npz"
        found = util.load_npz(path, needs) if path.exists() else {needs[0]: np.empty(0)}
        if (n_net := len(found[needs[0]])) < N_NET:
            raise NotRun(f"Analysis/RNN_nTask24/{name}.npz: {n_net} of {N_NET} networks")
        return [found[need] for need in needs]


# ------------------------------------------------------------------ what is found, and words


def judge(holds: Any, partly: Any = False) -> int:
    """HOLDS, PARTLY or FAILS."""
    return HOLDS if holds else PARTLY if partly else FAILS


def joint(found: Iterable[Found], between: str = "; ", text: str = "{}") -> Found:
    """What several find together: all of them hold, some do at least partly, none does."""
    texts, levels = zip(*found, strict=True)
    return text.format(between.join(texts)), judge(min(levels) == HOLDS, max(levels) > FAILS)


def significant(p: float, text: str = "{}", fully: Any = True) -> Found:
    """Is p < 0.01 (partly: p < 0.05, or not `fully`)? 'p = 0.004' goes into the text."""
    words = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    return text.format(words), judge(p < 0.01 and fully, p < 0.05)


def greater(high: Any, low: Any, text: str = "{}", fully: Any = True) -> Found:
    """One-sided exact Mann-Whitney test that `high` lies above `low`."""
    p = stats.mannwhitneyu(high, low, alternative="greater", method="exact").pvalue
    return significant(p, text, fully)


def trend(groups: dict[int, Any], text: str = "{}") -> Found:
    """Spearman's one-sided test that values of networks rise with the key of their group."""
    x = np.repeat(list(groups), [len(values) for values in groups.values()])
    found = stats.spearmanr(x, np.concatenate(list(groups.values())), alternative="greater")
    p, rho = np.nan_to_num(found.pvalue, nan=1.0), np.nan_to_num(found.statistic)
    return significant(p, text.format(f"rho = {rho:.2f}, {{}}"))


def middle(values: Any, digits: int = 3, sign: str = "") -> str:
    """The median as text, never -0; '+' as `sign` shows it always."""
    return f"{round(float(np.median(values)), digits) + 0.0:{sign}.{digits}f}"


def span(values: Any, digits: int = 3) -> str:
    """'median (lowest to highest)' over networks, '-' of nothing."""
    some = np.asarray(values)[np.isfinite(values)]
    if not some.size:
        return "-"
    return f"{middle(some, digits)} ({middle(some.min(), digits)} to {middle(some.max(), digits)})"


def masked_median(values: np.ndarray, kept: np.ndarray | bool = True) -> np.ndarray:
    """Median over the last axis of what is kept and not NaN; NaN of nothing."""
    some = np.ma.masked_invalid(np.where(kept, values, np.nan))
    return np.ma.median(some, axis=-1).astype(float).filled(np.nan)


# ------------------------------------------------------------------ claims


class Claim(NamedTuple):
    """A claim; `figure` is a key of `paper.FIGURES`; a check is ours, no claim of the paper."""

    figure: str
    rule: Callable[..., Found]
    is_check: bool

    def words(self) -> tuple[str, str]:
        """Claim and rule, as printed."""
        claim, rule = str(inspect.getdoc(self.rule)).split("\n", 1)
        return claim, " ".join(rule.split())

    def verdict(self, data: Data) -> tuple[str, str]:
        """What was measured, and the verdict.

        A rule that takes `test` must hold under both tests out of distribution. It is marked where
        it fails with the quadrant really held out only, since conclusions are drawn there.
        """
        takes_test = "test" in inspect.signature(self.rule).parameters
        try:
            found = [self.rule(data, test) for test in TESTS] if takes_test else [self.rule(data)]
        except NotRun as reason:
            return f"- {reason}; `python sweep.py {self.figure}` makes what is needed.", NOT_RUN
        names = [f"{name}: " for name in TESTS.values()] if takes_test else [""]
        text = "\n".join(f"- {name}{words}." for name, (words, _) in zip(names, found, strict=True))
        if found[-1][1] == FAILS < found[0][1]:
            return text, ONLY_RELEASED
        return text, VERDICTS[joint(found)[1]]


def ood_rises(data: Data, test: str) -> Found:
    """OOD r2 rises with N_task.
    Spearman's test over the 25 networks, p < 0.01 (partly: p < 0.05)."""
    groups = {n: data.medians(test, n_task=n) for n in paper.N_TASKS}
    medians = ", ".join(f"{n}: {middle(values)}" for n, values in groups.items())
    return trend(groups, f"{{}}; medians at N_task {medians}")


def gap_closes(data: Data, test: str) -> Found:
    """The gap ID - OOD shrinks from N_task 2 to 24 and closes.
    The gap is smaller at 24, p < 0.01, and its median there at most 0.02 (partly: it shrinks, p <
    0.05)."""
    first, last = (data.gap(test, n_task=n) for n in (2, 24))
    text = f"gap {span(first)} at N_task 2, {span(last)} at 24, {{}}"
    return greater(first, last, text, fully=np.median(last) <= 0.02)


def gap_at_few(data: Data, test: str) -> Found:
    """At few tasks generalisation is clearly worse out of distribution.
    Median gap ID - OOD above 0.05 at N_task 2 and 3 (partly: at one of them)."""
    gaps = [(n, data.gap(test, n_task=n)) for n in (2, 3)]
    each = [(f"{span(gap)} at N_task {n}", judge(np.median(gap) > 0.05)) for n, gap in gaps]
    return joint(each, ", ", "gap {}")


def ood_is_high(data: Data, test: str) -> Found:
    """At N_task 24 generalisation is near the optimum.
    Median OOD r2 at least 0.95; the optimal observer of 20 samples reaches 0.978."""
    ood = data.medians(test)
    return span(ood), judge(np.median(ood) >= 0.95)


def nothing_beats_the_optimum(data: Data) -> Found:
    """Nothing beats the optimal observer (a check of the measurement).
    In every condition with white Gaussian noise, no median r2, ID or OOD, exceeds that of the
    posterior mean for its sigma and number of samples by more than 0.007."""
    by = ["condition", "measure", "decoder", "series", "step", "stimulus", "t", "sigma"]
    found = data.rows.query("t > 0").groupby(by)["r2"].median().dropna().reset_index()
    if found.empty:
        raise NotRun("no r2 with t and sigma is there")
    optima = [theory.r2_optimum(int(t), sigma) for t, sigma in found[["t", "sigma"]].to_numpy()]
    worst = found.assign(above=found["r2"] - optima).nlargest(1, "above").iloc[0]
    largest = middle(worst["above"], sign="+")
    where = f"{worst['condition']}, {worst['measure']}, t = {worst['t']:g}"
    text = f"{len(found)} medians; the largest minus the optimum is {largest} ({where})"
    return text, judge(worst["above"] <= 0.007)


def every_architecture(data: Data, test: str) -> Found:
    """It holds for every architecture.
    Median OOD r2 at N_task 24 at least 0.95 for RNN, non-leaky RNN, LSTM and GPT (partly: for two
    or three)."""
    found = {name: data.medians(test, kind) for name, kind in KINDS.items()}
    n_high = sum(np.median(values) >= 0.95 for values in found.values())
    text = ", ".join(f"{name} {span(values)}" for name, values in found.items())
    return text, judge(n_high == len(found), n_high >= 2)


def gpt_is_better(data: Data, test: str) -> Found:
    """At few tasks GPT generalises better than the RNN.
    OOD r2 is higher at N_task 2 and at 3, p < 0.01 each (partly: at one, or p < 0.05)."""
    pairs = [(n, *(data.medians(test, kind, n) for kind in ("gpt-2", "RNN"))) for n in (2, 3)]
    text = "N_task {}: GPT {}, RNN {}, {{}}"
    return joint(greater(g, r, text.format(n, span(g), span(r))) for n, g, r in pairs)


def orthogonal(data: Data) -> Found:
    """Decoders of the two factors are orthogonal.
    Median angle at N_task 24 within 90 +- 10 degrees for every architecture (partly: for some);
    unrelated directions among 64 units are also at 90 +- 7, so this is necessary only."""
    each = [(name, data.medians("quadrant", kind, column="angle")) for name, kind in KINDS.items()]
    found = [(f"{name} {span(x, 0)}", judge(abs(np.median(x) - 90) <= 10)) for name, x in each]
    return joint(found, ", ", "{} degrees")


def n_task_needs_dimensions(data: Data) -> Found:
    """N_task >= D is what it takes.
    For RNN and GPT and D = 4, 6, 8, 10: OOD r2 of networks with N_task >= D above those with fewer
    tasks, and rising with N_task at the largest D (Spearman), p < 0.01 each (partly: some); with
    N_task < D the outputs determine N_task of D directions only. Whether N_task = D is enough is
    not part of the rule."""
    found = []
    for name, kind in (("RNN", "nDim"), ("GPT", "gpt-2_nDim")):
        each = []
        for d in paper.DIMS:
            r2 = {n: data.medians("quadrant", f"{kind}{d}", n) for n in paper.N_TASKS_DIM}
            many, few = (
                np.concatenate([values for n, values in r2.items() if (n >= d) == enough])
                for enough in (True, False)
            )
            each.append(greater(many, few, f"D = {d} {middle(many)} against {middle(few)}, {{}}"))
        each.append(trend(r2, f"at D = {d} {{}}"))  # the largest D
        found.append(joint(each, text=f"{name}: {{}}"))
    return joint(found, ". ")


def noise_helps(data: Data, test: str) -> Found:
    """Noise in training helps.
    At N_task 3 and at 6, the mean of each run over sigma 0.2, 0.3, 0.4 against the runs at 0.1: OOD
    r2 in units of the optimal observer's at that sigma is higher, and the gap ID - OOD smaller, p <
    0.01 each (partly: both at one N_task, or p < 0.05)."""
    found, kinds = [], {0.1: "Noise1", 0.2: "RNN", 0.3: "Noise3", 0.4: "Noise4"}  # by sigma
    for n in (3, 6):
        share = [data.medians(test, k, n) / theory.r2_optimum(T, s) for s, k in kinds.items()]
        gap = [data.gap(test, kind, n) for kind in kinds.values()]
        cells = zip(kinds, share, gap, strict=True)
        words = ", ".join(f"{s:g}: {middle(r2)} and {middle(g)}" for s, r2, g in cells)
        both = greater(np.mean(share[1:], 0), share[0]), greater(gap[0], np.mean(gap[1:], 0))
        (p_share, share_level), (p_gap, gap_level) = both
        words = f"N_task {n}: r2 / optimum and gap at sigma {words} ({p_share} and {p_gap})"
        found.append((words, min(share_level, gap_level)))
    return joint(found)


def durations(data: Data, test: str) -> Found:
    """OOD r2 follows 1 - 0.48 / (t + 1) in trial duration t, beyond the 20 steps of training too.
    Free reaction time, N_task 24: the median is within 0.05 of it at every duration up to 20 steps,
    and at every longer one (partly: one of these)."""
    by = ["stimulus", "run"]
    r2 = data.medians(test, "Bound", by=by, series="stimulus").groupby("stimulus").median()
    steps = r2.index / 100  # ms, dt = 100
    missed = pd.Series(abs(r2.to_numpy() - theory.r2_mean(steps + 1)), steps)
    found = []
    for some, name in ((missed.loc[:T], f"up to {T} steps"), (missed.loc[T + 1 :], "beyond")):
        if some.empty:
            raise NotRun(f"no durations {name} are there")
        found.append((f"{some.max():.3f} {name} (at {some.idxmax():g})", judge(some.max() <= 0.05)))
    return joint(found, ", ", "largest deviation {}")


def correlated(data: Data, test: str) -> Found:
    """Generalisation survives strongly correlated factors, and fails at correlation 1.
    Median OOD r2 at correlation 0.4 and 0.8 at most 0.05 below that at 0; at 1 by more than 0.05, p
    < 0.01 (partly: at 0.4 only, or no failure at 1)."""
    kinds = {"0": "RNN", "0.4": "Corr0.4", "0.8": "Corr0.8", "1": "Corr1"}
    found = {corr: data.medians(test, kind) for corr, kind in kinds.items()}
    text = ", ".join(f"corr {corr}: {span(values)}" for corr, values in found.items())
    lost = {corr: np.median(found["0"]) - np.median(values) for corr, values in found.items()}
    fails_at_1 = lost["1"] > 0.05 and greater(found["0"], found["1"])[1] == HOLDS
    survives = lost["0.4"] <= 0.05
    return text, judge(survives and lost["0.8"] <= 0.05 and fails_at_1, survives)


def quadratic_encoder(data: Data, test: str) -> Found:
    """A quadratic encoder changes nothing.
    Median OOD r2 at N_task 24 within 0.02 of the ReLU encoder's."""
    relu, quad = (data.medians(test, kind) for kind in ("RNN", "Quad"))
    change = np.median(quad) - np.median(relu)
    text = f"ReLU {span(relu)}, quadratic {span(quad)}, difference {middle(change, sign='+')}"
    return text, judge(abs(change) <= 0.02)


def sparse(data: Data, cells: list[tuple[str, str, int]]) -> Found:
    """Is (name, kind, N_task) sparse, by the rule of `sparse_by_architecture`?"""
    found = []
    for name, kind, n in cells:
        values = (data.medians(m, kind, n, "value", decoder="") for m in ("sparsity", "dead"))
        every, dead = values
        alive = 100 * (every - dead) / (100 - dead)  # dead units count as 100 %
        words = f"{name}: {span(every, 0)} %, that of responding units alone {span(alive, 0)} %"
        found.append((words, judge(min(alive) >= 50, min(every) >= 50)))
    return joint(found)


def sparse_by_architecture(data: Data) -> Found:
    """Representations of ReLU units are sparse.
    At N_task 24 the lifetime sparseness of units that respond is at least 50 % in each RNN, leaky
    and not (partly: one of both, or only with dead units counted as 100 %)."""
    return sparse(data, [("RNN", "RNN", 24), ("non-leaky RNN", "NoLeak", 24)])


def sparse_by_dimension(data: Data) -> Found:
    """They are sparse at every D.
    The same for RNNs of N_task 12 and D = 2, 4, 6, 8, 10 (partly: for some)."""
    return sparse(data, [("D = 2", "RNN", 12), *((f"D = {d}", f"nDim{d}", 12) for d in paper.DIMS)])


def attractor(data: Data) -> Found:
    """Fixed points form a two-dimensional continuous attractor that covers the square.
    Where the search ends: half of the points fixed to the last digit, median local dimension 1.5
    to 2.5, points in at least 80 % of the cells that as many random points would hit. Partly: slow
    points with that local dimension, whatever they cover."""
    names = "kept", "kind", "dimension", "cells", "decoded", "jitters_decoded", "jitters_kept"
    kept, kind, dimension, cells, decoded, *jitters = data.analysis("sheet", *names)
    n = cells.shape[-1]
    others = (x.reshape(*x.shape[:2], -1, *x.shape[4:]) for x in jitters)
    every = [np.concatenate(pair, 2) for pair in zip((decoded, kept), others, strict=True)]
    alone, covered = (
        (study.count_cells(points, k, n) > 0).mean((-2, -1))
        / study.covered_by_chance(k.sum(-1).clip(1), n)
        for points, k in ((decoded, kept), every)
    )  # (net, stage)
    flat = masked_median(dimension, kept)
    fixed = ((kind == 0) & kept).sum(-1) / kept.sum(-1).clip(1)
    is_flat = abs(masked_median(flat.T) - 2) <= 0.5  # at each stage
    is_fixed = np.median(fixed[:, BOTTOM]) >= 0.5 and np.median(alone[:, BOTTOM]) >= 0.8
    text = (
        f"slow points: local dimension {span(flat[:, SLOW], 2)}, cells hit relative to as many "
        f"random points, 'coverage', {span(alone[:, SLOW], 2)} ({kept.shape[-1]} starts; with "
        f"those of other jitters {span(covered[:, SLOW], 2)}); where the search ends: coverage "
        f"{span(alone[:, BOTTOM], 2)}, share fixed {span(fixed[:, BOTTOM], 2)}"
    )
    return text, judge(is_flat[BOTTOM] and is_fixed, is_flat[SLOW])


def eigenvalues(data: Data) -> Found:
    """At its slow points two eigenvalues lie near the unit circle, the others inside.
    Of a network's slow points at least three quarters have sizes 0.9 to 1.1 of the first two and
    below 0.9 of the third, in each of the networks (partly: for the medians of each, first two 0.95
    to 1.05 and third below 0.8)."""
    values, kept = (found[:, SLOW] for found in data.analysis("spectrum", "eigenvalues", "kept"))
    sizes = np.moveaxis(abs(values[..., :3]), -1, 0)  # (3, net, start)
    near = (abs(sizes[:2] - 1) < 0.1).all(0) & (sizes[2] < 0.9)
    near, above_1 = (100 * (x & kept).sum(1) / kept.sum(1).clip(1) for x in (near, sizes[0] > 1))
    medians = masked_median(sizes, kept)  # (3, net)
    partly = (abs(medians[:2] - 1) < 0.05).all() and (medians[2] < 0.8).all()
    text = f"so at {span(near, 0)} % of the points; medians of the first three "
    text += f"{', '.join(map(span, medians))}; with an eigenvalue above 1 {span(above_1, 0)} % "
    return text + "of the points", judge((near >= 75).all(), partly)


def three_components(data: Data) -> Found:
    """The top 3 principal components hold most of the variance (paper: about 85 %).
    At least 75 % over all steps of noiseless trials in each of the networks (partly: in the median
    network)."""
    share, names = data.analysis("pca", "share", "conditions")
    top = dict(zip(names.tolist(), share[..., :3].sum(-1).T, strict=True))
    text = ", ".join(f"{name} {span(100 * shares, 0)} %" for name, shares in top.items())
    shares = top["noiseless, all steps"]
    return text, judge(min(shares) >= 0.75, np.median(shares) >= 0.75)


def free_reaction_time(data: Data, test: str) -> Found:
    """Networks with free reaction time generalise as those with fixed.
    Median OOD r2 at N_task 24 at least the fixed ones' - 0.02."""
    free, fixed = (data.medians(test, kind) for kind in ("Bound", "RNN"))
    level = judge(np.median(free) >= np.median(fixed) - 0.02)
    return f"free {span(free)}, fixed {span(fixed)}", level


def nonlinear(data: Data, test: str) -> Found:
    """Non-linear boundaries lead to representations that generalise too.
    Median OOD r2 at least 0.8 (partly: above 0.75, which the signs of the factors alone give; signs
    and |x1 x2|, all that the labels tell, give 0.86)."""
    ood, inside = (data.medians(measure, "Multiply") for measure in (test, "ID"))
    level = judge(np.median(ood) >= 0.8, np.median(ood) > 0.75)
    return f"OOD {span(ood)}, ID {span(inside)}", level


def context_collapses(data: Data, test: str) -> Found:
    """Trained one cued task at a time, representations collapse.
    OOD r2 is lower than that of networks that do two tasks at once, p < 0.01 (partly: p < 0.05)."""
    cued, both = data.medians(test, "Context", 1), data.medians(test, n_task=2)
    return greater(both, cued, f"cued {span(cued)}, both at once {span(both)}, {{}}")


def other_noise(data: Data, test: str) -> Found:
    """It holds for Gumbel, anisotropic and AR(1) noise.
    Median OOD r2 at most 0.05 below the ID r2 of the same networks and below the best linear
    unbiased observer, for each (partly: for some)."""
    gumbel = theory.r2_mean(T, theory.SIGMA * np.pi / np.sqrt(6))
    anisotropic, correlated = theory.r2_anisotropic(), theory.r2_autocorrelated()
    found, top = [], {"Gumbel": gumbel, "Anisot": anisotropic, "Autocorr": correlated}
    for kind, r2 in top.items():
        ood, inside = (data.medians(measure, kind) for measure in (test, "ID"))
        words = f"{kind}: OOD {span(ood)}, ID {middle(inside)}, observer {r2:.3f}"
        found.append((words, judge(np.median(ood) >= max(np.median(inside), r2) - 0.05)))
    return joint(found)


def noise_after_encoder(data: Data, test: str) -> Found:
    """It holds for noise after the encoder.
    Median OOD r2 at most 0.05 below the ID r2 of the same networks."""
    ood, inside = (data.medians(measure, "NoiseEnc") for measure in (test, "ID"))
    return f"OOD {span(ood)}, ID {span(inside)}", judge(np.median(ood) >= np.median(inside) - 0.05)


def abstract(data: Data) -> Found:
    """Representations are abstract by CCGP and parallelism score too (not in the paper).
    At N_task 24 both lie above the 95 % quantile of the geometric null, for every factor, network
    and architecture (partly: for their medians, or for some)."""
    found = []
    for name, kind in KINDS.items():
        each = []
        for measure in ("ccgp", "parallelism"):
            values, null = (
                data.medians(m, kind, column="value", by=["run", "factor"]).unstack()
                for m in (measure, f"{measure}_chance_95")
            )  # (net, factor)
            above, partly = (values > null).to_numpy(), (values.median() > null.median()).all()
            words = f"{measure} {span(values.mean(axis=1))}, null {middle(null)}, above it in "
            each.append((f"{words}{above.sum()} of {above.size}", judge(above.all(), partly)))
        found.append(joint(each, text=f"{name}: {{}}"))
    return joint(found, ". ")


def beyond_the_average(data: Data, test: str) -> Found:
    """Networks generalise better than the average of their own input (not in the paper).
    At N_task 24 OOD r2 is higher than that of the encoder's features averaged over the stimulus,
    with no network, read by the same decoders, p < 0.01 for each architecture (partly: for some, or
    p < 0.05)."""
    average = data.medians(test, "EncoderMean")
    each = [(name, data.medians(test, kind)) for name, kind in KINDS.items()]
    found = [greater(ood, average, f"{name} {span(ood)}, {{}}") for name, ood in each]
    return joint(found, text=f"average {span(average)}; {{}}")


RULES: tuple[tuple[str, Any], ...] = (  # figure of `paper.FIGURES`, rules; in the report's order
    ("3a", (ood_rises, gap_closes, gap_at_few, ood_is_high, nothing_beats_the_optimum)),
    ("3bc", (every_architecture, gpt_is_better, orthogonal)),
    ("5b", (n_task_needs_dimensions,)),
    ("5c", (noise_helps,)),
    ("5a", (durations,)),
    ("S3b", (correlated,)),
    ("S1", (quadratic_encoder,)),
    ("S6a", (sparse_by_architecture,)),
    ("S6b", (sparse_by_dimension,)),
    ("2", (attractor,)),
    ("S2", (eigenvalues,)),
    ("2", (three_components,)),
    ("S5", (free_reaction_time,)),
    ("S4", (nonlinear,)),
    ("Context", (context_collapses,)),
    ("Noise", (other_noise, noise_after_encoder)),
    ("3bc", (abstract,)),
    ("Controls", (beyond_the_average,)),
)
CHECKS = nothing_beats_the_optimum, abstract, beyond_the_average  # ours, no claims of the paper
CLAIMS = [Claim(figure, rule, rule in CHECKS) for figure, rules in RULES for rule in rules]
