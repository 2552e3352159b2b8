"""The claims of the paper: for each a rule, what was measured here, and a verdict.

A claim is a function of the results, `@claim(figure)`. The first line of its docstring is the
claim, the others are the rule, as REPORT.md prints them. It returns what was measured, in words,
and whether the rule holds. `Data.find` takes rows of the table by value. The unit is the network:
its number is the median over splits and fits; tests compare networks.
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
import settings
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
ARCHITECTURES: dict[str, settings.Config] = {"RNN": {}, "non-leaky RNN": {"leaky": False}}
ARCHITECTURES |= {"LSTM": {"network": "LSTM"}, "GPT": {"network": "gpt-2"}}
HIGH_DIM, FREE = "LinearClassificationHighDim", "LinearClassificationBound"
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
        self.folder, self.path = folder, folder / "results.csv"
        there = self.path.exists()
        self.rows = table.read(self.path) if there else released.table_of(folder)
        self.about = table.about(self.path) if there else {}
        self.groups = dict(iter(self.rows.groupby(KEYS)))

    def find(
        self, measure: str, n_task=24, decoder="adam", series="", at_least=N_NET, **network: Any
    ) -> pd.DataFrame:
        """Rows of networks with these settings, the others the paper's; NotRun if too few."""
        config = settings.complete({"n_task": n_task, **network})
        named = {**table.network_columns(config), "decoder": decoder, "series": series}
        key = tuple({**named, "measure": measure}[name] for name in KEYS)
        rows = self.groups.get(key, self.rows[:0])
        if (n_net := rows["run"].nunique()) < at_least:
            raise NotRun(f"{named['condition']}, {measure}: {n_net} of {at_least} networks")
        return rows

    def medians(self, column: str, measure: str, by: Any = "run", **wanted: Any) -> pd.Series:
        """Median of a column of each network."""
        return self.find(measure, **wanted).groupby(by)[column].median()

    def r2(self, n_task: int, measure: str, **network: Any) -> np.ndarray:
        """r2 of each network, (net,)."""
        return self.medians("r2", measure, n_task=n_task, **network).to_numpy()

    def gap(self, n_task: int, measure: str, **network: Any) -> np.ndarray:
        """ID - OOD of each network, (net,)."""
        both = [self.medians("r2", m, n_task=n_task, **network) for m in ("ID", measure)]
        if not both[0].index.equals(both[1].index):
            raise UserError(f"{self.path}: ID and {measure} are not of the same networks")
        return (both[0] - both[1]).to_numpy()

    def analysis(self, name: str, *needs: str) -> dict[str, np.ndarray]:
        """Arrays of analyze.py for the RNNs of N_task = 24, networks first."""
        file = f"Analysis/RNN_nTask24/{name}.npz"
        there = (self.folder / file).exists()
        found = util.load_npz(self.folder / file, needs) if there else {}
        if (n_net := len(found.get(needs[0], ()))) < N_NET:
            raise NotRun(f"{file}: {n_net} of {N_NET} networks")
        return found


# ------------------------------------------------------------------ what is found, and words


def judge(holds: Any, partly: Any = False) -> int:
    """HOLDS, PARTLY or FAILS."""
    return HOLDS if holds else PARTLY if partly else FAILS


def joint(found: Iterable[Found], between: str = "; ", text: str = "{}") -> Found:
    """What several find together: all of them hold, some do at least partly, none does."""
    texts, levels = zip(*found, strict=True)
    return text.format(between.join(texts)), judge(min(levels) == HOLDS, max(levels) > FAILS)


def p_text(p: float) -> str:
    """'p = 0.004', 'p < 0.001'."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def greater(high: np.ndarray, low: np.ndarray, text: str = "{}") -> Found:
    """One-sided exact Mann-Whitney test that `high` lies above `low`; its p goes into a text."""
    p = stats.mannwhitneyu(high, low, alternative="greater", method="exact").pvalue
    return text.format(p_text(p)), judge(p < 0.01, p < 0.05)


def trend(groups: dict[int, np.ndarray], text: str = "{}") -> Found:
    """Spearman's one-sided test that values, (net,), rise with the key of their group."""
    x = np.concatenate([np.full(len(values), number) for number, values in groups.items()])
    found = stats.spearmanr(x, np.concatenate(list(groups.values())), alternative="greater")
    p, rho = np.nan_to_num(found.pvalue, nan=1.0), np.nan_to_num(found.statistic)
    return text.format(f"rho = {rho:.2f}, {p_text(p)}"), judge(p < 0.01, p < 0.05)


