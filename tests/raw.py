"""The demo's events counted user by user, in plain Python, and a history that ends early."""

from datetime import date, datetime
from typing import NamedTuple

from nbtools import warehouse
from nbtools.settings import Settings
from tests.conftest import copy_home
from tests.events import ZONE


class Feed(NamedTuple):
    """An event of the feed, or a message (without a post)."""

    user: int
    what: str
    time: datetime
    post: int
    source: str
    city: str
    os: str


_SQL = """
SELECT user_id, toString(action), toDateTime(time, 'UTC'), post_id, toString(source),
    toString(city), toString(os)
FROM app.feed_actions WHERE time >= {first:DateTime('UTC')} AND time < {last:DateTime('UTC')}
UNION ALL
SELECT user_id, 'message', toDateTime(time, 'UTC'), 0, toString(source), toString(city),
    toString(os)
FROM app.message_actions WHERE time >= {first:DateTime('UTC')} AND time < {last:DateTime('UTC')}
"""


def between(home: Settings, first: datetime, last: datetime) -> list[Feed]:
    """Return every event of a range of time, whose end is not part of it."""
    with warehouse.open_source(home) as source:
        rows = source.client.query(_SQL, parameters={"first": first, "last": last}).result_rows
    return [Feed(row[0], row[1], row[2], *row[3:]) for row in rows]


def users_before(home: Settings, moment: datetime) -> set[int]:
    """Return everybody with an event of their own before a moment."""
    text = """
        SELECT user_id FROM app.feed_actions WHERE time < {at:DateTime('UTC')}
        UNION DISTINCT
        SELECT user_id FROM app.message_actions WHERE time < {at:DateTime('UTC')}"""
    with warehouse.open_source(home) as source:
        rows = source.client.query(text, parameters={"at": moment}).result_rows
    return {int(user) for (user,) in rows}


def user_days(home: Settings, last: date) -> list[tuple[int, date, str, bool]]:
    """Return user, day, least source and whether it is of the messenger, up to a day."""
    text = """
        SELECT user_id, toDate(time, 'Europe/Moscow') AS day, min(toString(source)), is_message
        FROM (
            SELECT user_id, time, source, 0 AS is_message FROM app.feed_actions
            UNION ALL
            SELECT user_id, time, source, 1 AS is_message FROM app.message_actions
        )
        WHERE day <= {last:Date} GROUP BY user_id, day, is_message ORDER BY day"""
    with warehouse.open_source(home) as source:
        rows = source.client.query(text, parameters={"last": last}).result_rows
    return [(int(row[0]), row[1], str(row[2]), bool(row[3])) for row in rows]


def of_day(home: Settings, day: date, days: int = 1) -> list[Feed]:
    first = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    last = datetime.fromordinal(day.toordinal() + days).replace(tzinfo=ZONE)
    return between(home, first, last)


def counted(events: list[Feed]) -> dict[str, float]:
    """Return the metrics of some events."""
    feed = {one.user for one in events if one.what != "message"}
    messenger = {one.user for one in events if one.what == "message"}
    whats = [one.what for one in events]
    views, likes, sent = (whats.count(what) for what in ("view", "like", "message"))
    return {
        "app_users": len(feed | messenger),
        "feed_users": len(feed),
        "messenger_users": len(messenger),
        "both_users": len(feed & messenger),
        "feed_only_users": len(feed - messenger),
        "views": views,
        "likes": likes,
        "messages_sent": sent,
        "ctr": likes / views,
        "views_per_user": views / len(feed),
        "likes_per_user": likes / len(feed),
        "messages_per_user": sent / len(messenger),
    }


def ended(home: Settings, moment: datetime) -> Settings:
    """Return a copy of a home in which nothing has happened from a moment on; one a session."""
    target = home.home.parent / f"ended-{moment:%Y%m%d%H%M}"
    if target.exists():
        return Settings(home=target)
    found = copy_home(home, target)
    begin = moment.astimezone(ZONE)
    with warehouse.open_warehouse(found) as db:
        # Every table has a partition a day; dropping them is quicker than deleting rows.
        text = """
            SELECT DISTINCT database, table, partition FROM system.parts
            WHERE active AND partition >= {day:String} AND table IN
                ('feed_actions', 'message_actions', 'daily_metrics_v1', 'user_days_v1')"""
        day = f"{begin:%Y%m%d}"
        for place in db.client.query(text, parameters={"day": day}).result_rows:
            database, table, partition = place
            where = f"{database}.{table}"
            if database == "app" and partition == day:
                db.client.command(
                    f"ALTER TABLE {where} DELETE IN PARTITION {day} "
                    "WHERE time >= {at:DateTime('UTC')}",
                    {"at": moment},
                    settings={"mutations_sync": 1},
                )
            else:
                db.client.command(f"ALTER TABLE {where} DROP PARTITION {partition}")
    return found
