"""What the audience dashboard shows: who uses both services, and who only the feed."""

import math
from datetime import date
from typing import NamedTuple

import pandas as pd
from IPython.display import HTML

from nbtools import audience, dashboards, lives, tables
from nbtools.dashboards import number, on, percent
from nbtools.plots import Plot, Words
from nbtools.settings import Settings

_SAME_DAY, _EVER = "on the same day", "today in one and ever in the other"


class Audience(NamedTuple):
    """Everything the page shows.

    Attributes
    ----------
    day : datetime.date
        The last day.
    daily, life : DataFrame
        As of :func:`nbtools.audience.read` and :func:`nbtools.audience.life`.
    usage : dict of str to float
        What the statements have cost.
    """

    day: date
    daily: pd.DataFrame
    life: pd.DataFrame
    usage: dict[str, float]

    @property
    def last(self) -> pd.Series:
        """The metrics of the day."""
        return self.daily.iloc[-1]


def load(config: Settings, day: date) -> Audience:
    """Return the audience of all days up to one.

    Parameters
    ----------
    config : Settings
        Where things are.
    day : datetime.date
        The last day; nothing after it is read.

    Raises
    ------
    NoDataError
        If a day with events is not loaded.
    """
    with dashboards.open_life(config, day) as users:
        assert users.db is not None
        found = lives.read(users.db, day)
        frame = audience.read(users.db, found)
        return Audience(day, frame, audience.life(found), dashboards.usage(users))


def answers(page: Audience) -> HTML:
    """Return the answers to the page's two questions."""
    return tables.sentences([both_sentence(page)], [feed_only_sentence(page)])


def both_sentence(page: Audience) -> str:
    """Return how many used both services, in both readings."""
    last = page.last
    return (
        f"On {on(page.day)}, {number(last['both_users'])} users used both the feed and the"
        f" messenger {_SAME_DAY}; {number(last['both_ever_users'])} were active in one and have"
        f" used the other that day or ever before."
    )


def feed_only_sentence(page: Audience) -> str:
    """Return how many used only the feed, in both readings."""
    last = page.last
    return (
        f"On {on(page.day)}, {number(last['feed_only_users'])} users used only the feed"
        f" ({_share(page, 'feed_only_users')} of the app's users that day);"
        f" {number(last['feed_only_ever_users'])} ({_share(page, 'feed_only_ever_users')}) have"
        " never sent a message."
    )


def _share(page: Audience, slug: str) -> str:
    return percent(page.last[slug] / page.last["app_users"])


def both(page: Audience) -> Plot:
    """Return the users of both services by day, in both readings."""
    last = page.last
    title = (
        f"Both services: {number(last['both_users'])} users on the same day,"
        f" {number(last['both_ever_users'])} today in one and ever in the other"
    )
    return Plot(
        "lines",
        _named(page, ["both_ever_users", "both_users"]),
        Words(
            "both",
            title,
            "users a day",
            f"Users of both services by day in two readings up to {on(page.day)}: the line of"
            " those who have ever used both lies far above that of those who used both that day.",
            "Same day: a view or like and a sent message on this day. Ever: active in either"
            " service on this day, and both used up to and including it.",
        ),
    )


def _named(page: Audience, slugs: list[str]) -> pd.DataFrame:
    """Return columns whose names tell the readings apart."""
    return page.daily[slugs].rename(
        columns={
            "both_users": "both_same_day_users",
            "feed_only_users": "feed_only_same_day_users",
        }
    )


def feed_only(page: Audience) -> Plot:
    """Return the users of only the feed by day, in both readings."""
    last = page.last
    title = (
        f"Only the feed: {number(last['feed_only_users'])} users that day,"
        f" {number(last['feed_only_ever_users'])} of whom have never sent a message"
    )
    return Plot(
        "lines",
        _named(page, ["feed_only_users", "feed_only_ever_users"]),
        Words(
            "feed-only",
            title,
            "users a day",
            f"Users of only the feed by day in two readings up to {on(page.day)}: most of those"
            " who sent no message on the day never have.",
            "Same day: in the feed and no message sent on this day. Ever: in the feed on this"
            " day and no message sent up to and including it.",
        ),
    )


