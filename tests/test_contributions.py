"""What a change consists of: it adds up exactly, and finds what was planted."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from nbtools import contributions, warehouse
from nbtools.errors import NoDataError, ParameterError
from nbtools.settings import Settings
from nbtools.warehouse import Connection
from tests.events import ZONE, write
from tests.test_slices import Event, add

BERLIN = ZoneInfo("Europe/Berlin")
OUTAGE = datetime(2023, 1, 23, 12, tzinfo=ZONE)
CITIES = {"Moscow", "Saint Petersburg", "Novosibirsk", "Yekaterinburg"}


@pytest.fixture
def source(demo_home: Settings) -> Iterator[Connection]:
    with warehouse.open_source(demo_home) as found:
        yield found


@pytest.mark.parametrize("slug", ["feed_users", "views", "likes", "messages_sent", "ctr"])
def test_each_dimension_adds_up_to_the_change(slug: str, source: Connection) -> None:
    last = OUTAGE + timedelta(hours=2)
    found = contributions.find(source, slug, OUTAGE, last, zone=ZONE, top=3)
    total = found.iloc[0]
    assert (total["dimension"], total["value"], total["share"]) == ("total", "total", 1)
    assert total["change"] == pytest.approx(total["now"] - total["before"])
    assert found["dimension"].drop_duplicates().tolist() == ["total", *contributions.DIMENSIONS]
    for _, part in found.groupby("dimension"):
        assert part["change"].sum() == pytest.approx(total["change"], rel=1e-12)
        assert len(part) <= 4
        if slug != "ctr":
            assert part["now"].sum() == total["now"]
            assert part["before"].sum() == total["before"]


def test_the_four_cities_are_named_first(source: Connection) -> None:
    first = OUTAGE.replace(hour=0)
    found = contributions.find(source, "feed_users", first, first + timedelta(1), zone=ZONE, top=20)
    cities = found[found["dimension"] == "city"].set_index("value")
    assert list(cities.index[:2]) == ["Moscow", "Saint Petersburg"]
    assert set(cities.index) >= CITIES
    assert (cities.loc[list(CITIES), "now"] < 0.3 * cities.loc[list(CITIES), "before"]).all()
    assert cities.index[-1] == "other"


def test_only_the_two_ranges_are_read(source: Connection) -> None:
    before = source.usage.rows_read
    contributions.find(source, "views", OUTAGE, OUTAGE + timedelta(hours=1), zone=ZONE)
    spent = source.usage.rows_read - before
    text = """SELECT count() FROM app.feed_actions
        WHERE toDate(time) IN ('2023-01-16', '2023-01-23')"""
    assert spent < 1.5 * int(source.client.query(text).result_rows[0][0])


def test_a_metric_that_cannot_be_divided_is_refused(source: Connection) -> None:
    with pytest.raises(ParameterError, match="'new_users' cannot be divided up by users"):
        contributions.find(source, "new_users", OUTAGE, OUTAGE, zone=ZONE)


def test_without_a_week_before_it_says_so(source: Connection) -> None:
    first = datetime(2022, 12, 6, tzinfo=ZONE)
    with pytest.raises(NoDataError, match="no events a week before 2022-12-06 00:00"):
        contributions.find(source, "views", first, first + timedelta(hours=1), zone=ZONE)


def test_a_ratio_is_explained_by_ratios_and_not_by_volumes(home: Settings) -> None:
    first = datetime(2023, 3, 28, 12, tzinfo=BERLIN)  # after the clocks went forward
    week_ago = datetime(2023, 3, 21, 12, 5, tzinfo=BERLIN)
    events = []
    for moment, systems in (
        (week_ago, {"iOS": (100, 20), "Android": (100, 20)}),
        (first, {"iOS": (100, 5), "Android": (400, 80)}),
    ):
        for user, (system, (views, likes)) in enumerate(systems.items()):
            events += [Event(user, "view", moment, system)] * views
            events += [Event(user, "like", moment, system)] * likes
    with warehouse.open_warehouse(home) as db:
        write(db, [])
        add(db, events)
    with warehouse.open_source(home) as source:
        last = first + timedelta(minutes=15)
        found = contributions.find(source, "ctr", first, last, zone=BERLIN)
    assert found.iloc[0][["now", "before"]].tolist() == [0.17, 0.2]
    by_os = found[found["dimension"] == "os"].set_index("value")
    assert by_os["now"].to_dict() == {"iOS": 0.05, "Android": 0.2}
    assert by_os["share"]["iOS"] > 0.75
