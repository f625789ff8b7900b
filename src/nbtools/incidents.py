"""Incidents, not slices: what the verdicts on one series amount to over time.

A strong deviation opens an incident at once, a weak one only when it comes back within a few
slices; an incident is over only after several normal slices in a row, so that a value that
flaps around the threshold stays one incident. All of it is decided from the slices alone, in
their order, so that a check after a pause comes to the same incidents as checks in time.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from nbtools.metrics import slice_metric

Phase = Literal["pending", "open", "resolved"]
Direction = Literal["down", "up"]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

TOTAL = "total"
NO_DATA = "no_data"  # takes the place of a metric where data do not arrive
NORMAL, ANOMALOUS = ".", "x"
_MOST_SCORE = 1000.0  # a deviation without any noise would be infinite
# Of half a band: what a slice inside it must deviate by to be part of what accumulates. The
# detector remembers for hours, so slices after a spike are alarms though nothing is wrong.
_PART = 0.25

_TURNED = 1.2  # score from which a deviation to the other side is more than a return


class Observation(NamedTuple):
    """A verdict on one slice of one series.

    Attributes
    ----------
    metric : str
        Slug of a metric that is known by slice.
    dimension, segment : str
        Such as ``os`` and ``iOS``; the dimension ``total`` has one segment.
    slice : datetime
        Its start, aware.
    value : float
        In the metric's unit; NaN where it is undefined.
    expected, lower, upper : float
        What was expected, NaN where history is too short, and the band around it.
    score : float
        Distance in units of the alarm threshold, 1 is on it; its sign does not matter.
    anomalous : bool
        Whether the detector alarms.
    """

    metric: str
    dimension: str
    segment: str
    slice: datetime
    value: float
    expected: float
    lower: float
    upper: float
    score: float
    anomalous: bool

    @property
    def is_judged(self) -> bool:
        """Whether there is a value and something to compare it with."""
        return math.isfinite(self.value) and math.isfinite(self.expected)

    @property
    def series(self) -> tuple[str, str]:
        """Metric and place."""
        return self.metric, place(self.dimension, self.segment)

    @property
    def deviation(self) -> float:
        """Value minus expectation, in the metric's unit."""
        return self.value - self.expected

    @property
    def is_outside(self) -> bool:
        """Whether the value lies outside its band."""
        return self.value < self.lower or self.value > self.upper

    @property
    def is_hit(self) -> bool:
        """Whether this slice itself is part of what the detector alarms for."""
        if not self.anomalous or self.is_outside:
            return self.anomalous
        bound = self.lower if self.deviation < 0 else self.upper
        return abs(self.deviation) >= _PART * abs(bound - self.expected)


@dataclass(frozen=True)
class Rules:
    """When an incident opens and ends, how bad it is, and how often people hear of it.

    Attributes
    ----------
    step : timedelta
        Length of a slice.
    strong : float
        Score from which one slice outside its band is enough.
    weak_hits, weak_window : int
        So many of so many slices in a row must be anomalous otherwise.
    recover_after : int
        Normal slices in a row that end an incident.
    critical_impact : float
        Share of a metric's total that is critical to lose.
    outage : float
        Share of its expectation below which a series counts as silent.
    no_data_after : timedelta
        How long data may be late.
    repeat : timedelta
        Time to the first reminder; it doubles with each, up to a day.
    settle : timedelta
        Time after its end in which what comes back is the same story, and not a new one.
    messages_per_hour : int
        More are summarised; one of them is kept for what is critical.
    quiet : pair of time or None
        From and to, local; only what is critical is said in between.
    zone : ZoneInfo
        Of the quiet hours.
    learning : timedelta
        Age of the history below which only what is critical in a total is believed, because
        what is usual on a weekday is not known yet.
    """

    step: timedelta = timedelta(minutes=15)
    strong: float = 1.5
    weak_hits: int = 2
    weak_window: int = 3
    recover_after: int = 3
    critical_impact: float = 0.5
    outage: float = 0.1
    no_data_after: timedelta = timedelta(minutes=30)
    repeat: timedelta = timedelta(hours=4)
    settle: timedelta = timedelta(hours=12)
    messages_per_hour: int = 4
    quiet: tuple[time, time] | None = None
    learning: timedelta = timedelta(days=14)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Moscow"))


@dataclass(frozen=True)
class Point:
    """One slice of an incident.

    Attributes
    ----------
    slice : datetime
        Its start.
    value, expected : float
        In the metric's unit.
    lower, upper : float or None
        The band; None where it has no bound.
    score : float
        In units of the alarm threshold.
    """

    slice: datetime
    value: float
    expected: float
    lower: float | None
    upper: float | None
    score: float

    @property
    def relative(self) -> float | None:
        """Relative deviation, -0.48 for 48 % below; None where nothing was expected."""
        return self.value / self.expected - 1 if self.expected else None


