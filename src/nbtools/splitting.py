"""Whether the splitting of users into groups is sound.

The sample ratio test, error rates with their intervals, and the simulation that is usually taken
for a test of the splitter: many small samples drawn from two fixed groups. Its p-values are not
uniform even when the splitter is perfect. The two groups differ by some chance amount, which all
draws share, and drawing without replacement from few users makes the spread too small; so however
many draws are made, they are one experiment. `nbtools.honesty` re-splits the users instead.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from nbtools.cells import Cells, exposed
from nbtools.errors import SampleError
from nbtools.inference import check_alpha

Real = NDArray[np.float64]


class Share(NamedTuple):
    """A group's share of the users with its exact interval.

    Attributes
    ----------
    users : int
        How many.
    expected : float
        How many there should be.
    share : float
        Of all, 0 to 1.
    lower, upper : float
        Clopper-Pearson interval of the share.
    """

    users: int
    expected: float
    share: float
    lower: float
    upper: float


class SampleRatio(NamedTuple):
    """Whether the groups have the sizes that were meant.

    Attributes
    ----------
    statistic : float
        Chi-square.
    p_value : float
        Of the hypothesis that they do.
    shares : dict of int to Share
        By group.
    """

    statistic: float
    p_value: float
    shares: dict[int, Share]


class ErrorRate(NamedTuple):
    """How often a test rejects, and whether its p-values are uniform.

    Attributes
    ----------
    tests : int
        How many.
    rejections : int
        With a p-value at or below alpha.
    rate : float
        Share of rejections, 0 to 1.
    lower, upper : float
        95 % Wilson interval of the rate.
    ks_p_value : float
        Of the Kolmogorov-Smirnov test that the p-values are uniform on 0 to 1.
    """

    tests: int
    rejections: int
    rate: float
    lower: float
    upper: float
    ks_p_value: float


def sample_ratio(
    counts: Mapping[int, int], weights: Mapping[int, float] | None = None, *, alpha: float = 0.05
) -> SampleRatio:
    """Return the chi-square test of the groups' sizes.

    Parameters
    ----------
    counts : mapping of int to int
        Users of each group, groups of nobody included.
    weights : mapping of int to float, optional
        What the sizes are meant to be proportional to; equal if it is left out.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    SampleRatio
        See there.

    Raises
    ------
    SampleError
        If there are fewer than two groups, no users, or a weight is missing or not positive.

    Examples
    --------
    >>> round(sample_ratio({0: 821_588, 1: 815_482}).p_value, 7)
    1.8e-06
    """
    check_alpha(alpha)
    meant = dict.fromkeys(counts, 1.0) if weights is None else dict(weights)
    if set(meant) != set(counts) or not all(0 < weight < np.inf for weight in meant.values()):
        raise SampleError("Every group needs a weight above 0 for the sample ratio.")
    total = sum(counts.values())
    if len(counts) < 2 or total < 1 or min(counts.values()) < 0:
        raise SampleError(f"{len(counts)} groups with {total} users have no sample ratio.")
    whole = sum(meant.values())
    expected = {group: total * meant[group] / whole for group in counts}
    statistic = sum((counts[group] - want) ** 2 / want for group, want in expected.items())
    shares = {
        group: Share(count, expected[group], count / total, *_exact(count, total, alpha))
        for group, count in counts.items()
    }
    return SampleRatio(statistic, float(stats.chi2.sf(statistic, len(counts) - 1)), shares)


def _exact(count: int, total: int, alpha: float) -> tuple[float, float]:
    found = stats.binomtest(count, total).proportion_ci(1 - alpha, method="exact")
    return float(found.low), float(found.high)


def error_rate(p_values: Real, *, alpha: float = 0.05) -> ErrorRate:
    """Return how often independent tests reject and whether their p-values are uniform.

    Parameters
    ----------
    p_values : ndarray of float64, shape (n_tests,)
        P-values of a hypothesis that is true.
    alpha : float
        Level of the tests.

    Returns
    -------
    ErrorRate
        See there.

    Raises
    ------
    SampleError
        If there are none, or one is not from 0 to 1.
    """
    check_alpha(alpha)
    found = np.asarray(p_values, dtype=float)
    if not found.size or not ((found >= 0) & (found <= 1)).all():
        raise SampleError(f"Among {found.size} p-values some are missing or not from 0 to 1.")
    count = int((found <= alpha).sum())
    interval = stats.binomtest(count, len(found)).proportion_ci(0.95, method="wilson")
    uniform = float(stats.kstest(found, "uniform").pvalue)
    low, high = float(interval.low), float(interval.high)
    return ErrorRate(len(found), count, count / len(found), low, high, uniform)


def subsample_p_values(
    control: Cells, treatment: Cells, *, size: int = 500, draws: int = 10_000, seed: int = 0
) -> Real:
    """Return the p-values of Welch's test on user CTR in samples of two fixed groups.

    Parameters
    ----------
    control : Cells
        A group; users without views are left out.
    treatment : Cells
        Another.
    size : int
        Users drawn of each, without replacement.
    draws : int
        How often.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of float64, shape (draws,)
        Not independent of each other, see above.

    Raises
    ------
    SampleError
        If a group has fewer users with views than are drawn, or their CTRs are all equal.
    """
    if size < 2 or draws < 1:
        raise SampleError(f"{draws} draws of {size} users are asked for; needed are 1 and 2.")
    rng = np.random.default_rng(seed)
    moments = [_subsamples(group, size, draws, rng) for group in (control, treatment)]
    (mean_c, var_c), (mean_t, var_t) = moments
    return welch_p_values((size, mean_c, var_c), (size, mean_t, var_t))


def _subsamples(group: Cells, size: int, draws: int, rng: np.random.Generator) -> tuple[Real, Real]:
    seen = exposed(group)
    ctr = np.repeat(seen.likes / seen.views, seen.users)
    if len(ctr) < size:
        raise SampleError(f"A group has {len(ctr)} users with views, {size} are to be drawn.")
    mean, variance = np.empty(draws), np.empty(draws)
    for draw in range(draws):
        drawn = ctr[rng.choice(len(ctr), size, replace=False, shuffle=False)]
        mean[draw], variance[draw] = drawn.mean(), drawn.var(ddof=1)
    return mean, variance


def welch_p_values(
    control: tuple[Real | int, Real, Real], treatment: tuple[Real | int, Real, Real]
) -> Real:
    """Return the two-sided p-values of many of Welch's tests at once.

    Parameters
    ----------
    control : tuple of (n, mean, variance)
        Users, means and sample variances of the control, an array each.
    treatment : tuple of (n, mean, variance)
        The same of the treated.

    Returns
    -------
    ndarray of float64
        A p-value each.

    Raises
    ------
    SampleError
        If in some test nothing varies.
    """
    (n, mean_c, var_c), (m, mean_t, var_t) = control, treatment
    a, b = var_c / n, var_t / m
    if not (a + b > 0).all():
        raise SampleError("In some of the samples all values are equal; draw larger ones.")
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    p_values: Real = 2 * special.stdtr(freedom, -abs(mean_t - mean_c) / np.sqrt(a + b))
    return p_values
