"""What the product dashboard shows: growth, who comes back, use, and what happened."""

import math

import numpy as np
from IPython.display import HTML

from nbtools import (
    audience,
    cubes,
    dashboards,
    happenings,
    interactive,
    messages,
    retention,
    retention_pages,
    tables,
)
from nbtools.cubes import Cube
from nbtools.dashboards import number, on, percent
from nbtools.interactive import Chart
from nbtools.metrics import CATALOGUE, SLICE_METRICS
from nbtools.plots import Plot, Words
from nbtools.product import Product

_USED = (
    "views",
    "likes",
    "ctr",
    "views_per_user",
    "likes_per_user",
    "messages_sent",
    "messages_per_user",
)
_USERS = ("app_users", "feed_users", "messenger_users")
CUBE = (*_USERS, "both_users", "feed_only_users", "new_users", *_USED)
DIMENSIONS = ("os", "source", "gender", "country")
TABLE = (*_USERS, *_USED)
_SHOWN = {**SLICE_METRICS, **CATALOGUE}
_NAMES = {"app": "the app", "feed": "the feed", "messenger": "the messenger"}


def headline(page: Product) -> HTML:
    """Return the state of the product in a few sentences."""
    lines = [
        f"{number(page.last['app_users'])} users on {on(page.day)}{_against(page, 'app_users')}.",
        f"In seven days {number(page.last['app_wau'])}, in 28 days"
        f" {number(page.last['app_mau'])}; {percent(page.last['app_stickiness'])} of these came"
        " on the day.",
    ]
    moved = retention.movement(page.lives)
    whole = moved.dropna(subset="gone")
    if len(whole) > 1:
        lines.append(retention_pages.moved(whole))
    return tables.sentences(lines)


def _against(page: Product, slug: str) -> str:
    change = dashboards.month_change(page.daily[slug])
    if np.isnan(change):
        return ""
    how = "above" if change > 0 else "below"
    return f"; the last seven days are {percent(abs(change))} {how} those four weeks before"


def day_table(page: Product) -> HTML:
    """Return the day's metrics against a week and four weeks before."""
    return tables.show(dashboards.changes(page.daily, TABLE))


def growth(page: Product) -> Plot:
    """Return the users of the app and its services by day, with what happened."""
    title = f"{number(page.last['app_users'])} users on {on(page.day)}{_against(page, 'app_users')}"
    alt = (
        "Users by day of the app, the feed and the messenger since the first day, with marks where"
        " something happened."
    )
    return Plot(
        "lines",
        page.daily[["app_users", "feed_users", "messenger_users"]],
        Words(
            "growth",
            title,
            "users a day",
            alt,
            "Marks: what the team noted, and days on which a series left its course.",
        ),
        marks=page.marks("app_users", "messenger_users"),
    )


def happened(page: Product) -> HTML:
    """Return what the page found in its series, and what the team knew."""
    if not page.findings:
        return tables.sentences(["No series has left its course so far."])
    table = happenings.table(page.findings, page.events, page.zone)
    shown = [tables.show(table, words=("What", "How long", "Noted as")).data]
    where = [finding for finding in page.findings if finding.where]
    shown += [
        tables.sentences([f"{on(finding.found.day)}, {finding.name}: {finding.where}"]).data
        for finding in where
    ]
    return HTML("\n".join(shown))


def reach(page: Product, service: str) -> Plot | str:
    """Return a service's distinct users in a day, in 7 and in 28 days.

    Parameters
    ----------
    page : Product
        The page.
    service : {"app", "feed", "messenger"}
        The service.
    """
    keys = {f"{service}_users": "dau", f"{service}_wau": "wau", f"{service}_mau": "mau"}
    frame = page.daily[list(keys)].rename(columns=keys)
    if not dashboards.drawable(frame):
        return f"Nobody has used {_NAMES[service]} so far."
    day, week, month = frame.iloc[-1]
    title = f"{number(month)} users of {_NAMES[service]} in 28 days, {number(week)} in seven"
    if np.isnan(month):
        title = f"{number(day)} users of {_NAMES[service]} on {on(page.day)}"
    alt = (
        f"Distinct users of {_NAMES[service]} in one day, in 7 days and in 28 days up to each day."
    )
    note = "A line begins when all its days are in the history."
    return Plot("lines", frame, Words(f"reach-{service}", title, "users", alt, note))


