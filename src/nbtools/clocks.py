"""Where the slices of a series lie on the wall clock.

Seasons follow the clock on the wall: the day on which summer time begins has a gap, and the day on
which it ends has an hour twice. Everything else counts in spans of 24 hours.
"""

from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Clock(NamedTuple):
    """Where each slice lies, filled up to whole days of 24 hours with slices not delivered.

    Attributes
    ----------
    times : DatetimeIndex
        Starts of the slices, without those filled up.
    before : int
        Number of slices filled up in front.
    day : ndarray of int, shape (n_filled,)
        Number of the local day, from 0.
    slot : ndarray of int, shape (n_filled,)
        Number of the slice within its day by the wall clock, from 0.
    weekday : ndarray of int
        Of each local day; 0 is Monday.
    slots : int
        Slices in 24 hours.
    even : bool
        Whether every local day has its 24 hours, so that the days are those of :meth:`days`.
    """

    times: pd.DatetimeIndex
    before: int
    day: Ints
    slot: Ints
    weekday: Ints
    slots: int
    even: bool

    def fill(self, rows: Floats) -> Floats:
        """Return rows of slices filled up with NaN."""
        after = len(self.day) - self.before - rows.shape[1]
        return np.pad(rows, ((0, 0), (self.before, after)), constant_values=np.nan)

    def days(self, rows: Floats) -> Floats:
        """Return filled rows as spans of 24 hours, shape (n_series, n_spans, slots)."""
        return rows.reshape(len(rows), -1, self.slots)

    def lay(self, rows: Floats) -> Floats:
        """Return filled rows by the wall clock, shape (n_series, n_days, slots)."""
        if self.even:
            return self.days(rows)
        laid = np.zeros((len(rows), len(self.weekday), self.slots))
        laid[:, self.day, self.slot] = rows
        return laid

    def flat(self, laid: Floats) -> Floats:
        """Return days by the wall clock as filled rows, the inverse of :meth:`lay`."""
        if self.even:
            return laid.reshape(len(laid), -1)
        return laid[:, self.day, self.slot]


def clock(start: datetime, n: int, step_minutes: int) -> Clock:
    """Return the wall clock of ``n`` slices from ``start``."""
    step = pd.Timedelta(minutes=step_minutes)
    slots = 24 * 60 // step_minutes
    first = pd.Timestamp(start)
    wall = first.tz_localize(None)
    before = (wall - wall.normalize()) // step
    filled = -(-(before + n) // slots) * slots
    times = pd.date_range(first - before * step, periods=filled, freq=step)
    stamps = times.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    date, second = np.divmod(stamps, 24 * 60 * 60)
    number, day = np.unique(date, return_inverse=True)
    slot = second // (60 * step_minutes)
    even = bool((np.diff(day * slots + slot) == 1).all()) and slot[0] == 0
    weekday = (number + 3) % 7  # 1970 began on a Thursday
    own = times[before : before + n]
    return Clock(own, before, day.astype(np.int64), slot, weekday, slots, even)
