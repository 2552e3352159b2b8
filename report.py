"""Write REPORT.md from Data/: every claim of the paper, what was measured here, and a verdict.

    python report.py                                             Data/ -> REPORT.md
    python report.py --data sweep/Data --out sweep/REPORT.md     from a sweep's own folder
    python report.py --check                                     is REPORT.md what Data/ gives?

A verdict follows from the claim's rule, which is printed with it; none is typed by hand. `CLAIMS`
is the table of them: each is a function of the data, and its docstring is the claim (first line)
and the rule, as printed. The unit is the network: its statistic is the median over splits and fits,
and comparisons are tests over networks.
"""

import ctrl_c  # noqa: F401

# isort: split
import functools
import inspect
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

import analyze
import paper
import util
from util import UserError

ROOT = Path(__file__).resolve().parent


@dataclass
class Config:
    """Settings."""

    data: Path = ROOT / "Data"  # folder with the results; Figures/ and Networks/ are beside it
    out: Path = ROOT / "REPORT.md"  # file to write
    check: bool = False  # compare only


HOLDS, WEAKLY, FAILS = 2, 1, 0  # what a rule finds
VERDICTS = {HOLDS: "reproduced", WEAKLY: "partly", FAILS: "not reproduced"}
NOT_RUN = "not run yet"
ONLY_RELEASED = "partly, as released only"
TESTS = {"as_released": "as released", "quadrant": "quadrant really held out"}  # SPEC 5
ENDS = {"ID": "_ID", "as_released": "", "quadrant": "_quadrant", "held_out": ""}  # held_out: D > 2
N_NET = 5  # networks per condition; the smallest p of 5 against 5 is 0.004
SURE, LIKELY = 0.01, 0.05  # p below which a test holds, and holds weakly
FEW, MANY = (2, 3), 24  # N_task
HIGH = 0.95  # r2, 0.03 below the optimal observer's
SIGMA, T = 0.2, 20  # of the paper's standard trial

RNN = "Fig3a/r_sq_RNN_CELoss"
QUAD = "FigS1/r_sq_Quad_CELoss"
GPT = "Fig3b,c/r_sq_gpt-2_CELoss"
ARCHITECTURES = {
    "RNN": RNN,
    "non-leaky RNN": "Fig3b,c/r_sq_NoLeak_CELoss",
    "LSTM": "Fig3b,c/r_sq_LSTM_CELoss",
    "GPT": GPT,
}
NOISES = {0.1: "Fig5c/r_sq_Noise1", 0.2: RNN, 0.3: "Fig5c/r_sq_Noise3", 0.4: "Fig5c/r_sq_Noise4"}
SHEET, BOTTOM = 0, 1  # stages of analyze.py


class NotRun(Exception):
    """What a claim needs has not been measured."""


# ------------------------------------------------------------------ reading Data/


class Data:
    """The results below a folder, each file read once."""

    def __init__(self, folder):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
        self.folder, self.files = folder, {}

    def load(self, file, *needs):
        """Arrays of a file; NotRun if it is not there, UserError if it is broken."""
        if not (self.folder / file).exists():
            raise NotRun(f"{file} is not there")
        if file not in self.files:
            self.files[file] = util.load_npz(self.folder / file)
        for name in needs:
            if name not in self.files[file]:
                raise UserError(f"{self.folder / file}: has no {name}")
        return self.files[file]

    def rows(self, file, name, n_task, n_dim=None):
        """An array at one N_task, (run, ...), without the runs that are not there."""
        found = self.load(file, name, "n_tasks")
        values, n_tasks = found[name], found["n_tasks"].tolist()
        if len(values) != len(n_tasks) or (n_dim and values.ndim != n_dim):
            raise UserError(f"{self.folder / file}: {name} has the shape {values.shape}")
        if n_task not in n_tasks:
            raise NotRun(f"{file} has no N_task = {n_task}")
        values = values[n_tasks.index(n_task)]
        values = values[~np.isnan(values).reshape(len(values), -1).all(1)]
        return enough(values, f"{file}, N_task = {n_task}")

    def r_sq(self, name, n_task, measure):
        """r2 of each network, (net,): its median over splits and fits."""
        rows = self.rows(f"{name}{ENDS[measure]}.npz", "r_sq", n_task, 4)
        return np.nanmedian(rows, (1, 2))

    def gap(self, name, n_task, measure):
        """ID - OOD of each network, (net,)."""
        inside, outside = (self.r_sq(name, n_task, m) for m in ("ID", measure))
        if len(inside) != len(outside):
            raise UserError(f"{self.folder / name}: ID and {measure} have different networks")
        return inside - outside

    def analysis(self, name, *needs):
        """Arrays of analyze.py for the RNNs of N_task = 24, networks first."""
        found = self.load(f"Analysis/RNN_nTask24/{name}.npz", *needs)
        enough(found[needs[0]], f"Analysis/RNN_nTask24/{name}.npz")
        return found


