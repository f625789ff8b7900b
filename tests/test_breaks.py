"""Days on which a series left its course: found where they were put, and nowhere else."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from nbtools import breaks
from nbtools.breaks import Break

FIRST = date(2023, 1, 1)
DAYS = pd.date_range(FIRST, periods=84, unit="s")


def course(*, seed: int = 0, level: float = 1000.0, growth: float = 0.01) -> pd.Series:
    """Return a growing series with a weekly rhythm and noise."""
    rng = np.random.default_rng(seed)
    at = np.arange(len(DAYS))
    week = np.resize([1.0, 1.02, 1.01, 1.0, 0.97, 0.93, 0.95], len(DAYS))
    return pd.Series(rng.poisson(level * np.exp(growth * at) * week), DAYS, dtype=float)


def times(series: pd.Series, first: int, end: int, factor: float) -> pd.Series:
    changed = series.copy()
    changed.iloc[first:end] = (changed.iloc[first:end] * factor).round()
    return changed


@pytest.mark.parametrize("growth", [0.0, 0.02, -0.01])
@pytest.mark.parametrize("level", [50.0, 1000.0, 20000.0])
def test_growth_a_rhythm_and_noise_hardly_ever_give_a_finding(growth: float, level: float) -> None:
    # About one history in a hundred does, see the method's page.
    series = [course(seed=seed, growth=growth, level=level) for seed in range(40)]
    assert sum(bool(breaks.find(one)) for one in series) <= 2


@pytest.mark.parametrize("place", [20, 41, 60])
@pytest.mark.parametrize("factor", [0.75, 1.4, 3.0])
def test_an_odd_day_is_found_with_its_size(place: int, factor: float) -> None:
    (found,) = breaks.find(times(course(), place, place + 1, factor))
    assert (found.day, found.days) == (FIRST + timedelta(place), 1)
    assert found.change == pytest.approx(factor - 1, abs=0.15 * factor)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.5])
def test_a_lasting_change_is_found_on_its_day(factor: float) -> None:
    (found,) = breaks.find(times(course(), 50, 84, factor))
    assert (found.day, found.days) == (FIRST + timedelta(50), 0)
    assert found.change == pytest.approx(factor - 1, abs=0.1)


def test_some_odd_days_in_a_row_are_one_finding() -> None:
    (found,) = breaks.find(times(course(), 30, 33, 1.6))
    assert (found.day, found.days) == (FIRST + timedelta(30), 3)


def test_of_the_last_days_nobody_knows_how_long_it_lasts() -> None:
    series = times(course(), 82, 84, 0.6)
    (found,) = breaks.find(series)
    assert (found.day, found.days) == (FIRST + timedelta(82), 0)
    ended = times(course(), 80, 81, 3.0)
    assert [one.days for one in breaks.find(ended)] == [1]


def test_a_cycle_of_three_days_hides_nothing() -> None:
    cycle = pd.Series(np.resize([1.5, 1.0, 0.9], len(DAYS)), DAYS)
    series = (course() * cycle).round()
    assert breaks.find(series, cycle=3) == []
    (found,) = breaks.find(times(series, 40, 41, 2.0), cycle=3)
    assert found.day == FIRST + timedelta(40)


def test_small_counts_are_given_their_noise() -> None:
    few = pd.Series(np.random.default_rng(1).poisson(6, 84), DAYS, dtype=float)
    assert breaks.find(few) == []


def test_too_short_empty_and_constant_series_have_no_findings() -> None:
    assert breaks.find(course().iloc[:20]) == []
    assert breaks.find(pd.Series(np.nan, DAYS)) == []
    assert breaks.find(pd.Series(0.0, DAYS)) == []
    assert breaks.find(pd.Series(5.0, DAYS)) == []


def test_days_without_a_number_are_left_out() -> None:
    series = times(course(), 40, 41, 2.0)
    series.iloc[[10, 39, 55]] = np.nan
    (found,) = breaks.find(series)
    assert isinstance(found, Break)
    assert found.day == FIRST + timedelta(40)
