"""Every metric of the catalogue against a count straight from the demo's events."""

from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd
import pytest

from nbtools import daily, etl, metrics, warehouse
from nbtools.errors import ParameterError
from nbtools.settings import Settings
from tests.events import COUNTS, DIMENSIONS, table_of

# The first day, an ordinary one, the city outage, the messenger's spike.
DAYS = [date(2022, 12, 5), date(2023, 1, 20), date(2023, 1, 23), date(2023, 2, 7)]
FEED = "user_id, action, time, toString(gender) AS gender, toString(age) AS age, os"
MESSAGES = "user_id, reciever_id, time, toString(gender) AS gender, toString(age) AS age, os"


class Events:
    """The demo's events in memory, a row each, with the day of each."""

    def __init__(self, home: Settings) -> None:
        with warehouse.open_warehouse(home) as db:
            self.feed = self._read(db, f"SELECT {FEED} FROM app.feed_actions")
            self.messages = self._read(db, f"SELECT {MESSAGES} FROM app.message_actions")

    @staticmethod
    def _read(db: warehouse.Connection, query: str) -> pd.DataFrame:
        frame = db.client.query_arrow(query.replace(" time", " toUnixTimestamp(time) AS second"))
        events: pd.DataFrame = frame.to_pandas()
        moments = pd.to_datetime(events["second"], unit="s", utc=True)
        events["day"] = moments.dt.tz_convert("Europe/Moscow").dt.date
        return events

    def attributes(self, day: date) -> pd.DataFrame:
        """Return everyone's latest attributes, those of the day's acting users by that day."""
        columns = ["user_id", "second", "day", *DIMENSIONS]
        seen = pd.concat([self.feed[columns], self.messages[columns]])
        seen = seen[seen["day"] <= day].sort_values("second", kind="stable")
        return seen.groupby("user_id")[list(DIMENSIONS)].last()


@pytest.fixture(scope="module")
def events(demo_home: Settings) -> Events:
    return Events(demo_home)


@pytest.fixture(scope="module")
def db(loaded_home: Settings, events: Events) -> Iterator[warehouse.Connection]:
    with warehouse.open_warehouse(loaded_home) as found:
        yield found


def slices(events: Events, day: date) -> dict[tuple[str, str], dict[str, int]]:
    """Count a day with pandas, one dimension after the other."""
    feed = events.feed[events.feed["day"] == day]
    sent = events.messages[events.messages["day"] == day]
    known = events.attributes(day)
    pairs = sent.drop_duplicates(["user_id", "reciever_id"])
    table: dict[tuple[str, str], dict[str, int]] = {}
    for dimension in (*DIMENSIONS, "total"):

        def by(users: pd.Series, dimension: str = dimension) -> pd.Series:
            if dimension == "total":
                return pd.Series("total", users.index).value_counts()
            return users.map(known[dimension]).fillna("unknown").value_counts()

        readers, senders = feed["user_id"].drop_duplicates(), sent["user_id"].drop_duplicates()
        counts = {
            "views": by(feed.loc[feed["action"] == "view", "user_id"]),
            "likes": by(feed.loc[feed["action"] == "like", "user_id"]),
            "messages_sent": by(sent["user_id"]),
            "messages_received": by(sent["reciever_id"]),
            "users_sent": by(pairs["user_id"]),
            "users_received": by(pairs["reciever_id"]),
            "feed_users": by(readers),
            "messenger_users": by(senders),
            "both_users": by(readers[readers.isin(senders)]),
        }
        for value, row in pd.DataFrame(counts).fillna(0).astype(int).iterrows():
            table[dimension, str(value)] = {name: int(row[name]) for name in COUNTS}
    return table


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_row_of_a_day_is_what_the_events_say(
    day: date, events: Events, db: warehouse.Connection
) -> None:
    found = table_of(db, day)
    assert found == slices(events, day)
    assert found["total", "total"]["views"] > 0


def test_receivers_are_known_from_the_past_and_some_are_unknown(
    events: Events, db: warehouse.Connection
) -> None:
    day = DAYS[1]
    sent = events.messages[events.messages["day"] == day]
    acting = set(events.feed.loc[events.feed["day"] == day, "user_id"]) | set(sent["user_id"])
    idle = set(sent["reciever_id"]) - acting
    past = idle & set(events.attributes(day).index)
    assert past, "the demo has no receivers who were there before"
    unknown = table_of(db, day).get(("os", "unknown"), dict.fromkeys(COUNTS, 0))
    assert unknown["messages_received"] == sent["reciever_id"].isin(idle - past).sum()
    assert unknown["feed_users"] == unknown["messages_sent"] == 0


def count(slug: str, events: Events, day: date) -> float:
    """Count one metric over all users, in the words of its definition."""
    feed = events.feed[events.feed["day"] == day]
    sent = events.messages[events.messages["day"] == day]
    readers, senders = set(feed["user_id"]), set(sent["user_id"])
    views, likes = (int((feed["action"] == action).sum()) for action in ("view", "like"))
    pairs = len(set(zip(sent["user_id"], sent["reciever_id"], strict=True)))
    return {
        "feed_users": len(readers),
        "messenger_users": len(senders),
        "app_users": len(readers | senders),
        "both_users": len(readers & senders),
        "feed_only_users": len(readers - senders),
        "messenger_only_users": len(senders - readers),
        "views": views,
        "likes": likes,
        "ctr": likes / views,
        "views_per_user": views / len(readers),
        "likes_per_user": likes / len(readers),
        "messages_sent": len(sent),
        "messages_received": len(sent),
        "users_sent": pairs,
        "users_received": pairs,
        "messages_per_user": len(sent) / len(senders),
    }[slug]


@pytest.mark.parametrize("slug", metrics.CATALOGUE)
def test_a_metric_is_what_the_events_say(
    slug: str, events: Events, db: warehouse.Connection
) -> None:
    frame = daily.read(db, (slug,), last=DAYS[-1])
    for day in DAYS:
        assert frame[slug][pd.Timestamp(day)] == pytest.approx(count(slug, events, day)), day


def test_a_metric_by_os_adds_up_or_averages_to_the_total(db: warehouse.Connection) -> None:
    slugs = ("views", "likes", "ctr")
    total = daily.read(db, slugs, last=DAYS[-1])
    by = daily.read_by(db, "os", slugs, last=DAYS[-1])
    assert by[["views"]].sum(axis=1).tolist() == total["views"].tolist()
    ratio = by[["likes"]].sum(axis=1) / by[["views"]].sum(axis=1)
    assert ratio.tolist() == pytest.approx(total["ctr"].tolist())


def test_the_whole_history_is_there_and_clean(
    loaded_home: Settings, db: warehouse.Connection
) -> None:
    assert len(etl.loaded_days(db)) == 85
    with warehouse.open_source(loaded_home) as source:
        result = etl.run_day(db, source, DAYS[1], tz=loaded_home.tz)
    serious = result.checks[result.checks["severity"] == "fail"]
    assert not serious["found"].any()
    assert (serious["checked"] > 0).all()


def test_the_last_days_are_those_asked_for(db: warehouse.Connection) -> None:
    frame = daily.read(db, ("views",), first=DAYS[1], last=DAYS[2])
    assert list(frame.index) == list(pd.date_range(DAYS[1], DAYS[1] + timedelta(3)))


def test_an_unknown_metric_is_refused(db: warehouse.Connection) -> None:
    with pytest.raises(ParameterError, match="'veiws' is no metric; the catalogue has app_users"):
        daily.read(db, ("veiws",), last=DAYS[0])
