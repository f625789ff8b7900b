"""15-minute slices: each number against the events themselves, whatever happens in between."""

import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from nbtools import bridge, slices, slicing, warehouse
from nbtools.errors import NoDataError, SettingsError
from nbtools.metrics import CATALOGUE, SLICE_METRICS
from nbtools.settings import PROJECT, Settings
from nbtools.slices import Filled, History
from nbtools.slicing import Slicing
from nbtools.warehouse import Connection
from tests import dying
from tests.conftest import copy_home
from tests.events import ZONE, write

NOON = datetime(2023, 1, 20, 12, tzinfo=ZONE)
QUARTER = timedelta(minutes=15)
COUNTS = [slug for slug in SLICE_METRICS if slug != "ctr"]
Open = tuple[Connection, Connection]
Cell = tuple[datetime, str, str]


class Event(NamedTuple):
    """Something that a user did: ``view``, ``like`` or ``message``."""

    user: int
    what: str
    time: datetime
    os: str = "iOS"
    source: str = "ads"
    city: str = "Moscow"


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def add(db: Connection, events: Sequence[Event], zone: ZoneInfo = ZONE) -> None:
    """Append events to the app's history."""
    common = ["user_id", "time", "os", "source", "city", "gender", "age", "country", "exp_group"]
    feed, messages = [], []
    for event in events:
        row = [event.user, event.time.astimezone(zone), event.os, event.source, event.city]
        row += [0, 25, "Russia", 0]
        if event.what == "message":
            messages.append([*row, event.user + 1])
        else:
            feed.append([*row, 7, event.what])
    for table, rows, more in (
        ("feed_actions", feed, ["post_id", "action"]),
        ("message_actions", messages, ["reciever_id"]),
    ):
        if rows:
            db.client.insert(table, rows, [*common, *more], database="app")


def steady(first: int, last: int, *, user: int = 1, step: float = 1) -> list[Event]:
    """Return a view and a message at every step of some minutes, so that data are known to come."""
    times = [minute(first + step * k) for k in range(int((last - first) / step))]
    return [Event(user, what, moment) for moment in times for what in ("view", "message")]


def drawn(
    seed: int, *, start: datetime = NOON, hours: float = 30, count: int = 3000
) -> list[Event]:
    """Return a history in which users come, go, and change their system and source."""
    draw = random.Random(seed)
    return [
        Event(
            int(draw.triangular(1, 400, 1 + 400 * k / count)),
            draw.choice(("view", "view", "like", "message")),
            start + timedelta(seconds=draw.randrange(int(hours * 3600))),
            draw.choice(("iOS", "Android", "Android")),
            draw.choice(("ads", "organic")),
            draw.choice(("Moscow", "Kazan", "Omsk", "Tver")),
        )
        for k in range(count)
    ]


def count(
    events: Sequence[Event],
    first: datetime,
    last: datetime,
    dimensions: Sequence[str] = ("os", "source"),
) -> dict[Cell, dict[str, int]]:
    """Count by hand what a table from one slice to another should hold, empty rows left out."""
    births: dict[int, Event] = {}
    groups: dict[Cell, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda one: (one.time, one.os, one.source, one.city)):
        births.setdefault(event.user, event)
        if first <= event.time < last:
            begin = first + (event.time - first) // QUARTER * QUARTER
            for name in ("total", *dimensions):
                groups[begin.astimezone(UTC), name, getattr(event, name, name)].append(event)
    return {key: _counts(group, births) for key, group in groups.items()}


def _counts(events: Sequence[Event], births: dict[int, Event]) -> dict[str, int]:
    feed = {event.user for event in events if event.what != "message"}
    senders = {event.user for event in events if event.what == "message"}
    return {
        "feed_users": len(feed),
        "messenger_users": len(senders),
        "app_users": len(feed | senders),
        "views": sum(event.what == "view" for event in events),
        "likes": sum(event.what == "like" for event in events),
        "messages_sent": sum(event.what == "message" for event in events),
        "new_users": len({event.user for event in events if births[event.user] is event}),
    }