def enough(values, where):
    """The values, one row per network; NotRun if there are fewer than N_NET."""
    if len(values) < N_NET:
        raise NotRun(f"{where}: {len(values)} of {N_NET} networks")
    return values


# ------------------------------------------------------------------ tests and words


def greater(high, low):
    """p of the one-sided exact Mann-Whitney test that `high` lies above `low`."""
    return stats.mannwhitneyu(high, low, alternative="greater", method="exact").pvalue


def trend(groups):
    """rho and one-sided p of Spearman's test that values rise from group to group of networks.

    Args:
        groups: dict number -> (net,).
    """
    x = np.concatenate([np.full(len(values), number) for number, values in groups.items()])
    y = np.concatenate(list(groups.values()))
    found = stats.spearmanr(x, y, alternative="greater")
    return np.nan_to_num(found.statistic), np.nan_to_num(found.pvalue, nan=1.0)


def strength(p):
    """What a test finds."""
    return HOLDS if p < SURE else WEAKLY if p < LIKELY else FAILS


def joint(levels):
    """What several find together: all of them hold, some do at least weakly, none does."""
    levels = list(levels)
    return HOLDS if min(levels) == HOLDS else WEAKLY if max(levels) > FAILS else FAILS


def if_(true, level=HOLDS):
    """What a threshold finds."""
    return level if true else FAILS


def median(values, axis):
    """Median over an axis of what is not NaN; NaN of nothing."""
    return np.ma.median(np.ma.masked_invalid(values), axis=axis).astype(float).filled(np.nan)


def middle(values):
    """The median as text."""
    return text_of(np.median(values))


def text_of(value, digits=3):
    """A number as text, never -0."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def span(values, digits=3):
    """'median (lowest to highest)' over networks, '-' of nothing."""
    values = values[np.isfinite(values)]
    if not len(values):
        return "-"
    mid, *ends = (text_of(f(values), digits) for f in (np.median, np.min, np.max))
    return f"{mid} ({' to '.join(ends)})"


def p_text(p):
    """'p = 0.004', 'p < 0.001'."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


@functools.cache
def optimum(t, sigma):
    """r2 of the posterior mean after t samples of noise sigma, x* uniform (SPEC 6)."""
    n, s = 2000, sigma / np.sqrt(t)
    x = (np.arange(n) + 0.5) / n - 0.5
    seen = np.linspace(-0.5 - 6 * s, 0.5 + 6 * s, n)
    weight = np.exp(-0.5 * ((seen[:, None] - x) / s) ** 2)
    mass = weight.sum(1)
    mean = weight @ x / mass
    return float(12 * (mass * mean**2).sum() / mass.sum())


def under_both(judge):
    """A rule for each test: judge(data, test) -> (text, level); both must hold (SPEC 5).

    What fails with the quadrant really held out, where conclusions are drawn, is marked so.
    """

    @functools.wraps(judge)
    def rule(data):
        found = {name: judge(data, test) for test, name in TESTS.items()}
        text = "\n".join(f"- {name}: {text}." for name, (text, _) in found.items())
        released, held_out = (found[TESTS[test]][1] for test in ("as_released", "quadrant"))
        if held_out == FAILS < released:
            return text, ONLY_RELEASED
        return text, VERDICTS[joint((released, held_out))]

    return rule


def once(judge):
    """A rule without such tests: judge(data) -> (text, level)."""

    @functools.wraps(judge)
    def rule(data):
        text, level = judge(data)
        return f"- {text}.", VERDICTS[level]

    return rule


# ------------------------------------------------------------------ rules


@under_both
def ood_rises(data, test):
    """OOD r2 rises with N_task.

    Spearman's test over the 25 networks, p < 0.01 (partly: p < 0.05).
    """
    groups = {n: data.r_sq(RNN, n, test) for n in paper.N_TASKS}
    rho, p = trend(groups)
    medians = ", ".join(f"{n}: {middle(values)}" for n, values in groups.items())
    return f"rho = {rho:.2f}, {p_text(p)}; medians at N_task {medians}", strength(p)


