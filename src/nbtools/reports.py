"""A day's figures beside those of earlier days: for tables of pages and lines of messages."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd

from nbtools import daily, languages, messages
from nbtools.errors import NoDataError
from nbtools.languages import Language
from nbtools.metrics import metric
from nbtools.settings import Settings
from nbtools.warehouse import Connection

FEED_METRICS = ("feed_users", "views", "likes", "ctr", "views_per_user", "likes_per_user")
_DIMENSIONS = {"os": "OS", "gender": "Gender", "age": "Age"}
_CHANGES = {"change_1d": timedelta(1), "change_7d": timedelta(7)}
_WEEK = 7
_USUAL_DAYS = 14
_FEWEST = 7  # changes that show what is usual
_LEAST = 0.012  # no metric's changes are known to vary less
_MAD = 1.4826  # makes a median of deviations a standard deviation
_UNUSUAL = 4.0  # standard deviations


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


class Standing(NamedTuple):
    """The metric whose change against the same weekday is furthest from what is usual.

    Attributes
    ----------
    slug : str
        The metric.
    change : float
        Its relative change.
    is_unusual : bool or None
        Whether the change is far from those of the days before; None where too little is
        known of them.
    base_change : float or None
        The change of a week before, where that was unusual itself.
    """

    slug: str
    change: float
    is_unusual: bool | None
    base_change: float | None


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


def stand(comparison: Comparison, slugs: Sequence[str]) -> Standing | None:
    """Return which metric stands out most.

    Parameters
    ----------
    comparison : Comparison
        The day.
    slugs : sequence of str
        Metrics that are looked at; the first one tells whether anybody was there.

    Returns
    -------
    Standing or None
        None where nothing can be compared. A metric is judged by how far its change against
        the same weekday is from the changes of the two weeks before, in their own spread; so
        an app that grows steadily has ordinary days.
    """
    changes = comparison.table["change_7d"].reindex(list(slugs)).dropna()
    if changes.empty or not comparison.table["value"][slugs[0]] > 0:
        return None
    scores = {slug: _score(comparison.daily[slug]) for slug in changes.index}
    known = {slug: abs(score) for slug, score in scores.items() if score is not None}
    slug = max(changes.index, key=lambda slug: (known.get(slug, -1.0), abs(changes[slug])))
    score, base = scores[slug], comparison.daily[slug].iloc[:-_WEEK]
    is_unusual = None if score is None else abs(score) > _UNUSUAL
    return Standing(slug, float(changes[slug]), is_unusual, _unusual_change(base))


def _score(daily: pd.Series) -> float | None:
    """Return how far the last weekly change is from those before it, in their own spread."""
    changes = _weekly(daily)
    before = changes.iloc[-_USUAL_DAYS - 1 : -1].dropna()
    if len(before) < _FEWEST or pd.isna(changes.iloc[-1]):
        return None
    spread = _MAD * (before - before.median()).abs().median()
    return float((changes.iloc[-1] - before.median()) / max(spread, _LEAST))


def _weekly(daily: pd.Series) -> pd.Series:
    return daily / daily.where(daily > 0).shift(_WEEK) - 1


def _unusual_change(daily: pd.Series) -> float | None:
    """Return the last weekly change if it is unusual."""
    score = _score(daily) if len(daily) else None
    return float(_weekly(daily).iloc[-1]) if score and abs(score) > _UNUSUAL else None


def headline(
    comparison: Comparison, standing: Standing | None, report: str, language: Language
) -> str:
    """Return a day in one line: whether it was ordinary, else what was not.

    Parameters
    ----------
    comparison : Comparison
        The day; it has the users of what is reported.
    standing : Standing or None
        What moved most.
    report : {"feed", "app"}
        What is reported.
    language : {"en", "ru"}
        Of the text.
    """
    users = comparison.table.loc[f"{report}_users"].to_dict()
    facts: dict[str, str | int] = {
        "report": languages.text(language, f"report-name-{report}"),
        "day": languages.day(language, comparison.day),
        "users": languages.amount(language, f"{report}_users", users["value"]),
        "weekday": weekday_before(comparison.day, language),
    }
    if standing is None or math.isnan(users["change_7d"]):
        return languages.text(language, "report-alone", **facts)
    facts["change"] = languages.percent(language, users["change_7d"])
    if standing.is_unusual:
        facts["metric"] = languages.metric_name(language, standing.slug)
        facts["change"] = languages.percent(language, standing.change)
        return languages.text(language, "report-moved", **facts)
    return languages.text(
        language, "report-plain" if standing.is_unusual is None else "report-ordinary", **facts
    )


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


def lines(comparison: Comparison, slugs: Sequence[str], language: Language) -> list[str]:
    """Return metrics as lines for the chat: name, value, both changes and whether they are good.

    Parameters
    ----------
    comparison : Comparison
        The day.
    slugs : sequence of str
        Which metrics, in this order.
    language : {"en", "ru"}
        Of the text.
    """
    return [_line(comparison, slug, language) for slug in slugs]


def _line(comparison: Comparison, slug: str, language: Language) -> str:
    row = comparison.table.loc[slug].to_dict()
    known = {
        "metric": languages.metric_name(language, slug),
        "value": languages.quantity(language, slug, row["value"]),
    }
    if all(math.isnan(row[name]) for name in _CHANGES):
        return languages.text(language, "report-line-alone", **known)
    changes = {name: _judged(slug, row[name], language) for name in _CHANGES}
    return languages.text(
        language, "report-line", **known, week=changes["change_7d"], day=changes["change_1d"]
    )


def _judged(slug: str, relative: float, language: Language) -> str:
    if math.isnan(relative):
        return messages.MISSING
    return languages.text(
        language,
        "report-change",
        change=languages.percent(language, relative),
        judgement=messages.judgement(metric(slug), relative) or "none",
    )


def against(comparison: Comparison, language: Language) -> list[str]:
    """Return the line that says what the changes of :func:`lines` are changes from, if any."""
    if comparison.table[list(_CHANGES)].isna().to_numpy().all():
        return []
    weekday = weekday_before(comparison.day, language)
    return [languages.text(language, "report-against", weekday=weekday)]


def weekday_before(day: date, language: Language) -> str:
    """Return how the same weekday a week before is called, such as ``the Monday before``."""
    return languages.text(language, "weekday-before", weekday=day.weekday())


def address(settings: Settings, notebook: str, day: date) -> str:
    """Return where the page of a day is published, empty where the book has no address."""
    site = settings.site_url.rstrip("/")
    return f"{site}/runs/{notebook}/{day}.html" if site else ""


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
