"""From events to a decision on CTR: the engine's sums against DuckDB and tea-tasting."""

import math
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import tea_tasting as tt
from timing import Work

from nbtools import ratios, studies
from nbtools.cells import sums_of_row
from nbtools.studies import COLUMNS
from nbtools.user_days import UserDays, find_rows
from nbtools.warehouse import Connection

TZ = "Europe/Moscow"
BEFORE, FIRST, END = datetime(2022, 12, 25), datetime(2023, 1, 1), datetime(2023, 1, 8)  # noqa: DTZ001
WINDOW = date(2023, 1, 1), date(2023, 1, 7)
OWN = "nbtools, from the rollup, a statement for this decision alone"
OWN_EVENTS = "nbtools, from the events, the same statement"
STUDY = "nbtools, from the rollup, the pages' statement: also cells, segments, buckets"
STUDY_EVENTS = "nbtools, from the events, the pages' statement"
DUCK = "DuckDB, from the events, by day and user"
DUCK_USER = "DuckDB, from the events, by user alone"
DUCK_DAYS = "DuckDB, from the rollup, by day and user"
DUCK_DAYS_USER = "DuckDB, from the rollup, by user alone"
IBIS = "tea-tasting through ibis on DuckDB, from the events, by day and user"
POLARS, PANDAS = (
    "tea-tasting on polars, from the events in memory",
    "tea-tasting on pandas, from the events in memory",
)
_STATEMENT = (Path(__file__).parent / "decision.sql").read_text("utf-8")
_BY_DAYS = (Path(__file__).parent / "decision_days.sql").read_text("utf-8")
_DUCK_DAYS = """\
WITH user_days AS
(
    SELECT user_id, views, likes, low_group, event_date >= '2023-01-01' AS during
    FROM app.{table}
    WHERE event_date >= '2022-12-25' AND event_date <= '2023-01-07'
)
"""
_EVENTS = """\
SELECT
    user_id,
    toDateTime64(toString(feed_actions.time), 0, 'UTC') AS time,
    action,
    exp_group
FROM app.feed_actions
ORDER BY toYYYYMMDD(feed_actions.time), user_id
"""
_TESTS = tt.Experiment(
    delta_ratio=tt.RatioOfMeans("likes", "views", use_t=False),
    cuped=tt.Mean("likes", "likes_before"),
)

Figures = dict[str, tuple[float, float]]


def works(users: UserDays, folder: Path) -> dict[str, Work]:
    """Return the ways to the decision, all on the same events, each with the same result.

    Raises
    ------
    AssertionError
        If the results are not equal.
    """
    events = _events(users.source)
    con = _duckdb(events, folder)
    _rollup(users, con)
    polars = pl.DataFrame(events)
    pandas = events.to_pandas()
    found = {
        OWN: Work(lambda: _own(users)),
        OWN_EVENTS: Work(lambda: _own(UserDays(users.source))),
        STUDY: Work(lambda: _study(users)),
        STUDY_EVENTS: Work(lambda: _study(UserDays(users.source)), rounds=3),
        DUCK: Work(lambda: _duck(con, _STATEMENT)),
        DUCK_USER: Work(lambda: _duck(con, _STATEMENT.replace("app.feed_actions", "app.by_user"))),
        DUCK_DAYS: Work(lambda: _duck(con, _DUCK_DAYS.format(table="days") + _BY_DAYS)),
        DUCK_DAYS_USER: Work(
            lambda: _duck(con, _DUCK_DAYS.format(table="days_by_user") + _BY_DAYS)
        ),
        IBIS: Work(lambda: _ibis(con)),
        POLARS: Work(lambda: _tea(_polars(polars)), rounds=3),
        PANDAS: Work(lambda: _tea(_pandas(pandas)), rounds=2),
    }
    expected = _own(users)
    for title, work in found.items():
        _require_equal(title, expected, work.run)
    return found


def _require_equal(title: str, expected: Figures, run: Callable[[], Any]) -> None:
    figures = run()
    for name, pair in expected.items():
        for want, got in zip(pair, figures[name], strict=True):
            assert math.isclose(want, got, rel_tol=1e-7), f"{title}: {name} {got}, not {want}"


def _events(source: Connection) -> pa.Table:
    events = source.client.query_arrow(_EVENTS, use_strings=True)
    # The peers compare with times that have no zone.
    naive = events["time"].cast(pa.timestamp("ms"))
    events = events.set_column(events.column_names.index("time"), "time", naive)
    place = events.column_names.index("action")
    return events.set_column(place, "action", events["action"].dictionary_encode())