@under_both
def gap_closes(data, test):
    """The gap ID - OOD shrinks from N_task 2 to 24 and closes.

    The gap is smaller at 24, p < 0.01, and its median there at most 0.02 (partly: it shrinks, p <
    0.05).
    """
    first, last = (data.gap(RNN, n, test) for n in (2, MANY))
    p = greater(first, last)
    level = strength(p)
    if level == HOLDS and np.median(last) > 0.02:
        level = WEAKLY
    return f"gap {span(first)} at N_task 2, {span(last)} at {MANY}, {p_text(p)}", level


@under_both
def gap_at_few(data, test):
    """At few tasks generalisation is clearly worse out of distribution.

    Median gap ID - OOD above 0.05 at N_task 2 and 3 (partly: at one of them).
    """
    gaps = {n: data.gap(RNN, n, test) for n in FEW}
    text = ", ".join(f"{span(values)} at N_task {n}" for n, values in gaps.items())
    return f"gap {text}", joint(if_(np.median(values) > 0.05) for values in gaps.values())


@under_both
def ood_is_high(data, test):
    """At N_task 24 generalisation is near the optimum.

    Median OOD r2 at least 0.95; the optimal observer of 20 samples reaches 0.978.
    """
    values = data.r_sq(RNN, MANY, test)
    return f"{span(values)}", if_(np.median(values) >= HIGH)


def nothing_beats_the_optimum(data):
    """Nothing beats the optimal observer (a check of the measurement).

    In every file with white Gaussian noise, no median r2, ID or OOD, exceeds that of the posterior
    mean for its sigma and number of samples by more than 0.007.
    """
    margins = {}
    for path in sorted(data.folder.glob("*/r_sq*.npz")):
        file = path.relative_to(data.folder).as_posix()
        found = data.load(file, "r_sq")
        if not {"t", "sigma"} <= set(found) or np.isnan(found["sigma"]):
            continue
        r_sq, t = found["r_sq"], np.atleast_1d(found["t"])
        if len(t) not in (1, len(r_sq)):
            raise UserError(f"{path}: t has the shape {t.shape}, r_sq {r_sq.shape}")
        for samples, values in zip(np.broadcast_to(t, len(r_sq)), r_sq, strict=True):
            if samples > 0 and not np.isnan(values).all():
                bound = optimum(int(samples), float(found["sigma"]))
                excess = float(np.nanmedian(values)) - bound
                margins[file] = max(excess, margins.get(file, -np.inf))
    if not margins:
        raise NotRun("no r_sq*.npz with t and sigma is there")
    file = max(margins, key=margins.get)
    text = f"{len(margins)} files; the largest median minus the optimum is {margins[file]:+.3f}"
    return f"- {text} ({file}).", VERDICTS[if_(margins[file] <= 0.007)]


@under_both
def every_architecture(data, test):
    """It holds for every architecture.

    Median OOD r2 at N_task 24 at least 0.95 for RNN, non-leaky RNN, LSTM and GPT (partly: for two
    or three).
    """
    found = {name: data.r_sq(file, MANY, test) for name, file in ARCHITECTURES.items()}
    n_high = sum(np.median(values) >= HIGH for values in found.values())
    level = HOLDS if n_high == len(found) else WEAKLY if n_high >= 2 else FAILS
    return ", ".join(f"{name} {span(values)}" for name, values in found.items()), level


@under_both
def gpt_is_better(data, test):
    """At few tasks GPT generalises better than the RNN.

    OOD r2 is higher at N_task 2 and at 3, p < 0.01 each (partly: at one, or p < 0.05).
    """
    texts, levels = [], []
    for n in FEW:
        gpt, rnn = (data.r_sq(file, n, test) for file in (GPT, RNN))
        p = greater(gpt, rnn)
        texts.append(f"N_task {n}: GPT {span(gpt)}, RNN {span(rnn)}, {p_text(p)}")
        levels.append(strength(p))
    return "; ".join(texts), joint(levels)


@once
def orthogonal(data):
    """Decoders of the two factors are orthogonal.

    Median angle at N_task 24 within 90 +- 10 degrees for every architecture (partly: for some);
    unrelated directions among 64 units are also at 90 +- 7, so this is necessary only.
    """
    texts, levels = [], []
    for name, file in ARCHITECTURES.items():
        angles = data.rows(f"{file.replace('r_sq', 'decoders')}.npz", "angles", MANY)
        angles = np.nanmedian(angles, tuple(range(1, angles.ndim)))
        texts.append(f"{name} {span(angles, 0)}")
        levels.append(if_(abs(np.median(angles) - 90) <= 10))
    return f"{', '.join(texts)} degrees", joint(levels)


