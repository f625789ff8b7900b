"""The rollup of users by day, against the events it was made of, counted by hand."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from nbtools import etl, user_days, warehouse
from nbtools.settings import Settings
from nbtools.warehouse import Connection
from tests import events
from tests.events import DAY, MAN, WOMAN, Message, View, at, before, like

TZ = str(events.ZONE)
NAMES = ("event_date", "user_id", "views", "likes", "messages_sent", "messages_received")
EVENTS = (
    View(1, 10, at(9), MAN),
    like(1, 10, at(9, 1), WOMAN),
    View(1, 11, at(9, 2), WOMAN),
    Message(1, 2, at(11), MAN),
    Message(1, 3, at(11)),
    Message(2, 1, at(13), MAN),
    View(4, 1, at(23, 59, 59)),
    View(4, 1, before(1)),
)


class Pair(NamedTuple):
    """Both connections of a home."""

    db: Connection
    source: Connection

    def rows(self, names: Sequence[str] = NAMES, day: date = DAY) -> list[Any]:
        """Return a day of the rollup."""
        chosen = f"FROM user_days_v1 WHERE event_date = '{day}' ORDER BY user_id"
        text = f"SELECT {', '.join(names)} {chosen}"
        return [tuple(row) for row in self.db.client.query(text).result_rows]

    def load(self, day: date = DAY, tz: str = TZ) -> None:
        etl.run_day(self.db, self.source, day, tz=tz)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("user-days"))


@pytest.fixture(scope="module")
def warm(place: Settings) -> Iterator[Connection]:
    with warehouse.open_warehouse(place) as db:
        events.write(db, [])
        yield db


@pytest.fixture
def pair(place: Settings, warm: Connection) -> Iterator[Pair]:
    etl.forget(warm)
    events.write(warm, EVENTS)
    with ExitStack() as stack:
        yield Pair(warm, stack.enter_context(warehouse.open_source(place)))


def test_each_user_who_acts_has_one_row_a_day(pair: Pair) -> None:
    pair.load()
    assert pair.rows() == [
        (DAY, 1, 2, 1, 2, 1),
        (DAY, 2, 0, 0, 1, 1),
        (DAY, 4, 1, 0, 0, 0),  # 3 only received
    ]
    pair.load()
    assert len(pair.rows()) == 3
    pair.load(DAY - timedelta(1))
    assert pair.rows(day=DAY - timedelta(1)) == [(DAY - timedelta(1), 4, 1, 0, 0, 0)]


def test_attributes_are_the_latest_and_the_least_of_the_feed(pair: Pair) -> None:
    pair.load()
    names = ("user_id", "gender", "age", "os", "low_gender", "low_age", "low_os")
    # User 1 wrote last as the woman; in the feed a man of 40 on Android came before.
    assert pair.rows(names) == [
        (1, "0", 25, "iOS", "0", 25, "Android"),
        (2, "1", 40, "Android", "", -1, ""),
        (4, "0", 25, "iOS", "0", 25, "iOS"),
    ]


def insert(db: Connection, table: str, other: str, rows: Sequence[tuple[Any, ...]]) -> None:
    names = ["user_id", "time", "source", "country", "city", "exp_group"]
    names += ["gender", "age", "os", *other.split()]
    rest: list[Any] = [0, 30, "iOS", 7, "view"]
    whole = [[*row, *rest][: len(names)] for row in rows]
    db.client.insert(table, whole, names, database="app")


def test_groups_and_places_are_those_of_the_feed_and_else_of_the_messages(pair: Pair) -> None:
    insert(
        pair.db,
        "feed_actions",
        "post_id action",
        [
            (5, at(8), "organic", "Russia", "Tula", 2),
            (5, at(7), "organic", "Belarus", "Minsk", 1),
        ],
    )
    insert(
        pair.db,
        "message_actions",
        "reciever_id",
        [
            (5, at(9), "ads", "Austria", "Graz", 0),
            (6, at(9), "organic", "Russia", "Tula", 3),
            (6, at(7), "organic", "Belarus", "Brest", 3),
        ],
    )
    pair.load()
    names = ("user_id", "source", "country", "city", "low_group", "high_group")
    assert pair.rows(names)[-2:] == [
        (5, "organic", "Belarus", "Minsk", 1, 2),
        (6, "organic", "Belarus", "Brest", -1, -1),
    ]


def test_days_cut_in_another_zone_do_not_count_and_are_loaded_again(
    place: Settings, pair: Pair
) -> None:
    assert user_days.loaded_days(pair.db, tz=TZ) == []
    etl.backfill(place)
    assert user_days.loaded_days(pair.db, tz=TZ) == [DAY - timedelta(1), DAY]
    assert user_days.loaded_days(pair.db, tz=TZ, first=DAY) == [DAY]
    assert user_days.loaded_days(pair.db, tz=TZ, last=DAY - timedelta(1)) == [DAY - timedelta(1)]
    pair.load(tz="UTC")
    assert user_days.loaded_days(pair.db, tz=TZ) == [DAY - timedelta(1)]
    assert user_days.loaded_days(pair.db, tz="UTC") == [DAY]
    assert etl.backfill(place).loaded == (DAY,)
    assert user_days.loaded_days(pair.db, tz=TZ) == [DAY - timedelta(1), DAY]


def test_a_home_that_was_loaded_before_there_was_a_rollup_gets_it(
    place: Settings, pair: Pair
) -> None:
    etl.backfill(place)
    expected, sums = pair.rows(), events.whole(pair.db)
    pair.db.client.command("DROP TABLE user_days_v1 SYNC")
    assert etl.backfill(place).loaded == (DAY - timedelta(1), DAY)
    assert pair.rows() == expected
    pair.db.client.command("ALTER TABLE user_days_v1 DROP PARTITION 20230120")
    assert etl.backfill(place).loaded == (DAY,)
    assert (pair.rows(), events.whole(pair.db)) == (expected, sums)
    assert etl.backfill(place).loaded == ()
