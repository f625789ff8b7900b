"""Studies read from the rollup of users by day are those read from the events, figure by figure."""

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from nbtools import bridge, etl, loader, studies, user_days, warehouse
from nbtools.errors import NoDataError
from nbtools.settings import PROJECT, Settings
from nbtools.user_days import UserDays
from nbtools.warehouse import Connection
from tests import events

TZ = "Europe/Moscow"
BEFORE = 3


def test_the_sums_of_the_users_are_those_of_the_day(loaded_home: Settings) -> None:
    text = (
        "SELECT event_date, sum(views), sum(likes), sum(messages_sent),"
        " countIf(views + likes > 0), countIf(messages_sent > 0),"
        " countIf(views + likes > 0 AND messages_sent > 0), uniqExact(user_id) - count(){}"
        " FROM user_days_v1 GROUP BY event_date{} ORDER BY ALL"
    )
    named = (
        "SELECT event_date, views, likes, messages_sent, feed_users, messenger_users, both_users, 0"
        "{} FROM daily_metrics_v1 WHERE dimension = '{}' AND feed_users + messenger_users > 0"
        " ORDER BY ALL"
    )
    with warehouse.open_warehouse(loaded_home) as db:
        for key, dimension in (("", "total"), (", os", "os"), (", toString(age)", "age")):
            expected = named.format(", dimension_value" if key else "", dimension)
            found = db.client.query(text.format(key, key)).result_rows
            assert list(found) == list(db.client.query(expected).result_rows)
            assert len(found) >= 85


def frames(source: Connection | UserDays, first: date, last: date, *, tz: str) -> dict[str, Any]:
    """Return everything that studies read of a window."""
    salts = studies.salts(9)
    halves = studies.resplit(source, (first, last), [1, 2], salts, tz=tz, before_days=BEFORE)
    return {
        "totals": studies.load(source, first, last, tz=tz, before_days=BEFORE, buckets=7).rows,
        "days": studies.days(source, first, last, tz=tz),
        "above": studies.users_above(source, first, last, 2, 0.2, tz=tz),
        "halves": pd.DataFrame(halves.first),
        "everyone": pd.DataFrame([halves.everyone]),
    }


def assert_same(users: UserDays, first: date, last: date, *, tz: str = TZ) -> None:
    """Compare the rollup, which must be what is read, with the events."""
    start = first - timedelta(BEFORE)
    assert "Read from user_days_v1" in user_days.find_rows(users, start, last, tz=tz).origin
    found = frames(users, first, last, tz=tz)
    expected = frames(users.source, first, last, tz=tz)
    assert list(found["totals"]["part"].unique()) == list(expected["totals"]["part"].unique())
    for name, frame in found.items():
        # Sums of CTRs are no whole numbers and depend on the order of adding.
        pd.testing.assert_frame_equal(frame, expected[name], obj=name, rtol=1e-12)
    for group in (1, 2):
        whole = found["totals"][found["totals"]["exp_group"] == group]
        assert (whole["part"] == "cells").sum() > 1
    studies.require_groups(users, first, last, [1, 2], tz=tz)


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2023, 1, 1), date(2023, 1, 7)), (date(2022, 12, 6), date(2023, 2, 27))],
)
def test_the_demo_is_the_same_both_ways(loaded_home: Settings, first: date, last: date) -> None:
    # Before the first event there are no days to be loaded.
    with user_days.open_user_days(loaded_home) as users:
        assert_same(users, first, last)


def test_a_real_log_is_the_same_both_ways(realdata: Path, home: Settings) -> None:
    mapping = PROJECT / "parameters" / "mappings" / "deskdrop_collegemsg.yml"
    loader.load(home, mapping, data=realdata)
    with user_days.open_user_days(home) as users:
        extent = etl.event_days(users.source, tz=home.tz)
    assert extent
    first, last = (extent[0] + timedelta(days) for days in (20, 30))
    etl.backfill(home, first - timedelta(BEFORE), last)
    with user_days.open_user_days(home) as users:
        assert_same(users, first, last)


# ---- users who change ---------------------------------------------------------------

START = date(2023, 3, 20)
ZONE = ZoneInfo("Europe/Berlin")  # 26 March has 23 hours there


