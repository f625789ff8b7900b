"""Whether the newest value of a series is anomalous, judged by the series' own past.

Four questions, a module each: what is usual at this time (``seasonality``); what the level of the
last hours makes of it, for one slice and for sums of several (``accumulation``); how large this
series' errors are (``noise``); and how large the largest error of a day is (``extremes``). The
threshold is set so that a day without an incident exceeds it as rarely as asked.

Nothing here knows of databases or messages: arrays in, verdicts out. See ``alerts`` in the book's
methods for the formulae.
"""

from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nbtools import observations, scoring
from nbtools.clocks import Flags, Floats
from nbtools.observations import DEFAULT_SENSITIVITY, Kind, Terms
from nbtools.scoring import Scored


class Verdict(NamedTuple):
    """What is to be said of one slice.

    Attributes
    ----------
    anomalous : bool
        Whether ``score`` is at least 1.
    expected : float
        Expected value, in the unit of the values. NaN when nothing is known yet.
    lower, upper : float
        A value outside is anomalous by itself; a value inside can be the latest of several that
        together are. NaN when nothing is known yet.
    score : float
        Distance in units of the alarm threshold, at least 0: 1 is on it. Inside an episode what
        is no worse than the hours before stays just above 1.
    """

    anomalous: bool
    expected: float
    lower: float
    upper: float
    score: float


class Judged(NamedTuple):
    """Judged of many series, arrays of shape (n_series, n_slices), see :class:`Verdict`."""

    anomalous: Flags
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats


def detect(
    values: ArrayLike,
    *,
    start: datetime,
    step_minutes: int = 15,
    kind: Kind = "count",
    exposure: ArrayLike | None = None,
    sensitivity: float = DEFAULT_SENSITIVITY,
) -> Verdict:
    """Judge the last slice of a series.

    Parameters
    ----------
    values : array_like of float, shape (n_slices,)
        History without gaps up to and including the slice to judge; NaN where a slice was not
        delivered. Four weeks are enough; weekdays are known after one.
    start : datetime
        Start of the first slice. With a time zone seasons follow its wall clock.
    step_minutes : int
        Length of a slice in minutes, a divisor of 1440.
    kind : {"count", "ratio", "gauge"}
        A number of events, a ratio of two such numbers, or any other real value.
    exposure : array_like of float, shape (n_slices,), optional
        Denominators of a ratio, required for it.
    sensitivity : float
        False alarms accepted per series in 30 days.

    Returns
    -------
    Verdict
        The same as the last row of :func:`detect_all`.

    Raises
    ------
    ParameterError
        If an argument is none of the above.
    """
    scored = _one(values, exposure, Terms(start, step_minutes, kind, sensitivity))
    rows = [np.asarray(rows)[0, 0] for rows in _judged(scored, slice(-1, None))]
    return Verdict(bool(rows[0]), *(float(number) for number in rows[1:]))


def detect_all(
    values: ArrayLike,
    *,
    start: datetime,
    step_minutes: int = 15,
    kind: Kind = "count",
    exposure: ArrayLike | None = None,
    sensitivity: float = DEFAULT_SENSITIVITY,
) -> pd.DataFrame:
    """Judge every slice of a series from the slices up to it alone.

    Parameters
    ----------
    values : array_like of float, shape (n_slices,)
        As in :func:`detect`.
    start : datetime
        As in :func:`detect`.
    step_minutes : int
        As in :func:`detect`.
    kind : {"count", "ratio", "gauge"}
        As in :func:`detect`.
    exposure : array_like of float, shape (n_slices,), optional
        As in :func:`detect`.
    sensitivity : float
        As in :func:`detect`.

    Returns
    -------
    DataFrame
        Columns ``anomalous``, ``expected``, ``lower``, ``upper`` and ``score``, indexed by the
        starts of the slices.

    Raises
    ------
    ParameterError
        If an argument is none of the above.
    """
    scored = _one(values, exposure, Terms(start, step_minutes, kind, sensitivity))
    columns = zip(Judged._fields, _judged(scored, slice(None)), strict=True)
    return pd.DataFrame({name: rows[0] for name, rows in columns}, index=scored.series.when.times)


def judge(
    values: Floats, exposure: Floats | None, terms: Terms, *, last: int | None = None
) -> Judged:
    """Judge every slice of many series of one kind at once, or only the last ones.

    Parameters
    ----------
    values : ndarray of float, shape (n_series, n_slices)
        As in :func:`detect`, a row a series.
    exposure : ndarray of float, shape (n_series, n_slices), or None
        As in :func:`detect`.
    terms : Terms
        How the series are to be judged.
    last : int, optional
        How many of the last slices to judge, which takes half the time; all by default.

    Returns
    -------
    Judged
        Each slice from the slices up to it alone.

    Raises
    ------
    ParameterError
        If an argument is none of the above.
    """
    which = slice(None if last is None else -last, None)
    return _judged(_many(values, exposure, terms), which)


def _one(values: ArrayLike, exposure: ArrayLike | None, terms: Terms) -> Scored:
    """Return the scores of one series."""
    denominators = None if exposure is None else observations.row(exposure, "exposure")
    return _many(observations.row(values, "values"), denominators, terms)


def _many(values: Floats, exposure: Floats | None, terms: Terms) -> Scored:
    """Return the scores of many series."""
    series = observations.series(values, exposure, terms)
    return scoring.score(series, terms.sensitivity)


def _judged(scored: Scored, which: slice) -> Judged:
    """Return the verdicts of some slices."""
    bands = scoring.bands(scored, which)
    return Judged(bands.score >= 1, *bands)
