"""What the detector is made of, each part by itself."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from nbtools import accumulation, clocks, dayoff, extremes, seasonality
from nbtools.seasonality import Profile, Series

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2023, 1, 2)  # noqa: DTZ001 -- the app's own time
Floats = NDArray[np.float64]


def test_a_level_is_exceeded_as_often_as_asked() -> None:
    rng = np.random.default_rng(1)
    peaks = rng.gumbel(2.4, 0.36, (400, 80, 1))
    level = extremes.exceeded(
        peaks, np.ones((400, 80)), np.array([1 / 30]), (np.array([2.4]), 0.36), np.array([1.0])
    )
    late = slice(40, None)
    assert (peaks[:, late] > level[:, late]).mean() == pytest.approx(1 / 30, rel=0.3)
    # By hand: the Gumbel distribution's 29/30 quantile, 2.4 - 0.36 log(1/30).
    assert level[:, late].mean() == pytest.approx(2.4 + 0.36 * np.log(30), rel=0.03)


def test_one_incident_hardly_moves_a_level_and_a_new_habit_does() -> None:
    rng = np.random.default_rng(2)
    peaks = rng.gumbel(2.4, 0.36, (1, 60, 1))
    prior, power = (np.array([2.4]), 0.36), np.array([1.5])
    once, often = peaks.copy(), peaks.copy()
    once[:, 30] = 100
    often[:, 30:] += 30

    def level(rows: Floats) -> Floats:
        return np.asarray(
            extremes.exceeded(rows, np.ones((1, 60)), np.array([1 / 30]), prior, power)[0, :, 0]
        )

    assert level(once)[31:] == pytest.approx(level(peaks)[31:], rel=0.1)
    assert level(often)[31] < 5
    assert level(often)[36] > 30


def test_each_series_and_each_column_has_its_own_rate() -> None:
    rng = np.random.default_rng(4)
    peaks = np.repeat(rng.gumbel(2.4, 0.36, (200, 80, 1)), 2, axis=2)
    rates = np.array([1 / 10, 1 / 100])
    prior = (np.array([2.4, 2.4]), 0.36)
    level = extremes.exceeded(peaks, np.ones((200, 80)), rates, prior, np.ones(2))[:, 40:]
    # By hand: quantiles of the same Gumbel distribution lie 0.36 log(10) apart.
    assert (level[..., 1] - level[..., 0]).mean() == pytest.approx(0.36 * np.log(10), rel=0.1)
    each = np.tile(rates, (200, 1))
    each[100:] = rates[::-1]
    found = extremes.exceeded(peaks, np.ones((200, 80)), each, prior, np.ones(2))[:, 40:]
    assert np.allclose(found[:100], level[:100])
    assert np.allclose(found[100:], level[100:, :, ::-1])


def test_sums_are_of_up_to_two_thirds_of_a_day() -> None:
    assert accumulation.scales(96) == [1, 2, 4, 16, 64]
    assert accumulation.scales(24) == [1, 2, 4, 16]
    assert accumulation.scales(1) == [1]


def _usual_of_weeks(mean: Floats, seed: int) -> Floats:
    """Return what is usual on the last week of counts with a mean."""
    when = clocks.clock(MONDAY, mean.size, 15)
    values = np.random.default_rng(seed).poisson(mean).astype(np.float64)[None, :]
    ones = np.ones_like(values)
    past = seasonality.profile(Series(values, ones, ones, ones, additive=False, when=when))
    return np.asarray(past.usual[0, -7 * 96 :])


def test_weekdays_that_are_alike_share_what_they_learn_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mean = np.full(35 * 96, 50.0)
    mean[np.arange(mean.size) // 96 % 7 == 2] = 30.0  # Wednesdays
    last = mean[-7 * 96 :]
    shared = [_usual_of_weeks(mean, seed) for seed in range(4)]
    monkeypatch.setattr(seasonality, "ALIKE", -1e9)  # nobody shares
    alone = [_usual_of_weeks(mean, seed) for seed in range(4)]
    wednesday = slice(2 * 96, 3 * 96)
    assert np.mean(shared, axis=0)[wednesday].mean() == pytest.approx(30, rel=0.05)

    def error(found: list[Floats]) -> float:
        return float(np.square(np.log(found) - np.log(last)).mean())

    assert error(shared) < 0.8 * error(alone)


def test_levels_near_those_of_normal_errors_become_theirs() -> None:
    normal = np.array([4.0, 4.0, 4.0])
    drawn = extremes.drawn(np.array([4.4, 8.0, 3.0]), normal)
    assert drawn == pytest.approx([4.0, 8 * np.exp(-0.15), 3 * np.exp(0.15)])


def test_deviations_are_near_normal_and_bounds_are_their_inverse() -> None:
    # By hand: y = 0 of m = 8 is sqrt(2 * 8) = 4; y = 8 log 2 and so on.
    zero, mean = np.array([0.0, 16.0]), np.array([8.0, 8.0])
    expected = [-4.0, np.sqrt(2 * (16 * np.log(2) - 8))]
    assert accumulation.deviations(zero, mean) == pytest.approx(expected)
    means = np.array([0.5, 3.0, 40.0, 5000.0])
    reach = np.array([1.0, 2.0, 3.0, 4.0])
    low, high = accumulation.bounds(means, reach, reach)
    assert accumulation.deviations(high, means) == pytest.approx(reach)
    inside = low > 0
    assert accumulation.deviations(low, means)[inside] == pytest.approx(-reach[inside])
    assert low[0] == 0
    assert accumulation.deviations(np.zeros(1), means[:1])[0] >= -1.0


def test_a_clock_knows_days_of_23_and_25_hours() -> None:
    spring = clocks.clock(datetime(2023, 3, 26, 0, 30, tzinfo=BERLIN), 200, 15)
    hours = spring.slot[spring.day == 0] // 4
    assert 2 not in hours
    assert not spring.even
    autumn = clocks.clock(datetime(2023, 10, 28, 12, tzinfo=BERLIN), 300, 15)
    assert (autumn.slot[autumn.day == 1] // 4 == 2).sum() == 8
    assert list(autumn.weekday[:3]) == [5, 6, 0]


@pytest.mark.parametrize(
    "start", [MONDAY.replace(hour=7, minute=20), datetime(2023, 3, 20, tzinfo=BERLIN)]
)
def test_laying_days_out_and_back_changes_nothing(start: datetime) -> None:
    when = clocks.clock(start, 1000, 15)
    rows = when.fill(np.arange(1000.0)[None, :])
    assert rows.shape[1] % 96 == 0
    assert list(when.flat(when.lay(rows))[0, when.before :][:1000]) == list(range(1000))


def test_a_day_off_is_recognised_by_its_morning_and_a_drop_after_one_is_not() -> None:
    when = clocks.clock(MONDAY, 96, 15)
    shape = np.full((1, 96), 100.0)
    ones = np.ones_like(shape)
    past = Profile(shape, 1.0 * ones, 20.0 * ones, 0.7 * shape, ones == 0)

    def usual(observed: Floats) -> Floats:
        series = Series(observed, ones, ones, ones, additive=False, when=when)
        return np.asarray(dayoff.recognised(series, past).usual[0])

    assert usual(0.7 * shape)[20] == 70
    assert usual(0.7 * shape)[0] == 100
    late = shape.copy()
    late[:, 48:] *= 0.7
    assert (usual(late)[:52] == 100).all()
    assert (usual(0.4 * shape) == 100).all()


def test_the_median_leaves_out_what_was_not_seen() -> None:
    rows = np.array([[5.0, 1.0, 9.0, 7.0], [1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    seen = np.array([[True, True, False, True], [True] * 4, [False] * 4])
    assert list(seasonality.median(rows, seen, 0.5)[:, 0]) == [5.0, 2.5, 0.5]
