"""What a series usually does at this time of the day and of the week.

Days are laid under each other and a profile of them is kept: one value a slot of the day, a
correction of it for each day of the week, and a level. Weekdays that are alike share their
corrections. All three are updated once a day from the days that are over, so the profile of a day
knows nothing of that day. What lies far from the profile enters clipped, and a day whose level is
far off hardly shapes it: an incident or a holiday is not learned, a new level is, once two days
agree on it.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from nbtools.clocks import Clock, Flags, Floats

MEMORY_DAYS = 20.0  # of the profile: older days fade with this time constant
MEMORY_WEEKS = 6.0  # of what sets the days of the week apart
SPREAD_DAYS = 14  # of the spread of a slot
CLIP = 3.0  # standard deviations; what is farther off counts as that far
NORMAL = 1.2533  # standard deviations in a mean absolute deviation, for normal errors
FEW_WEEKS = 0.15  # of no difference, to which the differences of weekdays are drawn
WEEK = 5.5  # faded days after which every weekday has been seen
ALIKE = 1.5  # times what chance would make of it; weekdays farther apart share less and less
SEEN = 0.5  # weeks, from which on a weekday is known
KNOWN = 0.25  # share of a day that has to be delivered for the day to be learned from
TINY = 1e-12


class Series(NamedTuple):
    """Series of one kind over the same slices, filled up to whole days.

    The arrays have the shape (n_series, n_filled).

    Attributes
    ----------
    observed : ndarray of float
        Counts, numerators or gauge values; 0 where not delivered.
    size : ndarray of float
        Exposure: 1, or the denominators; 0 where not delivered.
    asked : ndarray of float
        As ``size``, but 1 where not delivered: an expectation is wanted there too.
    seen : ndarray of float
        1 where delivered, 0 elsewhere.
    additive : bool
        Whether levels are added (gauges) or multiplied (counts and ratios).
    when : Clock
        The slices' wall clock.
    """

    observed: Floats
    size: Floats
    asked: Floats
    seen: Floats
    additive: bool
    when: Clock

    def some(self, which: slice) -> "Series":
        """Return some of the series."""
        observed, size, asked, seen = (rows[which] for rows in self[:4])
        return Series(observed, size, asked, seen, additive=self.additive, when=self.when)


class Profile(NamedTuple):
    """What the days before lead one to expect, before the level of the last hours.

    Attributes
    ----------
    usual : ndarray of float, shape (n_series, n_slices)
        Expected per unit of exposure.
    spread : ndarray of float, shape (n_series, n_slices)
        Mean absolute deviation from the day's own level, in roots of the expected count or, for
        gauges, in their unit. NaN when there is no day before.
    days : ndarray of float, shape (n_series, n_slices)
        Number of earlier days the profile rests on, faded ones counted less.
    off : ndarray of float, shape (n_series, n_slices)
        What would be usual if the day were like the weekday that is least like the others.
    new : ndarray of bool, shape (n_series, n_slices)
        Whether no earlier day had the time of day or its neighbours.
    """

    usual: Floats
    spread: Floats
    days: Floats
    off: Floats
    new: Flags

    def some(self, which: slice) -> "Profile":
        """Return the profiles of some of the series."""
        usual, spread, days, off = (rows[which] for rows in self[:4])
        return Profile(usual, spread, days, off, self.new[which])


def profile(series: Series) -> Profile:
    """Return the profile of each slice from the days before its own.

    Parameters
    ----------
    series : Series
        The series.

    Returns
    -------
    Profile
        Row per series, column per slice.
    """
    when = series.when
    values, weights = when.lay(series.observed), when.lay(series.size)
    usual, spread = np.empty(values.shape), np.empty(values.shape)
    days, off, slots = (np.empty(values.shape) for _ in range(3))
    state = _Days(len(values), when.slots, additive=series.additive)
    for day, weekday in enumerate(when.weekday):
        usual[:, day], off[:, day] = state.expect(weekday)
        spread[:, day] = state.spread
        days[:, day] = state.n_days
        slots[:, day] = smooth(state.slot_n, state.width)
        if day + 1 < len(when.weekday):
            state.learn(values[:, day], weights[:, day], (usual[:, day], off[:, day]), weekday)
    usual, spread, days, off, slots = (
        when.flat(laid) for laid in (usual, spread, days, off, slots)
    )
    return Profile(usual, spread, days, off, slots == 0)


def smooth(rows: Floats, half_width: int) -> Floats:
    """Return triangular means of neighbouring slots, around midnight."""
    half_width = min(half_width, (rows.shape[-1] - 1) // 2)
    if half_width < 1:
        return rows
    half = np.arange(1, half_width + 2, dtype=np.float64)
    kernel = np.concatenate([half, half[-2::-1]])
    return np.asarray(ndimage.convolve1d(rows, kernel / kernel.sum(), axis=-1, mode="wrap"))


def median(rows: Floats, seen: Flags, empty: float) -> Floats:
    """Return each row's median over what was seen, shape (n_rows, 1)."""
    ordered = np.sort(np.where(seen, rows, np.inf), axis=1)
    n = seen.sum(axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0) // 2, axis=1)
    high = np.take_along_axis(ordered, np.minimum(n // 2, rows.shape[1] - 1), axis=1)
    return np.where(n > 0, (np.where(n > 0, low, 0) + np.where(n > 0, high, 0)) / 2, empty)


class _Days:
    """Profiles of several series, fed day by day."""

    def __init__(self, n_series: int, slots: int, *, additive: bool) -> None:
        flat = (n_series, slots)
        self.additive = additive
        self.neutral = 0.0 if additive else 1.0
        self.width = max(1, round(slots / 48))  # half an hour
        self.top = np.zeros(flat)  # faded sums of what was observed, level and weekday taken out
        self.bottom = np.zeros(flat)  # faded sums of exposure
        self.level = np.full((n_series, 1), self.neutral)
        self.shift = np.zeros((n_series, 1))  # how far the last day's level was off, cut at 1
        self.week = np.zeros((n_series, 7, slots))  # faded sums of the weekdays' deviations
        self.week_n = np.zeros((n_series, 7, slots))
        self.unlike = np.zeros((n_series, 1))  # mean square between a weekday's weeks
        self.unlike_n = np.zeros((n_series, 1))
        self.like = np.zeros(flat)  # what sets the present weekday apart
        self.spread = np.full(flat, np.nan)
        self.n_days = np.zeros((n_series, 1))
        self.slot_n = np.zeros(flat)  # days that had a slot

    def expect(self, weekday: int) -> tuple[Floats, Floats]:
        """Return what is usual on such a day, and on a day off, per unit of exposure."""
        shape = self._shape()
        week = self._alike()
        self.like = week[:, weekday]
        odd = np.argmax(np.abs(week).mean(axis=2), axis=1)
        usual = self._leveled(shape, self.like)
        off = self._leveled(shape, week[np.arange(len(week)), odd])
        return usual, np.where(self.n_days < WEEK, usual, off)

    def _leveled(self, shape: Floats, week: Floats) -> Floats:
        """Return the profile of a weekday at the present level."""
        if self.additive:
            usual = shape + self.level + week
        else:
            usual = np.maximum(shape * self.level * np.exp(week), 1e-9)
        return np.where(self.n_days == 0, self.neutral, usual)

    def learn(
        self, values: Floats, weights: Floats, expected: tuple[Floats, Floats], weekday: int
    ) -> None:
        """Take in a day that is over."""
        seen = weights > 0
        known = seen.mean(axis=1, keepdims=True) > KNOWN
        if not known.any():
            return
        usual, off_day = expected
        own = self._own_level(values, weights, usual)
        clean, off = self._clip(values, weights, usual, own)
        spread = self._new_spread(np.where(seen, off, np.nan_to_num(self.spread, nan=1.0)))
        usable, step = self._shifted(own, spread, known)
        usable = usable * self._ordinary(values, weights, off_day, off)
        if self.additive:
            bare = clean - (self.level + self.like) * weights
        else:
            bare = clean / (self.level * np.exp(self.like))
        self._learn_weekday(clean, usual * weights, spread, usable, weekday)
        fade = np.exp(-1 / MEMORY_DAYS)
        self.top = np.where(known, fade * self.top + usable * bare, self.top)
        self.bottom = np.where(known, fade * self.bottom + usable * weights, self.bottom)
        level = self.level + step if self.additive else self.level * np.exp(step)
        self.level = level if self.additive else np.clip(level, 1e-9, 1e9)
        kept = self.spread + usable * (spread - self.spread)
        self.spread = np.where(known, np.where(np.isnan(kept), spread, kept), self.spread)
        self.n_days = np.where(known, fade * self.n_days + 1, self.n_days)
        self.slot_n = np.where(known, self.slot_n + seen, self.slot_n)

    def _shape(self) -> Floats:
        """Return the profile without level and weekday, smoothed while the days are few."""
        even = self._even(self.width)
        if (self.n_days < 1.5).any():  # of one day alone only the broad shape is to be trusted
            even = np.where(self.n_days < 1.5, self._even(2 * self.width), even)
        prior = 0.05 * self.bottom.mean(axis=1, keepdims=True) + TINY
        rough = (self.top + prior * even) / (self.bottom + prior)
        noise = (NORMAL * self.spread) ** 2 / (self.bottom + prior)
        if not self.additive:
            noise = noise * np.maximum(even, 1e-9)
        # Positive-part James-Stein: how much of the roughness is more than noise.
        apart = ((rough - even) ** 2 / np.maximum(noise, TINY)).mean(axis=1, keepdims=True)
        keep = np.maximum(1 - 1 / np.maximum(apart, TINY), 0.0)
        keep = np.maximum(keep, np.clip((self.n_days - 3) / 10, 0.0, 1.0))
        return np.asarray(even + np.nan_to_num(keep) * (rough - even))

    def _even(self, half_width: int) -> Floats:
        """Return the smoothed profile, drawn a little towards its mean."""
        top, bottom = smooth(np.stack([self.top, self.bottom]), half_width)
        prior = 0.05 * bottom.mean(axis=1, keepdims=True) + TINY
        whole = self.bottom.sum(axis=1, keepdims=True)
        mean = self.top.sum(axis=1, keepdims=True) / np.maximum(whole, TINY)
        return np.asarray((top + prior * mean) / (bottom + prior))

    def _alike(self) -> Floats:
        """Return what sets each day of the week apart, drawn towards nothing.

        Weekdays that differ by no more than one week from the next share what was learned.
        """
        weeks = self.week_n.mean(axis=2)
        mean = self.week / np.maximum(self.week_n, TINY)
        square = np.einsum("nds,nds->nd", mean, mean)
        products = np.matmul(mean, mean.transpose(0, 2, 1))
        apart = (square[:, :, None] + square[:, None] - 2 * products) / mean.shape[2]
        rare = 1 / np.maximum(weeks, SEEN)
        chance = self.unlike[..., None] * (rare[:, :, None] + rare[:, None])
        alike = np.exp(-2 * np.maximum(apart / np.maximum(chance, TINY) - ALIKE, 0.0))
        known = weeks > SEEN
        alike = np.where(known[:, :, None] & known[:, None], alike, 0.0)
        alike = np.maximum(alike, np.eye(7))
        top, bottom = np.matmul(alike, self.week), np.matmul(alike, self.week_n)
        return np.asarray(top / (bottom + FEW_WEEKS))

    def _own_level(self, values: Floats, weights: Floats, usual: Floats) -> Floats:
        """Return the day's level against the profile: the median over parts of the day."""
        n_parts = 12 if values.shape[1] % 12 == 0 else 1
        parts = (len(values), n_parts, values.shape[1] // n_parts)
        usual = usual * weights
        top = (values - usual if self.additive else values).reshape(parts).sum(axis=2)
        bottom = (weights if self.additive else usual).reshape(parts).sum(axis=2)
        seen = bottom > 0
        return median(top / np.where(seen, bottom, 1.0), seen, self.neutral)

    def _clip(
        self, values: Floats, weights: Floats, usual: Floats, own: Floats
    ) -> tuple[Floats, Floats]:
        """Return the day without its outliers, and how far off each slice was."""
        seen = weights > 0
        expected = usual * weights + own * seen if self.additive else usual * own * weights
        unit = np.ones_like(expected) if self.additive else np.sqrt(expected + 1e-9)
        off = np.abs(values - expected) / unit
        fresh = 1.2 * median(off, seen, 0.0)
        limit = np.where(np.isnan(self.spread), fresh, self.spread)
        limit = NORMAL * CLIP * np.maximum(limit, 0.5 * fresh) + 1e-9
        free = np.where(self.n_days == 0, np.inf, limit)
        clean = np.clip(values, expected - free * unit, expected + free * unit)
        return np.where(seen, clean, 0.0), np.minimum(off, limit)

    def _ordinary(self, values: Floats, weights: Floats, off_day: Floats, off: Floats) -> Floats:
        """Return how little the day was like a day off: 1, or a tenth."""
        own = self._own_level(values, weights, off_day)
        _, as_off = self._clip(values, weights, off_day, own)
        seen = weights > 0
        better = (as_off * seen).sum(axis=1) < 0.85 * (off * seen).sum(axis=1)
        return np.where(better, 0.1, 1.0)[:, None]

    def _new_spread(self, off: Floats) -> Floats:
        """Return the spread after a day."""
        rate = np.maximum(1 / (self.n_days + 1), 1 / SPREAD_DAYS)
        wide = smooth(off, 3 * self.width)
        return np.where(np.isnan(self.spread), wide, self.spread + rate * (wide - self.spread))

    def _shifted(self, own: Floats, spread: Floats, known: Flags) -> tuple[Floats, Floats]:
        """Return how usable a day is for the profile, and the step of the level."""
        if self.additive:
            unit = np.maximum(6 * spread.mean(axis=1, keepdims=True), TINY)
            shift = own / unit
        else:
            unit = np.full(own.shape, 0.4)
            shift = np.log(np.maximum(own, 1e-6)) / unit
        shift = np.where(self.n_days == 0, 0.0, shift)
        usable = np.where(known, 1 / (1 + shift**4), 0.0)
        shift = np.clip(shift, -1.0, 1.0)
        agreed = np.sign(shift) * np.minimum(np.abs(shift), np.abs(self.shift))
        agreed = np.where((shift * self.shift > 0) & (self.n_days > 6), agreed, 0.0)
        self.shift = np.where(known, shift, self.shift)
        return usable, np.where(known, unit * (0.6 * agreed + 0.15 * (shift - agreed)), 0.0)

    def _learn_weekday(
        self, clean: Floats, usual: Floats, spread: Floats, usable: Floats, weekday: int
    ) -> None:
        """Take in what sets the day apart from the profile; a weekday's first is taken in full."""
        if self.additive:
            gap = smooth(clean - usual, self.width)
            trust = np.ones_like(gap)
        else:
            near, got = smooth(np.stack([usual, clean]), self.width)
            near = near + TINY
            gap = np.log((got + 0.1) / (near + 0.1))
            noise = (NORMAL * spread) ** 2 / (near * 2 * self.width)
            trust = 0.05 / (0.05 + noise)
        self._learn_unlike(gap, usable, self.week_n[:, weekday])
        gap = gap + self.like
        if not self.additive:
            gap = np.clip(gap, -1.5, 1.5)
        new = (self.week_n[:, weekday] < 0.9) & (usable > 0)
        trust = np.where(self.n_days == 0, 0.0, trust * np.where(new, 1.0, usable))
        fade = np.where(trust > 0, np.exp(-1 / MEMORY_WEEKS), 1.0)
        self.week[:, weekday] = self.week[:, weekday] * fade + trust * gap
        self.week_n[:, weekday] = self.week_n[:, weekday] * fade + trust

    def _learn_unlike(self, gap: Floats, usable: Floats, weeks: Floats) -> None:
        """Take in how much a weekday differs from what it was before."""
        again = np.where(weeks.mean(axis=1, keepdims=True) > SEEN, usable, 0.0)
        self.unlike_n = self.unlike_n * np.exp(-again / MEMORY_DAYS) + again
        square = (gap**2).mean(axis=1, keepdims=True)
        self.unlike = self.unlike + again / np.maximum(self.unlike_n, TINY) * (square - self.unlike)
