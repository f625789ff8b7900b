"""Studies of a few users whose events are written down: edges, overlaps, equal users."""

import math
import re
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nbtools import aa, ab, ab_pages, studies, warehouse
from nbtools.errors import NoDataError
from nbtools.parameters import AbTest
from nbtools.settings import Settings
from nbtools.studies import COLUMNS, Study
from nbtools.warehouse import Connection
from tests import events
from tests.events import ZONE

FIRST, MIDDLE, LAST = date(2023, 1, 2), date(2023, 1, 3), date(2023, 1, 4)
DAYS = (FIRST, MIDDLE, LAST)
TZ = str(ZONE)


class Seen(NamedTuple):
    """What a user did at a moment, in a group."""

    user: int
    group: int
    day: date
    views: int = 1
    likes: int = 0
    at: time = time(12)


class App(NamedTuple):
    """Both connections of a home."""

    db: Connection
    source: Connection

    def write(self, *seen: Seen) -> None:
        """Make it the app's whole history."""
        events.write(self.db, [])
        rest = [0, 25, "iOS", "Russia", "Moscow", "ads"]
        rows = [
            [one.user, post, action, datetime.combine(one.day, one.at, ZONE), *rest, one.group]
            for one in seen
            for action, count in (("view", one.views), ("like", one.likes))
            for post in range(count)
        ]
        names = ["user_id", "post_id", "action", "time", "gender", "age", "os", "country"]
        names += ["city", "source", "exp_group"]
        self.db.client.insert("feed_actions", rows, names, database="app")

    def load(self) -> Study:
        return studies.load(self.source, FIRST, LAST, tz=TZ, before_days=1, buckets=2)


@pytest.fixture
def app(home: Settings) -> Iterator[App]:
    with warehouse.open_warehouse(home) as db:
        events.write(db, [])
        with warehouse.open_source(home) as source:
            yield App(db, source)


def test_the_window_holds_its_first_and_its_last_second(app: App) -> None:
    app.write(
        Seen(1, 1, date(2022, 12, 31), 2, at=time(23, 59, 59)),  # before the past
        Seen(1, 1, date(2023, 1, 1), 4, at=time(0, 0, 0)),
        Seen(1, 1, date(2023, 1, 1), 8, at=time(23, 59, 59)),
        Seen(1, 1, date(2023, 1, 2), 16, at=time(0, 0, 0)),
        Seen(1, 1, date(2023, 1, 4), 32, at=time(23, 59, 59)),
        Seen(1, 1, date(2023, 1, 5), 64, at=time(0, 0, 0)),
        Seen(2, 1, date(2023, 1, 1)),  # gone before the window
    )
    found = app.load().sums(1)
    assert (found.users, found.totals["views_before"], found.totals["views"]) == (1, 12, 48)


def test_a_user_in_two_groups_is_found_and_counted_once(app: App) -> None:
    app.write(Seen(1, 1, FIRST), Seen(1, 2, LAST), Seen(2, 2, FIRST))
    found = app.load()
    assert found.users_in_two_groups == 1
    assert [found.sums(group).users for group in found.groups] == [1, 1]
    # Both ways of counting agree: the user belongs to the first of the two groups.
    app.write(Seen(1, 1, FIRST), Seen(1, 2, LAST), Seen(2, 2, FIRST), Seen(3, 1, FIRST, 3, 1))
    with pytest.raises(NoDataError, match=r"Group 2 has 1 users .* 1 \(2 users\), 2 \(1 users\)"):
        studies.require_groups(app.source, FIRST, LAST, [1, 2], tz=TZ)


def test_the_group_of_an_earlier_experiment_is_none_of_this_one(app: App) -> None:
    app.write(Seen(1, 1, date(2023, 1, 1), 3), Seen(1, 2, FIRST), Seen(2, 1, FIRST))
    found = app.load()
    assert found.users_in_two_groups == 0
    assert found.sums(2).totals["views_before"] == 3


def test_who_only_likes_is_no_user_of_the_day(app: App) -> None:
    # A like after midnight of a post that was viewed before it.
    app.write(Seen(1, 1, FIRST, 2, 1), Seen(2, 1, LAST, 3), Seen(2, 1, FIRST, 0, 1))
    found = studies.days(app.source, FIRST, LAST, tz=TZ).set_index("day").sort_index()
    assert found["users"].tolist() == [1, 1, 2]
    assert found["likes"].tolist() == [1, 1, 2]
    assert found["likes__likes"].tolist() == [1, 1, 2]
    assert found["users_today"].tolist() == [1, 0, 1]
    assert found["likes_today"].tolist() == [1, 0, 0]
    assert found["views_today"].tolist() == [2, 0, 3]
    whole = app.load().sums(1)
    assert (whole.totals["likes"], whole.users) == (2, 2)


@pytest.mark.parametrize("likes", [0, 2])
def test_groups_whose_users_are_all_alike_are_refused(app: App, likes: int) -> None:
    alike = [Seen(user, user % 2, FIRST, 2 * user, likes * user) for user in range(1, 7)]
    app.write(*alike)
    with pytest.raises(NoDataError, match="all users of group 0 have the same CTR"):
        studies.require_groups(app.source, FIRST, LAST, [0, 1], tz=TZ)
    app.write(*alike, Seen(9, 1, FIRST, 3, 1))
    studies.require_groups(app.source, FIRST, LAST, [0, 1], tz=TZ)


