"""The detector: what it sees, what it leaves alone, and that it never looks ahead."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from nbtools import anomaly, diagnosis
from nbtools.errors import ParameterError
from nbtools.observations import Kind, Terms

MONDAY = datetime(2023, 1, 2)  # noqa: DTZ001 -- the app's own time
DAY = 96
Floats = NDArray[np.float64]


def season(days: int, level: float = 300.0) -> Floats:
    """Return the mean of a count with a day and a week in it."""
    at = np.arange(days * DAY)
    day = np.exp(0.8 * np.sin(2 * np.pi * at / DAY - 2))
    return level * day * np.where(at // DAY % 7 >= 5, 0.7, 1.0)


def counts(mean: Floats, seed: int = 1, shape: float = 900.0) -> Floats:
    """Return counts that vary by a thirtieth more than Poisson's."""
    rng = np.random.default_rng(seed)
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, mean.shape)).astype(np.float64)


MONTH = counts(season(35))
# The slice that is changed: a Wednesday at 15:00, after four weeks.
AT = 30 * DAY + 60


def same(one: anomaly.Verdict, row: "pd.Series[float]") -> bool:
    return np.allclose(
        np.array(one, dtype=np.float64), row.to_numpy(np.float64), rtol=1e-6, equal_nan=True
    )


def _noise(n: int) -> Floats:
    return np.random.default_rng(4).normal(0, 2, n)


def _onsets(anomalous: "pd.Series[bool]") -> int:
    flags = anomalous.to_numpy(dtype=bool)
    return int((flags[1:] & ~flags[:-1]).sum())


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("count", MONDAY),
        ("count", datetime(2023, 3, 13, 7, 20, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("ratio", datetime(2023, 10, 16, 23, 45, tzinfo=ZoneInfo("Europe/Berlin"))),
        ("gauge", datetime(2023, 1, 2, tzinfo=UTC)),
    ],
)
def test_every_row_of_a_history_is_the_verdict_of_the_slices_up_to_it(
    kind: Kind, start: datetime
) -> None:
    values = MONTH[: 16 * DAY].copy()
    values[3 * DAY : 3 * DAY + 9] = np.nan
    values[-2 * DAY : -2 * DAY + 20] *= 0.3
    exposure = None
    if kind == "ratio":
        exposure = values * 5
        values = counts(season(16, 60.0), 2) / exposure
    rows = anomaly.detect_all(values, start=start, kind=kind, exposure=exposure)
    cuts = [1, 2, 14, 50, 95, 96, 97, 200, 3 * DAY + 4, 700, *range(14 * DAY - 3, 14 * DAY + 30, 4)]
    for n in [*cuts, len(values)]:
        known = None if exposure is None else exposure[:n]
        one = anomaly.detect(values[:n], start=start, kind=kind, exposure=known)
        assert same(one, rows.iloc[n - 1]), n


def test_a_matrix_is_judged_as_its_rows_are() -> None:
    young = np.concatenate([np.full(33 * DAY, np.nan), MONTH[: 2 * DAY]])
    table = np.stack([MONTH, young, np.zeros_like(MONTH)])
    judged = anomaly.judge(table, None, Terms(MONDAY))
    newest = anomaly.judge(table, None, Terms(MONDAY), last=5)
    for row, values in enumerate(table):
        alone = anomaly.detect_all(values, start=MONDAY)
        assert np.allclose(judged.score[row], alone["score"], rtol=1e-6)
        assert newest.score.shape == (len(table), 5)
        for name, found in zip(newest._fields, newest, strict=True):
            assert np.allclose(found[row], alone[name].iloc[-5:], rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.6])
def test_an_outage_a_halving_and_a_spike_are_seen_in_their_first_slice(factor: float) -> None:
    values = MONTH[: AT + 1].copy()
    values[AT] = np.round(values[AT] * factor)
    verdict = anomaly.detect(values, start=MONDAY)
    assert verdict.anomalous
    assert verdict.score >= 1
    assert not verdict.lower <= values[AT] <= verdict.upper
    assert verdict.expected == pytest.approx(season(35)[AT], rel=0.1)


