"""How large the largest error of a day is, and what is exceeded only so often.

A rate such as one false alarm in 30 days lies at the edge of what a month of history shows. The
largest errors of the days are what says most about it: to some power they follow a Gumbel
distribution, which is fitted to them and read off where one day in so many exceeds it. A day with
an incident counts as a day a little worse than most.
"""

import numpy as np
from scipy import special

from nbtools.clocks import Flags, Floats

DAYS = 42  # the latest ones are fitted to
PRIOR_DAYS = 4.0  # how many days' worth the prior of the scale counts
CAP = 4.5  # median absolute deviations above the median; what is larger counts as that large
ODD = 1.3  # times the threshold; such a day had an incident, or the series has become another
LIGHT = 0.3  # its weight
RECENT = 5  # days, of which more than half decide that the series has become another
FEW = 1e-6
CHANCE = 0.15  # of the logarithm of a threshold
EULER = 0.5772  # mean of the standard Gumbel distribution
MEDIAN = 0.3665  # and its median,
MEAN_DEVIATION = 0.986  # its mean absolute deviation from the mean,
MEDIAN_DEVIATION = 0.767  # and its median absolute deviation from the median


def powers(scales: list[int]) -> Floats:
    """Return the power to which the largest errors of each scale are about Gumbel.

    Squares of normal errors would be; 1.5 allows for heavier tails. Long sums have few
    independent errors a day and days that differ: theirs are Gumbel themselves.
    """
    return np.clip(1.5 - 0.25 * np.log2(np.array(scales, dtype=np.float64) / 4), 1.0, 1.5)


def usual(scales: list[int], slots: int) -> Floats:
    """Return about where a day's largest error of each scale lies when errors are normal."""
    free = np.maximum(slots / np.array(scales, dtype=np.float64) ** 0.7, 1.6)
    return np.asarray(np.maximum(special.ndtri(1 - 1 / free), 0.3) + 0.1)


def drawn(levels: Floats, normal: Floats) -> Floats:
    """Return levels drawn towards those of normal errors, the nearer the more so.

    What differs by less than chance and some incidents explain becomes normal; a series that
    jumps keeps its room.
    """
    apart = np.log(np.maximum(levels, 1e-3) / normal)
    far = np.maximum(np.abs(apart) - CHANCE, 0.0)
    return np.asarray(normal * np.exp(np.sign(apart) * far))


def exceeded(
    peaks: Floats, weights: Floats, rate: Floats, prior: tuple[Floats, float], power: Floats
) -> Floats:
    """Return what a day's largest error exceeds at a rate, from the days before.

    Parameters
    ----------
    peaks : ndarray of float, shape (n_series, n_days, n_columns)
        Largest error of each day.
    weights : ndarray of float, shape (n_series, n_days)
        How much each day counts.
    rate : ndarray of float, shape (n_series, n_columns) or one that fits
        Times a day.
    prior : tuple of ndarray and float
        Location (a value a column) and scale before anything is known.
    power : ndarray of float, shape (n_columns,)
        To which the peaks are about Gumbel.

    Returns
    -------
    ndarray of float
        Shape of ``peaks``.
    """
    reach = -np.log(rate)
    location, scale = prior[0] ** power, prior[1] * power * prior[0] ** (power - 1)
    first = np.broadcast_to(location + MEDIAN * scale, (len(peaks), 1, peaks.shape[2]))
    raw = np.concatenate([first, np.maximum(peaks, 0.0) ** power], axis=1)  # a day of the prior
    heavy = np.concatenate([np.ones((len(peaks), 1)), weights], axis=1)[..., None]
    raw = _carried(raw, heavy[..., 0] > 0)
    heavy = np.broadcast_to(heavy, raw.shape).copy()
    cut, light, odd = raw.copy(), heavy.copy(), np.zeros(raw.shape, dtype=bool)
    out = np.empty_like(peaks)
    for day in range(peaks.shape[1]):
        window = slice(max(0, day + 1 - DAYS), day + 1)
        _begin_anew(raw, cut, odd, day)
        mean, deviation = _robust(cut[:, window], light[:, window], scale)
        level = mean + deviation / MEAN_DEVIATION * (reach - EULER)
        out[:, day] = level
        odd[:, day + 1] = raw[:, day + 1] > ODD**power * level
        cut[:, day + 1] = np.where(odd[:, day + 1], level, raw[:, day + 1])
        light[:, day + 1] *= np.where(odd[:, day + 1], LIGHT, 1.0)
    return np.asarray(np.maximum(out, 0.0) ** (1 / power))


def _carried(raw: Floats, seen: Flags) -> Floats:
    """Return the days with those that do not count replaced by the last that did."""
    if seen.all():
        return raw
    last = np.maximum.accumulate(np.where(seen, np.arange(seen.shape[1]), 0), axis=1)
    return np.take_along_axis(raw, last[..., None], axis=1)


def _begin_anew(raw: Floats, cut: Floats, odd: Flags, day: int) -> None:
    """Forget what was before, where most of the last days were odd.

    That is no incident, the series has become another: the last days stand for the earlier ones.
    """
    first = max(1, day - RECENT + 1)
    recent = slice(first, day + 1)
    often = (2 * odd[:, recent].sum(axis=1) > min(day, RECENT))[:, None]
    if often.any():
        repeated = np.arange(first) % (day + 1 - first) + first
        cut[:, :first] = np.where(often, raw[:, repeated], cut[:, :first])
        cut[:, recent] = np.where(often, raw[:, recent], cut[:, recent])
        odd[:, recent] &= ~often


def _robust(seen: Floats, weight: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Return mean and mean absolute deviation, drawn to a prior scale, cut above."""
    n = seen.shape[1] - 1
    center = _median(seen)
    apart = _median(np.abs(seen - center))
    few = PRIOR_DAYS / (PRIOR_DAYS + n)
    apart = few * MEDIAN_DEVIATION * scale + (1 - few) * apart
    kept = np.minimum(seen, center + CAP * apart)
    total = weight.sum(axis=1) + FEW  # there may be no day that counts
    mean = ((weight * kept).sum(axis=1) + FEW * center[:, 0]) / total
    deviation = (weight * np.abs(kept - mean[:, None])).sum(axis=1)
    deviation = (deviation + PRIOR_DAYS * MEAN_DEVIATION * scale) / (total + PRIOR_DAYS)
    return mean, deviation


def _median(rows: Floats) -> Floats:
    """Return medians along axis 1, which is kept; of few numbers faster than numpy's."""
    ordered, n = np.sort(rows, axis=1), rows.shape[1]
    return np.asarray((ordered[:, (n - 1) // 2, None] + ordered[:, n // 2, None]) / 2)
