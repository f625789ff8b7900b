"""What became of every user, from one pass over ``user_days_v1``: how they came and came back.

Cohorts, distinct users of a week, and new users by their attributes all need a user's days put
together, which is what costs; so they are put together once. Texts are numbers meanwhile: a
value's *code* is its place among the values of its attribute, times the number of combinations
of the attributes before it, so that the sum of four codes tells all four values.
"""

import math
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbtools.errors import SettingsError
from nbtools.warehouse import Connection

MONTH_DAYS = 28  # four whole weeks, so that weekends count alike in all of them
MOST_DAYS = 60  # of a cohort's days after its first
DIMENSIONS = ("source", "os", "gender", "country")  # in the order of their codes
_SERVICES = ("app", "feed", "messenger")
_MOST_SOURCES, _MOST_CODES = 2**13, 2**45  # what fits into the number of a fact


class Values(NamedTuple):
    """The values that users' attributes have had.

    Attributes
    ----------
    lists : dict of str to list of str
        By attribute, in the order of ``DIMENSIONS``.
    """

    lists: dict[str, list[str]]

    def bound(self) -> dict[str, object]:
        """Return the values and their codes as parameters of a statement."""
        found: dict[str, object] = {"sources": max(len(self.lists["source"]), 1)}
        step = 1
        for name, values in self.lists.items():
            found[name] = values
            found[f"{name}_codes"] = [place * step for place in range(len(values))]
            step *= max(len(values), 1)
        return found

    def columns(self, codes: NDArray[np.int64]) -> dict[str, NDArray[np.object_]]:
        """Return what codes stand for, a column an attribute."""
        found = {}
        for name, values in self.lists.items():
            codes, places = np.divmod(codes, max(len(values), 1))
            found[name] = np.array(values, dtype=object)[places]
        return found


class Lives(NamedTuple):
    """What became of the users who came up to a day.

    Attributes
    ----------
    last : Timestamp
        The day; nothing after it is known.
    attributes : Values
        Of the users.
    returns : DataFrame
        ``service``, ``day`` on which users of it were active, ``gap`` in days to their next one
        (``MONTH_DAYS`` + 1 where it is longer, or has not ended), ``used`` up to and including
        the day (1 only the feed, 2 only the messenger, 3 both; 0 but for the app), ``users``.
    days : DataFrame
        ``source``, ``cohort`` (first day), ``active`` (a day up to ``MOST_DAYS`` later),
        ``users``.
    weeks : DataFrame
        ``source``, ``cohort`` (Monday of the first week), ``active`` (Monday), ``stayed``
        (1 if they were active in the week before, too), ``users``.
    firsts : DataFrame
        ``feed`` and ``messenger``, the first days of both services, NaT where there is none,
        and ``users``.
    came : DataFrame
        ``day``, the attributes ``DIMENSIONS`` on it, and ``users`` whose first day it was.
    """

    last: pd.Timestamp
    attributes: Values
    returns: pd.DataFrame
    days: pd.DataFrame
    weeks: pd.DataFrame
    firsts: pd.DataFrame
    came: pd.DataFrame


def read(db: Connection, day: date) -> Lives:
    """Return what became of the users as it was at the end of a day.

    Parameters
    ----------
    db : Connection
        The warehouse.
    day : datetime.date
        The last day; nothing after it is read.

    Raises
    ------
    SettingsError
        If users have too many kinds of attributes to tell them apart.
    """
    values = _values(db, day)
    facts = db.frame(
        "audience/lives", last=day, longest=MONTH_DAYS, most_days=MOST_DAYS, **values.bound()
    )
    part = {kind: rows.reset_index(drop=True) for kind, rows in facts.groupby("kind")}
    none = facts.iloc[:0]
    return Lives(
        pd.Timestamp(day),
        values,
        _returns(facts[facts["kind"] < len(_SERVICES)]),
        _cohorts(part.get(3, none), values, _dates).drop(columns="stayed"),
        _cohorts(part.get(4, none), values, _mondays),
        _firsts(part.get(5, none)),
        _came(part.get(6, none), values),
    )


def cells(db: Connection, lives: Lives) -> pd.DataFrame:
    """Return the counts of every day by users' attributes.

    Parameters
    ----------
    db : Connection
        The warehouse that the lives were read from.
    lives : Lives
        Up to the last day.

    Returns
    -------
    DataFrame
        ``day``, the attributes ``DIMENSIONS``, ``feed_users``, ``messenger_users``,
        ``both_users``, ``new_users`` (whose first day it was), ``views``, ``likes``,
        ``messages_sent``.
    """
    keys = ["day", *DIMENSIONS]
    rows = db.frame("audience/cells", last=lives.last.date(), **lives.attributes.bound())
    codes = rows.pop("code").to_numpy(np.int64)
    rows = rows.assign(**lives.attributes.columns(codes))
    came = lives.came.rename(columns={"users": "new_users"})
    found = rows.merge(came, on=keys, how="left").fillna({"new_users": 0})
    counts = [name for name in rows.columns if name not in keys]
    return found.astype({"new_users": "int64"})[[*keys, "new_users", *counts]]


def _values(db: Connection, day: date) -> Values:
    [row] = db.frame("audience/values", last=day).to_dict("records")
    values = Values({name: list(row[name]) for name in DIMENSIONS})
    sources, codes = len(values.lists["source"]), math.prod(map(len, values.lists.values()))
    if sources > _MOST_SOURCES or codes > _MOST_CODES:
        sizes = ", ".join(f"{name} {len(found)}" for name, found in values.lists.items())
        raise SettingsError(
            f"The users have too many kinds of attributes ({sizes}); {_MOST_SOURCES} sources can be"
            " told apart. Give the source's columns fewer values, and load their days again."
        )
    return values


def _returns(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "service": np.array(_SERVICES, dtype=object)[rows["kind"]],
            "day": _dates(rows["active"]),
            "gap": rows["detail"].to_numpy(),
            "used": rows["who"].to_numpy(),
            "users": rows["users"].to_numpy(),
        }
    )


def _cohorts(
    rows: pd.DataFrame, values: Values, dates: Callable[[pd.Series], pd.DatetimeIndex]
) -> pd.DataFrame:
    sources = np.array([name or "unknown" for name in values.lists["source"]], dtype=object)
    return pd.DataFrame(
        {
            "source": sources[rows["who"]],
            "cohort": dates(rows["began"]),
            "active": dates(rows["active"]),
            "stayed": rows["detail"].to_numpy(),
            "users": rows["users"].to_numpy(),
        }
    )


def _firsts(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feed": _dates(rows["began"]).where(rows["began"].to_numpy() > 0),
            "messenger": _dates(rows["active"]).where(rows["active"].to_numpy() > 0),
            "users": rows["users"],
        }
    )


def _came(rows: pd.DataFrame, values: Values) -> pd.DataFrame:
    codes = rows["came"].to_numpy(np.int64)
    return pd.DataFrame(
        {
            "day": _dates(pd.Series(codes // _MOST_CODES)),
            **values.columns(codes % _MOST_CODES),
            "users": rows["users"],
        }
    )


def _dates(days: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days.to_numpy(np.int64).astype("datetime64[D]").astype("datetime64[s]"))


def _mondays(weeks: pd.Series) -> pd.DatetimeIndex:
    """Return the first days of weeks, of which number 0 holds 1970-01-01, a Thursday."""
    return _dates(weeks * 7 - 3)
