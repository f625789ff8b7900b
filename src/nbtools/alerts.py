"""One check of the key metrics, and the same check replayed over a history.

The events become slices (`slices`), each series of slices is judged by its own past
(`anomaly`), verdicts become incidents and messages (`alarms`). A replay steps through the
slices as checks in time would have done: the verdicts are the same, since each one knows only
the slices up to it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbtools import alarms, annotations, anomaly, causes, contributions, incident_store, slices
from nbtools import slicing as slicing_module
from nbtools import state as state_module
from nbtools.annotations import Event
from nbtools.anomaly import Judged
from nbtools.checks import APP, Check, Missing, Outcome, State, moment_of
from nbtools.incidents import TOTAL, Observation, Rules
from nbtools.observations import Terms
from nbtools.parameters import Alerts
from nbtools.settings import PROJECT, Settings
from nbtools.slice_history import week_of
from nbtools.slices import Filled, History, Key
from nbtools.slicing import Slicing
from nbtools.stories import Mute
from nbtools.warehouse import Connection

# What is watched. Users of the app are those of the feed but for a few.
METRICS = (
    "feed_users",
    "messenger_users",
    "views",
    "likes",
    "ctr",
    "messages_sent",
    "new_users",
)
# False alarms of a metric in 30 days. A metric has several segments, and there are several
# metrics, so that a person hears a false alarm about once a month.
DEFAULT_SENSITIVITY = 0.2
# A segment with fewer events a slice than this, over the last weeks, is too small to be watched.
_SMALLEST = 5.0
_RECENT = 28 * 96
STEP = timedelta(minutes=slices.STEP_MINUTES)
# What pictures show before a check's newest slice, or before an incident begins.
SHOWN = timedelta(hours=24)


class Verdicts(NamedTuple):
    """The verdicts on the slices of every series, all or the newest.

    Attributes
    ----------
    history : History
        The values.
    judged : dict of (str, str, str) to Judged
        By metric, dimension and value: arrays of one row.
    first : int
        Number of the first slice that was judged.
    """

    history: History
    judged: dict[Key, Judged]
    first: int = 0

    def observations(self, numbers: Iterable[int]) -> list[Observation]:
        """Return the verdicts on some slices, by their numbers in the history."""
        found = []
        values = self.history.values  # noqa: PD011 -- a mapping of arrays
        for number in numbers:
            moment = self.history.moment(number).astimezone(UTC)
            place = number - self.first
            for key, row in self.judged.items():
                metric, dimension, value = key
                found.append(
                    Observation(
                        metric,
                        dimension,
                        value if dimension != TOTAL else "",
                        moment,
                        float(values[key][number]),
                        float(row.expected[0, place]),
                        float(row.lower[0, place]),
                        float(row.upper[0, place]),
                        float(row.score[0, place]),
                        bool(row.anomalous[0, place]),
                    )
                )
        return found

    def is_usual(self, numbers: Iterable[int]) -> bool:
        """Return whether the counts of all users were judged in some slices, and found as usual."""
        places = [number - self.first for number in numbers]
        known = [
            row
            for key, row in self.judged.items()
            if key[1] == TOTAL
            and key not in self.history.exposure
            and np.isfinite(row.expected[0, places]).all()
        ]
        return bool(known) and not any(row.anomalous[0, places].any() for row in known)

    def frame(self, key: Key) -> pd.DataFrame:
        """Return a series with its band: value, expected, lower, upper, score, anomalous."""
        row = self.judged[key]
        times = pd.date_range(
            self.history.moment(self.first),
            periods=self.history.size - self.first,
            freq=f"{slices.STEP_MINUTES}min",
        )
        columns = {name: array[0] for name, array in zip(Judged._fields, row, strict=True)}
        values = self.history.values  # noqa: PD011 -- a mapping of arrays
        return pd.DataFrame({"value": values[key][self.first :], **columns}, index=times)


class Context(NamedTuple):
    """What a check knows beside the events.

    Attributes
    ----------
    state : State
        What the checks before have left.
    zone : ZoneInfo
        The app's time zone.
    slicing : Slicing
        How slices are divided.
    events : tuple of Event
        Planned events.
    mutes : tuple of Mute
        Silences.
    """

    state: State
    zone: ZoneInfo
    slicing: Slicing
    events: tuple[Event, ...] = ()
    mutes: tuple[Mute, ...] = ()


class Checked(NamedTuple):
    """What one check has found.

    Attributes
    ----------
    at : datetime
        Its moment, in the app's zone.
    filled : Filled
        What is known of the slices.
    verdicts : Verdicts
        Of all slices that were read.
    before : State
        What the check before has left.
    outcome : Outcome
        Incidents and messages.
    """

    at: datetime
    filled: Filled
    verdicts: Verdicts
    before: State
    outcome: Outcome

    @property
    def slice(self) -> datetime:
        """Start of the newest slice that had ended, in the app's zone."""
        return (self.filled.end - STEP).astimezone(self.at.tzinfo)


