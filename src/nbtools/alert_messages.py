"""Messages about incidents: one line that says it, then the numbers behind it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nbtools import languages, messages
from nbtools.checks import Intent, Outcome
from nbtools.drivers import Driver
from nbtools.handover import Attachment, Draft
from nbtools.incidents import NO_DATA, Incident, Point
from nbtools.languages import Language
from nbtools.metrics import SLICE_METRICS
from nbtools.stories import OVER, Story

_SERIES = 4  # a phone shows no more without scrolling
_OTHERS = 2
_MOST_SCORE = 100.0

Pictures = Mapping[str, Sequence[Attachment]] | Callable[[Story], Sequence[Attachment]]


class Reader(NamedTuple):
    """For whom a message is written.

    Attributes
    ----------
    language : {"en", "ru"}
        Theirs.
    zone : ZoneInfo
        Where they are.
    at : datetime
        When they read it.
    """

    language: Language
    zone: ZoneInfo
    at: datetime

    def text(self, name: str, **arguments: str | int) -> str:
        """Return a text of the catalogue."""
        return languages.text(self.language, name, **arguments)

    def moment(self, at: datetime) -> str:
        """Return a time, with its day where that is another one."""
        return languages.moment(self.language, at, self.zone, self.at)


def drafts(
    outcome: Outcome,
    *,
    language: Language,
    zone: ZoneInfo,
    pictures: Pictures | None = None,
    link: Callable[[str], str] = lambda _key: "",
    dashboard: str = "",
) -> list[Draft]:
    """Return the messages of a check.

    Parameters
    ----------
    outcome : Outcome
        What the check came to.
    language : {"en", "ru"}
        Of the texts.
    zone : ZoneInfo
        Of the times.
    pictures : mapping or callable, optional
        The pictures of a story, by its key or from the story itself.
    link : callable
        From a story's key to the address of its page; an empty key is the log's.
    dashboard : str
        Address of the live dashboard.

    Returns
    -------
    list of Draft
        One a message; their parts are the same whenever the check is repeated.
    """
    found = []
    for intent in outcome.intents:
        reader = Reader(language, zone, intent.at)
        lines = _summary(reader, intent) if len(intent.stories) > 1 else _single(reader, intent)
        if dashboard:
            lines.append(reader.text("alert-dashboard", address=dashboard))
        alone = intent.stories[0] if len(intent.stories) == 1 else None
        found.append(
            Draft(
                part=intent.part,
                title=lines[0],
                text="\n".join(lines[1:]),
                link=link(alone.group.key if alone else ""),
                pictures=_pictures(pictures, alone),
            )
        )
    return found


def _pictures(pictures: Pictures | None, story: Story | None) -> tuple[Attachment, ...]:
    if pictures is None or story is None:
        return ()
    if callable(pictures):
        return tuple(pictures(story))
    return tuple(pictures.get(story.group.key, ()))


def _summary(reader: Reader, intent: Intent) -> list[str]:
    title = reader.text("alert-summary", count=len(intent.stories))
    return [title, *(headline(reader, story) for story in intent.stories)]


def _single(reader: Reader, intent: Intent) -> list[str]:
    [story] = intent.stories
    return [headline(reader, story), *details(reader, story)]


def headline(reader: Reader, story: Story) -> str:
    """Return a story in one line: how bad, what, how much, since when.

    Parameters
    ----------
    reader : Reader
        For whom.
    story : Story
        What is told.
    """
    lead = story.lead
    since = reader.moment(lead.opened)
    severity = reader.text(f"severity-{lead.severity}")
    until = _end(story)
    duration = languages.duration(reader.language, until - lead.opened)
    if lead.metric == NO_DATA:
        names = {
            "segment": languages.segment_name(reader.language, lead.dimension, lead.segment),
            "severity": severity,
            "since": since,
            "until": reader.moment(until),
            "duration": duration,
        }
        return reader.text(f"alert-silent-{story.stage}", **names)
    return reader.text(
        f"alert-{story.stage}",
        severity=severity,
        series=series(reader.language, lead),
        change=_change(reader, lead.metric, _shown(lead)),
        since=since,
        until=reader.moment(until),
        duration=duration,
    )


def _end(story: Story) -> datetime:
    """Return when a story was over, or its last slice so far."""
    return max(one.resolved or one.last for one in story.incidents)


def series(language: Language, incident: Incident) -> str:
    """Return the name of an incident's series: the metric, and the segment if it is one."""
    name = languages.metric_name(language, incident.metric)
    if incident.is_total:
        return name
    segment = languages.segment_name(language, incident.dimension, incident.segment)
    return languages.text(language, "series", metric=name, segment=segment)


def _shown(incident: Incident) -> Point:
    """Return the slice that stands for an incident: the latest, or its peak when it is over."""
    point = incident.latest if incident.phase == "open" else incident.peak
    assert point is not None, "only missing data have no value"
    return point


