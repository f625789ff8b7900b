"""The interval of the difference of two global CTRs: the limit of the bootstrap, and replicates."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from timing import Work

from nbtools import bootstrap
from nbtools.cells import Cells, make_cells

REPLICATES = 2_000
CELLS = "nbtools, without replicates, from the engine's cells"
USERS = "nbtools, the cells made of an array of users first"
SCIPY, LOOP, MATRIX = (
    "scipy.stats.bootstrap, paired",
    "numpy, a loop over replicates",
    "a matrix of weights",
)

Real = NDArray[np.float64]
Users = tuple[Real, Real]
Draw = Callable[[Users, int, np.random.Generator], Real]


def users_of(cells: Cells) -> Users:
    """Return likes and views of each user."""
    return np.repeat(cells.likes, cells.users) * 1.0, np.repeat(cells.views, cells.users) * 1.0


def works(control: Cells, treatment: Cells) -> dict[str, Work]:
    """Return the ways to the interval; replicates agree within their random error.

    Raises
    ------
    AssertionError
        If one does not.
    """
    groups = [users_of(cells) for cells in (control, treatment)]
    total = control.n_users + treatment.n_users
    few = max(4, min(200, int(4e7 / total)))
    exact = bootstrap.poisson_bootstrap(control, treatment)
    width = exact.upper - exact.lower
    found = {
        CELLS: Work(lambda: bootstrap.poisson_bootstrap(control, treatment)),
        USERS: Work(lambda: bootstrap.poisson_bootstrap(*map(_cells, groups))),
    }
    draws: dict[str, Draw] = {SCIPY: _scipy, LOOP: _loop, MATRIX: _matrix}
    for title, draw in draws.items():
        _require_equal(title, _difference(draw, groups, few), (exact.estimate, width))
        found[title] = Work(
            lambda draw=draw: _difference(draw, groups, few), REPLICATES / few, rounds=2
        )
    rng = np.random.default_rng(0)
    many = bootstrap.replicates(treatment, 20_000, rng) - bootstrap.replicates(control, 20_000, rng)
    _require_equal("ends", many, (exact.estimate, width))
    # The standard error of a 2.5 % quantile of a normal law, in widths of its 95 % interval.
    error = np.sqrt(0.025 * 0.975 / len(many)) / 0.0584 / (2 * 1.96)
    ends = np.quantile(many, [0.025, 0.975])
    assert (abs(ends - [exact.lower, exact.upper]) < 5 * error * width).all(), "The ends differ."
    return found


def _require_equal(title: str, drawn: Real, expected: tuple[float, float]) -> None:
    """End the program if mean or spread differ by more than five standard errors."""
    spread = expected[1] / (2 * 1.96)
    n = len(drawn)
    assert abs(drawn.mean() - expected[0]) < 5 * spread / np.sqrt(n), f"{title}: another centre"
    assert abs(drawn.std() / spread - 1) < 5 / np.sqrt(2 * n) + 2 / n, f"{title}: another width"


def _cells(users: Users) -> Cells:
    return make_cells(users[1], users[0])


def _difference(draw: Draw, groups: list[Users], count: int) -> Real:
    rng = np.random.default_rng(1)
    control, treatment = (draw(users, count, rng) for users in groups)
    return treatment - control


def _ratio(likes: Real, views: Real, axis: int = -1) -> Real:
    ratio: Real = likes.sum(axis=axis) / views.sum(axis=axis)
    return ratio


def _scipy(users: Users, count: int, rng: np.random.Generator) -> Real:
    found = stats.bootstrap(
        users,
        _ratio,
        paired=True,
        vectorized=True,
        n_resamples=count,
        batch=max(1, int(2e6 / len(users[0]))),
        method="percentile",
        rng=rng,
    )
    return found.bootstrap_distribution


def _loop(users: Users, count: int, rng: np.random.Generator) -> Real:
    likes, views = users
    ratios = np.empty(count)
    for place in range(count):
        weights = rng.poisson(1, len(likes))
        ratios[place] = (weights @ likes) / (weights @ views)
    return ratios


def _matrix(users: Users, count: int, rng: np.random.Generator) -> Real:
    likes, views = users
    weights = stats.poisson(1).rvs((count, len(likes)), random_state=rng)
    ratios: Real = (weights * likes).sum(axis=1) / (weights * views).sum(axis=1)
    return ratios
