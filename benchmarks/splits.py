"""Ten thousand splits where nothing differs: random halves, and halves by the real hash."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import tea_tasting as tt
from bootstraps import users_of
from decisions import TZ, WINDOW
from numpy.typing import NDArray
from scipy import stats
from timing import Work

from nbtools import honesty, studies
from nbtools.cells import Cells
from nbtools.halftests import METHODS
from nbtools.user_days import UserDays

SPLITS = 10_000
# What one scan of the engine takes.
_SALTS = 1_024
WALSH = "nbtools, rows of Walsh-Hadamard transforms"
SCIPY, TEA = "numpy and scipy, a loop over splits", "tea-tasting, simulate on pandas"
ENGINE, PYTHON = "nbtools, inside the engine", "md5 of user and salt in Python, sums by numpy"
_BOTH = ("delta_ratio", "welch_ctr")
_TESTS = {
    "delta_ratio": tt.RatioOfMeans("likes", "views", use_t=False),
    "welch_ctr": tt.Mean("ctr"),
}

Real = NDArray[np.float64]
Bits = NDArray[np.bool_]


def works(cells: Cells) -> dict[str, Work]:
    """Return the ways to p-values of two tests on random halves.

    Raises
    ------
    AssertionError
        If on the same halves they do not find the same p-values.
    """
    likes, views = users_of(cells)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"likes": likes, "views": views, "ctr": likes / views})
    half = rng.random(len(likes)) < 0.5
    _require_equal(frame, half)
    few = max(10, int(1e7 / len(likes)))
    tea = max(5, int(2e6 / len(likes)))
    return {
        WALSH: Work(lambda: honesty.split_p_values(cells, splits=SPLITS, methods=_BOTH)),
        SCIPY: Work(lambda: _loop(frame, few, rng), SPLITS / few, rounds=3),
        TEA: Work(lambda: _simulate(frame, tea), SPLITS / tea, rounds=2),
    }


def _require_equal(frame: pd.DataFrame, half: Bits) -> None:
    data = frame.assign(variant=half.astype(int))
    found = tt.Experiment(_TESTS).analyze(data, control=0)
    peer = _pair(
        frame["likes"].to_numpy(), frame["views"].to_numpy(), frame["ctr"].to_numpy(), half
    )
    sums = []
    for chosen in (~half, half):
        x, y, r = (frame[name].to_numpy()[chosen] for name in ("likes", "views", "ctr"))
        columns = {"one": x * 0 + 1, "exposed": x * 0 + 1, "likes": x, "views": y, "ctr": r}
        columns |= {"likes2": x * x, "likes_views": x * y, "views2": y * y, "ctr2": r * r}
        sums.append({name: np.array([column.sum()]) for name, column in columns.items()})
    for place, name in enumerate(_BOTH):
        own = METHODS[name].p_values(*sums)[0]
        assert np.isclose(own, found[name].pvalue, rtol=1e-7), f"{name}: tea-tasting differs"
        assert np.isclose(own, peer[place], rtol=1e-7), f"{name}: scipy differs"


def _pair(likes: Real, views: Real, ctr: Real, half: Bits) -> tuple[float, float]:
    ratio, variance = [], 0.0
    for chosen in (~half, half):
        x, y = likes[chosen], views[chosen]
        ratio.append(x.sum() / y.sum())
        added = (x - ratio[-1] * y) / y.mean()
        variance += added.var(ddof=1) / len(x)
    p = 2 * stats.norm.sf(abs(ratio[1] - ratio[0]) / np.sqrt(variance))
    return float(p), float(stats.ttest_ind(ctr[half], ctr[~half], equal_var=False).pvalue)


def _loop(frame: pd.DataFrame, count: int, rng: np.random.Generator) -> Real:
    columns = [frame[name].to_numpy() for name in ("likes", "views", "ctr")]
    return np.array([_pair(*columns, rng.random(len(frame)) < 0.5) for _ in range(count)])


def _simulate(frame: pd.DataFrame, count: int) -> Any:
    return tt.Experiment(_TESTS).simulate(frame, count, rng=0)


def resplits(users: UserDays) -> dict[str, Work]:
    """Return the ways to the sums over halves by a hash of user and salt.

    The engine's hash is another one than md5, so of equal results only the sums over all users
    are checked, and that the halves are halves.

    Raises
    ------
    AssertionError
        If the users are not the same.
    """
    rows = users.source.client.query(
        _USERS, parameters={"first": WINDOW[0], "last": WINDOW[1], "tz": TZ}
    )
    names, table = (
        [str(row[0]).encode() for row in rows.result_rows],
        np.array([row[1:] for row in rows.result_rows], dtype=float),
    )
    found = studies.resplit(users, WINDOW, (0, 1), studies.salts(64), tz=TZ)
    assert found.everyone["one"] == len(names), "The users differ."
    assert found.everyone["likes"] == table[:, 1].sum(), "The likes differ."
    halves = _python(names, table, 2)[:, 0]
    assert (abs(halves - len(names) / 2) < 3 * np.sqrt(len(names))).all(), "Not halves."
    return {
        ENGINE: Work(
            lambda: studies.resplit(users, WINDOW, (0, 1), studies.salts(_SALTS), tz=TZ),
            SPLITS / _SALTS,
            rounds=2,
        ),
        PYTHON: Work(lambda: _python(names, table, 3), SPLITS / 3, rounds=3),
    }


_USERS = """\
SELECT
    user_id,
    countIf(action = 'view') AS views,
    countIf(action = 'like') AS likes
FROM app.feed_actions
WHERE time >= toDateTime({first:Date}, {tz:String})
  AND time < toDateTime({last:Date} + 1, {tz:String})
GROUP BY user_id
HAVING views > 0
"""


def _python(names: list[bytes], table: Real, count: int) -> Real:
    columns = np.column_stack([np.ones(len(table)), table, table**2, table[:, 0] * table[:, 1]])
    sums = []
    for salt in range(count):
        ending = str(salt).encode()
        half = [int(hashlib.md5(name + ending).hexdigest(), 16) % 2 for name in names]  # noqa: S324
        sums.append(np.array(half, dtype=float) @ columns)
    return np.array(sums)
