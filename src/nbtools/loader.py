"""Real logs as the app's history: files and a mapping in, the two tables of events out.

The files are read into staging tables as text; everything else is done by the engine.
The history that was there stays until the new one is complete.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from nbtools import (
    etl,
    history,
    locks,
    logfile,
    progress,
    rejects,
    slices,
    translation,
    warehouse,
)
from nbtools.engine import refusals, statement
from nbtools.errors import InputError
from nbtools.mapping import Mapping, read_mapping
from nbtools.settings import Settings
from nbtools.warehouse import Connection

_WORK = ("rows", "ids", "attributes")
_NO_END = 4102444800  # 2100-01-01: map.sql accepts nothing from there on
_LAST_HOUR = 23
_MAX_DAYS = 7305  # twenty years: more is a wrong unit or a wrong row


class LoadResult(NamedTuple):
    """What a load did.

    Attributes
    ----------
    rows : dict of str to int
        Events by table.
    rejects : dict of str to int
        Rejected rows by log and reason.
    repeats : dict of str to int
        Rows by log that repeat another: same user, post or receiver, action and second.
    first_day, last_day : datetime.date
        Full days of the history, both included.
    reject_file : Path or None
        Where the rejected rows are, if there are any.
    """

    rows: dict[str, int]
    rejects: dict[str, int]
    repeats: dict[str, int]
    first_day: date
    last_day: date
    reject_file: Path | None

    def __str__(self) -> str:  # lines for people
        rows = " and ".join(f"{count:,} {table}" for table, count in self.rows.items())
        lines = [f"Loaded {rows}; full days {self.first_day} to {self.last_day}.", *self.notes()]
        if self.reject_file:
            lines.append(f"The rejected rows are in {self.reject_file}.")
        return "\n".join(lines)

    def notes(self) -> list[str]:
        """Return what a reader of the book should know, one sentence each."""
        repeats = [
            f"{count:,} rows of {log} repeat another one (same user, action and second, same "
            "post or receiver); they are kept."
            for log, count in self.repeats.items()
            if count
        ]
        return repeats + [
            f"{count:,} rows were rejected, {reason}." for reason, count in self.rejects.items()
        ]


class _Job(NamedTuple):
    """A load under way."""

    db: Connection
    settings: Settings
    path: Path
    mapping: Mapping
    files: dict[str, list[Path]]
    names: dict[str, list[str]]


def load(settings: Settings, mapping: Path, *, data: Path | None = None) -> LoadResult:
    """Replace the app's events by a real log.

    Parameters
    ----------
    settings : Settings
        Where things are.
    mapping : Path
        The YAML file that says what the log's columns are.
    data : Path or None
        Folder of the log's files; None is NBTOOLS_REALDATA, else the mapping's folder.

    Returns
    -------
    LoadResult
        What was loaded and rejected.

    Raises
    ------
    SettingsError
        If the mapping is wrong or does not fit the log.
    InputError
        If a file cannot be read, or too many of its rows are bad.
    LockedError
        If another process keeps the warehouse.
    """
    found = read_mapping(mapping)
    history.require_own(settings, "a loaded log")
    folder = data or settings.realdata or mapping.parent
    files = {name: logfile.find(folder, log.file) for name, log in found.logs.items()}
    lock = settings.home / "locks" / "load.lock"
    with (
        locks.hold(lock, "nbtools load", wait=settings.lock_wait),
        warehouse.open_warehouse(settings) as db,
        _staging(db),
    ):
        return _run(_Job(db, settings, mapping, found, files, {}))


@contextmanager
def _staging(db: Connection) -> Iterator[None]:
    """Provide empty staging tables, those of a killed load removed, and drop them."""
    history.refuse_foreign(db, "a loaded log")
    db.execute("app/create_database")
    _drop(db)
    for table in _WORK:
        db.execute(f"load/create_{table}")
    try:
        yield
    finally:
        _drop(db)


def _drop(db: Connection) -> None:
    for table in (*history.TABLES, *_WORK, *history.TABLES.values()):
        db.execute("app/drop", table=f"loading_{table}")


def _run(job: _Job) -> LoadResult:
    logs = list(job.mapping.logs)
    steps: list[tuple[str, Callable[[], None]]] = [
        *((f"reading {name}", partial(_read, job, name)) for name in logs),
        ("checking the rows", partial(_check_rows, job)),
        ("numbering users and posts", partial(_number, job)),
        *((f"writing {table}", partial(_write, job, log)) for log, table in history.TABLES.items()),
    ]
    for _, step in progress.track(steps, "load", lambda step: step[0]):
        step()
    result = _result(job)
    _publish(job, result)
    return result


def _read(job: _Job, name: str) -> None:
    """Fill the staging table of a log, then its rows as the mapping has them."""
    log, table = job.mapping.logs[name], translation.staging_table(name)
    names: list[str] = []
    count = 0
    # Keys of JSON lines are not all known before the end.
    check_early = logfile.kind_of(job.files[name][0], log) != "jsonl"
    job.db.execute("load/create_log", table=table)
    for number, path in enumerate(job.files[name]):
        for batch in logfile.read(path, log, names):
            if check_early and not count:
                translation.check(job.db, job.path, name, log, names)
            job.db.insert(f"{history.DATABASE}.{table}", logfile.to_arrow(batch, number))
            count += len(batch)
    if not count:
        raise InputError(f"{job.files[name][0]} has no rows.")
    if names:  # else no line is a JSON object
        translation.check(job.db, job.path, name, log, names)
        translation.map_rows(job.db, job.path, job.mapping, name, names, job.settings.tz)
    job.db.execute("load/unreadable", log=name, table=table)
    job.names[name] = names


def _check_rows(job: _Job) -> None:
    """Write the reject file, and stop when too many rows are bad."""
    counts = job.db.frame("load/counts")
    rejects.write(job.db, _reject_file(job), job.files, job.names)
    for name in job.mapping.logs:
        mine = counts[counts["log"] == name]
        total, bad = int(mine["rows"].sum()), mine[mine["reason"] != ""]
        count = int(bad["rows"].sum())
        if not total:
            raise InputError(f"{job.path}: {name}.where keeps no row of {job.files[name][0]}.")
        if count > job.mapping.max_reject_share * total or count == total:
            most = bad.iloc[0]
            raise InputError(
                f"{count:,} of {total:,} rows of {name} are bad ({count / total:.1%}, "
                f"max_reject_share is {job.mapping.max_reject_share:.1%}), mostly: "
                f"{most['reason']}, first in line {most['first_line']} of "
                f"{job.files[name][int(most['first_file'])].name}; all are in {_reject_file(job)}."
            )


def _reject_file(job: _Job) -> Path:
    return job.settings.home / "rejects" / f"{job.path.stem}.csv"


def _number(job: _Job) -> None:
    """Give users and posts their numbers, and find the attributes that a user has once."""
    db, logs = job.db, job.mapping.logs
    together = job.mapping.users == "same"
    for names in [list(logs)] if together else [[name] for name in logs]:
        db.execute("load/users", logs=names, rank=int(logs[names[0]].columns.user_id.rank))
    if job.mapping.feed:
        db.execute("load/posts", rank=int(job.mapping.feed.columns.post_id.rank))
    for name in logs:
        for origin, positions in translation.once_per_user(job.mapping, name):
            db.execute("load/attributes", log=name, origin=origin, positions=positions)


def _write(job: _Job, name: str) -> None:
    """Fill a new table of events; without a log of its own it stays empty."""
    job.db.execute(
        f"app/{history.TABLES[name]}", table=f"loading_{history.TABLES[name]}", tz=job.settings.tz
    )
    if name in job.mapping.logs:
        values = translation.event_values(job.mapping, name)
        text = f"{statement('load/events')}\n{statement(f'load/{name}')}"
        with refusals(f"load/{name}"):
            job.db.client.command(
                text, parameters={**values, "before": _before(job), "tz": job.settings.tz}
            )


def _before(job: _Job) -> int:
    if job.mapping.last_day is None:
        return _NO_END
    midnight = datetime.combine(job.mapping.last_day + timedelta(1), time(), job.settings.zone)
    return int(midnight.timestamp())


def _result(job: _Job) -> LoadResult:
    tz = job.settings.tz
    extent = job.db.frame("load/extent", tz=tz)
    extent = extent[extent["rows"] > 0]
    if extent.empty:
        raise InputError(f"{job.path}: no event is left up to last_day {job.mapping.last_day}.")
    first, last = extent["first_day"].min().date(), _last_full_day(job, extent)
    if last < first:
        raise InputError(
            f"{job.path}: the log ends on its first day {first}, needed is a full day."
        )
    if (last - first).days >= _MAX_DAYS:
        raise InputError(
            f"{job.path}: the log runs from {first} to {last}, more than twenty years; "
            "see unit and shift, or leave stray rows out with where."
        )
    counts = job.db.frame("load/counts")
    bad = counts[counts["reason"] != ""]
    repeats = job.db.frame("load/repeats")
    return LoadResult(
        rows={name: int(count) for name, count in zip(extent["name"], extent["rows"], strict=True)},
        rejects={
            f"{log}: {reason}": int(count)
            for log, reason, count in zip(bad["log"], bad["reason"], bad["rows"], strict=True)
        },
        repeats={log: int(n) for log, n in zip(repeats["log"], repeats["rows"], strict=True)},
        first_day=first,
        last_day=last,
        reject_file=_reject_file(job) if len(bad) else None,
    )


def _last_full_day(job: _Job, extent: pd.DataFrame) -> date:
    """Return the last day that is over: the log's last one only when it goes on to its end."""
    day, hour = max(zip(extent["last_day"], extent["last_hour"], strict=True))
    if job.mapping.last_day:
        if job.mapping.last_day > day.date():
            raise InputError(
                f"{job.path}: last_day {job.mapping.last_day} is after the last event, "
                f"which is of {day.date()}."
            )
        return job.mapping.last_day
    last: date = (day - timedelta(int(hour < _LAST_HOUR))).date()
    return last


def _publish(job: _Job, result: LoadResult) -> None:
    """Put the new tables in place; what is known of them is written last."""
    db, mapping = job.db, job.mapping
    for table in history.TABLES.values():
        if not history.exists(db, table):
            db.execute(f"app/{table}", table=table, tz=job.settings.tz)
    db.execute("source_info/create", database=history.DATABASE)
    # Before the history itself, so that a kill never leaves numbers of another one.
    etl.forget(db)
    slices.forget(db)
    db.execute("load/forget")
    db.execute("load/publish")
    info: dict[str, Any] = {
        "kind": "log",
        "title": mapping.title,
        "citation": mapping.citation,
        "mapping": job.path.stem,
        "start": result.first_day.isoformat(),
        "today": (result.last_day + timedelta(1)).isoformat(),
        "days": (result.last_day - result.first_day).days + 1,
        "synthetic_columns": mapping.synthetic_columns(),
        "notes": [*mapping.notes(), *result.notes()],
        "fingerprint": db.frame("load/fingerprint")["value"].iloc[0],
    }
    history.describe(db, info)
