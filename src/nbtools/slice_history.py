"""Reading ``slice_metrics_v1``: dense series without a gap, as known at a moment."""

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from nbtools.arrivals import STEP, STEP_MINUTES, Filled
from nbtools.metrics import SLICE_METRICS, select_list
from nbtools.slicing import DEFAULT, Slicing
from nbtools.warehouse import Connection

TABLE = "slice_metrics_v1"
# Which service a metric is of; the others are of both.
_SERVICE = {
    **dict.fromkeys(("feed_users", "views", "likes", "ctr"), "feed"),
    **dict.fromkeys(("messenger_users", "messages_sent"), "messages"),
}
_EXPOSURE = {"ctr": "views"}
_USERS = {"feed": "feed_users", "messages": "messenger_users"}

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Key = tuple[str, str, str]


class History(NamedTuple):
    """Slices without a gap, ready for a detector.

    Attributes
    ----------
    start : datetime
        The first slice, in the app's zone. Slices follow each other every 15 minutes of real
        time, also where clocks change.
    values : dict of (str, str, str) to ndarray
        By metric, dimension and value of the dimension: a float a slice; 0 where nothing
        happened, NaN where data are missing or a ratio has no exposure.
    exposure : dict of (str, str, str) to ndarray
        The denominators of the ratios, under the same keys.
    step_minutes : int
        Length of a slice.
    """

    start: datetime
    values: dict[Key, Array]
    exposure: dict[Key, Array]
    step_minutes: int = STEP_MINUTES

    @property
    def size(self) -> int:
        """Number of slices."""
        return len(next(iter(self.values.values()), ()))

    def moment(self, number: int) -> datetime:
        """Return when a slice began, in the app's zone; negative numbers count from the end."""
        steps = number + self.size if number < 0 else number
        began = self.start.astimezone(UTC) + timedelta(minutes=self.step_minutes * steps)
        return began.astimezone(self.start.tzinfo)

    def number(self, moment: datetime) -> int:
        """Return the number of the slice that begins at a moment, also where there is none."""
        since = moment.astimezone(UTC) - self.start.astimezone(UTC)
        return since // timedelta(minutes=self.step_minutes)

    def part(self, first: int, last: int) -> "History":
        """Return the slices from one number up to another one, which is left out."""
        return self._replace(
            start=self.moment(first),
            values={key: row[first:last] for key, row in self.values.items()},
            exposure={key: row[first:last] for key, row in self.exposure.items()},
        )


def week_of(moment: datetime, zone: ZoneInfo, days: int = 0) -> datetime:
    """Return the start of the week, on Monday, of the day so many days before a moment.

    Examples
    --------
    >>> week_of(datetime(2023, 2, 26, 12, tzinfo=UTC), ZoneInfo("Europe/Moscow"), 7).isoformat()
    '2023-02-13T00:00:00+03:00'
    """
    day = moment.astimezone(zone).date() - timedelta(days)
    return datetime.combine(day - timedelta(day.weekday()), time(), zone)


def read(
    db: Connection,
    filled: Filled,
    *,
    zone: ZoneInfo,
    days: int = 28,
    slicing: Slicing = DEFAULT,
    slugs: tuple[str, ...] = tuple(SLICE_METRICS),
) -> History:
    """Return the last days as they were known at the moment of a fill.

    Parameters
    ----------
    db : Connection
        The warehouse.
    filled : Filled
        What :func:`nbtools.slices.fill` returned.
    zone : ZoneInfo
        The app's zone, for the start.
    days : int
        At least so many days, from the start of a week on; fewer if the app is younger. So all
        checks of a week judge by the same history, and can be repeated exactly.
    slicing : Slicing
        How slices are divided.
    slugs : tuple of str
        Metrics of the catalogue that are known by slice.

    Returns
    -------
    History
        Slices that have not arrived are NaN at its end, each service its own.
    """
    end, start = int(filled.end.timestamp()), int(filled.start.timestamp())
    first = max(start, int(week_of(filled.end, zone, days).timestamp()))
    rows = _rows(db, first, end, slicing, slugs)
    known = _known(db, filled, np.arange(first, end, STEP), rows[rows["dimension"] == "total"])
    values, exposure = {}, {}
    for (dimension, value), part in rows.groupby(["dimension", "dimension_value"], sort=False):
        numbers = part["number"].to_numpy()
        for slug in slugs:
            key, mask = (slug, str(dimension), str(value)), known[_SERVICE.get(slug, "app")]
            empty = np.nan if slug in _EXPOSURE else 0.0
            values[key] = _dense(part[f"{slug}_value"], numbers, mask, empty)
            if slug in _EXPOSURE:
                exposure[key] = _dense(part[f"{_EXPOSURE[slug]}_value"], numbers, mask, 0.0)
    return History(datetime.fromtimestamp(first, zone), values, exposure)


def _rows(
    db: Connection, first: int, end: int, slicing: Slicing, slugs: tuple[str, ...]
) -> pd.DataFrame:
    exposures = [_EXPOSURE[slug] for slug in slugs if slug in _EXPOSURE]
    wanted = tuple(dict.fromkeys([*slugs, *exposures, *_USERS.values()]))
    rows = db.arrow(
        f"{TABLE}/metrics",
        select_list(wanted, SLICE_METRICS),
        first=first,
        last=end,
        dimensions=["total", *slicing.dimensions],
    )
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def _known(
    db: Connection, filled: Filled, slices: npt.NDArray[np.int64], totals: pd.DataFrame
) -> dict[str, Mask]:
    """Return which slices are known for each service, and for the app as a whole."""
    there = np.zeros(slices.size, dtype=bool)
    there[totals["number"]] = True
    found = {"app": there}
    for service, arrived in (("feed", filled.feed_arrived), ("messages", filled.messages_arrived)):
        in_time = there & (slices < int(arrived.timestamp()))
        found[service] = in_time & _is_up(db, service, slices, totals)
        found["app"] = found["app"] & in_time
    return found


def _is_up(
    db: Connection, service: str, slices: npt.NDArray[np.int64], totals: pd.DataFrame
) -> Mask:
    """Return from which slice on a service has been there."""
    active = totals.loc[totals[f"{_USERS[service]}_value"] > 0, "number"]
    first = int(active.iloc[0]) if len(active) else slices.size
    if first and slices.size:
        before = db.frame(f"{TABLE}/latest", last=int(slices[0]))
        first = 0 if before[service][0] else first
    up: Mask = np.arange(slices.size) >= first
    return up


def _dense(cells: pd.Series, numbers: npt.NDArray[np.int64], known: Mask, empty: float) -> Array:
    dense = np.full(known.size, empty)
    dense[numbers] = cells
    dense[~known] = np.nan
    return dense
