"""The day so far: every number is the events' of the same part of three days."""

import random
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from nbtools import pipeline, today, today_pages, warehouse
from nbtools.parameters import DashboardToday
from nbtools.settings import Settings
from nbtools.today import SHOWN, Today
from tests import raw
from tests.conftest import copy_home
from tests.events import ZONE

# A quiet service is waited for ten minutes.
AT = datetime(2023, 1, 23, 14, 26, tzinfo=ZONE)
QUARTER = timedelta(minutes=15)
BACK = {"now": 0, "day_before": 1, "week_before": 7}


@pytest.fixture(scope="module")
def sliced(loaded_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the loaded demo with its slices filled to the end; replays write nothing."""
    found = copy_home(loaded_home, tmp_path_factory.mktemp("sliced") / "home")
    pipeline.fill_slices(found)
    return found


def read(home: Settings, at: datetime = AT) -> Today:
    params = DashboardToday(title="Today", at=at)
    with warehouse.open_warehouse(home) as db, warehouse.open_source(home) as source:
        return today.read(db, source, home, params)


@pytest.mark.parametrize("number", range(3))
def test_every_total_is_what_the_events_of_the_same_part_of_the_days_say(
    number: int, sliced: Settings
) -> None:
    drawn = random.Random(number)
    at = AT.replace(hour=drawn.randrange(1, 24)) + timedelta(drawn.randrange(-20, 30))
    found = read(sliced, at)
    begin = at.replace(hour=0, minute=0)
    end = at - timedelta(minutes=at.minute % 15)
    assert found.until == end
    for name, days in BACK.items():
        back = timedelta(days)
        counted = raw.counted(raw.between(sliced, begin - back, end - back))
        for slug in ("app_users", "feed_users", "messenger_users", "views", "likes", "ctr",
                     "messages_sent"):  # fmt: skip
            assert found.totals.loc[slug, name] == pytest.approx(counted[slug], rel=1e-12), slug
        known = raw.users_before(sliced, begin - back)
        new = {one.user for one in raw.between(sliced, begin - back, end - back)} - known
        assert found.totals.loc["new_users", name] == len(new)


def test_each_slice_stands_beside_those_of_the_same_time_of_day(sliced: Settings) -> None:
    found = read(sliced)
    for name, days in BACK.items():
        begin = datetime(2023, 1, 23, 11, 30, tzinfo=ZONE) - timedelta(days)
        counted = raw.counted(raw.between(sliced, begin, begin + QUARTER))
        for slug in ("app_users", "views", "likes", "ctr", "messages_sent"):
            shown = found.frames[slug].loc["2023-01-23 11:30", name]
            assert shown == pytest.approx(counted[slug], rel=1e-12), (slug, name)


def test_the_slice_that_is_not_over_and_later_ones_are_not_there(sliced: Settings) -> None:
    found = read(sliced)
    for slug in SHOWN:
        now = found.frames[slug]["now"]
        assert len(now) == 96
        assert now.loc["2023-01-23 14:15":].isna().all()
        assert now.loc[:"2023-01-23 14:00"].notna().all()
    assert "up to 14:15" in today_pages.headline(found).replace("\N{NO-BREAK SPACE}", " ")
    assert "up to the same time" in today_pages.headline(found)


def test_the_page_of_a_past_moment_knows_nothing_of_later_ones(
    loaded_home: Settings, sliced: Settings
) -> None:
    then, now = read(raw.ended(loaded_home, AT)), read(sliced)
    assert then.totals.equals(now.totals)
    assert then.new_posts.equals(now.new_posts)
    assert then.top_posts.equals(now.top_posts)
    for slug in SHOWN:
        np.testing.assert_array_equal(then.frames[slug], now.frames[slug])
    assert today_pages.summary(then).data == today_pages.summary(now).data


def test_posts_are_those_of_the_day_so_far(sliced: Settings) -> None:
    found = read(sliced)
    begin, end = AT.replace(hour=0, minute=0), AT.replace(minute=15)
    feed = [one for one in raw.between(sliced, begin - timedelta(7), end) if one.post]
    so_far = [one for one in feed if one.time.replace(tzinfo=UTC) >= begin]
    known = {one.post for one in feed if one.time.replace(tzinfo=UTC) < begin}
    assert found.new_posts["now"] == len({one.post for one in so_far} - known)
    top = found.top_posts.iloc[0]
    views = [one.post for one in so_far if one.what == "view"]
    assert top["views"] == max(views.count(post) for post in set(views))
    assert top["views"] == views.count(top["post_id"])


def test_slices_that_have_not_arrived_are_told_and_not_compared(
    loaded_home: Settings, sliced: Settings
) -> None:
    found = read(raw.ended(loaded_home, AT), AT + timedelta(hours=2))
    assert found.is_late
    assert AT - 2 * QUARTER <= found.until <= AT
    late = f"slices from {found.until:%H:%M} on have not arrived"
    assert late in today_pages.summary(found).data
    assert found.totals.equals(read(sliced, found.until + timedelta(minutes=11)).totals)


def test_the_first_day_has_no_range_and_nothing_to_compare_with(sliced: Settings) -> None:
    found = read(sliced, datetime(2022, 12, 5, 10, 7, tzinfo=ZONE))
    text = today_pages.summary(found).data
    assert "nothing is known of the Monday before" in text
    assert "the history is too short" in text
    assert found.totals[["day_before", "week_before"]].isna().to_numpy().all()
    assert today_pages.chart(found, "views").bands == {}


def test_at_midnight_the_whole_day_is_shown(sliced: Settings) -> None:
    found = read(sliced, datetime(2023, 1, 24, 0, 11, tzinfo=ZONE))
    assert found.day == date(2023, 1, 23)
    assert found.is_whole
    assert "the whole day" in today_pages.headline(found)
    counted = raw.counted(raw.of_day(sliced, found.day))
    assert found.totals.loc["app_users", "now"] == counted["app_users"]
