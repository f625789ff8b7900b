"""The promises of the demo history: sound rows, the same ones each time, all or nothing."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from nbtools import demo, pipeline, warehouse
from nbtools.errors import InputError, LockedError, SettingsError
from nbtools.settings import PROJECT, Settings
from tests.demo_events import FEED, MIDNIGHT, READERS, START, column, number, rows

SMALL = 0.01

# Rows


def test_each_like_follows_a_view_of_the_same_post_by_8_to_177_seconds(demo_home: Settings) -> None:
    likes = rows(
        demo_home,
        f"""
        SELECT
            count() AS likes,
            uniqExact(user_id, post_id, day) AS different,
            countIf(arrayExists(seen -> time - seen BETWEEN 8 AND 177, views)) AS followed
        FROM (SELECT user_id, post_id, day, time FROM {FEED} WHERE action = 'like') AS likes
        LEFT JOIN
        (
            SELECT user_id, post_id, day, groupArray(time) AS views
            FROM {FEED}
            WHERE action = 'view'
            GROUP BY user_id, post_id, day
        ) AS seen USING (user_id, post_id, day)
        """,
    ).iloc[0]
    assert likes["likes"] == likes["different"] == likes["followed"] > 100_000


@pytest.mark.parametrize("table", ["feed_actions", "message_actions"])
def test_rows_are_distinct_and_lie_within_the_85_days(demo_home: Settings, table: str) -> None:
    found = rows(
        demo_home,
        f"""
        SELECT
            count() AS events,
            uniqExact(*) AS different,
            uniqExact(toYYYYMMDD(time)) AS days,
            toUnixTimestamp(min(time)) AS first,
            toUnixTimestamp(max(time)) AS last
        FROM app.{table}
        """,
    ).iloc[0]
    assert found["events"] == found["different"]
    assert found["days"] == 85
    assert MIDNIGHT <= found["first"] < found["last"] < MIDNIGHT + 85 * 86400


def test_a_user_has_the_same_attributes_in_all_events(demo_home: Settings) -> None:
    columns = "user_id, gender, age, country, city, os, source, exp_group"
    found = rows(
        demo_home,
        f"""
        SELECT uniqExact(user_id) AS users, count() AS kinds
        FROM
        (
            SELECT DISTINCT {columns} FROM app.feed_actions
            UNION DISTINCT
            SELECT DISTINCT {columns} FROM app.message_actions
        )
        """,
    ).iloc[0]
    assert found["users"] == found["kinds"] > 7000


def test_views_of_a_visit_are_10_to_180_seconds_apart_without_preference(
    demo_home: Settings,
) -> None:
    gaps = column(
        demo_home,
        f"""
        SELECT gap, count()
        FROM
        (
            SELECT arrayJoin(arrayPopFront(arrayDifference(arraySort(
                groupArrayIf(toUnixTimestamp(time), action = 'view'))))) AS gap
            FROM {FEED}
            WHERE day NOT IN (75, 82) -- the days of the odd slices
            GROUP BY user_id, day
        )
        GROUP BY gap
        """,
    )
    assert gaps.index.tolist() == list(range(10, 181))
    # Two million gaps over 171 values: the standard error of a share is 1 %.
    assert (gaps / gaps.mean()).between(0.95, 1.05).all()


def test_nobody_writes_to_himself(demo_home: Settings) -> None:
    assert number(demo_home, "SELECT count() FROM app.message_actions") > 50_000
    sql = "SELECT count() FROM app.message_actions WHERE user_id = reciever_id"
    assert number(demo_home, sql) == 0


def tables_of_app(home: Settings) -> list[str]:
    found = rows(home, "SELECT name FROM system.tables WHERE database = 'app' ORDER BY name")
    return [str(name) for name in found["name"]]


def test_only_the_tables_of_the_app_remain(demo_home: Settings) -> None:
    assert tables_of_app(demo_home) == ["feed_actions", "message_actions", "source_info"]


def test_source_info_says_what_was_drawn(demo_home: Settings) -> None:
    with warehouse.open_source(demo_home) as source:
        info = warehouse.source_info(source)
    synthetic = info.pop("synthetic_columns")
    assert info == {
        "kind": "demo",
        "title": "Synthetic demo history, 2022-12-05 to 2023-02-27, scale 0.05, seed 20221205",
        "today": "2023-02-28",
        "start": "2022-12-05",
        "days": 85,
        "seed": 20221205,
        "scale": 0.05,
    }
    assert {"feed.gender", "feed.time", "messages.receiver_id"} <= set(synthetic)


# The build


def checksums(
    home: Settings, *, shift_days: int = 0, before: int = 2**31
) -> list[tuple[float, str]]:
    """Return rows and checksum of both tables, their times moved back by some days."""
    found = []
    for table, item in (("feed_actions", "post_id, action"), ("message_actions", "reciever_id")):
        sums = rows(
            home,
            f"""
            SELECT
                count() AS events,
                toString(sum(cityHash64(
                    user_id, {item}, toUnixTimestamp(time) - {shift_days * 86400},
                    gender, age, country, city, os, source, exp_group
                ))) AS checksum
            FROM app.{table}
            WHERE toUnixTimestamp(time) < {before}
            """,
        ).iloc[0]
        found.append((float(sums["events"]), str(sums["checksum"])))
    return found


BUILD = """
import os, sys
from pathlib import Path
from nbtools import demo
from nbtools.settings import Settings
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
demo.build(Settings(home=Path(sys.argv[1])), scale=float(sys.argv[2]), days=40)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = Settings(home=tmp_path_factory.mktemp("small"))
    demo.build(home, scale=SMALL, days=40)
    return home


