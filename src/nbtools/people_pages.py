"""What the people dashboard shows: who the users are, when they come, how much they do."""

from datetime import date
from typing import NamedTuple

import pandas as pd
from IPython.display import HTML

from nbtools import dashboards, messages, people, tables
from nbtools.dashboards import number, on, percent
from nbtools.metrics import CATALOGUE
from nbtools.people import People
from nbtools.plots import Plot, Words
from nbtools.settings import Settings

_PLACES = 12
_SHOWN = 0.995  # of the user-days; the few with more would make the chart empty


class Page(NamedTuple):
    """Everything the page shows.

    Attributes
    ----------
    people : People
        The users of the window.
    usage : dict of str to float
        What the statements have cost.
    """

    people: People
    usage: dict[str, float]

    @property
    def window(self) -> str:
        """The window, for titles."""
        return f"{on(self.people.first)} to {on(self.people.last)}"


def load(config: Settings, day: date, days: int, *, most: int = 20) -> Page:
    """Return the users of the days that end with one.

    Parameters
    ----------
    config : Settings
        Where things are.
    day : datetime.date
        The last day; nothing after it is read.
    days : int
        Length of the window.
    most : int
        Posts and users named.

    Raises
    ------
    NoDataError
        If a day with events is not loaded.
    """
    with dashboards.open_life(config, day) as users:
        found = people.read(users, day, days, tz=config.tz, most=most)
        return Page(found, dashboards.usage(users))


def headline(page: Page) -> HTML:
    """Return who the users are in a few sentences."""
    lines = [f"{number(page.people.all)} users were active from {page.window}."]
    lines += [plot.words.title + "." for plot in (systems(page), ages(page), countries(page))]
    return tables.sentences(lines)


def _table(page: Page, part: str) -> pd.DataFrame:
    rows = page.people.parts[page.people.parts["part"] == part]
    table = rows.pivot_table(index="value", columns="of_value", values="users", aggfunc="sum")
    order = table.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return table.loc[order].fillna(0.0).rename_axis(index=None, columns=None)


def _words(page: Page, name: str, title: str, alt: str) -> Words:
    note = f"Users active from {page.window}, each with the attributes of their latest day."
    return Words(name, title, "users", alt, note)


def systems(page: Page) -> Plot:
    """Return the users by OS and how they were acquired."""
    table = _table(page, "os and source").head(_PLACES)
    by_source = table.sum().sort_values(ascending=False)
    share = table.sum(axis=1).iloc[0] / page.people.all
    title = (
        f"{percent(share)} use {table.index[0]}; {percent(by_source.iloc[0] / page.people.all)}"
        f" came from {by_source.index[0]}"
    )
    alt = "Users by OS and acquisition source, as bars."
    return Plot("ranks", table.sort_index(axis="columns"), _words(page, "os", title, alt))


def ages(page: Page) -> Plot:
    """Return the users by age and gender."""
    table = _table(page, "age and gender").reindex(people.AGES).dropna(how="all").fillna(0.0)
    largest = str(table.sum(axis=1).idxmax())
    genders = table.sum().sort_values(ascending=False)
    title = (
        f"{percent(table.sum(axis=1).max() / page.people.all)} are {largest};"
        f" {percent(genders.iloc[0] / page.people.all)} are {genders.index[0]}"
    )
    alt = "Users by age, a bar for each gender."
    return Plot("ranks", table.sort_index(axis="columns"), _words(page, "ages", title, alt))


def _places(page: Page, part: str) -> pd.Series:
    rows = page.people.parts[page.people.parts["part"] == part]
    return (
        rows.groupby("value", sort=False)["users"].sum().sort_values(ascending=False, kind="stable")
    )


def countries(page: Page) -> Plot:
    """Return the users by country."""
    users = _places(page, "country")
    title = f"{percent(users.iloc[0] / page.people.all)} are in {users.index[0]}"
    if len(users) > 1:
        title += f", {percent(users.iloc[1] / page.people.all)} in {users.index[1]}"
    alt = "Users by country, the largest first."
    frame = users.head(_PLACES).to_frame("Users").astype(float)
    return Plot("ranks", frame, _words(page, "countries", title, alt))


def cities(page: Page) -> Plot:
    """Return the users of the largest cities."""
    users = _places(page, "city")
    shown = users.head(_PLACES)
    title = (
        f"{percent(users.iloc[0] / page.people.all)} are in {users.index[0]}; the"
        f" {len(shown)} largest of {number(len(users))} cities have"
        f" {percent(shown.sum() / page.people.all)}"
    )
    alt = "Users by city, the largest first."
    frame = shown.to_frame("Users").astype(float)
    return Plot("ranks", frame, _words(page, "cities", title, alt))