def test_a_drop_of_a_fifth_is_seen_within_four_slices() -> None:
    values = MONTH.copy()
    values[AT : AT + 20] *= 0.8
    assert anomaly.detect_all(values, start=MONDAY)["anomalous"][AT : AT + 4].any()


def test_a_leak_is_seen_by_accumulation_while_every_slice_is_within_its_bounds() -> None:
    values = MONTH.copy()
    values[AT : AT + 48] *= np.linspace(1, 0.5, 48)
    rows = anomaly.detect_all(values, start=MONDAY)[AT : AT + 48]
    first = int(np.argmax(rows["anomalous"]))
    assert rows["anomalous"].any()
    assert values[AT + first] > rows["lower"].iloc[first]
    told = diagnosis.diagnose(values[: AT + first + 1], start=MONDAY)
    assert told.slices > 1
    assert told.deviation < -told.threshold


def test_a_leak_of_a_day_is_mostly_seen_in_a_small_series() -> None:
    leaking = slice(AT, AT + DAY)
    table = np.stack([counts(season(35, 40.0), seed) for seed in range(12)])
    for seed, values in enumerate(table):
        events = values[leaking].astype(np.int64)
        kept = np.linspace(1, 0.5, DAY)
        values[leaking] = np.random.default_rng((seed, 1)).binomial(events, kept)
    found = anomaly.judge(table, None, Terms(MONDAY)).anomalous[:, leaking]
    assert found.any(axis=1).mean() >= 0.5


def test_a_drop_is_told_earlier_than_a_rise_as_far_off_but_not_of_a_gauge() -> None:
    rows = anomaly.detect_all(MONTH, start=MONDAY).iloc[AT]
    # In standard deviations of Poisson, since bounds of counts are not symmetric.
    below, above = 2 * np.sqrt(rows["expected"]) - 2 * np.sqrt([rows["lower"], rows["upper"]])
    assert -above > 1.08 * below
    gauge = anomaly.detect_all(50 + _noise(len(MONTH)), start=MONDAY, kind="gauge").iloc[AT]
    ratio = (gauge["upper"] - gauge["expected"]) / (gauge["expected"] - gauge["lower"])
    assert ratio == pytest.approx(1, abs=0.1)


def test_a_ctr_that_falls_while_views_do_not_is_seen() -> None:
    rng = np.random.default_rng(5)
    views = counts(season(35), 6)
    ctr = np.where(np.arange(len(views)) >= AT, 0.14, 0.2)
    values = rng.binomial(views.astype(np.int64), ctr) / views
    rows = anomaly.detect_all(values, start=MONDAY, kind="ratio", exposure=views)
    assert not rows["anomalous"][AT - DAY : AT].any()
    assert rows["anomalous"][AT : AT + 4].any()
    assert not anomaly.detect_all(views, start=MONDAY)["anomalous"][AT - 8 : AT + 8].any()


def test_a_small_segment_at_night_does_not_scream() -> None:
    views = counts(season(35, 3.0), 7)
    likes = np.random.default_rng(8).binomial(views.astype(np.int64), 0.2)
    with np.errstate(invalid="ignore"):
        ctr = likes / views
    assert (views == 0).any()
    rows = anomaly.detect_all(ctr, start=MONDAY, kind="ratio", exposure=views)
    assert _onsets(rows["anomalous"]) <= 3
    assert _onsets(anomaly.detect_all(views, start=MONDAY)["anomalous"]) <= 3


def test_false_alarms_are_as_rare_as_asked() -> None:
    days = 70
    table = np.stack([counts(season(days, 20.0 * 2**row), row, 300.0) for row in range(8)])
    for sensitivity in (1.0, 8.0):
        found = anomaly.judge(table, None, Terms(MONDAY, sensitivity=sensitivity))
        alarms = found.anomalous[:, 28 * DAY :]
        fresh = alarms[:, 1:] & ~alarms[:, :-1]
        rate = fresh.sum() / (len(table) * (days - 28)) * 30
        assert sensitivity / 4 < rate < 2.5 * sensitivity


