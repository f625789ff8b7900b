"""Every run of a notebook, to be found again: lists, calendars, neighbours."""

import calendar
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from nbtools import records
from nbtools.records import Record, Runs

# A list of more runs than this has pages of its own for older ones.
SHOWN = 60
# A year with more runs than this is listed by month.
_MOST = 400


class Row(NamedTuple):
    """A run as a list shows it.

    Attributes
    ----------
    record : Record
        Of the last good run, of the failure where there is none.
    failure : Record or None
        The newer run that failed.
    has_page : bool
        Whether there is something to link to.
    """

    record: Record
    failure: Record | None
    has_page: bool


class Day(NamedTuple):
    """A day of a calendar; `row` is its newest run, `runs` how many it has."""

    day: date
    row: Row | None
    runs: int


class Month(NamedTuple):
    """A month of a calendar: weeks from Monday on, None for days of its neighbours."""

    first: date
    weeks: list[list[Day | None]]


class Period(NamedTuple):
    """Runs that are listed on one page: `name` is a year or a month."""

    name: str
    rows: list[Row]


def rows(runs: Runs) -> list[Row]:
    """Return every run of a notebook, newest first; one without any success is its failure."""
    done = {record.run for record in runs.done}
    lost = [failure for run, failure in runs.failures.items() if run not in done]
    pages = {page.run for page in runs.pages}
    found = sorted([*runs.done, *lost], key=records.age, reverse=True)
    return [Row(record, runs.failures.get(record.run), record.run in pages) for record in found]


def periods(listed: Sequence[Row]) -> list[Period]:
    """Return the dated runs by year, newest first; a year of very many runs by month.

    Parameters
    ----------
    listed : sequence of Row
        From `rows`.
    """
    years: dict[str, list[Row]] = {}
    for row in listed:
        if row.record.day:
            years.setdefault(f"{row.record.day:%Y}", []).append(row)
    found: dict[str, list[Row]] = {}
    for year, of_year in years.items():
        for row in of_year:
            assert row.record.day
            name = f"{row.record.day:%Y-%m}" if len(of_year) > _MOST else year
            found.setdefault(name, []).append(row)
    return [Period(name, of_period) for name, of_period in found.items()]


def months_of(shown: Sequence[Row], listed: Sequence[Row]) -> list[Month]:
    """Return a calendar of the months of some runs, with all other runs of these months."""
    first = min((row.record.day for row in shown if row.record.day), default=date.min)
    return months([row for row in listed if (row.record.day or date.min) >= first.replace(day=1)])


def months(listed: Sequence[Row]) -> list[Month]:
    """Return a calendar of the months that have runs, newest first.

    Parameters
    ----------
    listed : sequence of Row
        Newest first.
    """
    by_day: dict[date, list[Row]] = {}
    for row in listed:
        if row.record.day:
            by_day.setdefault(row.record.day, []).append(row)
    firsts = dict.fromkeys(day.replace(day=1) for day in by_day)
    return [_month(first, by_day) for first in firsts]


def _month(first: date, by_day: Mapping[date, list[Row]]) -> Month:
    def cell(day: date) -> Day | None:
        if day.month != first.month:
            return None
        found = by_day.get(day, [])
        return Day(day, found[0] if found else None, len(found))

    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    return Month(first, [[cell(day) for day in week] for week in weeks])


def parameters(listed: Sequence[Row]) -> tuple[dict[str, Any], list[str]]:
    """Return what all runs were given, and the names in which they differ.

    Parameters
    ----------
    listed : sequence of Row
        From `rows`.

    Returns
    -------
    tuple
        Common parameters with their values; the others by name. Title and date are in
        neither, they are what a run is called.
    """
    given = [row.record.parameters for row in listed]
    names = dict.fromkeys(name for one in given for name in one if name not in {"title", "date"})
    common = {
        name: given[0][name]
        for name in names
        if all(name in one and one[name] == given[0].get(name) for one in given)
    }
    return common, [name for name in names if name not in common]


def neighbours(done: Sequence[Record]) -> dict[str, tuple[Record | None, Record | None]]:
    """Return for each run the one before and the one on the same weekday a week before.

    Parameters
    ----------
    done : sequence of Record
        Of one notebook, newest first. Studies have neither: another study is no earlier one.
    """
    by_day = {record.day: record for record in reversed(done) if record.day}
    dated = [record for record in done if record.day]
    found: dict[str, tuple[Record | None, Record | None]] = {
        record.run: (None, None) for record in done
    }
    for place, record in enumerate(dated):
        assert record.day
        before = dated[place + 1] if place + 1 < len(dated) else None
        found[record.run] = before, by_day.get(record.day - timedelta(7))
    return found
