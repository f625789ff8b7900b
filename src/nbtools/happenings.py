"""What happened to the app: what the team noted, and what the page finds in the series itself."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from nbtools import annotations, audience, breaks, messages
from nbtools.annotations import Event
from nbtools.breaks import Break
from nbtools.plots import Mark
from nbtools.settings import PROJECT
from nbtools.warehouse import Connection

TIMES = "\N{MULTIPLICATION SIGN}"
_FEWEST = 20  # users of a city a week before, that its loss is told
_FELL, _SIGMAS = -0.5, 4.0
_NAMED = 4


class Finding(NamedTuple):
    """A day on which a series left its course.

    Attributes
    ----------
    series : str
        Key of the series.
    name : str
        What it is called.
    found : Break
        When, how long, how much.
    where : str
        Which cities explain it, a sentence; may be empty.
    """

    series: str
    name: str
    found: Break
    where: str = ""


def known(day: date, zone: ZoneInfo) -> list[Event]:
    """Return the noted events that had begun by the end of a day, in their order."""
    path = PROJECT / "parameters" / "annotations.yml"
    events = annotations.load(path, zone).events
    return sorted(
        (event for event in events if event.start.astimezone(zone).date() <= day),
        key=lambda event: event.start,
    )


def find(series: Mapping[str, tuple[str, pd.Series]]) -> list[Finding]:
    """Return where series left their course, in the order of time.

    Parameters
    ----------
    series : mapping of str
        Key to name and numbers by day.
    """
    found = [
        Finding(key, name, one)
        for key, (name, values) in series.items()
        for one in breaks.find(values, cycle=audience.rhythm(values)[0] or 7)
    ]
    return sorted(found, key=lambda finding: (finding.found.day, -abs(finding.found.change)))


def located(db: Connection, findings: Sequence[Finding], series: str) -> list[Finding]:
    """Return findings with the cities that a loss of users came from.

    Parameters
    ----------
    db : Connection
        The warehouse.
    findings : sequence of Finding
        Of any series.
    series : str
        The one whose users are counted by city.
    """
    return [
        finding._replace(where=_where(db.frame("audience/places", date=finding.found.day)))
        if finding.series == series and finding.found.change < 0
        else finding
        for finding in findings
    ]


def _where(rows: pd.DataFrame) -> str:
    """Return the cities that lost more than half of their users within a week, if they matter."""
    change = rows["users"] - rows["users_before"]
    relative = change / rows["users_before"].where(rows["users_before"] >= _FEWEST)
    spread = (rows["users"] + rows["users_before"]) ** 0.5  # of the change, if by chance
    fell = rows[(relative < _FELL) & (change < -_SIGMAS * spread)]
    lost = int(fell["users_before"].sum() - fell["users"].sum())
    if fell.empty or lost < 0.5 * -change.sum():
        return ""
    names = [city or "unknown" for city in fell["city"]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    share = messages.signed_percent(fell["users"].sum() / fell["users_before"].sum() - 1)
    rest = messages.signed_percent((change.sum() + lost) / (rows["users_before"].sum() or 1))
    return (
        f"{', '.join(names[:_NAMED])}{more}: {share} on the week before;"
        f" all other cities together moved the total by {rest}."
    )


def marks(events: Sequence[Event], findings: Sequence[Finding], zone: ZoneInfo) -> list[Mark]:
    """Return what happened as marks: noted events, and findings of which none tells.

    Parameters
    ----------
    events : sequence of Event
        Noted by the team.
    findings : sequence of Finding
        Found in the series of the chart; the largest of a day is marked.
    zone : ZoneInfo
        The app's zone.
    """
    placed = {event.start.astimezone(zone).date(): event.name for event in events}
    for finding in findings:
        if not noted(finding, events, zone):
            placed.setdefault(finding.found.day, words(finding))
    return [Mark(day, label) for day, label in sorted(placed.items())]


def noted(finding: Finding, events: Sequence[Event], zone: ZoneInfo) -> str:
    """Return the noted event that began or ended by a day around a finding; empty if none."""
    day = finding.found.day
    for event in events:
        first = event.start.astimezone(zone).date()
        last = (event.end - timedelta(microseconds=1)).astimezone(zone).date()
        if any(abs(day - end) <= timedelta(1) for end in (first, last)):
            return event.name
    return ""


def words(finding: Finding) -> str:
    """Return a finding in a few words.

    Examples
    --------
    >>> found = Break(date(2023, 1, 23), 1, -0.196)
    >>> words(Finding("app_users", "App", found)) == f"App {size(-0.196)}"
    True
    """
    return f"{finding.name} {size(finding.found.change)}"


def size(change: float) -> str:
    """Return a large relative change as people say it: per cent, from double on a factor.

    Examples
    --------
    >>> size(2.91).replace(TIMES, "x"), size(0.196).replace(messages.THIN_SPACE, " ")
    ('x3.9', '+20 %')
    """
    if change >= 1:
        return f"{TIMES}{1 + change:.1f}"
    return f"{messages.signed(100 * change, 0)}{messages.THIN_SPACE}%"


def table(findings: Sequence[Finding], events: Sequence[Event], zone: ZoneInfo) -> pd.DataFrame:
    """Return what was found as people read it, one row a finding.

    Parameters
    ----------
    findings : sequence of Finding
        In the order of time.
    events : sequence of Event
        Noted by the team.
    zone : ZoneInfo
        The app's zone.
    """
    rows = [
        {
            "Day": messages.day(finding.found.day),
            "What": finding.name,
            "Change": size(finding.found.change),
            "How long": _length(finding.found.days),
            "Noted as": noted(finding, events, zone) or messages.MISSING,
        }
        for finding in findings
    ]
    columns = ["Day", "What", "Change", "How long", "Noted as"]
    return pd.DataFrame(rows, columns=columns).set_index("Day")


def _length(days: int) -> str:
    return "since then" if days == 0 else "one day" if days == 1 else f"{days} days"