def test_an_incident_leaves_no_echo_and_its_end_is_no_second_one() -> None:
    values = MONTH.copy()
    values[23 * DAY + 40 : 23 * DAY + 64] = 0
    rows = anomaly.detect_all(values, start=MONDAY)
    assert rows["anomalous"][23 * DAY + 40 : 23 * DAY + 64].all()
    assert rows["anomalous"][23 * DAY + 72 :].sum() <= 2
    week_later = slice(30 * DAY + 40, 30 * DAY + 64)
    assert rows["expected"][week_later].to_numpy() == pytest.approx(
        season(35)[week_later], rel=0.15
    )


def test_after_a_spike_and_after_a_day_at_half_the_way_back_is_no_incident() -> None:
    values = MONTH.copy()
    values[AT : AT + 4] *= 2
    rows = anomaly.detect_all(values, start=MONDAY)["anomalous"]
    assert rows[AT : AT + 4].all()
    assert rows[AT + 4 : AT + 40].sum() <= 5
    values = MONTH.copy()
    values[AT : AT + DAY] = np.round(values[AT : AT + DAY] * 0.5)
    rows = anomaly.detect_all(values, start=MONDAY)["anomalous"]
    assert rows[AT : AT + 8].all()
    assert rows[AT + DAY + 6 :].sum() <= 4


@pytest.mark.parametrize("kind", ["count", "gauge"])
def test_a_new_level_is_learned_within_two_days(kind: Kind) -> None:
    values = MONTH.copy() if kind == "count" else 50 + _noise(len(MONTH))
    values[AT:] = values[AT:] * 0.5
    rows = anomaly.detect_all(values, start=MONDAY, kind=kind)
    assert rows["anomalous"][AT : AT + 8].all()
    assert rows["anomalous"][AT + 2 * DAY : AT + 4 * DAY].mean() < 0.1


def test_a_score_stands_out_when_an_episode_begins_and_then_only_if_it_worsens() -> None:
    values = MONTH.copy()
    values[AT : AT + 12] *= 0.65
    values[AT + 12 : AT + 16] = 0
    score = anomaly.detect_all(values, start=MONDAY)["score"].to_numpy()[AT : AT + 16]
    assert score[:3].max() > 1.2
    assert ((score >= 1) & (score < 1.1)).sum() >= 8
    assert score[12:].max() > 2


@pytest.mark.parametrize("month", [3, 10])
def test_seasons_follow_the_wall_clock_when_clocks_change(month: int) -> None:
    start = datetime(2023, month, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    times = pd.date_range(start, periods=32 * DAY, freq="15min")
    hour = np.asarray(times.hour + times.minute / 60, dtype=np.float64)
    values = counts(300 * np.exp(1.2 * np.sin(2 * np.pi * hour / 24)), 9)
    changed = (times.day >= 25) & (times.month == month)
    aware = anomaly.detect_all(values, start=start)
    assert list(aware.index) == list(times)
    assert aware["anomalous"][changed].sum() <= 4
    naive = anomaly.detect_all(values, start=start.replace(tzinfo=None))
    assert naive["anomalous"][changed].sum() > 10


def test_a_holiday_like_a_sunday_is_recognised() -> None:
    mean = season(35, 600.0)
    for sunday in range(6, 35, 7):  # people get up three hours later
        day = slice(sunday * DAY, (sunday + 1) * DAY)
        mean[day] = np.roll(mean[day], 12)
    wednesday = slice(30 * DAY, 31 * DAY)
    mean[wednesday] = mean[27 * DAY : 28 * DAY]
    table = np.stack([counts(mean, seed) for seed in range(3, 7)])
    found = anomaly.judge(table, None, Terms(MONDAY))
    assert found.anomalous[:, wednesday].sum() <= 8
    assert found.expected[:, wednesday][:, 48:].mean(axis=0) == pytest.approx(
        mean[wednesday][48:], rel=0.1
    )


def test_a_season_is_found_only_where_there_is_one() -> None:
    rng = np.random.default_rng(11)
    walk = np.cumsum(rng.normal(0, 1, 20 * DAY))
    rows = anomaly.detect_all(walk, start=MONDAY, kind="gauge")
    late = slice(10 * DAY, None)
    error = np.abs(rows["expected"][late].to_numpy() - walk[late]).mean()
    assert error < 1.3 * np.abs(np.diff(walk)).mean()
    jumped = np.append(walk, walk[-1] - 12)
    assert anomaly.detect(jumped, start=MONDAY, kind="gauge").anomalous


def test_spikes_that_are_the_rule_are_not_alarms() -> None:
    rng = np.random.default_rng(12)
    spiky = rng.normal(10, 1, 30 * DAY) + 90 * (rng.random(30 * DAY) < 0.05)
    rows = anomaly.detect_all(spiky, start=MONDAY, kind="gauge")
    assert rows["anomalous"][10 * DAY :].sum() < 20
    assert anomaly.detect(np.append(spiky, 500.0), start=MONDAY, kind="gauge").anomalous


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([5.0], "count"),
        ([np.nan], "count"),
        (np.full(400, np.nan), "gauge"),
        (np.zeros(400), "count"),
        (np.full(400, 7.5), "gauge"),
        (np.append(np.full(150, np.nan), MONTH[54:104]), "count"),
    ],
)
def test_series_without_information_are_calm(values: Floats, kind: Kind) -> None:
    rows = anomaly.detect_all(values, start=MONDAY, kind=kind)
    assert not rows["anomalous"].any()
    assert rows["score"].notna().all()


