"""What can be judged: the arguments of the detector, checked, as series over one clock."""

from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nbtools import clocks
from nbtools.clocks import Clock, Floats
from nbtools.errors import ParameterError
from nbtools.seasonality import Series

Kind = Literal["count", "ratio", "gauge"]
KINDS = ("count", "ratio", "gauge")
DEFAULT_SENSITIVITY = 1.0  # false alarms accepted per series in 30 days


class Terms(NamedTuple):
    """How series are to be judged.

    Attributes
    ----------
    start : datetime
        Start of the first slice.
    step_minutes : int
        Length of a slice.
    kind : {"count", "ratio", "gauge"}
        What the values are.
    sensitivity : float or ndarray of float, shape (n_series,)
        False alarms accepted per series in 30 days.
    """

    start: datetime
    step_minutes: int = 15
    kind: Kind = "count"
    sensitivity: float | Floats = DEFAULT_SENSITIVITY


def row(values: ArrayLike, name: str) -> Floats:
    """Return one series as a row.

    Parameters
    ----------
    values : array_like of float, shape (n_slices,)
        The series.
    name : str
        What to call it in a complaint.

    Raises
    ------
    ParameterError
        If it is not a series of numbers.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} holds something that is no number.") from None
    if numbers.ndim != 1:
        raise ParameterError(f"{name} has {numbers.ndim} dimensions, must be one series.")
    return numbers[None, :]


def series(values: Floats, exposure: Floats | None, terms: Terms) -> Series:
    """Return series that can be judged.

    Parameters
    ----------
    values : ndarray of float, shape (n_series, n_slices)
        The series, NaN where not delivered.
    exposure : ndarray of float, shape (n_series, n_slices), or None
        Denominators of ratios.
    terms : Terms
        How they are to be judged.

    Raises
    ------
    ParameterError
        If they cannot be.
    """
    _check(terms)
    _check_values(values, terms.kind)
    _check_exposure(values, terms.kind, exposure)
    when = clocks.clock(terms.start, values.shape[1], terms.step_minutes)
    return _series(values, exposure, when, additive=terms.kind == "gauge")


def _series(values: Floats, exposure: Floats | None, when: Clock, *, additive: bool) -> Series:
    """Return the series with what was not delivered marked."""
    values = when.fill(values)
    size = np.ones_like(values) if exposure is None else when.fill(exposure)
    seen = np.isfinite(values) & (np.nan_to_num(size) > 0)
    asked = np.where(seen, size, 1.0)
    observed = np.where(seen, values, 0.0) * asked
    return Series(observed, asked * seen, asked, seen.astype(np.float64), additive, when)


def _check(terms: Terms) -> None:
    """Raise if the terms are none."""
    if pd.isna(terms.start):
        raise ParameterError(f"start is {terms.start!r}, must be the first slice's date and time.")
    if terms.kind not in KINDS:
        raise ParameterError(f"kind is {terms.kind!r}, must be one of {', '.join(KINDS)}.")
    if terms.step_minutes < 1 or 24 * 60 % terms.step_minutes:
        raise ParameterError(
            f"step_minutes is {terms.step_minutes}, must be a whole divisor of the 1440 of a day."
        )
    asked = np.asarray(terms.sensitivity)
    if not ((asked > 0) & (asked < np.inf)).all():
        raise ParameterError(
            f"sensitivity is {terms.sensitivity}, must be above 0:"
            " the false alarms accepted in 30 days."
        )


def _check_values(values: Floats, kind: str) -> None:
    """Raise if the values cannot be judged."""
    if values.ndim != 2 or values.size == 0:
        raise ParameterError("values is empty, at least the slice to judge is needed.")
    if np.isinf(values).any():
        raise ParameterError("values holds infinity; NaN stands for a slice not delivered.")
    if kind != "gauge" and (values < 0).any():
        raise ParameterError(f"values holds negative numbers: the kind is 'gauge', not {kind!r}.")


def _check_exposure(values: Floats, kind: str, exposure: Floats | None) -> None:
    """Raise if the exposure does not fit the values."""
    if (exposure is None) == (kind == "ratio"):
        raise ParameterError(
            "exposure is missing: a ratio needs its denominators."
            if exposure is None
            else f"exposure is of use for a ratio only, the kind is {kind!r}."
        )
    if exposure is None:
        return
    if exposure.shape != values.shape:
        raise ParameterError(
            f"exposure has {exposure.shape[-1]} slices and values has {values.shape[-1]}."
        )
    if np.isinf(exposure).any() or (exposure < 0).any():
        raise ParameterError("exposure holds infinite or negative numbers.")
