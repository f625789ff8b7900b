"""The daily ETL: one day of events in, a partition of each of two tables out.

The events are scanned once and become one row per user. Those rows wait in a staging
table, are summed up and checked, and only then replace the day's partitions in one step
each: first the users themselves in ``user_days_v1``, then their sums in
``daily_metrics_v1``. So a day that has sums has its users, wherever a run was killed.
Receivers who do nothing on the day are known from :mod:`nbtools.attributes`.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import NamedTuple

import pandas as pd

from nbtools import attributes, progress, staging, user_days
from nbtools.daily import TABLE, is_there
from nbtools.errors import NoDataError, ParameterError, QualityError
from nbtools.handover import Figure
from nbtools.settings import Settings
from nbtools.warehouse import Connection, open_source, open_warehouse, source_info, tables

_CREATE = {
    TABLE: f"{TABLE}/create",
    user_days.TABLE: f"{user_days.TABLE}/create",
    "user_attributes_v1": "user_attributes_v1/create",
    "attribute_days_v1": "user_attributes_v1/create_days",
}
_SHOWN = 5


class DayResult(NamedTuple):
    """What loading one day did.

    Attributes
    ----------
    day : datetime.date
        The day.
    rows : int
        Rows of its partition.
    totals : dict of str to int
        The counts over all users, by the slugs of the metric catalogue.
    checks : DataFrame
        The quality checks, indexed by name: ``severity`` (fail or warn), ``sentence``,
        ``found``, ``checked`` (of how many) and ``example``.
    """

    day: date
    rows: int
    totals: dict[str, int]
    checks: pd.DataFrame


class BackfillResult(NamedTuple):
    """What a backfill did.

    Attributes
    ----------
    first, last : datetime.date
        The range, both included.
    loaded, skipped, empty : tuple of datetime.date
        Days loaded now, days that were loaded before, days without events.
    """

    first: date
    last: date
    loaded: tuple[date, ...]
    skipped: tuple[date, ...]
    empty: tuple[date, ...]

    def __str__(self) -> str:
        """Return it as one line for people."""
        parts = [f"{_days(self.loaded)} loaded"]
        if self.skipped:
            parts.append(f"{_days(self.skipped)} loaded before")
        if self.empty:
            parts.append(f"{_days(self.empty)} without events ({_some(self.empty)})")
        return f"Backfill {self.first} to {self.last}: {', '.join(parts)}."


def run_day(db: Connection, source: Connection, day: date, *, tz: str) -> DayResult:
    """Load one day; running it again, or after a kill, gives the same partitions.

    Parameters
    ----------
    db, source : Connection
        The warehouse and the app's events.
    day : datetime.date
        The day, which should be over.
    tz : str
        The app's time zone, in which days begin.

    Returns
    -------
    DayResult
        Counts and checks.

    Raises
    ------
    NoDataError
        If the day has no events; nothing was replaced.
    QualityError
        If a check of severity fail found something; nothing was replaced.
    """
    prepare(db)
    return _load_day(db, source, day, tz)


def prepare(db: Connection) -> None:
    """Create the tables that are missing and remove what killed runs have left."""
    there = tables(db)
    for table, statement in _CREATE.items():
        if table not in there.index:
            db.execute(statement)
    staging.remove_dead(db, there)


def _load_day(db: Connection, source: Connection, day: date, tz: str) -> DayResult:
    users = source.arrow(f"{TABLE}/user_day", date=day, tz=tz)
    if not users.num_rows:
        raise _no_events(source, day, tz)
    reach = attributes.known(db, day)
    attributes.complete(db, source, reach, day, tz=tz)
    with (
        staging.table(db, f"{TABLE}/create_users") as staged,
        staging.table(db, f"{TABLE}/create_staging") as new,
    ):
        db.insert(staged, users)
        db.execute(f"{TABLE}/insert", date=day, users=staged, staging=new)
        counts = db.frame(f"{TABLE}/read_staged", staging=new).set_index("dimension")
        checks = _check(db, day, tz, staged, new)
        # First the attributes: a loaded day is then always a day that later ones know.
        attributes.update(db, reach, day, staged)
        _replace_users(db, day, staged, tz)
        db.replace_partition(f"{TABLE}/replace", new, partition=int(f"{day:%Y%m%d}"))
    (total,) = counts.loc[["total"]].to_dict("records")
    totals = {str(name): int(count) for name, count in total.items()}
    return DayResult(day, len(counts), totals, checks)


def _replace_users(db: Connection, day: date, staged: str, tz: str) -> None:
    name = user_days.TABLE
    with staging.table(db, f"{name}/create_staging") as new:
        db.execute(f"{name}/insert", users=staged, staging=new, tz=tz)
        db.replace_partition(f"{name}/replace", new, partition=int(f"{day:%Y%m%d}"))


def _check(db: Connection, day: date, tz: str, users: str, new: str) -> pd.DataFrame:
    checks = db.frame(f"{TABLE}/checks", date=day, tz=tz, users=users, staging=new)
    failed = checks[(checks["severity"] == "fail") & (checks["found"] > 0)]
    if len(failed):
        what = "; ".join(
            f"{row.check}: {row.found} of {row.checked} {row.sentence} ({row.example})"
            for row in failed.itertuples()
        )
        raise QualityError(
            f"{day} was not loaded, nothing was replaced: {what}. Mend the events, "
            "or the names in parameters/source.yml."
        )
    return checks.set_index("check")


def figures(result: DayResult) -> dict[str, Figure]:
    """Return the key figures of a loaded day, under the slugs of the catalogue."""
    found: dict[str, Figure] = {"rows": result.rows, **result.totals}
    found["warnings"] = int((result.checks["found"] > 0).sum())
    return found


def backfill(
    settings: Settings, first: date | None = None, last: date | None = None, *, redo: bool = False
) -> BackfillResult:
    """Load the days of a range that are not loaded, showing progress.

    Parameters
    ----------
    settings : Settings
        Where things are.
    first, last : datetime.date or None
        The range, both included; None is the first day with events, and the last one
        that is over.
    redo : bool
        Load days again that are loaded. Days without users in ``user_days_v1``, or cut
        there in another time zone, are loaded again anyway.

    Returns
    -------
    BackfillResult
        What was done.

    Raises
    ------
    NoDataError
        If there are no events on a day that is over.
    ParameterError
        If the range is empty or not over.
    QualityError
        If days failed a check; all others were loaded.
    """
    with open_source(settings) as source, open_warehouse(settings) as db:
        first, last = _range(settings, source, first, last)
        days = [first + timedelta(k) for k in range((last - first).days + 1)]
        whole = set(loaded_days(db)) & set(user_days.loaded_days(db, tz=settings.tz))
        skipped = () if redo else tuple(sorted(whole & set(days)))
        todo = sorted(set(days) - set(skipped))
        prepare(db)
        empty, failed = [], {}
        for day in progress.track(todo, "backfill", date.isoformat):
            try:
                _load_day(db, source, day, settings.tz)
            except NoDataError:
                empty.append(day)
            except QualityError as error:
                failed[day] = str(error)
    if failed:
        raise QualityError(
            f"{_days(failed)} of {len(todo)} failed a check ({_some(tuple(failed))}), the others "
            f"are loaded. {next(iter(failed.values()))}"
        )
    loaded = tuple(sorted(set(todo) - set(empty)))
    return BackfillResult(first, last, loaded, skipped, tuple(empty))


def _range(
    settings: Settings, source: Connection, first: date | None, last: date | None
) -> tuple[date, date]:
    found = _extent(source, settings.tz)
    over = _today(settings, source) - timedelta(1)
    for day in (first, last):
        if day is not None and day > over:
            raise ParameterError(
                f"{day} is not over: today is {over + timedelta(1)}, the last full day is {over}."
            )
    wanted = first or found[0], last or min(found[1], over)
    if first and last and first > last:
        raise ParameterError(f"The first day {first} is after the last one {last}.")
    if wanted[1] < found[0] or wanted[0] > min(found[1], wanted[1]):
        raise NoDataError(
            f"The source has no full day with events {_between(first, last)}; "
            f"there are some from {found[0]} to {found[1]}."
        )
    # Days before the first event need no look each; those after the last may yet get theirs.
    return max(wanted[0], found[0]), wanted[1]


def _between(first: date | None, last: date | None) -> str:
    parts = [f"from {first} on" if last is None else f"from {first}"] if first else []
    return " ".join([*parts, *([f"to {last}"] if last else [])]) or "that is over"


def _today(settings: Settings, source: Connection) -> date:
    told = source_info(source).get("today")
    return date.fromisoformat(told) if told else datetime.now(settings.zone).date()


def event_days(source: Connection, *, tz: str) -> tuple[date, date] | None:
    """Return the first and the last day with events of either service, None without any."""
    row = source.frame(f"{TABLE}/event_days", tz=tz).iloc[0]
    return (row["first_day"].date(), row["last_day"].date()) if row["services"] else None


def has_events(source: Connection, day: date, *, tz: str) -> bool:
    """Return whether either service has events on a day."""
    return not source.frame(f"{TABLE}/has_events", date=day, tz=tz).empty


def require_events(source: Connection, day: date, *, tz: str) -> None:
    """Refuse a day that cannot be loaded.

    Raises
    ------
    NoDataError
        If neither service has events on the day.
    """
    _require_tables(source)
    if not has_events(source, day, tz=tz):
        raise _no_events(source, day, tz)


def _no_events(source: Connection, day: date, tz: str) -> NoDataError:
    first, last = _extent(source, tz)
    return NoDataError(f"The source has no events on {day}; there are some from {first} to {last}.")


def _extent(source: Connection, tz: str) -> tuple[date, date]:
    """Return the first and the last day with events, or say what fills an empty source."""
    _require_tables(source)
    found = event_days(source, tz=tz)
    if found is None:
        raise NoDataError("The source has no events; make demo or make load fills it.")
    return found


def _require_tables(source: Connection) -> None:
    assert source.source is not None
    if source.source.missing:
        raise NoDataError(f"The source has no events. {source.source.missing}")


def loaded_days(db: Connection) -> list[date]:
    """Return the days in ``daily_metrics_v1``, in their order."""
    if not is_there(db):
        return []
    return [day.date() for day in db.frame(f"{TABLE}/loaded_days")["event_date"]]


def require_loaded(db: Connection, day: date) -> None:
    """Refuse a day that the ETL has not loaded.

    Raises
    ------
    NoDataError
        If the day is not in ``daily_metrics_v1``.
    """
    if day not in loaded_days(db):
        raise NoDataError(f"{day} is not in {TABLE}; load it with make etl DATE={day}.")


def read_day(db: Connection, day: date) -> pd.DataFrame:
    """Return the rows of ``daily_metrics_v1`` of one day, by dimension and value."""
    return db.frame(f"{TABLE}/read_day", date=day)


def data_version(db: Connection) -> str:
    """Return a fingerprint of everything loaded; the same rows have the same one."""
    return str(db.frame(f"{TABLE}/version")["version"][0]) if is_there(db) else ""


def forget(db: Connection) -> None:
    """Drop everything that was computed from a history that was replaced."""
    # The register of complete days first: without it the other rows do not count.
    for table in reversed(_CREATE):
        db.execute("system/drop_table", table=table)


def _days(days: Collection[date]) -> str:
    return "1 day" if len(days) == 1 else f"{len(days)} days"


def _some(days: tuple[date, ...]) -> str:
    more = f" and {len(days) - _SHOWN} more" if len(days) > _SHOWN else ""
    return ", ".join(map(str, days[:_SHOWN])) + more
