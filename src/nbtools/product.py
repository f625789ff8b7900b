"""The product's life up to a day: everything that its dashboard shows."""

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from nbtools import audience, dashboards, happenings, lives, retention
from nbtools.annotations import Event
from nbtools.happenings import Finding
from nbtools.lives import Lives
from nbtools.plots import Mark
from nbtools.settings import Settings

_WATCHED = {
    "app_users": "App",
    "messenger_users": "Messenger",
    "views_per_user": "Views per user",
    "ctr": "CTR",
}


class Product(NamedTuple):
    """Everything the page shows.

    Attributes
    ----------
    day : datetime.date
        The last day.
    daily : DataFrame
        As of :func:`nbtools.audience.read`.
    lives : Lives
        How users came and came back.
    cells : DataFrame
        Counts by day and attributes.
    events : list of Event
        What the team noted up to the day.
    findings : list of Finding
        Where series left their course.
    zone : ZoneInfo
        The app's zone.
    usage : dict of str to float
        What the statements have cost.
    """

    day: date
    daily: pd.DataFrame
    lives: Lives
    cells: pd.DataFrame
    events: list[Event]
    findings: list[Finding]
    zone: ZoneInfo
    usage: dict[str, float]

    @property
    def last(self) -> pd.Series:
        """The metrics of the day."""
        return self.daily.iloc[-1]

    def marks(self, *series: str) -> list[Mark]:
        """Return what happened, as far as it is noted or was found in these series."""
        found = [finding for finding in self.findings if finding.series in series]
        meant = {"new_users" if key.startswith("new ") else key for key in series}
        noted = [one for one in self.events if not one.metrics or meant & set(one.metrics)]
        return happenings.marks(noted, found, self.zone)


def load(config: Settings, day: date) -> Product:
    """Return the product's life up to a day.

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
        db = users.db
        assert db is not None
        found = lives.read(db, day)
        frame, cells = audience.read(db, found), lives.cells(db, found)
        watched = {key: (name, frame[key]) for key, name in _WATCHED.items()}
        for source, values in retention.new_users(found).items():
            watched[f"new {source}"] = (f"New, {source}", values)
        findings = happenings.located(db, happenings.find(watched), "app_users")
        events = happenings.known(day, config.zone)
        cost = dashboards.usage(users)
        return Product(day, frame, found, cells, events, findings, config.zone, cost)
