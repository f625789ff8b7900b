"""From a series' past to thresholds and scores, for every slice at once."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from nbtools import accumulation, dayoff, extremes, noise, seasonality
from nbtools.accumulation import Sums
from nbtools.clocks import Flags, Floats
from nbtools.seasonality import Profile, Series

SETTLED = 12  # delivered slices before anything is judged
HIGHEST = 30.0  # scores are cut there
AT_ONCE = 6  # series: the arrays of more do not fit into a core's cache
EPISODE_HOURS = 12  # in which only what is worse than before stands out again
SMALLEST_COUNT_SPREAD = 0.4  # of a Poisson distribution's: hardly any log is more regular
SMALLEST_GAUGE_SPREAD = 1e-4  # of the largest value so far: below is rounding
# The first slices of an incident matter most, and days differ, which long sums would notice.
STRICTER = {1: 0.96, 2: 0.98, 4: 1.0, 16: 1.1, 64: 1.2}
# What breaks falls, and bursts rise: of the false alarms of counts and ratios rises get a tenth.
RISES = 0.1
TYPICAL = 1.05  # what the largest score of a day exceeds as often as asked; counts, ratios
MOST = 1.15  # at most, of these; days with incidents would make more of it
FIT = 0.98  # of the thresholds: what makes the default rate true on synthetic apps


class Errors(NamedTuple):
    """Errors of sums of all scales, and what is expected of single slices.

    Attributes
    ----------
    scales : list of int
        Slices of the sums.
    standard : ndarray of float, shape (n_scales, n_series, n_filled)
        Errors in spreads, 0 where there is nothing to judge.
    expected, spread : ndarray of float, shape (n_series, n_filled)
        Of each slice by itself.
    """

    scales: list[int]
    standard: Floats
    expected: Floats
    spread: Floats


class Scored(NamedTuple):
    """Everything that is known of series, filled up to whole days.

    Attributes
    ----------
    series : Series
        The series.
    past : Profile
        What is usual.
    errors : Errors
        Of all scales.
    up, down : ndarray of float, shape (n_series, n_spans, n_scales)
        Thresholds of the errors above and below 0, for every span of 24 hours.
    score : ndarray of float, shape (n_series, n_filled)
        Largest error in units of its threshold, 0 where there is nothing to judge.
    """

    series: Series
    past: Profile
    errors: Errors
    up: Floats
    down: Floats
    score: Floats

    @property
    def last(self) -> int:
        """Return the place of the newest slice."""
        return self.series.when.before + len(self.series.when.times) - 1


class Bands(NamedTuple):
    """What is to be said of slices, arrays of shape (n_series, n_slices)."""

    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats


def score(series: Series, sensitivity: float | Floats) -> Scored:
    """Return scores of series.

    Parameters
    ----------
    series : Series
        The series.
    sensitivity : float or ndarray of float, shape (n_series,)
        False alarms accepted per series in 30 days.

    Returns
    -------
    Scored
        The scores, and what they are made of.
    """
    past = dayoff.recognised(series, seasonality.profile(series))
    errors = _errors(series, past)
    rates = np.broadcast_to(np.asarray(sensitivity) / 30, len(series.observed))
    return _scored(series, past, errors, rates[:, None])


def bands(scored: Scored, which: slice) -> Bands:
    """Return what is to be said of some slices, counted without those filled up."""
    series, when = scored.series, scored.series.when
    one = scored.errors
    at = np.arange(len(when.times))[which] + when.before
    day = at // when.slots
    expected, spread, asked = one.expected[:, at], one.spread[:, at], series.asked[:, at]
    below, above = scored.down[:, day, 0] * spread, scored.up[:, day, 0] * spread
    if series.additive:
        lower, upper = expected - below, expected + above
    else:
        lower, upper = accumulation.bounds(expected, below, above)
    unknown = np.where(np.cumsum(series.seen, axis=1)[:, at] > 0, asked, np.nan)
    thinned = _thinned(scored.score, max(1, when.slots * EPISODE_HOURS // 24))[:, at]
    return Bands(expected / unknown, lower / unknown, upper / unknown, thinned)


def errors_of(series: Series, past: Profile) -> list[noise.Errors]:
    """Return the errors of each scale with all that they are made of.

    Parameters
    ----------
    series : Series
        The series.
    past : Profile
        What is usual.

    Returns
    -------
    list of Errors
        One a scale.
    """
    young = past.new
    known = noise.delivered(series, past.days)
    return [
        noise.errors(sums, series, known, _floor(sums, series), young)
        for sums in accumulation.sums(series, past)
    ]


def _errors(series: Series, past: Profile) -> Errors:
    """Return the errors of every scale, made for so many series at a time as caches hold."""
    scales = accumulation.scales(series.when.slots)
    shape = series.observed.shape
    made = Errors(scales, np.empty((len(scales), *shape)), np.empty(shape), np.empty(shape))
    # The first errors have no spread yet, nor can sums of many be judged without a season.
    settled = np.cumsum(series.seen, axis=1) > SETTLED
    seasoned = settled & ~past.new
    # The longest would tell of the first weekend.
    weekly = seasoned & (past.days >= seasonality.WEEK)

    def judged(scale: int) -> Flags:
        """Return the slices at which sums are judged."""
        if scale >= accumulation.LONG:
            return weekly
        return settled if scale <= 2 else seasoned

    for first in range(0, len(series.observed), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        each = errors_of(series.some(some), past.some(some))
        made.expected[some], made.spread[some] = each[0].expected, each[0].spread
        for place, one in enumerate(each):
            made.standard[place, some] = one.standard * judged(one.scale)[some]
    return made


def _floor(sums: Sums, series: Series) -> Floats:
    """Return the smallest spread to believe in."""
    if series.additive:
        largest = np.maximum.accumulate(np.abs(series.observed), axis=1)
        return SMALLEST_GAUGE_SPREAD * largest + 1e-9
    # Rare events are Poisson whatever their past errors: there are hardly any.
    return SMALLEST_COUNT_SPREAD + (1 - SMALLEST_COUNT_SPREAD) / (1 + sums.expected / 3)


def _scored(series: Series, past: Profile, errors: Errors, rate: Floats) -> Scored:
    """Return scores, and the thresholds that each series exceeds at its rate a day."""
    when, scales = series.when, errors.scales
    laid = errors.standard.reshape(len(scales), len(series.observed), -1, when.slots)
    peaks = np.concatenate([laid.max(axis=3), -laid.min(axis=3)])
    peaks = np.moveaxis(peaks, 0, -1)
    days = when.days(past.days)[..., 0]
    weights = np.clip((days + 1) / 8, 0.1, 1.0)  # the first days' errors are no rule
    weights = weights * (when.days(series.seen).sum(axis=2) > 0.5 * when.slots)
    normal = np.tile(extremes.usual(scales, when.slots), 2)
    power = np.tile(extremes.powers(scales), 2)
    # Sums of several scales mostly exceed their thresholds together.
    rises = 0.5 if series.additive else RISES
    share = rate / min(len(scales), 3) * np.repeat([rises, 1 - rises], len(scales))
    alarm = extremes.exceeded(peaks, weights, share, (normal, 0.4), power)
    normal = (normal**power + 0.4 * power * normal ** (power - 1) * -np.log(share)) ** (1 / power)
    alarm = extremes.drawn(alarm, normal[:, None])
    alarm = np.maximum(alarm, 2.0 if series.additive else 0.8 * normal[:, None])
    alarm = alarm * np.tile([STRICTER[scale] for scale in scales], 2)
    up, down = alarm[..., : len(scales)], alarm[..., len(scales) :]
    score = _farthest(laid, up, down).reshape(series.observed.shape)
    # What all together exceed as often as asked, near 1.
    peak = when.days(score).max(axis=2)[..., None]
    both = extremes.exceeded(peak, weights, rate, (np.array([0.65]), 0.1), np.array([1.5]))
    margin = 1 + 0.5 / (1 + days / 2)  # while the days are few
    if not series.additive:  # gauges may have any tails
        both = np.minimum(extremes.drawn(both, np.array([TYPICAL])), MOST)
    factor = FIT * np.clip(both[..., 0], 0.9, 1.3) * margin
    score = (when.days(score) / factor[..., None]).reshape(score.shape)
    score = np.minimum(score, HIGHEST)
    score = np.where(series.seen > 0, score, 0.0) + 0.0  # no -0.0
    return Scored(series, past, errors, up * factor[..., None], down * factor[..., None], score)


def _farthest(laid: Floats, up: Floats, down: Floats) -> Floats:
    """Return the largest error of all scales in units of its threshold."""
    out = np.zeros(laid.shape[1:])
    for scale, rows in enumerate(laid):
        np.maximum(out, rows / up[..., scale, None], out=out)
        np.maximum(out, rows / -down[..., scale, None], out=out)
    return out


def _thinned(score: Floats, reach: int) -> Floats:
    """Return scores that stand out when an episode begins and when it worsens.

    What does not exceed the highest score of the slices before says nothing new: it stays just
    above 1, so that the slice remains anomalous and a higher threshold sees each episode once.
    """
    before = ndimage.maximum_filter1d(score, reach, axis=1, origin=(reach - 1) // 2)
    before = accumulation.earlier(before, 1, np.zeros(len(score)))
    again = (score >= 1) & (score <= before)
    return np.where(again, 1 + 0.1 * (1 - 1 / np.maximum(score, 1.0)), score)