def _change(reader: Reader, metric: str, point: Point) -> str:
    if point.relative is None:  # nothing was expected
        return "+" + languages.quantity(reader.language, metric, point.value)
    return languages.percent(reader.language, point.relative)


def details(reader: Reader, story: Story) -> list[str]:
    """Return the lines below the headline: driver, values, what was lost, what was planned.

    Parameters
    ----------
    reader : Reader
        For whom.
    story : Story
        What is told.
    """
    is_over = story.stage in OVER
    values = _times(reader, story) if story.stage == "recovered" else _values(reader, story)
    lines = _driver(reader, story) + values
    if is_over:
        lines += _lost(reader, story)
    elif story.lead.metric == NO_DATA:
        lines.append(reader.text("alert-unknown"))
    elif _is_accumulated(story.lead):
        lines.append(reader.text("alert-accumulated"))
    planned = dict.fromkeys(name for one in story.incidents for name in one.events)
    if planned:
        lines.append(reader.text("alert-planned", names=", ".join(planned)))
    return lines


def _driver(reader: Reader, story: Story) -> list[str]:
    driver = story.group.driver
    if driver is None:
        return []
    if driver.everywhere:
        return [reader.text("alert-everywhere")]
    parts = ", ".join(
        f"{languages.segment_name(reader.language, driver.dimension, name)} "
        f"{languages.percent(reader.language, relative)}"
        for name, relative in driver.parts
    )
    if not driver.others:
        return [reader.text("alert-driver-alone", parts=parts)]
    return [reader.text("alert-driver", parts=parts, others=_others(reader, driver))]


def _others(reader: Reader, driver: Driver) -> str:
    if len(driver.others) > _OTHERS:
        dimension = languages.dimension_name(reader.language, driver.dimension)
        return reader.text("alert-others", count=len(driver.others), dimension=dimension)
    names = (
        languages.segment_name(reader.language, driver.dimension, name) for name in driver.others
    )
    return ", ".join(names)


def _times(reader: Reader, story: Story) -> list[str]:
    """Return when a story that is over was, and how far it went."""
    if story.lead.metric == NO_DATA:
        return []
    line = reader.text(
        "alert-times",
        since=reader.moment(story.lead.opened),
        until=reader.moment(_end(story)),
        change=_change(reader, story.lead.metric, _shown(story.lead)),
    )
    return [line]


def _values(reader: Reader, story: Story) -> list[str]:
    """Return one line a series; a segment beside its total adds nothing but the driver's line."""
    there = [one for one in story.incidents if one.metric != NO_DATA]
    if story.stage not in OVER:
        there = [one for one in there if one.phase == "open"]
    totals = {one.metric for one in there if one.is_total}
    shown = [one for one in there if one is story.lead or one.is_total or one.metric not in totals]
    lines = [_value(reader, one) for one in shown[:_SERIES]]
    if len(shown) > _SERIES:
        lines.append(reader.text("alert-more", count=len(shown) - _SERIES))
    return lines


def _value(reader: Reader, incident: Incident) -> str:
    point = _shown(incident)

    def shown(x: float) -> str:
        return languages.quantity(reader.language, incident.metric, x)

    score = messages.signed(min(point.score, _MOST_SCORE), 1).lstrip("+")
    facts = {
        "series": series(reader.language, incident),
        "value": shown(point.value),
        "expected": shown(point.expected),
        "change": _change(reader, incident.metric, point),
        "score": languages.number(reader.language, score),
    }
    if point.lower is None or point.upper is None:
        return reader.text("alert-values-open", **facts)
    return reader.text(
        "alert-values", **facts, lower=shown(max(point.lower, 0.0)), upper=shown(point.upper)
    )


def _is_accumulated(incident: Incident) -> bool:
    point = incident.latest
    if point is None or point.lower is None or point.upper is None:
        return False
    return point.lower <= point.value <= point.upper


def _lost(reader: Reader, story: Story) -> list[str]:
    """Return what a story has cost, in events that can be added up."""
    totals = [one for one in story.incidents if one.metric in SLICE_METRICS]
    if any(one.is_total for one in totals):
        totals = [one for one in totals if one.is_total]
    sums: dict[str, float] = {}
    for one in totals:
        # Segments of several dimensions overlap, so only one is counted.
        if SLICE_METRICS[one.metric].additive and one.metric not in sums:
            sums[one.metric] = one.lost
    lines = []
    for name, sign in (("alert-lost", 1), ("alert-gained", -1)):
        amounts = [
            languages.amount(reader.language, slug, abs(lost))
            for slug, lost in sums.items()
            if round(lost * sign) > 0
        ]
        if amounts:
            lines.append(reader.text(name, amounts=", ".join(amounts)))
    if not totals and story.lead.metric == NO_DATA:
        lines.append(reader.text("alert-nothing-lost"))
    return lines
