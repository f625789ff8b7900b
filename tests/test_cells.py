"""Cells and exact sums against the users that they stand for."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtools import cells
from nbtools.errors import SampleError
from tests import groups

USERS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=60)


@given(USERS, st.integers(0, 99))
def test_cells_are_the_users_in_any_order(users: list[tuple[int, int]], seed: int) -> None:
    views, likes = np.array(users).T
    found = cells.make_cells(views, likes)
    assert sorted(zip(*groups.as_users(found), strict=True)) == sorted(users)
    order = np.random.default_rng(seed).permutation(len(users))
    shuffled = cells.make_cells(views[order], likes[order])
    assert all((a == b).all() for a, b in zip(found, shuffled, strict=True))


@given(USERS, st.integers(1, 50))
def test_cells_merge_and_pool_to_the_same_users(users: list[tuple[int, int]], cut: int) -> None:
    views, likes = np.array(users).T
    whole = cells.make_cells(views, likes)
    cut = min(cut, len(users) - 1)
    parts = [cells.make_cells(views[s], likes[s]) for s in (slice(cut), slice(cut, None))]
    assert all((a == b).all() for a, b in zip(cells.pool_cells(*parts), whole, strict=True))
    assert whole.n_users == len(users)


@given(USERS)
def test_sums_over_cells_are_sums_over_users(users: list[tuple[int, int]]) -> None:
    views, likes = np.array(users).T
    by_user = cells.sums_of_users({"likes": likes, "views": views})
    assert cells.sums_of_cells(cells.make_cells(views, likes)) == by_user
    expected = np.cov(likes, views)
    for i, left in enumerate(("likes", "views")):
        for j, right in enumerate(("likes", "views")):
            assert float(by_user.covariance(left, right)) == pytest.approx(expected[i, j])


@settings(max_examples=30)
@given(USERS, USERS)
def test_pooled_sums_are_the_sums_of_all(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    parts = [
        cells.sums_of_users(dict(zip(("likes", "views"), np.array(users).T, strict=True)))
        for users in (one, other)
    ]
    both = cells.sums_of_users(dict(zip(("likes", "views"), np.array(one + other).T, strict=True)))
    assert cells.pool_sums(*parts) == both


@pytest.mark.parametrize("mean", [10**6, 10**9, 2 * 10**9])
def test_a_variance_keeps_all_digits_however_large_the_mean(mean: int) -> None:
    values = mean + np.array([0, 1, 2, 3] * 5_000)
    found = cells.sums_of_users({"x": values}).covariance("x", "x")
    assert found == Fraction(25_000, 19_999)


def test_sums_beyond_64_bits_do_not_overflow() -> None:
    values = np.full(100, 2**31 - 1)
    found = cells.sums_of_users({"x": values})
    assert found.products["x", "x"] == 100 * (2**31 - 1) ** 2 > 2**63
    assert found.covariance("x", "x") == 0


def test_sums_come_from_a_row_of_a_query() -> None:
    row = {"users": 3, "likes": 4, "views": 9, "likes__likes": 6, "likes__views": 13}
    found = cells.sums_of_row(row | {"views__views": 29}, ["views", "likes"])
    assert found == cells.sums_of_users({"likes": [1, 1, 2], "views": [2, 3, 4]})
    with pytest.raises(SampleError, match="lack views__views"):
        cells.sums_of_row(row, ["views", "likes"])
    with pytest.raises(SampleError, match="0 users"):
        cells.sums_of_row(row | {"views__views": 29, "users": 0}, ["views", "likes"])


@pytest.mark.parametrize(
    ("views", "likes", "message"),
    [
        ([1.0, float("nan")], [0, 0], "missing or no whole"),
        ([1.5, 2.0], [0, 0], "missing or no whole"),
        ([1, -1], [0, 0], "from -1 to 1"),
        ([1, 2**31], [0, 0], "needed are 0 to"),
        ([1, 2], [0], "differ in length"),
        ([], [], "no list of numbers|0 users"),
        (["a"], [0], "no list of numbers"),
        ([[1, 2]], [0], "no list of numbers"),
    ],
)
def test_bad_users_are_refused_in_one_line(
    views: list[float], likes: list[float], message: str
) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        cells.make_cells(views, likes)
    assert "\n" not in str(caught.value)


def test_a_group_without_users_or_views_or_columns_is_refused() -> None:
    with pytest.raises(SampleError, match="0 users"):
        cells.make_cells([1, 2], [1, 1], [0, 0])
    with pytest.raises(SampleError, match="None of the 3 users"):
        cells.exposed(cells.make_cells([0, 0, 0], [0, 0, 0]))
    one = cells.sums_of_users({"likes": [3]})
    with pytest.raises(SampleError, match="a variance needs at least 2"):
        one.covariance("likes", "likes")
    with pytest.raises(SampleError, match="no column 'clicks'"):
        one.mean("clicks")
    with pytest.raises(SampleError, match="differ in length"):
        cells.sums_of_users({"likes": [3], "views": [1, 2]})


def test_users_without_views_are_left_out_of_the_exposed() -> None:
    found = cells.exposed(cells.make_cells([0, 0, 5], [0, 1, 2], [10, 1, 7]))
    assert (found.views.tolist(), found.n_users) == ([5], 7)
