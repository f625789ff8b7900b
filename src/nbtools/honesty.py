"""Which tests are honest on these users: each on thousands of splits where nothing differs.

A test that rejects more often than alpha on random halves of the very same users finds effects
that are not there. With an uplift planted in one half the same splits show its power instead.
Most methods need no more of a half than sums of columns over its users, and the rank sum is one of
them; `nbtools.walsh` gives the sums for all splits at once.
"""

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nbtools import halftests, walsh
from nbtools.bootstrap import poisson_bootstrap
from nbtools.cells import Cells, Whole, exposed, make_cells, sums_of_users
from nbtools.errors import SampleError
from nbtools.halftests import METHODS
from nbtools.ranks import null_variance
from nbtools.splitting import welch_p_values

Real = NDArray[np.float64]

FEWEST_USERS = 100
BUCKETS = 50
# Users a bucket of one half has to have at least, on average.
_BUCKET_USERS = 10
# Binomial numbers drawn at a time.
_BATCH = 2_000_000


def split_p_values(
    cells: Cells,
    *,
    splits: int = 10_000,
    seed: int = 0,
    uplift: float = 0.0,
    methods: Collection[str] = tuple(METHODS),
) -> dict[str, Real]:
    """Return the p-values of several methods on the same random halves of the users.

    Parameters
    ----------
    cells : Cells
        All users.
    splits : int
        How many halvings.
    seed : int
        Of the halvings.
    uplift : float
        Share by which the likes of one half are raised, 0.05 for five per cent.
    methods : collection of str
        Names from `METHODS`. With an uplift the ranks change too, and ``mann_whitney`` is left to
        `rank_p_values`.

    Returns
    -------
    dict of str to ndarray of float64, shape (splits,)
        By method.

    Raises
    ------
    SampleError
        If fewer than `FEWEST_USERS` users viewed anything, all their values are equal, or a
        method is unknown or asks for what it cannot have.
    """
    _check_users(cells)
    _check_methods(methods, uplift)
    columns = halftests.columns_of(cells)
    names = sorted({name for method in methods for name in METHODS[method].columns})
    table = np.stack([columns[name] for name in names])
    treated = walsh.halves(table, cells.users, splits, np.random.default_rng(seed))
    control = (table @ cells.users)[:, None] - treated
    scale = np.array([[(1 + uplift) ** halftests.DEGREES.get(name, 0)] for name in names])
    ties = {"tie_factor": np.asarray(halftests.tie_factor(cells))}
    halves = [dict(zip(names, sums, strict=True)) | ties for sums in (control, treated * scale)]
    return {method: METHODS[method].p_values(*halves) for method in methods}


def _check_methods(methods: Collection[str], uplift: float) -> None:
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise SampleError(f"{', '.join(unknown) or 'Nothing'} is none of {', '.join(METHODS)}.")
    if not -1 < uplift < np.inf:
        raise SampleError(f"The uplift is {uplift}, needed is a share above -1.")
    if uplift and "mann_whitney" in methods:
        raise SampleError("mann_whitney with an uplift is computed by rank_p_values.")


def _check_users(cells: Cells) -> None:
    seen = exposed(cells)
    if seen.n_users < FEWEST_USERS:
        raise SampleError(f"{seen.n_users} users viewed anything, splits need {FEWEST_USERS}.")
    if np.ptp(seen.likes / seen.views) == 0:
        raise SampleError(f"All {seen.n_users} users have the same CTR, there is nothing to test.")


def cuped_p_values(
    likes: ArrayLike,
    likes_before: ArrayLike,
    *,
    splits: int = 10_000,
    seed: int = 0,
    uplift: float = 0.0,
) -> Real:
    """Return the p-values of CUPED on likes on random halves of the users.

    Parameters
    ----------
    likes : array_like of int, shape (n_users,)
        Likes of each user.
    likes_before : array_like of int, shape (n_users,)
        Likes of the same user before.
    splits : int
        How many halvings.
    seed : int
        Of the halvings.
    uplift : float
        Share by which the likes of one half are raised.

    Returns
    -------
    ndarray of float64, shape (splits,)
        The coefficient is that of all users, as in `ratios.cuped` without an uplift.

    Raises
    ------
    SampleError
        If there are fewer than `FEWEST_USERS` users or the past is the same for all.
    """
    sums = sums_of_users({"likes": likes, "before": likes_before})
    past = sums.covariance("before", "before")
    if sums.users < FEWEST_USERS or past == 0:
        raise SampleError(f"{sums.users} users need {FEWEST_USERS} and likes before that differ.")
    slope = float(sums.covariance("likes", "before") / past)
    x, y = np.asarray(likes, dtype=float), np.asarray(likes_before, dtype=float)
    table = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    users = np.ones(len(x), dtype=np.int64)
    treated = walsh.halves(table, users, splits, np.random.default_rng(seed))
    control = (table @ users)[:, None] - treated
    treated *= (1 + uplift) ** np.array([[0], [1], [0], [2], [1], [0]])
    return welch_p_values(*(_less_past(half, slope) for half in (control, treated)))


def _less_past(sums: Real, slope: float) -> tuple[Real, Real, Real]:
    n, x, y, xx, xy, yy = sums
    return halftests.moments(n, x - slope * y, xx - 2 * slope * xy + slope**2 * yy)


