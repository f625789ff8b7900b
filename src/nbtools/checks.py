"""A check's findings, and what one check hands on to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from nbtools.incidents import Incident, Observation
from nbtools.stories import Group, Stage, Story

Status = Literal["well", "incident", "missing", "learning", "past"]
APP = "app"
LEARNED = timedelta(14)  # before that a detector is still learning its weeks


class Missing(NamedTuple):
    """Data that have not arrived.

    Attributes
    ----------
    service : str
        ``feed``, ``messages``, or ``app`` for both.
    since : datetime
        End of the last slice that has arrived.
    is_usual : bool
        Whether the history knows such a silence at such a time: that of a small app at night
        is nobody's emergency.
    """

    service: str
    since: datetime
    is_usual: bool = False


class Check(NamedTuple):
    """What a check has found.

    Attributes
    ----------
    at : datetime
        Its time.
    slice : datetime
        Start of the newest slice that has ended.
    observations : tuple of Observation
        Verdicts on the slices since the last check, or more: what was judged is ignored.
    missing : tuple of Missing
        Services of which a slice up to ``slice`` has not arrived, however short.
    first : datetime or None
        First slice of the history, if it may be young.
    """

    at: datetime
    slice: datetime
    observations: tuple[Observation, ...] = ()
    missing: tuple[Missing, ...] = ()
    first: datetime | None = None


@dataclass(frozen=True)
class Said:
    """A message of the last check.

    Attributes
    ----------
    part : str
        Its name within the run, the same whenever the check is repeated.
    at : datetime
        The moment that it speaks of.
    stories : tuple of tuple
        Keys of its stories and why they were told; several make a summary.
    """

    part: str
    at: datetime
    stories: tuple[tuple[str, Stage], ...]


@dataclass(frozen=True)
class State:
    """All that a check must know of those before it.

    Attributes
    ----------
    version : int
        Counts the checks that changed it.
    checked : datetime or None
        Slice of the last check.
    cursors : dict
        Last judged slice of each metric.
    told : tuple of datetime
        Messages of the last hour.
    said : tuple of Said
        Messages of the last check.
    incidents, groups : tuple
        Those that are not over, or that the last check spoke of.
    """

    version: int = 0
    checked: datetime | None = None
    cursors: Mapping[str, datetime] = field(default_factory=dict)
    told: tuple[datetime, ...] = ()
    said: tuple[Said, ...] = ()
    incidents: tuple[Incident, ...] = ()
    groups: tuple[Group, ...] = ()

    def cursor(self, metric: str) -> datetime | None:
        """Return the last judged slice of a metric; None before its first check."""
        return self.cursors.get(metric)


class Intent(NamedTuple):
    """A message to write.

    Attributes
    ----------
    part : str
        Its name within the run.
    at : datetime
        The moment that it speaks of.
    stories : tuple of Story
        One, or several for a summary.
    """

    part: str
    at: datetime
    stories: tuple[Story, ...]


class Outcome(NamedTuple):
    """What a check comes to.

    Attributes
    ----------
    state : State
        For the next check.
    intents : tuple of Intent
        What to say.
    status : str
        ``incident``, ``missing`` (data have not arrived, which is unusual), ``learning``
        (nothing could be judged), ``well``, or ``past`` when later slices have been checked
        already.
    fresh : bool
        False when the state is as before: a repeated check, or one of the past.
    judged : int
        Series of the newest slice that could be judged.
    changed : tuple of Incident
        Those that opened, went on or ended; pending ones are only in the state.
    groups : tuple of Group
        Those that began, were told or were closed.
    """

    state: State
    intents: tuple[Intent, ...]
    status: Status
    fresh: bool
    judged: int
    changed: tuple[Incident, ...] = ()
    groups: tuple[Group, ...] = ()


def moment_of(at: datetime, zone: ZoneInfo) -> datetime:
    """Return a moment with its zone: the app's where it has none."""
    return at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone)
