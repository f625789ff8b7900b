"""From events to 15-minute slices: filling ``slice_metrics_v1``.

A fill reads the events since the last slice in the table, and those of two hours before it
for what came late. Whole pieces go in by one insert each, in their order, so the table always
reaches from the first slice to some slice without a gap, and a fill that was killed goes on
where it was. Who was seen before is known from a register of users, not from the history.
What a fill can know depends on events before ``at`` alone; see :mod:`nbtools.arrivals`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd

from nbtools import progress, staging
from nbtools.arrivals import STEP, STEP_MINUTES, Filled, arrived
from nbtools.errors import NoDataError, SettingsError
from nbtools.slice_history import TABLE, History, Key, read
from nbtools.slicing import DEFAULT, MOST_VALUES, Slicing
from nbtools.warehouse import Connection, tables

__all__ = [
    "STEP_MINUTES",
    "Filled",
    "History",
    "Key",
    "fill",
    "forget",
    "read",
    "require_events",
]

_REGISTER = "user_first_seen_v1"
_DAY = 86400
_MINUTE = "%Y-%m-%d %H:%M"
_FEW_PIECES = 3  # a check in time shows no progress


def fill(
    db: Connection,
    source: Connection,
    *,
    at: datetime,
    slicing: Slicing = DEFAULT,
    since: datetime | None = None,
) -> Filled:
    """Bring the table up to the last slice that was over at a moment.

    Running it again, at the same moment, at once by two, or after a kill, gives the same
    rows. At a moment before what is filled nothing is written, and what is returned is what
    was known then.

    Parameters
    ----------
    db, source : Connection
        The warehouse and the app's events.
    at : datetime
        The moment, with a zone; no event at or after its second is read.
    slicing : Slicing
        How slices are divided and waited for; see :func:`nbtools.slicing.load`.
    since : datetime or None
        Read again from here on, where events came later than ``late_minutes``.

    Raises
    ------
    NoDataError
        If there are no events before the moment.
    SettingsError
        If a dimension has too many values.
    """
    assert at.tzinfo is not None
    moment = int(at.timestamp())
    end = moment - moment % STEP
    start, filled = _prepare(db, slicing) or (_first_slice(source, at),) * 2
    # What is filled further has been read later than this moment, and stays.
    is_new = end >= filled
    first = _from(filled, slicing, since) if is_new else end
    if is_new and first < start:
        # In the app's first hours even its beginning may come late.
        first = max(first, _first_slice(source, at))
        start = min(start, first)
    feed, messages, read_at = _newest(db, source, first, moment)
    if not feed and not messages:
        raise _nothing_before(source, at)
    until = [
        max(start, arrived(own, max(feed, messages), moment, grace_minutes=slicing.grace_minutes))
        for own in (feed, messages)
    ]
    last = max(until) if is_new else first
    _write(db, source, list(_pieces(first, last)), slicing, read_at)
    return Filled(
        at=_aware(moment),
        start=_aware(start),
        end=_aware(end),
        written=(_aware(first), _aware(last)) if last > first else None,
        newest_feed=_aware(feed) if feed else None,
        newest_message=_aware(messages) if messages else None,
        feed_arrived=_aware(until[0]),
        messages_arrived=_aware(until[1]),
    )


def _prepare(db: Connection, slicing: Slicing) -> tuple[int, int] | None:
    """Create what is missing, return the first slice and the end of the last, if there are any."""
    there = tables(db)
    found = db.frame(f"{TABLE}/reach") if TABLE in there.index else pd.DataFrame()
    if len(found) and found["slicing"][0] != slicing.text:
        db.execute("system/drop_table", table=TABLE)
        there, found = there.drop(TABLE), found.iloc[:0]
    for table in (_REGISTER, TABLE):
        if table not in there.index:
            db.execute(f"{table}/create")
    staging.remove_dead(db, there)
    if found.empty:
        return None
    return int(found["first_slice"][0]), int(found["last_slice"][0]) + STEP


def _first_slice(source: Connection, at: datetime) -> int:
    second = _first_event(source)
    if second >= at.timestamp():
        raise _nothing_before(source, at)
    return second - second % STEP


def require_events(source: Connection, at: datetime) -> None:
    """Refuse a moment before which there is nothing.

    Raises
    ------
    NoDataError
        If the source has no events before it.
    """
    if source.source is not None and source.source.missing:
        raise NoDataError(f"The source has no events. {source.source.missing}")
    if source.frame(f"{TABLE}/has_events", last=int(at.timestamp())).empty:
        raise _nothing_before(source, at)


def _first_event(source: Connection) -> int:
    second = int(source.frame(f"{TABLE}/first_event")["second"][0])
    if not second:
        raise NoDataError("The source has no events; make demo or make load fills it.")
    return second


def _nothing_before(source: Connection, at: datetime) -> NoDataError:
    first = datetime.fromtimestamp(_first_event(source), at.tzinfo)
    return NoDataError(
        f"The source has no events before {at:{_MINUTE}}; they begin {first:{_MINUTE}}."
    )


def _from(filled: int, slicing: Slicing, since: datetime | None) -> int:
    first = filled - slicing.late_minutes * 60
    if since is not None:
        first = min(first, int(since.timestamp()))
    return first - first % STEP


def _newest(db: Connection, source: Connection, first: int, moment: int) -> tuple[int, int, int]:
    """Return each service's latest event before a moment, and when it was asked for."""
    found = source.frame(f"{TABLE}/newest", first=first, last=moment).iloc[0]
    feed, messages = int(found["feed"]), int(found["messages"])
    if not (feed and messages):
        # It was quiet for longer than what is read again; the table knows since when.
        known = db.frame(f"{TABLE}/latest", last=first).iloc[0]
        feed, messages = feed or int(known["feed"]), messages or int(known["messages"])
    return feed, messages, int(found["read_at"])


