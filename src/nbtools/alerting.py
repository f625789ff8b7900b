"""Alerts as a job: the check, the pages of its incidents, and a first look back.

The check is one notebook. What it hands over is recorded by the runner, with its messages, in
one transaction; the pages of incidents are made from that record afterwards, so a kill between
the two loses a page and never an incident, and the next check makes the page.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from nbtools import (
    alert_pages,
    alerts,
    annotations,
    backtests,
    causes,
    incident_store,
    jobs,
    progress,
    runner,
    slices,
    slicing,
    state,
    warehouse,
)
from nbtools.checks import State
from nbtools.errors import NoDataError
from nbtools.incidents import Rules
from nbtools.parameters import HISTORY_DAYS
from nbtools.runner import Result
from nbtools.settings import PROJECT, Settings
from nbtools.stories import Story

NOTEBOOK, RUN = "alerts", "live"
PAGE, TEMPLATE = "incident", "story"
_PAGES = 20
_LOOKED_BACK = 91  # days; older incidents help nobody, and a long history has many


class Checked(NamedTuple):
    """What a check has done.

    Attributes
    ----------
    result : Result
        Of the check itself.
    pages : int
        Pages of incidents that were made anew.
    """

    result: Result
    pages: int


def check(settings: Settings, at: str | None, *, resend: bool = False) -> Checked:
    """Check the metrics, send what is to be said, and renew the pages of incidents.

    Parameters
    ----------
    settings : Settings
        Where things are.
    at : str or None
        The moment, as the command line has it; now by default.
    resend : bool
        Send the messages again though they were sent.

    Raises
    ------
    InputError, LockedError, RunError, WarehouseError
        As :func:`nbtools.runner.run` does.
    """
    given = {"at": at} if at else {}
    result = runner.run(settings, NOTEBOOK, RUN, given, resend=resend)
    return Checked(result, make_pages(settings))


def make_pages(settings: Settings) -> int:
    """Make the pages of the newest incidents that are missing or out of date, return how many."""
    todo = list(_stale(settings))[::-1]  # so that the newest incident's page is the newest page
    for job in progress.track(todo, "incidents", lambda job: job.run) if len(todo) > 1 else todo:
        runner.execute(settings, job)
    return len(todo)


def _stale(settings: Settings) -> Iterator[jobs.Job]:
    for story in told(settings):
        given = {"key": story.group.key, "title": alert_pages.title(story, settings.zone)}
        job = jobs.prepare(settings, PAGE, TEMPLATE, given)
        if not runner.is_current(settings, job):
            yield job


def told(settings: Settings, limit: int = _PAGES) -> list[Story]:
    """Return the newest incidents that people were told of, newest first."""
    with state.open_store(settings) as store, store.reading() as connection:
        found = incident_store.told(connection, 5 * limit)
    return [story for story in found if story.group.messages][:limit]


def look_back(settings: Settings) -> str:
    """Record what checks would have found in the history, where there was none yet.

    Nothing is sent. Without it the first check of an app that has lived for months would know
    of no incident, and no reader would see what alerts are like.

    Parameters
    ----------
    settings : Settings
        Where things are.

    Returns
    -------
    str
        What was done, one line.
    """
    with state.open_store(settings) as store, store.reading() as connection:
        if incident_store.load(connection) != State():
            return "Alerts: checked before, nothing was looked back at."
    zone = settings.zone
    divided = slicing.load(settings.home)
    events = annotations.load(PROJECT / "parameters" / "annotations.yml", zone).events
    with warehouse.open_source(settings) as source, warehouse.open_warehouse(settings) as db:
        at = jobs.now(settings, warehouse.source_info(source))
        filled = slices.fill(db, source, at=at, slicing=divided)
        history = slices.read(
            db,
            filled,
            zone=zone,
            days=_LOOKED_BACK + HISTORY_DAYS,
            slicing=divided,
            slugs=alerts.METRICS,
        )
        last = filled.end - alerts.STEP
        first = max(filled.start + backtests.LEARNED, last - timedelta(_LOOKED_BACK))
        if first >= last:
            raise NoDataError(
                f"The events reach from {filled.start:%Y-%m-%d} to {filled.end:%Y-%m-%d}; a look "
                f"back needs more than {backtests.LEARNED.days} days."
            )
        found = backtests.replay(
            alerts.as_checked(
                history, sensitivity=alerts.DEFAULT_SENSITIVITY, days=HISTORY_DAYS, since=first
            ),
            backtests.Period(first, last, filled.start),
            rules=Rules(zone=zone),
            events=events,
            explain=partial(causes.explain, source=source, zone=zone, step=alerts.STEP),
        )
    with state.open_store(settings) as store, store.writing() as connection:
        outcome = backtests.outcome_of(found)
        incident_store.write(connection, incident_store.content(State(), outcome))
    return f"Alerts: {len(found.stories)} incidents since {first.astimezone(zone):%Y-%m-%d}."
