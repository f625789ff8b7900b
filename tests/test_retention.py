"""Who comes back, against sets of users made from the events."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from nbtools import lives, retention, warehouse
from nbtools.lives import Lives
from nbtools.settings import Settings
from nbtools.warehouse import Connection
from tests import actions
from tests.actions import Actions

FIRST, LAST = date(2022, 12, 5), date(2023, 2, 27)
SUNDAY = date(2023, 2, 5)
SOURCES = ("ads", "organic")


@pytest.fixture(scope="module")
def found(loaded_home: Settings) -> Actions:
    return actions.read(loaded_home)


@pytest.fixture(scope="module")
def db(loaded_home: Settings, found: Actions) -> Iterator[Connection]:
    with warehouse.open_warehouse(loaded_home) as opened:
        yield opened


@pytest.fixture(scope="module")
def known(db: Connection) -> Lives:
    return lives.read(db, LAST)


def monday(day: date) -> date:
    return day - timedelta(day.weekday())


def weeks_of(found: Actions, last: date) -> dict[date, set[int]]:
    """Return the active users of each week, of days up to one."""
    weeks: dict[date, set[int]] = {}
    for day in found.days:
        if day <= last:
            weeks.setdefault(monday(day), set()).update(found.app(day))
    return weeks


@pytest.mark.parametrize("last", [FIRST, date(2022, 12, 20), SUNDAY, LAST], ids=str)
def test_the_movement_of_every_week_is_what_the_events_say(
    last: date, found: Actions, db: Connection
) -> None:
    frame = retention.movement(lives.read(db, last))
    weeks = weeks_of(found, last)
    assert [moment.date() for moment in frame.index] == sorted(weeks)
    earlier: set[int] = set()
    before: set[int] = set()
    rows = frame[list(retention.STATES)].to_numpy(dtype=float)
    for week, (new, retained, resurrected, gone) in zip(sorted(weeks), rows, strict=True):
        users = weeks[week]
        over = week + timedelta(6) <= last
        assert (new, retained, resurrected) == (
            len(users - earlier), len(users & before), len((users & earlier) - before),
        )  # fmt: skip
        assert gone == len(before - users) if over else np.isnan(gone)
        earlier, before = earlier | users, users


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("last", [SUNDAY, LAST], ids=str)
def test_weekly_retention_is_what_the_events_say(
    source: str, last: date, found: Actions, db: Connection
) -> None:
    triangle = retention.weekly(lives.read(db, last), source)
    weeks = weeks_of(found, last)
    came: dict[date, set[int]] = {}
    for user, day in found.first_days().items():
        if day <= last and found.source[user] == source:
            came.setdefault(monday(day), set()).add(user)
    assert [moment.date() for moment in pd.DatetimeIndex(triangle.shares.index)] == sorted(weeks)
    shares, is_open = triangle.shares.to_numpy(dtype=float), triangle.open.to_numpy()
    for row, week in enumerate(sorted(weeks)):
        users = came.get(week, set())
        assert triangle.sizes.iloc[row] == len(users)
        for age, share in enumerate(shares[row]):
            later = week + timedelta(7 * age)
            if later > last or not users:
                assert np.isnan(share)
                continue
            assert share == pytest.approx(len(users & weeks[later]) / len(users))
            assert is_open[row, age] == (later + timedelta(6) > last)


@pytest.mark.parametrize("source", SOURCES)
def test_the_curves_pool_all_cohorts_that_have_reached_an_age(
    source: str, found: Actions, known: Lives
) -> None:
    frame = retention.curves(known)
    first = {u: day for u, day in found.first_days().items() if found.source[u] == source}
    assert list(frame.index) == list(range(1, lives.MOST_DAYS + 1))
    for age in (1, 2, 7, 30, 60):
        reached = [u for u, day in first.items() if day + timedelta(age) <= LAST]
        back = sum(u in found.app(first[u] + timedelta(age)) for u in reached)
        assert frame.loc[age, source] == pytest.approx(back / len(reached)), age


@pytest.mark.parametrize("source", SOURCES)
def test_new_users_and_those_of_the_next_day_are_what_the_events_say(
    source: str, found: Actions, known: Lives
) -> None:
    new, back = retention.new_users(known), retention.next_day(known)
    first = {u: day for u, day in found.first_days().items() if found.source[u] == source}
    places = random.Random(8).sample(range(85), 12)
    for day in (FIRST + timedelta(place) for place in places):
        users = {user for user, began in first.items() if began == day}
        assert new.loc[pd.Timestamp(day), source] == len(users)
        if day == LAST:
            continue
        share = float(back[source].to_numpy(dtype=float)[(day - FIRST).days])
        expected = len(users & found.app(day + timedelta(1))) / max(len(users), 1)
        assert np.isnan(share) if len(users) < 20 else share == pytest.approx(expected)


def test_new_users_add_up_to_all_users(found: Actions, known: Lives) -> None:
    assert retention.new_users(known).to_numpy().sum() == len(found.first_days())
    assert retention.sources(known) == list(SOURCES)


def test_the_campaign_and_the_end_of_organic_acquisition_are_seen(known: Lives) -> None:
    new, back = retention.new_users(known), retention.next_day(known)["ads"]
    campaign, stop = pd.Timestamp("2023-01-14"), pd.Timestamp("2023-02-06")
    assert new["ads"].idxmax() == campaign
    assert back.idxmin() == campaign
    assert back[campaign] < 0.3 * back.median()
    before, after = new["organic"][: stop - pd.Timedelta(days=1)], new["organic"][stop:]
    assert after.max() < 0.6 * before.iloc[-14:].min()


def test_the_first_day_has_newcomers_and_no_retention(db: Connection) -> None:
    first = lives.read(db, FIRST)
    assert retention.movement(first)[["retained", "resurrected"]].to_numpy().sum() == 0
    assert retention.curves(first).empty
    assert retention.next_day(first).empty
    assert retention.weekly(first, "ads").shares.to_numpy().tolist() == [[1.0]]
