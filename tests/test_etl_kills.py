"""A load that is killed at any point, and then run again, is as if nothing had happened."""

import random
import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from nbtools import etl, warehouse
from nbtools.settings import Settings
from nbtools.warehouse import Connection
from tests import dying
from tests.events import DAY, MAN, Message, View, append, at, before, count, table_of, whole, write

EVENTS: list[View | Message] = [
    View(9, 1, before(2), MAN),
    Message(1, 9, at()),
    View(1, 1, at()),
    Message(1, 9, before(-1)),
    View(1, 2, before(-1)),
]
# Loads the day as often as it can; with a number of statements, once.
WORK = """
while True:
    etl.run_day(db, source, date.fromisoformat(sys.argv[1]), tz=config.tz)
    if left > 0:
        break
"""


def child(statements: int = 0) -> "subprocess.Popen[str]":
    return dying.start(WORK, str(DAY), statements)


def tables_of(db: Connection) -> list[Sequence[object]]:
    """Return all rows of both tables."""
    users = db.client.query("SELECT * FROM user_days_v1 ORDER BY ALL")
    return [*whole(db), *users.result_rows]


def viewers(db: Connection) -> int:
    """Return how many users viewed posts on the day, by the users themselves."""
    text = f"SELECT countIf(views > 0) FROM user_days_v1 WHERE event_date = '{DAY}'"
    return int(db.client.query(text).result_rows[0][0])


def undisturbed(home: Settings, path: Path) -> list[Sequence[object]]:
    """Return the tables as they are when the same events are loaded in peace."""
    with warehouse.open_warehouse(home) as db:
        write(db, EVENTS)
        etl.backfill(home)
        rows = tables_of(db)
        etl.forget(db)
    return rows


def finish(home: Settings, expected: list[Sequence[object]]) -> None:
    """Run once more, and compare the day and the one after it."""
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        for day in (DAY, DAY + timedelta(1)):
            etl.run_day(db, source, day, tz=home.tz)
            assert table_of(db, day) == count(EVENTS, day)
        etl.run_day(db, source, DAY - timedelta(2), tz=home.tz)
        assert tables_of(db) == expected
        assert warehouse.tables(db, "staging_").empty


def test_killed_before_any_statement_and_run_again(home: Settings, tmp_path: Path) -> None:
    expected = undisturbed(home, tmp_path)
    statements = 1
    while True:
        process = child(statements)
        output = process.communicate()[0]
        if process.returncode == 0:
            break  # the run was over before its last statement came
        assert process.returncode == -9, output
        statements += 1
        # Each killed run leaves a part behind, and the next one starts from there.
        if statements % 5 == 0:
            finish(home, expected)
            with warehouse.open_warehouse(home) as db:
                etl.forget(db)
    assert statements > 15
    finish(home, expected)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_moment_and_run_again(seed: int, home: Settings, tmp_path: Path) -> None:
    expected = undisturbed(home, tmp_path)
    draw = random.Random(seed)
    for _ in range(3):
        process = child()
        time.sleep(draw.uniform(0, 0.4))
        process.kill()
        process.communicate()
    finish(home, expected)


def test_killed_while_a_corrected_day_replaces_the_old_one(home: Settings, tmp_path: Path) -> None:
    undisturbed(home, tmp_path)
    etl.backfill(home)
    more = [View(9, 5, at(), MAN)]
    with warehouse.open_warehouse(home) as db:
        append(db, more)
    states = set()
    # The users are replaced between 18 and 20, the day's sums after 21.
    for statements in (9, 15, 18, 20, 21, 22):
        child(statements).communicate()
        with warehouse.open_warehouse(home) as db:
            # Before a replacement the old rows, after it the new ones, never a mixture.
            sums = [count(EVENTS), count([*EVENTS, *more])].index(table_of(db))
            states.add((viewers(db) - 1, sums))
    # Never the new sums with the old users.
    assert states == {(0, 0), (1, 0), (1, 1)}
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        etl.run_day(db, source, DAY, tz=home.tz)
        assert table_of(db) == count([*EVENTS, *more])