def middle(values: Any, digits: int = 3) -> str:
    """The median as text, never -0."""
    return f"{round(float(np.median(values)), digits) + 0.0:.{digits}f}"


def signed(difference: float) -> str:
    """With its sign, never -0."""
    return f"{round(difference, 3) + 0.0:+.3f}"


def span(values: Any, digits: int = 3) -> str:
    """'median (lowest to highest)' over networks, '-' of nothing."""
    some = np.asarray(values)[np.isfinite(values)]
    if not some.size:
        return "-"
    return f"{middle(some, digits)} ({middle(some.min(), digits)} to {middle(some.max(), digits)})"


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
        if "test" not in inspect.signature(self.rule).parameters:
            text, level = self.rule(data)
            return f"- {text}.", VERDICTS[level]
        found = {test: self.rule(data, test) for test in TESTS}
        text = "\n".join(f"- {TESTS[test]}: {words}." for test, (words, _) in found.items())
        if found["quadrant"][1] == FAILS < found["as_released"][1]:
            return text, ONLY_RELEASED
        return text, VERDICTS[joint(found.values())[1]]


CLAIMS: list[Claim] = []


def claim(figure: str, is_check: bool = False) -> Callable[[Any], Any]:
    """Put a rule into `CLAIMS`."""

    def add(rule):
        CLAIMS.append(Claim(figure, rule, is_check))
        return rule

    return add


@claim("3a")
def ood_rises(data: Data, test: str) -> Found:
    """OOD r2 rises with N_task.
    Spearman's test over the 25 networks, p < 0.01 (partly: p < 0.05)."""
    groups = {n: data.r2(n, test) for n in paper.N_TASKS}
    medians = ", ".join(f"{n}: {middle(values)}" for n, values in groups.items())
    return trend(groups, f"{{}}; medians at N_task {medians}")


@claim("3a")
def gap_closes(data: Data, test: str) -> Found:
    """The gap ID - OOD shrinks from N_task 2 to 24 and closes.
    The gap is smaller at 24, p < 0.01, and its median there at most 0.02 (partly: it shrinks, p <
    0.05)."""
    first, last = (data.gap(n, test) for n in (2, 24))
    text = f"gap {span(first)} at N_task 2, {span(last)} at 24, {{}}"
    words, level = greater(first, last, text)
    return words, min(level, judge(np.median(last) <= 0.02, partly=True))


@claim("3a")
def gap_at_few(data: Data, test: str) -> Found:
    """At few tasks generalisation is clearly worse out of distribution.
    Median gap ID - OOD above 0.05 at N_task 2 and 3 (partly: at one of them)."""
    gaps = {n: data.gap(n, test) for n in (2, 3)}
    each = [(f"{span(g)} at N_task {n}", judge(np.median(g) > 0.05)) for n, g in gaps.items()]
    return joint(each, ", ", "gap {}")


@claim("3a")
def ood_is_high(data: Data, test: str) -> Found:
    """At N_task 24 generalisation is near the optimum.
    Median OOD r2 at least 0.95; the optimal observer of 20 samples reaches 0.978."""
    values = data.r2(24, test)
    return span(values), judge(np.median(values) >= 0.95)


@claim("3a", is_check=True)
def nothing_beats_the_optimum(data: Data) -> Found:
    """Nothing beats the optimal observer (a check of the measurement).
    In every condition with white Gaussian noise, no median r2, ID or OOD, exceeds that of the
    posterior mean for its sigma and number of samples by more than 0.007."""
    rows = data.rows[data.rows["r2"].notna() & (data.rows["t"] > 0) & data.rows["sigma"].notna()]
    if rows.empty:
        raise NotRun("no r2 with t and sigma is there")
    by = ["condition", "measure", "decoder", "series", "step", "stimulus", "t", "sigma"]
    found = rows.groupby(by)["r2"].median().reset_index()
    optima = [theory.r2_optimum(int(t), sigma) for t, sigma in found[["t", "sigma"]].to_numpy()]
    worst = found.assign(above=found["r2"] - optima).nlargest(1, "above").iloc[0]
    text = f"{len(found)} medians; the largest minus the optimum is {signed(worst['above'])}"
    where = f"{worst['condition']}, {worst['measure']}, t = {worst['t']:g}"
    return f"{text} ({where})", judge(worst["above"] <= 0.007)