def test_same_seed_gives_the_same_rows_whatever_the_threads(
    small: Settings, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", BUILD, str(tmp_path), str(SMALL)]
    subprocess.run(command, check=True, capture_output=True)
    assert checksums(Settings(home=tmp_path)) == checksums(small)


def test_another_seed_gives_other_rows(small: Settings, tmp_path: Path) -> None:
    other = Settings(home=tmp_path)
    demo.build(other, scale=SMALL, seed=1, days=40)
    for ours, theirs in zip(checksums(small), checksums(other), strict=True):
        assert ours[1] != theirs[1]
        assert ours[0] == pytest.approx(theirs[0], rel=0.15)


def test_another_start_moves_the_same_rows(small: Settings, tmp_path: Path) -> None:
    moved = Settings(home=tmp_path)
    # A Monday again, 52 weeks later.
    demo.build(moved, scale=SMALL, start=START + timedelta(364), days=40)
    assert checksums(moved, shift_days=364) == checksums(small)
    with warehouse.open_source(moved) as source:
        assert warehouse.source_info(source)["today"] == "2024-01-13"


def test_a_shorter_history_is_the_beginning_of_a_longer_one(
    small: Settings, tmp_path: Path
) -> None:
    shorter = Settings(home=tmp_path)
    demo.build(shorter, scale=SMALL, days=30)
    assert checksums(shorter) == checksums(small, before=MIDNIGHT + 30 * 86400)


def test_a_longer_history_goes_on_near_a_steady_state(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    demo.build(home, scale=SMALL, days=240)
    users = column(home, f"SELECT day, count() FROM {READERS} GROUP BY day")
    assert len(users) == 240
    # The app had 18.7 thousand after 33 weeks.
    assert users[220:239].mean() / SMALL == pytest.approx(18_700, rel=0.12)


def test_days_of_a_zone_with_daylight_saving_are_whole(tmp_path: Path) -> None:
    home = Settings(home=tmp_path, tz="America/New_York")
    # Clocks go forward on 12 March 2023, a day of 23 hours.
    demo.build(home, scale=SMALL, start=date(2023, 3, 9), days=7)
    hours = rows(
        home,
        """
        SELECT toString(toDate(time, 'America/New_York')) AS day, max(toHour(time, 'America/New_York')) AS hour
        FROM app.feed_actions
        GROUP BY day
        ORDER BY day
        """,  # noqa: E501
    )
    assert hours["day"].tolist() == [f"2023-03-{day:02d}" for day in range(9, 16)]
    # Ten users on the first day are too few to be there at any hour.
    assert (hours["hour"][1:] >= 22).all()


def test_a_killed_build_leaves_the_history_before_it_and_the_next_one_is_as_if_undisturbed(
    small: Settings, tmp_path: Path
) -> None:
    home = Settings(home=tmp_path)
    demo.build(home, scale=SMALL, seed=1, days=40)
    before = checksums(home)
    build = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(tmp_path), "1"], stderr=subprocess.PIPE, text=True
    )
    assert build.stderr is not None
    with build:
        assert build.stderr.readline().startswith("demo history: from 2022-12-05")
        time.sleep(1)
        os.kill(build.pid, signal.SIGKILL)
    assert build.returncode == -signal.SIGKILL
    assert "building_feed_actions" in tables_of_app(home)
    assert checksums(home) == before
    with warehouse.open_source(home) as source:
        assert warehouse.source_info(source)["seed"] == 1
    demo.build(home, scale=SMALL, days=40)
    assert checksums(home) == checksums(small)
    assert tables_of_app(home) == ["feed_actions", "message_actions", "source_info"]


