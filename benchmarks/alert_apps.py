"""Made-up apps with incidents of known start, length and size, in three families.

The families share only how counts are drawn and incidents planted. ``steady`` is what the
detector was built with; ``restless`` has other daily shapes, growth that bends, a wandering
level, heavy-tailed shocks and posts that go viral. Thresholds and scales were chosen on apps of
both with numbers from 10 on, so those from 0 on are other draws of known shapes. ``office``, a
small business app that is all but closed at night and on Sundays, is the hold-out: it was made
when the detector was done, and no constant was set on it.

An app's four kinds of users (two systems, two sources) are drawn one by one and added up.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Bits = NDArray[np.bool_]
Rng = np.random.Generator
Key = tuple[str, str]

SLICE_MINUTES = 15
DAY = 24 * 60 // SLICE_MINUTES
DAYS = 84
LEARNED = 28
SLICES = DAYS * DAY
START = datetime(2024, 1, 8)  # noqa: DTZ001 (a Monday, in the app's own time)

METRICS = ("users", "views", "likes", "messages", "new users", "CTR")
# Rows are kinds of users: (iOS, ads), (iOS, organic), (Android, ads), (Android, organic).
SEGMENTS = {
    "total": (0, 1, 2, 3),
    "iOS": (0, 1),
    "Android": (2, 3),
    "ads": (0, 2),
    "organic": (1, 3),
}
# How much more than Poisson's the variance is, as the shape of a gamma-distributed mean.
_SHAPES = {"users": 1_500.0, "views": 500.0, "messages": 150.0, "new users": 200.0}
# Likes of one post go together: binomial's variance times this.
_LIKES_SPREAD = 1.5
_KINDS = (
    "drop 15 %",
    "drop 25 %",
    "drop 50 %",
    "spike",
    "outage",
    "leak",
    "one segment",
    "CTR only",
)
_ROUNDS = 3
_STRUCK = ("users", "views", "likes", "messages", "new users")


class Series(NamedTuple):
    """One metric of one segment.

    Attributes
    ----------
    metric, segment : str
        Which.
    observed : ndarray of float, shape (SLICES,)
        Counts or CTR; NaN where nothing was delivered.
    exposure : ndarray of float or None
        The views of a CTR.
    mean, spread : ndarray of float, shape (SLICES,)
        Expected value without incidents, and the standard deviation about it.
    struck : ndarray of bool, shape (SLICES,)
        Where an incident changes the expected value.
    """

    metric: str
    segment: str
    observed: Real
    exposure: Real | None
    mean: Real
    spread: Real
    struck: Bits

    @property
    def kind(self) -> Literal["count", "ratio"]:
        """What the detector is told."""
        return "count" if self.exposure is None else "ratio"


class Incident(NamedTuple):
    """What was planted, and the series that has it at full size."""

    kind: str
    key: Key
    start: int
    length: int
    size: float


class App(NamedTuple):
    """An app's series by metric and segment, and its incidents."""

    name: str
    series: dict[Key, Series]
    incidents: list[Incident]


class _Rates(NamedTuple):
    """Expected values of the kinds of users, each of shape (4, SLICES)."""

    users: Real
    views_a_user: Real
    ctr: Real
    messages: Real
    new_users: Real


# ---- families of shapes


def _steady(rng: Rng) -> _Rates:
    """Return smooth days and weeks, a straight trend, holidays, noise that is soon forgotten."""
    slots = np.arange(SLICES)
    hour, day = (slots % DAY) / DAY * 24, slots // DAY
    off = np.isin(day % 7, (5, 6)) | np.isin(day, rng.integers(LEARNED, DAYS, 2))
    peak = rng.uniform(18, 21) + np.where(off, -1.5, 0.0)
    wave = 0.9 * np.cos((hour - peak) / 24 * 2 * np.pi) + 0.25 * np.cos(
        (hour - 13) / 12 * 2 * np.pi
    )
    level = np.exp(wave) * np.where(off, rng.uniform(0.85, 1.2), 1.0)
    level *= 1 + rng.uniform(-0.1, 0.4) * slots / SLICES
    level *= np.exp(rng.normal(0, 0.02, DAYS))[day] * np.exp(_wander(rng, 0.9, 0.02))
    for start in rng.integers(0, SLICES - 2, 10):
        level[start : start + rng.integers(1, 3)] *= rng.uniform(1.05, 1.2)
    return _rates(rng, level, np.exp(_wander(rng, 0.8, 0.01)))


