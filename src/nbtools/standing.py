"""How the alerts stand, for the book: open incidents, and whether anybody looks for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

import sqlalchemy as sa

from nbtools import messages, schema, state
from nbtools.errors import SettingsError
from nbtools.metrics import CATALOGUE
from nbtools.records import Record, Runs
from nbtools.settings import Settings

NOTEBOOK = "alerts"
_PAGES = "incident"
_KEPT = 50
State = Literal["well", "incident", "missing", "learning", "unknown"]
# What a check says of itself, in its key figure ``status``.
_SAID: dict[str, State] = {
    "well": "well",
    "incident": "incident",
    "missing": "missing",
    "learning": "learning",
}


class Incident(NamedTuple):
    """A deviation of one series.

    Attributes
    ----------
    id : int
        Its number.
    metric, segment : str
        Slug of the catalogue, and where, such as ``total`` or ``os:iOS``.
    opened, last : datetime
        Its first and its newest slice.
    resolved : datetime or None
        Its first normal slice; None while it is open.
    severity : str
        ``info``, ``warning`` or ``critical``.
    deviation : float or None
        Of its worst slice, relative to what was expected.
    page : str
        Docname of the page that tells of it, empty when there is none.
    """

    id: int
    metric: str
    segment: str
    opened: datetime
    last: datetime
    resolved: datetime | None
    severity: str
    deviation: float | None
    page: str = ""

    @property
    def name(self) -> str:
        """What deviates, for people."""
        found = CATALOGUE.get(self.metric)
        return found.name if found else self.metric.replace("_", " ").capitalize()

    @property
    def where(self) -> str:
        """In which part of the app, for people."""
        dimension, _, value = self.segment.partition(":")
        return messages.attribute(dimension, value) if value else "whole app"


class Standing(NamedTuple):
    """How the alerts stand.

    Attributes
    ----------
    state : {"well", "incident", "missing", "learning", "unknown"}
        ``unknown`` when nothing has looked, or what it found cannot be read.
    why : str
        Why it is unknown.
    incidents : sequence of Incident
        The newest, newest first, open or not.
    check : Record or None
        The newest check.
    """

    state: State
    why: str
    incidents: Sequence[Incident]
    check: Record | None

    @property
    def open(self) -> list[Incident]:
        """The incidents that are not over."""
        return [incident for incident in self.incidents if incident.resolved is None]


def read(settings: Settings, everything: Sequence[Runs]) -> Standing:
    """Return how the alerts stand; what cannot be read is unknown, never well.

    Parameters
    ----------
    settings : Settings
        Where things are.
    everything : sequence of Runs
        The runs of every notebook.
    """
    check = _newest_check(everything)
    try:
        incidents = _incidents(settings, _pages(everything))
    except SettingsError as error:
        return Standing("unknown", f"{error}", (), check)
    found = Standing("well", "", incidents, check)
    if found.open:
        return found._replace(state="incident")
    if check is None:
        return found._replace(state="unknown", why="No check for incidents has run yet.")
    said = _SAID.get(str(check.figures.get("status", "")))
    if said is None:
        return found._replace(state="unknown", why="The newest check did not say what it found.")
    return found._replace(state=said)


def _newest_check(everything: Sequence[Runs]) -> Record | None:
    checks = [page for runs in everything if runs.notebook == NOTEBOOK for page in runs.pages]
    return max(checks, key=lambda page: page.finished, default=None)


def _pages(everything: Sequence[Runs]) -> dict[str, str]:
    """Return the pages of incidents, by the key of the story that they tell."""
    pages = (page for runs in everything if runs.notebook == _PAGES for page in runs.pages)
    return {str(page.parameters.get("key", "")): page.docname for page in pages}


def _incidents(settings: Settings, pages: Mapping[str, str]) -> list[Incident]:
    url = schema.parse_url(settings.state_url)
    # Reading must not make a store where nothing has run yet.
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        return []
    table = schema.incidents.c
    wanted = (
        table.id,
        table.metric,
        table.segment,
        table.opened_slice,
        table.last_slice,
        table.resolved_slice,
        table.severity,
        table.peak_deviation,
        table.story,
    )
    newest = sa.select(*wanted).order_by(table.opened_slice.desc(), table.id.desc()).limit(_KEPT)
    with state.open_store(settings) as store, store.reading() as connection:
        found = connection.execute(newest).all()
    return [Incident(*row[:-1], page=pages.get(row[-1], "")) for row in found]
