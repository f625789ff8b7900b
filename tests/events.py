"""Events for tests of the ETL, and what a day of them counts, worked out in plain Python."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nbtools.warehouse import Connection

DAY = date(2023, 1, 20)
ZONE = ZoneInfo("Europe/Moscow")
Who = tuple[int, int, str]
WOMAN: Who = (0, 25, "iOS")
MAN: Who = (1, 40, "Android")
DIMENSIONS = ("gender", "age", "os")
COUNTS = (
    "views",
    "likes",
    "messages_received",
    "messages_sent",
    "users_received",
    "users_sent",
    "feed_users",
    "messenger_users",
    "both_users",
)
Table = dict[tuple[str, str], dict[str, int]]


class View(NamedTuple):
    """An event of the feed, by someone of a gender, age and system."""

    user: int
    post: int
    time: datetime
    who: Who = WOMAN
    action: str = "view"


class Message(NamedTuple):
    """A message, by someone of a gender, age and system."""

    user: int
    receiver: int
    time: datetime
    who: Who = WOMAN


Event = View | Message


def like(user: int, post: int, moment: datetime, who: Who = WOMAN) -> View:
    return View(user, post, moment, who, "like")


def at(hour: int = 12, minute: int = 0, second: int = 0, *, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute, second), ZONE)


def before(days: int) -> datetime:
    return at(3, day=DAY - timedelta(days))


def write(db: Connection, events: Iterable[Event]) -> None:
    """Make the events the app's whole history."""
    db.execute("app/create_database")
    for table in ("feed_actions", "message_actions"):
        db.execute("app/drop", table=table)
        db.execute(f"app/{table}", table=table, tz=str(ZONE))
    append(db, events)


def append(db: Connection, events: Iterable[Event]) -> None:
    """Add events to the history, one part per table and day."""
    feed, messages = [], []
    for event in events:
        rest = [event.time, *event.who, "Russia", "Moscow", "ads", 0]
        if isinstance(event, View):
            feed.append([event.user, event.post, event.action, *rest])
        else:
            messages.append([event.user, event.receiver, *rest])
    common = ["time", "gender", "age", "os", "country", "city", "source", "exp_group"]
    for table, rows, columns in (
        ("feed_actions", feed, ["user_id", "post_id", "action"]),
        ("message_actions", messages, ["user_id", "reciever_id"]),
    ):
        if rows:
            db.client.insert(table, rows, [*columns, *common], database="app")


def table_of(db: Connection, day: date = DAY) -> Table:
    """Return a day of daily_metrics_v1."""
    rows = db.frame("daily_metrics_v1/read_day", date=day)
    return {
        (str(row["dimension"]), str(row["dimension_value"])): {
            name: int(row[name]) for name in COUNTS
        }
        for row in rows.to_dict("records")
    }


def whole(db: Connection) -> list[Sequence[object]]:
    """Return all rows of daily_metrics_v1, those that are stored twice twice."""
    found = db.client.query("SELECT * FROM daily_metrics_v1 ORDER BY ALL")
    return list(found.result_rows)


def count(events: Iterable[Event], day: date = DAY, zone: ZoneInfo = ZONE) -> Table:
    """Return what a day should be: by hand, user by user."""
    known = list(events)
    today = [event for event in known if event.time.astimezone(zone).date() == day]
    past = [event for event in known if event.time.astimezone(zone).date() < day]
    table: Table = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    users = {event.user for event in today}
    for user in users | {event.receiver for event in today if isinstance(event, Message)}:
        mine = _counts(user, today)
        seen = [event for event in (today if user in users else past) if event.user == user]
        who = max(seen, key=lambda event: event.time).who if seen else ("unknown",) * 3
        keys = [*zip(DIMENSIONS, map(str, who), strict=True), ("total", "total")]
        for key in keys:
            for name, value in mine.items():
                table[key][name] += value
    return dict(table)


def _counts(user: int, events: Sequence[Event]) -> dict[str, int]:
    feed = [event.action for event in events if isinstance(event, View) and event.user == user]
    messages = [event for event in events if isinstance(event, Message)]
    sent = [event.receiver for event in messages if event.user == user]
    received = [event.user for event in messages if event.receiver == user]
    return {
        "views": feed.count("view"),
        "likes": feed.count("like"),
        "messages_received": len(received),
        "messages_sent": len(sent),
        "users_received": len(set(received)),
        "users_sent": len(set(sent)),
        "feed_users": int(bool(feed)),
        "messenger_users": int(bool(sent)),
        "both_users": int(bool(feed) and bool(sent)),
    }