@claim("3bc")
def every_architecture(data: Data, test: str) -> Found:
    """It holds for every architecture.
    Median OOD r2 at N_task 24 at least 0.95 for RNN, non-leaky RNN, LSTM and GPT (partly: for two
    or three)."""
    found = {name: data.r2(24, test, **network) for name, network in ARCHITECTURES.items()}
    n_high = sum(np.median(values) >= 0.95 for values in found.values())
    text = ", ".join(f"{name} {span(values)}" for name, values in found.items())
    return text, judge(n_high == len(found), n_high >= 2)


@claim("3bc")
def gpt_is_better(data: Data, test: str) -> Found:
    """At few tasks GPT generalises better than the RNN.
    OOD r2 is higher at N_task 2 and at 3, p < 0.01 each (partly: at one, or p < 0.05)."""
    found = []
    for n in (2, 3):
        gpt, rnn = (data.r2(n, test, network=network) for network in ("gpt-2", "RNN"))
        found.append(greater(gpt, rnn, f"N_task {n}: GPT {span(gpt)}, RNN {span(rnn)}, {{}}"))
    return joint(found)


@claim("3bc")
def orthogonal(data: Data) -> Found:
    """Decoders of the two factors are orthogonal.
    Median angle at N_task 24 within 90 +- 10 degrees for every architecture (partly: for some);
    unrelated directions among 64 units are also at 90 +- 7, so this is necessary only."""
    found = []
    for name, network in ARCHITECTURES.items():
        angles = data.medians("angle", "quadrant", **network)
        found.append((f"{name} {span(angles, 0)}", judge(abs(np.median(angles) - 90) <= 10)))
    return joint(found, ", ", "{} degrees")


@claim("5b")
def n_task_needs_dimensions(data: Data) -> Found:
    """N_task >= D is what it takes.
    For RNN and GPT and D = 4, 6, 8, 10: OOD r2 of networks with N_task >= D above those with fewer
    tasks, and rising with N_task at the largest D (Spearman), p < 0.01 each (partly: some); with
    N_task < D the outputs determine N_task of D directions only. Whether N_task = D is enough is
    not part of the rule."""
    found = []
    for name in ("RNN", "GPT"):
        each, task = [], {**ARCHITECTURES[name], "task": HIGH_DIM}
        for d in paper.DIMS:
            cells = {n: data.r2(n, "quadrant", **task, n_dim=d) for n in paper.N_TASKS_DIM}
            many = np.concatenate([values for n, values in cells.items() if n >= d])
            few = np.concatenate([values for n, values in cells.items() if n < d])
            text = f"D = {d} {middle(many)} against {middle(few)}, {{}}"
            each.append(greater(many, few, text))
        each.append(trend(cells, f"at D = {d} {{}}"))  # the largest D
        found.append(joint(each, "; ", f"{name}: {{}}"))
    return joint(found, ". ")


@claim("5c")
def noise_helps(data: Data, test: str) -> Found:
    """Noise in training helps.
    At N_task 3 and at 6, the mean of each run over sigma 0.2, 0.3, 0.4 against the runs at 0.1: OOD
    r2 in units of the optimal observer's at that sigma is higher, and the gap ID - OOD smaller, p <
    0.01 each (partly: both at one N_task, or p < 0.05)."""
    found, noises = [], {0.1: 1.0, 0.2: 2.0, 0.3: 3.0, 0.4: 4.0}  # sigma, n_sd_in
    for n in (3, 6):
        share = [data.r2(n, test, n_sd_in=x) / theory.r2_optimum(T, s) for s, x in noises.items()]
        gap = [data.gap(n, test, n_sd_in=x) for x in noises.values()]
        share_words, share_level = greater(np.mean(share[1:], 0), share[0])
        gap_words, gap_level = greater(gap[0], np.mean(gap[1:], 0))
        cells = zip(noises, share, gap, strict=True)
        words = ", ".join(f"{s:g}: {middle(r2)} and {middle(g)}" for s, r2, g in cells)
        words = f"N_task {n}: r2 / optimum and gap at sigma {words} ({share_words} and {gap_words})"
        found.append((words, min(share_level, gap_level)))
    return joint(found)


