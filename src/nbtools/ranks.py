"""The rank test of two weighted samples: how often one user exceeds another.

The p-value is that of Wilcoxon, Mann and Whitney with the correction for ties: it supposes that
both groups have one distribution. The interval is for the probability that a treated user exceeds
a control user, ties counting half, and supposes no such thing: its variance is that of the
placements, as in Brunner and Munzel (2000) [1]_ and, for ROC curves, DeLong et al. (1988). So the
two can disagree near the threshold. When the groups do not overlap the placements have no variance
at all, and the interval comes from Newcombe's method 5 (2006) [2]_.

.. [1] Brunner and Munzel, "The Nonparametric Behrens-Fisher Problem", Biometrical Journal 42.
.. [2] Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
   statistic", Statistics in Medicine 25.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from nbtools.errors import SampleError


class Weighted(NamedTuple):
    """A sample in which a value stands for several users.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Values, in any order and unit.
    users : ndarray of int64, shape (n,)
        How many users have each.
    """

    values: NDArray[np.float64]
    users: NDArray[np.int64]


class RankTest(NamedTuple):
    """What the rank test says.

    Attributes
    ----------
    probability : float
        That a treated user exceeds a control user, plus half of that they tie; 0.5 if neither
        tends to exceed the other.
    lower, upper : float
        Its confidence interval, within 0 to 1.
    p_value : float
        Two-sided, of the hypothesis that both groups have one distribution.
    """

    probability: float
    lower: float
    upper: float
    p_value: float


def rank_test(
    control: Weighted, treatment: Weighted, *, alpha: float, continuity: bool = True
) -> RankTest:
    """Return the Mann-Whitney test of two samples and the size of the effect.

    Parameters
    ----------
    control : Weighted
        The control group.
    treatment : Weighted
        The treated group.
    alpha : float
        One minus the level of the interval.
    continuity : bool
        Whether the p-value is corrected for the statistic's being discrete.

    Returns
    -------
    RankTest
        See there.

    Raises
    ------
    SampleError
        If a group has fewer than 2 users or all values are equal.
    """
    n, m = int(control.users.sum()), int(treatment.users.sum())
    if min(n, m) < 2:
        raise SampleError(f"A group has {min(n, m)} users with a value, a rank test needs 2.")
    c, t = _aligned(control, treatment)
    if len(c) == 1:
        raise SampleError(f"All {n + m} users have the same value, so there is nothing to rank.")
    # Placements: the share of the other group below a value, ties counting half.
    among_control = (np.cumsum(c) - c / 2) / n
    among_treated = (np.cumsum(t) - t / 2) / m
    probability = float(t @ among_control) / m
    parts = (
        float(t @ (among_control - probability) ** 2) / (m - 1) / m,
        float(c @ (among_treated - (1 - probability)) ** 2) / (n - 1) / n,
    )
    lower, upper = _interval(probability, parts, (m, n), alpha)
    p_value = _p_value(probability, c + t, (m, n), continuity=continuity)
    return RankTest(probability, lower, upper, p_value)


def _aligned(
    control: Weighted, treatment: Weighted
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Quotients of equal fractions are the same floating-point number, so ties are exact.
    values, where = np.unique(
        np.concatenate([control.values, treatment.values]), return_inverse=True
    )
    cut, size = len(control.values), len(values)
    c = np.bincount(where[:cut], weights=control.users.astype(float), minlength=size)
    t = np.bincount(where[cut:], weights=treatment.users.astype(float), minlength=size)
    return c.astype(float), t.astype(float)


def null_variance(tied: NDArray[np.float64], m: float, n: float) -> float:
    """Return the variance of the Mann-Whitney statistic if both groups have one distribution.

    Parameters
    ----------
    tied : ndarray of float64, shape (n_values,)
        How many users of both groups share each value.
    m, n : float
        Users of the two groups.

    Returns
    -------
    float
        In pairs of users, squared.
    """
    total = m + n
    ties = float((tied**3 - tied).sum())
    return m * n / 12 * (total + 1 - ties / (total * (total - 1)))


def _p_value(
    probability: float, tied: NDArray[np.float64], sizes: tuple[int, int], *, continuity: bool
) -> float:
    m, n = sizes
    distance = abs(probability - 0.5) * m * n - 0.5 * continuity
    z = distance / math.sqrt(null_variance(tied, m, n))
    return float(min(1.0, 2 * stats.norm.sf(z)))


def _interval(
    probability: float, parts: tuple[float, float], sizes: tuple[int, int], alpha: float
) -> tuple[float, float]:
    m, n = sizes
    variance = sum(parts)
    # Rounding leaves a trace of variance where there is none.
    if variance < 1e-24 or probability in (0.0, 1.0):
        return _newcombe(probability, m, n, alpha)
    freedom = variance**2 / (parts[0] ** 2 / (m - 1) + parts[1] ** 2 / (n - 1))
    half = float(stats.t.isf(alpha / 2, freedom)) * math.sqrt(variance)
    return max(0.0, probability - half), min(1.0, probability + half)


def _newcombe(probability: float, m: int, n: int, alpha: float) -> tuple[float, float]:
    z = float(stats.norm.isf(alpha / 2))
    size = (m + n) / 2 - 1

    def excess(x: float) -> float:
        spread = 1 + size * ((1 - x) / (2 - x) + x / (1 + x))
        return (x - probability) ** 2 - z**2 * x * (1 - x) * spread / (m * n)

    # It is negative near the estimate and not at the ends of the interval.
    inner = min(max(probability, 1e-12), 1 - 1e-12)
    lower = 0.0 if probability == 0 else float(optimize.brentq(excess, 0, inner))
    upper = 1.0 if probability == 1 else float(optimize.brentq(excess, inner, 1))
    return lower, upper
