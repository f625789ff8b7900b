"""The audience of every day, against sets of users made from the events."""

import random
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from nbtools import audience, etl, lives, user_days, warehouse
from nbtools.errors import NoDataError
from nbtools.settings import Settings
from tests import actions
from tests.actions import Actions, until, window
from tests.events import DAY, Message, View, at, before, write

FIRST, LAST = date(2022, 12, 5), date(2023, 2, 27)
CHOSEN = random.Random(5)
DAYS = [FIRST, LAST, *(FIRST + timedelta(place) for place in CHOSEN.sample(range(1, 84), 8))]


@pytest.fixture(scope="module")
def found(loaded_home: Settings) -> Actions:
    return actions.read(loaded_home)


class Read(NamedTuple):
    """What was read as of each of the days; the warehouse is closed again."""

    frames: dict[date, pd.DataFrame]
    lives: dict[date, pd.DataFrame]


@pytest.fixture(scope="module")
def read(loaded_home: Settings) -> Read:
    with warehouse.open_warehouse(loaded_home) as db:
        found = {day: lives.read(db, day) for day in DAYS}
        return Read(
            {day: audience.read(db, found[day]) for day in DAYS},
            {day: audience.life(found[day]) for day in DAYS},
        )


def by_hand(found: Actions, day: date) -> dict[str, float]:
    """Count a day in the words of the definitions."""
    feed, sent = found.feed.get(day, set()), found.sent.get(day, set())
    feed_ever, sent_ever = until(found.feed, day), until(found.sent, day)
    both = {one: found.app(one) for one in found.days}
    numbers: dict[str, float] = {
        "app_users": len(feed | sent),
        "feed_users": len(feed),
        "messenger_users": len(sent),
        "both_users": len(feed & sent),
        "feed_only_users": len(feed - sent),
        "messenger_only_users": len(sent - feed),
        "both_ever_users": len((feed | sent) & feed_ever & sent_ever),
        "feed_only_ever_users": len(feed - sent_ever),
        "messenger_only_ever_users": len(sent - feed_ever),
    }
    for service, by_day in (("app", both), ("feed", found.feed), ("messenger", found.sent)):
        for name, length in (("wau", 7), ("mau", 28)):
            full = (day - FIRST).days >= length - 1
            numbers[f"{service}_{name}"] = len(window(by_day, day, length)) if full else np.nan
        numbers[f"{service}_stickiness"] = numbers[f"{service}_users"] / numbers[f"{service}_mau"]
    return numbers


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_day_is_what_the_events_say(day: date, found: Actions, read: Read) -> None:
    last = read.frames[day].iloc[-1]
    expected = by_hand(found, day)
    assert {name: last[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert last["both_ever_users"] >= last["both_users"]


def test_nothing_of_later_days_is_in_a_page(read: Read) -> None:
    for by_day in read:
        whole = by_day[LAST]
        for day in DAYS:
            upto = whole.loc[: pd.Timestamp(day)]
            pd.testing.assert_frame_equal(by_day[day], upto, check_freq=False)


def test_the_parts_of_each_reading_add_up(read: Read) -> None:
    frame = read.frames[LAST]
    for parts in (audience.SAME_DAY, audience.EVER):
        assert (frame[list(parts)].sum(axis=1) == frame["app_users"]).all()


def test_the_whole_life_is_what_the_events_say(found: Actions, read: Read) -> None:
    life = read.lives[LAST]
    for day in DAYS:
        feed, sent = until(found.feed, day), until(found.sent, day)
        expected = [len(feed - sent), len(feed & sent), len(sent - feed)]
        place = pd.DatetimeIndex(life.index).get_loc(pd.Timestamp(day))
        assert life[list(audience.LIFE)].to_numpy()[place].tolist() == expected, day


def test_the_messengers_rhythm_is_three_days_and_the_feed_has_none(read: Read) -> None:
    frame = read.frames[LAST]
    length, above = audience.rhythm(frame["messenger_users"])
    assert length == 3
    assert 0.3 < above < 0.8
    assert audience.rhythm(frame["feed_users"]) == (0, 0.0)


def test_noise_and_short_series_have_no_rhythm() -> None:
    rng = np.random.default_rng(3)
    days = pd.date_range("2023-01-01", periods=80)
    assert audience.rhythm(pd.Series(rng.poisson(400, 80), days)) == (0, 0.0)
    assert audience.rhythm(pd.Series([5, 1, 1] * 5, days[:15])) == (0, 0.0)
    assert audience.rhythm(pd.Series(7, days)) == (0, 0.0)
    five = pd.Series(np.tile([400, 200, 210, 190, 200], 16), days)
    assert audience.rhythm(five)[0] == 5


def test_a_day_with_events_that_is_not_loaded_is_named(loaded_copy: Settings) -> None:
    lost = date(2023, 1, 11)
    with user_days.open_user_days(loaded_copy) as users:
        assert users.db is not None
        users.db.client.command("ALTER TABLE user_days_v1 DROP PARTITION 20230111")
        audience.require_loaded(users, lost - timedelta(1), tz=loaded_copy.tz)
        for day in (lost, LAST):
            with pytest.raises(NoDataError) as refused:
                audience.require_loaded(users, day, tz=loaded_copy.tz)
            assert str(refused.value) == (
                f"2023-01-11 is not in user_days_v1, which a page about all days up to {day}"
                f" needs; load it with make backfill FROM=2023-01-11 TO={day}."
            )


def test_a_day_on_which_nothing_happened_is_no_gap(home: Settings) -> None:
    with warehouse.open_warehouse(home) as db:
        write(db, [View(1, 1, before(3)), Message(2, 1, before(2)), View(2, 1, at())])
    etl.backfill(home, DAY - timedelta(3), DAY)
    with user_days.open_user_days(home) as users:
        assert users.db is not None
        audience.require_loaded(users, DAY, tz=home.tz)
        found = lives.read(users.db, DAY)
        frame = audience.read(users.db, found)
        life = audience.life(found)
    assert frame["feed_only_ever_users"].tolist() == [1, 0, 0, 0]
    assert frame["messenger_only_ever_users"].tolist() == [0, 1, 0, 0]
    assert frame["both_ever_users"].tolist() == [0, 0, 0, 1]
    assert life[list(audience.LIFE)].to_numpy().tolist() == [
        [1, 0, 0], [1, 0, 1], [1, 0, 1], [1, 1, 0],
    ]  # fmt: skip
