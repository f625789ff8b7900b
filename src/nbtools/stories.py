"""What people are told of incidents: related ones together, each thing once, not too often.

Incidents that have one cause make one story, as Alertmanager's groups do. A story is told when
it opens, when it clearly worsens, after a repeat interval that doubles, and when it is over.
What quiet hours or the limit of messages hold back stays due, and comes in one summary.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from nbtools.drivers import Driver
from nbtools.incidents import NO_DATA, Incident, Moment, Rules, Severity, rank

Stage = Literal["opened", "worse", "reminder", "again", "recovered", "passed"]
OVER = frozenset(("recovered", "passed"))

ALL = "all"
HOUR = timedelta(hours=1)
_LONGEST_REPEAT = timedelta(days=1)
_LONGEST_STORY = timedelta(days=2)
_CLOSE = 4  # slices between the openings of incidents of different places with one cause
_WORSE_BY = 0.25  # of a metric's total, and at least twice what was told
# The service of a metric; the others are of the whole app.
_SERVICES = {
    **dict.fromkeys(("feed_users", "views", "likes", "ctr"), "feed"),
    **dict.fromkeys(("messenger_users", "messages_sent"), "messages"),
}


class Mute(NamedTuple):
    """A silence that somebody asked for.

    Attributes
    ----------
    id : int
        Its number.
    metric : str
        A slug, ``no_data`` or ``all``.
    segment : str
        ``total``, a place such as ``os:iOS``, or empty for every one.
    until : datetime
        Its end.
    why : str
        The reason, for others.
    created : datetime
        When it was asked for.
    """

    id: int
    metric: str
    segment: str
    until: datetime
    why: str
    created: datetime

    def covers(self, incident: Incident, now: datetime) -> bool:
        """Return whether an incident is silenced at a moment."""
        return (
            now < self.until
            and self.metric in {incident.metric, ALL}
            and self.segment in {incident.place, ""}
        )


@dataclass(frozen=True)
class Group:
    """Incidents that are told together, and what has been told of them.

    Attributes
    ----------
    key : str
        Name that no other has, of ASCII letters, digits and ``-``.
    opened : datetime
        First slice of the incident that began it.
    told_at : datetime or None
        Time of the last message.
    told_severity : {"info", "warning", "critical"}
        What that message said.
    told_impact : float
        Largest share of a total that it spoke of.
    messages, reminders : int
        How many there were.
    closed : bool
        Whether it has been over for so long that it does not come back.
    driver : Driver or None
        The most likely driver.
    lead : str
        Key of the incident that the first line of the last message named.
    timeline : tuple of Moment
        Its messages.
    """

    key: str
    opened: datetime
    told_at: datetime | None = None
    told_severity: Severity = "info"
    told_impact: float = 0.0
    messages: int = 0
    reminders: int = 0
    closed: bool = False
    driver: Driver | None = None
    lead: str = ""
    timeline: tuple[Moment, ...] = ()

    @property
    def is_told_over(self) -> bool:
        """Whether people believe that it is over."""
        return bool(self.timeline) and self.timeline[-1].what in OVER


class Story(NamedTuple):
    """What a message, or a line of a summary, is about.

    Attributes
    ----------
    group : Group
        What has been told, this message included.
    incidents : tuple of Incident
        Those that are not muted, the leading one first.
    stage : {"opened", "worse", "reminder", "again", "recovered", "passed"}
        Why it is told; ``passed`` is over before anybody heard of it.
    """

    group: Group
    incidents: tuple[Incident, ...]
    stage: Stage

    @property
    def lead(self) -> Incident:
        """The incident that says most."""
        return self.incidents[0]

    @property
    def severity(self) -> Severity:
        """The worst of its incidents."""
        return self.lead.severity


def key(founder: Incident) -> str:
    """Return the key of the story that an incident begins.

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2023, 2, 25, 12, tzinfo=UTC)
    >>> key(Incident("views", "os", "iOS", noon, noon, "open", "down", "warning"))
    '2023-02-25T1200Z-views-os-iOS'
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", founder.place).strip("-")
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", founder.place):
        name += "-" + hashlib.sha256(founder.place.encode()).hexdigest()[:6]
    return f"{founder.opened.astimezone(UTC):%Y-%m-%dT%H%MZ}-{founder.metric}-{name}"


def in_order(incidents: Iterable[Incident], lead: str = "") -> tuple[Incident, ...]:
    """Return incidents by weight: worst, still open, total before segments, largest.

    Parameters
    ----------
    incidents : iterable of Incident
        All of one story.
    lead : str
        Key of the one that people know it by, which comes first.
    """
    return tuple(sorted(incidents, key=lambda one: (one.key != lead, *_weight(one))))


def _weight(one: Incident) -> tuple[object, ...]:
    return (
        -rank(one.severity),
        one.phase != "open",
        not one.is_total,
        one.metric != NO_DATA,
        -one.impact,
        one.key,
    )


def belongs(incident: Incident, members: Iterable[Incident], step: timedelta) -> bool:
    """Return whether an incident that opens has the same cause as a story's open ones.

    Parameters
    ----------
    incident : Incident
        The new one.
    members : iterable of Incident
        All of the story.
    step : timedelta
        Length of a slice.
    """
    known = list(members)
    going_on = [member for member in known if member.phase == "open"]
    # A segment that was part of a story which is not over comes back to it.
    name = incident.place, incident.direction
    is_back = any((member.place, member.direction) == name for member in known)
    if going_on and is_back and not incident.is_total:
        return True
    return any(_is_related(incident, member, step) for member in going_on)