def _duckdb(events: pa.Table, folder: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(str(folder / "peer.duckdb"))
    con.execute("CREATE SCHEMA app")
    con.execute("CREATE TYPE action AS ENUM ('view', 'like')")
    con.register("events", events)
    columns = "user_id, time::TIMESTAMP AS time, action::VARCHAR::action AS action, exp_group"
    for table, order in (
        ("feed_actions", "time::DATE, user_id, time"),
        ("by_user", "user_id, time"),
    ):
        con.execute(
            f"CREATE TABLE app.{table} AS SELECT {columns} FROM events ORDER BY {order}"  # noqa: S608
        )
    con.unregister("events")
    con.execute("CHECKPOINT")
    return con


def _rollup(users: UserDays, con: duckdb.DuckDBPyConnection) -> None:
    assert users.db
    days = users.db.client.query_arrow("SELECT * FROM user_days_v1", use_strings=True)  # noqa: F841 -- DuckDB finds it by its name
    for table, order in (("days", "event_date, user_id"), ("days_by_user", "user_id, event_date")):
        con.execute(
            f"CREATE TABLE app.{table} AS SELECT * REPLACE (event_date::DATE AS event_date) "  # noqa: S608
            f"FROM days ORDER BY {order}"
        )
    con.execute("CHECKPOINT")


def _figures(rows: pd.DataFrame) -> Figures:
    control, treatment = (sums_of_row(dict(row), COLUMNS) for _, row in rows.iterrows())
    found = ratios.delta_ratio(control, treatment), ratios.cuped(control, treatment)
    return {one.method: (one.estimate, one.p_value) for one in found}


def _own(users: UserDays) -> Figures:
    # As studies do: what the rollup holds is asked first.
    found = find_rows(users, BEFORE.date(), WINDOW[1], tz=TZ)
    bound = {"first": WINDOW[0], "last": WINDOW[1], "before_days": 7, "tz": TZ}
    text, values = found.connection.composed(_BY_DAYS, bound)
    rows = found.connection.client.query(
        text, parameters=values, settings=dict(found.connection.limits)
    )
    return _figures(pd.DataFrame(rows.result_rows, columns=list(rows.column_names)))


def _study(users: UserDays) -> Figures:
    study = studies.load(users, *WINDOW, tz=TZ)
    assert ("Read from the events" in study.origin) is (users.db is None)
    groups = study.sums(0), study.sums(1)
    found = ratios.delta_ratio(*groups), ratios.cuped(*groups)
    return {one.method: (one.estimate, one.p_value) for one in found}


def _duck(con: duckdb.DuckDBPyConnection, text: str) -> Figures:
    answer = con.execute(text)
    names = [column[0] for column in answer.description]
    return _figures(pd.DataFrame(answer.fetchall(), columns=names))


def _tea(users: Any) -> Figures:
    found = _TESTS.analyze(users, control=0)
    return {
        "delta_ratio": (found["delta_ratio"].effect_size, found["delta_ratio"].pvalue),
        "cuped": (found["cuped"].effect_size, found["cuped"].pvalue),
    }


def _ibis(con: duckdb.DuckDBPyConnection) -> Figures:
    backend = ibis.duckdb.from_connection(con)
    events = backend.table("feed_actions", database="app")
    events = events.filter((events.time >= BEFORE) & (events.time < END))
    during, view = events.time >= FIRST, events.action == "view"
    users = events.group_by("user_id").agg(
        variant=events.exp_group.min(),
        views=(view & during).sum(),
        likes=(~view & during).sum(),
        likes_before=(~view & ~during).sum(),
    )
    return _tea(users.filter(users.views > 0))


def _polars(events: pl.DataFrame) -> pl.DataFrame:
    during, view = pl.col("time") >= FIRST, pl.col("action") == "view"
    users = (
        events.lazy()
        .filter((pl.col("time") >= BEFORE) & (pl.col("time") < END))
        .group_by("user_id")
        .agg(
            pl.col("exp_group").min().alias("variant"),
            (view & during).sum().cast(pl.Int64).alias("views"),
            (~view & during).sum().cast(pl.Int64).alias("likes"),
            (~view & ~during).sum().cast(pl.Int64).alias("likes_before"),
        )
    )
    return users.filter(pl.col("views") > 0).collect()


def _pandas(events: pd.DataFrame) -> pd.DataFrame:
    events = events[(events["time"] >= BEFORE) & (events["time"] < END)]
    during, view = events["time"] >= FIRST, events["action"] == "view"
    counted = pd.DataFrame(
        {
            "user_id": events["user_id"],
            "variant": events["exp_group"],
            "views": view & during,
            "likes": ~view & during,
            "likes_before": ~view & ~during,
        }
    ).groupby("user_id", sort=False)
    users = counted.agg(
        {"variant": "min", "views": "sum", "likes": "sum", "likes_before": "sum"}
    ).astype("int64")
    return users[users["views"] > 0]
