"""Who comes back: cohorts of users by their first day or week, and by how they were acquired.

A user's first day is the first one in ``user_days_v1``: with a view, a like or a sent message.
Weeks begin on Monday. A share is known for an age that is over for every user of the cohort.
"""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from nbtools.warehouse import Connection

MOST_DAYS = 60  # of the curves
_WEEK = pd.Timedelta(days=7)
STATES = ("new", "retained", "resurrected", "gone")


class Cohorts(NamedTuple):
    """Users by when they came and when they were active.

    Attributes
    ----------
    last : Timestamp
        The last day; nothing after it is known.
    days : DataFrame
        ``source``, ``cohort`` (first day), ``active`` (a day up to ``MOST_DAYS`` later),
        ``users``.
    weeks : DataFrame
        ``source``, ``cohort`` (Monday of the first week), ``active`` (Monday), ``stayed``
        (whether they were active in the week before, too), ``users``.
    """

    last: pd.Timestamp
    days: pd.DataFrame
    weeks: pd.DataFrame


class Triangle(NamedTuple):
    """Weekly retention of the cohorts of one source.

    Attributes
    ----------
    shares : DataFrame
        A row a cohort by its Monday, a column an age in weeks from 0; NaN in the future.
    open : DataFrame
        Of the same shape: whether the week of that age is not over.
    sizes : Series
        Users of each cohort.
    """

    shares: pd.DataFrame
    open: pd.DataFrame
    sizes: pd.Series


def read(db: Connection, day: date) -> Cohorts:
    """Return the cohorts as they were at the end of a day.

    Parameters
    ----------
    db : Connection
        The warehouse.
    day : datetime.date
        The last day; nothing after it is read.
    """
    rows = db.frame("audience/cohorts", last=day, most_days=MOST_DAYS)
    rows["source"] = rows["source"].replace("", "unknown")
    names = ["source", "cohort", "active", "stayed", "users"]
    days, weeks = (
        rows.loc[rows["part"] == part, names].reset_index(drop=True) for part in ("day", "week")
    )
    return Cohorts(pd.Timestamp(day), days.drop(columns="stayed"), weeks)


def sources(cohorts: Cohorts) -> list[str]:
    """Return how users were acquired, by their number, at most the two largest."""
    first = cohorts.weeks[cohorts.weeks["cohort"] == cohorts.weeks["active"]]
    return list(first.groupby("source")["users"].sum().nlargest(2).sort_index().index)


def new_users(cohorts: Cohorts) -> pd.DataFrame:
    """Return the users whose first day it was, a column a source, by every day."""
    first = cohorts.days[cohorts.days["cohort"] == cohorts.days["active"]]
    by_day = first.pivot_table(index="cohort", columns="source", values="users", aggfunc="sum")
    days = pd.date_range(first["cohort"].min(), cohorts.last, name="day", unit="s")
    return by_day.reindex(days).fillna(0.0).rename_axis(columns=None)


def movement(cohorts: Cohorts) -> pd.DataFrame:
    """Return who came, stayed, came back and went, by week.

    Returns
    -------
    DataFrame
        Indexed by Monday. ``new``: the first week of the user; ``retained``: active in the
        week before, too; ``resurrected``: active earlier, but not in the week before;
        ``gone``: active in the week before and not in this one, NaN while this one is not
        over. New, retained and resurrected add up to the week's users.
    """
    rows = cohorts.weeks
    state = np.where(
        rows["cohort"] == rows["active"],
        "new",
        np.where(rows["stayed"] == 1, "retained", "resurrected"),
    )
    table = rows.assign(state=state).pivot_table(
        index="active", columns="state", values="users", aggfunc="sum"
    )
    weeks = pd.date_range(table.index.min(), _monday(cohorts.last), freq=_WEEK, unit="s")
    found = table.reindex(index=weeks, columns=list(STATES[:3])).fillna(0.0)
    found["gone"] = found.sum(axis=1).shift(fill_value=0.0) - found["retained"]
    if is_open(cohorts):
        found.loc[weeks[-1], "gone"] = np.nan
    return found.rename_axis(index="week", columns=None)


def is_open(cohorts: Cohorts) -> bool:
    """Return whether the last week is not over."""
    return bool(cohorts.last.weekday() != 6)


def _monday(day: pd.Timestamp) -> pd.Timestamp:
    return day - timedelta(day.weekday())


def weekly(cohorts: Cohorts, source: str) -> Triangle:
    """Return which share of each week's new users was active so many weeks later.

    Parameters
    ----------
    cohorts : Cohorts
        All cohorts.
    source : str
        How they were acquired.
    """
    rows = cohorts.weeks[cohorts.weeks["source"] == source]
    age = (rows["active"] - rows["cohort"]).dt.days // 7
    users = rows.assign(age=age).pivot_table(
        index="cohort", columns="age", values="users", aggfunc="sum"
    )
    last = _monday(cohorts.last)
    weeks = pd.date_range(rows["cohort"].min(), last, freq=_WEEK, unit="s", name="cohort")
    ages = pd.RangeIndex(len(weeks), name="age")
    users = users.reindex(index=weeks, columns=ages).fillna(0.0)
    weeks_later = np.arange(len(weeks))[:, None] + np.arange(len(weeks))[None, :]
    sizes = users[0]
    shares = users.div(sizes.where(sizes > 0), axis=0).where(weeks_later < len(weeks))
    unfinished = (weeks_later == len(weeks) - 1) & is_open(cohorts)
    return Triangle(shares, pd.DataFrame(unfinished, weeks, ages), sizes)


def curves(cohorts: Cohorts) -> pd.DataFrame:
    """Return which share of all new users was active on exactly the day of an age.

    Returns
    -------
    DataFrame
        Indexed by age in days from 1, a column a source. At each age all cohorts are pooled
        that have reached it.
    """
    found = {}
    for source in sources(cohorts):
        rows = cohorts.days[cohorts.days["source"] == source]
        age = (rows["active"] - rows["cohort"]).dt.days
        sizes = rows[age == 0].set_index("cohort")["users"]
        reached = (cohorts.last - pd.DatetimeIndex(sizes.index)).days
        active = rows.groupby(age)["users"].sum()
        ages = range(1, min(MOST_DAYS, int(reached.max()) if len(reached) else 0) + 1)
        found[source] = pd.Series(
            {k: active.get(k, 0) / sizes[reached >= k].sum() for k in ages}, dtype=float
        )
    return pd.DataFrame(found).rename_axis("age")


def next_day(cohorts: Cohorts) -> pd.DataFrame:
    """Return which share of a day's new users was active on the day after.

    Returns
    -------
    DataFrame
        Indexed by first day, a column a source; NaN where fewer than 20 were new, or where
        the day after is still to come.
    """
    rows = cohorts.days
    age = (rows["active"] - rows["cohort"]).dt.days
    sizes = new_users(cohorts)
    back = rows[age == 1].pivot_table(
        index="cohort", columns="source", values="users", aggfunc="sum"
    )
    back = back.reindex(index=sizes.index, columns=sizes.columns).fillna(0.0)
    return (back / sizes.where(sizes >= 20)).iloc[:-1]