def _restless(rng: Rng) -> _Rates:
    """Return commuters' days, growth that bends, a wandering level, shocks, viral posts."""
    slots = np.arange(SLICES)
    hour, day = (slots % DAY) / DAY * 24, slots // DAY
    off = np.isin(day % 7, ((4, 5), (5, 6), (6,))[rng.choice(3, p=(0.2, 0.6, 0.2))])
    late = np.where(off, rng.uniform(1, 3), 0.0)
    shape = (
        0.08
        + _bump(hour, 8.5 + late, 1.2)
        + rng.uniform(0.8, 1.6) * _bump(hour, 21 + late / 2, 2.5)
    )
    shape += rng.uniform(0.2, 0.5) * _bump(hour, 13, 2.0)
    grown = rng.uniform(0.1, 0.6) / (1 + np.exp(-(day - rng.uniform(30, 70)) / 6))
    level = shape * np.where(off, rng.uniform(0.7, 1.5), 1.0) * (1 + grown)
    level *= np.exp(_wander(rng, 0.99, 0.008) + 0.012 * rng.standard_t(4, SLICES))
    ctr = np.exp(_wander(rng, 0.97, 0.008))
    for start in rng.integers(0, SLICES - DAY, 12):
        fading = rng.uniform(0.05, 0.25) * np.exp(-np.arange(12) / rng.uniform(1, 4))
        level[start : start + 12] *= 1 + fading
        ctr[start : start + 12] *= 1 + fading / 4
    return _rates(rng, level, ctr)


def _office(rng: Rng) -> _Rates:
    """Return a small business app: flat office hours, its own week, a decline in steps."""
    slots = np.arange(SLICES)
    hour, day = (slots % DAY) / DAY * 24, slots // DAY
    week = np.exp(rng.normal(0, 0.06, 7)) * np.array([1.0, 1.0, 1.0, 1.0, 1.25, 0.35, 0.2])
    opens, closes = rng.uniform(7, 9), rng.uniform(17, 20)
    open_now = 1 / (1 + np.exp(-(hour - opens) / 0.35)) / (1 + np.exp((hour - closes) / 0.5))
    level = (0.02 + open_now) * week[day % 7]
    level *= 1 - rng.uniform(0.1, 0.35) * slots / SLICES
    steps = np.where(rng.random(DAYS) < 0.06, rng.normal(0, 0.08, DAYS), 0.0)
    level *= np.exp(np.cumsum(steps) + rng.normal(0, 0.03, DAYS))[day]
    level *= np.exp(_wander(rng, 0.95, 0.012))
    for start in rng.integers(7 * DAY, LEARNED * DAY, 2):  # outages in what is learned from
        level[start : start + DAY // 2] *= 0.02
    rates = _rates(rng, level, np.exp(_wander(rng, 0.9, 0.015)))
    small = rng.uniform(0.15, 0.5)
    return rates._replace(
        users=rates.users * small,
        messages=rates.messages * small,
        new_users=rates.new_users * small,
    )


FAMILIES: dict[str, tuple[int, Callable[[Rng], _Rates]]] = {
    "steady": (20_240_108, _steady),
    "restless": (90_210, _restless),
    "office": (4_711, _office),
}


def _bump(hour: Real, centre: Real | float, width: float) -> Real:
    away = np.abs(hour - centre) % 24
    return np.exp(-0.5 * (np.minimum(away, 24 - away) / width) ** 2)


def _wander(rng: Rng, memory: float, step: float) -> Real:
    """Return a stationary autoregression, whose steps have the standard deviation given."""
    found = np.empty(SLICES)
    last = rng.normal(0, step / np.sqrt(1 - memory**2))
    for place, shock in enumerate(rng.normal(0, step, SLICES)):
        last = found[place] = memory * last + shock
    return found


def _rates(rng: Rng, level: Real, ctr: Real) -> _Rates:
    os_share, ads_share = rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.5)
    shares = np.outer((os_share, 1 - os_share), (ads_share, 1 - ads_share)).reshape(4, 1)
    users = shares * rng.uniform(100, 1_000) * level / level.mean()
    kinds = np.exp(rng.normal(0, 0.1, (4, 1)))
    return _Rates(
        users,
        rng.uniform(4, 9) * kinds * np.ones(SLICES),
        rng.uniform(0.15, 0.25) / kinds * ctr,
        users * rng.uniform(0.5, 1.5),
        users * rng.uniform(0.05, 0.15),
    )


