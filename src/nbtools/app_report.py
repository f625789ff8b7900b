"""The app's day: feed and messenger, who comes back, who the users are."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from nbtools import (
    audience,
    etl,
    languages,
    lives,
    messages,
    report_charts,
    reports,
    retention,
    tables,
)
from nbtools.handover import Attachment, Draft
from nbtools.languages import Language
from nbtools.lives import Lives
from nbtools.plots import Plot, Words
from nbtools.report_charts import USERS, Recent
from nbtools.reports import FEED_METRICS, Comparison
from nbtools.settings import Settings
from nbtools.warehouse import Connection

MESSENGER_METRICS = ("messenger_users", "messages_sent", "messages_per_user", "both_users")
_EVENTS = ("views", "likes", "ctr", "messages_sent")
_PER_USER = ("views_per_user", "likes_per_user", "messages_per_user")
APP_METRICS = (*USERS, *_EVENTS, *_PER_USER)
LIFE_METRICS = (*FEED_METRICS, *MESSENGER_METRICS)
MOVERS = ("app_users", "messenger_users", "views", "messages_sent")
_OF_MESSENGER = ("messenger_users", "messages_sent", "messages_per_user")
_OF_FEED = ("feed_users", "views", "likes", "ctr", "views_per_user", "likes_per_user")
_COHORTS = 10  # the newest ones, which a phone can show
_FEWEST = 100  # users of a cohort that is named
_LATER = 4  # weeks after the first, of which a title speaks
_AGES = ("under 18", "18-24", "25-34", "35-49", "50 and over", "unknown")


class AppDay(NamedTuple):
    """Everything that the report says of a day.

    Attributes
    ----------
    comparison : Comparison
        The figures.
    audience : Series
        Users of the day by what they have used so far, as :func:`nbtools.audience.read` has them.
    lives : Lives
        How users came and came back.
    people : DataFrame
        Users of the day by attributes: ``part``, ``value``, ``of_value``, ``users``.
    slices : DataFrame
        The day's rows of ``daily_metrics_v1``.
    """

    comparison: Comparison
    audience: pd.Series
    lives: Lives
    people: pd.DataFrame
    slices: pd.DataFrame

    @property
    def day(self) -> date:
        """The day."""
        return self.comparison.day


def read(db: Connection, day: date) -> AppDay:
    """Return the app's day as it was known at its end.

    Parameters
    ----------
    db : Connection
        The warehouse.
    day : datetime.date
        The day; nothing after it is read.

    Raises
    ------
    NoDataError
        If the day is not loaded.
    """
    comparison = reports.compare(db, day, APP_METRICS)
    known = lives.read(db, day)
    return AppDay(
        comparison,
        audience.read(db, known).iloc[-1],
        known,
        db.frame("audience/people", first=day, last=day),
        etl.read_day(db, day),
    )


def headline(found: AppDay, language: Language) -> str:
    """Return the day in one line."""
    standing = reports.stand(found.comparison, MOVERS)
    return reports.headline(found.comparison, standing, "app", language)


def lines(found: AppDay, language: Language) -> list[str]:
    """Return the figures as lines for the chat; a service without users says so instead."""
    users = found.comparison.table["value"]
    slugs, silent = list(APP_METRICS), []
    for service, of_service in (("feed", _OF_FEED), ("messenger", _OF_MESSENGER)):
        if not users[f"{service}_users"] > 0:
            slugs = [slug for slug in slugs if slug not in of_service]
            silent.append(languages.text(language, f"report-no-{service}"))
    shown = reports.lines(found.comparison, slugs, language)
    return [*reports.against(found.comparison, language), *shown, *silent]


def story(found: AppDay, language: Language) -> list[str]:
    """Return what the figures of one day do not show: overlap, movement and retention."""
    both, feed = (found.audience[f"{name}_ever_users"] for name in ("both", "feed_only"))
    told = [
        languages.text(
            language,
            "report-both-ever",
            both=languages.number(language, messages.count(both)),
            feed=languages.number(language, messages.count(feed)),
        )
    ]
    return [*told, *_balance(found, language), *_returned(found, language)]


def _balance(found: AppDay, language: Language) -> list[str]:
    weeks = retention.movement(found.lives).dropna()
    if len(weeks) < 2:  # of the first one nobody can have gone
        return []
    counts = {
        str(name): languages.number(language, messages.count(x))
        for name, x in weeks.iloc[-1].items()
    }
    return [
        languages.text(language, "report-balance", week=_week(weeks.index[-1], language), **counts)
    ]


def _week(monday: pd.Timestamp, language: Language) -> str:
    return languages.day(language, monday.date(), pattern="d MMM")


def _returned(found: AppDay, language: Language) -> list[str]:
    """Return how many of the newest cohort that can be judged came back in the week after."""
    shares, week = [], None
    for source in retention.sources(found.lives):
        triangle = retention.weekly(found.lives, source)
        closed = triangle.shares.mask(triangle.open)
        known = closed[1].dropna() if 1 in closed else closed.iloc[:0, 0]
        if known.empty or (week is not None and known.index[-1] != week):
            continue
        if triangle.sizes[known.index[-1]] < _FEWEST:
            continue
        week = known.index[-1]
        shares.append(f"{_source(source, language)} {_percent(known.iloc[-1], language)}")
    if week is None:
        return []
    facts = {"week": _week(week, language), "shares": ", ".join(shares)}
    return [languages.text(language, "report-retention", **facts)]


def _source(source: str, language: Language) -> str:
    return languages.segment_name(language, "source", source)


def _percent(share: float, language: Language) -> str:
    return languages.number(language, f"{100 * share:.0f}") + messages.THIN_SPACE + "%"


def balance(found: AppDay, language: Language = "en") -> Plot:
    """Return who came, stayed, came back and went, by week."""
    weeks = retention.movement(found.lives)
    title = _balance(found, language)
    return Plot(
        "bars",
        weeks,
        Words(
            "balance",
            title[0] if title else languages.text(language, "alt-balance"),
            languages.text(language, "chart-users-a-week"),
            languages.text(language, "alt-balance"),
        ),
        below=("gone",),
        unfinished=retention.is_open(found.lives),
    )


def heat(found: AppDay, place: int, language: Language = "en") -> Plot:
    """Return which share of each week's new users of a source came back.

    Parameters
    ----------
    found : AppDay
        The day.
    place : int
        Of the source, among :func:`nbtools.retention.sources`; -1 is the last.
    language : {"en", "ru"}
        Of the words.
    """
    source = retention.sources(found.lives)[place]
    triangle = retention.weekly(found.lives, source)
    shares, unfinished = (part.iloc[-_COHORTS:, :_COHORTS] for part in triangle[:2])
    rows = [_week(monday, language) for monday in shares.index]
    shares, unfinished = (
        part.set_axis(rows).set_axis([str(age) for age in part], axis=1)
        for part in (shares, unfinished)
    )
    name = report_charts.part_name(source, language)
    return Plot(
        "heat",
        shares,
        Words(
            "retention-first" if place == 0 else "retention-last",
            _retention_title(triangle, name, language),
            "share",
            languages.text(language, "alt-retention", source=name),
            across=languages.text(language, "chart-weeks-after"),
        ),
        style="share",
        unfinished=unfinished,
    )


def _retention_title(triangle: retention.Triangle, name: str, language: Language) -> str:
    """Return how many of the newest cohorts are there some weeks later."""
    closed = triangle.shares.mask(triangle.open)
    ages = [age for age in range(1, _LATER + 1) if age in closed and closed[age].notna().any()]
    if not ages:
        return languages.text(language, "alt-retention", source=name)
    known = closed[ages[-1]].dropna()
    sizes = triangle.sizes[known.index]
    share = float((known * sizes).sum() / sizes.sum())
    return languages.text(
        language, "chart-retention", source=name, weeks=ages[-1], share=_percent(share, language)
    )


def people(found: AppDay, part: str, language: Language = "en") -> Plot:
    """Return the users of the day by two attributes.

    Parameters
    ----------
    found : AppDay
        The day.
    part : {"os and source", "age and gender"}
        The attributes.
    language : {"en", "ru"}
        Of the words.
    """
    rows = found.people[found.people["part"] == part]
    wide = rows.pivot_table(index="value", columns="of_value", values="users", aggfunc="sum")
    first = wide.sum(axis=1)
    key, share = report_charts.largest({str(name): x for name, x in first.items()})
    if part == "os and source":
        wide = wide.loc[first.sort_values(ascending=False).index]
        words = ("systems", "chart-systems", "alt-systems", {"system": key})
    else:
        wide = wide.reindex([age for age in _AGES if age in wide.index])
        words = ("ages", "chart-ages", "alt-ages", {"age": _age(key, language)})
        wide.columns = pd.Index([messages.attribute("gender", str(name)) for name in wide])
    wide.index = pd.Index([_age(str(name), language) for name in wide.index])
    name, title, alt, facts = words
    return Plot(
        "ranks",
        wide.fillna(0.0),
        Words(
            name,
            languages.text(language, title, share=_percent(share, language), **facts),
            languages.text(language, "chart-users"),
            languages.text(language, alt),
        ),
    )


def _age(name: str, language: Language) -> str:
    key = f"age-{name.replace(' ', '-')}"
    if languages.knows(language, key):
        return languages.text(language, key)
    return languages.segment_name(language, "age", name)


def summary(found: AppDay) -> HTML:
    """Return the day in a few sentences for its page."""
    return tables.sentences([f"{line}." for line in (headline(found, "en"), *story(found, "en"))])


def table(found: AppDay) -> HTML:
    """Return the figures beside those of the day before and of the same weekday."""
    return tables.show(reports.table(found.comparison))


def csv(found: AppDay) -> Attachment:
    """Return the counts of the day by gender, age and os as a file."""
    content = found.slices.assign(event_date=found.slices["event_date"].dt.date)
    data = content.to_csv(index=False, lineterminator="\n").encode()
    return Attachment(f"app-{found.day}-slices.csv", data, "")


def drawings(found: AppDay, shown: Recent, language: Language) -> list[tuple[str, str, Figure]]:
    """Return the pictures of the message: name, what is seen, figure.

    Parameters
    ----------
    found : AppDay
        The day.
    shown : Recent
        The recent days.
    language : {"en", "ru"}
        Of the texts.
    """
    daily, days = found.comparison.daily, shown.days
    panels: Sequence[tuple[str, tuple[str, ...]]] = (
        ("feed", FEED_METRICS),
        ("messenger", MESSENGER_METRICS),
    )
    drawn = [
        (
            "users",
            languages.text(language, "alt-audience"),
            report_charts.audience(daily, shown, language),
        )
    ]
    for name, slugs in panels:
        names = report_charts.names(language, slugs)
        alt = languages.text(language, "alt-recent", names=names, days=days)
        drawn.append((name, alt, report_charts.recent_panels(daily, slugs, shown, language)))
    drawn.extend(
        (plot.words.name, plot.words.alt, report_charts.named(plot, language))
        for plot in plots_of(found, language)
    )
    return drawn


def plots_of(found: AppDay, language: Language = "en") -> list[Plot]:
    """Return what page and message both show: balance, retention, people."""
    heats = [heat(found, place, language) for place in range(len(retention.sources(found.lives)))]
    parts = ("os and source", "age and gender")
    return [balance(found, language), *heats, *(people(found, part, language) for part in parts)]


def message(found: AppDay, shown: Recent, settings: Settings, language: Language) -> Draft:
    """Return the app's day as a message for the chat.

    Parameters
    ----------
    found : AppDay
        The day.
    shown : Recent
        The recent days of the pictures.
    settings : Settings
        Where the book is published.
    language : {"en", "ru"}
        Of texts and pictures.
    """
    drawn = drawings(found, shown, language)
    return Draft(
        part="report",
        title=headline(found, language),
        text="\n".join(lines(found, language) + story(found, language)),
        link=reports.address(settings, "report_app", found.day),
        pictures=tuple(
            report_charts.attach(figure, f"app-{found.day}-{name}", alt)
            for name, alt, figure in drawn
        ),
        documents=(csv(found),),
    )