KILLED_BEFORE_PUBLISHING = """
import os, signal, sys
from pathlib import Path
from nbtools import demo, warehouse
from nbtools.settings import Settings
executed = warehouse.Connection.execute
def kill(db, name, **values):
    if name == "app/publish":
        os.kill(os.getpid(), signal.SIGKILL)
    executed(db, name, **values)
warehouse.Connection.execute = kill
demo.build(Settings(home=Path(sys.argv[1])), scale=float(sys.argv[2]), seed=1, days=2)
"""


def test_a_build_killed_between_the_last_statements_leaves_no_history_and_the_book_builds_one(
    home: Settings,
) -> None:
    demo.build(home, scale=SMALL, days=2)
    before = checksums(home)
    command = [sys.executable, "-c", KILLED_BEFORE_PUBLISHING, str(home.home), str(SMALL)]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert "feed_actions" not in tables_of_app(home)
    assert pipeline.source_is_empty(home)
    pipeline.build_demo(home, scale=SMALL, days=2)
    assert checksums(home) == before
    assert tables_of_app(home) == ["feed_actions", "message_actions", "source_info"]


def test_a_history_without_its_feed_counts_as_none_and_is_built_anew(home: Settings) -> None:
    # What a kill between the two renames of the last statement leaves.
    demo.build(home, scale=SMALL, days=2)
    before = checksums(home)
    with warehouse.open_warehouse(home) as db:
        db.client.command("RENAME TABLE app.feed_actions TO app.building_feed_actions")
    assert pipeline.source_is_empty(home)
    pipeline.build_demo(home, scale=SMALL, days=2)
    assert checksums(home) == before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": 0}, r"^scale is 0; needed is 0\.001 to 100\.$"),
        ({"scale": 101}, r"^scale is 101; needed"),
        ({"scale": float("nan")}, r"^scale is nan; needed"),
        ({"seed": -1}, r"^seed is -1; needed"),
        ({"days": 0}, r"^days is 0; needed is 1 to 3660\.$"),
        ({"days": 3661}, r"^days is 3661; needed"),
        ({"start": date(1999, 12, 31)}, r"^85 days from 1999-12-31 do not lie between"),
        ({"start": date(2099, 12, 1)}, r"^85 days from 2099-12-01 do not lie between"),
        ({"scale": 0.001, "days": 3}, r"^scale 0\.001 over 3 days gives 4 users, needed are 10;"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    home: Settings, values: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        demo.build(home, **values)  # type: ignore[arg-type]
    assert not home.home.exists()


def test_a_source_elsewhere_is_refused(home: Settings) -> None:
    elsewhere = Settings(home=home.home, source="clickhouse://reader@events.example:8123/app")
    with pytest.raises(SettingsError, match=r"^NBTOOLS_SOURCE is another place"):
        demo.build(elsewhere, scale=SMALL, days=1)


@pytest.mark.parametrize("line", ["  database: events", "  table: feed_events"])
def test_a_source_of_another_name_is_refused(home: Settings, line: str) -> None:
    shipped = (PROJECT / "parameters" / "source.yml").read_text("utf-8")
    key = line.partition(":")[0]
    home.home.mkdir()
    own = home.home / "source.yml"
    own.write_text(re.sub(f"^{key}:.*$", line, shipped, count=1, flags=re.MULTILINE), "utf-8")
    with pytest.raises(SettingsError, match=r"source\.yml names \w+\.\w+ for the feed, so a demo"):
        demo.build(home, scale=SMALL, days=1)
    assert [path.name for path in home.home.iterdir()] == ["source.yml"]


@pytest.mark.parametrize("table", ["feed_actions", "message_actions"])
def test_tables_of_others_are_never_replaced(home: Settings, table: str) -> None:
    with warehouse.open_warehouse(home) as db:
        db.execute("app/create_database")
        db.execute(f"app/{table}", table=table, tz=home.tz)
    # As the book would do, which finds the source without events.
    assert pipeline.source_is_empty(home)
    with pytest.raises(InputError, match=rf"^app\.{table} was not built by nbtools"):
        pipeline.build_demo(home, scale=SMALL, days=1)
    assert tables_of_app(home) == [table]


def test_a_second_build_waits_for_the_first(home: Settings) -> None:
    impatient = Settings(home=home.home, lock_wait=0)
    code = "import sys, time; from pathlib import Path; from nbtools import locks\n"
    code += "with locks.hold(Path(sys.argv[1]), 'nbtools demo'): print(flush=True); time.sleep(60)"
    lock = home.home / "locks" / "load.lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        try:
            with pytest.raises(
                LockedError, match=f"held by process {first.pid} \\(nbtools demo\\)"
            ):
                demo.build(impatient, scale=SMALL, days=1)
        finally:
            first.kill()
