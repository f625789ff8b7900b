"""Thousands of random halves of the same users at once.

The users are put into a random order, and each row of a Walsh-Hadamard matrix, plus or minus one
a place, halves them. One fast transform of a column gives what every row's halves differ by in
the sum of that column, so the price of ten thousand splits is that of a few sorts. Any two rows of
one order are uncorrelated, but all of them together are too even: no more than a tenth of the
rows serve one order, then the users are shuffled again.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from nbtools.errors import SampleError

Real = NDArray[np.float64]

# The part of the rows of one order that is used.
ROWS_USED = 0.1
# A matrix of this many bits fits the fastest cache.
_BITS = 6
# Blocks of users in a bucket where there are enough users, and shuffles where there are not.
_PARTS = 16
_SHUFFLES = 200


def transform(columns: Real) -> Real:
    """Return the Walsh-Hadamard transform of each row of an array.

    Parameters
    ----------
    columns : ndarray of float64, shape (n_columns, 2**k)
        A column of the users in each row. Whole numbers stay exact below 2**53.

    Returns
    -------
    ndarray of float64, shape (n_columns, 2**k)
        In the order of `scipy.linalg.hadamard`.
    """
    count, size = columns.shape
    bits = size.bit_length() - 1
    result = columns
    while bits > 0:
        width = min(_BITS, bits)
        matrix = linalg.hadamard(2**width).astype(float)
        # The lowest bits of the place are transformed and become the highest; after all of them
        # the order is the old one.
        result = matrix @ result.reshape(count, -1, 2**width).swapaxes(1, 2)
        bits -= width
    return result.reshape(columns.shape)


def halves(columns: Real, users: NDArray[np.int64], splits: int, rng: np.random.Generator) -> Real:
    """Return the sums of columns over one half of the users, for many random halves.

    Parameters
    ----------
    columns : ndarray of float64, shape (n_columns, n_cells)
        What each user of a cell has.
    users : ndarray of int64, shape (n_cells,)
        Users of each cell.
    splits : int
        How many halves. Each user is in one with probability a half.
    rng : numpy.random.Generator
        Shuffles the users and picks the rows.

    Returns
    -------
    ndarray of float64, shape (n_columns, splits)
        The sums over the other half are what is missing to the totals.
    """
    totals = (columns @ users)[:, None]
    found = []
    for order, count in orders(users, splits, rng):
        places = np.zeros((len(columns), _power_of_two(len(order))))
        places[:, : len(order)] = columns[:, order]
        rows = 1 + rng.choice(places.shape[1] - 1, count, replace=False)
        # Every row has a plus first, so one user would always be in the same half.
        signs = rng.choice((-1.0, 1.0), count)
        found.append((totals + signs * transform(places)[:, rows]) / 2)
    return np.concatenate(found, axis=1)


def orders(
    users: NDArray[np.int64], splits: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Yield random orders of the users and how many splits each may serve.

    Parameters
    ----------
    users : ndarray of int64, shape (n_cells,)
        Users of each cell.
    splits : int
        How many are wanted in all.
    rng : numpy.random.Generator
        Shuffles.

    Yields
    ------
    order : ndarray of int, shape (n_users,)
        Cell of each user.
    count : int
        Splits to be made of this order.

    Raises
    ------
    SampleError
        If no split is wanted or there are fewer than two users.
    """
    n = int(users.sum())
    if splits < 1 or n < 2:
        raise SampleError(f"{splits} splits of {n} users are asked for; needed are 1 and 2.")
    most = max(1, int(ROWS_USED * _power_of_two(n)))
    cells = np.repeat(np.arange(len(users)), users)
    for start in range(0, splits, most):
        yield rng.permutation(cells), min(most, splits - start)


def bucket_halves(
    columns: Real,
    users: NDArray[np.int64],
    splits: int,
    rng: np.random.Generator,
    *,
    buckets: int,
) -> tuple[Real, Real]:
    """Return the sums over random halves by random bucket.

    Parameters
    ----------
    columns : ndarray of float64, shape (n_columns, n_cells)
        What each user of a cell has.
    users : ndarray of int64, shape (n_cells,)
        Users of each cell.
    splits : int
        How many halves.
    rng : numpy.random.Generator
        Shuffles the users into buckets, picks rows and turns the signs of buckets.
    buckets : int
        Buckets of each half.

    Returns
    -------
    one, other : ndarray of float64, shape (n_columns, splits, buckets)
        Sums over the halves. A map of users to buckets has its own error rate, so every split has
        its own: the users are shuffled into blocks now and then, the blocks into buckets always.
    """
    order = np.repeat(np.arange(len(users)), users)
    parts = min(_PARTS, max(1, len(order) // (buckets * _PARTS)))
    most = max(1, splits * parts // _SHUFFLES)
    ones: list[Real] = []
    others: list[Real] = []
    for start in range(0, splits, most):
        size = (min(most, splits - start), buckets * parts)
        order = rng.permutation(order)
        whole, change = _by_block(columns[:, order], size[1])
        # Row 0 does not halve.
        rows = rng.integers(1, change.shape[2], size[0])[:, None]
        place = rng.permuted(np.broadcast_to(np.arange(size[1]), size), axis=1)
        turned = rng.choice((-1.0, 1.0), size) * change[:, place, rows]
        for found, sign in ((ones, 1), (others, -1)):
            blocks = (whole[:, place] + sign * turned) / 2
            found.append(blocks.reshape(len(columns), size[0], buckets, parts).sum(axis=3))
    return np.concatenate(ones, axis=1), np.concatenate(others, axis=1)


def _by_block(columns: Real, blocks: int) -> tuple[Real, Real]:
    # A block is a stretch of the order; as even as they come, padded to a power of two.
    n = columns.shape[1]
    edges = np.arange(blocks + 1) * n // blocks
    places = np.zeros((len(columns), blocks, _power_of_two(-(-n // blocks))))
    for block, (start, stop) in enumerate(pairwise(edges)):
        places[:, block, : stop - start] = columns[:, start:stop]
    change = transform(places.reshape(-1, places.shape[2])).reshape(places.shape)
    return places.sum(axis=2), change


def _power_of_two(n: int) -> int:
    return 1 << max(1, (n - 1).bit_length())
