"""The feed's day: how it compares, what moved most and where, what the alerts have said."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from nbtools import (
    alert_messages,
    contributions,
    incident_store,
    languages,
    messages,
    report_charts,
    reports,
    state,
    tables,
)
from nbtools.checks import State
from nbtools.errors import NoDataError
from nbtools.handover import Draft
from nbtools.incidents import NO_DATA, Incident
from nbtools.languages import Language
from nbtools.metrics import metric
from nbtools.report_charts import Recent
from nbtools.reports import FEED_METRICS, Comparison, Standing
from nbtools.settings import Settings
from nbtools.stories import Story
from nbtools.warehouse import Connection

MOVERS = ("feed_users", "views", "likes", "ctr")
DIMENSIONS = ("os", "source", "city")
_SMALL = 0.02  # of a smaller change nobody asks where it comes from
_LIFT = 0.15  # by which a part's share of a change exceeds its share of the metric
_PART, _PARTS = 0.03, 4
_STORIES = 100
_SLICE = timedelta(minutes=15)


class Moved(NamedTuple):
    """What moved most, and of whom the change consists.

    Attributes
    ----------
    standing : Standing
        The metric and its change.
    table : DataFrame
        As :func:`nbtools.contributions.find_of_day` returns it; empty if that is not known.
    parts : DataFrame
        The rows of one dimension that explain it, largest first; empty where it is much
        alike everywhere.
    """

    standing: Standing
    table: pd.DataFrame
    parts: pd.DataFrame


class Seen(NamedTuple):
    """An incident as it was known at the end of a day.

    Attributes
    ----------
    incident : Incident
        Its leading series.
    since : datetime
        Start of its first slice.
    until : datetime or None
        End of its last slice; None while it is not over.
    """

    incident: Incident
    since: datetime
    until: datetime | None


class FeedDay(NamedTuple):
    """Everything that the report says of a day.

    Attributes
    ----------
    comparison : Comparison
        The figures.
    moved : Moved or None
        What moved most; None where nothing can be compared.
    incidents : tuple of Seen or None
        Of the day; None if nothing was ever checked.
    zone : ZoneInfo
        The app's.
    """

    comparison: Comparison
    moved: Moved | None
    incidents: tuple[Seen, ...] | None
    zone: ZoneInfo

    @property
    def is_empty(self) -> bool:
        """Whether nobody used the feed on the day."""
        return not self.comparison.table["value"]["feed_users"] > 0


def read(db: Connection, settings: Settings, day: date) -> FeedDay:
    """Return the feed's day as it was known at its end.

    Parameters
    ----------
    db : Connection
        The warehouse.
    settings : Settings
        Where the alert log is.
    day : datetime.date
        The day.

    Raises
    ------
    NoDataError
        If the day is not in ``daily_metrics_v1``.
    """
    comparison = reports.compare(db, day, FEED_METRICS)
    moved = find_moved(comparison, db, settings.tz)
    return FeedDay(comparison, moved, incidents(settings, day), settings.zone)


def find_moved(comparison: Comparison, db: Connection, tz: str) -> Moved | None:
    """Return what moved most against the same weekday, and of whom the change consists.

    Parameters
    ----------
    comparison : Comparison
        The day.
    db : Connection
        The warehouse.
    tz : str
        The app's time zone.
    """
    standing = reports.stand(comparison, MOVERS)
    if standing is None:
        return None
    return Moved(standing, *_found_where(comparison.day, db, standing.slug, tz))


def _found_where(
    day: date, db: Connection, slug: str, tz: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return contributions, and those that explain the change."""
    try:
        table = contributions.find_of_day(db, slug, day, tz=tz)
    except NoDataError:  # users by day were not kept then
        return pd.DataFrame(), pd.DataFrame()
    exposure = table
    if metric(slug).style == "share":
        exposure = contributions.find_of_day(db, "views", day, tz=tz)
    return table, find_parts(table, exposure)


def _bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first = datetime.combine(day, time.min, zone)
    return first, datetime.combine(day + timedelta(1), time.min, zone)


