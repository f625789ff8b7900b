"""The rollup ``user_days_v1``: which days it holds, and reading users from it or the events.

A row of the rollup is what a user did on a day, so a study of two weeks reads a row for each
day of a user and not for each event. The statements of studies name ``user_days`` what they
read. It stands for the rollup where that holds every day asked for, and else for the events, of
which each is like the day of a user with one event; the statements and their results are the
same.
"""

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import NamedTuple

from nbtools.settings import Settings
from nbtools.warehouse import Connection, open_source, open_warehouse

TABLE = "user_days_v1"
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)  # those of the engine's Date
_NAME = "user_days"
# Each thread sums up users in a table of its own, and the tables are merged: below so many rows
# a second thread costs more than it gains. One thread has no use for a table in many pieces.
_ROWS_OF_A_THREAD = 20_000_000
_ONE_THREAD = {
    "max_threads": 1,
    "group_by_two_level_threshold": 0,
    "group_by_two_level_threshold_bytes": 0,
}


class UserDays(NamedTuple):
    """Where studies read their users.

    Attributes
    ----------
    source : Connection
        The app's events.
    db : Connection or None
        The warehouse with the rollup; without it the events are read.
    """

    source: Connection
    db: Connection | None = None


class Rows(NamedTuple):
    """What is read for a range of days.

    Attributes
    ----------
    connection : Connection
        One whose statements may read ``user_days``.
    origin : str
        What that is and why, a sentence for the page.
    """

    connection: Connection
    origin: str


@contextmanager
def open_user_days(settings: Settings) -> Iterator[UserDays]:
    """Open the app's events and the warehouse with the rollup.

    Parameters
    ----------
    settings : Settings
        Where things are.

    Yields
    ------
    UserDays
        To be given to `nbtools.studies`.
    """
    with open_source(settings) as source, open_warehouse(settings) as db:
        yield UserDays(source, db)


def loaded_days(
    db: Connection, *, tz: str, first: date = _FIRST_DAY, last: date = _LAST_DAY
) -> list[date]:
    """Return the days that the rollup holds, in their order.

    Parameters
    ----------
    db : Connection
        The warehouse.
    tz : str
        The app's time zone; days that were cut in another one do not count.
    first, last : datetime.date
        The range asked for, both included.
    """
    return sorted(_sizes(db, first, last, tz))


def _sizes(db: Connection, first: date, last: date, tz: str) -> dict[date, int]:
    """Return the users of each day of a range that is there."""
    if not db.rows("system/exists", table=TABLE)[0][0]:
        return {}
    others = {day for (day,) in db.rows(f"{TABLE}/other_zones", tz=tz)}
    rows = db.rows(f"{TABLE}/sizes")
    return {day: users for _, day, users in rows if first <= day <= last and day not in others}


def find_rows(users: UserDays | Connection, first: date, last: date, *, tz: str) -> Rows:
    """Return the rollup where it holds all days of a range with events, else the events.

    Parameters
    ----------
    users : UserDays or Connection
        Where to look; a connection to the events stands for them alone.
    first, last : datetime.date
        The range, both included.
    tz : str
        The app's time zone.

    Returns
    -------
    Rows
        The events are as they are now, the rollup as they were when their days were loaded.
    """
    if isinstance(users, Connection):
        users = UserDays(users)
    events = dataclasses.replace(users.source, named={_NAME: "experiments/days_of_events"})
    if users.db is None:
        return Rows(events, "Read from the events.")
    loaded = _sizes(users.db, first, last, tz)
    missing = _first_missing(users.source, loaded, first, last, tz)
    if missing or not loaded:
        why = f"{missing} is not in {TABLE}" if missing else f"{TABLE} has none of the days"
        return Rows(events, f"Read from the events: {why}; make backfill loads it.")
    rollup = dataclasses.replace(
        users.db,
        named={_NAME: "experiments/days_of_users"},
        limits=_ONE_THREAD if sum(loaded.values()) < _ROWS_OF_A_THREAD else {},
    )
    return Rows(rollup, f"Read from {TABLE}, the users by day as the ETL has loaded them.")


def _first_missing(
    source: Connection, loaded: Collection[date], first: date, last: date, tz: str
) -> date | None:
    """Return the first day that has events and is not loaded."""
    days = (first + timedelta(place) for place in range((last - first).days + 1))
    for day in sorted(set(days) - set(loaded)):
        if not source.frame("daily_metrics_v1/has_events", date=day, tz=tz).empty:
            return day
    return None
