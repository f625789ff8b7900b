"""How small an effect an experiment can see, from the users' own sums.

The solver is tea-tasting's. Means and variances come from one pooled group, such as last month's
users, with or without what their past explains: `mean_moments` here, `ratios.moments_of`.
"""

import math
from typing import Any, NamedTuple

import tea_tasting as tt

from nbtools.cells import Sums
from nbtools.errors import SampleError
from nbtools.inference import Moments, check_alpha

# Student's distribution is the normal one from here on, and its noncentral kin is slow.
_LARGE = 5_000


class Power(NamedTuple):
    """An experiment's reach.

    Attributes
    ----------
    power : float
        Probability to find the effect, 0 to 1.
    effect : float
        Difference of the means in the unit of the metric.
    relative : float or None
        The effect as a share of the mean; None if the mean is not above zero.
    users : int
        Users of both groups together, rounded up.
    """

    power: float
    effect: float
    relative: float | None
    users: int


def mean_moments(sums: Sums, value: str = "likes", covariate: str | None = None) -> Moments:
    """Return the moments of a mean per user.

    Parameters
    ----------
    sums : Sums
        All users.
    value : str
        Column.
    covariate : str, optional
        The same before; its part of the variance is taken out, as CUPED does.

    Returns
    -------
    Moments
        For the functions below.

    Raises
    ------
    SampleError
        If there are fewer than two users, or the covariate is the same for all of them.
    """
    variance = sums.covariance(value, value)
    if covariate is not None:
        spread = sums.covariance(covariate, covariate)
        if spread == 0:
            raise SampleError(f"{covariate} is the same for all {sums.users} users.")
        variance -= sums.covariance(value, covariate) ** 2 / spread
    return Moments(sums.users, float(sums.mean(value)), float(variance))


def minimum_effect(
    moments: Moments,
    users: int,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    allocation: float = 1.0,
) -> Power:
    """Return the smallest effect that is found with a given power.

    Parameters
    ----------
    moments : Moments
        Of the metric.
    users : int
        Users of both groups together.
    alpha : float
        Level of the two-sided test.
    power : float
        Probability to find the effect.
    allocation : float
        Treated users for each of the control.

    Returns
    -------
    Power
        With the effect found.

    Raises
    ------
    SampleError
        If the metric does not vary, there are fewer than four users, or a level is none.
    """
    _check(moments, alpha, allocation, users=users, power=power)
    options = {"n_obs": users, "power": power}
    return _solve(moments, "effect_size", users, alpha=alpha, ratio=allocation, **options)


def power_of(
    moments: Moments, users: int, effect: float, *, alpha: float = 0.05, allocation: float = 1.0
) -> Power:
    """Return the probability to find an effect.

    Parameters
    ----------
    moments : Moments
        Of the metric.
    users : int
        Users of both groups together.
    effect : float
        True difference of the means.
    alpha : float
        Level of the two-sided test.
    allocation : float
        Treated users for each of the control.

    Returns
    -------
    Power
        With the power found; it is alpha if there is no effect.

    Raises
    ------
    SampleError
        As `minimum_effect` does.
    """
    _check(moments, alpha, allocation, users=users, effect=effect)
    if effect == 0:
        return Power(alpha, 0.0, _relative(0.0, moments), users)
    options = {"n_obs": users, "effect_size": abs(effect)}
    found = _solve(moments, "power", users, alpha=alpha, ratio=allocation, **options)
    return found._replace(effect=effect, relative=_relative(effect, moments))


def users_needed(
    moments: Moments,
    effect: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    allocation: float = 1.0,
) -> Power:
    """Return how many users find an effect with a given power.

    Parameters
    ----------
    moments : Moments
        Of the metric.
    effect : float
        True difference of the means, not zero.
    alpha : float
        Level of the two-sided test.
    power : float
        Probability to find it.
    allocation : float
        Treated users for each of the control.

    Returns
    -------
    Power
        With the users of both groups found.

    Raises
    ------
    SampleError
        If the effect is zero, or as `minimum_effect` does.
    """
    _check(moments, alpha, allocation, power=power, effect=effect)
    if effect == 0:
        raise SampleError("An effect of 0 cannot be found, however many users there are.")
    # The normal approximation's number decides which distribution is worth its time.
    guess = moments.variance * 7.85 * (1 + allocation) ** 2 / allocation / effect**2
    options = {"effect_size": abs(effect), "power": power}
    found = _solve(moments, "n_obs", guess, alpha=alpha, ratio=allocation, **options)
    return found._replace(effect=effect, relative=_relative(effect, moments))


def _solve(moments: Moments, parameter: Any, users: float, **options: Any) -> Power:
    metric = tt.Mean("x", use_t=users < _LARGE, equal_var=True, **options)
    group = tt.aggr.Aggregates(moments.n, {"x": moments.mean or 1.0}, {"x": moments.variance})
    try:
        found = metric.solve_power_from_aggregates(group, parameter)[0]
    except (RuntimeError, ValueError):
        raise SampleError(f"The {parameter} has no solution with {options}.") from None
    relative = _relative(found.effect_size, moments)
    return Power(float(found.power), found.effect_size, relative, math.ceil(found.n_obs))


def _relative(effect: float, moments: Moments) -> float | None:
    return effect / moments.mean if moments.mean > 0 else None


def _check(
    moments: Moments,
    alpha: float,
    allocation: float,
    *,
    users: int | None = None,
    power: float | None = None,
    effect: float = 0.0,
) -> None:
    check_alpha(alpha)
    if not 0 < moments.variance < math.inf:
        raise SampleError(f"The metric's variance is {moments.variance}, needed is more than 0.")
    if users is not None and users < 4:
        raise SampleError(f"{users} users are too few for two groups, needed are at least 4.")
    if power is not None and not alpha < power < 1:
        raise SampleError(f"The power is {power}, needed is a number between alpha and 1.")
    if not 0 < allocation < math.inf or not math.isfinite(effect):
        raise SampleError(f"An allocation of {allocation} or an effect of {effect} is no number.")