def stickiness(page: Product) -> Plot | str:
    """Return the share of the 28 days' users who came on the day, by service."""
    keys = {f"{service}_stickiness": f"{service}_users" for service in audience.SERVICES}
    frame = page.daily[list(keys)].rename(columns=keys)
    if not dashboards.drawable(frame):
        return "Stickiness is DAU divided by the users of 28 days; there are no 28 days yet."
    shown = frame.loc[frame.first_valid_index() :]
    title = (
        f"{percent(shown['app_users'].iloc[-1])} of the app's users of 28 days came on"
        f" {on(page.day)}; the messenger has {percent(shown['messenger_users'].iloc[-1])}"
    )
    alt = "DAU divided by the users of 28 days, by day, of the app, the feed and the messenger."
    return Plot("lines", shown, Words("stickiness", title, "share of MAU", alt), style="share")


def use(page: Product, name: str, *slugs: str) -> Plot | str:
    """Return metrics of use by day.

    Parameters
    ----------
    page : Product
        The page.
    name : str
        Of the chart.
    *slugs : str
        Metrics of one style.
    """
    frame = page.daily[list(slugs)]
    items = [CATALOGUE[slug] for slug in slugs]
    if not dashboards.drawable(frame):
        return f"{items[0].name}: nothing so far."
    said = [f"{item.name} {messages.value(item, page.last[item.slug])}" for item in items]
    if change := _against(page, slugs[0]):
        said[0] += f" ({change.removeprefix('; ')})"
    unit = "share of views" if slugs == ("ctr",) else " and ".join(item.unit for item in items)
    per_day = "" if items[0].style != "count" else " a day"
    alt = f"{' and '.join(item.name for item in items)} by day since the first day."
    words = Words(name, ", ".join(said), unit + per_day, alt)
    marks = page.marks(*slugs)
    return Plot("lines", frame, words, style=items[0].style, marks=marks)


def explore(page: Product) -> Chart:
    """Return the metrics of any part of the users."""
    cells = page.cells.copy()
    for dimension in DIMENSIONS:
        cells[dimension] = cells[dimension].replace("", "unknown")
    folded = cubes.fold(cells, "country", "feed_users", keep=5)
    for dimension in ("os", "source"):
        folded = cubes.fold(folded, dimension, "feed_users", keep=5)
    cube = Cube(folded, DIMENSIONS, [_SHOWN[slug] for slug in CUBE])
    title = f"App DAU: {number(page.last['app_users'])} on {on(page.day)}"
    alt = "Users of the app by day; metric and part of the users can be chosen."
    words = Words("explore", title, "users a day", alt, "Choose a metric and who is counted.")
    return interactive.show_cube(cube, words, marks=tuple(page.marks("app_users")))


def figures(page: Product) -> dict[str, float | None]:
    """Return the key figures, under the names of the catalogue where it has them."""
    found: dict[str, float | None] = {slug: _plain(page.last[slug]) for slug in TABLE}
    for service in audience.SERVICES:
        front = "" if service == "app" else f"{service}_"
        for what in ("wau", "mau", "stickiness"):
            found[f"{front}{what}"] = _plain(page.last[f"{service}_{what}"])
    found["new_users"] = _plain(retention.new_users(page.lives).iloc[-1].sum())
    whole = retention.movement(page.lives).dropna(subset="gone")
    for state in retention.STATES:
        found[f"week_{state}_users"] = _plain(whole[state].iloc[-1]) if len(whole) else None
    curve = retention.curves(page.lives)
    for source, shares in curve.items():
        for age in (1, 7, 30):
            found[f"day_{age}_{source}"] = _plain(shares.get(age, math.nan))
    return found


def _plain(x: float) -> float | None:
    if math.isnan(x):
        return None
    return int(x) if float(x).is_integer() else float(x)