def parts(page: Audience) -> HTML:
    """Return the day's users in three parts by each reading, and everybody so far."""
    life = page.life.iloc[-1]
    names = {"Only the feed": 0, "Both services": 1, "Only the messenger": 2}
    rows = []
    for name, place in names.items():
        row = {"Users": name}
        for head, values in (
            ("Same day", page.last[list(audience.SAME_DAY)]),
            ("Up to that day", page.last[list(audience.EVER)]),
            ("Whole life", life[list(audience.LIFE)]),
        ):
            row[head] = number(values.iloc[place])
            row[f"{head}, share"] = percent(values.iloc[place] / values.sum())
        rows.append(row)
    total = {"Users": "All of the app"}
    total |= dict.fromkeys(("Same day", "Up to that day"), number(page.last["app_users"]))
    total["Whole life"] = number(life.sum())
    table = pd.DataFrame([*rows, total]).fillna("").set_index("Users")
    return tables.show(table)


def same_day(page: Audience) -> Plot:
    """Return the day's users in three parts by what they used on that day."""
    title = (
        f"On one day the services hardly meet: {_share(page, 'both_users')} of the day's users"
        " use both"
        if page.last["both_users"] < 0.1 * page.last["app_users"]
        else f"{_share(page, 'both_users')} of the day's users use both services that day"
    )
    return _areas(page.daily[list(audience.SAME_DAY)], "same-day", title, "used on that day")


def ever(page: Audience) -> Plot:
    """Return the day's users in three parts by what they have used up to then."""
    title = f"{_share(page, 'both_ever_users')} of the day's users have used both services by then"
    return _areas(page.daily[list(audience.EVER)], "ever", title, "have used up to that day")


def _areas(frame: pd.DataFrame, name: str, title: str, what: str) -> Plot:
    alt = (
        f"The app's users by day, stacked by what they {what}: only the feed, both, only the"
        " messenger."
    )
    return Plot("areas", frame, Words(name, title, "users a day", alt))


def life(page: Audience) -> Plot:
    """Return everybody who was ever there, in three parts."""
    feed, both_, messenger = page.life.iloc[-1][list(audience.LIFE)]
    title = (
        f"Of {number(feed + both_ + messenger)} users so far {number(both_)} have used both,"
        f" {number(feed)} only the feed, {number(messenger)} only the messenger"
    )
    alt = "Everybody who was there up to each day, stacked by what they had used until then."
    return Plot(
        "areas", page.life, Words("life", title, "users so far", alt, "Nobody leaves this count.")
    )


def services(page: Audience) -> Plot:
    """Return the users of each service by day."""
    frame = page.daily[["app_users", "feed_users", "messenger_users"]]
    last = page.last
    title = (
        f"{number(last['app_users'])} users of the app on {on(page.day)}:"
        f" {number(last['feed_users'])} in the feed, {number(last['messenger_users'])} in the"
        " messenger"
    )
    alt = "Users by day of the app, the feed and the messenger; the app's line counts users once."
    return Plot("lines", frame, Words("services", title, "users a day", alt))


def messenger(page: Audience) -> Plot:
    """Return the messenger's users of the last eight weeks, with its rhythm in the title."""
    series = page.daily["messenger_users"]
    length, above = audience.rhythm(series)
    title = f"The messenger had {number(series.iloc[-1])} users on {on(page.day)}"
    if length:
        title = (
            f"The messenger beats every {length} days: {percent(above)} more users than on"
            " the days between"
        )
    shown = series.iloc[-56:].to_frame()
    alt = (
        "The messenger's users by day over the last eight weeks, with high days at even distances."
    )
    if not length:
        alt = "The messenger's users by day over the last eight weeks."
    return Plot("lines", shown, Words("messenger", title, "users a day", alt))


def figures(page: Audience) -> dict[str, float | None]:
    """Return the key figures, under the names of the catalogue where it has them."""
    slugs = ("app_users", "feed_users", "messenger_users", *audience.SAME_DAY, *audience.EVER)
    found: dict[str, float | None] = {slug: _whole(page.last[slug]) for slug in slugs}
    life_ = page.life.iloc[-1]
    found |= {slug: _whole(life_[slug]) for slug in audience.LIFE}
    return found | {"life_users": _whole(life_.sum())}


def _whole(x: float) -> int | None:
    return None if math.isnan(x) else int(x)


def definitions() -> HTML:
    """Return what the numbers mean that are in no catalogue."""
    names = [*audience.EVER, "life_users", *audience.LIFE]
    table = pd.DataFrame({"Means": {name: audience.DEFINITIONS[name] for name in names}})
    return tables.show(table.rename_axis("Key figure"), words=("Means",))
