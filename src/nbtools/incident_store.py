"""Incidents in the state database: read before a check, written with its run's outcome.

The checks' state travels from the kernel to the runner as JSON; its version tells whether
another check has come between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection

from nbtools import stories
from nbtools.checks import Outcome, State
from nbtools.errors import LockedError, ParameterError
from nbtools.incidents import Incident
from nbtools.schema import alert_state
from nbtools.schema import incidents as incidents_table
from nbtools.schema import mutes as mutes_table
from nbtools.schema import stories as stories_table
from nbtools.stories import Group, Mute, Story

_STATE = TypeAdapter(State)
_INCIDENT = TypeAdapter(Incident)
_GROUP = TypeAdapter(Group)
_ROW = "checks"


def load(connection: Connection) -> State:
    """Return what the checks so far have left, for the next one.

    Parameters
    ----------
    connection : Connection
        Of any transaction.
    """
    row = connection.execute(sa.select(alert_state).where(alert_state.c.name == _ROW)).first()
    if row is None:
        return State()
    state = _STATE.validate_python(row.content)
    spoken = [key for one in state.said for key, _ in one.stories]
    groups = _groups(connection, ~stories_table.c.is_closed | stories_table.c.key.in_(spoken))
    keys = [group.key for group in groups]
    table = incidents_table.c
    there = _incidents(connection, table.resolved_slice.is_(None) | table.story.in_(keys))
    known = sorted((*state.incidents, *there), key=lambda one: one.key)
    return replace(state, incidents=tuple(known), groups=tuple(groups))


def _groups(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Group]:
    query = sa.select(stories_table.c.content).where(condition).order_by(stories_table.c.key)
    return [_GROUP.validate_python(content) for content in connection.scalars(query)]


def _incidents(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Incident]:
    table = incidents_table
    query = sa.select(table.c.content).where(condition).order_by(table.c.opened_slice, table.c.id)
    return [_INCIDENT.validate_python(content) for content in connection.scalars(query)]


def content(before: State, outcome: Outcome) -> dict[str, Any]:
    """Return what the runner has to record of a check, of JSON types.

    Parameters
    ----------
    before : State
        What the check began with.
    outcome : Outcome
        What it came to.

    Returns
    -------
    dict
        Empty when nothing has changed.
    """
    if not outcome.fresh:
        return {}
    state = outcome.state
    pending = tuple(one for one in state.incidents if one.phase == "pending")
    return {
        "before": before.version,
        "state": _STATE.dump_python(replace(state, incidents=pending, groups=()), mode="json"),
        "incidents": [_INCIDENT.dump_python(one, mode="json") for one in outcome.changed],
        "stories": [_GROUP.dump_python(one, mode="json") for one in outcome.groups],
    }


def write(connection: Connection, given: Mapping[str, Any]) -> None:
    """Record a check.

    Parameters
    ----------
    connection : Connection
        Of the transaction that records the run's outcome.
    given : mapping
        From :func:`content`.

    Raises
    ------
    LockedError
        If another check was recorded since this one began; nothing may be written then.
    """
    query = sa.select(alert_state.c.version).where(alert_state.c.name == _ROW)
    version = connection.scalar(query.with_for_update())
    if (version or 0) != given["before"]:
        raise LockedError(
            "Another check of the alerts was recorded while this one ran; nothing of this one "
            "is kept, the next check goes on."
        )
    values = {"version": given["state"]["version"], "content": given["state"]}
    _put(connection, alert_state, {"name": _ROW}, values)
    for one in given["incidents"]:
        _put_incident(connection, _INCIDENT.validate_python(one), one)
    for one in given["stories"]:
        group = _GROUP.validate_python(one)
        values = {
            "opened_slice": group.opened,
            "told_at": group.told_at,
            "messages": group.messages,
            "is_closed": group.closed,
            "driver": one["driver"],
            "content": one,
        }
        _put(connection, stories_table, {"key": group.key}, values)


def _put_incident(connection: Connection, incident: Incident, given: Mapping[str, Any]) -> None:
    name = {
        "metric": incident.metric,
        "segment": incident.place,
        "opened_slice": incident.opened,
    }
    values = {
        "last_slice": incident.last,
        "resolved_slice": incident.resolved,
        "severity": incident.severity,
        "peak_deviation": incident.peak.relative if incident.peak else None,
        "lost": incident.lost,
        "story": incident.group,
        "content": dict(given),
    }
    _put(connection, incidents_table, name, values)


def _put(
    connection: Connection, table: sa.Table, name: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Update the row of a name, or insert it."""
    condition = sa.and_(*(table.c[column] == value for column, value in name.items()))
    changed = connection.execute(sa.update(table).where(condition).values(**values))
    if not changed.rowcount:
        connection.execute(sa.insert(table).values(**name, **values))