@once
def n_task_needs_dimensions(data):
    """N_task >= D is what it takes.

    For RNN and GPT and D = 4, 6, 8, 10: OOD r2 of networks with N_task >= D above those with fewer
    tasks, and rising with N_task at the largest D (Spearman), p < 0.01 each (partly: some); with
    N_task < D the outputs determine N_task of D directions only. Whether N_task = D is enough is
    not part of the rule.
    """
    texts, levels = [], []
    for name, folder, end in (("RNN", "RNN", "RNN"), ("GPT", "GPT", "gpt-2")):
        words, of_dim = [], {}
        for d in paper.DIMS:
            file = f"Fig5b,S12 {folder}/r_sq_nDim{d}_{end}"
            cells = of_dim[d] = {n: data.r_sq(file, n, "held_out") for n in paper.N_TASKS_DIM}
            enough_tasks, fewer = (
                np.concatenate([v for n, v in cells.items() if (n >= d) == wanted])
                for wanted in (True, False)
            )
            p = greater(enough_tasks, fewer)
            words.append(f"D = {d} {middle(enough_tasks)} against {middle(fewer)}, {p_text(p)}")
            levels.append(strength(p))
        most = max(of_dim)
        rho, p = trend(of_dim[most])
        texts.append(f"{name}: {'; '.join(words)}; at D = {most} rho = {rho:.2f}, {p_text(p)}")
        levels.append(strength(p))
    return ". ".join(texts), joint(levels)


@under_both
def noise_helps(data, test):
    """Noise in training helps.

    At N_task 3 and at 6, the mean of each run over sigma 0.2, 0.3, 0.4 against the runs at 0.1: OOD
    r2 in units of the optimal observer's at that sigma is higher, and the gap ID - OOD smaller, p <
    0.01 each (partly: both at one N_task, or p < 0.05).
    """
    texts, levels = [], []
    for n in (3, 6):
        share = {s: data.r_sq(f, n, test) / optimum(T, s) for s, f in NOISES.items()}
        gap = {s: data.gap(file, n, test) for s, file in NOISES.items()}
        quiet, *noisy = NOISES
        p_share = greater(np.mean([share[s] for s in noisy], 0), share[quiet])
        p_gap = greater(gap[quiet], np.mean([gap[s] for s in noisy], 0))
        words = ", ".join(f"{s:g}: {middle(share[s])} and {middle(gap[s])}" for s in NOISES)
        texts.append(f"N_task {n}: r2 / optimum and gap at sigma {words}")
        texts[-1] += f" ({p_text(p_share)} and {p_text(p_gap)})"
        levels.append(min(strength(p_share), strength(p_gap)))
    return "; ".join(texts), joint(levels)


@under_both
def durations(data, test):
    """OOD r2 follows 1 - 0.48 / (t + 1) in trial duration t, beyond the 20 steps of training too.

    Free reaction time, N_task 24: the median is within 0.05 of it at every duration up to 20 steps,
    and at every longer one (partly: one of these).
    """
    file = f"Fig5a/r_sq_Bound{ENDS[test]}.npz"
    found = data.load(file, "r_sq", "timing")
    steps = found["timing"] / 100  # ms, dt = 100
    if found["r_sq"].shape[0] != len(steps) or found["r_sq"].ndim != 4:
        raise UserError(f"{data.folder / file}: r_sq has the shape {found['r_sq'].shape}")
    nets = enough(np.nanmedian(found["r_sq"], (2, 3)).T, file)  # (net, duration)
    missed = np.abs(np.median(nets, 0) - (1 - 0.48 / (steps + 1)))
    texts, levels = [], []
    for which, name in ((steps <= T, f"up to {T} steps"), (steps > T, "beyond")):
        if not which.any():
            raise NotRun(f"{file} has no durations {name}")
        at = steps[which][missed[which].argmax()]
        texts.append(f"{missed[which].max():.3f} {name} (at {at:g})")
        levels.append(if_(missed[which].max() <= 0.05))
    return f"largest deviation {', '.join(texts)}", joint(levels)