def test_a_group_with_too_few_users_is_refused(app: App) -> None:
    app.write(*(Seen(user, user % 2, FIRST, 3, user % 3) for user in range(1, 6)))
    studies.require_groups(app.source, FIRST, LAST, [0, 1], tz=TZ)
    with pytest.raises(NoDataError, match=r"Group 0 has 2 users .* at least 3; .* 1 \(3 users"):
        studies.require_groups(app.source, FIRST, LAST, [0, 1], tz=TZ, fewest=3)
    app.write(Seen(1, 0, FIRST), Seen(2, 1, FIRST), Seen(3, 1, FIRST, 2, 1))
    with pytest.raises(NoDataError, match="Group 0 has 1 users"):
        studies.require_groups(app.source, FIRST, LAST, [0, 1], tz=TZ)


def test_users_without_a_past_have_splits_but_no_cuped(app: App) -> None:
    rng = np.random.default_rng(1)
    app.write(*(Seen(user, 1, FIRST, 9, int(rng.integers(9))) for user in range(200)))
    salts = studies.salts(64)
    halves = studies.resplit(app.source, (FIRST, LAST), [1], salts, tz=TZ, before_days=1)
    found = aa.resalted(halves)
    assert set(found) == {
        "delta_ratio",
        "linearized_likes",
        "welch_ctr",
        "sample_ratio",
        "independence",
    }
    assert all(((p >= 0) & (p <= 1)).all() for p in found.values())
    assert app.load().sums(1).totals.keys() == set(COLUMNS)


def some(count: int, group: int, seed: int, likes: int | None = None) -> list[Seen]:
    """Return users with a past, whose views and likes are drawn."""
    rng = np.random.default_rng(seed)
    found = []
    for user in range(count):
        for day in (date(2023, 1, 1), FIRST, MIDDLE, LAST):
            views = int(rng.integers(3, 15))
            drawn = int(rng.integers(views)) if likes is None else likes
            found.append(Seen(1000 * group + user, group, day, views, drawn))
    return found


def without_likes(users: list[Seen]) -> list[Seen]:
    return [one._replace(likes=0) if one.day >= FIRST else one for one in users]


def pages(app: App, *treatments: int) -> tuple[ab.Analysis, str]:
    """Return an analysis, and everything that its page shows as one text."""
    params = AbTest(
        title="Edges", start_date=FIRST, end_date=LAST, control=1, treatments=treatments
    )
    found = ab.analyse(app.source, params, tz=TZ)
    shown = [
        part(found).data
        for part in (
            ab_pages.verdict,
            ab_pages.guards,
            ab_pages.groups,
            ab_pages.populations,
            ab_pages.results,
            ab_pages.linearized,
            ab_pages.sensitivity,
            ab_pages.courses,
            ab_pages.segments,
        )
    ]
    shown.append(ab_pages.metrics(found, ("likes", "views")).data)
    pictures = {"Distribution": ab_pages.distribution(found), **ab_pages.forests(found)}
    shown.append(ab_pages.message("Edges", found, pictures).text)
    plt.close("all")
    return found, "\n".join(shown)


FEW = {
    "three users a group": (some(3, 1, 1), some(3, 2, 2)),
    "two users and many": (some(2, 1, 1), some(150, 2, 2)),
    "nobody likes the treatment": (some(20, 1, 1), without_likes(some(20, 2, 2))),
    "nobody likes the control": (without_likes(some(20, 1, 1)), some(20, 2, 2)),
    "one view a user": (
        [Seen(1000 + user, 1, DAYS[user % 3], 1, user % 4 // 3) for user in range(150)],
        [Seen(2000 + user, 2, DAYS[user % 3], 1, user % 5 // 4) for user in range(150)],
    ),
    "no past": (
        [one for one in some(150, 1, 1) if one.day >= FIRST],
        [one for one in some(150, 2, 2) if one.day >= FIRST],
    ),
    "a user in both groups": (some(30, 1, 1), [*some(30, 2, 2), Seen(1001, 2, LAST)]),
    "more likes than views": (some(20, 1, 1, likes=40), some(20, 2, 2)),
}


@pytest.mark.parametrize("name", sorted(FEW))
def test_odd_users_have_a_page_and_no_number_is_nan(app: App, name: str) -> None:
    control, treatment = FEW[name]
    app.write(*control, *treatment)
    studies.require_groups(app.source, FIRST, LAST, [1, 2], tz=TZ)
    found, text = pages(app, 2)
    assert re.search(r"\b(nan|inf)\b", text) is None
    figures = ab.figures(found)
    assert figures["verdict"] in ("ship", "do not ship", "look deeper", "invalid")
    for figure, value in figures.items():
        assert value is not None, figure
        assert isinstance(value, str) or math.isfinite(value), figure
    invalid = name in ("two users and many", "a user in both groups", "more likes than views")
    assert (figures["verdict"] == "invalid") is invalid


def test_a_window_that_the_events_do_not_fill_is_invalid(app: App) -> None:
    everyone = (one for group in (1, 2) for one in some(60, group, group))
    app.write(*(one for one in everyone if (one.group, one.day) != (2, MIDDLE)))
    found, text = pages(app, 2)
    assert found.outcomes[0].verdict.decision == "invalid"
    assert "Whole days" in {guard.name for guard in found.guards if not guard.passed}
    assert "1 of 3 days have no views" in text