def stored(db: Connection) -> dict[Cell, dict[str, int]]:
    """Return the rows of the table that are not empty."""
    text = """
        SELECT slice, toString(dimension), toString(dimension_value), feed_users, messenger_users,
               feed_users + messenger_users - both_users, views, likes, messages_sent, new_users
        FROM slice_metrics_v1 FINAL WHERE feed_users + messenger_users > 0"""
    return {
        (row[0].replace(tzinfo=UTC), row[1], row[2]): dict(zip(COUNTS, row[3:], strict=True))
        for row in db.client.query(text, query_tz="UTC").result_rows
    }


def instants(db: Connection) -> list[datetime]:
    """Return the slices that are in the table at all."""
    text = "SELECT DISTINCT slice FROM slice_metrics_v1 WHERE dimension = 'total' ORDER BY slice"
    found = db.client.query(text, query_tz="UTC").result_rows
    return [moment.replace(tzinfo=UTC) for (moment,) in found]


@pytest.fixture
def opened(home: Settings) -> Iterator[Open]:
    with warehouse.open_source(home), warehouse.open_warehouse(home) as db:
        write(db, [])
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        yield db, source


def fill(opened: Open, at: datetime, **options: object) -> Filled:
    return slices.fill(*opened, at=at, **options)  # type: ignore[arg-type]


def read(opened: Open, filled: Filled, **options: object) -> History:
    return slices.read(opened[0], filled, zone=ZONE, **options)  # type: ignore[arg-type]


def views(opened: Open, filled: Filled) -> list[float]:
    return list(read(opened, filled).values["views", "total", "total"])


# The demo history against the engine's own count of single slices.


class Demo(NamedTuple):
    """The first days of the demo history, filled."""

    home: Settings
    filled: Filled
    history: History