@under_both
def correlated(data, test):
    """Generalisation survives strongly correlated factors, and fails at correlation 1.

    Median OOD r2 at correlation 0.4 and 0.8 at most 0.05 below that at 0; at 1 by more than 0.05, p
    < 0.01 (partly: at 0.4 only, or no failure at 1).
    """
    files = {0: RNN, **{c: f"FigS3b/r_sq_Corr{c:g}" for c in (0.4, 0.8, 1)}}
    found = {corr: data.r_sq(file, MANY, test) for corr, file in files.items()}
    lost = {corr: np.median(found[0]) - np.median(values) for corr, values in found.items()}
    fails_at_1 = lost[1] > 0.05 and greater(found[0], found[1]) < SURE
    up_to_strong = lost[0.4] <= 0.05 and lost[0.8] <= 0.05
    level = HOLDS if up_to_strong and fails_at_1 else WEAKLY if lost[0.4] <= 0.05 else FAILS
    return ", ".join(f"corr {corr:g}: {span(values)}" for corr, values in found.items()), level


@under_both
def quadratic_encoder(data, test):
    """A quadratic encoder changes nothing.

    Median OOD r2 at N_task 24 within 0.02 of the ReLU encoder's.
    """
    relu, quad = (data.r_sq(file, MANY, test) for file in (RNN, QUAD))
    difference = np.median(quad) - np.median(relu)
    text = f"ReLU {span(relu)}, quadratic {span(quad)}, difference {difference:+.3f}"
    return text, if_(abs(difference) <= 0.02)


def sparse(data, files):
    """Are representations sparse, by the rule of `sparse_by_architecture`? Text, level."""
    texts, levels = [], []
    for name, (file, n_task) in files.items():
        every, dead = (data.rows(file, key, n_task, 2) for key in ("sparsity", "dead"))
        alive = 100 * (every - dead) / (100 - dead)  # dead units count as 100 %
        texts.append(
            f"{name}: {span(every, 0)} %, that of responding units alone {span(alive, 0)} %"
        )
        levels.append(if_(min(alive) >= 50) or if_(min(every) >= 50, WEAKLY))
    return "; ".join(texts), joint(levels)


@once
def sparse_by_architecture(data):
    """Representations of ReLU units are sparse.

    At N_task 24 the lifetime sparseness of units that respond is at least 50 % in each RNN, leaky
    and not (partly: one of both, or only with dead units counted as 100 %).
    """
    names = {"RNN": "RNN", "non-leaky RNN": "NoLeak"}
    return sparse(data, {k: (f"FigS6/arc/sparsity_{v}.npz", 24) for k, v in names.items()})


@once
def sparse_by_dimension(data):
    """They are sparse at every D.

    The same for RNNs of N_task 12 and D = 2, 4, 6, 8, 10 (partly: for some).
    """
    file = "FigS6/HighDim/sparsity_nDim{}_RNN.npz".format
    return sparse(data, {f"D = {d}": (file(d), 12) for d in (2, *paper.DIMS)})


@once
def attractor(data):
    """Fixed points form a two-dimensional continuous attractor that covers the square.

    Where the search ends: half of the points fixed to the last digit, median local dimension 1.5
    to 2.5, points in at least 80 % of the cells that as many random points would hit. Partly: slow
    points with that local dimension, whatever they cover.
    """
    sheet = data.analysis(
        "sheet", "kept", "kind", "dimension", "cells", "decoded", "jitters_decoded", "jitters_kept"
    )
    flat = median(np.where(sheet["kept"], sheet["dimension"], np.nan), -1)
    fixed = ((sheet["kind"] == 0) & sheet["kept"]).sum(-1) / sheet["kept"].sum(-1).clip(1)
    main, every = coverage(sheet, False), coverage(sheet, True)
    is_flat = [1.5 <= median(flat, 0)[stage] <= 2.5 for stage in (SHEET, BOTTOM)]
    is_fixed = np.median(fixed[:, BOTTOM]) >= 0.5 and np.median(main[:, BOTTOM]) >= 0.8
    dimension, covered, alone = (span(v[:, SHEET], 2) for v in (flat, every, main))
    ends = f"coverage {span(main[:, BOTTOM], 2)}, share fixed {span(fixed[:, BOTTOM], 2)}"
    n_start = sheet["kept"].shape[-1]
    text = (
        f"slow points: local dimension {dimension}, cells hit relative to as many random points, "
        f"'coverage', {alone} ({n_start} starts; with those of other jitters {covered}); where the "
        f"search ends: {ends}"
    )
    return text, HOLDS if is_flat[BOTTOM] and is_fixed else if_(is_flat[SHEET], WEAKLY)


def coverage(sheet, with_repetitions):
    """Cells hit by kept points, relative to as many at random over the square; (net, stage)."""
    decoded, kept = sheet["decoded"], sheet["kept"]
    if with_repetitions:
        again, kept_again = sheet["jitters_decoded"], sheet["jitters_kept"]
        decoded = np.concatenate([decoded, again.reshape(*again.shape[:2], -1, again.shape[-1])], 2)
        kept = np.concatenate([kept, kept_again.reshape(*kept.shape[:2], -1)], 2)
    n = sheet["cells"].shape[-1]
    hit = (analyze.count_cells(decoded, kept, n) > 0).mean((-2, -1))
    return hit / analyze.covered_at_most(kept.sum(-1).clip(1), n)


