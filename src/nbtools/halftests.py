"""The methods as they look from the sums of columns over two halves, for many splits at once.

The one-comparison versions, `nbtools.comparisons` and `nbtools.ratios`, are exact and say more;
these are vectorised, in floating point, and give p-values only.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nbtools.cells import Cells, Whole, exposed
from nbtools.comparisons import SMOOTHING
from nbtools.errors import SampleError
from nbtools.ranks import null_variance
from nbtools.splitting import welch_p_values

Real = NDArray[np.float64]
Half = Mapping[str, Real]


class Method(NamedTuple):
    """A test that works on the sums of columns over the users of each half.

    Attributes
    ----------
    columns : tuple of str
        Which ones.
    p_values : callable
        P-values of the splits, from the sums of the control and of the treated.
    """

    columns: tuple[str, ...]
    p_values: Callable[[Half, Half], Real]


def _proportion_z(control: Half, treatment: Half) -> Real:
    views, likes = (control[name] + treatment[name] for name in ("views", "likes"))
    share = likes / views
    if not ((share > 0) & (share < 1)).all():
        raise SampleError("A test of proportions needs some likes, and fewer than views.")
    variance = share * (1 - share) * (1 / control["views"] + 1 / treatment["views"])
    return _normal(_ratio(treatment) - _ratio(control), variance)


def _normal(difference: Real, variance: Real) -> Real:
    if not (variance > 0).all():
        raise SampleError("In some of the splits all values are equal; there are too few users.")
    p_values: Real = 2 * special.ndtr(-abs(difference) / np.sqrt(variance))
    return p_values


def _ratio(half: Half) -> Real:
    ratio: Real = half["likes"] / half["views"]
    return ratio


def _linear_square(half: Half, k: Real) -> Real:
    # Sum of (likes - k * views)**2.
    square: Real = half["likes2"] - 2 * k * half["likes_views"] + k**2 * half["views2"]
    return square


def _delta_ratio(control: Half, treatment: Half) -> Real:
    variance = sum(
        _linear_square(half, _ratio(half)) * half["one"] / (half["one"] - 1) / half["views"] ** 2
        for half in (control, treatment)
    )
    return _normal(_ratio(treatment) - _ratio(control), np.asarray(variance))


def _linearized_likes(control: Half, treatment: Half) -> Real:
    k = _ratio(control)
    groups = [
        moments(half["one"], half["likes"] - k * half["views"], _linear_square(half, k))
        for half in (control, treatment)
    ]
    return welch_p_values(*groups)


def moments(n: Real, total: Real, square: Real) -> tuple[Real, Real, Real]:
    """Return users, mean and variance from sums.

    Parameters
    ----------
    n : ndarray of float64
        Users.
    total : ndarray of float64
        Sum over them.
    square : ndarray of float64
        Sum of squares.

    Returns
    -------
    tuple of ndarray of float64
        As `splitting.welch_p_values` takes them.
    """
    return n, total / n, ((square - total**2 / n) / (n - 1)).clip(0)


def _welch_ctr(control: Half, treatment: Half) -> Real:
    return welch_p_values(
        *(moments(half["exposed"], half["ctr"], half["ctr2"]) for half in (control, treatment))
    )


def _smoothed(half: Half, prior: Real) -> tuple[Real, Real, Real]:
    total = half["pulled"] + prior * half["pull"]
    square = half["pulled2"] + 2 * prior * half["pulled_pull"] + prior**2 * half["pull2"]
    return moments(half["one"], total, square)


def _smoothed_ctr(control: Half, treatment: Half) -> Real:
    prior = _ratio(control)
    return welch_p_values(_smoothed(control, prior), _smoothed(treatment, prior))


def _smoothed_ctr_own(control: Half, treatment: Half) -> Real:
    return welch_p_values(*(_smoothed(half, _ratio(half)) for half in (control, treatment)))


def _mann_whitney(control: Half, treatment: Half) -> Real:
    n, m = control["exposed"], treatment["exposed"]
    statistic = treatment["rank"] - m * (m + 1) / 2
    # The ties are those of all users, so of every split.
    return rank_p_values(statistic, m * n, m * n * control["tie_factor"])


def rank_p_values(statistic: Real, pairs: Real, variance: Real) -> Real:
    """Return the p-values of Mann-Whitney statistics.

    Parameters
    ----------
    statistic : ndarray of float64
        Pairs in which the treated exceeds the control, ties half.
    pairs : ndarray of float64
        All pairs.
    variance : ndarray of float64
        Of the statistic, if nothing differs.

    Returns
    -------
    ndarray of float64
        Two-sided, corrected for continuity.
    """
    distance = (abs(statistic - pairs / 2) - 0.5).clip(0)
    return _normal(distance, variance)


_RATIO = ("one", "views", "likes")
_SQUARES = ("likes2", "likes_views", "views2")
_PULLED = (*_RATIO, "pulled", "pull", "pulled2", "pulled_pull", "pull2")
#: The methods by name.
METHODS: Mapping[str, Method] = {
    "proportion_z": Method(_RATIO, _proportion_z),
    "welch_ctr": Method(("exposed", "ctr", "ctr2"), _welch_ctr),
    "mann_whitney": Method(("exposed", "rank"), _mann_whitney),
    "delta_ratio": Method((*_RATIO, *_SQUARES), _delta_ratio),
    "linearized_likes": Method((*_RATIO, *_SQUARES), _linearized_likes),
    "smoothed_ctr": Method(_PULLED, _smoothed_ctr),
    "smoothed_ctr_own": Method(_PULLED, _smoothed_ctr_own),
}
#: How often each column holds the likes as a factor.
DEGREES = dict.fromkeys(("likes", "likes_views", "ctr", "pulled", "pulled_pull"), 1) | (
    dict.fromkeys(("likes2", "ctr2", "pulled2"), 2)
)


def columns_of(cells: Cells) -> dict[str, Real]:
    """Return the columns that the methods sum.

    Parameters
    ----------
    cells : Cells
        All users.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_cells,)
        What each user of a cell adds.
    """
    views, likes = cells.views.astype(float), cells.likes.astype(float)
    seen = views > 0
    ctr = np.divide(likes, views, out=np.zeros_like(likes), where=seen)
    pulled, pull = likes / (views + SMOOTHING), SMOOTHING / (views + SMOOTHING)
    columns = {"one": np.ones_like(views), "views": views, "likes": likes}
    columns |= {"exposed": seen.astype(float), "ctr": ctr, "pulled": pulled, "pull": pull}
    columns |= {"likes2": likes**2, "views2": views**2, "likes_views": likes * views}
    columns |= {"ctr2": ctr**2, "pulled2": pulled**2, "pull2": pull**2}
    return columns | {"pulled_pull": pulled * pull, "rank": _midranks(ctr, cells.users * seen)}


def _midranks(values: Real, users: Whole) -> Real:
    _, where = np.unique(values, return_inverse=True)
    tied = np.bincount(where, weights=users)
    ranks: Real = (np.cumsum(tied) - (tied - 1) / 2)[where] * (users > 0)
    return ranks


def tie_factor(cells: Cells) -> float:
    """Return the variance of the Mann-Whitney statistic per pair of users.

    Parameters
    ----------
    cells : Cells
        All users; those without views are left out.

    Returns
    -------
    float
        In pairs; the same for every split of these users.
    """
    seen = exposed(cells)
    tied = np.bincount(
        np.unique(seen.likes / seen.views, return_inverse=True)[1],
        weights=seen.users.astype(float),
    )
    return null_variance(tied.astype(float), seen.n_users - 1, 1) / (seen.n_users - 1)
