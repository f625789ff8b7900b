"""The history of users' attributes: who a receiver is who does nothing on a day.

It holds a row per user and change, not per day, so its size and the cost of a look-up
depend on the users and not on how long the app has lived. Days enter it in their order,
without a gap, and count from the moment they are registered. So what is known before a
day depends on the events before it alone, not on which days were loaded when.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple
from uuid import uuid4

import pandas as pd

from nbtools import staging
from nbtools.warehouse import Connection

_SQL = "user_attributes_v1"
_DAYS_AT_ONCE = 31  # bounds the memory of the first load of a long history


class Known(NamedTuple):
    """How far the history reaches, seen from one day.

    Attributes
    ----------
    last : datetime.date or None
        The last day in it; all days before it are in it too.
    fingerprint : int
        Of the attributes of all who acted on the day itself, 0 if that is not in it.
    """

    last: date | None
    fingerprint: int


def known(db: Connection, day: date) -> Known:
    """Return how far the history reaches.

    Parameters
    ----------
    db : Connection
        The warehouse.
    day : datetime.date
        The day whose fingerprint is wanted.
    """
    row = db.frame(f"{_SQL}/known", date=day)
    last = _date(row["last_day"][0]) if row["days"][0] else None
    return Known(last, int(row["fingerprint"][0]))


def complete(db: Connection, source: Connection, reach: Known, day: date, *, tz: str) -> None:
    """Add the days before one that are not in the history; in daily operation there are none.

    Parameters
    ----------
    db, source : Connection
        The warehouse and the app's events.
    reach : Known
        How far it reaches.
    day : datetime.date
        The day, which has events.
    tz : str
        The app's time zone.
    """
    first = reach.last + timedelta(1) if reach.last else _first_day(source, tz)
    for start, end in _pieces(first, day - timedelta(1)):
        rows = source.arrow(f"{_SQL}/user_days", first=start, last=end, tz=tz)
        with staging.table(db, "daily_metrics_v1/create_users") as staged:
            db.insert(staged, rows)
            _add(db, staged, start, end, _fingerprints(db, staged))


def _first_day(source: Connection, tz: str) -> date:
    return _date(source.frame("daily_metrics_v1/event_days", tz=tz)["first_day"][0])


def _pieces(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(first + timedelta(_DAYS_AT_ONCE - 1), last)
        yield first, end
        first = end + timedelta(1)


def update(db: Connection, reach: Known, day: date, staged: str) -> None:
    """Put one day into the history, where it is not there as it is now.

    When it was there otherwise, because its events have changed, the days after it leave
    the history, and come back with :func:`complete`.

    Parameters
    ----------
    db : Connection
        The warehouse.
    reach : Known
        How far it reached before :func:`complete`.
    day : datetime.date
        The day.
    staged : str
        Table of its users.
    """
    fingerprints = _fingerprints(db, staged)
    if reach.last and day <= reach.last:
        if fingerprints.get(day, 0) == reach.fingerprint:
            return
        db.execute(f"{_SQL}/withdraw_days", first=day)
    _add(db, staged, day, day, fingerprints)


def _fingerprints(db: Connection, staged: str) -> dict[date, int]:
    rows = db.frame(f"{_SQL}/staged", users=staged)
    pairs = zip(rows["event_date"], rows["fingerprint"], strict=True)
    return {_date(day): int(fingerprint) for day, fingerprint in pairs}


def _add(
    db: Connection, staged: str, first: date, last: date, fingerprints: dict[date, int]
) -> None:
    days = [first + timedelta(k) for k in range((last - first).days + 1)]
    load = uuid4().int % 2**32
    db.execute(f"{_SQL}/insert", users=staged, first=first, load=load)
    # Killed before this line, the rows of this load will never count.
    db.execute(
        f"{_SQL}/insert_days",
        days=days,
        fingerprints=[fingerprints.get(day, 0) for day in days],
        load=load,
    )


def _date(moment: pd.Timestamp) -> date:
    return moment.date()
