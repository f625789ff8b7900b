"""What incidents are called on pages, in words alone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from nbtools import alert_messages, languages, messages
from nbtools.incidents import NO_DATA, Incident
from nbtools.stories import Story


def title(story: Story, zone: ZoneInfo) -> str:
    """Return the name of an incident's page: what, how far off at its worst, since when."""
    lead = story.lead
    worst = "" if lead.metric == NO_DATA else f" {relative(lead)}"
    return f"{series(lead)}{worst}, {moment(lead.opened, zone)}"


def series(one: Incident) -> str:
    """Return the name of an incident's series."""
    if one.metric == NO_DATA:
        return f"No data, {languages.segment_name('en', one.dimension, one.segment)}"
    return alert_messages.series("en", one)


def moment(at: datetime, zone: ZoneInfo) -> str:
    """Return a moment as tables show it."""
    local = at.astimezone(zone)
    return f"{messages.day(local.date())} {local:%H:%M}"


def relative(one: Incident) -> str:
    """Return how far an incident was off at its worst."""
    return messages.signed_percent(one.peak.relative if one.peak else None)