@once
def eigenvalues(data):
    """At its slow points two eigenvalues lie near the unit circle, the others inside.

    Of a network's slow points at least three quarters have sizes 0.9 to 1.1 of the first two and
    below 0.9 of the third, in each of the networks (partly: for the medians of each, first two 0.95
    to 1.05 and third below 0.8).
    """
    found = data.analysis("spectrum", "eigenvalues", "kept")
    kept, sizes = found["kept"][:, SHEET], np.abs(found["eigenvalues"][:, SHEET, :, :3])
    near = ((sizes > 0.9) & (sizes < 1.1))[..., :2].all(-1) & (sizes[..., 2] < 0.9)
    share = (near & kept).sum(1) / kept.sum(1).clip(1)
    unstable = ((sizes[..., 0] > 1) & kept).sum(1) / kept.sum(1).clip(1)
    middles = median(np.where(kept[..., None], sizes, np.nan), 1)  # (net, 3)
    is_near = (abs(middles[:, :2] - 1) < 0.05).all(1) & (middles[:, 2] < 0.8)
    level = HOLDS if (share >= 0.75).all() else if_(is_near.all(), WEAKLY)
    medians = ", ".join(span(size) for size in middles.T)
    text = f"so at {span(100 * share, 0)} % of the points; medians of the first three {medians}; "
    return text + f"with an eigenvalue above 1 {span(100 * unstable, 0)} % of the points", level


@once
def three_components(data):
    """The top 3 principal components hold most of the variance (paper: about 85 %).

    At least 75 % over all steps of noiseless trials in each of the networks (partly: in the median
    network).
    """
    found = data.analysis("pca", "share", "conditions")
    top = found["share"][:, :, :3].sum(-1)  # (net, condition)
    names = found["conditions"].tolist()
    text = ", ".join(f"{name} {span(100 * top[:, i], 0)} %" for i, name in enumerate(names))
    share = top[:, names.index("noiseless, all steps")]
    return text, HOLDS if share.min() >= 0.75 else if_(np.median(share) >= 0.75, WEAKLY)


@under_both
def free_reaction_time(data, test):
    """Networks with free reaction time generalise as those with fixed.

    Median OOD r2 at N_task 24 at least the fixed ones' - 0.02.
    """
    free, fixed = (data.r_sq(file, MANY, test) for file in ("FigS5c/r_sq_Bound", RNN))
    level = if_(np.median(free) >= np.median(fixed) - 0.02)
    return f"free {span(free)}, fixed {span(fixed)}", level


@under_both
def nonlinear(data, test):
    """Non-linear boundaries lead to representations that generalise too.

    Median OOD r2 at least 0.8 (partly: above 0.75, which the signs of the factors alone give; signs
    and |x1 x2|, all that the labels tell, give 0.86).
    """
    ood, inside = (data.r_sq("FigS4/r_sq_Multiply", MANY, m) for m in (test, "ID"))
    level = HOLDS if np.median(ood) >= 0.8 else if_(np.median(ood) > 0.75, WEAKLY)
    return f"OOD {span(ood)}, ID {span(inside)}", level


@under_both
def context_collapses(data, test):
    """Trained one cued task at a time, representations collapse.

    OOD r2 is lower than that of networks that do two tasks at once, p < 0.01 (partly: p < 0.05).
    """
    cued, both = data.r_sq("Context/r_sq_Context", 1, test), data.r_sq(RNN, 2, test)
    p = greater(both, cued)
    return f"cued {span(cued)}, both at once {span(both)}, {p_text(p)}", strength(p)


MEAN_OF_SAMPLES = {  # r2 of the best linear unbiased observer of t = 20 samples, by kind of noise
    "Gumbel": 1 - 12 * np.pi**2 / 6 * SIGMA**2 / T,
    "Anisot": util.r_sq_anisotropic(T, SIGMA),
    "Autocorr": util.r_sq_ar1(T, SIGMA),
}