def find_parts(table: pd.DataFrame, exposure: pd.DataFrame) -> pd.DataFrame:
    """Return the values of one dimension that brought more of a change than their size does.

    Parameters
    ----------
    table : DataFrame
        The contributions.
    exposure : DataFrame
        Contributions of the count whose shares are the sizes; of a count, the same.
    """
    whole = float(exposure.iloc[0]["before"])
    sizes = exposure.set_index(["dimension", "value"])["before"] / whole
    keys = pd.MultiIndex.from_frame(table[["dimension", "value"]])
    lifted = table.assign(lift=table["share"] - sizes.reindex(keys).fillna(0.0).to_numpy())
    named: pd.DataFrame = lifted[
        lifted["dimension"].isin(DIMENSIONS) & (lifted["value"] != contributions.OTHER)
    ]
    if named.empty or not named["lift"].max() >= _LIFT:
        return named.iloc[:0]
    dimension = named.sort_values("lift")["dimension"].iloc[-1]
    chosen: pd.DataFrame = named[(named["dimension"] == dimension) & (named["lift"] >= _PART)]
    return chosen.sort_values("share", ascending=False).head(_PARTS)


def incidents(settings: Settings, day: date) -> tuple[Seen, ...] | None:
    """Return the incidents of a day that people were told of, as known at its end.

    Parameters
    ----------
    settings : Settings
        Where the alert log is.
    day : datetime.date
        The day.
    """
    first, last = _bounds(day, settings.zone)
    with state.open_store(settings) as store, store.reading() as connection:
        if incident_store.load(connection) == State():
            return None
        stories = incident_store.told(connection, _STORIES, until=last)
    told = (_seen(story, first, last) for story in stories if story.group.messages)
    return tuple(sorted((one for one in told if one), key=lambda one: one.since))


def _seen(story: Story, first: datetime, last: datetime) -> Seen | None:
    """Return what of a story was known at the end of a day, None if it was over before it."""
    there = [one for one in story.incidents if one.opened < last and one.last >= first]
    if not there:
        return None
    lead = min(there, key=lambda one: (not one.is_total, one.opened, one.metric, one.segment))
    known = [one for one in there if one.resolved is not None and one.resolved <= last]
    is_over = len(known) == len(there)
    since = min(one.opened for one in there)
    return Seen(lead, since, max(one.last for one in there) + _SLICE if is_over else None)


def headline(found: FeedDay, language: Language) -> str:
    """Return the day in one line: whether it was ordinary, else what was not."""
    if found.is_empty:
        day = languages.day(language, found.comparison.day)
        return languages.text(language, "report-feed-nothing", day=day)
    standing = found.moved.standing if found.moved else None
    return reports.headline(found.comparison, standing, "feed", language)


def driver(found: FeedDay, language: Language) -> list[str]:
    """Return what moved most and where, a line or two; none where nothing can be compared."""
    if found.moved is None:
        return []
    standing, table, parts = found.moved
    facts = {
        "metric": languages.metric_name(language, standing.slug),
        "change": languages.percent(language, standing.change),
    }
    if table.empty or abs(standing.change) < _SMALL:
        lines = [languages.text(language, "report-driver-small", **facts)]
    elif parts.empty:
        lines = [languages.text(language, "report-driver-alike", **facts)]
    else:
        named = [_part(row, standing.slug, language) for row in parts.to_dict("records")]
        facts["amount"] = _amount(float(table["change"].iloc[0]), standing.slug, language)
        facts["parts"] = ", ".join(named)
        lines = [languages.text(language, "report-driver", **facts)]
    if standing.base_change is not None:
        base = languages.percent(language, standing.base_change)
        lines.append(languages.text(language, "report-base", change=base))
    return lines


def _part(row: Mapping[Hashable, Any], slug: str, language: Language) -> str:
    return languages.text(
        language,
        "report-part",
        segment=languages.segment_name(language, str(row["dimension"]), str(row["value"])),
        amount=_amount(float(row["change"]), slug, language),
    )


def _amount(change: float, slug: str, language: Language) -> str:
    if metric(slug).style == "count":
        return languages.number(language, messages.signed(change, 0))
    points = languages.number(language, messages.signed(100 * change, 2))
    return languages.text(language, "report-points", number=points)


