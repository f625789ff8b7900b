"""The common result of every method, and the test of two means behind most of them.

Welch's test and its intervals are tea-tasting's; what is added is that nothing undefined comes
out: a sample that the test is not defined for is an error of one line, and a relative effect that
means nothing is None.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import tea_tasting as tt
from numpy.typing import NDArray
from scipy import stats

from nbtools.errors import SampleError

# A relative interval is on the log scale, for which a mean has to be clear of zero, in standard
# errors.
CLEAR = 2.0

# An effect as a share of the control with its interval, or nothing.
Relative = tuple[float, float, float] | tuple[None, None, None]


class Comparison(NamedTuple):
    """The result of one method.

    Attributes
    ----------
    method : str
        Name of the method, as key figures spell it.
    estimate : float
        Treatment minus control in the unit of the method: CTR (0 to 1) for ``welch_ctr``,
        ``delta_ratio``, ``smoothed_ctr``, ``buckets_t``, ``poisson_bootstrap``, ``cuped_ratio``;
        likes per user for ``linearized_likes`` and ``cuped``. For ``mann_whitney`` and
        ``buckets_rank`` it is the probability that a treated user (bucket) exceeds one of the
        control, 0.5 if neither does.
    lower, upper : float
        Confidence interval of the estimate, same unit.
    p_value : float
        Two-sided.
    relative : float or None
        Effect as a share of the control, 0.1 for ten per cent more; None where the control is
        not clear of zero and for ranks.
    relative_lower, relative_upper : float or None
        Its interval.
    control, treatment : float
        What was compared, in the unit of the estimate; medians of user (bucket) CTR for ranks.
    n_control, n_treatment : int
        Users that took part, buckets for the bucket methods.
    """

    method: str
    estimate: float
    lower: float
    upper: float
    p_value: float
    relative: float | None
    relative_lower: float | None
    relative_upper: float | None
    control: float
    treatment: float
    n_control: int
    n_treatment: int


class Moments(NamedTuple):
    """What a test of means needs to know of a group.

    Attributes
    ----------
    n : int
        Users, or buckets.
    mean : float
        Mean.
    variance : float
        Sample variance, not negative.
    """

    n: int
    mean: float
    variance: float


def check_alpha(alpha: float) -> None:
    """Refuse a level that is none.

    Parameters
    ----------
    alpha : float
        Probability of a false alarm that is accepted.

    Raises
    ------
    SampleError
        If it is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise SampleError(f"alpha is {alpha}, needed is a number between 0 and 1, such as 0.05.")


def compare_means(
    method: str, control: Moments, treatment: Moments, *, alpha: float, use_t: bool = True
) -> Comparison:
    """Return Welch's test of two means.

    Parameters
    ----------
    method : str
        Name for the result.
    control : Moments
        The control group.
    treatment : Moments
        The treated group.
    alpha : float
        One minus the level of the intervals.
    use_t : bool
        Student's distribution with Welch's degrees of freedom if true, else the normal.

    Returns
    -------
    Comparison
        The relative interval is the delta method's on the log scale.

    Raises
    ------
    SampleError
        If alpha is no level, a group is too small, or nothing varies in either group.
    """
    check_alpha(alpha)
    check_moments(method, control, treatment)
    # Welch's degrees of freedom are at least these, so no quantile is larger.
    reach = float(stats.t.isf(alpha / 2, min(control.n, treatment.n) - 1))
    errors = [math.sqrt(m.variance / m.n) for m in (control, treatment)]
    clear = control.mean > errors[0] * max(CLEAR, reach / 100)
    clear &= treatment.mean > errors[1] * max(CLEAR, reach / 100)
    # Without a use for the log scale both are moved to where it cannot fail.
    shift = abs(control.mean) + 2 * abs(treatment.mean) + max(10, reach) * sum(errors)
    shift = 0.0 if clear else shift
    groups = {
        name: tt.aggr.Aggregates(m.n, {"x": m.mean + shift}, {"x": m.variance})
        for name, m in enumerate((control, treatment))
    }
    test = tt.Mean("x", confidence_level=1 - alpha, use_t=use_t, equal_var=False)
    found = test.analyze(groups, 0, 1)
    relative: Relative = (None, None, None)
    if clear:
        relative = (
            found.rel_effect_size,
            found.rel_effect_size_ci_lower,
            found.rel_effect_size_ci_upper,
        )
    return Comparison(
        method,
        treatment.mean - control.mean,
        float(found.effect_size_ci_lower),
        float(found.effect_size_ci_upper),
        found.pvalue,
        relative[0],
        relative[1],
        relative[2],
        control.mean,
        treatment.mean,
        control.n,
        treatment.n,
    )


def check_moments(method: str, control: Moments, treatment: Moments) -> None:
    """Refuse groups of which no test of means can be made.

    Parameters
    ----------
    method : str
        Who asks.
    control : Moments
        The control group.
    treatment : Moments
        The treated group.

    Raises
    ------
    SampleError
        If a group has fewer than two users, a moment is no number or nothing varies.
    """
    for name, group in (("control", control), ("treatment", treatment)):
        if group.n < 2:
            raise SampleError(f"The {name} has {group.n} users, {method} needs at least 2.")
        if not (math.isfinite(group.mean) and math.isfinite(group.variance)):
            raise SampleError(f"The {name} of {method} has values that are no numbers.")
    if control.variance + treatment.variance <= 0:
        raise SampleError(f"All values are equal within both groups, {method} needs some spread.")


def moments(values: NDArray[np.float64], users: NDArray[np.int64]) -> Moments:
    """Return the moments of values that stand for several users each.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Values.
    users : ndarray of int64, shape (n,)
        Users with each.

    Returns
    -------
    Moments
        In two passes, so no digits cancel; the variance of equal values is exactly zero.
    """
    n = int(users.sum())
    mean = float(values @ users) / n
    if n < 2 or values.min() == values.max():
        return Moments(n, mean, 0.0)
    return Moments(n, mean, float(users @ (values - mean) ** 2) / (n - 1))


def adjusted(
    p_values: Sequence[float], method: Literal["holm", "benjamini-hochberg"] = "holm"
) -> list[float]:
    """Return p-values corrected for there being several.

    Parameters
    ----------
    p_values : sequence of float
        One per hypothesis.
    method : {"holm", "benjamini-hochberg"}
        Holm's bounds the probability of any false alarm, for any dependence; Benjamini and
        Hochberg's bounds the expected share of false ones among the alarms.

    Returns
    -------
    list of float
        In the order given; an alarm is one at or below alpha.

    Raises
    ------
    SampleError
        If a p-value is not from 0 to 1.
    """
    found = np.asarray(p_values, dtype=float)
    if not ((found >= 0) & (found <= 1)).all():
        raise SampleError("A p-value is not from 0 to 1.")
    if not found.size:
        return []
    if method == "benjamini-hochberg":
        corrected: NDArray[np.float64] = stats.false_discovery_control(found, method="bh")
        return [float(p) for p in corrected]
    order = np.argsort(found, kind="stable")
    stepped = np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1))
    result = np.empty_like(found)
    result[order] = np.minimum(stepped, 1)
    return [float(p) for p in result]