@under_both
def other_noise(data, test):
    """It holds for Gumbel, anisotropic and AR(1) noise.

    Median OOD r2 at most 0.05 below the ID r2 of the same networks and below the best linear
    unbiased observer, for each (partly: for some).
    """
    texts, levels = [], []
    for kind, ceiling in MEAN_OF_SAMPLES.items():
        ood, inside = (data.r_sq(f"Noise/r_sq_{kind}", MANY, m) for m in (test, "ID"))
        texts.append(f"{kind}: OOD {span(ood)}, ID {middle(inside)}, observer {ceiling:.3f}")
        levels.append(if_(np.median(ood) >= max(np.median(inside), ceiling) - 0.05))
    return "; ".join(texts), joint(levels)


@under_both
def noise_after_encoder(data, test):
    """It holds for noise after the encoder.

    Median OOD r2 at most 0.05 below the ID r2 of the same networks.
    """
    ood, inside = (data.r_sq("Noise/r_sq_NoiseEnc", MANY, m) for m in (test, "ID"))
    level = if_(np.median(ood) >= np.median(inside) - 0.05)
    return f"OOD {span(ood)}, ID {span(inside)}", level


@once
def abstract(data):
    """Representations are abstract by CCGP and parallelism score too (not in the paper).

    At N_task 24 both lie above the 95 % quantile of the geometric null, for every factor, network
    and architecture (partly: for their medians, or for some).
    """
    texts, levels = [], []
    for name, stem in ARCHITECTURES.items():
        file, words = f"{stem}.npz", []
        for measure in ("ccgp", "parallelism"):
            if measure not in data.load(file):
                raise NotRun(f"{file} has no {measure}")
            values = np.nanmedian(data.rows(file, measure, MANY, 4), 1)  # (net, factor)
            null = data.rows(file, f"{measure}_chance", MANY, 4)[..., 2]  # its 95 % quantile
            middle_above = (np.median(values, 0) > np.median(null, 0)).all()
            levels.append(HOLDS if (values > null).all() else if_(middle_above, WEAKLY))
            above = f"above it in {(values > null).sum()} of {values.size}"
            words.append(f"{measure} {span(values.mean(1))}, null {middle(null)}, {above}")
        texts.append(f"{name}: {'; '.join(words)}")
    return ". ".join(texts), joint(levels)


# ------------------------------------------------------------------ the claims


CLAIMS = (  # figure, a key of `paper.FIGURES`; rule: its docstring is claim and rule as printed
    ("3a", ood_rises),
    ("3a", gap_closes),
    ("3a", gap_at_few),
    ("3a", ood_is_high),
    ("3a", nothing_beats_the_optimum),
    ("3bc", every_architecture),
    ("3bc", gpt_is_better),
    ("3bc", orthogonal),
    ("5b", n_task_needs_dimensions),
    ("5c", noise_helps),
    ("5a", durations),
    ("S3b", correlated),
    ("S1", quadratic_encoder),
    ("S6a", sparse_by_architecture),
    ("S6b", sparse_by_dimension),
    ("2", attractor),
    ("S2", eigenvalues),
    ("2", three_components),
    ("S5", free_reaction_time),
    ("S4", nonlinear),
    ("Context", context_collapses),
    ("Noise", other_noise),
    ("Noise", noise_after_encoder),
    ("3bc", abstract),
)

CHECKS = (nothing_beats_the_optimum, abstract)  # ours; they do not count as claims of the paper
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


def judged(data):
    """(figure, claim, rule, measured, verdict) of all claims."""
    rows = []
    for figure, rule in CLAIMS:
        claim, text = inspect.getdoc(rule).split("\n\n")
        try:
            measured, verdict = rule(data)
        except NotRun as reason:
            measured = f"- {reason}; `python sweep.py {figure}` makes what is needed."
            verdict = NOT_RUN
        rows.append((figure, claim, " ".join(text.split()), measured, verdict))
    return rows


def summary_of(rows):
    """How many of the paper's claims have which verdict."""
    of_paper = [row for row, (_, rule) in zip(rows, CLAIMS, strict=True) if rule not in CHECKS]
    every = (*VERDICTS.values(), ONLY_RELEASED, NOT_RUN)
    counts = {v: sum(row[-1] == v for row in of_paper) for v in every}
    words = f"Of {len(of_paper)} claims of the paper {counts.pop('reproduced')} are reproduced; "
    return words + "; ".join(f"{n} {verdict}" for verdict, n in counts.items()) + "."


def picture(config, figure):
    """Where a figure's picture lies, seen from the report; None where there is none."""
    script = paper.FIGURES[figure].script or f"Fig{figure}"
    path = config.data.resolve().parent / "Figures" / f"{script}.png"
    if not path.exists():
        return None
    link = Path(os.path.relpath(path, config.out.resolve().parent)).as_posix()
    return link.replace(" ", "%20")