@dataclass(frozen=True)
class Moment:
    """An entry of a timeline.

    Attributes
    ----------
    at : datetime
        Start of the slice, or the time of a message.
    what : str
        ``noticed``, ``opened``, ``worse``, ``resolved`` ...
    number : int
        Counts messages.
    """

    at: datetime
    what: str
    number: int = 0


@dataclass(frozen=True)
class Incident:
    """A deviation of one series, from its first anomalous slice to its last.

    Attributes
    ----------
    metric, dimension, segment : str
        The series.
    opened, last : datetime
        First and last anomalous slice, their starts.
    phase : {"pending", "open", "resolved"}
        A pending one may be nothing.
    direction : {"down", "up"}
        Of the deviation.
    severity : {"info", "warning", "critical"}
        The worst so far.
    peak, latest : Point or None
        The slice of the highest score, and the last anomalous one; None where data are missing.
    lost : float
        Expectation minus values from the first anomalous slice to the last, in the metric's
        unit; negative when there was more than expected.
    drift : float
        The same for the normal slices since.
    impact : float
        Share of the metric's total that the worst slice moved.
    marks : str
        The latest slices of a pending incident.
    calm, calm_slices : datetime or None, int
        First normal slice of the present run of them, and how many.
    resolved : datetime or None
        First slice that was normal again.
    group : str
        Key of the story that it belongs to.
    events : tuple of str
        Planned events at its time.
    timeline : tuple of Moment
        What happened when.
    """

    metric: str
    dimension: str
    segment: str
    opened: datetime
    last: datetime
    phase: Phase
    direction: Direction
    severity: Severity
    peak: Point | None = None
    latest: Point | None = None
    lost: float = 0.0
    drift: float = 0.0
    impact: float = 0.0
    marks: str = ""
    calm: datetime | None = None
    calm_slices: int = 0
    resolved: datetime | None = None
    group: str = ""
    events: tuple[str, ...] = ()
    timeline: tuple[Moment, ...] = ()

    @property
    def place(self) -> str:
        """``total``, or dimension and segment as in ``os:iOS``."""
        return place(self.dimension, self.segment)

    @property
    def key(self) -> str:
        """Name that no other incident has."""
        return f"{self.metric}/{self.place}/{self.opened.astimezone(UTC):%Y-%m-%dT%H:%MZ}"

    @property
    def is_total(self) -> bool:
        """Whether all users are in it."""
        return self.dimension == TOTAL


def place(dimension: str, segment: str) -> str:
    """Return a segment's name.

    Examples
    --------
    >>> place("os", "iOS"), place("total", "")
    ('os:iOS', 'total')
    """
    return TOTAL if dimension == TOTAL else f"{dimension}:{segment}"


def rank(severity: Severity) -> int:
    """Return how bad a severity is, 0 for the least."""
    return SEVERITIES.index(severity)


def follow(
    incident: Incident | None,
    seen: Observation,
    rules: Rules,
    totals: Mapping[str, float] = {},
) -> tuple[Incident | None, Incident | None]:
    """Return what one more slice makes of a series.

    Parameters
    ----------
    incident : Incident or None
        Its pending or open incident.
    seen : Observation
        The next slice of the same series; one that is not judged changes nothing.
    rules : Rules
        When an incident opens and ends.
    totals : mapping of float
        What was expected of each metric's total in this slice.

    Returns
    -------
    tuple
        The incident that ended with this slice, and the one that goes on or begins.
    """
    if not seen.is_judged:
        return None, incident
    if incident is None:
        return None, _begin(seen, rules, totals) if seen.is_hit else None
    is_same = _direction(seen) == incident.direction
    # On the way back values are above what an outage had made of the expectation.
    turned = seen.is_hit and seen.is_outside and not is_same and abs(seen.score) >= _TURNED
    if incident.phase == "pending":
        begun = _begin(seen, rules, totals) if turned else _wait(incident, seen, rules, totals)
        return None, begun
    if turned:
        ended = _resolve(incident, incident.calm or seen.slice)
        return ended, _begin(seen, rules, totals)
    if seen.is_hit and is_same:
        return None, _worsen(incident, seen, rules, totals)
    return _calm(incident, seen, rules)


def _begin(seen: Observation, rules: Rules, totals: Mapping[str, float]) -> Incident:
    begun = Incident(
        metric=seen.metric,
        dimension=seen.dimension,
        segment=seen.segment,
        opened=seen.slice,
        last=seen.slice,
        phase="pending",
        direction=_direction(seen),
        severity="info",
        marks="",
        timeline=(Moment(seen.slice, "noticed"),),
    )
    return _wait(begun, seen, rules, totals) or begun


