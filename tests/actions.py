"""Who did what on which day, straight from the events: sets of users in plain Python."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from nbtools import warehouse
from nbtools.settings import Settings

_DAY = "toDate(time, 'Europe/Moscow')"


class Actions(NamedTuple):
    """The users of each service by day, and how each user was acquired."""

    feed: dict[date, set[int]]
    sent: dict[date, set[int]]
    source: dict[int, str]

    @property
    def days(self) -> list[date]:
        return sorted(self.feed.keys() | self.sent.keys())

    def app(self, day: date) -> set[int]:
        return self.feed.get(day, set()) | self.sent.get(day, set())

    def first_days(self) -> dict[int, date]:
        """Return the first active day of each user."""
        found: dict[int, date] = {}
        for day in self.days:
            for user in self.app(day):
                found.setdefault(user, day)
        return found


def read(home: Settings) -> Actions:
    with warehouse.open_warehouse(home) as db:
        feed = db.client.query(f"SELECT DISTINCT {_DAY}, user_id FROM app.feed_actions")
        sent = db.client.query(f"SELECT DISTINCT {_DAY}, user_id FROM app.message_actions")
        sources = db.client.query(
            """SELECT DISTINCT user_id, source FROM app.feed_actions
            UNION DISTINCT SELECT DISTINCT user_id, source FROM app.message_actions"""
        )
    source = {int(row[0]): str(row[1]) for row in sources.result_rows}
    assert len(source) == len(sources.result_rows), "a user of the demo has one source"
    return Actions(_by_day(feed.result_rows), _by_day(sent.result_rows), source)


def _by_day(rows: Iterable[Sequence[Any]]) -> dict[date, set[int]]:
    found: dict[date, set[int]] = {}
    for day, user in rows:
        found.setdefault(day, set()).add(user)
    return found


def window(by_day: dict[date, set[int]], last: date, days: int) -> set[int]:
    """Return the users of the days that end with one."""
    empty: set[int] = set()
    return empty.union(*(by_day.get(last - timedelta(back), empty) for back in range(days)))


def until(by_day: dict[date, set[int]], last: date) -> set[int]:
    """Return the users of all days up to one."""
    empty: set[int] = set()
    return empty.union(*(users for day, users in by_day.items() if day <= last))