# ---- incidents


def _plan(rng: Rng) -> list[Incident]:
    """Return every kind three times, in any order, spread over the days that are judged."""
    kinds = [*rng.permutation(_KINDS * _ROUNDS)]
    room = (SLICES - LEARNED * DAY) // len(kinds)
    found = []
    for place, kind in enumerate(kinds):
        key, length, size = _drawn(rng, str(kind))
        start = LEARNED * DAY + place * room + int(rng.integers(0, room - length - DAY // 2))
        found.append(Incident(str(kind), key, start, length, size))
    return found


def _drawn(rng: Rng, kind: str) -> tuple[Key, int, float]:
    """Return the series, the slices and the relative change of an incident."""
    metric = str(rng.choice(_STRUCK, p=(0.25, 0.25, 0.2, 0.2, 0.1)))
    segment = str(rng.choice(list(SEGMENTS), p=(0.6, 0.1, 0.1, 0.1, 0.1)))
    part = str(rng.choice([name for name in SEGMENTS if name != "total"]))
    hours = int(rng.integers(8, 25))
    match kind:
        case "spike":
            return (metric, segment), int(rng.integers(2, 9)), float(rng.choice((0.5, 1.0)))
        case "outage":
            return ("every", "total" if rng.random() < 0.7 else part), int(rng.integers(2, 9)), -1.0
        case "leak":
            return (metric, "total"), int(rng.integers(DAY, DAY * 4 // 3)), -0.4
        case "one segment":
            return (metric, part), hours, -0.4
        case "CTR only":
            return ("CTR", segment), hours, float(rng.choice((-0.2, -0.3)))
    return (metric, segment), hours, -float(kind.split()[1]) / 100


def _strike(rates: _Rates, incidents: list[Incident]) -> _Rates:
    """Return the rates with the incidents; what follows from a metric falls with it."""
    struck = _Rates(*(rate.copy() for rate in rates))
    targets = {
        "users": (struck.users,),
        "views": (struck.views_a_user,),
        "likes": (struck.ctr,),
        "CTR": (struck.ctr,),
        "messages": (struck.messages,),
        "new users": (struck.new_users,),
        "every": (struck.users, struck.messages, struck.new_users),
    }
    for incident in incidents:
        metric, segment = incident.key
        grows = np.linspace(0, 1, incident.length) if incident.kind == "leak" else 1.0
        place = np.ix_(SEGMENTS[segment], range(incident.start, incident.start + incident.length))
        for rate in targets[metric]:
            rate[place] *= 1 + incident.size * grows
    return struck


# ---- draws


def make(family: str, number: int) -> App:
    """Return an app of a family; the same arguments give the same app.

    Parameters
    ----------
    family : str
        A key of ``FAMILIES``.
    number : int
        Which app of the family.

    Returns
    -------
    App
        30 series of 84 days; incidents begin behind the first 28 days.
    """
    seed, shapes = FAMILIES[family]
    rng = np.random.default_rng((seed, number))
    rates, incidents = shapes(rng), _plan(rng)
    struck = _strike(rates, incidents)
    counts = _draw(rng, struck)
    missing = _gaps(rng, incidents)
    series = {}
    for segment, kinds in SEGMENTS.items():
        rows = list(kinds)
        for metric in METRICS:
            mean, spread = _moments(rates, metric, rows)
            values, exposure = _observed(counts, metric, rows)
            values[missing] = np.nan
            if exposure is not None:
                exposure[missing] = np.nan
            changed = ~np.isclose(mean, _moments(struck, metric, rows)[0], rtol=1e-9, atol=0)
            series[metric, segment] = Series(
                metric, segment, values, exposure, mean, spread, changed
            )
    found = [one._replace(key=_judged(one.key)) for one in incidents]
    return App(f"{family} {number}", series, found)


def _judged(key: Key) -> Key:
    """Return the series that an incident is looked for in; an outage of all in the views."""
    metric, segment = key
    return ("views" if metric == "every" else metric, segment)


def _draw(rng: Rng, rates: _Rates) -> dict[str, Real]:
    """Return counts of the kinds of users, over-dispersed; likes are shares of the views."""
    means = {
        "users": rates.users,
        "views": rates.users * rates.views_a_user,
        "messages": rates.messages,
        "new users": rates.new_users,
    }
    drawn = {
        metric: rng.poisson(mean * rng.gamma(_SHAPES[metric], 1 / _SHAPES[metric], mean.shape))
        for metric, mean in means.items()
    }
    views = drawn["views"]
    # A beta-distributed CTR makes likes more variable than binomial by about the factor.
    size = np.maximum(views - _LIKES_SPREAD, 0) / (_LIKES_SPREAD - 1) + 1
    ctr = np.clip(rates.ctr, 1e-6, 1 - 1e-6)
    drawn["likes"] = rng.binomial(views, rng.beta(ctr * size, (1 - ctr) * size))
    return {metric: count.astype(np.float64) for metric, count in drawn.items()}


def _gaps(rng: Rng, incidents: list[Incident]) -> Bits:
    """Return where nothing was delivered: three times one to six hours, clear of incidents."""
    busy = np.zeros(SLICES, dtype=bool)
    for incident in incidents:
        busy[incident.start - 8 : incident.start + incident.length + 8] = True
    missing = np.zeros(SLICES, dtype=bool)
    while missing.sum() < 40:
        start, length = rng.integers(7 * DAY, SLICES - DAY), rng.integers(4, 25)
        if not busy[start : start + length].any():
            missing[start : start + length] = True
    return missing


def _observed(counts: dict[str, Real], metric: str, rows: list[int]) -> tuple[Real, Real | None]:
    if metric != "CTR":
        return counts[metric][rows].sum(axis=0), None
    views = counts["views"][rows].sum(axis=0)
    likes = counts["likes"][rows].sum(axis=0)
    return np.divide(likes, views, out=np.full(SLICES, np.nan), where=views > 0), views


def _moments(rates: _Rates, metric: str, rows: list[int]) -> tuple[Real, Real]:
    """Return mean and standard deviation of a segment's metric."""
    views = rates.users[rows] * rates.views_a_user[rows]
    ctr = rates.ctr[rows]
    within = _LIKES_SPREAD * (views * ctr * (1 - ctr)).sum(axis=0)
    among = views + views**2 / _SHAPES["views"]
    if metric == "likes":
        return (views * ctr).sum(axis=0), np.sqrt(within + (ctr**2 * among).sum(axis=0))
    total = np.maximum(views.sum(axis=0), 1e-9)
    if metric == "CTR":
        mean = (views * ctr).sum(axis=0) / total
        mixed = ((ctr - mean) ** 2 * among).sum(axis=0)
        return mean, np.sqrt(within + mixed) / total
    means = {
        "users": rates.users,
        "views": rates.users * rates.views_a_user,
        "messages": rates.messages,
        "new users": rates.new_users,
    }[metric][rows]
    return means.sum(axis=0), np.sqrt((means + means**2 / _SHAPES[metric]).sum(axis=0))


def time_of(place: int) -> datetime:
    """Return when a slice begins."""
    return START + timedelta(minutes=SLICE_MINUTES * place)
