"""One number per network, its median over networks, and how sure that is.

Figures, README.md and REPORT.md all summarise in this way: a network's number is the median over
the splits and fits of its decoders; networks are drawn anew with replacement, N_DRAW times, and the
interval holds 95 % of what the statistic then is. With five networks the interval of a median
reaches from the lowest to the highest: the median of all such networks lies there 15 times in 16.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

N_DRAW, LEVEL = 10_000, 0.95


class Estimate(NamedTuple):
    """A statistic over networks, and its interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 3, sign: str = "") -> str:
        """'0.890 [0.879, 0.942]', never -0; '+' as `sign` shows it always."""
        value, low, high = (f"{round(x, digits) + 0.0:{sign}.{digits}f}" for x in self)
        return f"{value} [{low}, {high}]"


def of_networks(rows: pd.DataFrame, *by: str, column: str = "r2") -> pd.Series:
    """One number per network: the median of a column over its splits and fits.

    `by` are columns that tell the networks of `rows` apart besides `run`, as 'kind', 'n_task',
    'measure'. Their values are the index; `.reset_index()` makes a table for seaborn.
    """
    return rows.groupby([*by, "run"])[column].median()


def estimate(statistic: Callable[..., Any], *groups: Any) -> Estimate:
    """A statistic of groups of networks, which are drawn anew each by itself; the seed is fixed.

    Args:
        statistic: takes arrays (..., network), one per group, and works along the last axis.
        groups: values of networks, one-dimensional. Values of one network may be its difference.
    """
    values, rng = [np.asarray(group, float) for group in groups], np.random.default_rng(0)
    drawn = [x[rng.integers(len(x), size=(N_DRAW, len(x)))] for x in values]
    tails = 50 * (1 - LEVEL), 50 * (1 + LEVEL)
    return Estimate(*map(float, (statistic(*values), *np.percentile(statistic(*drawn), tails))))


def median(values: Any) -> Estimate:
    """The median over networks."""
    return estimate(lambda x: np.median(x, -1), values)


def difference(high: Any, low: Any) -> Estimate:
    """Difference of the medians of two groups of networks."""
    return estimate(lambda a, b: np.median(a, -1) - np.median(b, -1), high, low)


def correlation(x: Sequence[float], groups: Sequence[Any]) -> Estimate:
    """Spearman's rank correlation of networks' values with `x`, one number for each group."""
    ranks = stats.rankdata(np.repeat(x, [len(group) for group in groups]))

    def rho(*values):
        others = stats.rankdata(np.concatenate(values, -1), axis=-1)
        a, b = (r - r.mean(-1, keepdims=True) for r in (ranks, others))
        size = np.sqrt((a**2).sum() * (b**2).sum(-1))
        return np.divide((a * b).sum(-1), size, out=np.zeros_like(size), where=size > 0)

    return estimate(rho, *groups)


def greater(high: Any, low: Any) -> tuple[float, float]:
    """p of the one-sided exact Mann-Whitney test that `high` lies above `low`, and Cliff's delta.

    delta is the share of pairs of networks in which `high` is higher, less that in which it is
    lower: 1 if all are, 0 if the groups are alike.
    """
    found = stats.mannwhitneyu(high, low, alternative="greater", method="exact")
    return float(found.pvalue), float(2 * found.statistic / (len(high) * len(low)) - 1)


def rising(x: Sequence[float], groups: Sequence[Any]) -> float:
    """p of Spearman's one-sided test that networks' values rise with `x`."""
    each, values = np.repeat(x, [len(group) for group in groups]), np.concatenate(groups)
    p = stats.spearmanr(each, values, alternative="greater").pvalue
    return 1.0 if math.isnan(p) else float(p)


def holm(p: Sequence[float]) -> list[float]:
    """p adjusted by Holm for the number of tests, in the order given."""
    order, adjusted = np.argsort(p), np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    adjusted[order] = np.maximum.accumulate(np.asarray(p, float)[order] * factors)
    return adjusted.clip(max=1).tolist()