def test_after_two_months_without_data_what_was_known_is_still_known() -> None:
    values = np.concatenate([MONTH, np.full(61 * DAY, np.nan), MONTH[5 * DAY : 9 * DAY]])
    rows = anomaly.detect_all(values, start=MONDAY)
    assert rows["score"].notna().all()
    assert _onsets(rows["anomalous"][96 * DAY :]) <= 4
    values[-1] = 0
    assert anomaly.detect(values, start=MONDAY).anomalous


def test_the_first_event_ever_is_no_emergency_but_a_constant_that_moves_is_an_anomaly() -> None:
    assert anomaly.detect(np.append(np.zeros(20 * DAY), 1), start=MONDAY).score < 1.2
    assert anomaly.detect(np.append(np.zeros(20 * DAY), 9), start=MONDAY).anomalous
    moved = anomaly.detect(np.append(np.full(500, 7.0), 8.0), start=MONDAY, kind="gauge")
    assert moved.anomalous
    assert np.isfinite(moved.score)


def test_a_slice_that_was_not_delivered_is_expected_but_not_anomalous() -> None:
    verdict = anomaly.detect(np.append(MONTH[:AT], np.nan), start=MONDAY)
    assert verdict.score == 0
    assert not verdict.anomalous
    assert verdict.lower < season(35)[AT] < verdict.upper
    none = anomaly.detect(
        [0.2] * 200 + [0.0], start=MONDAY, kind="ratio", exposure=[9.0] * 200 + [0.0]
    )
    assert not none.anomalous
    assert none.expected == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("step_minutes", [1, 5, 60, 720, 1440])
def test_slices_of_other_lengths_are_judged(step_minutes: int) -> None:
    start = datetime(2023, 2, 1, 11, 59, tzinfo=ZoneInfo("America/New_York"))
    values = counts(np.full(3000 if step_minutes < 60 else 800, 100.0), 13)
    values[-1] = 0
    rows = anomaly.detect_all(values, start=start, step_minutes=step_minutes)
    assert rows["anomalous"].iloc[-1]
    assert rows.index[1] - rows.index[0] == timedelta(minutes=step_minutes)