@claim("5a")
def durations(data: Data, test: str) -> Found:
    """OOD r2 follows 1 - 0.48 / (t + 1) in trial duration t, beyond the 20 steps of training too.
    Free reaction time, N_task 24: the median is within 0.05 of it at every duration up to 20 steps,
    and at every longer one (partly: one of these)."""
    by = ["stimulus", "run"]
    r2 = data.medians("r2", test, by, series="stimulus", task=FREE).groupby("stimulus").median()
    steps = r2.index / 100  # ms, dt = 100
    missed = pd.Series(abs(r2.to_numpy() - theory.r2_mean(steps + 1)), steps)
    found = []
    for some, name in ((missed.loc[:T], f"up to {T} steps"), (missed.loc[T + 1 :], "beyond")):
        if some.empty:
            raise NotRun(f"no durations {name} are there")
        found.append((f"{some.max():.3f} {name} (at {some.idxmax():g})", judge(some.max() <= 0.05)))
    return joint(found, ", ", "largest deviation {}")


@claim("S3b")
def correlated(data: Data, test: str) -> Found:
    """Generalisation survives strongly correlated factors, and fails at correlation 1.
    Median OOD r2 at correlation 0.4 and 0.8 at most 0.05 below that at 0; at 1 by more than 0.05, p
    < 0.01 (partly: at 0.4 only, or no failure at 1)."""
    found = {corr: data.r2(24, test, corr=corr) for corr in (0.0, 0.4, 0.8, 1.0)}
    lost = {corr: np.median(found[0.0]) - np.median(values) for corr, values in found.items()}
    fails_at_1 = lost[1.0] > 0.05 and greater(found[0.0], found[1.0])[1] == HOLDS
    up_to_0_4, up_to_0_8 = lost[0.4] <= 0.05, max(lost[0.4], lost[0.8]) <= 0.05
    text = ", ".join(f"corr {corr:g}: {span(values)}" for corr, values in found.items())
    return text, judge(up_to_0_8 and fails_at_1, up_to_0_4)


@claim("S1")
def quadratic_encoder(data: Data, test: str) -> Found:
    """A quadratic encoder changes nothing.
    Median OOD r2 at N_task 24 within 0.02 of the ReLU encoder's."""
    relu, quad = (data.r2(24, test, activ_enc=function) for function in ("ReLU", "Quad"))
    difference = np.median(quad) - np.median(relu)
    text = f"ReLU {span(relu)}, quadratic {span(quad)}, difference {signed(difference)}"
    return text, judge(abs(difference) <= 0.02)


def sparse(data: Data, networks: dict[str, settings.Config]) -> Found:
    """Are representations sparse, by the rule of `sparse_by_architecture`?"""
    found = []
    for name, network in networks.items():
        network = {"decoder": "", **network}
        every, dead = (data.medians("value", m, **network) for m in ("sparsity", "dead"))
        alive = 100 * (every - dead) / (100 - dead)  # dead units count as 100 %
        words = f"{name}: {span(every, 0)} %, that of responding units alone {span(alive, 0)} %"
        found.append((words, judge(min(alive) >= 50, min(every) >= 50)))
    return joint(found)


@claim("S6a")
def sparse_by_architecture(data: Data) -> Found:
    """Representations of ReLU units are sparse.
    At N_task 24 the lifetime sparseness of units that respond is at least 50 % in each RNN, leaky
    and not (partly: one of both, or only with dead units counted as 100 %)."""
    return sparse(data, {name: ARCHITECTURES[name] for name in ("RNN", "non-leaky RNN")})


@claim("S6b")
def sparse_by_dimension(data: Data) -> Found:
    """They are sparse at every D.
    The same for RNNs of N_task 12 and D = 2, 4, 6, 8, 10 (partly: for some)."""
    higher = {f"D = {d}": {"n_task": 12, "task": HIGH_DIM, "n_dim": d} for d in paper.DIMS}
    return sparse(data, {"D = 2": {"n_task": 12}, **higher})


