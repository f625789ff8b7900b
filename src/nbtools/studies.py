"""The users of an experiment as the engine sums them up: cells, sums, buckets, days, salts.

No row leaves the engine for a user. One scan of the users' days gives everything that the tests
of a study need: each group's cells and sums, those of its segments and of its hash buckets. Its
course by day and its splits under other salts are a scan each, for the pages that show them.
What is scanned, the rollup or the events, `nbtools.user_days` decides.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbtools.cells import Buckets, Cells, Sums, make_cells, sums_of_row
from nbtools.errors import NoDataError
from nbtools.user_days import UserDays, find_rows
from nbtools.warehouse import Connection

# What the groups are divided by, in the order of the pages.
SEGMENTS = ("os", "source", "gender", "age", "country", "activity")
COLUMNS = ("likes", "likes_before", "views", "views_before")
# Salts of one scan, the most that its statement takes.
_SALTS_AT_ONCE = 1024


class Study(NamedTuple):
    """The feed's users of a window, summed up by experiment group.

    A user is in it with at least one view in the window.

    Attributes
    ----------
    first, last : datetime.date
        The window, both days included.
    before_days : int
        Days before it whose views and likes are the covariates.
    rows : DataFrame
        As ``sql/experiments/totals.sql`` describes, for all groups of the app.
    origin : str
        What was read and why, a sentence for the page.
    """

    first: date
    last: date
    before_days: int
    rows: pd.DataFrame
    origin: str = ""

    @property
    def groups(self) -> list[int]:
        """Experiment groups with users, in order."""
        return sorted({int(group) for group in self._part("total")["exp_group"]})

    @property
    def users_in_two_groups(self) -> int:
        """Number of users seen in more than one group; a sound splitter has none."""
        return int(self._part("total")["users_in_two_groups"].sum())

    def _part(self, part: str, group: int | None = None) -> pd.DataFrame:
        rows = self.rows[self.rows["part"] == part]
        return rows if group is None else rows[rows["exp_group"] == group]

    def cells(self, group: int) -> Cells:
        """Return the cells of a group.

        Parameters
        ----------
        group : int
            Experiment group.

        Raises
        ------
        NoDataError
            If nobody of it viewed anything in the window.
        """
        rows = self._part("cells", group)
        self._not_empty(rows, group)
        return make_cells(rows["cell_views"], rows["cell_likes"], rows["users"])

    def sums(self, group: int, part: str = "total", value: str = "") -> Sums:
        """Return the exact sums of a group, or of a segment of it.

        Parameters
        ----------
        group : int
            Experiment group.
        part : str
            ``total`` or one of `SEGMENTS`.
        value : str
            Value of the segment.

        Returns
        -------
        Sums
            Of `COLUMNS`.

        Raises
        ------
        NoDataError
            If it has no users.
        """
        rows = self._part(part, group)
        rows = rows[rows["value"] == value]
        self._not_empty(rows, group)
        numbers = {str(name): value for name, value in rows.iloc[0].items()}
        return sums_of_row(numbers, COLUMNS)

    def buckets(self, group: int) -> Buckets:
        """Return the views and likes of a group by hash bucket of the user."""
        rows = self._part("bucket", group)
        self._not_empty(rows, group)
        return Buckets(rows["views"].to_numpy(), rows["likes"].to_numpy())

    def sizes(self, part: str = "total") -> pd.DataFrame:
        """Return the number of users, one row a value of the part, one column a group.

        Parameters
        ----------
        part : str
            ``total``, ``first_day`` or one of `SEGMENTS`.
        """
        rows = self._part(part)
        table = rows.pivot_table(
            index="value", columns="exp_group", values="users", aggfunc="sum", fill_value=0
        )
        return table.astype("int64")

    def _not_empty(self, rows: pd.DataFrame, group: int) -> None:
        if rows.empty:
            raise NoDataError(
                f"Group {group} has no users from {self.first} to {self.last}; "
                f"groups with users: {', '.join(map(str, self.groups)) or 'none'}."
            )


def load(
    source: Connection | UserDays,
    first: date,
    last: date,
    *,
    tz: str,
    before_days: int = 7,
    buckets: int = 50,
) -> Study:
    """Sum up the users of a window in one scan.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    first, last : datetime.date
        The window, both days included, in the app's time zone.
    tz : str
        That zone.
    before_days : int
        Days before the window whose views and likes are the covariates.
    buckets : int
        Into how many a hash of the user's number divides the users.

    Returns
    -------
    Study
        Of all experiment groups.

    Raises
    ------
    NoDataError
        If nobody viewed anything in the window.
    """
    found = find_rows(source, first - timedelta(before_days), last, tz=tz)
    rows = found.connection.frame(
        "experiments/totals",
        first=first,
        last=last,
        before_days=before_days,
        buckets=buckets,
        tz=tz,
    )
    if rows.empty:
        raise NoDataError(f"Nobody viewed a post from {first} to {last}.")
    return Study(first, last, before_days, rows, found.origin)


def require_groups(
    source: Connection | UserDays,
    first: date,
    last: date,
    groups: Sequence[int],
    *,
    tz: str,
    fewest: int = 2,
) -> None:
    """Refuse a study whose groups have nobody to compare.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    first, last : datetime.date
        The window, both days included, in the app's time zone.
    groups : sequence of int
        Experiment groups, the control first.
    tz : str
        The app's time zone.
    fewest : int
        Users that each of them needs.

    Raises
    ------
    NoDataError
        If there are no views in the window, a group has too few users in it, or the CTR of all
        users of a group and of the control is the same, so that no test is defined.
    """
    rows = _frame(source, "experiments/groups", first, last, tz=tz)
    users = dict(zip(rows["exp_group"].astype(int), rows["users"].astype(int), strict=True))
    if not users:
        raise NoDataError(f"Nobody viewed a post from {first} to {last}.")
    for group in groups:
        if users.get(group, 0) < fewest:
            there = ", ".join(f"{name} ({count} users)" for name, count in users.items())
            raise NoDataError(
                f"Group {group} has {users.get(group, 0)} users from {first} to {last}, a "
                f"comparison needs at least {fewest}; there are {there}."
            )
    alike = set(rows.loc[rows["lowest"] == rows["highest"], "exp_group"].astype(int))
    for group in groups[1:]:
        if {groups[0], group} <= alike:
            raise NoDataError(
                f"From {first} to {last} all users of group {groups[0]} have the same CTR, and so "
                f"have those of group {group}; a comparison needs users who differ."
            )


def days(source: Connection | UserDays, first: date, last: date, *, tz: str) -> pd.DataFrame:
    """Return the course of a window, one row a day and group.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    first, last : datetime.date
        The window, both days included, in the app's time zone.
    tz : str
        That zone.

    Returns
    -------
    DataFrame
        As ``sql/experiments/days.sql`` describes.
    """
    return _frame(source, "experiments/days", first, last, tz=tz)


def _frame(
    source: Connection | UserDays, name: str, first: date, last: date, *, tz: str, **values: object
) -> pd.DataFrame:
    """Return the rows of a statement about a window without the days before it."""
    connection = find_rows(source, first, last, tz=tz).connection
    return connection.frame(name, first=first, last=last, before_days=0, tz=tz, **values)


def salts(count: int, seed: int = 0) -> list[int]:
    """Return salts for `resplit`, drawn from a seed.

    Salts that follow each other are less independent under the engine's hash than drawn ones.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of the draw.
    """
    return [int(salt) for salt in np.random.default_rng(seed).integers(0, 2**63, count)]


class Halves(NamedTuple):
    """The same users split in halves by many salts.

    Attributes
    ----------
    everyone : dict of str to float
        Sums over all users, by the names of ``sql/experiments/salts.sql``.
    first : dict of str to ndarray of float64, shape (n_salts,)
        The same over the first half of each split; ``also_next`` are those of them who are in
        the first half of the next split too, NaN where no next one was made.
    """

    everyone: dict[str, float]
    first: dict[str, NDArray[np.float64]]


def resplit(
    source: Connection | UserDays,
    window: tuple[date, date],
    groups: Sequence[int],
    salts: Sequence[int],
    *,
    tz: str,
    before_days: int = 7,
) -> Halves:
    """Split the users of some groups in halves anew, once for each salt, inside the engine.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    window : tuple of datetime.date
        First and last day, in the app's time zone.
    groups : sequence of int
        Experiment groups whose users are thrown together and split.
    salts : sequence of int
        Salts of the hash.
    tz : str
        The app's time zone.
    before_days : int
        Days before the window whose likes are the covariate.

    Returns
    -------
    Halves
        Which sums there are, ``sql/experiments/salts.sql`` says.
    """
    found = find_rows(source, window[0] - timedelta(before_days), window[1], tz=tz)
    pieces = [
        found.connection.frame(
            "experiments/salts",
            first=window[0],
            last=window[1],
            before_days=before_days,
            groups=list(groups),
            salts=list(salts[start : start + _SALTS_AT_ONCE]),
            tz=tz,
        ).drop(columns="place")
        for start in range(0, len(salts), _SALTS_AT_ONCE)
    ]
    for piece in pieces:
        # After the last salt of a scan comes none.
        piece["also_next"] = piece["also_next"].astype(float)
        piece.loc[piece.index[-1], "also_next"] = np.nan
    everyone = {str(name): float(value) for name, value in pieces[0].iloc[0].items()}
    halves = pd.concat([piece.iloc[1:] for piece in pieces])
    return Halves(everyone, {str(name): halves[name].to_numpy(dtype=float) for name in halves})


def users_above(
    source: Connection | UserDays,
    first: date,
    last: date,
    group: int,
    threshold: float,
    *,
    tz: str,
) -> pd.DataFrame:
    """Return how many users of a group have a CTR above a threshold, by their attributes.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    first, last : datetime.date
        The window, both days included, in the app's time zone.
    group : int
        Experiment group.
    threshold : float
        CTR, 0 to 1.
    tz : str
        The app's time zone.

    Returns
    -------
    DataFrame
        ``part`` (attribute), ``value``, ``users``, ``users_above``.
    """
    return _frame(
        source, "experiments/above", first, last, tz=tz, exp_group=group, threshold=threshold
    )