class Drawn(NamedTuple):
    """A home with drawn events, loaded in a zone that changes its clocks."""

    users: UserDays
    settings: Settings


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    """Return users whose groups and attributes change between and within days."""
    config = Settings(home=tmp_path_factory.mktemp("drawn"), tz=str(ZONE))
    rng = random.Random(5)
    start = datetime.combine(START, time(), ZONE).timestamp()
    feed, messages = [], []
    for _ in range(4_000):
        user = rng.randrange(300)
        second = start + rng.choice([rng.randrange(14), rng.random() * 14]) * 86_400
        gender = rng.randrange(2) if user % 3 else 1
        age = rng.choice([15, 20, 30, 60])
        where = [rng.choice(["iOS", "Android"]), rng.choice(["ads", "organic"])]
        where += rng.choice([["Russia", "Tula"], ["Austria", "Graz"], ["Austria", ""]])
        group = user % 4 if user % 5 else rng.randrange(4)
        moment = datetime.fromtimestamp(second, ZONE)
        rest = [moment, gender, age, *where, group]
        if rng.random() < 0.2:
            messages.append([user, rng.randrange(400), *rest])
        else:
            feed.append([user, rng.randrange(9), rng.choice(["view", "view", "like"]), *rest])
    names = ["time", "gender", "age", "os", "source", "country", "city", "exp_group"]
    with user_days.open_user_days(config) as users:
        assert users.db
        events.write(users.db, [])
        insert = users.db.client.insert
        insert("feed_actions", feed, ["user_id", "post_id", "action", *names], database="app")
        insert("message_actions", messages, ["user_id", "reciever_id", *names], database="app")
    with user_days.open_user_days(config) as users:
        etl.backfill(config)
        yield Drawn(users, config)


@pytest.mark.parametrize("day", [3, 6])  # the second window has the day of 23 hours
def test_users_who_change_are_the_same_both_ways(drawn: Drawn, day: int) -> None:
    first = START + timedelta(day)
    for length in (0, 5):
        assert_same(drawn.users, first, first + timedelta(length), tz=str(ZONE))


def test_a_server_answers_the_same_both_ways(drawn: Drawn) -> None:
    first = START + timedelta(4)
    with bridge.listen(drawn.settings) as address:
        there = drawn.settings.model_copy(update={"warehouse": address, "source": address})
        with user_days.open_user_days(there) as users:
            assert_same(users, first, first + timedelta(1), tz=str(ZONE))


def test_the_events_are_read_where_the_rollup_has_not_all_days(drawn: Drawn) -> None:
    users, first, last = drawn.users, START + timedelta(3), START + timedelta(5)
    assert users.db
    assert user_days.find_rows(users.source, first, last, tz=str(ZONE)).origin == (
        "Read from the events."
    )
    # Another zone cuts other days.
    found = studies.load(users, first, last, tz="UTC", before_days=BEFORE)
    assert found.origin.startswith("Read from the events: 2023-03-20 is not in user_days_v1")
    pd.testing.assert_frame_equal(
        found.rows, studies.load(users.source, first, last, tz="UTC", before_days=BEFORE).rows
    )
    missing = first - timedelta(1)
    users.db.client.command(f"ALTER TABLE user_days_v1 DROP PARTITION {missing:%Y%m%d}")
    try:
        found = studies.load(users, first, last, tz=str(ZONE), before_days=BEFORE)
        assert f"events: {missing} is not in user_days_v1; make backfill" in found.origin
        without = studies.load(users, first, last, tz=str(ZONE), before_days=0)
        assert "Read from user_days_v1" in without.origin
    finally:
        etl.backfill(drawn.settings)
    found = studies.load(users, first, last, tz=str(ZONE), before_days=BEFORE)
    assert "Read from user_days_v1" in found.origin


def test_a_window_without_events_is_one_line_either_way(drawn: Drawn) -> None:
    for users in (drawn.users, drawn.users.source):
        with pytest.raises(NoDataError, match="Nobody viewed a post from 2021-01-01"):
            studies.load(users, date(2021, 1, 1), date(2021, 1, 2), tz=TZ)


def test_events_that_come_late_are_seen_when_their_day_is_loaded_again(drawn: Drawn) -> None:
    users, first = drawn.users, START + timedelta(4)
    assert users.db

    def total(source: Connection | UserDays) -> int:
        return studies.load(source, first, first, tz=str(ZONE), before_days=0).sums(1).users

    before = total(users)
    moment = datetime.combine(first, time(12), ZONE)
    names = ["user_id", "post_id", "action", "time", "exp_group", "os", "country", "source"]
    row = [5_000, 1, "view", moment, 1, "iOS", "Austria", "ads"]
    users.db.client.insert("feed_actions", [row], names, database="app")
    assert (total(users), total(users.source)) == (before, before + 1)
    etl.run_day(users.db, users.source, first, tz=str(ZONE))
    assert total(users) == before + 1
