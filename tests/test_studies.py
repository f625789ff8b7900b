"""What the engine sums up of an experiment, against the same events counted with pandas."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from nbtools import studies, warehouse
from nbtools.cells import Cells, Sums, make_cells, sums_of_users
from nbtools.errors import NoDataError
from nbtools.settings import Settings
from nbtools.studies import COLUMNS, Study
from tests.demo_events import rows

FIRST, LAST = date(2023, 1, 1), date(2023, 1, 7)
BEFORE = 7
TZ = "Europe/Moscow"


class History(NamedTuple):
    """A demo history: a connection, its study, its users of the window and their days."""

    source: warehouse.Connection
    study: Study
    users: pd.DataFrame
    days: pd.DataFrame


def daily(home: Settings) -> pd.DataFrame:
    """Return views and likes by user and day in the app's zone; pandas tells the days."""
    events = rows(
        home,
        "SELECT user_id, exp_group, toUnixTimestamp(time) AS second, action = 'view' AS views,"
        " action = 'like' AS likes, toString(gender) AS gender, age, country, os, source,"
        " xxHash64(user_id) % 50 AS bucket FROM app.feed_actions",
    )
    events["day"] = pd.to_datetime(events.pop("second"), unit="s", utc=True).dt.tz_convert(TZ)
    events["day"] = events["day"].dt.date
    keys = [name for name in events if name not in ("views", "likes")]
    return events.groupby(keys, as_index=False)[["views", "likes"]].sum()


def per_user(events: pd.DataFrame) -> pd.DataFrame:
    """Return the users of the window with their past."""
    during = events[(events["day"] >= FIRST) & (events["day"] <= LAST)]
    first = FIRST - timedelta(BEFORE)
    before = events[(events["day"] >= first) & (events["day"] < FIRST)]
    names = ["exp_group", "gender", "country", "os", "source", "age", "bucket"]
    users = during.groupby("user_id")[["views", "likes"]].sum()
    users = users.join(during.groupby("user_id")[names].min())
    viewed = during[during["views"] > 0]
    users["first_day"] = viewed.groupby("user_id")["day"].min()
    past = before.groupby("user_id")[["views", "likes"]].sum().add_suffix("_before")
    users = users.join(past).fillna({"views_before": 0, "likes_before": 0})
    return users[users["views"] > 0].astype({"views_before": int, "likes_before": int})


@pytest.fixture(scope="module")
def history(demo_home: Settings) -> Iterator[History]:
    events = daily(demo_home)
    with warehouse.open_source(demo_home) as source:
        study = studies.load(source, FIRST, LAST, tz=TZ, before_days=BEFORE)
        yield History(source, study, per_user(events), events)


def sums(users: pd.DataFrame) -> Sums:
    return sums_of_users({name: users[name].to_numpy() for name in COLUMNS})


def same_cells(found: Cells, users: pd.DataFrame) -> bool:
    expected = make_cells(users["views"].to_numpy(), users["likes"].to_numpy())
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_each_group_has_the_cells_and_sums_of_its_users(history: History) -> None:
    groups = {int(str(group)): users for group, users in history.users.groupby("exp_group")}
    assert history.study.groups == sorted(groups)
    assert history.study.users_in_two_groups == 0
    for group, users in groups.items():
        assert same_cells(history.study.cells(group), users)
        assert history.study.sums(group) == sums(users)


def test_parts_of_the_audience_have_the_sums_of_their_users(history: History) -> None:
    users = history.users
    past = pd.cut(
        users["views_before"], [-1, 0, 49, 149, np.inf], labels=["none", "1-49", "50-149", "more"]
    ).astype(str)
    ages = ["under 18", "18-24", "25-34", "35-49", "50 and over"]
    keys = {
        "os": users["os"],
        "source": users["source"],
        "gender": users["gender"],
        "country": users["country"],
        "first_day": users["first_day"].astype(str),
        "activity": past.replace("more", "150 or more"),
        "age": pd.cut(users["age"], [-1, 17, 24, 34, 49, 200], labels=ages).astype(str),
    }
    assert {*studies.SEGMENTS, "first_day"} == set(keys)
    for part, key in keys.items():
        expected = pd.crosstab(key, users["exp_group"])
        assert history.study.sizes(part).to_dict() == expected.to_dict()
    for value, of_value in users[users["exp_group"] == 2].groupby(keys["age"]):
        assert history.study.sums(2, "age", str(value)) == sums(of_value)


def test_buckets_are_by_the_hash_of_the_user(history: History) -> None:
    for group, users in history.users.groupby("exp_group"):
        found = history.study.buckets(int(str(group)))
        expected = users.groupby("bucket")[["views", "likes"]].sum()
        pairs = zip(np.asarray(found.views), np.asarray(found.likes), strict=True)
        assert sorted(pairs) == sorted(expected.itertuples(index=False, name=None))