def bucket_p_values(
    cells: Cells,
    *,
    splits: int = 10_000,
    seed: int = 0,
    uplift: float = 0.0,
    buckets: int = BUCKETS,
) -> dict[str, Real]:
    """Return the p-values of the bucket methods on random halves of the users.

    Parameters
    ----------
    cells : Cells
        All users.
    splits : int
        How many halvings.
    seed : int
        Of the halvings and of the users' buckets.
    uplift : float
        Share by which the likes of one half are raised.
    buckets : int
        Buckets of each half.

    Returns
    -------
    dict of str to ndarray of float64, shape (splits,)
        ``buckets_t`` and ``buckets_rank``.

    Raises
    ------
    SampleError
        If there are too few users for the buckets, or a bucket has no views.
    """
    _check_users(cells)
    if buckets < 2 or cells.n_users < 2 * buckets * _BUCKET_USERS:
        raise SampleError(
            f"{cells.n_users} users are too few for {buckets} buckets of each half; needed are 2"
            f" buckets or more and {2 * _BUCKET_USERS} users for each."
        )
    table = np.stack([cells.likes, cells.views]).astype(float)
    rng = np.random.default_rng(seed)
    halves = walsh.bucket_halves(table, cells.users, splits, rng, buckets=buckets)
    if not min(half[1].min() for half in halves) > 0:
        raise SampleError("In some of the splits a bucket has no views; take fewer buckets.")
    treated, control = (half[0] / half[1] for half in halves)
    treated = treated * (1 + uplift)
    groups = [(buckets, x.mean(axis=1), x.var(axis=1, ddof=1)) for x in (control, treated)]
    ranks = stats.rankdata(np.concatenate([treated, control], axis=1), axis=1)
    statistic = ranks[:, :buckets].sum(axis=1) - buckets * (buckets + 1) / 2
    pairs = np.full(splits, float(buckets**2))
    return {
        "buckets_t": welch_p_values(*groups),
        "buckets_rank": halftests.rank_p_values(statistic, pairs, pairs * (2 * buckets + 1) / 12),
    }


def coin_halves(
    cells: Cells, splits: int, rng: np.random.Generator
) -> Iterator[tuple[Whole, Whole]]:
    """Yield batches of random halves of the users as counts by cell.

    Parameters
    ----------
    cells : Cells
        All users.
    splits : int
        How many halvings.
    rng : numpy.random.Generator
        Throws a coin for every user.

    Yields
    ------
    control, treatment : ndarray of int64, shape (n_splits_of_batch, n_cells)
        Users of each cell in either half.
    """
    batch = max(1, _BATCH // len(cells.users))
    for start in range(0, splits, batch):
        size = (min(batch, splits - start), len(cells.users))
        treated = rng.binomial(cells.users, 0.5, size)
        yield cells.users - treated, treated


def rank_p_values(cells: Cells, *, splits: int = 1_000, seed: int = 0, uplift: float = 0.0) -> Real:
    """Return the p-values of the Mann-Whitney test of user CTR with an uplift in one half.

    Parameters
    ----------
    cells : Cells
        All users; those without views are left out.
    splits : int
        How many halvings.
    seed : int
        Of the halvings.
    uplift : float
        Share by which the CTR of one half's users is raised.

    Returns
    -------
    ndarray of float64, shape (splits,)
        A p-value each.

    Raises
    ------
    SampleError
        As `split_p_values` does.
    """
    _check_users(cells)
    _check_methods(("welch_ctr",), uplift)
    seen = exposed(cells)
    ctr = seen.likes / seen.views
    order = np.argsort(ctr)
    ctr = ctr[order]
    raised = ctr * (1 + uplift)
    left, right = (np.searchsorted(ctr, raised, side) for side in ("left", "right"))
    _, place = np.unique(np.concatenate([ctr, raised]), return_inverse=True)
    found = []
    for halves in coin_halves(seen, splits, np.random.default_rng(seed)):
        control, treated = (half[:, order] for half in halves)
        below = np.pad(np.cumsum(control, axis=1), ((0, 0), (1, 0)))
        statistic = (treated * (below[:, left] + below[:, right])).sum(axis=1) / 2
        pairs = control.sum(axis=1) * treated.sum(axis=1)
        both = np.concatenate([control, treated], axis=1)
        variance = [
            null_variance(
                np.bincount(place, weights=row).astype(float), float(c.sum()), float(t.sum())
            )
            for row, c, t in zip(both, control, treated, strict=True)
        ]
        found.append(halftests.rank_p_values(statistic, pairs.astype(float), np.array(variance)))
    return np.concatenate(found)


def bootstrap_p_values(cells: Cells, *, splits: int = 500, seed: int = 0) -> Real:
    """Return the p-values of the Poisson bootstrap on random halves of the users.

    Parameters
    ----------
    cells : Cells
        All users.
    splits : int
        How many halvings, ten milliseconds each.
    seed : int
        Of the halvings.

    Returns
    -------
    ndarray of float64, shape (splits,)
        A p-value each.

    Raises
    ------
    SampleError
        As `split_p_values` and `bootstrap.poisson_bootstrap` do.
    """
    _check_users(cells)
    batches = coin_halves(cells, splits, np.random.default_rng(seed))
    return np.array(
        [
            poisson_bootstrap(
                make_cells(cells.views, cells.likes, c), make_cells(cells.views, cells.likes, t)
            ).p_value
            for control, treated in batches
            for c, t in zip(control, treated, strict=True)
        ]
    )