def rules(params: Alerts, zone: ZoneInfo) -> Rules:
    """Return how incidents are told, from a check's parameters."""
    quiet = None
    if params.quiet:
        first, last = (time.fromisoformat(text) for text in params.quiet.split("-"))
        quiet = first, last
    return Rules(
        repeat=timedelta(hours=params.repeat_hours),
        messages_per_hour=params.messages_per_hour,
        quiet=quiet,
        zone=zone,
    )


def judge(history: History, *, sensitivity: float, since: datetime | None = None) -> Verdicts:
    """Return the verdicts on the slices of every series.

    Parameters
    ----------
    history : History
        The series.
    sensitivity : float
        False alarms accepted for a metric in 30 days. An alarm of a segment is an alarm of its
        metric: the total may raise half of them, the segments share the other half.
    since : datetime, optional
        Only slices from this moment on, at least the newest; all by default.
    """
    first = _first(history, since)
    values = history.values  # noqa: PD011 -- a mapping of arrays
    # What a list of values leaves over is nearly the total.
    watched = [key for key in values if key[2] != contributions.OTHER]
    # All at once, as the days are gone through one by one: a count is a ratio to 1.
    shares = [share(history, sensitivity, is_total=key[1] == TOTAL) for key in watched]
    one = np.ones(history.size)
    found = anomaly.judge(
        np.stack([values[key] for key in watched]),
        np.stack([history.exposure.get(key, one) for key in watched]),
        Terms(history.start, history.step_minutes, "ratio", np.array(shares)),
        last=history.size - first,
    )
    judged = {}
    for place, key in enumerate(watched):
        size = history.exposure.get(key, values[key])
        judged[key] = _where(_one(found, place), _is_watched(key, size)[first:])
    return Verdicts(history, judged, first)


def as_checked(
    history: History, *, sensitivity: float, days: int, since: datetime | None = None
) -> Verdicts:
    """Return the verdicts that checks in time had, each from the history it would have read.

    Parameters
    ----------
    history : History
        The series.
    sensitivity : float
        As in :func:`judge`.
    days : int
        That a check reads; all of a week read from the same day on.
    since : datetime, optional
        Only slices from this moment on; all by default.
    """
    zone = ZoneInfo(str(history.start.tzinfo))
    first = begins = _first(history, since)
    found: list[Verdicts] = []
    while begins < history.size:
        moment = history.moment(begins)
        read = max(history.number(week_of(moment, zone, days)), 0)
        ends = min(history.number(week_of(moment, zone, -7)), history.size)
        found.append(judge(history.part(read, ends), sensitivity=sensitivity, since=moment))
        begins = ends
    judged = {
        key: Judged(*map(np.hstack, zip(*(one.judged[key] for one in found), strict=True)))
        for key in found[0].judged
    }
    return Verdicts(history, judged, first)


def _first(history: History, since: datetime | None) -> int:
    """Return the number of the first slice to judge."""
    return 0 if since is None else min(max(history.number(since), 0), history.size - 1)


def share(history: History, sensitivity: float, *, is_total: bool) -> float:
    """Return the false alarms in 30 days that one series of a metric may raise.

    Parameters
    ----------
    history : History
        All series.
    sensitivity : float
        Those that a metric may raise.
    is_total : bool
        Whether the series is of all users.
    """
    values = history.values  # noqa: PD011 -- a mapping of arrays
    watched = {key[1:] for key in values if key[2] != contributions.OTHER}
    segments = len(watched - {(TOTAL, TOTAL)})
    if not segments:
        return sensitivity
    return sensitivity / 2 if is_total else sensitivity / 2 / segments


def _one(found: Judged, place: int) -> Judged:
    one = slice(place, place + 1)
    return Judged(
        found.anomalous[one],
        found.expected[one],
        found.lower[one],
        found.upper[one],
        found.score[one],
    )


