"""An effect day by day: what a peek would have shown, and whether it wears off.

The interval of a test is right at one look, planned before. Whoever looks every day needs one
that holds at all looks together, a confidence sequence (`sequential`). Whether the effect of a
day changes along the window is a weighted regression of the daily effects on the day.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from nbtools.cells import Sums, sums_of_row
from nbtools.errors import SampleError
from nbtools.inference import Comparison
from nbtools.ratios import delta_ratio
from nbtools.sequential import sequential_ratio

_COLUMNS = ("likes", "views")


class Novelty(NamedTuple):
    """Whether an effect changes along the window.

    Attributes
    ----------
    slope : float
        Change of the difference of CTR a day.
    p_value : float
        Of the hypothesis that there is none.
    """

    slope: float
    p_value: float


def course(
    days: pd.DataFrame, control: int, treatment: int, *, alpha: float = 0.05
) -> pd.DataFrame:
    """Return the effect on the global CTR as it was seen at the end of each day.

    Parameters
    ----------
    days : DataFrame
        From `studies.days`.
    control, treatment : int
        Experiment groups.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    DataFrame
        Indexed by day: ``estimate``, ``lower``, ``upper``, ``always_lower``, ``always_upper``
        of all users up to the day; ``today``, ``today_error`` of the day alone, with its
        standard error. Days on which nothing can be compared are left out.
    """
    rows = {}
    for day, of_day in days.groupby("day"):
        by_group = {
            int(row["exp_group"]): {str(name): int(value) for name, value in row.items()}
            for row in of_day.drop(columns="day").to_dict("records")
        }
        if not {control, treatment} <= set(by_group):
            continue
        try:
            rows[day] = _look([by_group[control], by_group[treatment]], alpha)
        except SampleError:  # too few users yet
            continue
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("day")


def _look(groups: list[dict[str, int]], alpha: float) -> dict[str, float]:
    until = [sums_of_row(group, _COLUMNS) for group in groups]
    fixed = delta_ratio(*until, alpha=alpha)
    always = sequential_ratio(*until, alpha=alpha)
    today = delta_ratio(*(_today(group) for group in groups), alpha=alpha)
    return {
        "estimate": fixed.estimate,
        "lower": fixed.lower,
        "upper": fixed.upper,
        "always_lower": always.lower,
        "always_upper": always.upper,
        "today": today.estimate,
        "today_error": _error(today, alpha),
    }


def _today(group: dict[str, int]) -> Sums:
    """Return the sums of one day, which the statement calls ``..._today``."""
    row = {name.replace("_today", ""): value for name, value in group.items() if "_today" in name}
    return sums_of_row(row, _COLUMNS)


def _error(result: Comparison, alpha: float) -> float:
    return (result.upper - result.lower) / (2 * float(stats.norm.isf(alpha / 2)))


def novelty(found: pd.DataFrame) -> Novelty | None:
    """Return whether the effect of a day changes along the window.

    Parameters
    ----------
    found : DataFrame
        From `course`.

    Returns
    -------
    Novelty or None
        None for fewer than three days.
    """
    if len(found) < 3:
        return None
    # Days that could not be compared leave a gap.
    place = np.array([(day - found.index[0]) / pd.Timedelta(days=1) for day in found.index])
    effect = found["today"].to_numpy(dtype=float)
    weight = 1 / found["today_error"].to_numpy(dtype=float) ** 2
    centred = place - np.average(place, weights=weight)
    information = float((weight * centred**2).sum())
    slope = float((weight * centred * effect).sum()) / information
    # The errors of the days are known, so the normal law applies; the same users come on
    # several days, which makes the days a little alike and the test a little careful.
    p_value = 2 * float(stats.norm.sf(abs(slope) * np.sqrt(information)))
    return Novelty(slope, p_value)


def first_excluding(found: pd.DataFrame, kind: str = "") -> pd.Timestamp | None:
    """Return the first day at whose end an interval excluded no effect.

    Parameters
    ----------
    found : DataFrame
        From `course`.
    kind : {"", "always_"}
        Which interval.
    """
    if found.empty:
        return None
    lower, upper = found[f"{kind}lower"], found[f"{kind}upper"]
    days = found.index[(lower > 0) | (upper < 0)]
    return pd.Timestamp(days[0]) if len(days) else None