@claim("2")
def attractor(data: Data) -> Found:
    """Fixed points form a two-dimensional continuous attractor that covers the square.
    Where the search ends: half of the points fixed to the last digit, median local dimension 1.5
    to 2.5, points in at least 80 % of the cells that as many random points would hit. Partly: slow
    points with that local dimension, whatever they cover."""
    needs = "kept", "kind", "dimension", "cells", "decoded", "jitters_decoded", "jitters_kept"
    sheet = data.analysis("sheet", *needs)
    kept, decoded, again = sheet["kept"], sheet["decoded"], sheet["jitters_decoded"]
    with_again = np.concatenate([decoded, again.reshape(*again.shape[:2], -1, again.shape[-1])], 2)
    kept_again = np.concatenate([kept, sheet["jitters_kept"].reshape(*kept.shape[:2], -1)], 2)
    n = sheet["cells"].shape[-1]
    alone, covered = coverage(decoded, kept, n), coverage(with_again, kept_again, n)
    flat = masked_median(sheet["dimension"], kept)
    fixed = ((sheet["kind"] == 0) & kept).sum(-1) / kept.sum(-1).clip(1)
    is_flat = abs(masked_median(flat.T) - 2) <= 0.5  # at each stage
    is_fixed = np.median(fixed[:, BOTTOM]) >= 0.5 and np.median(alone[:, BOTTOM]) >= 0.8
    text = (
        f"slow points: local dimension {span(flat[:, SLOW], 2)}, cells hit relative to as many "
        f"random points, 'coverage', {span(alone[:, SLOW], 2)} ({kept.shape[-1]} starts; with "
        f"those of other jitters {span(covered[:, SLOW], 2)}); where the search ends: coverage "
        f"{span(alone[:, BOTTOM], 2)}, share fixed {span(fixed[:, BOTTOM], 2)}"
    )
    return text, judge(is_flat[BOTTOM] and is_fixed, is_flat[SLOW])


def coverage(points: np.ndarray, kept: np.ndarray, n: int) -> np.ndarray:
    """Cells hit by points, relative to as many at random over the square; (net, stage)."""
    hit = (study.count_cells(points, kept, n) > 0).mean((-2, -1))
    return hit / study.covered_by_chance(kept.sum(-1).clip(1), n)


def masked_median(values: np.ndarray, kept: np.ndarray | bool = True) -> np.ndarray:
    """Median over the last axis of what is kept and not NaN; NaN of nothing."""
    some = np.ma.masked_invalid(np.where(kept, values, np.nan))
    return np.ma.median(some, axis=-1).astype(float).filled(np.nan)


@claim("S2")
def eigenvalues(data: Data) -> Found:
    """At its slow points two eigenvalues lie near the unit circle, the others inside.
    Of a network's slow points at least three quarters have sizes 0.9 to 1.1 of the first two and
    below 0.9 of the third, in each of the networks (partly: for the medians of each, first two 0.95
    to 1.05 and third below 0.8)."""
    found = data.analysis("spectrum", "eigenvalues", "kept")
    kept = found["kept"][:, SLOW]  # (net, start)
    sizes = np.moveaxis(abs(found["eigenvalues"][:, SLOW, :, :3]), -1, 0)  # (3, net, start)
    near = (abs(sizes[:2] - 1) < 0.1).all(0) & (sizes[2] < 0.9)
    n_kept = kept.sum(1).clip(1)
    near_share, above_1 = (100 * (x & kept).sum(1) / n_kept for x in (near, sizes[0] > 1))
    medians = masked_median(sizes, kept)  # (3, net)
    partly = (abs(medians[:2] - 1) < 0.05).all() and (medians[2] < 0.8).all()
    words = ", ".join(span(size) for size in medians)
    text = f"so at {span(near_share, 0)} % of the points; medians of the first three {words}; "
    text += f"with an eigenvalue above 1 {span(above_1, 0)} % of the points"
    return text, judge((near_share >= 75).all(), partly)


