"""What the report notebooks call: a day's figures, compared, and the text for the chat."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from nbtools import charts, daily, messages
from nbtools.errors import NoDataError
from nbtools.handover import Draft
from nbtools.metrics import metric
from nbtools.warehouse import Connection

FEED_METRICS = ("feed_users", "views", "likes", "ctr", "views_per_user", "likes_per_user")
_DIMENSIONS = {"os": "OS", "gender": "Gender", "age": "Age"}
_CHANGES = {"change_1d": timedelta(1), "change_7d": timedelta(7)}


class Comparison(NamedTuple):
    """One day of some metrics beside the days it is compared with.

    Attributes
    ----------
    day : datetime.date
        The day.
    daily : DataFrame
        One column a metric, indexed by day without gaps, from the first loaded day to
        ``day``; NaN where a day is missing.
    table : DataFrame
        Indexed by slug: ``value``, ``change_1d`` and ``change_7d`` (relative changes
        against the day before and the same weekday a week before, NaN when undefined).
    """

    day: date
    daily: pd.DataFrame
    table: pd.DataFrame


def compare(db: Connection, day: date, slugs: Sequence[str]) -> Comparison:
    """Return a day's metrics against the day before and the same weekday.

    Parameters
    ----------
    db : Connection
        The warehouse.
    day : datetime.date
        The day; nothing after it is read.
    slugs : sequence of str
        Metrics of the catalogue.

    Raises
    ------
    NoDataError
        If the day is not in ``daily_metrics_v1``.
    """
    frame = daily.read(db, tuple(slugs), last=day)
    today = pd.Timestamp(day)
    if today not in frame.index:
        raise NoDataError(f"{day} is not in daily_metrics_v1; load it with make etl DATE={day}.")
    table = pd.DataFrame({"value": frame.loc[today]})
    for name, back in _CHANGES.items():
        earlier = frame.reindex([today - back]).iloc[0]
        table[name] = table["value"] / earlier.where(earlier != 0) - 1
    return Comparison(day, frame, table)


def figures(comparison: Comparison) -> dict[str, float | None]:
    """Return the key figures of a comparison, under the names the book knows."""
    found: dict[str, float | None] = {}
    for slug, row in comparison.table.iterrows():
        found[str(slug)] = _plain(row["value"], whole=metric(str(slug)).style == "count")
        for name in _CHANGES:
            found[f"{slug}.{name}"] = _plain(row[name])
    return found


def _plain(x: float, *, whole: bool = False) -> float | None:
    if math.isnan(x):
        return None
    return int(x) if whole else float(x)


def table(comparison: Comparison) -> pd.DataFrame:
    """Return the comparison as people read it, one row a metric."""
    days = {name: comparison.day - back for name, back in _CHANGES.items()}
    rows = []
    for slug, row in comparison.table.iterrows():
        item = metric(str(slug))
        cells: dict[str, str] = {
            "Metric": item.name,
            messages.day(comparison.day): messages.value(item, row["value"]),
        }
        for name, label in (("change_1d", "day before"), ("change_7d", "same weekday")):
            judged = messages.judgement(item, row[name])
            words = f"{messages.change(item, row[name])} {messages.arrow(row[name])} {judged}"
            cells[f"Against the {label}, {messages.day(days[name])}"] = " ".join(words.split())
        rows.append(cells)
    return pd.DataFrame(rows).set_index("Metric")


def feed_headline(comparison: Comparison) -> str:
    """Return the day in one sentence: the audience, and how it compares.

    Examples
    --------
    The shape is ``19 234 users in the feed: 1.2 % more than the Monday before.``
    """
    row = comparison.table.loc["feed_users"].to_dict()
    users = messages.value(metric("feed_users"), row["value"])
    weekday = (comparison.day - timedelta(7)).strftime("%A")
    against = _against(row["change_7d"], f"the {weekday} before")
    return f"{users} users in the feed{against}."


def _against(relative: float, what: str) -> str:
    if math.isnan(relative):
        return f"; {what} is not known"
    shown = messages.change(metric("feed_users"), abs(relative)).lstrip("+±")
    if messages.arrow(relative) == "":
        return f", as many as on {what}"
    return f", {shown} {'more' if relative > 0 else 'fewer'} than on {what}"


def chat_text(comparison: Comparison) -> str:
    """Return the figures as lines for the chat: name, value, both changes.

    Returns
    -------
    str
        Plain text; the sender escapes it.
    """
    lines = []
    for slug, row in comparison.table.iterrows():
        item = metric(str(slug))
        lines.append(
            f"{item.name}: {messages.value(item, row['value'])}"
            f" ({_signed(row['change_1d'])} day, {_signed(row['change_7d'])} week)"
        )
    return "\n".join(lines)


def _signed(relative: float) -> str:
    words = (messages.arrow(relative), messages.change(metric("feed_users"), relative))
    return "".join(words).replace("+", "").replace(messages.MINUS, "")


def feed_message(comparison: Comparison, recent: Figure, life: Figure) -> Draft:
    """Return the feed's day as a message for the chat: one sentence, figures, pictures."""
    names = ", ".join(metric(slug).name for slug in FEED_METRICS[:4])
    return Draft(
        part="report",
        title=f"Feed, {comparison.day:%a} {comparison.day}: {feed_headline(comparison)}",
        text=chat_text(comparison),
        pictures=(
            charts.attach(recent, f"feed-{comparison.day}-recent", f"{names} in the last days"),
            charts.attach(life, f"feed-{comparison.day}-life", f"{names} over the whole period"),
        ),
    )


def checks_table(checks: pd.DataFrame) -> pd.DataFrame:
    """Return the quality checks of a day as people read them, one row a check.

    Parameters
    ----------
    checks : DataFrame
        As :class:`nbtools.etl.DayResult` has them.
    """
    rows = [
        {
            "Check": str(name).replace("_", " "),
            "Says": row["severity"],
            "Found": messages.count(row["found"]),
            "Of": messages.count(row["checked"]),
            "Looks for": row["sentence"],
        }
        for name, row in checks.iterrows()
    ]
    return pd.DataFrame(rows).set_index("Check")


def slices_table(slices: pd.DataFrame, dimensions: Sequence[str]) -> pd.DataFrame:
    """Return the rows of one day of ``daily_metrics_v1`` as people read them.

    Parameters
    ----------
    slices : DataFrame
        Rows of the table for one day.
    dimensions : sequence of str
        Dimensions shown, in this order.
    """
    shown = pd.concat([slices[slices["dimension"] == name] for name in dimensions])
    counts = shown.drop(columns=["event_date", "dimension", "dimension_value"])
    table = counts.map(messages.count)
    pairs = zip(shown["dimension"], shown["dimension_value"], strict=True)
    table.index = pd.Index([_slice_name(*pair) for pair in pairs])
    table = table.T.rename(index=lambda name: str(name).replace("_", " ").capitalize())
    return table.rename_axis("Count")


def _slice_name(dimension: str, value: str) -> str:
    if dimension == "total":
        return "All"
    shown = messages.attribute(dimension, value)
    if shown == "unknown":
        return f"{_DIMENSIONS[dimension]} unknown"
    return shown if dimension == "os" else shown.capitalize()


def usage(*connections: Connection) -> dict[str, float]:
    """Return what the connections' statements have cost, for the handover."""
    costs = [connection.usage for connection in connections]
    return {
        "statements": sum(cost.statements for cost in costs),
        "rows_read": sum(cost.rows_read for cost in costs),
        "engine_seconds": sum(cost.engine_seconds for cost in costs),
    }
