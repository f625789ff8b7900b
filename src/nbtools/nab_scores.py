"""The scoring of the Numenta Anomaly Benchmark.

NAB [1]_ judges a detector by labelled windows in 58 files of metrics. Of a window the earliest
detection counts, the more the earlier it is; every detection outside costs, the less the sooner
it follows a window. One threshold, the best one, holds for all files. The rules here are those
of NAB's sweeper, optimizer and runner; they are proven by the scores that NAB publishes of the
result files in its ``results`` folder.

.. [1] Lavin and Ahmad (2015), "Evaluating Real-time Anomaly Detection Algorithms: the Numenta
   Anomaly Benchmark", ICMLA, https://github.com/numenta/NAB.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Real = NDArray[np.float64]
Whole = NDArray[np.int64]

_PROBATION = 0.15
_PROBATION_ROWS = 5_000
_FAR = 3.0
_HIGHEST = float(np.finfo(np.float64).max)


class Profile(NamedTuple):
    """What a detection, a false one and a missed window weigh.

    Attributes
    ----------
    hit, false, miss : float
        Weights: gained at a window's first row, lost far from any window, lost by a window.
    """

    hit: float
    false: float
    miss: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}


class Window(NamedTuple):
    """Rows of a labelled anomaly, both ends included."""

    first: int
    last: int


class Labelled(NamedTuple):
    """One file of the benchmark.

    Attributes
    ----------
    name : str
        Path below ``data``.
    times : DatetimeIndex
        When the values were measured; with gaps, sometimes twice the same.
    measured : ndarray of float, shape (n_rows,)
        The values.
    windows : tuple of Window
        Where something is anomalous, in order, without overlap.
    """

    name: str
    times: pd.DatetimeIndex
    measured: Real
    windows: tuple[Window, ...]


class Sweep(NamedTuple):
    """Score of the whole benchmark by threshold.

    Attributes
    ----------
    thresholds : ndarray of float, shape (n_thresholds,)
        Falling; a row is detected when its anomaly score is at least the threshold. The first
        one is infinite: nothing is detected.
    scores : ndarray of float, shape (n_thresholds,)
        Sums of weights over all files, not yet normalised.
    """

    thresholds: Real
    scores: Real

    @property
    def best(self) -> tuple[float, float]:
        """The highest threshold with the best score, and that score."""
        place = int(np.argmax(self.scores))
        return float(self.thresholds[place]), float(self.scores[place])

    def at(self, threshold: float) -> float:
        """Return the score at a threshold."""
        return float(self.scores[int((self.thresholds >= threshold).sum()) - 1])


def probation(rows: int) -> int:
    """Return how many first rows are for learning and never scored: 15 %, at most 750.

    Examples
    --------
    >>> probation(4032), probation(22695)
    (604, 750)
    """
    return min(math.floor(_PROBATION * rows), int(_PROBATION * _PROBATION_ROWS))


def row_weights(rows: int, windows: Sequence[Window], profile: Profile) -> Real:
    """Return what a detection in each row is worth, the ``S(t)`` columns of NAB's results.

    Parameters
    ----------
    rows : int
        Length of the file.
    windows : sequence of Window
        In order, without overlap.
    profile : Profile
        The weights.

    Returns
    -------
    ndarray of float, shape (rows,)
        From ``profile.hit`` at the first row of a window to almost 0 at its last one; from
        almost 0 behind a window to ``-profile.false`` at three times its width and before any.
    """
    weights = np.full(rows, -profile.false)
    for window in windows:
        width = window.last - window.first + 1
        inside = np.arange(-width, 0) / width
        weights[window.first : window.last + 1] = (
            profile.hit * _sigmoid(inside) / _sigmoid(np.array([-1.0]))
        )
        # A window of one row has no width to measure by: what follows is far away.
        behind = np.arange(1, rows - window.last) / (width - 1 or 1 / rows)
        weights[window.last + 1 :] = profile.false * _sigmoid(behind)
    return weights


def _sigmoid(position: Real) -> Real:
    near = np.minimum(position, _FAR)
    return np.where(position > _FAR, -1.0, 2 / (1 + np.exp(5 * near)) - 1)


def sweep(files: Iterable[tuple[Labelled, Real]], profile: Profile) -> Sweep:
    """Return the score of the benchmark at every threshold that makes a difference.

    Parameters
    ----------
    files : iterable of (Labelled, ndarray of float)
        Every file with the anomaly score of each of its rows, on any scale; rows without a
        score are never detected.
    profile : Profile
        The weights.

    Returns
    -------
    Sweep
        Thresholds and scores.
    """
    found, changes, start = [], [], 0.0
    for labelled, anomaly in files:
        clean = np.nan_to_num(anomaly, nan=-np.inf, posinf=_HIGHEST, neginf=-np.inf)
        order = np.argsort(-clean, kind="stable")
        order = order[order >= probation(len(clean))]
        change, missed = _changes(order, labelled.windows, len(clean), profile)
        found.append(clean[order])
        changes.append(change)
        start -= profile.miss * missed
    levels = np.concatenate(found) if found else np.empty(0)
    order = np.argsort(-levels, kind="stable")
    order = order[np.isfinite(levels[order])]
    scores = start + np.concatenate([[0.0], np.cumsum(np.concatenate([*changes, []])[order])])
    thresholds = np.concatenate([[np.inf], levels[order]])
    # Rows of one score are detected together: only the sum behind the last of them counts.
    last = np.append(thresholds[1:] != thresholds[:-1], True)
    return Sweep(thresholds[last], scores[last])


def _changes(
    order: Whole, windows: Sequence[Window], rows: int, profile: Profile
) -> tuple[Real, int]:
    """Return by how much each row, in falling order of its score, changes the sum.

    Outside a window by its weight, inside only when it is earlier than all before it. Windows
    that lie wholly in the probationary rows do not count, as in NAB.
    """
    weights = row_weights(rows, windows, profile)
    change, scored = weights[order], 0
    for window in windows:
        inside = np.flatnonzero((order >= window.first) & (order <= window.last))
        if len(inside):
            best = np.maximum.accumulate(np.append(-profile.miss, weights[order[inside]]))
            change[inside] = np.diff(best)
            scored += 1
    return change, scored


def normalise(score: float, windows: int, profile: Profile) -> float:
    """Return a score on NAB's scale: 0 detects nothing, 100 every window at its first row.

    Examples
    --------
    >>> round(normalise(57.66075157860638, 116, PROFILES["standard"]), 2)  # ARTime, published
    74.85
    """
    nothing = -profile.miss * windows
    return 100 * (score - nothing) / (profile.hit * windows - nothing)


class Result(NamedTuple):
    """A detector's normalised score under one profile, and the threshold it was made with."""

    threshold: float
    score: float


