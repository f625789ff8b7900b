"""Forecasts of sums over the last slices, and how far those sums are off.

A sudden drop shows in one slice, a slow leak only in the sum of many. For each scale (1, 2, 4, 16
and 64 slices) the sum of the last slices is compared with what was expected of it before
it began, so that what is looked for is not yet in the expectation.

An expectation is the profile times a level, and how far the level follows the last slices is
learned from the series: a random walk follows at once, noise around a season hardly at all, and
a series without a season drops the profile. The weights are a ridge regression of past errors
on the differences between slow and quick levels (an error-correction form, so that nothing
learned is the slow level), drawn towards those of a usual app.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy import signal, special

from nbtools.clocks import Flags, Floats
from nbtools.seasonality import NORMAL, TINY, Profile, Series

SCALES = (1, 2, 4, 16, 64)  # slices
OWN = 4  # slices between the five hours whose median a wandering level is held against
QUICK, MIDDLE = 0.7, 8.0  # half-lives of the levels, in slices; the slow one's is a day
PRIOR = np.array([0.3, 0.1, 0.0, 0.0])  # weights of the differences before anything is known
PRIOR_SLICES = 60.0  # how many slices' worth the prior counts
MEMORY_DAYS = 20.0  # of what is learned from errors
GROWTH = 1.5  # times the largest sum so far, which no expectation exceeds
FEW = 0.02  # events a slice; fewer are not expected, so that the first ever is no alarm by itself
CLIP = 3.5  # standard deviations; what is farther off moves no level
LASTING = 0.5  # of its mean deviation a sum's last slices must show, or the matter is over
GROWING = 1.0  # the same for the longest sums: what they are for, a leak, grows
LONG = 64  # slices


class Levels(NamedTuple):
    """Levels after each slice: three against the profile, two of the series itself."""

    slow: Floats
    middle: Floats
    quick: Floats
    flat_middle: Floats
    flat_quick: Floats


class Sums(NamedTuple):
    """Sums over the last ``scale`` slices, arrays of shape (n_series, n_slices).

    Attributes
    ----------
    scale : int
        Number of slices.
    observed, expected, usual : ndarray of float
        In events, or in the gauge's unit, over the delivered slices. ``usual`` is what the days
        before alone lead one to expect.
    n : ndarray of float or None
        Delivered slices of a gauge's sum, None for counts and ratios.
    deviation : ndarray of float
        Signed, of observed from expected in the noise's natural unit, see :func:`apart`.
    lasts : ndarray of bool
        Whether the sum's last slices deviate too: if not, the matter is over.
    """

    scale: int
    observed: Floats
    expected: Floats
    usual: Floats
    n: Floats | None
    deviation: Floats
    lasts: Flags


class _Window(NamedTuple):
    """Sums of the last ``scale`` slices of everything a forecast needs."""

    got: Floats
    usual: Floats
    n: Floats  # exposure, or delivered slices


class _Totals:
    """Running totals, of which every window is a difference."""

    def __init__(self, series: Series, base: Floats) -> None:
        size = series.seen if series.additive else series.size
        self.rows = _Window(series.observed, base * size, size)
        self.totals = [np.cumsum(rows, axis=1) for rows in self.rows]

    def last(self, scale: int) -> _Window:
        """Return the sums of the last ``scale`` slices."""
        if scale == 1:
            return self.rows
        return _Window(*(_differences(total, scale) for total in self.totals))


def scales(slots: int) -> list[int]:
    """Return the scales for a day of ``slots`` slices."""
    return [scale for scale in SCALES if scale <= max(1, 2 * slots // 3)]


def earlier(rows: Floats, by: int, fill: Floats | None = None) -> Floats:
    """Return the rows ``by`` slices ago; before the first, ``fill`` or the first."""
    head = rows[:, 0] if fill is None else fill
    out = np.empty_like(rows)
    out[:, :by] = head[:, None]
    out[:, by:] = rows[:, : max(0, rows.shape[1] - by)]
    return out


def faded(rows: Floats, half_life: float) -> Floats:
    """Return exponentially faded sums along each row."""
    keep = 0.5 ** (1 / half_life)
    return np.asarray(signal.lfilter([1.0], [1.0, -keep], rows, axis=-1))


def faded_days(rows: Floats, memory: float = MEMORY_DAYS) -> Floats:
    """Return exponentially faded sums over the days *before* each day, along axis 1."""
    keep = float(np.exp(-1 / memory))
    total = signal.lfilter([1.0], [1.0, -keep], rows, axis=1)
    return np.concatenate([np.zeros_like(total[:, :1]), total[:, :-1]], axis=1)


def apart(value: Floats, expected: Floats, count: Floats | None) -> Floats:
    """Return how far values are from expectations, in the noise's natural unit.

    For counts this is a standard deviation of a Poisson distribution, for gauges, whose
    ``count`` of slices is given, the gauge's unit times the root of the count.
    """
    if count is None:
        return deviations(np.maximum(value, 0.0), np.maximum(expected, 1e-9))
    return (value - expected) / np.sqrt(np.maximum(count, 1.0))


def trust(days: Floats) -> Floats:
    """Return how much each span's errors count, by the days that were known before it.

    While weekdays have not been seen, errors are those of ignorance.
    """
    return np.asarray(np.clip((days[..., 0] + 1) / 8, 0.1, 1.0) ** 2)


def deviations(observed: Floats, expected: Floats) -> Floats:
    """Return signed roots of the Poisson deviance, near normal even for small counts."""
    gap = special.xlogy(observed, observed / expected) - (observed - expected)
    return np.asarray(np.sign(observed - expected) * np.sqrt(2 * np.maximum(gap, 0.0)))


def bounds(expected: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
    """Return the counts whose deviations from ``expected`` are ``-below`` and ``above``."""
    mean = np.maximum(expected, TINY)
    low, high = below**2 / (2 * mean), above**2 / (2 * mean)
    # Solve x log x - x + 1 = q by Newton's method, x being the ratio to the mean.
    down = np.clip(1 - np.sqrt(2 * np.minimum(low, 1.0)), 0.02, 1.0)
    up = 1 + np.sqrt(2 * high) + high / 3
    for _ in range(6):
        slope = np.minimum(np.log(down), -1e-9)
        down = np.clip(down - (down * slope - down + 1 - low) / slope, 1e-6, 1.0)
        slope = np.maximum(np.log(up), 1e-9)
        up = np.maximum(up - (up * slope - up + 1 - high) / slope, 1.0)
    return np.where(low >= 1, 0.0, down) * mean, up * mean


def baseline(series: Series, past: Profile) -> Floats:
    """Return what is usual per unit of exposure; before there is a profile, the mean so far."""
    young = past.new
    if not young.any():
        return past.usual
    size = series.seen if series.additive else series.size
    top, bottom = np.cumsum(series.observed, axis=1), np.cumsum(size, axis=1)
    row, first = np.arange(len(size)), np.argmax(series.seen, axis=1)
    start = series.observed[row, first] / np.maximum(size[row, first], TINY)
    none = np.zeros(len(size))
    top, bottom = earlier(top, 1, none), earlier(bottom, 1, none)
    mean = np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), start[:, None])
    return np.where(young, mean if series.additive else np.maximum(mean, 1e-9), past.usual)


def levels(series: Series, past: Profile, base: Floats) -> Levels:
    """Return the levels after each slice, hardly moved by what lasts less than half a day."""
    usual = base * series.size
    if series.additive:
        top, bottom = series.observed - usual, series.seen
    else:
        top, bottom = series.observed, usual
    near = _carried(_last_hour(top, bottom))
    unknown = np.isnan(past.spread)
    spread = np.where(unknown, 1.0, past.spread)

    def clean(lag: int) -> Floats:
        """Return the series without what is far from the median of five hours apart."""
        center = _median(near, lag)
        middle = usual + center * series.seen if series.additive else usual * center
        unit = 1.0 if series.additive else np.sqrt(np.maximum(middle, 1e-9))
        limit = NORMAL * CLIP * spread * unit + TINY
        off = (series.observed - middle) / limit
        # Farther than thrice the limit it is as if it had not been delivered.
        off = np.clip(off, -1.0, 1.0) * np.clip(3 - np.abs(off), 0.0, 1.0)
        return np.where(unknown, series.observed, (middle + limit * off) * series.seen)

    # A level against the profile is moved only by what lasts half a day, the series' own by what
    # lasts some hours: it is for series that wander.
    steady, own = clean(max(2, series.when.slots // 4)), clean(OWN)
    old = ~past.new  # before that there is no profile to hold a level against
    top = (steady - usual if series.additive else steady) * old
    bottom = bottom * old
    neutral = 0.0 if series.additive else 1.0
    weight = TINY if series.additive else 3.0  # three events, so that a night has some level
    slow = _level(top, bottom, max(series.when.slots, 24), neutral, weight)
    size = series.seen if series.additive else series.size
    return Levels(
        slow,
        _level(top, bottom, MIDDLE, slow, weight),
        _level(top, bottom, QUICK, slow, weight),
        _level(own, size, MIDDLE),
        _level(own, size, QUICK),
    )


def sums(series: Series, past: Profile) -> list[Sums]:
    """Return the sums of every scale with their learned expectations."""
    base = baseline(series, past)
    level = levels(series, past, base)
    totals = _Totals(series, base)
    windows = {scale: totals.last(scale) for scale in scales(series.when.slots)}
    asked = _Window(series.observed, base * series.asked, series.asked)
    seen_totals = np.cumsum(series.seen, axis=1)
    out = []
    for scale in scales(series.when.slots):
        window = asked if scale == 1 else windows[scale]
        some = series.seen > 0 if scale == 1 else _differences(seen_totals, scale) > 0.5
        before = Levels(*(earlier(rows, scale) for rows in level))
        expected = _expected(window, before, past, some, series)
        young = past.new & (seen_totals > scale)
        flat = window.n * (before.flat_middle + before.flat_quick) / 2
        expected = np.where(young, flat, expected)
        count = window.n if series.additive else None
        if not series.additive:
            expected = np.maximum(_at_most_seen(expected, window, scale), FEW * scale)
        deviation = apart(window.got, expected, count) * some
        made = Sums(scale, window.got, expected, window.usual, count, deviation, some)
        if scale > 1:
            made = made._replace(lasts=_lasts(made, window, windows[min(max(scale // 4, 1), 4)]))
        out.append(made)
    return out


def _at_most_seen(expected: Floats, window: _Window, scale: int) -> Floats:
    """Return expected sums, none far above the largest that was ever seen per unit of exposure.

    Where a profile is next to nothing, what a level makes of it would be anything.
    """
    rate = window.got / np.maximum(window.n, TINY)
    most = GROWTH * earlier(np.maximum.accumulate(rate, axis=1), scale)
    known = most > 0
    return np.where(known, np.minimum(expected, most * window.n), expected)


def _differences(total: Floats, scale: int) -> Floats:
    """Return sums of the last ``scale`` from running totals."""
    out = total.copy()
    out[:, scale:] -= total[:, : max(0, total.shape[1] - scale)]
    return out


def _last_hour(top: Floats, bottom: Floats) -> Floats:
    """Return the level of the last four slices, NaN where nothing was delivered."""
    four_top = _differences(np.cumsum(top, axis=1), 4)
    four_bottom = _differences(np.cumsum(bottom, axis=1), 4)
    has = four_bottom > TINY
    return np.where(has, four_top / np.where(has, four_bottom, 1.0), np.nan)


def _median(rows: Floats, lag: int) -> Floats:
    """Return the median of five values, the newest and those before it at multiples of a lag."""
    a, b, c, d, e = (rows if k == 0 else earlier(rows, k * lag) for k in range(5))
    low, low2 = np.minimum(a, b), np.minimum(c, d)
    high, high2 = np.maximum(a, b), np.maximum(c, d)
    x, y = np.maximum(low, low2), np.minimum(high, high2)
    return np.maximum(np.minimum(x, y), np.minimum(np.maximum(x, y), e))


def _carried(rows: Floats) -> Floats:
    """Return the rows with gaps filled by the value before, and 1 before the first."""
    gaps = np.isnan(rows)
    if not gaps.any():
        return rows
    index = np.maximum.accumulate(np.where(gaps, 0, np.arange(rows.shape[1])), axis=1)
    filled = np.take_along_axis(rows, index, axis=1)
    return np.where(np.isnan(filled), 1.0, filled)


def _level(
    top: Floats,
    bottom: Floats,
    half_life: float,
    prior: Floats | float = 0.0,
    weight: float = TINY,
) -> Floats:
    """Return faded means, drawn towards a prior."""
    up, down = faded(top, half_life), faded(bottom, half_life)
    weight = max(weight, 1e-9)
    return np.asarray((up + weight * prior) / (down + weight))


def _expected(
    window: _Window, before: Levels, past: Profile, some: Flags, series: Series
) -> Floats:
    """Return the expected sums: the slow level's, corrected as far as was learned to."""
    if series.additive:
        slow, middle, quick = (
            window.usual + window.n * rows for rows in (before.slow, before.middle, before.quick)
        )
        weight = 1 / np.maximum(window.n, 1.0)
    else:
        slow, middle, quick = (
            window.usual * rows for rows in (before.slow, before.middle, before.quick)
        )
        weight = 1 / (np.maximum(slow, 0.0) + 1.0)
    flat, flat_quick = window.n * before.flat_middle, window.n * before.flat_quick
    steps = [middle - slow, quick - middle, flat - middle, flat_quick - flat]
    weight = weight * (some & ~past.new)
    expected = slow + _followed(window.got - slow, steps, weight, series.when.days(past.days))
    # Weights were learned where the levels lay close together: no going beyond all of them.
    levels_seen = (slow, middle, quick, flat, flat_quick)
    return np.clip(expected, reduce(np.minimum, levels_seen), reduce(np.maximum, levels_seen))


