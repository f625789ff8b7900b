"""Queries over a history's events with the day and the quarter of an hour they fall on."""

from datetime import date

import pandas as pd

from nbtools import warehouse
from nbtools.settings import Settings

START = date(2022, 12, 5)
MIDNIGHT = 1670187600  # of the start in the app's zone, Europe/Moscow

_EVENTS = f"""(
    SELECT
        *,
        intDiv(toUnixTimestamp(time) - {MIDNIGHT}, 86400) AS day,
        intDiv((toUnixTimestamp(time) - {MIDNIGHT}) % 86400, 900) AS slot
    FROM app.{{}}
)"""
FEED = _EVENTS.format("feed_actions")
MESSAGES = _EVENTS.format("message_actions")
# One row per user and day with an event.
READERS = f"(SELECT DISTINCT user_id, source, day FROM {FEED})"
WRITERS = f"(SELECT DISTINCT user_id, source, day FROM {MESSAGES})"
# One row per user: the day of the first visit to the feed.
COHORTS = f"(SELECT user_id, min(day) AS joined FROM {READERS} GROUP BY user_id)"


def rows(home: Settings, sql: str) -> pd.DataFrame:
    """Return the rows of a query; whole numbers may become negative."""
    with warehouse.open_source(home) as source:
        found: pd.DataFrame = source.client.query_df(sql)
    return found.astype(dict.fromkeys(found.select_dtypes("integer").columns, "int64"))


def column(home: Settings, sql: str) -> "pd.Series[float]":
    """Return the second column of a query, indexed by the first."""
    found = rows(home, sql)
    series: pd.Series[float] = found.set_index(found.columns[0]).iloc[:, 0]
    return series.sort_index()


def number(home: Settings, sql: str) -> float:
    """Return the only value of a query."""
    return float(rows(home, sql).to_numpy()[0, 0])