@pytest.fixture(scope="module")
def demo_slices(demo_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    copy = copy_home(demo_home, tmp_path_factory.mktemp("slices") / "home")
    at = datetime(2022, 12, 9, 12, 26, tzinfo=ZONE)
    with warehouse.open_source(copy) as source, warehouse.open_warehouse(copy) as db:
        filled = slices.fill(db, source, at=at)
        return Demo(copy, filled, slices.read(db, filled, zone=ZONE))


DIRECT = {
    "feed_users": "uniqExactIf(user_id, what != 'message')",
    "messenger_users": "uniqExactIf(user_id, what = 'message')",
    "app_users": "uniqExact(user_id)",
    "views": "countIf(what = 'view')",
    "likes": "countIf(what = 'like')",
    "ctr": "countIf(what = 'like') / countIf(what = 'view')",
    "messages_sent": "countIf(what = 'message')",
    "new_users": """uniqExactIf(user_id, (user_id, time) IN (
        SELECT user_id, min(time) FROM (
            SELECT user_id, time FROM app.feed_actions
            UNION ALL SELECT user_id, time FROM app.message_actions) GROUP BY user_id))""",
}


@pytest.mark.parametrize("slug", SLICE_METRICS)
def test_a_metric_of_a_slice_is_what_the_events_say(slug: str, demo_slices: Demo) -> None:
    history = demo_slices.history
    draw = random.Random(slug)
    events = """
        SELECT user_id, time, toString(action) AS what, os, source FROM app.feed_actions
        UNION ALL
        SELECT user_id, time, 'message' AS what, os, source FROM app.message_actions"""
    with warehouse.open_warehouse(demo_slices.home) as db:
        for key in [key for key in history.values if key[0] == slug]:
            for number in [history.size - 1, *draw.sample(range(96, history.size), 6)]:
                begin = int(history.moment(number).timestamp())
                where = "" if key[1] == "total" else f"AND {key[1]} = '{key[2]}'"
                text = f"""SELECT {DIRECT[slug]} FROM ({events})
                    WHERE toUnixTimestamp(time) - {begin} BETWEEN 0 AND 899 {where}"""
                expected = db.client.query(text).result_rows[0][0]
                assert np.array_equal(history.values[key][number], expected, equal_nan=True), key


def test_the_segments_of_the_demo_are_there_and_add_up(demo_slices: Demo) -> None:
    history = demo_slices.history
    assert history.start == datetime(2022, 12, 5, tzinfo=ZONE)
    assert history.moment(-1) == datetime(2022, 12, 9, 12, tzinfo=ZONE)
    places = {key[1:] for key in history.values}
    assert places == {
        ("total", "total"),
        ("os", "Android"),
        ("os", "iOS"),
        ("source", "ads"),
        ("source", "organic"),
    }
    for slug in ("views", "likes", "messages_sent", "new_users"):
        total = history.values[slug, "total", "total"]
        assert total.size == 4 * 96 + 49
        for dimension in ("os", "source"):
            parts = [history.values[key] for key in history.values if key[:2] == (slug, dimension)]
            assert np.array_equal(sum(parts), total, equal_nan=True)
    exposure = history.exposure["ctr", "os", "iOS"]
    assert np.array_equal(exposure, history.values["views", "os", "iOS"])


def test_every_new_user_is_new_once(demo_slices: Demo) -> None:
    text = f"""SELECT uniqExact(user_id) FROM (
        SELECT user_id, time FROM app.feed_actions
        UNION ALL SELECT user_id, time FROM app.message_actions)
        WHERE time < toDateTime({demo_slices.filled.end.timestamp():.0f})"""
    with warehouse.open_warehouse(demo_slices.home) as db:
        users = int(db.client.query(text).result_rows[0][0])
    for dimension in ("total", "os", "source"):
        series = [
            values
            for key, values in demo_slices.history.values.items()
            if key[:2] == ("new_users", dimension)
        ]
        assert np.sum(series) == users


# Drawn histories against a count in plain Python, filled in all kinds of ways.


@pytest.mark.parametrize("seed", range(2))
def test_checks_at_any_moments_give_what_one_fill_gives(seed: int, opened: Open) -> None:
    events = [*drawn(seed), Event(1, "view", minute(1800)), Event(1, "message", minute(1800))]
    add(opened[0], events)
    draw = random.Random(seed)
    moments = sorted(minute(draw.uniform(1, 1800)) for _ in range(8))
    for at in moments:
        filled = fill(opened, at)
        seen = [event for event in events if event.time < at.replace(microsecond=0)]
        last = filled.end if filled.first_missing is None else filled.feed_arrived
        assert filled.end <= at < filled.end + QUARTER
        expected = count(seen, NOON, last.astimezone(ZONE))
        got = {key: row for key, row in stored(opened[0]).items() if key[0] < last}
        assert got == {k: v for k, v in expected.items() if k[0] < last}
    final = fill(opened, minute(1801))
    assert stored(opened[0]) == count(events, NOON, final.end.astimezone(ZONE))


def test_a_replay_over_a_filled_table_shows_what_was_known_then(opened: Open) -> None:
    events = [*drawn(5, hours=6, count=600), *steady(300, 360, step=7)]
    add(opened[0], events)
    moments = [minute(20), minute(47), minute(200.5), minute(290)]
    then = [(filled := fill(opened, at), read(opened, filled)) for at in moments]
    fill(opened, minute(361))
    before = stored(opened[0])
    for at, (filled, history) in zip(moments, then, strict=True):
        again = fill(opened, at)
        assert again._replace(written=None) == filled._replace(written=None)
        assert again.written is None
        assert np.array_equal(
            read(opened, again).values["new_users", "total", "total"],
            history.values["new_users", "total", "total"],
            equal_nan=True,
        )
        for key, series in history.values.items():
            assert np.array_equal(read(opened, again).values[key], series, equal_nan=True), key
    assert stored(opened[0]) == before


def test_an_event_after_the_moment_is_not_read(opened: Open) -> None:
    add(opened[0], steady(0, 20))
    add(opened[0], [Event(9, "view", minute(40))])
    filled = fill(opened, minute(40))
    assert filled.newest == minute(19)
    assert filled.newest_feed == minute(19)
    assert filled.feed_arrived == minute(15)


def test_events_that_come_within_two_hours_are_taken_in(opened: Open) -> None:
    events = [*steady(0, 300), Event(70, "view", minute(178))]
    add(opened[0], events)
    fill(opened, minute(185))
    late = [Event(50, "like", minute(70), "Android"), Event(1, "view", minute(75))]
    # Users who are new at two places: both late, and one known from a later event.
    late += [Event(60, "view", minute(170)), Event(60, "message", minute(100))]
    late += [Event(70, "message", minute(100))]
    add(opened[0], late)
    fill(opened, minute(186))
    assert stored(opened[0]) == count([*events, *late], NOON, minute(180))
    # What is read again begins between the two events, more than once.
    for last in (240, 255, 300):
        fill(opened, minute(last))
        assert stored(opened[0]) == count([*events, *late], NOON, minute(last))


def test_the_beginning_of_an_app_may_come_late(opened: Open) -> None:
    add(opened[0], steady(60, 90))
    fill(opened, minute(90))
    add(opened[0], steady(20, 60, user=2))
    filled = fill(opened, minute(90))
    assert filled.start == minute(15)
    expected = count([*steady(60, 90), *steady(20, 60, user=2)], NOON, minute(90))
    assert stored(opened[0]) == expected
    assert read(opened, filled).start == minute(15)


def test_events_that_come_later_are_taken_in_when_asked_for(opened: Open) -> None:
    events = steady(0, 300)
    add(opened[0], events)
    fill(opened, minute(290))
    late = [Event(50, "like", minute(20), "Android"), Event(50, "view", minute(200))]
    add(opened[0], late)
    fill(opened, minute(290))
    assert stored(opened[0]) != count([*events, *late], NOON, minute(285))
    fill(opened, minute(290), since=minute(17))
    assert stored(opened[0]) == count([*events, *late], NOON, minute(285))


def test_an_event_that_is_withdrawn_leaves_its_slice(opened: Open) -> None:
    add(opened[0], [*steady(0, 60), Event(5, "view", minute(31), "Symbian")])
    fill(opened, minute(60))
    write(opened[0], [])
    add(opened[0], steady(0, 60))
    fill(opened, minute(60))
    assert stored(opened[0]) == count(steady(0, 60), NOON, minute(60))


def test_a_pause_of_days_is_caught_up(opened: Open) -> None:
    early, late = (
        steady(0, 60),
        [
            Event(event.user + 5, event.what, event.time + timedelta(days=12))
            for event in steady(0, 60)
        ],
    )
    add(opened[0], [*early, *late])
    fill(opened, minute(60))
    filled = fill(opened, minute(60) + timedelta(days=12))
    assert stored(opened[0]) == count([*early, *late], NOON, filled.end.astimezone(ZONE))
    assert len(instants(opened[0])) == 12 * 96 + 4
    history = read(opened, filled, days=3)
    assert history.start == datetime(2023, 1, 23, tzinfo=ZONE)  # a Monday, at least three days ago
    assert history.size == 9 * 96 + 13 * 4
    assert not np.isnan(history.values["views", "total", "total"]).any()
    assert history.values["new_users", "total", "total"].sum() == 1


# What is missing, and what is zero.


def test_a_slice_that_is_not_over_is_never_there(opened: Open) -> None:
    add(opened[0], steady(0, 60))
    filled = fill(opened, minute(44))
    assert filled.end == minute(30)
    assert instants(opened[0]) == [minute(0), minute(15)]
    assert read(opened, filled).moment(-1) == minute(15)


def test_the_last_slice_is_known_at_its_end_when_events_are_up_to_the_minute(opened: Open) -> None:
    add(opened[0], steady(0, 60, step=0.5))
    filled = fill(opened, minute(45))
    assert filled.first_missing is None
    assert views(opened, filled) == [30, 30, 30]


def test_silence_is_missing_and_not_zero(opened: Open) -> None:
    add(opened[0], steady(0, 38))
    filled = fill(opened, minute(70))
    assert filled.end == minute(60)
    assert filled.first_missing == minute(30)
    assert filled.no_data_since == minute(37)
    assert instants(opened[0]) == [minute(0), minute(15)]
    assert views(opened, filled)[:2] == [15, 15]
    assert np.isnan(views(opened, filled)[2:]).all()
    # The same hours later, and in another fill.
    assert fill(opened, minute(700)).no_data_since == minute(37)


def test_silence_becomes_zero_when_newer_events_come(opened: Open) -> None:
    add(opened[0], steady(0, 38))
    fill(opened, minute(90))
    add(opened[0], steady(95, 100))
    filled = fill(opened, minute(100))
    assert filled.first_missing is None
    assert filled.no_data_since is None
    assert views(opened, filled) == [15, 15, 8, 0, 0, 0]


def test_a_slice_that_comes_an_hour_late_is_zero_until_then(opened: Open) -> None:
    late = steady(30, 45)
    add(opened[0], [*steady(0, 30), *steady(45, 120)])
    assert views(opened, fill(opened, minute(80))) == [15, 15, 0, 15, 15]
    add(opened[0], late)
    assert views(opened, fill(opened, minute(110))) == [15] * 7
    assert stored(opened[0]) == count(steady(0, 120), NOON, minute(105))


def test_a_quiet_messenger_is_waited_for_and_then_zero(opened: Open) -> None:
    feed = [event for event in steady(0, 120) if event.what == "view"]
    add(opened[0], [*feed, Event(3, "message", minute(2)), Event(3, "message", minute(50))])

    def sent(filled: Filled) -> list[float]:
        return list(read(opened, filled).values["messages_sent", "total", "total"])

    early, later = fill(opened, minute(35)), fill(opened, minute(40))
    assert early.messages_arrived == minute(15)
    assert early.feed_arrived == minute(30)
    assert np.array_equal(sent(early), [1, np.nan], equal_nan=True)
    assert sent(later) == [1, 0]
    assert later.no_data_since is None
    assert later.newest_message == minute(2)
    impatient = Slicing(grace_minutes=0)
    assert sent(fill(opened, minute(46), slicing=impatient)) == [1, 0, 0]


def test_both_services_are_waited_for_where_a_metric_needs_both(opened: Open) -> None:
    feed = [event for event in steady(0, 60) if event.what == "view"]
    add(opened[0], [*feed, Event(3, "message", minute(2))])
    filled = fill(opened, minute(35))
    values = read(opened, filled).values
    assert np.array_equal(values["new_users", "total", "total"], [2, np.nan], equal_nan=True)
    assert np.array_equal(values["app_users", "total", "total"], [2, np.nan], equal_nan=True)
    assert values["feed_users", "total", "total"].tolist() == [1, 1]


def test_a_service_that_does_not_exist_yet_is_missing(opened: Open) -> None:
    feed = [event for event in steady(0, 120) if event.what == "view"]
    add(opened[0], feed)
    filled = fill(opened, minute(31))
    assert filled.newest_message is None
    assert filled.first_missing is None
    values = read(opened, filled).values
    assert np.isnan(values["messages_sent", "total", "total"]).all()
    assert values["new_users", "total", "total"].tolist() == [1, 0]
    add(opened[0], [Event(3, "message", minute(50))])
    values = read(opened, fill(opened, minute(101))).values
    sent = values["messages_sent", "total", "total"].tolist()
    assert np.array_equal(sent, [np.nan, np.nan, np.nan, 1, 0, 0], equal_nan=True)
    # A window that begins later knows that it was there before.
    wednesday = 5 * 24 * 60
    later = steady(wednesday - 60, wednesday + 11)
    add(opened[0], [event for event in later if event.what == "view"])
    short = read(opened, fill(opened, minute(wednesday + 11)), days=0)
    assert short.start == datetime(2023, 1, 23, tzinfo=ZONE)
    assert set(short.values["messages_sent", "total", "total"]) == {0}


def test_a_segment_that_falls_silent_is_zero(opened: Open) -> None:
    android = [event._replace(user=2, os="Android") for event in steady(0, 20)]
    add(opened[0], [*steady(0, 60), *android])
    filled = fill(opened, minute(60))
    history = read(opened, filled)
    assert history.values["views", "os", "Android"].tolist() == [15, 5, 0, 0]
    ctr = history.values["ctr", "os", "Android"]
    assert np.array_equal(ctr, [0, 0, np.nan, np.nan], equal_nan=True)
    assert history.exposure["ctr", "os", "Android"].tolist() == [15, 5, 0, 0]
    text = "SELECT count() FROM slice_metrics_v1 FINAL WHERE dimension_value = 'Android'"
    assert int(opened[0].client.query(text).result_rows[0][0]) == 4


def test_the_first_slice_of_an_app_is_enough(opened: Open) -> None:
    add(opened[0], steady(7, 16))
    filled = fill(opened, minute(16))
    history = read(opened, filled)
    assert (history.start, history.size) == (NOON, 1)
    assert history.values["new_users", "total", "total"].tolist() == [1]
    assert fill(opened, minute(14)).end == NOON


def test_a_source_without_events_is_refused_in_one_line(opened: Open, home: Settings) -> None:
    with pytest.raises(NoDataError, match="The source has no events; make demo or make load"):
        fill(opened, minute(0))
    add(opened[0], steady(0, 30))
    slices.require_events(opened[1], minute(1))
    said = r"The source has no events before 2023-01-20 11:59; they begin 2023-01-20 12:00\."
    for _ in range(2):
        with pytest.raises(NoDataError, match=said):
            fill(opened, minute(-1))
        with pytest.raises(NoDataError, match=said):
            slices.require_events(opened[1], minute(-1))
        fill(opened, minute(31))
    opened[0].execute("app/drop", table="feed_actions")
    with (
        warehouse.open_source(home) as source,
        pytest.raises(NoDataError, match=r"There is no table app\.feed_actions"),
    ):
        fill((opened[0], source), minute(31))


# Days on which clocks change.


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2023, 3, 26), 23), (date(2022, 10, 30), 25)], ids=str
)
def test_every_slice_of_a_day_on_which_clocks_change_is_there_once(
    day: date, hours: int, opened: Open
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    first = midnight.astimezone(UTC)
    assert (midnight + timedelta(1)).astimezone(UTC) - first == timedelta(hours=hours)
    for table in ("feed_actions", "message_actions"):
        opened[0].execute("app/drop", table=table)
        opened[0].execute(f"app/{table}", table=table, tz=str(zone))
    events = [
        Event(k, what, first + timedelta(minutes=3, seconds=900 * k))
        for k in range(hours * 4)
        for what in ("view", "message")
    ]
    add(opened[0], events, zone)
    filled = fill(opened, first + timedelta(hours=hours))
    history = slices.read(opened[0], filled, zone=zone)
    assert history.start == midnight
    assert history.size == hours * 4
    assert history.moment(-1) == midnight.replace(hour=23, minute=45)
    # The last one has not arrived: nothing newer is there.
    assert instants(opened[0]) == [first + QUARTER * k for k in range(hours * 4 - 1)]
    assert history.values["new_users", "total", "total"][:-1].tolist() == [1] * (hours * 4 - 1)


# Dimensions by configuration.


def test_a_change_of_the_dimensions_fills_the_table_anew(opened: Open) -> None:
    events = [*drawn(3, hours=3, count=500), *steady(170, 181, step=0.5)]
    add(opened[0], events)
    fill(opened, minute(181))
    by_city = Slicing(dimensions=("os", "city"), kept=(("city", "Moscow"), ("city", "Kazan")))
    filled = fill(opened, minute(181), slicing=by_city)
    kept = [
        event._replace(city=event.city if event.city in {"Moscow", "Kazan"} else "other")
        for event in events
    ]
    # The birth of a user is the first event, whatever the city is called.
    assert stored(opened[0]) == count(kept, NOON, minute(180), ("os", "city"))
    places = {key[1:] for key in read(opened, filled, slicing=by_city).values}
    assert places >= {("city", "Moscow"), ("city", "Kazan"), ("city", "other"), ("os", "iOS")}
    assert len(places) == 6


def test_a_dimension_of_too_many_values_is_refused_in_one_line(opened: Open) -> None:
    add(opened[0], [event._replace(os=f"os {k}") for k, event in enumerate(steady(0, 60))])
    with pytest.raises(SettingsError, match=r"os has \d+ values, at most 50 can be kept; say") as e:
        fill(opened, minute(60))
    assert "\n" not in str(e.value)
    assert not instants(opened[0])
    fill(opened, minute(60), slicing=Slicing(kept=(("os", "os 1"),)))
    text = "SELECT DISTINCT toString(dimension_value) FROM slice_metrics_v1 WHERE dimension = 'os'"
    assert {row[0] for row in opened[0].client.query(text).result_rows} == {"os 1", "other"}


def test_the_file_of_the_checkout_adds_cities_to_the_default() -> None:
    found = slicing.load(PROJECT / "no such home")
    assert found.dimensions == (*slicing.DEFAULT.dimensions, "city")
    assert ("city", "Moscow") in found.kept
    assert {dimension for dimension, _ in found.kept} == {"city"}
    waits = found.grace_minutes, found.late_minutes
    assert waits == (slicing.DEFAULT.grace_minutes, slicing.DEFAULT.late_minutes)


def test_a_home_may_have_its_own_file(home: Settings) -> None:
    home.home.mkdir(parents=True)
    text = "dimensions: [gender, {city: [Moscow, Kazan]}]\ngrace_minutes: 3\n"
    (home.home / "slices.yml").write_text(text)
    found = slicing.load(home.home)
    assert found.dimensions == ("gender", "city")
    assert found.kept == (("city", "Moscow"), ("city", "Kazan"))
    assert (found.grace_minutes, found.late_minutes) == (3, 120)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dimensions: [os, age]", "dimensions: 'age' is none of os, source, country, city"),
        ("dimensions: [os, os]", "dimensions: os stands there twice"),
        ("dimensions: [city]", r"dimensions: city must say what to keep, such as - city: \[Mosc"),
        ("dimensions: [{city: []}]", "dimensions: city must say what to keep"),
        (f"dimensions: [city: {[f'c{k}' for k in range(60)]}]", "city keeps 60 values, at most 50"),
        ("dimensions: [os]\ngrace: 1", "grace: Extra inputs are not permitted"),
        ("dimensions: [os]\ngrace_minutes: -1", "grace_minutes: Input should be greater"),
        ("dimensions: [", "is not YAML"),
        ("\xff", "is not UTF-8 text"),
        ("5", "the file: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, said: str, home: Settings) -> None:
    home.home.mkdir(parents=True)
    (home.home / "slices.yml").write_text(text, "latin-1")
    with pytest.raises(SettingsError, match=said) as caught:
        slicing.load(home.home)
    assert str(home.home / "slices.yml") in str(caught.value)
    assert "\n" not in str(caught.value)


# Two at once, and kills.


def test_fills_at_once_give_right_rows(home: Settings) -> None:
    events = [*drawn(8, hours=26), *steady(1560, 1576, step=0.5)]
    with warehouse.open_warehouse(home) as db:
        write(db, [])
        add(db, events)

    def run(minutes: Sequence[float]) -> None:
        with warehouse.open_source(served) as source, warehouse.open_warehouse(served) as db:
            for number in minutes:
                slices.fill(db, source, at=minute(number))

    # Through a server, because the embedded engine lets one at a time in.
    with bridge.listen(home) as url:
        dsn = f"clickhouse://{urlsplit(url).netloc}"
        served = home.model_copy(update={"warehouse": dsn, "source": dsn})
        run([1])
        schedules: list[list[float]] = [[700, 1300, 1575], [200, 1000, 1500, 1575], [1575]]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(run, schedules))
        with warehouse.open_warehouse(served) as db:
            assert stored(db) == count(events, NOON, minute(1575))
            assert warehouse.tables(db, "staging_").empty


def child(at: datetime, statements: int = 0) -> "subprocess.Popen[str]":
    work = "slices.fill(db, source, at=datetime.fromisoformat(sys.argv[1]))"
    return dying.start(work, at.isoformat(), statements)


def test_killed_before_any_statement_and_run_again(home: Settings) -> None:
    # Over the end of a month, so that there are pieces.
    start = datetime(2023, 1, 31, 22, tzinfo=UTC)
    events = [
        event._replace(time=start + (event.time - NOON))
        for event in [*drawn(4, hours=4, count=800), *steady(235, 241, step=0.5)]
    ]
    with warehouse.open_warehouse(home) as db:
        write(db, [])
        add(db, events)
    at = start + timedelta(minutes=241)
    expected = count(events, start, start + timedelta(minutes=240))
    statements = 5
    while True:
        process = child(at, statements)
        process.communicate()
        if process.returncode == 0:
            break  # the run was over before its last statement came
        assert process.returncode == -signal.SIGKILL
        with warehouse.open_warehouse(home) as db:
            if "slice_metrics_v1" in warehouse.tables(db).index:
                there = stored(db)
                assert all(expected[key] == row for key, row in there.items())
                moments = instants(db)
                assert moments == [start + QUARTER * k for k in range(len(moments))]
                if statements % 4 == 1:
                    slices.forget(db)
        # Two pieces of seven statements each: so each kind has its turn.
        statements += 2
    assert statements > 16
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        slices.fill(db, source, at=at)
        assert stored(db) == expected
        assert warehouse.tables(db, "staging_").empty


def test_killed_at_a_random_moment_and_run_again(home: Settings) -> None:
    events = [*drawn(6, hours=72), *steady(4310, 4321, step=0.5)]
    with warehouse.open_warehouse(home) as db:
        write(db, [])
        add(db, events)
    draw = random.Random(6)
    for _ in range(3):
        process = child(minute(4321))
        time.sleep(draw.uniform(0, 0.5))
        process.kill()
        process.communicate()
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        slices.fill(db, source, at=minute(4321))
        assert stored(db) == count(events, NOON, minute(4320))


# Cost.


def synthetic(db: Connection, days: int) -> None:
    """Fill the table with slices of some days before noon, and a register to match."""
    for table in ("slice_metrics_v1", "user_first_seen_v1"):
        db.execute("system/drop_table", table=table)
        db.execute(f"{table}/create")
    first = int(NOON.timestamp()) - days * 86400
    db.client.command(f"""
        INSERT INTO slice_metrics_v1
        SELECT toDateTime({first} + 900 * number, 'UTC'), segment.1, segment.2,
               500, 30, 5, 4000, 800, 100, 3, 0, 0, 'os; source', now64(6)
        FROM numbers({days * 96})
        ARRAY JOIN [('total', 'total'), ('os', 'iOS'), ('os', 'Android'),
                    ('source', 'ads'), ('source', 'organic')] AS segment
        SETTINGS max_partitions_per_insert_block = 1000""")


def test_the_cost_of_a_check_does_not_grow_with_the_history(opened: Open, home: Settings) -> None:
    add(opened[0], steady(-200, 60))
    rows = []
    for days in (40, 730):
        synthetic(opened[0], days)
        with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
            filled = slices.fill(db, source, at=minute(20))
            history = slices.read(db, filled, zone=ZONE)
            assert history.start == datetime(2022, 12, 19, tzinfo=ZONE)
            assert set(history.values["likes", "source", "ads"][:-96]) == {800}
            rows.append(db.usage.rows_read + source.usage.rows_read)
    assert rows[1] < rows[0] * 1.5
    assert rows[1] < 60_000


# The catalogue.


def test_a_metric_by_slice_has_the_definition_of_the_day() -> None:
    for slug, metric in SLICE_METRICS.items():
        assert metric.slug == slug
        if slug in CATALOGUE:
            day = CATALOGUE[slug]
            assert metric.sql == day.sql
            assert (metric.unit, metric.good, metric.style) == (day.unit, day.good, day.style)


def test_forgetting_drops_both_tables(opened: Open) -> None:
    add(opened[0], steady(0, 30))
    fill(opened, minute(30))
    slices.forget(opened[0])
    assert warehouse.tables(opened[0]).empty
    filled = fill(opened, minute(30))
    assert read(opened, filled).values["new_users", "total", "total"].tolist() == [1, 0]
