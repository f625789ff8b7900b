"""The demo history: an app's events drawn from one seed, in SQL, inside the engine.

Every random number is a hash of the seed, of what is drawn, and of the user and day it is
drawn for, so the rows depend neither on threads nor on what was built before. Accounts
are drawn first; then, some days at a time, visits to the feed and their events, days of
writing and their messages. Until all of it is there the app's tables stay as they were.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from nbtools import demo_calibration as calibration
from nbtools import etl, history, locks, progress, slices, warehouse
from nbtools.errors import InputError
from nbtools.settings import Settings
from nbtools.source import COLUMNS
from nbtools.warehouse import Connection

_SCALES = (0.001, 100.0)
_DAYS = 3660
_FEWEST_USERS = 10  # fewer may do nothing at all
_DATES = (date(2000, 1, 1), date(2100, 1, 1))
# Days drawn by one statement: what keeps memory small, and statements few where users are.
_WEEK, _MONTH, _SMALL_SCALE = 7, 28, 0.2
_SCRATCH = ("users", "visits", "chats", *history.TABLES.values())


def build(
    settings: Settings,
    *,
    scale: float = 1.0,
    seed: int = 20221205,
    start: date = date(2022, 12, 5),
    days: int = 85,
) -> None:
    """Draw a demo history and put it in the place of the app's events.

    A build that is killed leaves the history before it as it was; the next one starts
    anew and ends in the same rows.

    Parameters
    ----------
    settings : Settings
        Where the warehouse is, and the app's time zone.
    scale : float
        Users compared with the app, which had 146 thousand.
    seed : int
        The same seed gives the same rows.
    start : date
        First day.
    days : int
        Length of the history; planted events stay at their distance from the start.

    Raises
    ------
    InputError
        If a parameter is out of range, or the app's tables are not of nbtools' making.
    SettingsError
        If the history would not be read from where it is written, or ``source.yml`` is wrong.
    LockedError
        If another process keeps the warehouse.
    """
    _check(scale, seed, start, days)
    history.require_own(settings, "a demo history")
    span = _MONTH if scale <= _SMALL_SCALE else _WEEK
    values = _day_values(scale, seed, start, days, settings.tz)
    lock = settings.home / "locks" / "load.lock"
    with (
        locks.hold(lock, "nbtools demo", wait=settings.lock_wait),
        warehouse.open_warehouse(settings) as db,
    ):
        history.refuse_foreign(db, "a demo history")
        with _scratch(db, settings.tz):
            db.execute("demo/users", **_user_values(scale, seed, start, days))
            for first_day in progress.track(
                range(0, days, span), "demo history", lambda day: f"from {start + timedelta(day)}"
            ):
                _draw(db, values, first_day, min(first_day + span, days))
            # Before the history itself, so that a kill never leaves numbers of another one.
            etl.forget(db)
            slices.forget(db)
            _publish(db, _info(scale, seed, start, days))


def _check(scale: float, seed: int, start: date, days: int) -> None:
    if not _SCALES[0] <= scale <= _SCALES[1]:
        raise InputError(f"scale is {scale}; needed is {_SCALES[0]} to {_SCALES[1]:.0f}.")
    if not 0 <= seed < 2**64:
        raise InputError(f"seed is {seed}; needed is a whole number from 0 to 2^64 - 1.")
    if not 1 <= days <= _DAYS:
        raise InputError(f"days is {days}; needed is 1 to {_DAYS}.")
    if start < _DATES[0] or (_DATES[1] - start).days < days:
        raise InputError(
            f"{days} days from {start} do not lie between {_DATES[0]} and {_DATES[1]}; "
            "choose another start or fewer days."
        )
    users = float(calibration.new_users(days, start)[0].sum()) * scale
    if users < _FEWEST_USERS:
        raise InputError(
            f"scale {scale} over {days} days gives {users:.0f} users, needed are {_FEWEST_USERS}; "
            "choose a larger scale or more days."
        )


@contextmanager
def _scratch(db: Connection, tz: str) -> Iterator[None]:
    """Provide empty scratch tables, those of a killed build removed, and drop them."""
    db.execute("app/create_database")
    _drop(db)
    for table in ("users", "visits", "chats"):
        db.execute(f"demo/create_{table}")
    for table in history.TABLES.values():
        db.execute(f"app/{table}", table=f"building_{table}", tz=tz)
    try:
        yield
    finally:
        _drop(db)


def _drop(db: Connection) -> None:
    for table in _SCRATCH:
        db.execute("app/drop", table=f"building_{table}")


def _draw(db: Connection, values: dict[str, dict[str, Any]], first_day: int, end_day: int) -> None:
    for table in ("visits", "feed_actions", "chats", "message_actions"):
        of_these_days = {
            name: value[first_day:end_day] if name.startswith("day_") else value
            for name, value in values[table].items()
        }
        db.execute(f"demo/{table}", first_day=first_day, end_day=end_day, **of_these_days)


def _publish(db: Connection, info: dict[str, Any]) -> None:
    """Put the new tables in place; only the last statement makes a history of them."""
    for table in (*history.TABLES.values(), "source_info"):
        db.execute("app/drop", table=table)
    db.execute("source_info/create", database="app")
    history.describe(db, info)
    db.execute("app/publish", feed="building_feed_actions", messages="building_message_actions")


def _info(scale: float, seed: int, start: date, days: int) -> dict[str, Any]:
    last = start + timedelta(days - 1)
    return {
        "kind": "demo",
        "title": f"Synthetic demo history, {start} to {last}, scale {scale:g}, seed {seed}",
        "today": (start + timedelta(days)).isoformat(),
        "start": start.isoformat(),
        "days": days,
        "seed": seed,
        "scale": scale,
        "synthetic_columns": [
            f"{table}.{column}" for table, columns in COLUMNS.items() for column in columns
        ],
    }


def _user_values(scale: float, seed: int, start: date, days: int) -> dict[str, Any]:
    c = calibration
    users, ads_shares = c.new_users(days, start)
    accounts = (users * scale / c.ACTING_SHARE).cumsum().round()
    more, pace = c.WRITERS_AT_LAUNCH
    return {
        "seed": seed,
        "joined_by": [int(number) for number in accounts],
        "ads_shares": _floats(ads_shares),
        "acting_share": c.ACTING_SHARE,
        "male_share": c.MALE_SHARE,
        "android_share": c.ANDROID_SHARE,
        "age_edges": list(c.AGE_EDGES),
        "age_shares": c.cumulative(c.AGE_WEIGHTS),
        **c.places(),
        "activity_spread": c.ACTIVITY_SPREAD,
        "views_spread": c.VIEWS_SPREAD,
        "like_rate": c.LIKE_RATE,
        "like_spread": c.LIKE_SPREAD,
        "uplift": c.UPLIFT,
        "suited_share": c.SUITED_SHARE,
        "suited_views": c.SUITED_VIEWS / c.recommended_views(),
        "suited_rate": c.SUITED_RATE,
        "suited_spread": c.SUITED_SPREAD,
        "unsuited_views": 1 / c.recommended_views(),
        "unsuited_rate": c.UNSUITED_RATE,
        "unsuited_spread": c.UNSUITED_SPREAD,
        "writers_ads": c.WRITERS_ADS,
        "writers_organic": c.WRITERS_ORGANIC,
        "launch_more": more,
        "launch_days": pace,
        "circle_others": c.CIRCLE_OTHERS,
        "circle_strangers": c.CIRCLE_STRANGERS,
    }


def _day_values(
    scale: float, seed: int, start: date, days: int, tz: str
) -> dict[str, dict[str, Any]]:
    """Return what the statements of a week take, the days apart, by statement."""
    c = calibration
    hours = c.cumulative(c.HOURS)
    first_share, rise, pace = c.MESSAGES
    odd_days, odd_seconds, odd_factors = zip(*c.ODD_SLICES, strict=True)
    visits = {
        "seed": seed,
        "returns_ads": _floats(c.returns(c.RETURN_ADS, days)),
        "returns_organic": _floats(c.returns(c.RETURN_ORGANIC, days)),
        "day_activity": _floats(c.weekly(c.ACTIVITY_BY_WEEKDAY, days, start)),
        "day_views": _floats(c.weekly(c.VIEWS_BY_WEEKDAY, days, start)),
        "day_likes": _floats(c.weekly(c.LIKES_BY_WEEKDAY, days, start)),
        "hour_shares": hours,
        "views_floor": c.VIEWS_FLOOR,
        "views_mean": c.VIEWS_MEAN,
        "views_most": c.VIEWS_MOST,
        "fatigue": c.FATIGUE,
        "experiment_days": list(c.EXPERIMENT_DAYS),
        "campaign_day": c.CAMPAIGN_DAY,
        "campaign_return": c.CAMPAIGN_RETURN,
        "outage_day": c.OUTAGE_DAY,
        "outage_left": c.OUTAGE_LEFT,
        "outage_cities": list(c.OUTAGE_CITIES),
    }
    feed_actions = {
        "seed": seed,
        "start": start,
        "tz": tz,
        "posts_a_day": c.POSTS_A_DAY,
        "stock_days": c.POST_STOCK_DAYS,
        "post_life_days": c.POST_LIFE_DAYS,
        "skew_least": c.POST_SKEW[0],
        "skew_range": c.POST_SKEW[1],
        "shown_again": c.POST_SHOWN_AGAIN,
        "likes_by_rank": c.POST_LIKES_BY_RANK,
        "likes_spread": c.POST_LIKES_SPREAD,
        "odd_days": list(odd_days),
        "odd_seconds": list(odd_seconds),
        "odd_factors": list(odd_factors),
    }
    chats = {
        "seed": seed,
        "day_writers": _floats(c.messenger_users(days) * scale),
        "day_messages": _floats(c.approach(days, first_share + rise, -rise, pace)),
        "hour_shares": hours,
        "while_reading": c.WRITING_WHILE_READING,
    }
    return {
        "visits": visits,
        "feed_actions": feed_actions,
        "chats": chats,
        "message_actions": {"seed": seed, "start": start, "tz": tz},
    }


def _floats(values: Any) -> list[float]:
    return [float(value) for value in values]