def _wait(
    incident: Incident, seen: Observation, rules: Rules, totals: Mapping[str, float]
) -> Incident | None:
    """Return a pending incident after a slice: open, still pending, or None."""
    is_hit = seen.is_hit and _direction(seen) == incident.direction
    marks = (incident.marks + (ANOMALOUS if is_hit else NORMAL))[-rules.weak_window :]
    if not is_hit:
        # Nothing in the window but what has come since: the next hit would be the first.
        if ANOMALOUS not in marks[-rules.weak_window + 1 :]:
            return None
        return replace(incident, marks=marks, drift=incident.drift - seen.deviation)
    worse = replace(_worsen(incident, seen, rules, totals), marks=marks)
    is_strong = seen.is_outside and abs(seen.score) >= rules.strong
    if is_strong or marks.count(ANOMALOUS) >= rules.weak_hits:
        opened = (*worse.timeline, Moment(seen.slice, "opened"))
        return replace(worse, phase="open", marks="", timeline=opened)
    return worse


def _worsen(
    incident: Incident, seen: Observation, rules: Rules, totals: Mapping[str, float]
) -> Incident:
    """Return an incident after one more anomalous slice."""
    point = _point(seen)
    impact = max(incident.impact, share_moved(seen, totals))
    found = severity(seen, impact, rules)
    is_worse = incident.phase == "open" and rank(found) > rank(incident.severity)
    timeline = incident.timeline + ((Moment(seen.slice, "worse"),) if is_worse else ())
    higher = incident.peak is None or point.score > incident.peak.score
    return replace(
        incident,
        last=seen.slice,
        severity=max(found, incident.severity, key=rank),
        peak=point if higher else incident.peak,
        latest=point,
        lost=incident.lost + incident.drift - seen.deviation,
        drift=0.0,
        impact=impact,
        calm=None,
        calm_slices=0,
        timeline=timeline,
    )


def _calm(
    incident: Incident, seen: Observation, rules: Rules
) -> tuple[Incident | None, Incident | None]:
    """Return an open incident after a slice that is no part of it: ended, or going on."""
    calmer = replace(incident, drift=incident.drift - seen.deviation)
    if not _is_back(incident, seen):
        return None, calmer
    calmer = replace(calmer, calm=incident.calm or seen.slice, calm_slices=incident.calm_slices + 1)
    if calmer.calm_slices >= rules.recover_after:
        return _resolve(calmer, calmer.calm or seen.slice), None
    return None, calmer


def _is_back(incident: Incident, seen: Observation) -> bool:
    """Return whether a slice is nearer to its expectation than to the incident.

    Where little is expected, as at night, a value may lie inside its band and be as bad as the
    incident; that says nothing.
    """
    latest = incident.latest.relative if incident.latest else None
    if not latest or not seen.expected:
        return True
    return (seen.deviation / seen.expected) / latest < 0.5


def _resolve(incident: Incident, at: datetime) -> Incident:
    timeline = (*incident.timeline, Moment(at, "resolved"))
    return replace(incident, phase="resolved", resolved=at, timeline=timeline)


def _direction(seen: Observation) -> Direction:
    return "down" if seen.deviation < 0 else "up"


def _point(seen: Observation) -> Point:
    def bound(x: float) -> float | None:
        return x if math.isfinite(x) else None

    score = min(abs(seen.score), _MOST_SCORE) if not math.isnan(seen.score) else 0.0
    return Point(seen.slice, seen.value, seen.expected, bound(seen.lower), bound(seen.upper), score)


def share_moved(seen: Observation, totals: Mapping[str, float]) -> float:
    """Return which share of its metric's total a slice's deviation is.

    Half of a segment's own deviation stands in where shares do not add up, as for a ratio.

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2023, 2, 25, 12, tzinfo=UTC)
    >>> ios = Observation("views", "os", "iOS", noon, 200, 400, 300, 500, 3.0, True)
    >>> share_moved(ios, {"views": 1000})
    0.2
    """
    own = abs(seen.deviation) / abs(seen.expected) if seen.expected else 1.0
    if seen.dimension == TOTAL:
        return own
    whole = totals.get(seen.metric, 0.0)
    if slice_metric(seen.metric).style != "count" or whole <= 0:
        return own / 2
    return abs(seen.deviation) / whole


def severity(seen: Observation, impact: float, rules: Rules) -> Severity:
    """Return how bad a deviation is: its kind, its size, and whether it is good news.

    Parameters
    ----------
    seen : Observation
        The deviating slice.
    impact : float
        Share of the metric's total that it moved.
    rules : Rules
        What is critical.
    """
    item = slice_metric(seen.metric)
    if item.good == _direction(seen):
        return "info"
    is_silent = item.style == "count" and seen.value <= rules.outage * seen.expected
    if impact >= rules.critical_impact or (is_silent and impact >= rules.outage):
        return "critical"
    return "warning"
