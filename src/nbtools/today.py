"""The day so far: against the day before and the same weekday, by 15 minutes and in total.

Only slices that are over and have arrived count, and earlier days count up to the same time
of day, so that a part of a day is never compared with a whole one. Counts of events come from
``slice_metrics_v1``; distinct users of a part of a day are no sum of slices, so they are
counted from the events of the three parts of days.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from nbtools import alerts, slices
from nbtools.alerts import METRICS, STEP, Verdicts
from nbtools.checks import moment_of
from nbtools.errors import NoDataError
from nbtools.incidents import TOTAL, Rules
from nbtools.parameters import DashboardToday
from nbtools.settings import Settings
from nbtools.slices import Filled, History
from nbtools.slicing import load as load_slicing
from nbtools.warehouse import Connection

SHOWN = ("app_users", "new_users", "views", "likes", "ctr", "messages_sent")
USERS = ("app_users", "feed_users", "messenger_users")
EVENTS = ("new_users", "views", "likes", "messages_sent")
_SLUGS = (*METRICS, "app_users")
_BACK = {"now": 0, "day_before": 1, "week_before": 7}
_WEEK = timedelta(7)


class Today(NamedTuple):
    """The day so far.

    Attributes
    ----------
    at : datetime
        The moment that is looked from, in the app's zone.
    day : datetime.date
        The day of the newest slice that has arrived.
    until : datetime
        End of that slice, in the app's zone.
    filled : Filled
        What is known of the slices.
    frames : dict of str to DataFrame
        By metric of ``SHOWN``: ``now``, ``day_before``, ``week_before``, ``lower``,
        ``upper``, ``expected``, ``anomalous`` by the local beginnings of the day's slices,
        without a zone; ``now`` is NaN from ``until`` on.
    totals : DataFrame
        By metric, the same three columns over the part of the day up to ``until``; NaN where
        a slice of it is not known.
    new_posts : Series
        ``now`` and ``day_before``; NaN where the seven days before are not known.
    top_posts : DataFrame
        ``post_id``, ``views``, ``likes`` of the day so far, the most viewed first.
    """

    at: datetime
    day: date
    until: datetime
    filled: Filled
    frames: dict[str, pd.DataFrame]
    totals: pd.DataFrame
    new_posts: pd.Series
    top_posts: pd.DataFrame

    @property
    def is_whole(self) -> bool:
        """Whether the day is over."""
        return self.until.date() > self.day

    @property
    def is_late(self) -> bool:
        """Whether slices that are over have not arrived."""
        return self.filled.end > self.until


class Parts(NamedTuple):
    """The same part of three days, in seconds since 1970, the ends excluded.

    Attributes
    ----------
    first, last : dict of str to int
        By ``now``, ``day_before`` and ``week_before``.
    """

    first: dict[str, int]
    last: dict[str, int]


def read(db: Connection, source: Connection, settings: Settings, params: DashboardToday) -> Today:
    """Return the day so far as it was known at a moment.

    Parameters
    ----------
    db, source : Connection
        The warehouse and the app's events, of which parts of nine days are read.
    settings : Settings
        The app's zone, and how slices are divided.
    params : DashboardToday
        The moment, and how it is judged.

    Raises
    ------
    NoDataError
        If there are no events before the moment, or no slice has ended.
    """
    zone, slicing = settings.zone, load_slicing(settings.home)
    at = moment_of(params.at, zone)
    filled = slices.fill(db, source, at=at, slicing=slicing)
    until = min(filled.feed_arrived, filled.messages_arrived)
    if until <= filled.start:
        raise NoDataError(f"No slice has arrived before {at:%Y-%m-%d %H:%M}; wait for the next.")
    history = slices.read(
        db, filled, zone=zone, days=params.history_days, slicing=slicing, slugs=_SLUGS
    )
    verdicts = alerts.judge(history, sensitivity=params.sensitivity)
    local = until.astimezone(zone)
    day = (until - STEP).astimezone(zone).date()
    parts = find_parts(day, local)
    return Today(
        at,
        day,
        local,
        filled,
        {
            slug: frame(verdicts, slug, day, local, learnt_from=filled.start + Rules().learning)
            for slug in SHOWN
        },
        _totals(source, history, parts),
        _new_posts(source, parts, filled),
        source.frame(
            "today/top_posts",
            first=parts.first["now"],
            last=parts.last["now"],
            most=params.top_posts,
        ),
    )


def find_parts(day: date, until: datetime) -> Parts:
    """Return the part of a day up to a moment, and the same part of the days before.

    Parameters
    ----------
    day : datetime.date
        The day.
    until : datetime
        The moment, in the app's zone; the midnight after the day at the latest.
    """
    first, last = {}, {}
    begin = datetime.combine(day, time.min, until.tzinfo)
    for name, days in _BACK.items():
        # The same time of day, whatever the clocks did in between.
        first[name] = int((begin - timedelta(days)).timestamp())
        last[name] = int((until - timedelta(days)).timestamp())
    return Parts(first, last)


def frame(
    verdicts: Verdicts, slug: str, day: date, until: datetime, *, learnt_from: datetime
) -> pd.DataFrame:
    """Return a metric by the slices of a day beside those of the days before.

    Parameters
    ----------
    verdicts : Verdicts
        Of the slices of the last weeks.
    slug : str
        The metric.
    day : datetime.date
        The day.
    until : datetime
        What is later is not known yet, in the app's zone.
    learnt_from : datetime
        Before this moment there is too little history for a range.
    """
    known = verdicts.frame((slug, TOTAL, TOTAL)).tz_convert(UTC)
    begin = datetime.combine(day, time.min, until.tzinfo)
    moments = pd.date_range(
        begin, datetime.combine(day + timedelta(1), time.min, until.tzinfo),
        freq=STEP, inclusive="left",
    )  # fmt: skip
    now = known.reindex(moments.tz_convert(UTC)).astype(float)
    now.loc[now.index >= pd.Timestamp(until).tz_convert(UTC)] = np.nan
    now.loc[now.index < learnt_from, ["lower", "upper", "expected", "anomalous"]] = np.nan
    columns = {"now": now["value"].to_numpy(dtype=float)}
    for name, days in list(_BACK.items())[1:]:
        earlier = pd.DatetimeIndex(
            [(moment.to_pydatetime() - timedelta(days)).astimezone(UTC) for moment in moments]
        )
        columns[name] = known["value"].reindex(earlier).to_numpy(dtype=float)
    for name in ("lower", "upper", "expected", "anomalous"):
        columns[name] = now[name].to_numpy(dtype=float)
    columns["lower"] = np.maximum(columns["lower"], 0.0)
    found = pd.DataFrame(columns, index=moments.tz_localize(None))
    # The hour that clocks repeat is shown once.
    return found[~found.index.duplicated()]


def _totals(source: Connection, history: History, parts: Parts) -> pd.DataFrame:
    users = _users(source, parts)
    rows = {slug: users[slug] for slug in USERS}
    for slug in EVENTS:
        rows[slug] = {name: _sum(history, slug, parts, name) for name in _BACK}
    views, likes = (pd.Series(rows[slug], dtype=float) for slug in ("views", "likes"))
    ctr = likes / views.where(views > 0)
    rows["ctr"] = {name: float(ctr[name]) for name in _BACK}
    found = pd.DataFrame(rows).T.astype(float)[list(_BACK)]
    # Distinct users count only where their slices are known, as events do.
    found.loc[list(USERS), found.loc[list(EVENTS)].isna().all()] = np.nan
    return found


def _users(source: Connection, parts: Parts) -> dict[str, dict[str, float]]:
    rows = source.frame(
        "today/users",
        first=parts.first["now"],
        last=parts.last["now"],
        first_day=parts.first["day_before"],
        last_day=parts.last["day_before"],
        first_week=parts.first["week_before"],
        last_week=parts.last["week_before"],
    ).set_index("moment")
    known = rows.reindex(list(_BACK)).astype(float)
    return {slug: dict(zip(_BACK, known[slug], strict=True)) for slug in USERS}


def _sum(history: History, slug: str, parts: Parts, name: str) -> float:
    """Return a sum of slices; NaN where one of them is not known."""
    start = int(history.start.timestamp())
    step = history.step_minutes * 60
    first, last = ((seconds[name] - start) // step for seconds in (parts.first, parts.last))
    values = history.values[slug, TOTAL, TOTAL]  # noqa: PD011 -- a mapping of arrays
    part = values[max(first, 0) : last]
    if name == "now":
        # A service may have begun within the day.
        return float(part[np.isfinite(part).argmax() :].sum()) if part.size else float("nan")
    return float(part.sum()) if first >= 0 else float("nan")


def _new_posts(source: Connection, parts: Parts, filled: Filled) -> pd.Series:
    week = int(_WEEK.total_seconds())
    since = {name: parts.first[name] - week for name in ("now", "day_before")}
    row = source.frame(
        "today/new_posts",
        first=parts.first["now"],
        last=parts.last["now"],
        first_day=parts.first["day_before"],
        last_day=parts.last["day_before"],
        since=since["day_before"],
        week=since["now"],
    ).iloc[0]
    start = int(filled.start.timestamp())
    return pd.Series({name: float(row[name]) if since[name] >= start else np.nan for name in since})


def total(found: Today, slug: str) -> dict[str, float]:
    """Return a metric of the part of the day, and of the earlier ones, by their names."""
    return {name: float(found.totals[name][slug]) for name in _BACK}


def change(totals: Mapping[str, float], name: str) -> float:
    """Return the relative change against an earlier part of a day, NaN where it is undefined.

    Parameters
    ----------
    totals : mapping of str to float
        From :func:`total`.
    name : {"day_before", "week_before"}
        Which one.
    """
    earlier = totals[name]
    return totals["now"] / earlier - 1 if earlier > 0 else float("nan")
