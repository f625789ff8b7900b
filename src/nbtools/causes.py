"""Which city or country a deviation comes from, where the watched segments do not tell.

The slices are divided by what is watched all the time. Cities are too many for that, so they
are looked at only when something has happened, in the events of the deviating slices and of the
same time a week before.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from nbtools import contributions
from nbtools.checks import Outcome
from nbtools.drivers import Driver
from nbtools.errors import NoDataError
from nbtools.incidents import NO_DATA, Direction
from nbtools.stories import OVER, Group, Story
from nbtools.warehouse import Connection

DIMENSIONS = ("city", "country")
_LOOK_BACK = timedelta(hours=2)
_LONGEST = timedelta(hours=24)
# Users are looked at, for their counts vary least; a ratio says little about a city.
_USERS = {
    **dict.fromkeys(("feed_users", "views", "likes"), "feed_users"),
    **dict.fromkeys(("messenger_users", "messages_sent"), "messenger_users"),
}
# A value is a cause if it has changed by so much, beyond what counts vary by themselves.
_CHANGED = 0.4
_BEYOND = 3.0
# The causes together explain so much of the whole change.
_EXPLAINED = 0.6


def explain(outcome: Outcome, source: Connection, *, zone: ZoneInfo, step: timedelta) -> Outcome:
    """Return a check's outcome with cities or countries named where they are the cause.

    Parameters
    ----------
    outcome : Outcome
        What the check came to.
    source : Connection
        The app's events.
    zone : ZoneInfo
        The app's time zone.
    step : timedelta
        Length of a slice.
    """
    found: dict[str, Driver] = {}
    for story in (story for intent in outcome.intents for story in intent.stories):
        driver = _of_story(story, source, zone=zone, step=step)
        if driver is not None:
            found[story.group.key] = driver
    if not found or not outcome.fresh:
        return outcome
    intents = tuple(
        intent._replace(
            stories=tuple(
                story._replace(group=_with(story.group, found)) for story in intent.stories
            )
        )
        for intent in outcome.intents
    )
    groups = tuple(_with(group, found) for group in outcome.groups)
    state = replace(
        outcome.state, groups=tuple(_with(group, found) for group in outcome.state.groups)
    )
    return outcome._replace(intents=intents, groups=groups, state=state)


def _with(group: Group, found: dict[str, Driver]) -> Group:
    return replace(group, driver=found[group.key]) if group.key in found else group


def _of_story(
    story: Story, source: Connection, *, zone: ZoneInfo, step: timedelta
) -> Driver | None:
    known = story.group.driver
    lead = story.lead
    if story.stage in OVER or lead.metric == NO_DATA or not lead.is_total:
        return None
    if known is not None and not known.everywhere:
        return None
    slug = _USERS.get(lead.metric)
    if slug is None:
        return None
    end = max(one.last for one in story.incidents) + step
    first = min(one.opened for one in story.incidents)
    return look(
        source,
        slug,
        max(min(first, end - _LOOK_BACK), end - _LONGEST),
        end,
        lead.direction,
        zone=zone,
    )


def look(
    source: Connection,
    slug: str,
    first: datetime,
    last: datetime,
    direction: Direction,
    *,
    zone: ZoneInfo,
) -> Driver | None:
    """Return the cities or countries that explain a change, if some do.

    Parameters
    ----------
    source : Connection
        The app's events.
    slug : {"feed_users", "messenger_users"}
        Whose users.
    first, last : datetime
        The deviating slices, without the last moment.
    direction : {"down", "up"}
        Of the change.
    zone : ZoneInfo
        The app's time zone.
    """
    try:
        changes = contributions.find(source, slug, first, last, zone=zone, top=12)
    except NoDataError:  # the app is younger than a week
        return None
    found = [driver for part in DIMENSIONS if (driver := _within(changes, part, direction))]
    return max(found, key=lambda driver: abs(driver.parts[0][1]), default=None)


def _within(changes: pd.DataFrame, dimension: str, direction: Direction) -> Driver | None:
    rows = changes[(changes["dimension"] == dimension) & (changes["value"] != "other")]
    sign = 1 if direction == "up" else -1
    now, before = (rows[name].to_numpy(dtype=float) for name in ("now", "before"))
    moved = sign * (now - before)
    odd = (moved >= _CHANGED * np.maximum(before, 1)) & (moved >= _BEYOND * np.sqrt(now + before))
    total = changes.loc[changes["dimension"] == "total", "change"].sum() * sign
    if not odd.any() or moved[odd].sum() < _EXPLAINED * total:
        return None
    order = np.argsort(-moved[odd])
    names, parts = rows["value"].to_numpy()[odd][order], (now / np.maximum(before, 1) - 1)[odd]
    others: Iterable[str] = rows["value"].to_numpy()[~odd]
    return Driver(
        dimension,
        tuple((str(name), float(part)) for name, part in zip(names, parts[order], strict=True)),
        tuple(map(str, others)),
    )
