"""How large a series' errors usually are.

The spread of each scale is learned from its own past errors by the time of day, and follows
bursts as far as bursts have come in runs before (an ARCH regression). It is known before the day
begins, except for what the bursts of the last hours add.
"""

from typing import NamedTuple

import numpy as np

from nbtools.accumulation import Sums, apart, earlier, faded, faded_days, trust
from nbtools.clocks import Flags, Floats
from nbtools.seasonality import NORMAL, Series, smooth

CAP = 3.0  # mean errors of the day; what is larger counts as that large
RUN = 8.0  # half-life of bursts, in slices
BURST_CAP = 9.0  # squared standardised errors count as no more
AWAY = 2.5  # spreads a level has to be away from the usual for a way back to exist


class Delivered(NamedTuple):
    """What was delivered, as every scale's spread needs it.

    Attributes
    ----------
    by_time : ndarray of float
        Faded, smoothed number of slices by the time of day, as laid out by the wall clock.
    lately : ndarray of float, shape (n_series, n_slices)
        Faded number of the last hours' slices.
    so_far : ndarray of float, shape (n_series, n_slices)
        Number of slices up to each.
    before : ndarray of float, shape (n_series, n_spans)
        Faded number of slices before each span of 24 hours.
    days, spans : ndarray of float
        How much each local day's and each span's errors count.
    """

    by_time: Floats
    lately: Floats
    so_far: Floats
    before: Floats
    days: Floats
    spans: Floats


class Errors(NamedTuple):
    """Errors of one scale, arrays of shape (n_series, n_slices).

    Attributes
    ----------
    scale : int
        Number of slices of the sums.
    observed, expected : ndarray of float
        The sums.
    spread : ndarray of float
        Standard deviation of their errors that is expected.
    standard : ndarray of float
        Errors in spreads; 0 where nothing was delivered, where the matter is over, and where a
        displaced series is on its way back to the usual.
    """

    scale: int
    observed: Floats
    expected: Floats
    spread: Floats
    standard: Floats


def delivered(series: Series, days: Floats) -> Delivered:
    """Return what was delivered of the series.

    Parameters
    ----------
    series : Series
        The series.
    days : ndarray of float, shape (n_series, n_slices)
        Days that were known before each slice.
    """
    when = series.when
    by_day, by_span = trust(when.lay(days)), trust(when.days(days))
    return Delivered(
        smooth(faded_days(when.lay(series.seen) * by_day[..., None]), _width(series)),
        faded(series.seen, RUN),
        np.cumsum(series.seen, axis=1),
        faded_days(when.days(series.seen).sum(axis=2)),
        by_day,
        by_span,
    )


def errors(sums: Sums, series: Series, known: Delivered, floor: Floats, young: Flags) -> Errors:
    """Return errors in spreads.

    Parameters
    ----------
    sums : Sums
        The sums of one scale.
    series : Series
        The series they are of.
    known : Delivered
        What was delivered of the series.
    floor : ndarray of float, shape (n_series, n_slices)
        Smallest spread to believe in.
    young : ndarray of bool, shape (n_series, n_slices)
        Whether there is no earlier day, so that the day itself is all that is known.

    Returns
    -------
    Errors
        Errors and spreads.
    """
    calm = _by_time_of_day(sums, series, known)
    if young.any():
        calm = np.where(young, _so_far(sums, series, known, floor), calm)
    calm = np.maximum(calm, floor)
    spread = calm * np.sqrt(_bursts(sums.deviation / calm, series, known, sums.scale))
    standard = _returned(sums.deviation / spread, calm, sums, series, known)
    standard = standard * (sums.lasts & (series.seen > 0))
    return Errors(sums.scale, sums.observed, sums.expected, spread, standard)


def _width(series: Series) -> int:
    """Return how far around a time of day spreads are averaged: an hour and a half."""
    return max(1, series.when.slots // 16)


def _by_time_of_day(sums: Sums, series: Series, known: Delivered) -> Floats:
    """Return the spreads learned from the days before."""
    when = series.when
    size = np.abs(when.lay(sums.deviation * series.seen))
    n = when.lay(series.seen).sum(axis=2, keepdims=True)
    mean = size.sum(axis=2, keepdims=True) / np.maximum(n, 1.0)
    size = np.minimum(size, CAP * mean) * known.days[..., None]
    top = smooth(faded_days(size), _width(series))
    bottom = known.by_time
    overall = top.mean(axis=2, keepdims=True)
    overall = overall / np.maximum(bottom.mean(axis=2, keepdims=True), 1e-9)
    # Errors of long sums overlap: a day has few of them, so they are drawn to the mean more.
    weight = 2.0 * sums.scale
    return when.flat(NORMAL * (top + weight * overall) / (bottom + weight))


def _so_far(sums: Sums, series: Series, known: Delivered, floor: Floats) -> Floats:
    """Return the spreads from the slices before, with a margin, for the first day."""
    size = np.abs(sums.deviation) * series.seen
    none = np.zeros(len(size))
    top = earlier(np.cumsum(size, axis=1), sums.scale, none)
    n = earlier(known.so_far, sums.scale, none)
    prior = 0.0 if series.additive else 30.0  # slices' worth of the floor
    mean = (NORMAL * top + prior * floor) / (n + prior + 1e-9)
    return 1.5 * mean * (1 + 6 / (n + 2))


def _bursts(standard: Floats, series: Series, known: Delivered, scale: int) -> Floats:
    """Return the factor of the variance that the last hours' errors lead one to expect."""
    when = series.when
    square = np.minimum(standard**2, BURST_CAP) * series.seen
    recent = (faded(square, RUN) + 4.0) / (known.lately + 4.0)
    excess = earlier(recent - 1.0, scale, np.zeros(len(standard)))
    weighted = excess * series.seen
    cross = faded_days(when.days((square - 1.0) * weighted).sum(axis=2) * known.spans)
    own = faded_days(when.days(excess * weighted).sum(axis=2) * known.spans)
    follow = np.clip((cross + 0.5) / (own + 5.0), 0.0, 1.0)
    factor = 1.0 + follow[..., None] * when.days(excess)
    return np.clip(factor, 0.6, 8.0).reshape(excess.shape)


def _returned(
    standard: Floats, calm: Floats, sums: Sums, series: Series, known: Delivered
) -> Floats:
    """Return the errors, 0 where a displaced series is on its way back to the usual."""
    when = series.when
    if sums.n is None:
        away = (sums.expected - sums.usual) / np.sqrt(np.maximum(sums.expected, sums.usual))
    else:
        away = apart(sums.expected, sums.usual, sums.n)
    away = away / calm * series.seen
    far = np.abs(when.days(away))
    size = faded_days(np.minimum(far, 30.0).sum(axis=2))
    ordinary = ((size + 1.0) / (known.before + 1.0))[..., None]
    back = (far > AWAY * (1.0 + ordinary)).reshape(away.shape) & (standard * away < 0)
    if not back.any():
        return standard
    # Nothing is anomalous between the expected and the usual; farther off, the usual counts.
    count = None if sums.n is None else sums.n[back]
    beyond = apart(sums.observed[back], sums.usual[back], count) / calm[back]
    farther = (beyond * standard[back] > 0) & (np.abs(beyond) > 0.4 * np.abs(away[back]))
    out = standard.copy()
    out[back] = np.where(farther, beyond, 0.0)
    return out
