"""Who the users of a window of days are, when they come, how much they do, and what they read.

A user counts once, with the attributes of their latest day of the window.
"""

from datetime import date, timedelta
from typing import NamedTuple

import pandas as pd

from nbtools import messages
from nbtools.user_days import UserDays

AGES = ("under 18", "18-24", "25-34", "35-49", "50 and over", "unknown")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CITIES = 6  # whose days are shown


class People(NamedTuple):
    """The users of a window.

    Attributes
    ----------
    first, last : datetime.date
        Its first and last day; the first is that of the history if that is later.
    parts : DataFrame
        ``part``, ``value``, ``of_value``, ``users``: os and source, age and gender, country,
        city (with its country).
    spread : DataFrame
        ``part`` (``views``, ``likes``, ``messages_sent``: user-days by number; ``days``: users
        by number of active days), ``number``, ``times``.
    hours : DataFrame
        Active users in an hour, the mean over the window's days of that weekday: rows Mon to
        Sun, columns 0 to 23.
    cities : DataFrame
        Users by day of the largest cities, a column each, over the whole history.
    posts, users : DataFrame
        The most viewed posts, the users who viewed most.
    """

    first: date
    last: date
    parts: pd.DataFrame
    spread: pd.DataFrame
    hours: pd.DataFrame
    cities: pd.DataFrame
    posts: pd.DataFrame
    users: pd.DataFrame

    @property
    def all(self) -> int:
        """The users of the window."""
        return int(self.parts.loc[self.parts["part"] == "country", "users"].sum())


def read(users: UserDays, day: date, days: int, *, tz: str, most: int = 20) -> People:
    """Return the users of the days that end with a day.

    Parameters
    ----------
    users : UserDays
        The app's events, of which only the window is read, and the warehouse.
    day : datetime.date
        The last day; nothing after it is read.
    days : int
        Length of the window.
    tz : str
        The app's time zone.
    most : int
        Posts and users named.
    """
    db = users.db
    assert db is not None
    window = {"first": day - timedelta(days - 1), "last": day}
    parts = db.frame("audience/people", **window)
    hours = users.source.frame("audience/hours", **window, tz=tz)
    first = min(hours["day"], default=pd.Timestamp(day)).date()
    places = parts[(parts["part"] == "city") & (parts["value"] != "")]
    largest = list(places.groupby("value", sort=False)["users"].sum().nlargest(_CITIES).index)
    return People(
        max(first, window["first"]),
        day,
        _named(parts),
        db.frame("audience/spread", **window),
        _by_weekday(hours, first, day),
        _by_day(db.frame("audience/cities", last=day, cities=largest), largest, day),
        users.source.frame("audience/top_posts", **window, tz=tz, most=most),
        db.frame("audience/top_users", **window, most=most),
    )


def _named(parts: pd.DataFrame) -> pd.DataFrame:
    """Return the parts with the genders' names, and with a name for what is empty."""
    genders = parts["of_value"].map(lambda raw: messages.attribute("gender", raw))
    of_value = parts["of_value"].where(parts["part"] != "age and gender", genders)
    return parts.assign(
        value=parts["value"].replace("", "unknown"), of_value=of_value.replace("", "unknown")
    )


def _by_weekday(rows: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    names = rows["day"].dt.day_of_week
    sums = rows.assign(weekday=names).pivot_table(
        index="weekday", columns="hour", values="users", aggfunc="sum"
    )
    days = pd.date_range(first, last).day_of_week.value_counts()
    # An hour in which nobody came has no row and counts all the same.
    means = sums.reindex(index=range(7), columns=range(24)).fillna(0.0)
    means = means.div(days.reindex(range(7)), axis=0)
    means.index, means.columns = pd.Index(WEEKDAYS), means.columns.map(str)
    return means


def _by_day(rows: pd.DataFrame, cities: list[str], day: date) -> pd.DataFrame:
    table = rows.pivot_table(index="day", columns="city", values="users", aggfunc="sum")
    days = pd.date_range(min(rows["day"], default=pd.Timestamp(day)), day, name="day", unit="s")
    return table.reindex(index=days, columns=cities).fillna(0.0).rename_axis(columns=None)


def quantile(spread: pd.DataFrame, part: str, share: float) -> int:
    """Return the least number that at least this share does not exceed; 0 where nobody is.

    Parameters
    ----------
    spread : DataFrame
        As of :class:`People`.
    part : str
        What is counted.
    share : float
        From 0 to 1.
    """
    rows = spread[spread["part"] == part].sort_values("number")
    reached = rows["times"].cumsum() >= share * rows["times"].sum()
    return int(rows.loc[reached, "number"].iloc[0]) if reached.any() else 0


def histogram(spread: pd.DataFrame, part: str, most: int) -> pd.Series:
    """Return how often each number comes, from 1 to the largest that is shown.

    Parameters
    ----------
    spread : DataFrame
        As of :class:`People`.
    part : str
        What is counted.
    most : int
        The largest number shown.
    """
    rows = spread[spread["part"] == part].set_index("number")["times"]
    return rows.reindex(range(1, most + 1), fill_value=0).astype(float)
