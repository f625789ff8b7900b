"""When a daily series left its course: odd days, and days from which on it was another.

The series, on a logarithmic scale and without its cycle, is divided into straight lines of a
week or more and single odd days, so that the squared errors, in units of the noise, plus a
penalty a piece are least. The search over all divisions is exact (optimal partitioning: Jackson
et al., IEEE Signal Process. Lett. 12, 2005), the penalty is Schwarz's, the logarithm of the
number of days for each number that a piece needs (Yao, Stat. Probab. Lett. 6, 1988). A mere
change of slope is no finding, only a jump is.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_SHORTEST = 7  # days of a line
_LINE, _ODD = 3, 2  # numbers that a piece needs: place, level and slope; place and level
_LEAST = 0.10  # relative change worth telling
_SIGMAS = 4.0
_QUIETEST = 0.005  # standard deviation of a day beyond that of counting
Floats = NDArray[np.float64]


class Break(NamedTuple):
    """A day on which a series left its course.

    Attributes
    ----------
    day : datetime.date
        The first day.
    days : int
        For how many days; 0 if from then on, up to the end of the series at least.
    change : float
        Relative change against the course before: 0.5 is half more.
    """

    day: date
    days: int
    change: float


def find(series: pd.Series, *, cycle: int = 7) -> list[Break]:
    """Return when a series left its course, in the order of time.

    Parameters
    ----------
    series : Series
        Counts by day, without gaps in its index; days without a number are left out.
    cycle : int
        Days after which the series repeats itself.

    Returns
    -------
    list of Break
        None of a series shorter than three weeks.
    """
    known = series.dropna()
    if len(known) < 3 * _SHORTEST:
        return []
    counts = np.maximum(known.to_numpy(dtype=float), 0.5)
    y = _level(np.log(counts), cycle)
    # Of a logarithm of a count, counting alone has the variance 1 / count.
    own = max(_noise(y) ** 2 - float(np.median(1 / counts)), _QUIETEST**2)
    weights = 1 / (own + 1 / counts)
    sums = _Sums(y, weights)
    pieces = _divide(sums, len(y))
    found = _jumps(pieces, sums, y, weights)
    return [Break(known.index[at].date(), days, float(np.expm1(jump))) for at, days, jump in found]


def _level(y: Floats, cycle: int) -> Floats:
    """Return the series without its cycle."""
    if cycle < 2 or len(y) < 3 * cycle:
        return y
    running = pd.Series(y).rolling(2 * cycle + 1, center=True, min_periods=cycle).median()
    rest = y - running.to_numpy()
    levels = np.array([np.median(rest[place::cycle]) for place in range(cycle)])
    return np.asarray(y - np.resize(levels - levels.mean(), len(y)), dtype=float)


def _noise(y: Floats) -> float:
    """Return the standard deviation of a day, from how far days lie off their neighbours."""
    off = y[1:-1] - (y[:-2] + y[2:]) / 2
    return float(1.4826 * np.median(np.abs(off)) / np.sqrt(1.5))


class _Sums:
    """Weighted sums up to each day, from which the line through any days follows."""

    def __init__(self, y: Floats, weights: Floats) -> None:
        at = np.arange(len(y), dtype=float)
        terms = (
            weights,
            weights * at,
            weights * at**2,
            weights * y,
            weights * at * y,
            weights * y**2,
        )
        self._sums = np.array([np.concatenate([[0.0], np.cumsum(term)]) for term in terms])

    def line(self, first: NDArray[np.int64] | int, end: int) -> tuple[Floats, Floats, Floats]:
        """Return level at day 0, slope and squared error of the lines from ``first`` to ``end``."""
        one, x, xx, y, xy, yy = self._sums[:, end][:, None] - self._sums[:, np.atleast_1d(first)]
        spread = xx - x**2 / one
        slope = (xy - x * y / one) / spread
        return (y - slope * x) / one, slope, yy - y**2 / one - slope**2 * spread


def _divide(sums: _Sums, length: int) -> list[tuple[int, int]]:
    """Return the pieces, first day and end (excluded); those of one day are odd."""
    penalty = np.log(length)
    best = np.full(length + 1, np.inf)
    best[0], start = 0.0, np.zeros(length + 1, dtype=np.int64)
    for end in range(1, length + 1):
        start[end], best[end] = end - 1, best[end - 1] + _ODD * penalty
        if end >= _SHORTEST:
            firsts = np.arange(end - _SHORTEST + 1)
            costs = best[firsts] + sums.line(firsts, end)[2] + _LINE * penalty
            if costs.min() < best[end]:
                start[end], best[end] = costs.argmin(), costs.min()
    pieces, end = [], length
    while end:
        pieces.append((int(start[end]), end))
        end = int(start[end])
    return pieces[::-1]


def _jumps(
    pieces: list[tuple[int, int]], sums: _Sums, y: Floats, weights: Floats
) -> list[tuple[int, int, float]]:
    """Return day, days and logarithm of the change of each jump that is large enough."""
    lines = [piece for piece in pieces if piece[1] - piece[0] > 1]
    found: list[tuple[int, int, float]] = []
    for k, (first, end) in enumerate(lines):
        level, slope, _ = (float(part[0]) for part in sums.line(first, end))
        after = lines[k + 1] if k + 1 < len(lines) else (len(y), len(y))
        odd = np.arange(end, after[0])
        found += _runs(odd, y[odd] - level - slope * odd, weights, ends=after[0] < len(y))
        if after[0] < len(y):
            there, rise, _ = (float(part[0]) for part in sums.line(*after))
            # Where they meet: odd days between them belong to neither.
            at = (end + after[0]) / 2
            jump = there + rise * at - level - slope * at
            # The end of a line through n days has four times the variance of a day, over n.
            error = 4 / weights[first:end].sum() + 4 / weights[slice(*after)].sum()
            launch = first == 0 and end < 2 * _SHORTEST
            found += [(after[0], 0, jump)] if _large(jump, 1 / error) and not launch else []
    return found


def _runs(
    odd: NDArray[np.int64], jumps: Floats, weights: Floats, *, ends: bool
) -> list[tuple[int, int, float]]:
    """Return the odd days that are far off, those in a row and to the same side as one."""
    runs: list[list[int]] = []
    for place, (at, jump) in enumerate(zip(odd, jumps, strict=True)):
        if not _large(jump, weights[at]):
            continue
        if runs and runs[-1][-1] == place - 1 and jump * jumps[place - 1] > 0:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [
        # What has not ended by the last day may go on.
        (int(odd[run[0]]), len(run) if ends or run[-1] < len(odd) - 1 else 0, jumps[run].mean())
        for run in runs
    ]


def _large(jump: float, weight: float) -> bool:
    return bool(abs(jump) > max(np.log1p(_LEAST), _SIGMAS / weight**0.5))