def alert_lines(found: FeedDay, language: Language) -> list[str]:
    """Return what the alerts have said on the day: a line, and one an incident."""
    if found.incidents is None:
        return [languages.text(language, "report-unchecked")]
    if not found.incidents:
        return [languages.text(language, "report-quiet")]
    head = languages.text(language, "report-incidents", count=len(found.incidents))
    return [head, *(_incident(one, found, language) for one in found.incidents)]


def _incident(seen: Seen, found: FeedDay, language: Language) -> str:
    one = seen.incident
    beside = datetime.combine(found.comparison.day, time(12), found.zone)
    state_of = "open" if seen.until is None else "over"
    facts = {"since": languages.moment(language, seen.since, found.zone, beside)}
    if seen.until is not None:
        facts["until"] = languages.moment(language, seen.until, found.zone, beside)
    if one.metric == NO_DATA:
        facts["series"] = languages.segment_name(language, one.dimension, one.segment)
        return languages.text(language, f"report-silent-{state_of}", **facts)
    facts["series"] = alert_messages.series(language, one)
    name = f"report-incident-{state_of}"
    return languages.text(language, name, **facts, direction=one.direction)


def summary(found: FeedDay) -> HTML:
    """Return the day in a few sentences for its page."""
    if found.is_empty:
        return tables.sentences([headline(found, "en") + "."])
    below = driver(found, "en") + alert_lines(found, "en")
    return tables.sentences([f"{line}." for line in (headline(found, "en"), *below)])


def contribution_table(found: FeedDay) -> HTML:
    """Return of whom the largest change consists; each dimension adds up to the total."""
    if found.moved is None or found.moved.table.empty:
        return tables.sentences(["There is no week before to compare with."])
    item = metric(found.moved.standing.slug)
    rows = [
        {
            "Part": _part_name(str(row["dimension"]), str(row["value"])),
            "By": "" if row["dimension"] == "total" else messages.part(str(row["dimension"])),
            messages.day(found.comparison.day): messages.value(item, row["now"]),
            messages.day(found.comparison.day - timedelta(7)): messages.value(item, row["before"]),
            "Contribution": _amount(row["change"], item.slug, "en"),
            "Of the change": messages.signed_percent(row["share"]).lstrip("+"),
        }
        for row in found.moved.table.to_dict("records")
    ]
    return tables.show(pd.DataFrame(rows).set_index("Part"), words=("By",))


def _part_name(dimension: str, raw: str) -> str:
    return "All" if dimension == "total" else languages.segment_name("en", dimension, raw)


def message(found: FeedDay, shown: Recent, settings: Settings, language: Language) -> Draft:
    """Return the feed's day as a message for the chat: one line, figures, two pictures.

    Parameters
    ----------
    found : FeedDay
        The day.
    shown : Recent
        The days of the first picture.
    settings : Settings
        Where the book is published.
    language : {"en", "ru"}
        Of texts and pictures.
    """
    day = found.comparison.day
    link = reports.address(settings, "report_feed", day)
    title = headline(found, language)
    if found.is_empty:
        return Draft(part="report", title=title, link=link)
    lines = [
        *reports.against(found.comparison, language),
        *reports.lines(found.comparison, FEED_METRICS, language),
        *driver(found, language),
        *alert_lines(found, language),
    ]
    daily = found.comparison.daily
    few, names = FEED_METRICS[:4], report_charts.names
    alts = (
        languages.text(language, "alt-recent", names=names(language, few), days=shown.days),
        languages.text(language, "alt-life", names=names(language, FEED_METRICS)),
    )
    drawn: Sequence[tuple[str, Figure]] = (
        ("recent", report_charts.recent_panels(daily, few, shown, language)),
        ("life", report_charts.life_panels(daily, FEED_METRICS, day, language)),
    )
    return Draft(
        part="report",
        title=title,
        text="\n".join(lines),
        link=link,
        pictures=tuple(
            report_charts.attach(figure, f"feed-{day}-{name}", alt)
            for (name, figure), alt in zip(drawn, alts, strict=True)
        ),
    )
