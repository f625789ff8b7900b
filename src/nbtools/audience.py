"""Who is active: by day, in a week, in four weeks, in one service, in both, in only one.

Two readings of "both" stand beside each other. On the *same day* a user used both services
on it; *ever*, a user active on a day has used both up to and including it, whatever they did
on the day itself. Either way each user of a day is in exactly one of three parts: only the
feed, both, only the messenger.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbtools import daily, user_days
from nbtools.errors import NoDataError
from nbtools.lives import MONTH_DAYS, Lives
from nbtools.user_days import UserDays
from nbtools.warehouse import Connection

SERVICES = ("app", "feed", "messenger")
WEEK_DAYS = 7
SAME_DAY = ("feed_only_users", "both_users", "messenger_only_users")
EVER = ("feed_only_ever_users", "both_ever_users", "messenger_only_ever_users")
LIFE = ("feed_only_life_users", "both_life_users", "messenger_only_life_users")
DAILY = (
    "app_users",
    "feed_users",
    "messenger_users",
    *SAME_DAY,
    "views",
    "likes",
    "ctr",
    "views_per_user",
    "likes_per_user",
    "messages_sent",
    "messages_per_user",
)
# What is no metric of the catalogue, because no row of ``daily_metrics_v1`` knows it.
DEFINITIONS: Mapping[str, str] = {
    "wau": "Distinct users of the app in the seven days that end with the day.",
    "mau": "Distinct users of the app in the 28 days that end with the day.",
    "stickiness": "DAU divided by MAU: the share of the 28 days' users who are there on the day.",
    "both_ever_users": "Users of the app on the day who have used both services up to it.",
    "feed_only_ever_users": "Users of the app on the day who have never sent a message up to it.",
    "messenger_only_ever_users": "Users of the app on the day who have not used the feed up to it.",
    "life_users": "Users of the app from the first loaded day up to this one.",
    "both_life_users": "Those of them who have used both services.",
    "feed_only_life_users": "Those of them who have never sent a message.",
    "messenger_only_life_users": "Those of them who have never used the feed.",
}
_USED = dict(zip((1, 3, 2), EVER, strict=True))  # as in nbtools.lives


def require_loaded(users: UserDays, day: date, *, tz: str) -> None:
    """Refuse a life in which a day with events is not loaded.

    The life begins with the first day that ``user_days_v1`` holds.

    Parameters
    ----------
    users : UserDays
        The app's events and the warehouse.
    day : datetime.date
        Last day of the life.
    tz : str
        The app's time zone.

    Raises
    ------
    NoDataError
        If a day between the first loaded one and ``day``, or ``day``, is missing.
    """
    assert users.db is not None
    loaded = set(user_days.loaded_days(users.db, tz=tz, last=day))
    first = min(loaded, default=day)
    every = {first + timedelta(place) for place in range((day - first).days + 1)}
    for missing in sorted(every - loaded):
        # A day without any event can never be loaded, and nothing is lost by it.
        if not users.source.frame("daily_metrics_v1/has_events", date=missing, tz=tz).empty:
            raise NoDataError(
                f"{missing} is not in {user_days.TABLE}, which a page about all days up to {day}"
                f" needs; load it with make backfill FROM={missing} TO={day}."
            )


def read(db: Connection, lives: Lives) -> pd.DataFrame:
    """Return the audience of every day of the app's life up to a day.

    Parameters
    ----------
    db : Connection
        The warehouse.
    lives : Lives
        What became of the users up to the day.

    Returns
    -------
    DataFrame
        Indexed by every day from the first loaded one. The metrics of ``DAILY``; for each
        service ``<service>_wau``, ``<service>_mau`` and ``<service>_stickiness``, NaN until
        their days are all there; the parts of ``EVER``.
    """
    rows, last = lives.returns, lives.last
    metrics = daily.read(db, DAILY, last=last.date())
    first = min([*rows["day"], *metrics.index], default=last)
    days = pd.date_range(first, last, name="day", unit="s")
    found = metrics.reindex(days)
    for service in SERVICES:
        of_one = rows[rows["service"] == service]
        wau, mau = (_within(of_one, days, length) for length in (WEEK_DAYS, MONTH_DAYS))
        found[f"{service}_wau"], found[f"{service}_mau"] = wau, mau
        found[f"{service}_stickiness"] = found[f"{service}_users"] / mau.where(mau > 0)
    return found.join(_ever(rows, days))


def _within(rows: pd.DataFrame, days: pd.DatetimeIndex, length: int) -> pd.Series:
    """Return the distinct users of the ``length`` days that end with each day.

    A user counts where their last active day is: that is, k days back, where the next one
    comes after more than k days.
    """
    ended = np.zeros((len(days), length + 1))
    places = days.get_indexer(pd.DatetimeIndex(rows["day"]))
    gaps = np.minimum(rows["gap"].to_numpy(), length)
    np.add.at(ended, (places, gaps), rows["users"].to_numpy())
    longer = ended[:, ::-1].cumsum(axis=1)[:, ::-1]  # at g: gaps of g days or more
    users = np.zeros(len(days))
    for back in range(min(length, len(days))):
        users[back:] += longer[: len(days) - back, back + 1]
    found = pd.Series(users, days)
    found.iloc[: length - 1] = np.nan
    return found


def _ever(rows: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    app = rows[rows["service"] == "app"]
    parts = app.pivot_table(index="day", columns="used", values="users", aggfunc="sum")
    named = parts.rename(columns=_USED).reindex(index=days, columns=list(EVER))
    return named.fillna(0.0).astype(float)


def life(lives: Lives) -> pd.DataFrame:
    """Return everybody who was ever there, by what they have used, as it was on each day.

    Parameters
    ----------
    lives : Lives
        What became of the users up to the last day.

    Returns
    -------
    DataFrame
        Indexed by every day from the first loaded one: the parts of ``LIFE``, whose sum are
        all users so far.
    """
    rows = lives.firsts
    feed, messages = rows["feed"], rows["messenger"]
    began, met = (getattr(rows[["feed", "messenger"]], which)(axis=1) for which in ("min", "max"))
    both = feed.notna() & messages.notna()
    first = np.where(feed.eq(messages), LIFE[1], np.where(began.eq(feed), LIFE[0], LIFE[2]))
    steps = pd.DataFrame({"day": began, "part": first, "users": rows["users"]})
    moved = steps[both & (feed != messages)]
    left = moved.assign(users=-moved["users"], day=met)
    came = moved.assign(part=LIFE[1], day=met)
    every = pd.concat([steps, left, came])
    by_day = every.pivot_table(index="day", columns="part", values="users", aggfunc="sum")
    days = pd.date_range(began.min(), lives.last, name="day", unit="s")
    return by_day.reindex(index=days, columns=list(LIFE)).fillna(0.0).astype(float).cumsum()


def rhythm(series: pd.Series, *, longest: int = 10) -> tuple[int, float]:
    """Return the cycle of a daily series: its length, and how much its best day stands out.

    Each length is judged by the share of the variance around the running level that its
    days' means explain, adjusted for their number; the shortest that comes close to the best
    is taken.

    Parameters
    ----------
    series : Series
        Positive numbers by day, without gaps.
    longest : int
        Days of the longest cycle looked for.

    Returns
    -------
    tuple
        Days of the cycle, 0 where there is none, and the ratio of its highest day to the
        mean of the others, minus one.
    """
    values = np.log(series.where(series > 0).dropna())
    if len(values) < 3 * longest:
        return 0, 0.0
    rest = (
        values - values.rolling(2 * longest + 1, center=True, min_periods=longest).median()
    ).to_numpy()
    explained = {length: _explained(rest, length) for length in range(2, longest + 1)}
    best = max(explained.values())
    if best < 0.3:
        return 0, 0.0
    length = next(length for length, share in explained.items() if share > best - 0.05)
    levels = np.sort(_levels(rest, length))
    return length, float(np.exp(levels[-1] - levels[:-1].mean()) - 1)


def _levels(rest: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.array([np.median(rest[place::length]) for place in range(length)])


def _explained(rest: NDArray[np.float64], length: int) -> float:
    """Return the adjusted share of the variance that a cycle's days explain."""
    fitted = np.resize(np.array([rest[place::length].mean() for place in range(length)]), len(rest))
    around = ((rest - rest.mean()) ** 2).sum() / (len(rest) - 1)
    left = ((rest - fitted) ** 2).sum() / (len(rest) - length)
    return float(1 - left / around) if around > 0 else 0.0
