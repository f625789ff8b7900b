"""Silences from the command line: who asks for quiet, of what, until when, and why."""

import re
from datetime import UTC, datetime, timedelta

from nbtools import annotations, incident_store, state
from nbtools.errors import ParameterError
from nbtools.incidents import NO_DATA, TOTAL
from nbtools.metrics import SLICE_METRICS
from nbtools.settings import Settings
from nbtools.stories import ALL, Mute

_LATER = re.compile(r"\+(\d{1,5})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_PLACE = re.compile(r"[a-z_]+:.+")


def parse_until(text: str, settings: Settings, *, now: datetime | None = None) -> datetime:
    """Return the end of a silence.

    Parameters
    ----------
    text : str
        A day, which is meant whole, a day with a time, ``now``, or a length such as ``+2h``.
    settings : Settings
        Has the zone of days and times.
    now : datetime or None
        The clock's time by default.

    Raises
    ------
    ParameterError
        If it is written otherwise.
    """
    moment = now or datetime.now(UTC)
    if text == "now":
        return moment
    if found := _LATER.fullmatch(text):
        return moment + int(found[1]) * _UNITS[found[2]]
    try:
        return annotations.parse_moment(text, settings.zone, end=True)
    except ValueError as error:
        raise ParameterError(f"--until: {error}, or a length such as +30m, +2h, +7d.") from None


def add(settings: Settings, *, metric: str, segment: str, until: str, why: str) -> str:
    """Record a silence, and say so in one line.

    Parameters
    ----------
    settings : Settings
        Where the state is.
    metric : str
        A metric that is known by slice, ``no_data`` or ``all``.
    segment : str
        ``total``, a place such as ``os:iOS``, or empty for every one.
    until, why : str
        Its end, see :func:`parse_until`, and the reason.

    Raises
    ------
    ParameterError
        If one of them cannot be used.
    """
    known = (*SLICE_METRICS, NO_DATA, ALL)
    if metric not in known:
        raise ParameterError(f"--metric {metric}: there are {', '.join(known)}.")
    if segment and segment != TOTAL and not _PLACE.fullmatch(segment):
        raise ParameterError(f"--segment {segment}: needed is total, or one such as os:iOS.")
    if not why.strip():
        raise ParameterError("--why: needed is the reason, for those who wonder about the quiet.")
    end = parse_until(until, settings)
    with state.open_store(settings) as store, store.writing() as connection:
        made = incident_store.mute(
            connection, metric=metric, segment=segment, until=end, why=why.strip()
        )
    return f"Muted: {_line(made, settings)}"


def remove(settings: Settings, number: int) -> str:
    """Take a silence back, and say so in one line.

    Parameters
    ----------
    settings : Settings
        Where the state is.
    number : int
        Its number.

    Raises
    ------
    ParameterError
        If there is none of that number.
    """
    with state.open_store(settings) as store, store.writing() as connection:
        incident_store.unmute(connection, number)
    return f"Mute {number} is taken back."


def listing(settings: Settings) -> str:
    """Return all silences, one a line."""
    with state.open_store(settings) as store, store.reading() as connection:
        found = incident_store.mutes(connection)
    return "\n".join(_line(one, settings) for one in found) or "Nothing is muted."


def _line(mute: Mute, settings: Settings) -> str:
    until = mute.until.astimezone(settings.zone)
    place = mute.segment or "every segment"
    return f"{mute.id}: {mute.metric}, {place}, until {until:%Y-%m-%d %H:%M}: {mute.why}"