def test_a_falling_gauge_below_zero_is_judged_like_its_mirror_image() -> None:
    rng = np.random.default_rng(14)
    values = np.append(rng.normal(-40, 3, 10 * DAY), -75.0)
    below = anomaly.detect(values, start=MONDAY, kind="gauge")
    above = anomaly.detect(-values, start=MONDAY, kind="gauge")
    assert below.anomalous
    assert below.score == pytest.approx(above.score, rel=1e-6)
    assert below.lower == pytest.approx(-above.upper, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"values": []}, "values is empty"),
        ({"values": [1.0, np.inf]}, "infinity"),
        ({"values": [1.0, -1.0]}, "'gauge'"),
        ({"values": ["many"]}, "no number"),
        ({"values": [[1.0]]}, "2 dimensions"),
        ({"kind": "rate"}, "'rate', must be one of count, ratio, gauge"),
        ({"kind": "ratio"}, "exposure is missing"),
        ({"exposure": [1.0]}, "of use for a ratio only"),
        ({"kind": "ratio", "exposure": [1.0]}, "exposure has 1 slices and values has 2"),
        ({"kind": "ratio", "exposure": [1.0, -1.0]}, "negative"),
        ({"step_minutes": 7}, "step_minutes is 7"),
        ({"step_minutes": 0}, "step_minutes is 0"),
        ({"sensitivity": 0.0}, "sensitivity is 0.0"),
        ({"sensitivity": np.nan}, "sensitivity is nan"),
        ({"start": pd.NaT}, "start is NaT"),
    ],
)
def test_what_cannot_be_judged_is_said_in_a_line(change: dict[str, object], complaint: str) -> None:
    arguments: dict[str, Any] = {"values": [1.0, 2.0], "start": MONDAY, **change}
    for call in (anomaly.detect, anomaly.detect_all, diagnosis.diagnose):
        with pytest.raises(ParameterError, match=re.escape(complaint)) as caught:
            call(**arguments)
        assert "\n" not in str(caught.value)


def test_a_diagnosis_says_what_was_expected_from_what_and_how_far_off() -> None:
    values = MONTH[: AT + 1].copy()
    values[AT] = 0
    told = diagnosis.diagnose(values, start=MONDAY)
    assert (told.observed, told.slices, told.days, told.weekdays) == (0, 1, 30, 4)
    assert told.weekday == "Wednesday"
    assert told.level == pytest.approx(1, abs=0.1)
    assert told.expected == pytest.approx(season(35)[AT], rel=0.1)
    assert str(told).startswith("0 in the slice, expected ")
    assert "the same time on 30 days, 4 of them Wednesdays" in str(told)
    verdict = anomaly.detect(values, start=MONDAY)
    assert -told.deviation / told.threshold == pytest.approx(verdict.score, rel=1e-6)


def test_a_diagnosis_without_history_or_value_says_so() -> None:
    assert "no full day yet" in str(diagnosis.diagnose(MONTH[:50], start=MONDAY))
    assert "Not delivered" in str(diagnosis.diagnose([*MONTH[:500], np.nan], start=MONDAY))
    gauge = diagnosis.diagnose(MONTH - 400, start=MONDAY, kind="gauge")
    assert re.search(r", [+-][\d.e+]+ for the level", str(gauge))


@pytest.mark.parametrize("mean", [0.05, 0.3, 1.0])
def test_what_is_next_to_nothing_is_never_expected_to_be_much_more_than_was_ever_seen(
    mean: float,
) -> None:
    rng = np.random.default_rng(3)
    days = np.arange(60 * DAY) % DAY / DAY
    values = rng.poisson(mean * np.where(days < 0.3, 0.01, 1.4)).astype(np.float64)
    found = anomaly.detect_all(values, start=MONDAY)
    later = found.iloc[14 * DAY :]
    most = np.maximum.accumulate(values)[14 * DAY :]
    assert (later["expected"].to_numpy() <= 1.5 * most).all()
    assert _onsets(later["anomalous"]) <= 12


def test_series_of_all_kinds_and_sensitivities_are_judged_in_one_table() -> None:
    exposure = np.maximum(counts(season(35, 400.0), 5), 1)
    ratio = counts(season(35, 80.0), 6) / exposure
    terms = Terms(MONDAY, 15, "ratio", np.array([0.2, 5.0]))
    found = anomaly.judge(
        np.stack([MONTH, ratio]), np.stack([np.ones_like(MONTH), exposure]), terms
    )
    count = anomaly.detect_all(MONTH, start=MONDAY, sensitivity=0.2)
    share = anomaly.detect_all(
        ratio, start=MONDAY, kind="ratio", exposure=exposure, sensitivity=5.0
    )
    for row, alone in enumerate((count, share)):
        for name, values in zip(found._fields, found, strict=True):
            assert np.allclose(values[row], alone[name], rtol=1e-6, equal_nan=True), name
