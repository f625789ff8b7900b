"""Two groups compared by the CTR of their users or of hash buckets.

Every function takes the control first. How the methods that work on sums compare a ratio is in
`nbtools.ratios`; what a `Comparison` says is in `nbtools.inference`.
"""

import math
from typing import Literal

import numpy as np

from nbtools import ranks
from nbtools.cells import Buckets, Cells, exposed
from nbtools.errors import SampleError
from nbtools.inference import Comparison, check_alpha, compare_means, moments

# How many views' worth of the common CTR a user starts with.
SMOOTHING = 5.0


def welch_ctr(control: Cells, treatment: Cells, *, alpha: float = 0.05) -> Comparison:
    """Compare the mean of the users' own CTR.

    Parameters
    ----------
    control : Cells
        The control group; users without views are left out.
    treatment : Cells
        The treated group.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    Comparison
        Every user counts alike, however much they viewed.
    """
    groups = [moments(*_user_ctr(group)) for group in (control, treatment)]
    return compare_means("welch_ctr", *groups, alpha=alpha)


def _user_ctr(group: Cells) -> ranks.Weighted:
    seen = exposed(group)
    return ranks.Weighted(seen.likes / seen.views, seen.users)


def mann_whitney(control: Cells, treatment: Cells, *, alpha: float = 0.05) -> Comparison:
    """Compare the ranks of the users' own CTR.

    Parameters
    ----------
    control : Cells
        The control group; users without views are left out.
    treatment : Cells
        The treated group.
    alpha : float
        One minus the level of the interval.

    Returns
    -------
    Comparison
        The estimate is the probability that a treated user's CTR exceeds a control user's.
    """
    groups = [_user_ctr(group) for group in (control, treatment)]
    return _compare_ranks("mann_whitney", *groups, alpha=alpha)


def _compare_ranks(
    method: str, control: ranks.Weighted, treatment: ranks.Weighted, *, alpha: float
) -> Comparison:
    check_alpha(alpha)
    found = ranks.rank_test(control, treatment, alpha=alpha)
    return Comparison(
        method,
        *found,
        None,
        None,
        None,
        _median(control),
        _median(treatment),
        int(control.users.sum()),
        int(treatment.users.sum()),
    )


def _median(sample: ranks.Weighted) -> float:
    order = np.argsort(sample.values)
    upto = np.cumsum(sample.users[order])
    middle = [np.searchsorted(upto, place) for place in ((upto[-1] + 1) // 2, upto[-1] // 2 + 1)]
    return float(sample.values[order][middle].mean())


def smoothed_ctr(
    control: Cells,
    treatment: Cells,
    *,
    alpha: float = 0.05,
    strength: float = SMOOTHING,
    prior: Literal["control", "own"] = "control",
) -> Comparison:
    """Compare the mean of the users' CTR drawn towards a global CTR.

    Parameters
    ----------
    control : Cells
        The control group, users without views included: they have the prior's CTR.
    treatment : Cells
        The treated group.
    alpha : float
        One minus the level of the intervals.
    strength : float
        How many views the prior is worth.
    prior : {"control", "own"}
        Whose global CTR: the control's for both groups, or each group's own. The latter is
        **dishonest**: it gives the users of one group something in common, which the test takes
        for their own merit, and rejects too often when nothing differs.

    Returns
    -------
    Comparison
        ``smoothed_ctr``, or ``smoothed_ctr_own``.

    Raises
    ------
    SampleError
        If the strength is not positive, or as `compare_means` does.
    """
    if not 0 < strength < math.inf:
        raise SampleError(f"The smoothing is worth {strength} views, needed is more than 0.")
    priors = [global_ctr(control), global_ctr(control if prior == "control" else treatment)]
    groups = [
        moments((group.likes + strength * ctr) / (group.views + strength), group.users)
        for group, ctr in zip((control, treatment), priors, strict=True)
    ]
    method = "smoothed_ctr" if prior == "control" else "smoothed_ctr_own"
    return compare_means(method, *groups, alpha=alpha)


def global_ctr(group: Cells) -> float:
    """Return the likes of all users over the views of all users.

    Parameters
    ----------
    group : Cells
        A group.

    Returns
    -------
    float
        From 0 to 1 where no view has two likes.

    Raises
    ------
    SampleError
        If nobody viewed anything.
    """
    views = int(group.users @ group.views)
    if views == 0:
        raise SampleError(f"None of the {group.n_users} users of a group viewed anything.")
    return int(group.users @ group.likes) / views


def buckets_t(control: Buckets, treatment: Buckets, *, alpha: float = 0.05) -> Comparison:
    """Compare the mean CTR of hash buckets.

    Parameters
    ----------
    control : Buckets
        The control group.
    treatment : Buckets
        The treated group.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    Comparison
        A bucket's CTR is all its likes over all its views.

    Raises
    ------
    SampleError
        If a bucket has no views, or as `compare_means` does.
    """
    groups = [moments(*_bucket_ctr(group)) for group in (control, treatment)]
    return compare_means("buckets_t", *groups, alpha=alpha)


def buckets_rank(control: Buckets, treatment: Buckets, *, alpha: float = 0.05) -> Comparison:
    """Compare the ranks of the CTR of hash buckets.

    Parameters
    ----------
    control : Buckets
        The control group.
    treatment : Buckets
        The treated group.
    alpha : float
        One minus the level of the interval.

    Returns
    -------
    Comparison
        The estimate is the probability that a treated bucket exceeds one of the control.

    Raises
    ------
    SampleError
        If a bucket has no views or all are equal.
    """
    groups = [_bucket_ctr(group) for group in (control, treatment)]
    return _compare_ranks("buckets_rank", *groups, alpha=alpha)


def _bucket_ctr(group: Buckets) -> ranks.Weighted:
    views, likes = np.asarray(group.views, dtype=float), np.asarray(group.likes, dtype=float)
    empty = int((~(views > 0)).sum())
    if empty or not np.isfinite(likes).all():
        raise SampleError(f"{empty} of {len(views)} buckets have no views; take fewer buckets.")
    return ranks.Weighted(likes / views, np.ones(len(views), dtype=np.int64))
