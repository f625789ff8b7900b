"""What is known of the slices at a moment: which have arrived, and which are missing.

A slice has *arrived* for a service when the service has an event at or after its end, or when
the grace time is over and the other service has one: the app's events come in, so this one's
silence is real. Slices that have not arrived are missing; they become zeros when newer events
show that they were empty.
"""

from datetime import datetime
from typing import NamedTuple

STEP_MINUTES = 15
STEP = STEP_MINUTES * 60  # seconds
_LIVE_SECONDS = 60  # events this new show that everything before them is there


class Filled(NamedTuple):
    """What a fill did, and what was known at its moment.

    All moments are aware, in UTC.

    Attributes
    ----------
    at : datetime
        The moment; no later event was read.
    start, end : datetime
        The first slice, and the end of the last that was over at the moment.
    written : tuple of (datetime, datetime) or None
        Start of the first and end of the last slice written now; None if there were none.
    newest_feed, newest_message : datetime or None
        The latest event of each service before the moment.
    feed_arrived, messages_arrived : datetime
        Until when each service's slices have arrived; from there to ``end`` they are missing.
    """

    at: datetime
    start: datetime
    end: datetime
    written: tuple[datetime, datetime] | None
    newest_feed: datetime | None
    newest_message: datetime | None
    feed_arrived: datetime
    messages_arrived: datetime

    @property
    def newest(self) -> datetime:
        """The latest event of either service."""
        return max(filter(None, (self.newest_feed, self.newest_message)))

    @property
    def first_missing(self) -> datetime | None:
        """The first slice that has not arrived for some service, None when all have."""
        first = min(self.feed_arrived, self.messages_arrived)
        return first if first < self.end else None

    @property
    def no_data_since(self) -> datetime | None:
        """The latest event, when the last slice has arrived for neither service; else None."""
        arrived = max(self.feed_arrived, self.messages_arrived)
        return self.newest if arrived < self.end else None


def arrived(own: int, either: int, moment: int, *, grace_minutes: int) -> int:
    """Return until when the slices of a service have arrived, in seconds since 1970.

    Parameters
    ----------
    own, either : int
        The latest event of the service, 0 if it never had one, and that of both.
    moment : int
        When that is known.
    grace_minutes : int
        How long after a slice's end a silent service is waited for while the other has events.

    Examples
    --------
    >>> arrived(1000, 2000, 2400, grace_minutes=10)
    1800
    >>> arrived(1000, 2000, 2399, grace_minutes=10)
    900
    """
    # A service that never had an event keeps nobody waiting.
    patient = moment - grace_minutes * 60 if own else moment
    return max(_reached(own, moment, moment), _reached(either, moment, patient))


def _reached(newest: int, moment: int, latest: int) -> int:
    """Return the last slice's end, up to a moment, that events as new as these show to be over."""
    until = latest if newest >= moment - _LIVE_SECONDS else min(newest, latest)
    return until - until % STEP