def forget(connection: Connection) -> None:
    """Remove all incidents, for a history that was replaced; mutes stay."""
    for table in (incidents_table, stories_table, alert_state):
        connection.execute(sa.delete(table))


def told(connection: Connection, limit: int, *, until: datetime | None = None) -> list[Story]:
    """Return the newest stories with all their incidents, newest first.

    Parameters
    ----------
    connection : Connection
        Of any transaction.
    limit : int
        How many at most.
    until : datetime or None
        Only those that began before this moment.

    Returns
    -------
    list of Story
        Its stage says how it stands: ``opened``, ``recovered``, or ``passed`` when nobody was
        told.
    """
    query = sa.select(stories_table.c.content).order_by(
        stories_table.c.opened_slice.desc(), stories_table.c.key
    )
    if until is not None:
        query = query.where(stories_table.c.opened_slice < until)
    groups = [_GROUP.validate_python(one) for one in connection.scalars(query.limit(limit))]
    keys = [group.key for group in groups]
    members = _incidents(connection, incidents_table.c.story.in_(keys))
    return [_story(group, [one for one in members if one.group == group.key]) for group in groups]


def story(connection: Connection, key: str) -> Story:
    """Return a story with all its incidents.

    Parameters
    ----------
    connection : Connection
        Of any transaction.
    key : str
        Its key.

    Raises
    ------
    ParameterError
        If there is none of that key.
    """
    found = _groups(connection, stories_table.c.key == key)
    if not found:
        there = connection.scalars(
            sa.select(stories_table.c.key).order_by(stories_table.c.opened_slice.desc()).limit(3)
        )
        raise ParameterError(
            f"There is no incident {key!r}; the newest are {', '.join(there) or 'none yet'}."
        )
    return _story(found[0], _incidents(connection, incidents_table.c.story == key))


def _story(group: Group, members: Sequence[Incident]) -> Story:
    ordered = stories.in_order(members, group.lead)
    if any(one.phase == "open" for one in members):
        return Story(group, ordered, "opened")
    return Story(group, ordered, "recovered" if group.messages else "passed")


def mute(
    connection: Connection,
    *,
    metric: str,
    segment: str,
    until: datetime,
    why: str,
    now: datetime | None = None,
) -> Mute:
    """Record a silence and return it.

    Parameters
    ----------
    connection : Connection
        Of a transaction that writes.
    metric : str
        A slug, ``no_data`` or ``all``.
    segment : str
        ``total``, a place such as ``os:iOS``, or empty for every one.
    until : datetime
        Its end.
    why : str
        The reason.
    now : datetime or None
        The clock's time by default.
    """
    values: dict[str, Any] = {
        "metric": metric,
        "segment": segment,
        "until": until.astimezone(UTC),
        "why": why,
        "created": (now or datetime.now(UTC)).astimezone(UTC),
    }
    insert = sa.insert(mutes_table).values(**values).returning(mutes_table.c.id)
    return Mute(id=connection.execute(insert).scalar_one(), **values)


def mutes(connection: Connection, after: datetime | None = None) -> list[Mute]:
    """Return the silences that end after a moment, or all of them, the oldest first."""
    query = sa.select(*(mutes_table.c[name] for name in Mute._fields)).order_by(mutes_table.c.id)
    if after is not None:
        query = query.where(mutes_table.c.until > after)
    return [Mute(*row) for row in connection.execute(query)]


def unmute(connection: Connection, number: int) -> None:
    """Remove a silence.

    Parameters
    ----------
    connection : Connection
        Of a transaction that writes.
    number : int
        Its number.

    Raises
    ------
    ParameterError
        If there is none of that number.
    """
    gone = connection.execute(sa.delete(mutes_table).where(mutes_table.c.id == number))
    if not gone.rowcount:
        there = ", ".join(str(one.id) for one in mutes(connection)) or "none"
        raise ParameterError(f"There is no mute {number}; there are: {there}.")
