"""What is kept of an experiment's users: cells and exact sums.

Users with equal views and likes are interchangeable for every test that does not ask who they
are, so a group is a table of its distinct (views, likes) with the number of users of each: about
twelve thousand cells of a million users, and nothing is lost. Tests of means and ratios need
less: sums, squares and products. They are kept as whole numbers, and a variance is computed from
them in rational arithmetic, so it is the same to the last bit whatever the order of the rows and
does not lose digits where the mean is large against the spread.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbtools.errors import SampleError

Whole = NDArray[np.int64]
Real = NDArray[np.float64]

# Two counts below it make one 64-bit key.
_LARGEST = 2**31 - 1
_INT64_SAFE = 2.0**62


class Cells(NamedTuple):
    """The users of one group, a row per distinct (views, likes), in that order.

    Attributes
    ----------
    views : ndarray of int64, shape (n_cells,)
        Views of each user of the cell.
    likes : ndarray of int64, shape (n_cells,)
        Likes of each user of the cell.
    users : ndarray of int64, shape (n_cells,)
        How many users there are, at least 1.
    """

    views: Whole
    likes: Whole
    users: Whole

    @property
    def n_users(self) -> int:
        """Number of users of the group."""
        return int(self.users.sum())


class Buckets(NamedTuple):
    """A group's users thrown together by a hash of their number.

    Attributes
    ----------
    views : array_like of int, shape (n_buckets,)
        Sum of the views of each bucket's users.
    likes : array_like of int, shape (n_buckets,)
        Sum of their likes.
    """

    views: ArrayLike
    likes: ArrayLike


class Sums(NamedTuple):
    """Sufficient statistics of one group, in whole numbers.

    Attributes
    ----------
    users : int
        Number of users.
    totals : mapping of str to int
        Sum over the users of each column, such as ``likes``, ``views``, ``likes_before``.
    products : mapping of (str, str) to int
        Sum over the users of the product of two columns, names in alphabetical order; a square
        is a pair of equal names.
    """

    users: int
    totals: Mapping[str, int]
    products: Mapping[tuple[str, str], int]

    def total(self, name: str) -> int:
        """Return the sum of a column."""
        if name not in self.totals:
            raise SampleError(f"There is no column {name!r} among {', '.join(self.totals)}.")
        return self.totals[name]

    def mean(self, name: str) -> Fraction:
        """Return the exact mean of a column."""
        return Fraction(self.total(name), self.users)

    def covariance(self, left: str, right: str) -> Fraction:
        """Return the exact sample covariance of two columns, a variance if they are one."""
        if self.users < 2:
            raise SampleError(f"A group has {self.users} users, a variance needs at least 2.")
        both = self.products[min(left, right), max(left, right)]
        cross = self.users * both - self.total(left) * self.total(right)
        return Fraction(cross, self.users * (self.users - 1))


def make_cells(views: ArrayLike, likes: ArrayLike, users: ArrayLike | None = None) -> Cells:
    """Return cells from users or from rows that are cells already.

    Parameters
    ----------
    views : array_like of int, shape (n,)
        Views of a user, or of each user of a row.
    likes : array_like of int, shape (n,)
        Likes of the same.
    users : array_like of int, shape (n,), optional
        How many users a row stands for; one each if it is left out. Rows of no users vanish.

    Returns
    -------
    Cells
        Equal rows merged, ordered by views, then likes.

    Raises
    ------
    SampleError
        If a number is missing, negative, no whole number or above 2**31 - 1, if the columns
        differ in length, or if there are no users at all.

    Examples
    --------
    >>> make_cells([3, 1, 3], [1, 0, 1]).users.tolist()
    [1, 2]
    """
    columns = [_whole("views", views), _whole("likes", likes)]
    columns.append(np.ones_like(columns[0]) if users is None else _whole("users", users))
    if len({column.shape for column in columns}) > 1:
        raise SampleError("The columns of views, likes and users differ in length.")
    keys = columns[0] * (_LARGEST + 1) + columns[1]
    if users is None:
        kept, counts = np.unique(keys, return_counts=True)
    else:
        kept, counts = _counted(keys, columns[2])
    if not kept.size:
        raise SampleError("A group has 0 users, at least 1 is needed.")
    return Cells(kept // (_LARGEST + 1), kept % (_LARGEST + 1), counts)


def _counted(keys: Whole, users: Whole) -> tuple[Whole, Whole]:
    keys, users = keys[users > 0], users[users > 0]
    order = np.argsort(keys, kind="stable")
    kept, starts = np.unique(keys[order], return_index=True)
    return kept, np.add.reduceat(users[order], starts) if kept.size else users


def _whole(name: str, values: ArrayLike) -> Whole:
    found = np.asarray(values)
    if found.ndim != 1 or found.dtype.kind not in "iufb":
        raise SampleError(f"The column {name} is no list of numbers.")
    if found.dtype.kind == "f" and not (np.isfinite(found) & (found == np.floor(found))).all():
        raise SampleError(f"The column {name} has values that are missing or no whole numbers.")
    if found.size and not (found.min() >= 0 and found.max() <= _LARGEST):
        raise SampleError(
            f"The column {name} goes from {found.min()} to {found.max()},"
            f" needed are 0 to {_LARGEST}."
        )
    return found.astype(np.int64)


def pool_cells(*groups: Cells) -> Cells:
    """Return the cells of several groups taken as one.

    Parameters
    ----------
    *groups : Cells
        One or more groups without common users.

    Returns
    -------
    Cells
        Equal cells merged.
    """
    views, likes, users = (np.concatenate(column) for column in zip(*groups, strict=True))
    return make_cells(views, likes, users)


def exposed(cells: Cells) -> Cells:
    """Return the users with at least one view, the only ones with a CTR of their own.

    Parameters
    ----------
    cells : Cells
        A group.

    Returns
    -------
    Cells
        The group without the users who viewed nothing.

    Raises
    ------
    SampleError
        If nobody viewed anything.
    """
    seen = cells.views > 0
    if not seen.any():
        raise SampleError(f"None of the {cells.n_users} users of a group viewed anything.")
    return Cells(*(column[seen] for column in cells))


def sums_of_users(columns: Mapping[str, ArrayLike]) -> Sums:
    """Return the exact sums of columns that have one row per user.

    Parameters
    ----------
    columns : mapping of str to array_like of int, shape (n_users,)
        Such as ``likes`` and ``views``; the same user in the same row of each.

    Returns
    -------
    Sums
        Totals, squares and products of all pairs of columns.

    Raises
    ------
    SampleError
        As `make_cells` does.
    """
    arrays = {name: _whole(name, values) for name, values in columns.items()}
    if len({array.shape for array in arrays.values()}) != 1:
        raise SampleError("The columns of one group differ in length.")
    return _sums(arrays, np.ones(len(next(iter(arrays.values()))), dtype=np.int64))


def sums_of_cells(cells: Cells) -> Sums:
    """Return the exact sums of a group's likes and views.

    Parameters
    ----------
    cells : Cells
        A group.

    Returns
    -------
    Sums
        The same as the sums over its users.
    """
    return _sums({"likes": cells.likes, "views": cells.views}, cells.users)


def sums_of_row(row: Mapping[str, int], columns: Sequence[str]) -> Sums:
    """Return the sums that a query has computed.

    Parameters
    ----------
    row : mapping of str to int
        ``users``, a sum under each column's name, and under ``<left>__<right>`` the sum of the
        product of each pair, names in alphabetical order: ``likes__likes``, ``likes__views``.
    columns : sequence of str
        The columns.

    Returns
    -------
    Sums
        The same numbers by column.

    Raises
    ------
    SampleError
        If a number is missing or there are no users.
    """
    pairs = _pairs(columns)
    absent = [
        key
        for key in ("users", *columns, *(f"{left}__{right}" for left, right in pairs))
        if row.get(key) is None
    ]
    if absent:
        raise SampleError(f"The sums of a group lack {', '.join(absent)}.")
    if row["users"] < 1:
        raise SampleError("A group has 0 users, at least 1 is needed.")
    return Sums(
        int(row["users"]),
        {name: int(row[name]) for name in columns},
        {pair: int(row["__".join(pair)]) for pair in pairs},
    )


def pool_sums(left: Sums, right: Sums) -> Sums:
    """Return the sums of two groups taken as one.

    Parameters
    ----------
    left : Sums
        A group.
    right : Sums
        A group without users of the other, with the same columns.

    Returns
    -------
    Sums
        Added number by number.
    """
    return Sums(
        left.users + right.users,
        {name: left.total(name) + right.total(name) for name in left.totals},
        {pair: left.products[pair] + right.products[pair] for pair in left.products},
    )


def _pairs(columns: Sequence[str]) -> list[tuple[str, str]]:
    names = sorted(columns)
    return [(a, b) for i, a in enumerate(names) for b in names[i:]]


def _sums(columns: Mapping[str, Whole], users: Whole) -> Sums:
    n = int(users.sum())
    if n < 1:
        raise SampleError("A group has 0 users, at least 1 is needed.")
    totals = {name: _dot(users, column) for name, column in columns.items()}
    pairs = _pairs(list(columns))
    return Sums(n, totals, {(a, b): _dot(users, columns[a], columns[b]) for a, b in pairs})


def _dot(users: Whole, *columns: Whole) -> int:
    bound = float(users.sum()) * float(np.prod([float(column.max()) for column in columns]))
    if bound < _INT64_SAFE:
        return int((users * np.prod(columns, axis=0)).sum())
    # Python's whole numbers do not overflow.
    wide = users.astype(object)
    for column in columns:
        wide = wide * column.astype(object)
    return int(wide.sum())
