"""Who comes back: cohorts of users by their first day or week, and by how they were acquired.

A user's first day is the first one in ``user_days_v1``: with a view, a like or a sent message.
Weeks begin on Monday. A share is known for an age that is over for every user of the cohort.
"""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from nbtools.lives import MOST_DAYS, Lives

_WEEK = pd.Timedelta(days=7)
STATES = ("new", "retained", "resurrected", "gone")


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


def sources(lives: Lives) -> list[str]:
    """Return how users were acquired, by their number, at most the two largest."""
    first = lives.weeks[lives.weeks["cohort"] == lives.weeks["active"]]
    return list(first.groupby("source")["users"].sum().nlargest(2).sort_index().index)


def new_users(lives: Lives) -> pd.DataFrame:
    """Return the users whose first day it was, a column a source, by every day."""
    first = lives.days[lives.days["cohort"] == lives.days["active"]]
    by_day = first.pivot_table(index="cohort", columns="source", values="users", aggfunc="sum")
    days = pd.date_range(first["cohort"].min(), lives.last, name="day", unit="s")
    return by_day.reindex(days).fillna(0.0).rename_axis(columns=None)


def movement(lives: Lives) -> pd.DataFrame:
    """Return who came, stayed, came back and went, by week.

    Returns
    -------
    DataFrame
        Indexed by Monday. ``new``: the first week of the user; ``retained``: active in the
        week before, too; ``resurrected``: active earlier, but not in the week before;
        ``gone``: active in the week before and not in this one, NaN while this one is not
        over. New, retained and resurrected add up to the week's users.
    """
    rows = lives.weeks
    state = np.where(
        rows["cohort"] == rows["active"],
        "new",
        np.where(rows["stayed"] == 1, "retained", "resurrected"),
    )
    table = rows.assign(state=state).pivot_table(
        index="active", columns="state", values="users", aggfunc="sum"
    )
    weeks = pd.date_range(table.index.min(), _monday(lives.last), freq=_WEEK, unit="s")
    found = table.reindex(index=weeks, columns=list(STATES[:3])).fillna(0.0)
    found["gone"] = found.sum(axis=1).shift(fill_value=0.0) - found["retained"]
    if is_open(lives):
        found.loc[weeks[-1], "gone"] = np.nan
    return found.rename_axis(index="week", columns=None)


def is_open(lives: Lives) -> bool:
    """Return whether the last week is not over."""
    return bool(lives.last.weekday() != 6)


def _monday(day: pd.Timestamp) -> pd.Timestamp:
    return day - timedelta(day.weekday())


def weekly(lives: Lives, source: str) -> Triangle:
    """Return which share of each week's new users was active so many weeks later.

    Parameters
    ----------
    lives : Lives
        How users came and came back.
    source : str
        How they were acquired.
    """
    rows = lives.weeks[lives.weeks["source"] == source]
    age = (rows["active"] - rows["cohort"]).dt.days // 7
    users = rows.assign(age=age).pivot_table(
        index="cohort", columns="age", values="users", aggfunc="sum"
    )
    last = _monday(lives.last)
    weeks = pd.date_range(rows["cohort"].min(), last, freq=_WEEK, unit="s", name="cohort")
    ages = pd.RangeIndex(len(weeks), name="age")
    users = users.reindex(index=weeks, columns=ages).fillna(0.0)
    weeks_later = np.arange(len(weeks))[:, None] + np.arange(len(weeks))[None, :]
    sizes = users[0]
    shares = users.div(sizes.where(sizes > 0), axis=0).where(weeks_later < len(weeks))
    unfinished = (weeks_later == len(weeks) - 1) & is_open(lives)
    return Triangle(shares, pd.DataFrame(unfinished, weeks, ages), sizes)


def curves(lives: Lives) -> pd.DataFrame:
    """Return which share of all new users was active on exactly the day of an age.

    Returns
    -------
    DataFrame
        Indexed by age in days from 1, a column a source. At each age all cohorts are pooled
        that have reached it.
    """
    found = {}
    for source in sources(lives):
        rows = lives.days[lives.days["source"] == source]
        age = (rows["active"] - rows["cohort"]).dt.days
        sizes = rows[age == 0].set_index("cohort")["users"]
        reached = (lives.last - pd.DatetimeIndex(sizes.index)).days
        active = rows.groupby(age)["users"].sum()
        ages = range(1, min(MOST_DAYS, int(reached.max()) if len(reached) else 0) + 1)
        found[source] = pd.Series(
            {k: active.get(k, 0) / sizes[reached >= k].sum() for k in ages}, dtype=float
        )
    return pd.DataFrame(found).rename_axis("age")


def next_day(lives: Lives) -> pd.DataFrame:
    """Return which share of a day's new users was active on the day after.

    Returns
    -------
    DataFrame
        Indexed by first day, a column a source; NaN where fewer than 20 were new, or where
        the day after is still to come.
    """
    rows = lives.days
    age = (rows["active"] - rows["cohort"]).dt.days
    sizes = new_users(lives)
    back = rows[age == 1].pivot_table(
        index="cohort", columns="source", values="users", aggfunc="sum"
    )
    back = back.reindex(index=sizes.index, columns=sizes.columns).fillna(0.0)
    return (back / sizes.where(sizes >= 20)).iloc[:-1]
