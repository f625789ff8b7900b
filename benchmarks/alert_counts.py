"""Counting alarms, the same way for every detector."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from alert_apps import DAY, LEARNED, SLICE_MINUTES, App, Incident
from numpy.typing import NDArray

Real = NDArray[np.float64]
Bits = NDArray[np.bool_]

# Anomalous slices less than an hour apart are one alarm.
COOLDOWN = 4
# An alarm that goes on is told again after four hours, so that none is cheap by never ending.
REPEAT = 16
# How long after an incident what a detector says of its end is neither right nor wrong.
AFTERMATH = 4
WITHIN = (1, 2, 4)
MONTH = 30 * DAY
LEAK = "leak"
# An incident, and which of its slices told; None when none did.
_Told = tuple[Incident, int | None]


class Scored(NamedTuple):
    """An app and what a detector made of it.

    Attributes
    ----------
    app : App
        The app.
    scores : ndarray of float, shape (n_series, n_slices)
        In the order of the app's series.
    """

    app: App
    scores: Real


class Record(NamedTuple):
    """What a detector did with one threshold.

    Attributes
    ----------
    threshold : float
        From where on a slice is anomalous.
    false_alarms : float
        A series in 30 days without incidents.
    by_metric : dict of str to float
        The same for each metric's series.
    recall : tuple of float
        Share of the incidents found within 1, 2, 4 slices; without leaks.
    by_kind : dict of str to tuple of float
        The same by kind of incident; of leaks, before their end.
    delay : float
        Median minutes from an incident's start to the end of the slice that told, of those told.
    """

    threshold: float
    false_alarms: float
    by_metric: dict[str, float]
    recall: tuple[float, ...]
    by_kind: dict[str, tuple[float, ...]]
    delay: float


def alarms(flags: Bits) -> Bits:
    """Return where alarms begin, or are repeated because they go on.

    They begin at anomalous slices with none in the hour before.
    """
    recent = np.zeros_like(flags)
    for back in range(1, COOLDOWN + 1):
        recent[..., back:] |= flags[..., :-back]
    begins = flags & ~recent
    places = np.arange(flags.shape[-1])
    begun = np.maximum.accumulate(np.where(begins, places, -1), axis=-1)
    return flags & ((places - begun) % REPEAT == 0)


def quiet(app: App) -> Bits:
    """Return the judged slices without an incident or its aftermath, (n_series, n_slices)."""
    struck = np.stack([series.struck for series in app.series.values()])
    touched = struck.copy()
    for back in range(1, AFTERMATH + 1):
        touched[:, back:] |= struck[:, :-back]
    touched[:, : LEARNED * DAY] = True
    return ~touched


def record(scored: Iterable[Scored], threshold: float) -> Record:
    """Return what a threshold gives over all apps."""
    false: list[NDArray[np.int64]] = []
    clean: list[NDArray[np.int64]] = []
    metrics: list[str] = []
    told: list[_Told] = []
    for app, scores in scored:
        flags = _flags(scores, threshold)
        room = quiet(app)
        false.append((alarms(flags) & room).sum(axis=1))
        clean.append(room.sum(axis=1))
        metrics += [metric for metric, _ in app.series]
        places = {key: place for place, key in enumerate(app.series)}
        told += [(one, _told(flags[places[one.key]], one)) for one in app.incidents]
    counts, slices = np.concatenate(false), np.concatenate(clean)
    names = np.array(metrics)
    return Record(
        threshold,
        _monthly(counts, slices),
        {
            metric: _monthly(counts[names == metric], slices[names == metric])
            for metric in dict.fromkeys(metrics)
        },
        *_found(told),
    )


def _flags(scores: Real, threshold: float) -> Bits:
    return np.nan_to_num(scores, nan=-np.inf, posinf=np.inf) >= threshold


def _monthly(counts: NDArray[np.int64], slices: NDArray[np.int64]) -> float:
    return float(counts.sum() / slices.sum() * MONTH)


def _told(flags: Bits, incident: Incident) -> int | None:
    """Return which slice of the incident told, the first one being 0."""
    during = np.flatnonzero(flags[incident.start : incident.start + incident.length])
    return int(during[0]) if len(during) else None


def _found(told: list[_Told]) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]], float]:
    kinds: dict[str, list[_Told]] = {}
    for one in told:
        kinds.setdefault(one[0].kind, []).append(one)
    sudden = [one for one in told if one[0].kind != LEAK]
    delays = [place + 1 for _, place in sudden if place is not None]
    return (
        _shares(sudden, WITHIN),
        {
            kind: _shares(found, (np.inf,) if kind == LEAK else WITHIN)
            for kind, found in sorted(kinds.items())
        },
        SLICE_MINUTES * float(np.median(delays)) if delays else float("nan"),
    )


def _shares(told: list[_Told], within: tuple[float, ...]) -> tuple[float, ...]:
    places = np.array([np.inf if place is None else place for _, place in told])
    return tuple(float((places < limit).mean()) for limit in within)


def calibrate(scored: list[Scored], budget: float) -> float | None:
    """Return the lowest threshold whose false alarms a series in 30 days are within a budget.

    Searched from above, since alarms that run into each other are fewer again.

    Parameters
    ----------
    scored : list of Scored
        The apps.
    budget : float
        False alarms a series in 30 days.

    Returns
    -------
    float or None
        None when even the highest score comes too often.
    """
    rooms = [quiet(app) for app, _ in scored]
    slices = sum(int(room.sum()) for room in rooms)
    levels = np.unique(
        np.concatenate([one.scores[room] for one, room in zip(scored, rooms, strict=True)])
    )
    levels = levels[~np.isnan(levels)][::-1]

    def too_many(place: int) -> bool:
        found = sum(
            int((alarms(_flags(one.scores, levels[place])) & room).sum())
            for one, room in zip(scored, rooms, strict=True)
        )
        return found / slices * MONTH > budget

    if too_many(0):
        return None
    good, bad = 0, 1
    while bad < len(levels) and not too_many(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, len(levels))
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if too_many(middle) else (middle, bad)
    return float(levels[good])
