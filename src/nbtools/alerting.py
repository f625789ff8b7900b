"""Alerts as a job: the check, and the pages of its incidents.

The check is one notebook. What it hands over is recorded by the runner, with its messages, in
one transaction; the pages of incidents are made from that record afterwards, so a kill between
the two loses a page and never an incident, and the next check makes the page.
"""

from typing import NamedTuple

from nbtools import incident_store, jobs, progress, runner, state, titles
from nbtools.runner import Result
from nbtools.settings import Settings
from nbtools.stories import Story

NOTEBOOK, RUN = "alerts", "live"
PAGE, TEMPLATE = "incident", "story"
_PAGES = 20


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
    todo = _stale(settings)[::-1]  # so that the newest incident's page is the newest page
    for job in progress.track(todo, "incidents", lambda job: job.run) if len(todo) > 1 else todo:
        runner.execute(settings, job)
    return len(todo)


def _stale(settings: Settings) -> list[jobs.Job]:
    given = [
        {"key": story.group.key, "title": titles.title(story, settings.zone)}
        for story in told(settings)
    ]
    found = jobs.prepare_each(settings, PAGE, TEMPLATE, given) if given else []
    return [job for job in found if not runner.is_current(settings, job)]


def told(settings: Settings, limit: int = _PAGES) -> list[Story]:
    """Return the newest incidents that people were told of, newest first."""
    with state.open_store(settings) as store, store.reading() as connection:
        found = incident_store.told(connection, 5 * limit)
    return [story for story in found if story.group.messages][:limit]