def _is_watched(key: Key, counts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where a series was large enough to be watched, from the slices up to each."""
    if key[1] == TOTAL:
        return np.ones(counts.size, dtype=bool)
    known = np.isfinite(counts)
    upto = np.cumsum(np.where(known, counts, 0.0)), np.cumsum(known)
    sums, slices_known = (
        rows - np.concatenate([np.zeros(min(_RECENT, rows.size)), rows[:-_RECENT]]) for rows in upto
    )
    return np.asarray(sums >= _SMALLEST * np.maximum(slices_known, 1))


def _where(judged: Judged, watched: NDArray[np.bool_]) -> Judged:
    return judged._replace(
        anomalous=judged.anomalous & watched, score=np.where(watched, judged.score, 0.0)
    )


def context(settings: Settings, at: datetime) -> Context:
    """Return what is known before a check.

    Parameters
    ----------
    settings : Settings
        Where things are.
    at : datetime
        The moment of the check.

    Raises
    ------
    ParameterError
        If the file of annotations cannot be used.
    SettingsError
        If the state store or the file of slices cannot be read.
    """
    zone = settings.zone
    planned = annotations.load(PROJECT / "parameters" / "annotations.yml", zone)
    with state_module.open_store(settings) as store, store.reading() as connection:
        state = incident_store.load(connection)
        mutes = tuple(incident_store.mutes(connection, after=moment_of(at, zone)))
    return Context(state, zone, slicing_module.load(settings.home), planned.events, mutes)


def check(
    db: Connection,
    source: Connection,
    params: Alerts,
    known: Context,
) -> Checked:
    """Check the key metrics at a moment.

    Parameters
    ----------
    db, source : Connection
        The warehouse and the app's events.
    params : Alerts
        The moment, and how incidents are told.
    known : Context
        What was known before.

    Returns
    -------
    Checked
        Verdicts, incidents and messages; nothing is recorded but the slices.

    Raises
    ------
    NoDataError
        If there are no events before the moment.
    """
    state, zone, slicing = known.state, known.zone, known.slicing
    at = moment_of(params.at, zone)
    filled = slices.fill(db, source, at=at, slicing=slicing)
    history = slices.read(
        db, filled, zone=zone, days=params.history_days, slicing=slicing, slugs=METRICS
    )
    newest = filled.end - STEP
    verdicts = judge(history, sensitivity=params.sensitivity, since=_needed(state, newest))
    seen = verdicts.observations(_unjudged(state, history, newest))
    missing = _missing(filled, history, params.sensitivity)
    outcome = alarms.advance(
        state,
        Check(at, newest, tuple(seen), missing, filled.start),
        rules(params, zone),
        events=known.events,
        mutes=known.mutes,
    )
    outcome = causes.explain(outcome, source, zone=zone, step=STEP)
    return Checked(at, filled, verdicts, state, outcome)


def _needed(state: State, newest: datetime) -> datetime:
    """Return from where on verdicts are needed: what is new, what is going on, and a day shown."""
    cursors = [cursor for slug in METRICS if (cursor := state.cursor(slug)) is not None]
    opened = [one.opened for one in state.incidents]
    return min([newest, *cursors, *opened]) - SHOWN


def _unjudged(state: State, history: History, newest: datetime) -> range:
    """Return the numbers of the slices that no check has judged, the newest one at least."""
    cursors = [cursor for slug in METRICS if (cursor := state.cursor(slug)) is not None]
    oldest = min(cursors, default=newest)
    back = int((newest - oldest) / STEP)
    return range(max(history.size - max(back, 1), 0), history.size)


def _missing(filled: Filled, history: History, sensitivity: float) -> tuple[Missing, ...]:
    arrived = {"feed": filled.feed_arrived, "messages": filled.messages_arrived}
    late = {service: since for service, since in arrived.items() if since < filled.end}
    if len(late) < len(arrived):
        return tuple(Missing(service, since) for service, since in late.items())
    since = max(late.values())
    return (Missing(APP, since, is_usual=_is_usual_silence(history, since, sensitivity)),)


def _is_usual_silence(history: History, since: datetime, sensitivity: float) -> bool:
    """Return whether the slices from a moment on, were they empty, would be as expected."""
    first = max(history.number(since), 0)
    values = {}
    for key, row in history.values.items():  # noqa: PD011 -- a mapping of arrays
        if key[1] == TOTAL and key not in history.exposure:
            values[key] = row.copy()
            values[key][first:] = 0.0
    # The totals are alone here, so the share of a total is asked for by name.
    own = share(history, sensitivity, is_total=True)
    empty = judge(history._replace(values=values, exposure={}), sensitivity=own, since=since)
    return empty.is_usual(range(first, history.size))