def test_the_course_has_the_users_so_far_and_those_of_the_day(history: History) -> None:
    found = studies.days(history.source, FIRST, LAST, tz=TZ)
    assert len(found) == 7 * len(history.study.groups)
    events = history.days[history.days["user_id"].isin(history.users.index)]
    for row in found.to_dict("records"):
        day = pd.Timestamp(row["day"]).date()
        of_group = events[(events["exp_group"] == row["exp_group"]) & (events["day"] >= FIRST)]
        for suffix, chosen in (
            ("", of_group[of_group["day"] <= day]),
            ("_today", of_group[of_group["day"] == day]),
        ):
            users = chosen.groupby("user_id")[["views", "likes"]].sum()
            assert row[f"users{suffix}"] == (users["views"] > 0).sum()
            for left, right in (("likes", "likes"), ("likes", "views"), ("views", "views")):
                name = f"{left}{suffix}__{right}{suffix}"
                assert row[name] == (users[left] * users[right]).sum()
            assert row[f"views{suffix}"] == users["views"].sum()
            assert row[f"likes{suffix}"] == users["likes"].sum()


def test_salts_split_the_very_users_in_two(history: History, demo_home: Settings) -> None:
    salts = studies.salts(1_030, seed=3)
    window = (FIRST, LAST)
    found = studies.resplit(history.source, window, [1, 2], salts, tz=TZ, before_days=BEFORE)
    users = history.users[history.users["exp_group"].isin([1, 2])]
    places = (0, 1, 7, 8, 1_023, 1_024, 1_029)
    bits = ", ".join(
        f"cityHash64(user_id, toUInt64({salts[place]})) % 2 AS b{place}" for place in places
    )
    halves = rows(demo_home, f"SELECT DISTINCT user_id, {bits} FROM app.feed_actions")
    halves = halves.set_index("user_id").loc[users.index]
    columns = {
        "one": pd.Series(1, users.index),
        "views": users["views"],
        "likes2": users["likes"] ** 2,
        "ctr2": (users["likes"] / users["views"]) ** 2,
        "before": users["likes_before"],
        "likes_before": users["likes"] * users["likes_before"],
    }
    for name, values in columns.items():
        assert found.everyone[name] == pytest.approx(values.sum())
        for place in places:
            half = halves[f"b{place}"]
            assert found.first[name][place] == pytest.approx((half * values).sum())
    for place in (0, 7):
        both = halves[f"b{place}"] * halves[f"b{place + 1}"]
        assert found.first["also_next"][place] == both.sum()
    # A scan takes 1,024 salts, and the last one of a scan has no next one.
    assert np.flatnonzero(np.isnan(found.first["also_next"])).tolist() == [1_023, 1_029]


def test_users_above_a_ctr_are_counted_by_attribute(history: History) -> None:
    found = studies.users_above(history.source, FIRST, LAST, 2, 0.23, tz=TZ)
    users = history.users[history.users["exp_group"] == 2]
    above = users["likes"] / users["views"] > 0.23
    assert set(found["part"]) == {"os", "source", "gender", "age", "country", "city"}
    for part, values in found.groupby("part"):
        assert values["users"].sum() == len(users)
        assert values["users_above"].sum() == above.sum()
        if part in ("os", "gender", "country", "source"):
            expected = above.groupby(users[str(part)]).sum()
            assert dict(zip(values["value"], values["users_above"], strict=True)) == dict(expected)


def test_another_zone_moves_the_edges_of_the_window(history: History) -> None:
    day = date(2023, 1, 3)
    totals = {}
    for zone in ("Europe/Moscow", "UTC"):
        study = studies.load(history.source, day, day, tz=zone)
        totals[zone] = sum(study.sums(group).total("views") for group in study.groups)
    of_day = history.days[history.days["day"] == day]
    assert totals["Europe/Moscow"] == of_day["views"].sum()
    assert totals["UTC"] != totals["Europe/Moscow"]


@pytest.mark.parametrize(
    ("first", "groups", "words"),
    [
        (FIRST, [1, 9], ["Group 9 has 0 users", "at least 2", "1 (", "2023-01-01"]),
        (date(2021, 1, 1), [1, 2], ["Nobody viewed a post from 2021-01-01"]),
    ],
)
def test_groups_without_users_are_refused_in_one_line(
    history: History, first: date, groups: list[int], words: list[str]
) -> None:
    last = first + timedelta(6)
    with pytest.raises(NoDataError) as refused:
        studies.require_groups(history.source, first, last, groups, tz=TZ)
    assert all(word in str(refused.value) for word in words)
    assert "\n" not in str(refused.value)


def test_a_window_without_events_or_a_group_without_users_is_one_line(history: History) -> None:
    with pytest.raises(NoDataError, match="Nobody viewed a post from 2021-01-01"):
        studies.load(history.source, date(2021, 1, 1), date(2021, 1, 2), tz=TZ)
    for asked in (history.study.cells, history.study.sums, history.study.buckets):
        with pytest.raises(NoDataError, match=r"Group 9 has no users .* groups with users: 0, 1"):
            asked(9)