def _followed(gap: Floats, steps: list[Floats], weight: Floats, days: Floats) -> Floats:
    """Return the learned part of the gap: a ridge regression on the days before."""
    n_steps = len(steps)
    root = np.sqrt(weight)
    made = np.empty((n_steps + 1, *gap.shape))
    for step, out in zip([*steps, gap], made, strict=True):
        np.multiply(step, root, out=out)
    laid = made.reshape(n_steps + 1, *days.shape)
    counts = trust(days)
    target = laid[-1]
    cap = 4 * np.abs(target).mean(axis=2, keepdims=True)  # a day is used from the next one on
    np.clip(target, -cap, cap, out=target)
    products = np.matmul(laid.transpose(1, 2, 0, 3), laid.transpose(1, 2, 3, 0))
    products = faded_days(products * counts[..., None, None])
    left, right = products[..., :-1, :-1], products[..., :-1, -1]
    n = faded_days(counts * days.shape[2])
    each = np.einsum("sdkk->sdk", left) / np.maximum(n, 1.0)[..., None]
    ridge = PRIOR_SLICES * each + 1e-9
    left = left + ridge[..., None] * np.eye(n_steps)
    weights = np.linalg.solve(left, (right + ridge * PRIOR)[..., None])
    total = np.zeros_like(laid[0])
    for k, step in enumerate(steps):
        total += weights[:, :, k] * step.reshape(days.shape)
    return np.asarray(total.reshape(gap.shape))


def _lasts(whole: Sums, window: _Window, late: _Window) -> Flags:
    """Return whether the last slices of each sum are still off the same way."""
    if whole.n is None:
        share = late.usual / np.maximum(window.usual, TINY)
        expected = whole.expected * share
    else:
        share = late.n / np.maximum(window.n, 1.0)
        expected = late.usual + (whole.expected - window.usual) * share
    off, off_late = window.got - whole.expected, late.got - expected
    least = GROWING if whole.scale >= LONG else LASTING
    return (off_late * np.sign(off) >= least * np.abs(off) * share) & (late.n > 0)
