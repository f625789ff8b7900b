"""Detectors to compare with: rules of thumb, models of libraries, and one that knows the truth.

Each takes a series and returns a score for every slice from the slices up to it, higher for what
is less expected, NaN where it says nothing; beside it stands the threshold that its authors or
users set. The libraries' models get what a careful user would give them.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from alert_apps import DAY, SLICE_MINUTES, START, Series
from numpy.typing import NDArray
from river import anomaly as river_anomaly
from river import time_series
from scipy import stats
from sklearn.ensemble import IsolationForest

from nbtools.anomaly import detect_all

Real = NDArray[np.float64]

_WEEK = 7 * DAY
_TINY = 1e-9
# Spreads and divisors below one event, or below 0.1 points of CTR, are taken for that, or the
# series of few users would fill any budget of false alarms.
_LEAST = {"count": 1.0, "ratio": 0.001}


class Detector(NamedTuple):
    """A way to score the slices of a series.

    Attributes
    ----------
    score : callable
        Takes a series, returns a score for each slice.
    threshold : float or None
        From where on it is an alarm, as configured; None where a library leaves it to the user.
    """

    score: Callable[[Series], Real]
    threshold: float | None


def ours(series: Series) -> Real:
    """Return the scores of the package's detector with its defaults."""
    found = detect_all(
        series.observed,
        start=START,
        step_minutes=SLICE_MINUTES,
        kind=series.kind,
        exposure=series.exposure,
    )
    return np.asarray(found["score"], dtype=np.float64)


# ---- rules of thumb


def same_slot_iqr(series: Series) -> Real:
    """Return how many interquartile ranges beyond the quartiles of the slot's last 14 days."""
    return _beyond_quartiles(series, _same_slots(series.observed, 14))


def same_slot_sigma(series: Series) -> Real:
    """Return the distance from the mean of the slot's last 14 days, in standard deviations."""
    past = _same_slots(series.observed, 14)
    enough = np.isfinite(past).sum(axis=0) > 6
    mean = np.where(enough, _quietly(np.nanmean, past), np.nan)
    spread = np.maximum(_quietly(np.nanstd, past, ddof=1), _LEAST[series.kind])
    return np.abs(series.observed - mean) / spread


def rolling_iqr(series: Series) -> Real:
    """Return how many interquartile ranges beyond the quartiles of the last five slices."""
    windows = np.lib.stride_tricks.sliding_window_view(series.observed, 5)[:-1]
    past = np.full((5, len(series.observed)), np.nan)
    past[:, 5:] = windows.T
    return _beyond_quartiles(series, past)


def day_ago(series: Series) -> Real:
    """Return the relative change to the same slot of the day before."""
    before = _delayed(series.observed, DAY)
    return np.abs(series.observed - before) / np.maximum(before, _LEAST[series.kind])


def _delayed(values: Real, slices: int) -> Real:
    return np.concatenate([np.full(slices, np.nan), values[:-slices]])


def _same_slots(values: Real, days: int) -> Real:
    return np.stack([_delayed(values, DAY * back) for back in range(1, days + 1)])


def _beyond_quartiles(series: Series, past: Real) -> Real:
    known = np.isfinite(past).sum(axis=0)
    ordered = np.sort(past, axis=0)  # missing ones come last
    low, high = (_quantile(ordered, known, share) for share in (0.25, 0.75))
    beyond = np.maximum(low - series.observed, series.observed - high)
    score = beyond / np.maximum(high - low, _LEAST[series.kind])
    return np.where(known >= min(5, len(past)), score, np.nan)


def _quantile(ordered: Real, known: NDArray[np.int64], share: float) -> Real:
    place = np.maximum(known - 1, 0) * share
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (below, above))
    return low + (high - low) * (place - below)


def _quietly(compute: Callable[..., Real], *given: object, **options: object) -> Real:
    """Return a result over days; a slot without any is not worth a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(compute(*given, axis=0, **options))


# ---- models of libraries


def holt_winters(series: Series) -> Real:
    """Return river's one-step errors by Holt and Winters, in standard deviations of a week."""
    model = time_series.HoltWinters(alpha=0.1, beta=0.001, gamma=0.2, seasonality=DAY)
    errors = np.full(len(series.observed), np.nan)
    for place, value in enumerate(np.sqrt(series.observed).tolist()):
        if place > DAY:
            errors[place] = value - model.forecast(horizon=1)[0]
        if not math.isnan(value):
            model.learn_one(value)
        elif place > DAY:
            model.learn_one(model.forecast(horizon=1)[0])
    known = pd.Series(errors)
    spread = known.rolling(_WEEK, min_periods=DAY).std().shift(1)
    return np.abs(known / spread.clip(lower=_TINY)).to_numpy()