def city_days(page: Page) -> Plot | str:
    """Return the users by day of the largest cities, over the whole history."""
    frame = page.people.cities
    if frame.empty or not dashboards.drawable(frame):
        return "The users have no cities."
    usual = frame.rolling(15, center=True, min_periods=8).median()
    lows = frame / usual.where(usual >= 20)
    last = frame.iloc[-1]
    title = f"{frame.columns[0]} is the largest city with {number(last.iloc[0])} users a day"
    lowest = lows.min(axis=1).fillna(1.0)
    if lowest.min() < 0.5:
        place = int(lowest.to_numpy().argmin())
        hit = [str(city) for city, x in lows.iloc[place].items() if x < 0.5]
        title = f"On {on(pd.DatetimeIndex(frame.index)[place])} users were missing in "
        title += ", ".join(hit)
    alt = "Users by day of the largest cities, a line each, over the whole history."
    return Plot("lines", frame, Words("city-days", title, "users a day", alt))


def hours(page: Page) -> Plot:
    """Return the active users by hour and weekday."""
    frame = page.people.hours
    means = frame.mean()
    most, least = str(means.idxmax()), str(means.idxmin())
    title = (
        f"Most come around {most}:00 ({number(means[most])} users in the hour), fewest around"
        f" {least}:00 ({number(means[least])})"
    )
    alt = "Heat map of active users by weekday and hour of the day: dark by day, pale at night."
    note = "Distinct users in the hour, the mean over the days of the window."
    words = Words("hours", title, "users in an hour", alt, note, "hour of the app's day")
    return Plot("heat", frame, words)


def activity(page: Page, slug: str) -> Plot | str:
    """Return how many user-days have so many views, likes or messages.

    Parameters
    ----------
    page : Page
        The page.
    slug : {"views", "likes", "messages_sent"}
        What is counted.
    """
    spread, item = page.people.spread, CATALOGUE[slug]
    most = people.quantile(spread, slug, _SHOWN)
    if not most:
        return f"{item.name}: nothing from {page.window}."
    shown = people.histogram(spread, slug, most)
    title = (
        f"Half of the user-days have up to {people.quantile(spread, slug, 0.5)} {item.unit},"
        f" one in a hundred more than {people.quantile(spread, slug, 0.99)}"
    )
    alt = f"Histogram of user-days by {item.unit}: many with few, a long tail to the right."
    note = f"Days of users with at least one; the {percent(1 - _SHOWN)} with most are left out."
    words = Words(f"spread-{slug.replace('_', '-')}", title, "user-days", alt, note, item.unit)
    return Plot("bars", shown.to_frame(slug), words)


def active_days(page: Page) -> Plot:
    """Return on how many days of the window users were active."""
    spread = page.people.spread
    days = (page.people.last - page.people.first).days + 1
    shown = people.histogram(spread, "days", days)
    title = (
        f"Half of the users came on at most {people.quantile(spread, 'days', 0.5)} of {days} days,"
        f" {percent(shown.iloc[0] / shown.sum())} on a single one"
    )
    alt = f"Users by the number of days on which they were active, from 1 to {days}."
    return Plot(
        "bars", shown.to_frame("Users"),
        Words("active-days", title, "users", alt, f"Days from {page.window}.", "active days"),
    )  # fmt: skip


def top_posts(page: Page) -> HTML:
    """Return the most viewed posts."""
    rows = page.people.posts
    ctr = rows["likes"] / rows["views"].where(rows["views"] > 0)
    table = pd.DataFrame(
        {
            "Views": rows["views"].map(messages.count),
            "Likes": rows["likes"].map(messages.count),
            "CTR": ctr.map(lambda x: messages.value(CATALOGUE["ctr"], x)),
        }
    )
    return tables.show(table.set_index(pd.Index(rows["post_id"].map(str), name="Post")))


def top_users(page: Page) -> HTML:
    """Return the users who viewed most."""
    rows = page.people.users
    names = {
        "views": "Views",
        "likes": "Likes",
        "messages_sent": "Messages sent",
        "days": "Active days",
    }
    table = rows[list(names)].map(messages.count).rename(columns=names)
    return tables.show(table.set_index(pd.Index(rows["user_id"].map(str), name="User")))


def figures(page: Page) -> dict[str, float | str | None]:
    """Return the key figures."""
    found: dict[str, float | str | None] = {"active_users": page.people.all}
    for name, part in (("top_country", "country"), ("top_city", "city")):
        users = _places(page, part)
        found[name], found[f"{name}_users"] = str(users.index[0]), int(users.iloc[0])
    for slug in ("views", "likes", "messages_sent"):
        found[f"median_{slug}"] = people.quantile(page.people.spread, slug, 0.5)
    return found