def files_there(data, figure):
    """Files below Data/ of what is measured for a figure, one for each that is there."""
    files = [
        p.file if p.file.endswith(".npz") else f"{p.file}/{p.options['keep'][0]}.npz"
        for p in figure.products
    ]
    return [file for file in files if (data.folder / file).exists()]


def is_complete(data, figure):
    """Is all that a figure is drawn from there?"""
    return len(files_there(data, figure)) == len(figure.products)


def verdicts(rows, config):
    """Table of the claims, with links to their pictures."""
    lines = []
    for i, (figure, claim, _, _, verdict) in enumerate(rows, start=1):
        link = picture(config, figure)
        lines.append([i, claim, f"[{figure}]({link})" if link else figure, verdict])
    return util.table(["", "claim", "figure", "verdict"], lines)


def sources(data):
    """What each figure was made from: table of results there, networks, decoder seeds, machines."""
    header = ["figure", "shows", "results", "networks", "decoder seeds", "measured on"]
    rows = []
    for name, figure in paper.FIGURES.items():
        networks, seeds, machines = set(), set(), set()
        there = files_there(data, figure)
        for file in there:
            found = data.load(file)
            try:
                config = json.loads(str(found.get("config", "{}")))
            except ValueError:
                raise UserError(f"{data.folder / file}: its config is not JSON") from None
            networks |= set(np.atleast_1d(found.get("networks", config.get("networks", []))))
            seeds |= {str(config["seed"])} if "seed" in config else set()
            machines |= {str(found["machine"])} if "machine" in found else set()
        words = (len(networks), *("; ".join(sorted(s)) for s in (seeds, machines)))
        shown = [word or "-" for word in words]
        rows.append([name, figure.shows, f"{len(there)} of {len(figure.products)}", *shown])
    return util.table(header, rows)


LOG_HEAD = {"networks", "machine", "config"}


def logs_of(folders):
    """First and last line of every finished training's log in these folders, as dicts."""
    for path in sorted(path for f in folders for path in f.glob("ensemble_*[0-9a-f].jsonl")):
        try:
            lines = path.read_text().splitlines()
            head, last = json.loads(lines[0]), json.loads(lines[-1])
            if last.get("batch") != head["config"]["n_batch"]:
                continue  # under way
            if not (head.keys() >= LOG_HEAD and "seconds" in last):
                raise KeyError("networks, machine or seconds")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise UserError(f"{path}: not a log of train.py ({error!r})") from None
        yield head, last


def trainings(data):
    """Sentences about finished trainings, from the logs beside the networks."""
    folder = data.folder.resolve().parent / "Networks"
    n_log, seconds, names, seeds, machines = 0, 0.0, set(), set(), set()
    for head, last in logs_of(sorted(folder.glob("*"))):
        n_log, seconds = n_log + 1, seconds + last["seconds"]
        names |= set(head["networks"])
        seeds.add(str(head["config"]["seed"]))
        machines.add(head["machine"])
    if not n_log:
        return "No logs of finished trainings are there."
    return (
        f"Logs of finished trainings: {n_log}. Networks: {len(names)}, their seed "
        f"{', '.join(sorted(seeds))}, {seconds / 3600:.1f} hours in all, several side by "
        f"side, on {'; '.join(sorted(machines))}."
    )


def write(config):
    """The report as text."""
    data = Data(config.data)
    rows = judged(data)
    details, shown = [], set()
    for i, (figure, claim, rule, measured, verdict) in enumerate(rows, start=1):
        link = picture(config, figure)
        details.append(f"**{i}. {claim}** *{verdict}*.\n\nRule: {rule}\n\n{measured}")
        if link and link not in shown:  # several claims may share a picture
            details.append(f"![Figure {figure}]({link})")
            shown.add(link)
    parts = [
        INTRO.format(summary=summary_of(rows), data=config.data.name),
        "## Verdicts",
        verdicts(rows, config),
        "## Rules and measurements",
        *details,
        "## Where the numbers come from",
        trainings(data),
        sources(data),
    ]
    return "\n\n".join(parts) + "\n"


def main(config):
    """Write or compare the report."""
    text = write(config)
    if config.check:
        if not config.out.is_file() or config.out.read_text() != text:
            raise UserError(
                f"{config.out}: is not what {config.data} and the logs in Networks give; run "
                "python report.py"
            )
        print(f"{config.out} is what {config.data} gives")
    else:
        util.write_atomic(config.out, text.encode())
        print(config.out)


if __name__ == "__main__":
    util.run_script(main, Config)