def half_space_trees(series: Series) -> Real:
    """Return the scores of river's half-space trees over value, change and time of day."""
    model = river_anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=DAY, seed=1)
    scores = np.full(len(series.observed), np.nan)
    for place, features in enumerate(_features(series.observed).tolist()):
        if not math.isnan(sum(features)):
            point = dict(enumerate(features))
            scores[place] = model.score_one(point)
            model.learn_one(point)
    return scores


def isolation_forest(series: Series) -> Real:
    """Return the scores of scikit-learn's isolation forest, trained anew every two weeks."""
    features = _features(series.observed)
    known = np.isfinite(features).all(axis=1)
    scores = np.full(len(features), np.nan)
    for start in range(2 * _WEEK, len(features), 2 * _WEEK):
        past = np.flatnonzero(known[:start])[-4 * _WEEK :]
        now = start + np.flatnonzero(known[start : start + 2 * _WEEK])
        model = IsolationForest(n_estimators=50, random_state=1).fit(features[past])
        scores[now] = -model.score_samples(features[now])
    return scores


def _features(values: Real) -> Real:
    """Return, from 0 to 1 or nearly: value, its change to the last one and to a week ago, time."""
    level = pd.Series(values).rolling(_WEEK, min_periods=DAY).quantile(0.95).shift(1).to_numpy()
    share = values / np.maximum(level, _TINY)
    angle = np.arange(len(values)) % DAY / DAY * 2 * np.pi
    columns = [
        share / 2,
        0.5 + (share - _delayed(share, 1)) / 2,
        0.5 + (share - _delayed(share, _WEEK)) / 2,
        (1 + np.sin(angle)) / 2,
        (1 + np.cos(angle)) / 2,
    ]
    return np.clip(np.stack(columns, axis=1), 0, 1)


# ---- the truth


def oracle(series: Series) -> Real:
    """Return the distance from the true mean in true standard deviations, best of three sums.

    It knows all but the draws: season, trend, holidays, bursts, the day's luck. Counts are
    judged by the tails of the negative binomial distribution, ratios by the normal one.
    """
    known = np.isfinite(series.observed)
    values = np.where(known, series.observed, series.mean)
    if series.exposure is None:
        variance = np.maximum(series.spread**2, series.mean * (1 + 1e-6))
        size = series.mean**2 / (variance - series.mean)
        law = stats.nbinom(size, series.mean / variance)
        below, above = stats.norm.ppf(law.cdf(values)), stats.norm.isf(law.sf(values - 1))
        errors = np.where(values < series.mean, below, above)
        errors = np.clip(np.nan_to_num(errors, nan=0.0), -40, 40)
    else:
        errors = (values - series.mean) / series.spread
    errors = np.where(known, errors, 0.0)
    sums = np.cumsum(np.concatenate([[0.0], errors]))
    best = np.abs(errors)
    for width in (2, 4):
        best[width - 1 :] = np.maximum(
            best[width - 1 :], np.abs(sums[width:] - sums[:-width]) / math.sqrt(width)
        )
    return np.where(known, best, np.nan)


OURS, ORACLE = "nbtools", "oracle that knows the true mean"
DETECTORS = {
    OURS: Detector(ours, 1.0),
    "the original: same slot of 14 days, IQR 1.5": Detector(same_slot_iqr, 1.5),
    "same slot of 14 days, three sigma": Detector(same_slot_sigma, 3.0),
    "rolling IQR, n 5, a 4": Detector(rolling_iqr, 4.0),
    "day ago, 30 %": Detector(day_ago, 0.3),
    "Holt and Winters (river), three sigma": Detector(holt_winters, 3.0),
    "half-space trees (river)": Detector(half_space_trees, None),
    "isolation forest (scikit-learn)": Detector(isolation_forest, 0.5),
    ORACLE: Detector(oracle, None),
}
