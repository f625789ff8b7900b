"""Looking every day without being fooled: intervals that hold at all looks together.

A 95 % interval misses the truth once in twenty experiments if it is looked at once, and far more
often if it is looked at every day until it excludes zero. An asymptotic confidence sequence
(Waudby-Smith et al. [1]_, equation 9) covers at every look at once, for the price of width. With
``n`` users in both groups, ``s2`` as ``n`` times the squared standard error of the effect, and

    rho = sqrt((-2 log(alpha) + log(-2 log(alpha) + 1)) / tuning),

its half-width is ``sqrt(s2 * 2 (n rho**2 + 1) / (n rho)**2 * log(sqrt(n rho**2 + 1) / alpha))``,
the formula of GrowthBook's documentation. ``tuning`` is the number of users at which it is
narrowest against a fixed-horizon interval. The theory has users that arrive one after the other
and stay as they are; those who come back and go on adding to their sums meet it approximately.

.. [1] Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), "Time-uniform central limit theory
   and asymptotic confidence sequences", arXiv 2103.06476.
"""

import math

import numpy as np
from numpy.typing import NDArray

from nbtools.cells import Sums
from nbtools.errors import SampleError
from nbtools.inference import CLEAR, Comparison, Moments, Relative, check_alpha, check_moments
from nbtools.ratios import CTR, Ratio, moments_of

Real = NDArray[np.float64]

TUNING = 5000.0


def rho(alpha: float, tuning: float = TUNING) -> float:
    """Return the parameter that places the narrowest look.

    Parameters
    ----------
    alpha : float
        One minus the level.
    tuning : float
        Users of both groups at that look.

    Returns
    -------
    float
        Per square root of a user.

    Raises
    ------
    SampleError
        If alpha is no level or the tuning is not positive.
    """
    check_alpha(alpha)
    if not 0 < tuning < math.inf:
        raise SampleError(f"The tuning is {tuning} users, needed is more than 0.")
    log = -2 * math.log(alpha)
    return math.sqrt((log + math.log1p(log)) / tuning)


def half_width(
    error: float | Real, n: float | Real, *, alpha: float, tuning: float = TUNING
) -> Real:
    """Return how far the confidence sequence reaches to either side at a look.

    Parameters
    ----------
    error : float or ndarray of float64
        Standard error of the effect at the look.
    n : float or ndarray of float64
        Users of both groups at the look.
    alpha : float
        One minus the level at all looks together.
    tuning : float
        See the module.

    Returns
    -------
    ndarray of float64
        In the unit of the error.

    Raises
    ------
    SampleError
        As `rho` does.
    """
    information = n * rho(alpha, tuning) ** 2
    factor = 2 * (information + 1) / information
    width: Real = error * np.sqrt(factor * (np.log1p(information) / 2 - math.log(alpha)))
    return width


def _p_value(effect: float, error: float, n: int, *, alpha: float, tuning: float) -> float:
    # The smallest level at which this look excludes zero, rho staying where it is.
    information = n * rho(alpha, tuning) ** 2
    exponent = (effect / error) ** 2 * information / (2 * (information + 1))
    return min(1.0, math.exp(math.log1p(information) / 2 - exponent))


def sequential_ratio(
    control: Sums,
    treatment: Sums,
    *,
    alpha: float = 0.05,
    ratio: Ratio = CTR,
    tuning: float = TUNING,
) -> Comparison:
    """Compare the global CTR at one of many looks.

    Parameters
    ----------
    control : Sums
        The control group from the first day up to the look.
    treatment : Sums
        The treated group, same days.
    alpha : float
        One minus the level at all looks together.
    ratio : Ratio
        Which columns.
    tuning : float
        Users of both groups at which the interval is narrowest against a fixed one.

    Returns
    -------
    Comparison
        In CTR. The effect is real once any look has excluded zero, whatever later looks say.

    Raises
    ------
    SampleError
        If nothing varies, nobody viewed anything, or a level is none.
    """
    groups = [moments_of(group, ratio) for group in (control, treatment)]
    return _compare("sequential_ratio", *groups, alpha=alpha, tuning=tuning)


def sequential_mean(
    control: Sums,
    treatment: Sums,
    *,
    alpha: float = 0.05,
    value: str = "likes",
    tuning: float = TUNING,
) -> Comparison:
    """Compare a mean per user at one of many looks.

    Parameters
    ----------
    control : Sums
        The control group from the first day up to the look.
    treatment : Sums
        The treated group, same days.
    alpha : float
        One minus the level at all looks together.
    value : str
        Column.
    tuning : float
        As in `sequential_ratio`.

    Returns
    -------
    Comparison
        In the unit of the column per user.

    Raises
    ------
    SampleError
        As `sequential_ratio` does.
    """
    groups = [
        Moments(group.users, float(group.mean(value)), float(group.covariance(value, value)))
        for group in (control, treatment)
    ]
    return _compare("sequential_mean", *groups, alpha=alpha, tuning=tuning)


def _compare(
    method: str, control: Moments, treatment: Moments, *, alpha: float, tuning: float
) -> Comparison:
    check_moments(method, control, treatment)
    n = control.n + treatment.n
    squares = [m.variance / m.n for m in (control, treatment)]
    error = math.sqrt(sum(squares))
    effect = treatment.mean - control.mean
    half = float(half_width(error, n, alpha=alpha, tuning=tuning))
    relative: Relative = (None, None, None)
    if control.mean > CLEAR * math.sqrt(squares[0]):
        share = treatment.mean / control.mean
        spread = math.sqrt(squares[1] + share**2 * squares[0]) / control.mean
        reach = float(half_width(spread, n, alpha=alpha, tuning=tuning))
        relative = (share - 1, share - 1 - reach, share - 1 + reach)
    return Comparison(
        method,
        effect,
        effect - half,
        effect + half,
        _p_value(effect, error, n, alpha=alpha, tuning=tuning),
        relative[0],
        relative[1],
        relative[2],
        control.mean,
        treatment.mean,
        control.n,
        treatment.n,
    )
