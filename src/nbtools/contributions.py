"""What a change consists of: how much of it each os, source, city and country brought.

Of slices it reads the events of the slices in question and of the same local time a week
before, and nothing else, so it can ask for attributes that no rollup holds. Of whole days it
reads ``user_days_v1``.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from nbtools import user_days
from nbtools.errors import NoDataError, ParameterError
from nbtools.warehouse import Connection

DIMENSIONS = ("os", "source", "city", "country")
OTHER = "other"
COUNTS = ("feed_users", "messenger_users", "views", "likes", "messages_sent")
_RATIOS = {"ctr": ("likes", "views")}
_MOMENTS = ("now", "before")
_COLUMNS = ["dimension", "value", "now", "before", "change", "share"]


def find(
    source: Connection,
    slug: str,
    first: datetime,
    last: datetime,
    *,
    zone: ZoneInfo,
    top: int = 8,
) -> pd.DataFrame:
    """Return how much each value of each dimension contributed to a metric's change.

    Of a count, a value's contribution is its own change; each user is in the place of their
    latest event. Of a ratio R it is the change of w (r - m), where w is the value's share
    of the exposure, r its ratio, and m the mean of R now and before; so a value that only grows
    while its ratio is the common one contributes next to nothing (the symmetric form of
    Kitagawa's decomposition, J. Am. Stat. Assoc. 50, 1955).

    Parameters
    ----------
    source : Connection
        The app's events.
    slug : {"feed_users", "messenger_users", "views", "likes", "messages_sent", "ctr"}
        The metric.
    first, last : datetime
        Start of the first slice and end of the last, with a zone.
    zone : ZoneInfo
        The app's zone, in which a week before is the same time of day.
    top : int
        Values named in each dimension, those that contributed most; the others are one row.

    Returns
    -------
    DataFrame
        ``dimension``, ``value``, ``now``, ``before``, ``change`` (the contribution) and
        ``share`` (of the whole change, NaN when there is none). The total first; then each
        dimension, whose contributions add up to that of the total.

    Raises
    ------
    NoDataError
        If there are no events a week before.
    ParameterError
        If the metric has no contributions.
    """
    _require_divisible(slug)
    return _divided(_rows(source, first, last, zone), slug, top)


def find_of_day(
    db: Connection, slug: str, day: date, *, tz: str, before: date | None = None, top: int = 8
) -> pd.DataFrame:
    """Return how much each value of each dimension contributed to a metric's change of a day.

    Parameters
    ----------
    db : Connection
        The warehouse.
    slug : {"feed_users", "messenger_users", "views", "likes", "messages_sent", "ctr"}
        The metric.
    day : datetime.date
        The day.
    tz : str
        The app's time zone.
    before : datetime.date or None
        The day it is compared with; the same weekday a week before by default.
    top : int
        Values named in each dimension.

    Returns
    -------
    DataFrame
        As :func:`find` returns it. A user's source, city and country are those of
        ``user_days_v1``, and of the day in question.

    Raises
    ------
    NoDataError
        If one of the days is not in ``user_days_v1``.
    ParameterError
        If the metric has no contributions.
    """
    _require_divisible(slug)
    before = before or day - timedelta(7)
    for needed in (before, day):
        if needed not in user_days.loaded_days(db, tz=tz, first=needed, last=needed):
            raise NoDataError(
                f"{needed} is not in {user_days.TABLE}; load it with make backfill FROM={needed}"
                f" TO={needed}."
            )
    rows = db.frame("contributions/days", now=day, before=before, dimensions=["total", *DIMENSIONS])
    return _divided(rows, slug, top)


def _require_divisible(slug: str) -> None:
    if slug not in (*COUNTS, *_RATIOS):
        known = ", ".join((*COUNTS, *_RATIOS))
        raise ParameterError(f"{slug!r} cannot be divided up by users; {known} can.")


def _divided(rows: pd.DataFrame, slug: str, top: int) -> pd.DataFrame:
    changes = _changes(rows, slug)
    rank = changes["change"].abs().groupby(changes["dimension"]).rank("first", ascending=False)
    names = rows["dimension_value"].where(rank <= top, OTHER)
    folded = rows.groupby(["dimension", names]).sum(numeric_only=True).reset_index()
    found = _changes(folded, slug)
    found["share"] = found["change"] / (found["change"].iloc[_total(folded)] or float("nan"))
    return _ordered(found)


def _ordered(found: pd.DataFrame) -> pd.DataFrame:
    """Return the total first, then each dimension, its largest contributions first."""
    places = {name: place for place, name in enumerate(("total", *DIMENSIONS))}
    ordered = found.assign(
        place=found["dimension"].map(places),
        rest=found["value"] == OTHER,
        size=-found["change"].abs(),
    ).sort_values(["place", "rest", "size", "value"], ignore_index=True)
    return ordered[_COLUMNS]


def _rows(source: Connection, first: datetime, last: datetime, zone: ZoneInfo) -> pd.DataFrame:
    before = first.astimezone(zone) - timedelta(7)  # the same time of day, whatever the clocks did
    begin = before.astimezone(UTC)
    end = begin + (last.astimezone(UTC) - first.astimezone(UTC))
    rows = source.frame(
        "contributions/changes",
        first=int(first.timestamp()),
        last=int(last.timestamp()),
        first_before=int(begin.timestamp()),
        last_before=int(end.timestamp()),
        dimensions=["total", *DIMENSIONS],
    )
    users = ["feed_users_before", "messenger_users_before"]
    if not rows[users].to_numpy().any():
        raise NoDataError(f"The source has no events a week before {first:%Y-%m-%d %H:%M}.")
    return rows


def _changes(rows: pd.DataFrame, slug: str) -> pd.DataFrame:
    table = pd.DataFrame({"dimension": rows["dimension"], "value": rows["dimension_value"]})
    if slug in COUNTS:
        now, before = rows[f"{slug}_now"], rows[f"{slug}_before"]
        return table.assign(now=now, before=before, change=now - before)
    above, below = _RATIOS[slug]
    whole = rows.iloc[_total(rows)]
    mean = sum(_ratio(whole[f"{above}_{at}"], whole[f"{below}_{at}"]) for at in _MOMENTS) / 2
    for at in _MOMENTS:
        counts, exposure = rows[f"{above}_{at}"], rows[f"{below}_{at}"]
        table[at] = counts / exposure.where(exposure > 0)
        table[f"part_{at}"] = (counts - mean * exposure) / max(whole[f"{below}_{at}"], 1)
    return table.assign(change=table["part_now"] - table["part_before"])


def _total(rows: pd.DataFrame) -> int:
    return int(rows["dimension"].eq("total").to_numpy().argmax())


def _ratio(counts: float, exposure: float) -> float:
    return counts / exposure if exposure else 0.0