def score_all(
    files: Sequence[tuple[Labelled, Real]], thresholds: dict[str, float] | None = None
) -> dict[str, Result]:
    """Return the normalised scores under each profile.

    Parameters
    ----------
    files : sequence of (Labelled, ndarray of float)
        All files with the rows' anomaly scores.
    thresholds : dict of str to float, optional
        Threshold by profile; by default the best one.

    Returns
    -------
    dict of str to Result
        By profile.
    """
    windows = sum(len(labelled.windows) for labelled, _ in files)
    results = {}
    for name, profile in PROFILES.items():
        swept = sweep(files, profile)
        threshold, score = swept.best
        if thresholds is not None:
            threshold = thresholds[name]
            score = swept.at(threshold)
        results[name] = Result(threshold, normalise(score, windows, profile))
    return results


def cool_down(times: pd.DatetimeIndex, anomaly: Real, hours: float) -> Real:
    """Return anomaly scores with repeats taken out: of each stretch only what exceeds it.

    An episode is one alarm to a person, but a row each to NAB. A score stays where no row of the
    hours before has the same or a higher one, and is 0 elsewhere; nothing looks ahead.

    Parameters
    ----------
    times : DatetimeIndex
        Of the rows, in order.
    anomaly : ndarray of float, shape (n_rows,)
        Scores, not negative; NaN where there is none.
    hours : float
        How far a row looks back; 0 changes nothing.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        Scores.

    Examples
    --------
    >>> times = pd.date_range("2020-01-01", periods=4, freq="h")
    >>> cool_down(times, np.array([2.0, 1.0, 3.0, 3.0]), 2)
    array([2., 0., 3., 0.])
    """
    if not hours:
        return anomaly
    # Where clocks were set back, time stands still instead.
    index = pd.DatetimeIndex(np.maximum.accumulate(times.to_numpy()))
    scores = pd.Series(anomaly, index=index).fillna(0.0)
    before = scores.rolling(pd.Timedelta(hours=hours), closed="left").max().fillna(-np.inf)
    return np.where(scores > before, scores, 0.0)
