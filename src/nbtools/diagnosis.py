"""Why a slice was judged as it was: what was expected, from what, and how far off it is."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nbtools import accumulation, observations, scoring, seasonality
from nbtools.clocks import Clock, Floats
from nbtools.observations import DEFAULT_SENSITIVITY, Kind, Terms


class Diagnosis(NamedTuple):
    """Why a slice was judged as it was: what was expected, from what, and how far off it is.

    Attributes
    ----------
    observed, expected : float
        Of the sum that is farthest off: the slices' total for counts, their mean for ratios and
        gauges. NaN when the slice was not delivered or nothing is known yet.
    slices : int
        How many slices the sum is over: 1, 2, 4, 16 or 64.
    deviation : float
        Signed, in standard deviations of the series' own errors of such sums.
    threshold : float
        Of the deviation, in the same unit.
    days, weekdays : int
        Earlier days that what is usual rests on, and how many of them are of the same weekday.
    weekday : str
        English name of the local weekday.
    level : float
        Level of the last two hours against the usual one: a factor for counts and ratios, a
        difference for gauges.
    additive : bool
        Whether the level is a difference.
    """

    observed: float
    expected: float
    slices: int
    deviation: float
    threshold: float
    days: int
    weekdays: int
    weekday: str
    level: float
    additive: bool

    def __str__(self) -> str:
        """Return the diagnosis as one English sentence."""
        return self.sentence(lambda x: f"{x:.0f}" if abs(x) >= 1000 else f"{x:.4g}")

    def sentence(self, shown: Callable[[float], str]) -> str:
        """Return the diagnosis as one English sentence.

        Parameters
        ----------
        shown : callable
            Writes a value in its unit.
        """
        if not np.isfinite(self.observed):
            return "Not delivered, or nothing is known of the series yet."
        span = "the slice" if self.slices == 1 else f"the last {self.slices} slices"
        level = f"{self.level:+.4g}" if self.additive else f"times {self.level:.2f}"
        deviation = f"{self.deviation:+.1f}".replace("-", "\N{MINUS SIGN}")
        basis = "the slices before, as there is no full day yet"
        if self.days:
            days = f"{self.days} day{'s' * (self.days > 1)}"
            basis = f"the same time on {days}, {self.weekdays} of them {self.weekday}s"
            basis += f", {level} for the level of the last two hours"
        return (
            f"{shown(self.observed)} in {span}, expected {shown(self.expected)} from {basis}:"
            f" {deviation} standard deviations of its usual errors,"
            f" an alarm from {self.threshold:.1f}."
        )


def diagnose(
    values: ArrayLike,
    *,
    start: datetime,
    step_minutes: int = 15,
    kind: Kind = "count",
    exposure: ArrayLike | None = None,
    sensitivity: float = DEFAULT_SENSITIVITY,
) -> Diagnosis:
    """Say why the last slice of a series was judged as it was.

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
    Diagnosis
        The parts, and as ``str`` the sentence.

    Raises
    ------
    ParameterError
        If an argument is none of the above.
    """
    terms = Terms(start, step_minutes, kind, sensitivity)
    denominators = None if exposure is None else observations.row(exposure, "exposure")
    series = observations.series(observations.row(values, "values"), denominators, terms)
    scored = scoring.score(series, sensitivity)
    when, last = series.when, scored.last
    standard = scored.errors.standard[:, 0, last]
    thresholds = np.where(standard > 0, scored.up[0, -1], scored.down[0, -1])
    strongest = int(np.argmax(np.abs(standard) / thresholds))
    sums = scoring.errors_of(series, scored.past)[strongest]
    span = slice(max(0, last + 1 - sums.scale), last + 1)
    size = series.seen if series.additive else series.size
    per = 1.0 if kind == "count" else float(size[0, span].sum())
    told = bool(series.seen[0, last]) and series.seen.sum() > scoring.SETTLED
    level = accumulation.levels(series, scored.past, accumulation.baseline(series, scored.past))
    return Diagnosis(
        float(sums.observed[0, last] / per) if told else np.nan,
        float(sums.expected[0, last] / per) if told else np.nan,
        sums.scale,
        float(standard[strongest]),
        float(thresholds[strongest]),
        *_basis(when, series.seen, int(when.day[last])),
        float(accumulation.earlier(level.middle, sums.scale)[0, last]),
        series.additive,
    )


def _basis(when: Clock, seen: Floats, today: int) -> tuple[int, int, str]:
    """Return the earlier days, those of the same weekday, and its name."""
    known = when.lay(seen)[0, :today].mean(axis=1) > seasonality.KNOWN
    same = known & (when.weekday[:today] == when.weekday[today])
    return int(known.sum()), int(same.sum()), str(when.times[-1].day_name())
