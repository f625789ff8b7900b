"""The page of one incident: what happened, where it came from, what was told of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure as Drawing

from nbtools import (
    alert_messages,
    alert_pages,
    alerts,
    annotations,
    contributions,
    diagnosis,
    languages,
    messages,
    slices,
    slicing,
    tables,
    titles,
)
from nbtools import state as state_module
from nbtools.alert_messages import Reader
from nbtools.alerts import METRICS, STEP, Verdicts
from nbtools.errors import NoDataError
from nbtools.handover import Figure
from nbtools.incidents import NO_DATA, TOTAL, Incident, rank
from nbtools.parameters import IncidentPage
from nbtools.settings import PROJECT, Settings
from nbtools.stories import OVER, Story
from nbtools.warehouse import Connection

_AFTER = timedelta(hours=3)
_LONGEST = timedelta(hours=24)
_NAMED = 5
_SHORT = 12  # rows, of which a timeline is read whole
_EVENTS = {
    "noticed": "first unusual slice",
    "opened": "told",
    "worse": "told again, it had become worse",
    "reminder": "told again, it went on",
    "again": "told again, it had come back",
    "recovered": "told that it was over",
    "passed": "told when it was over already",
    "resolved": "as expected again",
}


class Told(NamedTuple):
    """All that is known of an incident.

    Attributes
    ----------
    story : Story
        What happened.
    verdicts : Verdicts
        Of the slices around it.
    contributions : DataFrame or None
        What brought the change, against the same time a week before; None where it cannot be
        divided or there is nothing to compare with.
    notes : list of str
        What analysts found out.
    zone : ZoneInfo
        The app's time zone.
    """

    story: Story
    verdicts: Verdicts
    contributions: pd.DataFrame | None
    notes: list[str]
    zone: ZoneInfo


def load(settings: Settings, db: Connection, source: Connection, params: IncidentPage) -> Told:
    """Return all that is known of an incident.

    Parameters
    ----------
    settings : Settings
        Where things are.
    db, source : Connection
        The warehouse and the app's events.
    params : IncidentPage
        Which one.

    Raises
    ------
    ParameterError
        If there is none of that key.
    """
    story, zone = state_module.find_story(settings, params.key), settings.zone
    divided = slicing.load(settings.home)
    filled = slices.fill(db, source, at=_end(story) + _AFTER, slicing=divided)
    since = min(one.opened for one in story.incidents) - alerts.SHOWN
    days = params.history_days + (filled.end - since).days + 1
    history = slices.read(db, filled, zone=zone, days=days, slicing=divided, slugs=METRICS)
    verdicts = alerts.as_checked(
        history, sensitivity=alerts.DEFAULT_SENSITIVITY, days=params.history_days, since=since
    )
    planned = annotations.load(PROJECT / "parameters" / "annotations.yml", zone)
    notes = [
        note.text
        for note in planned.notes
        if any(_is_about(note, story, one) for one in story.incidents)
    ]
    return Told(story, verdicts, _contributions(source, story, zone), notes, zone)


def _is_about(note: annotations.Note, story: Story, one: Incident) -> bool:
    return note.incident == story.group.key or note.is_about(
        one.key, one.metric, one.opened, one.last
    )


def _end(story: Story) -> datetime:
    return max(one.resolved or one.last + STEP for one in story.incidents)


def _contributions(source: Connection, story: Story, zone: ZoneInfo) -> pd.DataFrame | None:
    slug = story.lead.metric
    if slug not in (*contributions.COUNTS, "ctr"):
        return None
    first = min(one.opened for one in story.incidents)
    last = min(max(one.last for one in story.incidents) + STEP, first + _LONGEST)
    try:
        return contributions.find(source, slug, first, last, zone=zone, top=_NAMED)
    except NoDataError:
        return None


def figures(told: Told) -> dict[str, Figure]:
    """Return the key figures of an incident."""
    story = told.story
    lead = story.lead
    found: dict[str, Figure] = {
        "state": "over" if story.stage in OVER else "open",
        "severity": story.severity,
        "since": lead.opened.astimezone(told.zone).isoformat(timespec="minutes"),
        "minutes": int((_end(story) - lead.opened) / timedelta(minutes=1)),
        "series": len(story.incidents),
        "messages": story.group.messages,
        "worst": lead.peak.relative if lead.peak else None,
    }
    for one in story.incidents:
        if one.is_total and one.metric != NO_DATA:
            found[f"lost.{one.metric}"] = round(one.lost, 1)
    return found


def summary(told: Told) -> HTML:
    """Return the incident in a few sentences."""
    reader = Reader("en", told.zone, _end(told.story))
    lines = [alert_messages.headline(reader, told.story)]
    lines += alert_messages.details(reader, told.story)
    lines += _why(told)
    lines += [f"Analyst's note: {note}" for note in told.notes]
    return tables.sentences(lines)


def _why(told: Told) -> list[str]:
    """Return from what the worst slice was expected, and how far off it is; nothing without one."""
    lead, history = told.story.lead, told.verdicts.history
    values = history.values  # noqa: PD011 -- a mapping of arrays
    key = alert_pages.key_of(lead)
    if lead.peak is None or key not in told.verdicts.judged or lead.peak.slice < history.start:
        return []
    n = int((lead.peak.slice - history.start.astimezone(UTC)) / STEP) + 1
    exposure = history.exposure.get(key)
    found = diagnosis.diagnose(
        values[key][:n],
        start=history.start,
        step_minutes=history.step_minutes,
        kind="count" if exposure is None else "ratio",
        exposure=None if exposure is None else exposure[:n],
        sensitivity=alerts.share(history, alerts.DEFAULT_SENSITIVITY, is_total=key[1] == TOTAL),
    )
    moment = lead.peak.slice.astimezone(told.zone)
    return [f"Why, at its worst ({moment:%H:%M}): {found.sentence(partial(_number, told))}"]


def picture(told: Told) -> Drawing | None:
    """Return the leading series around the incident."""
    title = alert_pages.headline(told.story, told.zone)
    return alert_pages.picture(told.verdicts, told.story, title)


def series(told: Told) -> HTML:
    """Return every series of the incident, once, however often it left its range."""
    by_name: dict[str, list[Incident]] = {}
    for one in told.story.incidents:
        by_name.setdefault(titles.series(one), []).append(one)
    rows = [_row(told, name, found) for name, found in by_name.items()]
    return tables.show(pd.DataFrame(rows).set_index("Series"), words=("Severity", "From", "To"))


def _row(told: Told, name: str, found: Sequence[Incident]) -> dict[str, str]:
    peak = max(
        (one.peak for one in found if one.peak), key=lambda one: abs(one.score), default=None
    )
    lost = sum(one.lost for one in found if one.lost > 0)
    return {
        "Series": name,
        "Severity": max((one.severity for one in found), key=rank),
        "Times": f"{len(found)}",
        "From": titles.moment(min(one.opened for one in found), told.zone),
        "To": titles.moment(max(one.resolved or one.last for one in found), told.zone),
        "Worst": messages.signed_percent(peak.relative if peak else None),
        "Of the threshold": f"{abs(peak.score):.1f}" if peak else messages.MISSING,
        "Below expectation": messages.count(lost) if lost else messages.MISSING,
    }


def drivers(told: Told) -> HTML:
    """Return what brought the change, against the same time a week before."""
    found = told.contributions
    if found is None:
        return tables.sentences(["This series cannot be divided, or there was no week before."])
    rows = [
        {
            "Divided by": "all" if row["dimension"] == TOTAL else messages.part(row["dimension"]),
            "Value": languages.segment_name("en", row["dimension"], row["value"])
            if row["dimension"] != TOTAL
            else "",
            "Now": _number(told, row["now"]),
            "A week before": _number(told, row["before"]),
            "Brought": _signed(told, row["change"]),
            "Of the change": messages.signed_percent(row["share"]),
        }
        for row in found.to_dict("records")
    ]
    return tables.show(pd.DataFrame(rows).set_index("Divided by"), words=("Value",))


def _number(told: Told, x: float) -> str:
    return languages.quantity("en", told.story.lead.metric, x)


def _signed(told: Told, x: float) -> str:
    if told.story.lead.metric == "ctr":
        return messages.signed(100 * x, 2) + messages.THIN_SPACE + "pp"
    return messages.signed(x, 0)


def timeline(told: Told) -> HTML:
    """Return what happened when, and when people were told; a long one in short, then whole."""
    lead = titles.series(told.story.lead)
    every = [
        (one.at, f"{titles.series(incident)}: {_EVENTS.get(one.what, one.what)}")
        for incident in told.story.incidents
        for one in incident.timeline
        if one.what in {"noticed", "resolved"}
    ]
    said = [(one.at, f"People were {_told(one.what)}") for one in told.story.group.timeline]
    if len(every) <= _SHORT:
        return _listed(told, every + said)
    of_lead = sorted(row for row in every if row[1].startswith(f"{lead}: "))
    short = _listed(told, [*of_lead[:1], *of_lead[-1:], *said])
    whole = _listed(told, every + said)
    folded = f"<details><summary>All {len(every)} of all series</summary>{whole.data}</details>"
    return HTML(short.data + folded)


def _listed(told: Told, rows: Sequence[tuple[datetime, str]]) -> HTML:
    frame = pd.DataFrame(
        [(titles.moment(at, told.zone), text) for at, text in sorted(set(rows))],
        columns=["When", "What"],
    )
    return tables.show(frame.set_index("When"), words=("What",))


def _told(what: str) -> str:
    return _EVENTS.get(what, f"told ({what})")
