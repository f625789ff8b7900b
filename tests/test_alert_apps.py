"""The apps and the counting that the benchmark of the alerts rests on."""

from collections import Counter
from types import ModuleType

import numpy as np
import pytest

from nbtools.settings import PROJECT

KINDS = (
    *("CTR only", "drop 15 %", "drop 25 %", "drop 50 %"),
    *("leak", "one segment", "outage", "spike"),
)


@pytest.fixture(scope="module")
def apps() -> ModuleType:
    return _benchmark("alert_apps")


@pytest.fixture(scope="module")
def counts() -> ModuleType:
    return _benchmark("alert_counts")


def _benchmark(name: str) -> ModuleType:
    """Import a file of the benchmarks, which are no package and import each other."""
    import importlib
    import sys

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT / "benchmarks")
        module = importlib.import_module(name)
    sys.modules[name] = module
    return module


@pytest.mark.parametrize("family", ["steady", "restless", "office"])
def test_the_same_seed_gives_the_same_app(apps: ModuleType, family: str) -> None:
    one, again, other = apps.make(family, 0), apps.make(family, 0), apps.make(family, 1)
    for key, series in one.series.items():
        assert np.array_equal(series.observed, again.series[key].observed, equal_nan=True)
    key = ("views", "total")
    assert not np.array_equal(one.series[key].observed, other.series[key].observed)
    assert one.incidents == again.incidents
    assert one.incidents != other.incidents


@pytest.mark.parametrize("family", ["steady", "restless", "office"])
def test_series_have_the_mean_and_spread_that_the_oracle_is_told(
    apps: ModuleType, family: str
) -> None:
    app = apps.make(family, 0)
    assert len(app.series) == 30
    for key, series in app.series.items():
        errors = (series.observed - series.mean) / series.spread
        # 8,064 slices: the mean of standard errors is within 4 / 90, their spread within 10 %.
        fair = errors[~series.struck & np.isfinite(errors)]
        assert abs(fair.mean()) < 0.05, key
        assert fair.std() == pytest.approx(1, abs=0.1), key


def test_incidents_change_their_series_by_their_size(apps: ModuleType) -> None:
    app = apps.make("steady", 0)
    assert Counter(one.kind for one in app.incidents) == dict.fromkeys(KINDS, 3)
    for one in app.incidents:
        series = app.series[one.key]
        during = slice(one.start, one.start + one.length)
        assert one.start >= apps.LEARNED * apps.DAY
        assert np.isfinite(series.observed[during]).all(), one
        assert not series.struck[one.start - 1], one
        assert series.struck[during].sum() >= one.length - 1, one  # a leak begins at nothing
        if one.kind != "leak":
            change = series.observed[during].sum() / series.mean[during].sum() - 1
            noise = np.sqrt((series.spread[during] ** 2).sum()) / series.mean[during].sum()
            assert change == pytest.approx(one.size, abs=5 * noise), one


def test_a_change_of_ctr_leaves_the_views_alone(apps: ModuleType) -> None:
    app = apps.make("steady", 0)
    one = next(one for one in app.incidents if one.kind == "CTR only")
    during = slice(one.start, one.start + one.length)
    assert not app.series["views", one.key[1]].struck[during].any()
    assert app.series["likes", one.key[1]].struck[during].all()


def test_slices_within_an_hour_are_one_alarm_told_every_four_hours(
    counts: ModuleType,
) -> None:
    flags = np.zeros((1, 20), dtype=bool)
    flags[0, [2, 3, 7, 12, 19]] = True
    assert np.flatnonzero(counts.alarms(flags)[0]).tolist() == [2, 12, 19]
    assert np.flatnonzero(counts.alarms(np.ones((1, 40), dtype=bool))[0]).tolist() == [0, 16, 32]


def test_calibration_spends_the_budget_and_the_record_counts_it(
    apps: ModuleType, counts: ModuleType
) -> None:
    app = apps.make("steady", 0)
    scores = np.random.default_rng(0).random((30, apps.SLICES))
    for place, key in enumerate(app.series):
        for one in app.incidents:
            if one.key == key and one.kind == "outage":
                scores[place, one.start + 1] = 2.0  # told by the second slice
    scored = [counts.Scored(app, scores)]
    threshold = counts.calibrate(scored, 1.0)
    record = counts.record(scored, threshold)
    # 30 series, 54 days without incidents: about 54 alarms are one in 30 days.
    assert 0.95 < record.false_alarms <= 1
    assert record.by_kind["outage"][1:] == (1, 1)
    assert record.by_kind["outage"][0] < 1
    assert sum(record.by_metric.values()) / 6 == pytest.approx(record.false_alarms, rel=0.05)
    assert counts.calibrate([counts.Scored(app, np.ones((30, apps.SLICES)))], 0.1) is None


def test_an_alarm_in_an_incident_or_the_hour_behind_it_is_not_false(
    apps: ModuleType, counts: ModuleType
) -> None:
    app = apps.make("steady", 0)
    quiet = counts.quiet(app)
    one = app.incidents[0]
    place = list(app.series).index(one.key)
    assert not quiet[place, one.start + 1 : one.start + one.length + 4].any()
    assert quiet[place, one.start + one.length + 4]
    assert not quiet[:, : apps.LEARNED * apps.DAY].any()
