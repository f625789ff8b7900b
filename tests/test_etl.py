"""One day in, one partition out, whatever the events and the order of days."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from nbtools import bridge, daily, etl, staging, warehouse
from nbtools.errors import NoDataError, ParameterError, QualityError
from nbtools.settings import Settings
from nbtools.warehouse import Connection
from tests.events import (
    DAY,
    MAN,
    WOMAN,
    Message,
    View,
    append,
    at,
    before,
    count,
    like,
    table_of,
    whole,
    write,
)


def staged(db: Connection) -> list[str]:
    return [str(name) for name in warehouse.tables(db, "staging_").index]


Event = View | Message


class Pair(NamedTuple):
    """Both connections of a home."""

    db: Connection
    source: Connection

    def load(self, day: date = DAY, tz: str = "Europe/Moscow") -> etl.DayResult:
        return etl.run_day(self.db, self.source, day, tz=tz)


Open = Callable[..., Pair]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("etl"))


@pytest.fixture(scope="module")
def warm(place: Settings) -> Iterator[Connection]:
    """Open the engine once: that takes longer than a test."""
    with warehouse.open_warehouse(place) as db:
        yield db


@pytest.fixture
def opened(place: Settings, warm: Connection) -> Iterator[Open]:
    """Return a function that makes events the history and opens it."""
    with ExitStack() as sources:

        def make(*events: Event, receiver: str = "reciever_id") -> Pair:
            write(warm, events)
            if receiver != "reciever_id":
                warm.client.command(
                    f"ALTER TABLE app.message_actions RENAME COLUMN reciever_id TO {receiver}"
                )
            return Pair(warm, sources.enter_context(warehouse.open_source(place)))

        etl.forget(warm)
        yield make


# ---- one day ------------------------------------------------------------------------

PLAIN = (
    View(1, 10, at(9)),
    like(1, 10, at(9, 1)),
    View(1, 11, at(9, 2)),
    View(2, 10, at(10), MAN),
    Message(1, 2, at(11)),
    Message(1, 2, at(12)),
    Message(2, 1, at(13), MAN),
    Message(3, 1, at(14), MAN),
)


def test_a_day_counts_views_likes_messages_and_users(opened: Open) -> None:
    pair = opened(*PLAIN)
    result = pair.load()
    # Worked by hand: user 1 is the woman of 25 on iOS; 2 and 3 are men of 40 on Android.
    assert table_of(pair.db)["gender", "0"] == {
        "views": 2,
        "likes": 1,
        "messages_received": 2,
        "messages_sent": 2,
        "users_received": 2,
        "users_sent": 1,
        "feed_users": 1,
        "messenger_users": 1,
        "both_users": 1,
    }
    assert table_of(pair.db)["total", "total"] == result.totals
    assert result.totals == {
        "views": 3,
        "likes": 1,
        "messages_received": 4,
        "messages_sent": 4,
        "users_received": 3,
        "users_sent": 3,
        "feed_users": 2,
        "messenger_users": 3,
        "both_users": 2,
    }
    assert table_of(pair.db) == count(PLAIN)
    assert result.rows == 7  # two genders, two ages, two systems, the total


ODDITIES = {
    "a receiver who was never seen": (Message(1, 9, at()),),
    "a receiver seen only later": (Message(1, 9, at()), View(9, 1, before(-1), MAN)),
    "a receiver seen before in the feed": (View(9, 1, before(40), MAN), Message(1, 9, at())),
    "a receiver seen before as a sender": (Message(9, 1, before(3), MAN), Message(1, 9, at())),
    "a receiver who before only received": (Message(1, 9, before(3)), Message(1, 9, at())),
    "a receiver who acts on the day as someone else": (
        View(9, 1, before(3), WOMAN),
        View(9, 1, at(20), MAN),
        Message(1, 9, at(8)),
    ),
    "a receiver who changed and changed back": (
        View(9, 1, before(9), MAN),
        View(9, 1, before(6), WOMAN),
        View(9, 1, before(3), MAN),
        Message(1, 9, at()),
        View(9, 1, before(-2), WOMAN),
    ),
    "a receiver who changed across services": (
        View(9, 1, before(6), MAN),
        Message(9, 1, before(5), WOMAN),
        Message(1, 9, at()),
    ),
    "a receiver who changed within an earlier day": (
        View(9, 1, at(9, day=DAY - timedelta(1)), MAN),
        Message(9, 1, at(10, day=DAY - timedelta(1)), WOMAN),
        Message(1, 9, at()),
    ),
    "a user who changes within the day": (
        View(1, 1, at(8), MAN),
        View(1, 2, at(9), WOMAN),
        Message(1, 1, at(10), MAN),
        View(2, 1, at(9), MAN),
    ),
    "someone who writes to themselves": (Message(1, 1, at()),),
    "only messages": (Message(1, 2, at()), Message(2, 1, at(), MAN)),
    "only the feed": (View(1, 2, at()), like(1, 2, at())),
    "only likes": (like(1, 2, at()),),
    "user 0": (View(0, 0, at()), Message(0, 5, at())),
    "midnight at both ends": (
        View(1, 1, at(0)),
        View(1, 2, at(23, 59, 59)),
        View(1, 3, at(0, day=DAY + timedelta(1))),
        View(1, 4, at(23, 59, 59, day=DAY - timedelta(1))),
        Message(1, 1, at(0)),
        Message(1, 2, at(0, day=DAY + timedelta(1))),
        Message(2, 1, at(23, 59, 59, day=DAY - timedelta(1)), MAN),
    ),
    "repeated events": (
        View(1, 1, at()),
        View(1, 1, at()),
        Message(1, 2, at()),
        Message(1, 2, at()),
    ),
    "a like before its view": (like(1, 1, at(8)), View(1, 1, at(9))),
}


@pytest.mark.parametrize("events", ODDITIES.values(), ids=ODDITIES)
def test_a_day_with(events: Sequence[Event], opened: Open) -> None:
    pair = opened(*events)
    pair.load()
    assert table_of(pair.db) == count(events)


def test_unknown_is_never_a_gender_an_age_or_a_system(opened: Open) -> None:
    pair = opened(Message(1, 9, at(), MAN))
    pair.load()
    assert {value for _, value in table_of(pair.db)} == {"1", "40", "Android", "unknown", "total"}


def test_events_of_one_second_have_one_order_however_they_are_stored(opened: Open) -> None:
    events: list[Event] = [
        View(1, 1, at(), WOMAN),
        View(1, 3, at(), (1, 30, "iOS")),
        Message(2, 9, at(), WOMAN),
        Message(2, 8, at(), MAN),
        View(3, 1, at(), WOMAN),
        Message(3, 2, at(), MAN),
    ]
    pair = opened(*events)
    pair.load()
    first = whole(pair.db)
    for order in (events, events[::-1]):
        write(pair.db, [])
        for event in order:  # one part each, read in whatever order
            append(pair.db, [event])
        pair.load()
        assert whole(pair.db) == first


@pytest.mark.parametrize("tz", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("day", [date(2023, 3, 26), date(2023, 10, 29), date(2023, 3, 12)])
def test_a_day_begins_at_the_app_s_midnight_whatever_the_column_s_zone(
    tz: str, day: date, opened: Open
) -> None:
    # 26 March has 23 hours in Berlin, 29 October 25; 12 March has 23 in New York.
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    events: list[Event] = [View(k, 1, start + timedelta(minutes=30 * k)) for k in range(144)]
    events += [Message(k, k + 1, start + timedelta(minutes=30 * k)) for k in range(144)]
    pair = opened(*events)  # the column says Europe/Moscow
    pair.load(day, tz)
    expected = count(events, day, ZoneInfo(tz))
    assert table_of(pair.db, day) == expected
    hours = (
        datetime.combine(day + timedelta(1), datetime.min.time(), ZoneInfo(tz)).astimezone(UTC)
        - datetime.combine(day, datetime.min.time(), ZoneInfo(tz)).astimezone(UTC)
    ).total_seconds() / 3600
    assert expected["total", "total"]["views"] == 2 * hours


def test_a_source_may_spell_receiver_right(opened: Open) -> None:
    pair = opened(*PLAIN, receiver="receiver_id")
    pair.load()
    assert table_of(pair.db) == count(PLAIN)


# ---- no day -------------------------------------------------------------------------


def test_a_day_without_events_is_refused_and_says_where_there_are_some(opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.load()
    expected = "no events on 2023-01-21; there are some from 2023-01-20 to 2023-01-20"
    for refused in (
        pair.load,
        lambda day: etl.require_events(pair.source, day, tz="Europe/Moscow"),
    ):
        with pytest.raises(NoDataError, match=expected):
            refused(DAY + timedelta(1))
    assert etl.loaded_days(pair.db) == [DAY]
    # Nor did it settle what later days know of the days before.
    append(
        pair.db, [Message(1, 7, before(-3)), View(7, 1, before(-2), MAN), Message(1, 7, before(-4))]
    )
    pair.load(DAY + timedelta(4))
    assert table_of(pair.db, DAY + timedelta(4))["os", "Android"]["messages_received"] == 1


def test_a_loaded_day_whose_events_are_gone_is_kept(opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.load()
    write(pair.db, [])
    with pytest.raises(NoDataError, match="source has no events; make demo or make load fills"):
        pair.load()
    assert table_of(pair.db) == count(PLAIN)
    assert etl.event_days(pair.source, tz="Europe/Moscow") is None


def test_days_with_events_are_found(opened: Open) -> None:
    pair = opened(View(1, 1, at(0, 30)), Message(1, 2, before(-3)))
    assert etl.event_days(pair.source, tz="Europe/Moscow") == (DAY, DAY + timedelta(3))
    assert etl.event_days(pair.source, tz="UTC") == (DAY - timedelta(1), DAY + timedelta(3))
    assert etl.has_events(pair.source, DAY, tz="Europe/Moscow")
    assert not etl.has_events(pair.source, DAY, tz="UTC")
    assert etl.has_events(pair.source, DAY + timedelta(3), tz="Europe/Moscow")


def test_an_unloaded_day_is_refused(opened: Open) -> None:
    pair = opened(*PLAIN)
    with pytest.raises(
        NoDataError, match="2023-01-20 is not in daily_metrics_v1; load it with make"
    ):
        etl.require_loaded(pair.db, DAY)
    assert etl.data_version(pair.db) == ""
    pair.load()
    etl.require_loaded(pair.db, DAY)


# ---- checks -------------------------------------------------------------------------


def found(result: etl.DayResult) -> dict[str, int]:
    return {str(name): int(n) for name, n in result.checks["found"].items() if n}


def test_a_clean_day_finds_nothing(opened: Open) -> None:
    result = opened(*PLAIN).load()
    assert found(result) == {}
    assert list(result.checks.index) == [
        "sums",
        "outside",
        "unknown_actions",
        "repeated_feed",
        "repeated_messages",
        "likes_without_view",
        "attributes_changed",
        "views_volume",
        "messages_volume",
    ]
    assert set(result.checks["severity"]) == {"fail", "warn"}


def test_an_unknown_action_stops_the_day(opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.load()
    append(pair.db, [View(8, 1, at(), MAN, "share"), View(8, 2, at(), MAN, "View")])
    expected = "2023-01-20 was not loaded.*unknown_actions: 2 of 6 feed events.*user 8"
    with pytest.raises(QualityError, match=expected):
        pair.load()
    assert table_of(pair.db) == count(PLAIN)
    assert staged(pair.db) == []


def test_warnings_are_counted_with_an_example_and_do_not_stop(opened: Open) -> None:
    pair = opened(
        View(1, 1, at(8)),
        View(1, 1, at(8)),  # repeats
        View(1, 1, at(9)),  # does not
        View(2, 1, at(8)),  # somebody else's
        like(1, 1, at(8)),  # another action
        like(1, 7, at(8)),  # no view of 7
        like(2, 1, at(7)),  # before its view, which is of the day
        Message(3, 4, at(8)),
        Message(3, 4, at(8)),
        Message(3, 4, at(8)),  # two repeats
        Message(3, 5, at(8)),
        Message(2, 3, at(8), MAN),  # a woman in the feed
        like(6, 9, at()),
        View(6, 9, before(1)),
    )
    result = pair.load()
    assert found(result) == {
        "repeated_feed": 1,
        "repeated_messages": 2,
        "likes_without_view": 2,
        "attributes_changed": 1,
    }
    checked = result.checks["checked"]
    assert (checked["repeated_feed"], checked["repeated_messages"]) == (8, 5)
    assert checked["likes_without_view"] == 4
    examples = result.checks["example"]
    assert (examples["repeated_feed"], examples["repeated_messages"]) == ("user 1", "user 3")
    assert examples["attributes_changed"] == "user 2"
    assert etl.figures(result)["warnings"] == 4


@pytest.mark.parametrize("service", ["feed", "messages"])
def test_a_day_delivered_twice_is_stopped(service: str, opened: Open) -> None:
    events: list[Event] = [View(k, 1, at()) for k in range(20)]
    events += [Message(k, 1, at()) for k in range(20)]
    pair = opened(*events)
    pair.load()
    kind = View if service == "feed" else Message
    append(pair.db, [e for e in events if isinstance(e, kind)])
    with pytest.raises(QualityError, match=f"repeated_{service}: 20 of 40"):
        pair.load()


def test_volume_is_compared_with_the_same_weekday(opened: Open) -> None:
    events: list[Event] = []
    for weeks, views in ((0, 9), (1, 20), (2, 30), (4, 50), (5, 9)):
        events += [View(1, 1, before(7 * weeks) + timedelta(seconds=k)) for k in range(views)]
        events += [Message(1, 2, before(7 * weeks)), Message(1, 2, before(7 * weeks - 1))]
    events += [View(1, 1, before(1) + timedelta(seconds=k)) for k in range(2000)]
    pair = opened(*events)
    assert found(pair.load()) == {}  # nothing is loaded to compare with
    for day in (1, 7, 14, 28, 35):
        pair.load(DAY - timedelta(day))
    result = pair.load()
    assert found(result) == {"views_volume": 1}
    assert result.checks["example"]["views_volume"] == "9 views, before 20 to 50"
    assert result.checks["checked"]["views_volume"] == 3
    # 20 views are not under half of 30 and 50.
    assert found(pair.load(DAY - timedelta(7))) == {}


def test_sums_and_days_are_checked_though_the_statements_cannot_break_them(opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.load()
    create = "daily_metrics_v1/create_{}"
    with (
        staging.table(pair.db, create.format("users")) as users,
        staging.table(pair.db, create.format("staging")) as new,
    ):
        rows = pair.source.arrow("daily_metrics_v1/user_day", date=DAY, tz="Europe/Moscow")
        pair.db.insert(users, rows)
        pair.db.execute("daily_metrics_v1/insert", date=DAY, users=users, staging=new)
        pair.db.client.command(
            f"ALTER TABLE {new} DELETE WHERE dimension_value = 'iOS'",
            settings={"mutations_sync": 1},
        )
        with pytest.raises(QualityError, match="sums: 1 of 4"):
            etl._check(pair.db, DAY, "Europe/Moscow", users, new)
        pair.db.client.command(
            f"ALTER TABLE {new} DELETE WHERE dimension = 'os'", settings={"mutations_sync": 1}
        )
        with pytest.raises(QualityError, match="sums: 4 of 3"):
            etl._check(pair.db, DAY, "Europe/Moscow", users, new)
        with pytest.raises(QualityError, match="outside: 3 of 3 users"):
            etl._check(pair.db, DAY + timedelta(1), "Europe/Moscow", users, new)


# ---- several days -------------------------------------------------------------------


def history(seed: int) -> list[Event]:
    """Return six days of some users who change, pause and write to whomever."""
    draw = random.Random(seed)
    events: list[Event] = []
    for step in range(220):
        moment = before(5) + timedelta(seconds=step * 2100 + draw.randrange(900))
        who = (draw.randrange(2), draw.choice((20, 30)), draw.choice(("iOS", "Android")))
        user = draw.randrange(1, 12)
        if draw.random() < 0.5:
            events.append(View(user, draw.randrange(5), moment, who, draw.choice(("view", "like"))))
        else:
            events.append(Message(user, draw.randrange(1, 25), moment, who))
    return events


DAYS = [DAY - timedelta(k) for k in range(5, -1, -1)]


@pytest.mark.parametrize("seed", range(3))
def test_days_loaded_in_any_order_and_again_are_the_same_rows(seed: int, opened: Open) -> None:
    events = history(seed)
    pair = opened(*events)
    orders = [DAYS, DAYS[::-1], random.Random(seed).choices(DAYS, k=8)]
    tables = []
    for order in orders:
        etl.forget(pair.db)
        for day in [*order, *(day for day in DAYS if day not in order)]:
            pair.load(day)
        tables.append(whole(pair.db))
    assert all(table == tables[0] for table in tables)
    for day in DAYS:
        assert table_of(pair.db, day) == count(events, day), day


def test_a_day_does_not_change_when_later_days_come(opened: Open) -> None:
    events: list[Event] = [Message(1, 9, at()), View(9, 1, before(2), MAN)]
    pair = opened(*events)
    pair.load()
    first = whole(pair.db)
    append(pair.db, [View(9, 1, before(-1), WOMAN), Message(9, 1, before(-2), WOMAN)])
    pair.load(DAY + timedelta(2))
    pair.load()
    assert whole(pair.db)[: len(first)] == first
    # The later day registered the one between them, which was never loaded.
    later: list[Event] = [*events, View(9, 1, before(-1), WOMAN), Message(1, 9, before(-3))]
    append(pair.db, later[-1:])
    pair.load(DAY + timedelta(3))
    assert table_of(pair.db, DAY + timedelta(3))["gender", "0"]["messages_received"] == 1


def test_a_corrected_day_corrects_what_later_days_know(opened: Open) -> None:
    wrong = [View(9, 1, before(2), MAN), View(8, 1, before(2), MAN), View(7, 1, before(2), MAN)]
    today = [Message(1, 9, at()), Message(1, 8, at()), Message(1, 7, at())]
    pair = opened(*wrong, *today)
    pair.load(DAY - timedelta(2))
    pair.load()
    # 9 was a woman, 8 was never there, 7 stays.
    right: list[Event] = [View(9, 1, before(2), WOMAN), wrong[2], *today]
    write(pair.db, right)
    pair.load(DAY - timedelta(2))
    pair.load()
    assert table_of(pair.db) == count(right)
    assert table_of(pair.db)["gender", "unknown"]["messages_received"] == 1


def test_a_corrected_day_leaves_what_was_seen_after_it(opened: Open) -> None:
    # The second day changed nothing, so it had no row of its own until the first was corrected.
    later: list[Event] = [View(9, 1, before(2), MAN), Message(1, 9, at())]
    pair = opened(View(9, 1, before(3), MAN), *later)
    pair.load()
    right: list[Event] = [View(9, 1, before(3), WOMAN), *later]
    write(pair.db, right)
    pair.load(DAY - timedelta(3))
    pair.load()
    assert table_of(pair.db) == count(right)


def rows_of_history(db: Connection) -> int:
    return int(db.client.query("SELECT count() FROM user_attributes_v1").result_rows[0][0])


def test_the_history_of_attributes_has_a_row_per_change(opened: Open) -> None:
    days = [before(9), before(7), before(7) + timedelta(hours=1), before(5), before(4), before(1)]
    who = [MAN, WOMAN, MAN, MAN, WOMAN, MAN]  # as of its latest event, day 7 is a man's
    pair = opened(
        *(View(1, 1, when, was) for when, was in zip(days, who, strict=True)), View(2, 1, at())
    )
    pair.load()
    assert rows_of_history(pair.db) == 4  # user 1 from days 9, 4 and 1, user 2
    for days_ago in (1, 9, 5, 0, 4, 7):
        pair.load(DAY - timedelta(days_ago))
    assert rows_of_history(pair.db) == 4


def test_the_past_is_not_scanned_again(opened: Open) -> None:
    pair = opened(*history(2))
    pair.load(DAY - timedelta(1))
    spent = pair.source.usage.rows_read
    pair.load()
    today = sum(event.time.astimezone(at().tzinfo).date() == DAY for event in history(2))
    assert pair.source.usage.rows_read - spent == today
    pair.load()
    assert pair.source.usage.rows_read - spent == 2 * today


# ---- backfill -----------------------------------------------------------------------


def test_a_backfill_loads_every_full_day_and_says_which_were_empty(
    place: Settings, opened: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = [View(1, 1, before(4)), Message(1, 2, before(1)), View(1, 1, at())]
    pair = opened(*events)
    result = etl.backfill(place)
    assert str(result) == (
        "Backfill 2023-01-16 to 2023-01-20: 3 days loaded, "
        "2 days without events (2023-01-17, 2023-01-18)."
    )
    assert etl.loaded_days(pair.db) == [DAY - timedelta(4), DAY - timedelta(1), DAY]
    assert "backfill: 2023-01-16 (1 of 5)" in capsys.readouterr().err
    again = etl.backfill(place)
    assert (again.loaded, again.skipped) == ((), result.loaded)
    assert etl.backfill(place, redo=True).loaded == result.loaded
    for day in result.loaded:
        assert table_of(pair.db, day) == count(events, day)


def test_a_backfill_resumes_and_keeps_to_its_range(place: Settings, opened: Open) -> None:
    pair = opened(*history(3))
    pair.load(DAYS[2])
    result = etl.backfill(place, DAYS[1], DAYS[4])
    assert result.skipped == (DAYS[2],)
    assert etl.loaded_days(pair.db) == DAYS[1:5]
    for day in DAYS[1:5]:
        assert table_of(pair.db, day) == count(history(3), day)


def test_a_day_that_fails_does_not_keep_a_backfill_from_the_others(
    place: Settings, opened: Open
) -> None:
    pair = opened(*history(3), View(1, 1, before(4), WOMAN, "share"))
    expected = "1 day of 6 failed a check .2023-01-16., the others are loaded. .*unknown_actions: 1"
    with pytest.raises(QualityError, match=expected):
        etl.backfill(place)
    assert etl.loaded_days(pair.db) == [day for day in DAYS if day != DAY - timedelta(4)]


def test_a_day_that_is_not_over_is_not_loaded(place: Settings, opened: Open) -> None:
    now = datetime.now(place.zone)
    today = now.date()
    pair = opened(View(1, 1, now), View(1, 1, now - timedelta(1)), View(1, 1, now + timedelta(90)))
    assert etl.backfill(place).loaded == (today - timedelta(1),)
    with pytest.raises(ParameterError, match=f"{today} is not over"):
        etl.backfill(place, last=today)
    with pytest.raises(ParameterError, match=f"{today} is not over"):
        etl.backfill(place, today)
    # A history that was built says itself when it ends.
    pair.db.execute("source_info/create", database="app")
    pair.db.client.insert(
        "source_info", [["today", f'"{today - timedelta(1)}"']], ["key", "value"], database="app"
    )
    with pytest.raises(ParameterError, match=f"{today - timedelta(1)} is not over"):
        etl.backfill(place, last=today - timedelta(1))
    pair.db.client.command("DROP TABLE app.source_info")


def test_a_backfill_of_nothing_is_refused(place: Settings, opened: Open) -> None:
    opened()
    with pytest.raises(NoDataError, match="source has no events; make demo or make load fills it"):
        etl.backfill(place)


def test_a_source_without_tables_says_what_fills_it(place: Settings, opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.db.execute("app/drop", table="feed_actions")
    expected = "The source has no events.*no table app.feed_actions.*make demo or make load fills"
    with warehouse.open_source(place) as source, pytest.raises(NoDataError, match=expected):
        etl.require_events(source, DAY, tz=place.tz)
    with pytest.raises(NoDataError, match=expected):
        etl.backfill(place)


def test_a_range_outside_the_history_is_refused(place: Settings, opened: Open) -> None:
    pair = opened(View(1, 1, before(2)), Message(1, 2, at()))
    early, late = DAY - timedelta(9), DAY + timedelta(2)
    extent = f"there are some from {DAY - timedelta(2)} to {DAY}"
    for first, last, expected in (
        (early, early + timedelta(1), f"events from {early} to {early + timedelta(1)}; {extent}"),
        (None, early, f"events to {early}; {extent}"),
        (late, None, f"events from {late} on; {extent}"),
        (late, late, f"events from {late} to {late}; {extent}"),
    ):
        with pytest.raises(NoDataError, match=expected):
            etl.backfill(place, first, last)
    with pytest.raises(ParameterError, match=f"first day {DAY} is after the last one {early}"):
        etl.backfill(place, DAY, early)
    assert etl.loaded_days(pair.db) == []
    # One that reaches beyond it begins with it, and tells of days after it.
    result = etl.backfill(place, early, late)
    assert (result.first, result.last) == (DAY - timedelta(2), late)
    assert result.loaded == (DAY - timedelta(2), DAY)
    assert result.empty == (DAY - timedelta(1), DAY + timedelta(1), late)


# ---- tables -------------------------------------------------------------------------


def test_staging_tables_of_killed_runs_are_removed(opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.load()
    pair.db.execute("daily_metrics_v1/create_staging", table="staging_dead")
    pair.db.execute("daily_metrics_v1/create_users", table="staging_dead_users")
    pair.load()
    assert staged(pair.db) == []


def test_forgetting_leaves_nothing_that_was_computed(opened: Open) -> None:
    pair = opened(*PLAIN)
    pair.load()
    etl.forget(pair.db)
    assert list(warehouse.tables(pair.db).index) == []
    assert etl.loaded_days(pair.db) == []


def test_the_version_is_that_of_the_rows(opened: Open) -> None:
    pair = opened(*history(0))
    pair.load(DAYS[0])
    pair.load(DAYS[1])
    version = etl.data_version(pair.db)
    pair.load(DAYS[0])
    assert etl.data_version(pair.db) == version
    append(pair.db, [View(1, 1, before(5))])
    pair.load(DAYS[0])
    assert etl.data_version(pair.db) != version


def test_metrics_by_day_show_missing_days_as_missing(opened: Open) -> None:
    pair = opened(View(1, 1, before(4)), Message(1, 2, before(2)), View(1, 1, at(), MAN))
    for days in (4, 2, 0):
        pair.load(DAY - timedelta(days))
    frame = daily.read(pair.db, ("views", "ctr"), last=DAY)
    assert list(frame.index) == list(pd.date_range("2023-01-16", "2023-01-20"))
    assert frame["views"].fillna(-1).tolist() == [1, -1, 0, -1, 1]
    assert frame["ctr"].fillna(-1).tolist() == [0, -1, -1, -1, 0]
    until = daily.read(pair.db, ("views",), first=DAY - timedelta(3), last=DAY - timedelta(1))
    assert until["views"].tolist() == [0]  # ends with the last loaded day
    by = daily.read_by(pair.db, "os", ("views", "ctr"), last=DAY)
    assert by["views", "iOS"].fillna(-1).tolist() == [1, -1, 0, -1, -1]
    assert by["views", "Android"].fillna(-1).tolist() == [-1, -1, -1, -1, 1]
    assert by["ctr", "unknown"].isna().all()
    assert daily.read(pair.db, ("views",), last=DAY - timedelta(9)).empty
    etl.forget(pair.db)
    with pytest.raises(NoDataError, match="make backfill"):
        daily.read(pair.db, ("views",), last=DAY)


# ---- a server -----------------------------------------------------------------------


def test_a_server_gives_the_same_rows_and_keeps_what_others_stage(
    place: Settings, opened: Open
) -> None:
    pair = opened(*history(1))
    for day in DAYS:
        pair.load(day)
    here, spent = whole(pair.db), pair.source.usage.rows_read
    etl.forget(pair.db)
    with bridge.listen(place) as address:
        there = Settings(home=place.home, warehouse=address)
        with warehouse.open_source(there) as source, warehouse.open_warehouse(there) as db:
            for day in DAYS:
                etl.run_day(db, source, day, tz=there.tz)
            db.execute("daily_metrics_v1/create_staging", table="staging_of_another")
            etl.run_day(db, source, DAY, tz=there.tz)
            assert staged(db) == ["staging_of_another"]
            dead = pd.Series({"staging_of_another": 24})
            staging.remove_dead(db, dead)
            assert staged(db) == []
            assert source.usage.rows_read > spent / 2
    assert whole(pair.db) == here
