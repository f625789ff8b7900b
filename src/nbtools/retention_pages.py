"""What the product dashboard shows of who comes, stays, comes back and goes."""

import numpy as np
import pandas as pd

from nbtools import dashboards, retention
from nbtools.dashboards import number, on, percent
from nbtools.plots import Plot, Words
from nbtools.product import Product

_COHORTS = 26  # weeks, of a heat map that can be read


def movement(page: Product) -> Plot:
    """Return who came, stayed, came back and went, by week."""
    frame = retention.movement(page.lives)
    whole = frame.dropna(subset="gone")
    title = "The first week: everybody is new" if len(whole) < 2 else moved(whole)
    alt = (
        "Bars by week: new, retained and resurrected users above the axis, those who are gone"
        " since the week before below it."
    )
    note = (
        "New: first week. Retained: also active in the week before. Resurrected: active earlier,"
        " not in the week before. Gone: active in the week before and not in this one, known"
        " when the week is over."
    )
    return Plot(
        "bars",
        frame[["retained", "new", "resurrected", "gone"]],
        Words("movement", title.rstrip("."), "users a week", alt, note),
        below=("gone",),
        unfinished=retention.is_open(page.lives),
    )


def moved(whole: pd.DataFrame) -> str:
    """Return what happened in the last of the weeks that are over, a sentence."""
    week = whole.iloc[-1]
    return (
        f"In the week from {on(whole.index[-1].date())}, {number(week['gone'])} users went,"
        f" {number(week['new'])} came and {number(week['resurrected'])} came back."
    )


def new_users(page: Product) -> Plot:
    """Return the new users by day and acquisition source, with what happened."""
    frame = retention.new_users(page.lives)
    last = frame.iloc[-7:].mean()
    title = f"New users a day in the last week: {_each(last)}"
    lasting = [f for f in page.findings if f.series.startswith("new ") and f.found.days == 0]
    if lasting:
        largest = max(lasting, key=lambda finding: abs(np.log1p(finding.found.change)))
        source = largest.series.removeprefix("new ")
        before = frame.loc[: pd.Timestamp(largest.found.day), source].iloc[-8:-1].mean()
        title = (
            f"New users from {source}: {number(before)} a day in the week before"
            f" {on(largest.found.day)}, {number(last[source])} in the last one"
        )
    alt = "New users by day and acquisition source, with marks where something happened."
    keys = [f"new {source}" for source in frame]
    words = Words("new-users", title, "new users a day", alt, "New: the first day with an action.")
    return Plot("lines", frame, words, marks=page.marks(*keys))


def _each(values: pd.Series) -> str:
    return ", ".join(f"{number(x)} {source}" for source, x in values.items())


def next_day(page: Product) -> Plot | str:
    """Return which share of new users came back on the next day, by first day and source."""
    frame = retention.next_day(page.lives).dropna(axis=1, how="all")
    if not dashboards.drawable(frame):
        return "No day after a first one is over yet."
    usual = frame.median()
    lowest = str((frame / usual).min().idxmin())
    least, place = frame[lowest].min(), int(frame[lowest].fillna(1.0).to_numpy().argmin())
    title = "Back on the next day, usually: " + ", ".join(
        f"{percent(x)} of {source}" for source, x in usual.items()
    )
    if least < 0.5 * usual[lowest]:
        title = (
            f"Of the {lowest} users who came on {on(pd.DatetimeIndex(frame.index)[place])} only"
            f" {percent(least)} were back the next day; {percent(usual[lowest])} is usual"
        )
    alt = "Share of a day's new users who were active on the next day, by first day and source."
    note = "Days with fewer than 20 new users of a source are left out."
    words = Words("next-day", title, "share of new users", alt, note)
    keys = [f"new {source}" for source in frame]
    return Plot("lines", frame, words, style="share", marks=page.marks(*keys))


def heat(page: Product, place: int) -> Plot | str:
    """Return weekly retention of the cohorts of a source.

    Parameters
    ----------
    page : Product
        The page.
    place : int
        Which of the two largest sources.
    """
    names = retention.sources(page.lives)
    if place >= len(names):
        return "There is no other acquisition source."
    source = names[place]
    found = retention.weekly(page.lives, source)
    known = found.shares.where(~found.open)
    ages = [age for age in range(1, known.shape[1]) if known[age].notna().any()]
    title = f"New users from {source}: no week after the first is over yet"
    if ages:
        title = f"New users from {source}: {_back(found, ages[0])} are back in the next week"
    if len(ages) > 1:
        title += f", {_back(found, ages[-1])} in week {ages[-1]}"
    frame, unfinished = (
        part.iloc[-_COHORTS:, :_COHORTS].rename(columns=str) for part in (found.shares, found.open)
    )
    sizes = found.sizes.iloc[-_COHORTS:]
    weeks = pd.DatetimeIndex(frame.index)
    labels = [f"{week.day} {week:%b} ({number(x)})" for week, x in zip(weeks, sizes, strict=True)]
    frame, unfinished = frame.set_axis(labels), unfinished.set_axis(labels)
    alt = (
        f"Heat map: a row for each week's new users from {source}, a column for each week after;"
        " the share that was active, falling to the right."
    )
    note = "By Monday of the first week; in brackets the users. Starred: that week is not over."
    if len(found.sizes) > _COHORTS:
        note += f" The last {_COHORTS} weeks are shown."
    words = Words(f"retention-{place + 1}", title, "share of the cohort, %", alt, note)
    return Plot(
        "heat", frame, words._replace(across="weeks after the first"), "share",
        unfinished=unfinished,
    )  # fmt: skip


def _back(found: retention.Triangle, age: int) -> str:
    """Return the share of all users whose week of that age is over who were there in it."""
    known = found.shares[age].where(~found.open[age]).dropna()
    sizes = found.sizes[known.index]
    return percent(float((known * sizes).sum() / sizes.sum()))


def curves(page: Product) -> Plot | str:
    """Return which share of new users is active so many days later, by source."""
    frame = retention.curves(page.lives)
    if not dashboards.drawable(frame):
        return "No day after a first one is over yet."
    age = next(age for age in (30, 14, 7, 1) if age in frame.index)
    shown = frame.T[age].sort_values(ascending=False)
    title = f"After {age} days " + " and ".join(
        f"{percent(x)} of users from {source}" for source, x in shown.items()
    )
    if age == 1:
        title = title.replace("After 1 days", "On the next day")
    alt = "Share of new users active on exactly the day of each age, a falling curve a source."
    note = "At each age all users who have reached it. Later ages are of earlier cohorts only."
    words = Words(
        "curves", f"{title} are there", "share of new users", alt, note, "days after the first"
    )
    return Plot("lines", frame, words, style="share")