def _is_related(incident: Incident, member: Incident, step: timedelta) -> bool:
    if NO_DATA in {incident.metric, member.metric}:
        # Slices that were missing turn out to have been empty.
        return incident.opened + step >= member.opened
    apart = abs(incident.opened - member.opened)
    services = {_SERVICES.get(one.metric) for one in (incident, member)}
    same_family = len(services) == 1 or None in services
    if incident.direction != member.direction:
        return same_family and apart <= step
    if not same_family:
        return apart <= step
    # A segment is part of a total; two segments have one cause if they begin together.
    return incident.is_total or member.is_total or apart <= _CLOSE * step


def comes_back(incident: Incident, members: Iterable[Incident], rules: Rules) -> bool:
    """Return whether an incident that opens goes on with a story that was over.

    The same deviation of the same series does; and so does good news of a metric after bad,
    which is how a metric swings back.

    Parameters
    ----------
    incident : Incident
        The new one.
    members : iterable of Incident
        All of the story.
    rules : Rules
        How long after its end.
    """
    known = list(members)
    first = min((member.opened for member in known), default=incident.opened)
    # What is silent every night, or flaps for days, must not become one story without an end.
    if incident.metric == NO_DATA or incident.opened - first > _LONGEST_STORY:
        return False
    return any(
        incident.metric == member.metric
        and incident.opened - (member.resolved or member.last) <= rules.settle
        and (
            (incident.place, incident.direction) == (member.place, member.direction)
            if incident.severity != "info" or incident.direction == member.direction
            else member.severity != "info"
        )
        for member in known
    )


def stage(
    group: Group,
    members: Sequence[Incident],
    audible: Sequence[Incident],
    now: datetime,
    rules: Rules,
) -> Stage | None:
    """Return what there is to tell of a story now.

    Parameters
    ----------
    group : Group
        What has been told.
    members, audible : sequence of Incident
        All of it, and those that are not muted.
    now : datetime
        The moment.
    rules : Rules
        The repeat interval.
    """
    is_over = all(one.phase != "open" for one in members)
    if not audible:
        return None
    if is_over:
        if group.told_at is None:
            return "passed"
        # Nobody waits for the end of good news.
        return "recovered" if group.told_severity != "info" and not group.is_told_over else None
    current = [one for one in audible if one.phase == "open"]
    if not current:
        return None
    if group.told_at is None:
        return "opened"
    return _again(group, current, now, rules)


def _again(group: Group, current: Sequence[Incident], now: datetime, rules: Rules) -> Stage | None:
    """Return whether a story that was told is worth a message again."""
    assert group.told_at is not None
    worst = worst_of(current)
    if group.is_told_over and worst != "info":
        return "again"
    if rank(worst) > rank(group.told_severity):
        return "worse"
    if worst == "info":
        return None
    impact = max(one.impact for one in current)
    if impact >= max(2 * group.told_impact, group.told_impact + _WORSE_BY):
        return "worse"
    wait = min(rules.repeat * 2**group.reminders, max(rules.repeat, _LONGEST_REPEAT))
    return "reminder" if now - group.told_at >= wait else None


def worst_of(incidents: Iterable[Incident]) -> Severity:
    """Return the worst severity of some incidents."""
    return max((one.severity for one in incidents), key=rank, default="info")


class Due(NamedTuple):
    """Something that waits to be told.

    Attributes
    ----------
    group : str
        Key of the story.
    stage : {"opened", "worse", "reminder", "again", "recovered", "passed"}
        Why.
    severity : {"info", "warning", "critical"}
        How pressing.
    """

    group: str
    stage: Stage
    severity: Severity


def is_quiet(moment: datetime, rules: Rules) -> bool:
    """Return whether a moment is in the quiet hours.

    Examples
    --------
    >>> from datetime import UTC, time
    >>> night = Rules(quiet=(time(23), time(8)))
    >>> is_quiet(datetime(2023, 2, 25, 2, tzinfo=UTC), night)  # five in Moscow
    True
    """
    if rules.quiet is None:
        return False
    first, last = rules.quiet
    local = moment.astimezone(rules.zone).time()
    return first <= local < last if first <= last else local >= first or local < last


def allowed(
    due: Sequence[Due], told: Sequence[datetime], now: datetime, rules: Rules
) -> list[tuple[Due, ...]]:
    """Return what may be told now: messages of one story each, and perhaps one summary.

    What is not among them stays due. One message an hour is kept for what is critical.

    Parameters
    ----------
    due : sequence of Due
        All that waits.
    told : sequence of datetime
        Times of the messages so far.
    now : datetime
        The moment.
    rules : Rules
        Quiet hours and the limit.
    """
    free = rules.messages_per_hour - sum(moment > now - HOUR for moment in told)
    ordered = sorted(due, key=_pressing)
    urgent = [one for one in ordered if one.severity == "critical"]
    rest = [] if is_quiet(now, rules) else ordered[len(urgent) :]
    passing = _batches(urgent, free)
    left = free - len(passing) - int(rules.messages_per_hour > 1)
    if is_quiet(now - rules.step, rules):  # the morning: what the night held back in one
        left = min(left, 1)
    return [*passing, *_batches(rest, left)]


def _pressing(due: Due) -> tuple[object, ...]:
    """Return what puts one thing before another: a reminder must not keep news waiting."""
    return -rank(due.severity), due.stage == "reminder", due.group


def _batches(due: Sequence[Due], slots: int) -> list[tuple[Due, ...]]:
    """Return messages of one story each, the last a summary where there are not enough."""
    if not due or slots <= 0:
        return []
    alone = len(due) if len(due) <= slots else slots - 1
    summary = tuple(due[alone:])
    return [*((one,) for one in due[:alone]), *([summary] if summary else [])]