@claim("2")
def three_components(data: Data) -> Found:
    """The top 3 principal components hold most of the variance (paper: about 85 %).
    At least 75 % over all steps of noiseless trials in each of the networks (partly: in the median
    network)."""
    found = data.analysis("pca", "share", "conditions")
    top = dict(zip(found["conditions"].tolist(), found["share"][..., :3].sum(-1).T, strict=True))
    share = top["noiseless, all steps"]
    text = ", ".join(f"{name} {span(100 * shares, 0)} %" for name, shares in top.items())
    return text, judge(share.min() >= 0.75, np.median(share) >= 0.75)


@claim("S5")
def free_reaction_time(data: Data, test: str) -> Found:
    """Networks with free reaction time generalise as those with fixed.
    Median OOD r2 at N_task 24 at least the fixed ones' - 0.02."""
    free, fixed = data.r2(24, test, task=FREE), data.r2(24, test)
    level = judge(np.median(free) >= np.median(fixed) - 0.02)
    return f"free {span(free)}, fixed {span(fixed)}", level


@claim("S4")
def nonlinear(data: Data, test: str) -> Found:
    """Non-linear boundaries lead to representations that generalise too.
    Median OOD r2 at least 0.8 (partly: above 0.75, which the signs of the factors alone give; signs
    and |x1 x2|, all that the labels tell, give 0.86)."""
    ood, inside = (data.r2(24, m, task="MultiplyClassificationFull") for m in (test, "ID"))
    text = f"OOD {span(ood)}, ID {span(inside)}"
    return text, judge(np.median(ood) >= 0.8, np.median(ood) > 0.75)


@claim("Context")
def context_collapses(data: Data, test: str) -> Found:
    """Trained one cued task at a time, representations collapse.
    OOD r2 is lower than that of networks that do two tasks at once, p < 0.01 (partly: p < 0.05)."""
    cued, both = data.r2(1, test, task="ContextDependent"), data.r2(2, test)
    return greater(both, cued, f"cued {span(cued)}, both at once {span(both)}, {{}}")


@claim("Noise")
def other_noise(data: Data, test: str) -> Found:
    """It holds for Gumbel, anisotropic and AR(1) noise.
    Median OOD r2 at most 0.05 below the ID r2 of the same networks and below the best linear
    unbiased observer, for each (partly: for some)."""
    found, gumbel_sd = [], theory.SIGMA * np.pi / np.sqrt(6)
    for kind, network, ceiling in (
        ("Gumbel", {"dist": "gumbel"}, theory.r2_mean(T, gumbel_sd)),
        ("Anisot", {"task": settings.ANISOT}, theory.r2_anisotropic()),
        ("Autocorr", {"task": settings.AUTOCORR}, theory.r2_autocorrelated()),
    ):
        ood, inside = (data.r2(24, m, **network) for m in (test, "ID"))
        words = f"{kind}: OOD {span(ood)}, ID {middle(inside)}, observer {ceiling:.3f}"
        found.append((words, judge(np.median(ood) >= max(np.median(inside), ceiling) - 0.05)))
    return joint(found)


@claim("Noise")
def noise_after_encoder(data: Data, test: str) -> Found:
    """It holds for noise after the encoder.
    Median OOD r2 at most 0.05 below the ID r2 of the same networks."""
    ood, inside = (data.r2(24, m, noise_enc=True) for m in (test, "ID"))
    return f"OOD {span(ood)}, ID {span(inside)}", judge(np.median(ood) >= np.median(inside) - 0.05)


@claim("3bc", is_check=True)
def abstract(data: Data) -> Found:
    """Representations are abstract by CCGP and parallelism score too (not in the paper).
    At N_task 24 both lie above the 95 % quantile of the geometric null, for every factor, network
    and architecture (partly: for their medians, or for some)."""
    found = []
    for name, network in ARCHITECTURES.items():
        each = []
        for measure in ("ccgp", "parallelism"):
            values, null = (
                data.medians("value", m, ["run", "factor"], **network).unstack()  # (net, factor)
                for m in (measure, f"{measure}_chance_95")
            )
            above, partly = (values > null).to_numpy(), (values.median() > null.median()).all()
            words = f"{measure} {span(values.mean(axis=1))}, null {middle(null)}, above it in "
            each.append((f"{words}{above.sum()} of {above.size}", judge(above.all(), partly)))
        found.append(joint(each, "; ", f"{name}: {{}}"))
    return joint(found, ". ")
