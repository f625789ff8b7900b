"""How fresh each notebook's pages are: on time, late or failed."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from nbtools import keeping
from nbtools.keeping import Rule
from nbtools.records import Record, Runs

State = Literal["on_time", "late", "failed", "on_request"]


class Clock(NamedTuple):
    """The app's present.

    Attributes
    ----------
    now : datetime
        In the app's zone.
    stands_still : bool
        Whether the history has an end, so that only its days count and no time of day.
    """

    now: datetime
    stands_still: bool

    @property
    def last_full_day(self) -> date:
        """The last day that is over."""
        return self.now.date() - timedelta(1)


class Section(NamedTuple):
    """How fresh the pages of one notebook are.

    Attributes
    ----------
    runs : Runs
        Its runs.
    state : {"on_time", "late", "failed", "on_request"}
        ``failed`` when the newest run failed, ``on_request`` when no time is set for it.
    newest : Record or None
        Its newest page.
    failure : Record or None
        The failure that makes it failed.
    expected : datetime.date or None
        The day that its newest page should be about by now.
    """

    runs: Runs
    state: State
    newest: Record | None
    failure: Record | None
    expected: date | None

    @property
    def behind(self) -> int:
        """By how many days the newest page is late."""
        if self.state == "on_request" or not (self.expected and self.newest and self.newest.day):
            return 0
        return max((self.expected - self.newest.day).days, 0)


def clock(everything: Sequence[Runs], moment: datetime, zone: ZoneInfo) -> Clock:
    """Return the app's present: a history that stands still has its own.

    Parameters
    ----------
    everything : sequence of Runs
        The runs of every notebook; the newest page says what kind of history it is.
    moment : datetime
        The clock's time, aware.
    zone : ZoneInfo
        The app's zone.
    """
    pages = (page for runs in everything for page in runs.pages)
    last = max(pages, key=lambda page: page.finished, default=None)
    today = last.source.get("today") if last else None
    if today:
        return Clock(datetime.fromisoformat(str(today)).replace(tzinfo=zone), stands_still=True)
    return Clock(moment.astimezone(zone), stands_still=False)


def sections(
    everything: Sequence[Runs], rules: Mapping[str, Rule], present: Clock
) -> list[Section]:
    """Return how fresh every notebook's pages are, in the order given."""
    return [
        _section(runs, rules.get(runs.notebook, keeping.DEFAULT), present) for runs in everything
    ]


def _section(runs: Runs, rule: Rule, present: Clock) -> Section:
    newest = runs.pages[0] if runs.pages else None
    failure = _failure(runs)
    is_daily = any(record.day for record in [*runs.pages, *runs.failures.values()])
    expected = _expected(rule, present) if is_daily else None
    if failure:
        return Section(runs, "failed", newest, failure, expected)
    if expected:
        late = newest is None or newest.day is None or newest.day < expected
        return Section(runs, "late" if late else "on_time", newest, None, expected)
    return Section(runs, _all_day(rule, newest, present), newest, None, None)


def _failure(runs: Runs) -> Record | None:
    """Return the newest failure that no newer day has made up for."""
    days = [page.day for page in runs.pages if page.day]
    last = max(days, default=date.min)
    found = [failure for failure in runs.failures.values() if (failure.day or last) >= last]
    return max(found, key=lambda failure: failure.finished, default=None)


def _expected(rule: Rule, present: Clock) -> date:
    is_due = present.stands_still or present.now.time() >= rule.due
    return present.last_full_day - timedelta(0 if is_due else 1)


def _all_day(rule: Rule, newest: Record | None, present: Clock) -> State:
    if rule.every_minutes is None or newest is None or present.stands_still:
        return "on_request"
    limit = timedelta(minutes=2 * rule.every_minutes)
    return "late" if present.now - newest.finished > limit else "on_time"
