"""Groups of users with a known truth, for the tests of the statistics."""

import numpy as np

from nbtools.cells import Cells, Sums, Whole, make_cells, sums_of_users


def draw_users(n: int, seed: int, uplift: float = 0.0) -> tuple[Whole, Whole]:
    """Return views and likes of users whose CTR varies around 0.2."""
    rng = np.random.default_rng(seed)
    views = 1 + rng.poisson(rng.lognormal(3, 0.75, n))
    ctr = np.minimum(1, rng.beta(6, 24, n) * (1 + uplift))
    return views, rng.binomial(views, ctr)


def draw_cells(n: int, seed: int, uplift: float = 0.0) -> Cells:
    """Return the same as cells."""
    return make_cells(*draw_users(n, seed, uplift))


def draw_columns(n: int, seed: int, uplift: float = 0.0) -> dict[str, Whole]:
    """Return views and likes of users now and before, with the same taste."""
    rng = np.random.default_rng(seed)
    taste, activity = rng.beta(6, 24, n), rng.lognormal(3, 0.75, n)
    views, before = 1 + rng.poisson(activity), rng.poisson(activity)
    likes = rng.binomial(views, np.minimum(1, taste * (1 + uplift)))
    past = rng.binomial(before, taste)
    return {"likes": likes, "views": views, "likes_before": past, "views_before": before}


def draw_sums(n: int, seed: int, uplift: float = 0.0) -> Sums:
    """Return the exact sums of `draw_columns`."""
    return sums_of_users(draw_columns(n, seed, uplift))


def as_users(cells: Cells) -> tuple[Whole, Whole]:
    """Return views and likes with a row per user."""
    return np.repeat(cells.views, cells.users), np.repeat(cells.likes, cells.users)