def _pieces(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of at most a day, none across a month: each is one part when inserted."""
    while first < last:
        month = datetime.fromtimestamp(first, UTC).replace(day=1, hour=0, minute=0)
        following = (month + timedelta(32)).replace(day=1)
        piece = min(first + _DAY, last, int(following.timestamp()))
        yield first, piece
        first = piece


def _write(
    db: Connection,
    source: Connection,
    pieces: list[tuple[int, int]],
    slicing: Slicing,
    read_at: int,
) -> None:
    many = len(pieces) > _FEW_PIECES
    for piece in progress.track(pieces, "slices", _day) if many else pieces:
        _write_piece(db, source, piece, slicing, read_at)


def _day(piece: tuple[int, int]) -> str:
    return f"{_aware(piece[0]):%Y-%m-%d}"


def _write_piece(
    db: Connection, source: Connection, piece: tuple[int, int], slicing: Slicing, read_at: int
) -> None:
    first, last = piece
    dimensions = list(slicing.dimensions)
    rows = source.arrow(f"{TABLE}/user_slices", first=first, last=last, dimensions=dimensions)
    with staging.table(db, f"{TABLE}/create_users") as staged:
        db.insert(staged, rows)
        _require_few_values(db, staged, slicing)
        # First the register: who is in a slice that counts is then always registered.
        db.execute(f"{_REGISTER}/insert", users=staged)
        db.execute(
            f"{TABLE}/insert",
            users=staged,
            first=first,
            last=last,
            divided_by=["total", *dimensions],
            kept_dimensions=[dimension for dimension, _ in slicing.kept],
            kept_values=[value for _, value in slicing.kept],
            slicing=slicing.text,
            read_at=read_at,
        )


def _require_few_values(db: Connection, staged: str, slicing: Slicing) -> None:
    listed = {dimension for dimension, _ in slicing.kept}
    free = [dimension for dimension in slicing.dimensions if dimension not in listed]
    found = db.frame(f"{TABLE}/values", users=staged, dimensions=free)
    for dimension, values in zip(found["dimension"], found["found_values"], strict=True):
        if int(values) > MOST_VALUES:
            raise SettingsError(
                f"{slicing.path or 'slices.yml'}: dimensions: {dimension} has {values} values, "
                f"at most {MOST_VALUES} can be kept; say which, such as - {dimension}: [...], "
                "the rest is other."
            )


def forget(db: Connection) -> None:
    """Drop everything that was computed from a history that was replaced."""
    for table in (TABLE, _REGISTER):
        db.execute("system/drop_table", table=table)


def _aware(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
