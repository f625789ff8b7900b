"""Two groups compared through exact sums: the ratio of likes to views, and CUPED.

A ratio of sums is compared through the number that each user adds to it, a weighted sum of the
user's columns. The delta method [1]_, linearized likes [2]_ and CUPED [3]_ are then one test of
means with different weights, and mean and variance are rational numbers until the last step.

Linearized likes are ``likes - k * views`` with the control's CTR ``k`` for both groups. The sign
is that of the difference of the CTRs, because identically

    mean(L_treatment) - mean(L_control) = mean(views_treatment) * (CTR_treatment - CTR_control).

.. [1] Deng, Knoblich and Lu (2018), "Applying the Delta Method in Metric Analytics", KDD.
.. [2] Budylin et al. (2018), "Consistent Transformation of Ratio Metrics for Efficient Online
   Controlled Experiments", WSDM.
.. [3] Deng, Xu, Kohavi and Walker (2013), "Improving the Sensitivity of Online Controlled
   Experiments by Utilizing Pre-Experiment Data", WSDM.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from nbtools.cells import Sums, pool_sums
from nbtools.errors import SampleError
from nbtools.inference import Comparison, Moments, compare_means

Weights = Mapping[str, Fraction]


class Ratio(NamedTuple):
    """The two columns of a ratio metric.

    Attributes
    ----------
    numerator : str
        Column above the line.
    denominator : str
        Column below it.
    """

    numerator: str
    denominator: str


CTR = Ratio("likes", "views")
CTR_BEFORE = Ratio("likes_before", "views_before")


def ratio_of(sums: Sums, ratio: Ratio = CTR) -> Fraction:
    """Return the exact ratio of two totals.

    Parameters
    ----------
    sums : Sums
        A group.
    ratio : Ratio
        Which columns.

    Returns
    -------
    Fraction
        Such as all likes over all views.

    Raises
    ------
    SampleError
        If the denominator sums to zero.
    """
    if sums.total(ratio.denominator) == 0:
        raise SampleError(f"The {ratio.denominator} of {sums.users} users sum to 0.")
    return Fraction(sums.total(ratio.numerator), sums.total(ratio.denominator))


def influence(sums: Sums, ratio: Ratio = CTR) -> dict[str, Fraction]:
    """Return the weights of what each user adds to a ratio.

    Parameters
    ----------
    sums : Sums
        A group.
    ratio : Ratio
        Which columns.

    Returns
    -------
    dict of str to Fraction
        Weights of the two columns: the variance of their weighted sum over the number of users
        is the delta method's variance of the ratio.

    Raises
    ------
    SampleError
        If the denominator sums to zero.
    """
    value, mean = ratio_of(sums, ratio), sums.mean(ratio.denominator)
    return {ratio.numerator: 1 / mean, ratio.denominator: -value / mean}


def covariance(sums: Sums, left: Weights, right: Weights) -> Fraction:
    """Return the exact sample covariance of two weighted sums of columns.

    Parameters
    ----------
    sums : Sums
        A group.
    left, right : mapping of str to Fraction
        Weight of each column.

    Returns
    -------
    Fraction
        A variance if both are the same.
    """
    pairs = product(left.items(), right.items())
    return sum((x * y * sums.covariance(a, b) for (a, x), (b, y) in pairs), Fraction(0))


def _moments(sums: Sums, mean: Fraction, weights: Weights) -> Moments:
    return Moments(sums.users, float(mean), float(covariance(sums, weights, weights)))


def moments_of(sums: Sums, ratio: Ratio = CTR, covariate: Ratio | None = None) -> Moments:
    """Return the moments of a ratio by the delta method.

    Parameters
    ----------
    sums : Sums
        A group.
    ratio : Ratio
        Which columns.
    covariate : Ratio, optional
        A ratio of the past; its part of the variance is taken out, as CUPED does.

    Returns
    -------
    Moments
        The ratio, and the variance of what a user adds to it.

    Raises
    ------
    SampleError
        If a denominator sums to zero, or the covariate is the same for all users.
    """
    weights = influence(sums, ratio)
    if covariate is not None:
        before = influence(sums, covariate)
        slope = _slope(sums, weights, before, " / ".join(covariate))
        weights |= {key: -slope * weight for key, weight in before.items()}
    return _moments(sums, ratio_of(sums, ratio), weights)


def delta_ratio(
    control: Sums, treatment: Sums, *, alpha: float = 0.05, ratio: Ratio = CTR
) -> Comparison:
    """Compare the global CTR by the delta method.

    Parameters
    ----------
    control : Sums
        The control group.
    treatment : Sums
        The treated group.
    alpha : float
        One minus the level of the intervals.
    ratio : Ratio
        Which columns.

    Returns
    -------
    Comparison
        Every view counts alike; the users are the units.
    """
    groups = [moments_of(group, ratio) for group in (control, treatment)]
    return compare_means("delta_ratio", *groups, alpha=alpha, use_t=False)


def linearized_likes(
    control: Sums, treatment: Sums, *, alpha: float = 0.05, ratio: Ratio = CTR
) -> Comparison:
    """Compare ``likes - CTR_control * views`` per user.

    Parameters
    ----------
    control : Sums
        The control group, whose CTR is used for both.
    treatment : Sums
        The treated group.
    alpha : float
        One minus the level of the intervals.
    ratio : Ratio
        Which columns.

    Returns
    -------
    Comparison
        In likes per user. Both means are moved up by the control's mean likes, which are zero
        without it; so the relative effect is in the control's likes.
    """
    weights = _linear(control, ratio)
    base = sum(weight * control.mean(name) for name, weight in weights.items())
    lift = control.mean(ratio.numerator) - base
    groups = [
        _moments(group, lift + sum(w * group.mean(name) for name, w in weights.items()), weights)
        for group in (control, treatment)
    ]
    return compare_means("linearized_likes", *groups, alpha=alpha)


def _linear(control: Sums, ratio: Ratio) -> dict[str, Fraction]:
    return {ratio.numerator: Fraction(1), ratio.denominator: -ratio_of(control, ratio)}


def cuped(
    control: Sums,
    treatment: Sums,
    *,
    alpha: float = 0.05,
    value: str = "likes",
    covariate: str = "likes_before",
) -> Comparison:
    """Compare a mean per user less what the user's past explains of it.

    Parameters
    ----------
    control : Sums
        The control group; the sums hold the covariate too.
    treatment : Sums
        The treated group.
    alpha : float
        One minus the level of the intervals.
    value : str
        Column that is compared.
    covariate : str
        The same before the experiment, so the treatment cannot have touched it.

    Returns
    -------
    Comparison
        In the unit of the value per user. The coefficient is that of both groups together.

    Raises
    ------
    SampleError
        If the covariate is the same for everyone, or as `compare_means` does.
    """
    before = {covariate: Fraction(1)}
    pooled = pool_sums(control, treatment)
    slope = _slope(pooled, {value: Fraction(1)}, before, covariate)
    groups = [
        _moments(
            group,
            group.mean(value) - slope * (group.mean(covariate) - pooled.mean(covariate)),
            {value: Fraction(1), covariate: -slope},
        )
        for group in (control, treatment)
    ]
    return compare_means("cuped", *groups, alpha=alpha)


def cuped_ratio(
    control: Sums,
    treatment: Sums,
    *,
    alpha: float = 0.05,
    ratio: Ratio = CTR,
    covariate: Ratio = CTR_BEFORE,
) -> Comparison:
    """Compare the global CTR less what the users' past explains of it.

    Parameters
    ----------
    control : Sums
        The control group; the sums hold the columns of the covariate too.
    treatment : Sums
        The treated group.
    alpha : float
        One minus the level of the intervals.
    ratio : Ratio
        What is compared.
    covariate : Ratio
        The same before the experiment; users without a past have zeros.

    Returns
    -------
    Comparison
        In CTR, by the delta method.

    Raises
    ------
    SampleError
        If nobody has a past or all pasts are alike, or as `compare_means` does.
    """
    pooled = pool_sums(control, treatment)
    name = " / ".join(covariate)
    slope = _slope(pooled, influence(pooled, ratio), influence(pooled, covariate), name)
    groups = []
    for group in (control, treatment):
        before = influence(group, covariate)
        weights = influence(group, ratio) | {key: -slope * x for key, x in before.items()}
        drift = ratio_of(group, covariate) - ratio_of(pooled, covariate)
        groups.append(_moments(group, ratio_of(group, ratio) - slope * drift, weights))
    return compare_means("cuped_ratio", *groups, alpha=alpha, use_t=False)


def _slope(pooled: Sums, value: Weights, before: Weights, name: str) -> Fraction:
    spread = covariance(pooled, before, before)
    if spread == 0:
        raise SampleError(f"{name} is the same for all {pooled.users} users and explains nothing.")
    return covariance(pooled, value, before) / spread
