import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from nbtools import engine, warehouse
from nbtools.errors import LockedError, NoDataError, SettingsError, WarehouseError
from nbtools.settings import PROJECT, Settings

COLUMNS = """gender UInt8, age UInt8, country String, city String, os LowCardinality(String),
    source LowCardinality(String), exp_group Int8"""
REST = "0, 27, 'Russia', 'Moscow', 'iOS', 'ads', 1"
# A statement of its own for each test of the mechanism, so that no test depends on
# what the project's statements are about.
PROBES = {
    "feed_rows": "SELECT user_id, time, os FROM feed ORDER BY user_id",
    "messages_rows": "SELECT user_id, receiver_id FROM messages ORDER BY user_id",
    "text": "SELECT {text:String} AS text",
    "types": """SELECT toDate('2023-01-20') AS day, toDateTime('2023-01-20 12:00:00', {tz:String})
        AS time, toDateTime64('2023-01-20 12:00:00', 3, {tz:String}) AS time64,
        number, toNullable(1) AS maybe, CAST(NULL, 'Nullable(UInt8)') AS never,
        CAST(NULL, 'Nullable(Date)') AS no_day, 0.5 AS share,
        CAST('iOS', 'LowCardinality(String)') AS os FROM numbers({rows:UInt8})""",
    "rows": "SELECT sum(a) AS total FROM t",
    "write": "INSERT INTO app.feed_actions (user_id) VALUES (1)",
    "drop": "DROP TABLE app.feed_actions",
    "create": "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a",
    "wrong": "SELECT nothing_of_that_name",
}


@pytest.fixture(autouse=True)
def _probes(monkeypatch: pytest.MonkeyPatch) -> None:
    def statement(name: str) -> str:
        return PROBES.get(name) or engine.statement(name)

    monkeypatch.setattr(warehouse, "statement", statement)


def create_events(settings: Settings, *, receiver: str = "reciever_id") -> None:
    with warehouse.open_warehouse(settings) as db:
        for text in (
            "CREATE DATABASE app",
            f"CREATE TABLE app.feed_actions (user_id UInt32, post_id UInt32, action String,"
            f" time DateTime('Europe/Moscow'), {COLUMNS}) ENGINE = MergeTree ORDER BY time",
            f"CREATE TABLE app.message_actions (user_id UInt32, {receiver} UInt32,"
            f" time DateTime('Europe/Moscow'), {COLUMNS}) ENGINE = MergeTree ORDER BY time",
            f"INSERT INTO app.feed_actions VALUES (1, 2, 'like', '2023-01-20 00:30:00', {REST})",
            f"INSERT INTO app.message_actions VALUES (1, 7, '2023-01-20 00:30:00', {REST})",
        ):
            db.client.command(text)


@pytest.fixture
def source(home: Settings) -> Iterator[warehouse.Connection]:
    create_events(home)
    with warehouse.open_source(home) as found:
        yield found


@pytest.fixture
def db(home: Settings) -> Iterator[warehouse.Connection]:
    with warehouse.open_warehouse(home) as found:
        yield found


def test_a_source_statement_sees_canonical_names(source: warehouse.Connection) -> None:
    assert source.frame("messages_rows").to_dict("list") == {"user_id": [1], "receiver_id": [7]}


def test_the_other_spelling_of_the_receiver_works(home: Settings) -> None:
    create_events(home, receiver="receiver_id")
    with warehouse.open_source(home) as found:
        assert found.frame("messages_rows")["receiver_id"].tolist() == [7]


def test_a_home_may_name_everything_otherwise(home: Settings) -> None:
    names = yaml.safe_load((PROJECT / "parameters" / "source.yml").read_text())
    names["feed"] |= {"database": "prod 2", "table": "feed-log"}
    names["feed"]["columns"] |= {"user_id": "uid 1", "time": "when it was", "os": "plat form"}
    home.home.mkdir()
    (home.home / "source.yml").write_text(yaml.safe_dump(names))
    create_events(home)
    with warehouse.open_warehouse(home) as db:
        for text in (
            "CREATE DATABASE `prod 2`",
            "CREATE TABLE `prod 2`.`feed-log` (`uid 1` UInt32, post_id UInt32, action String,"
            f" `when it was` DateTime, {COLUMNS.replace('os Low', '`plat form` Low')})"
            " ENGINE = MergeTree ORDER BY post_id",
            f"INSERT INTO `prod 2`.`feed-log` VALUES (9, 1, 'view', '2023-01-20', {REST})",
        ):
            db.client.command(text)
    with warehouse.open_source(home) as found:
        rows = found.frame("feed_rows")
        assert rows[["user_id", "os"]].to_dict("records") == [{"user_id": 9, "os": "iOS"}]


@pytest.mark.parametrize("name", ["write", "drop"])
def test_the_source_refuses_to_be_changed(
    source: warehouse.Connection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROBES, "source", " ")
    with pytest.raises(WarehouseError, match="READONLY"):
        source.execute(name)
    with pytest.raises(WarehouseError, match="READONLY"):
        source.insert("app.feed_actions", pa.table({"user_id": pa.array([1], pa.uint32())}))
    with pytest.raises(Exception, match="READONLY"):
        source.client.command("SET readonly = 0")
    monkeypatch.undo()
    assert source.client.command("SELECT count() FROM app.feed_actions") == 1


def test_an_empty_warehouse_opens_and_says_what_it_lacks_when_asked(home: Settings) -> None:
    with warehouse.open_source(home) as found:
        assert warehouse.source_info(found) == {}
        with pytest.raises(
            NoDataError, match=r"app\.feed_actions, named as feed\.table in "
        ) as err:
            found.frame("feed_rows")
    assert "\n" not in str(err.value)
    assert err.value.exit_code == 2


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE app.feed_actions; --", "a\tb\nc", "\\", "\\N", "{x:String}", "ж'\"`", "", "%s"],
)
def test_values_are_bound_as_they_are(db: warehouse.Connection, text: str) -> None:
    assert db.frame("text", text=text)["text"].tolist() == [text]


@pytest.mark.parametrize("rows", [0, 2])
def test_columns_have_their_types_with_and_without_rows(
    db: warehouse.Connection, rows: int
) -> None:
    frame = db.frame("types", rows=rows, tz="Europe/Moscow")
    assert len(frame) == rows
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "day": "datetime64[s]",
        "time": "datetime64[us]",
        "time64": "datetime64[us]",
        "number": "int64",
        "maybe": "float64",
        "never": "float64",
        "no_day": "datetime64[s]",
        "share": "float64",
        "os": "str",
    }


def test_times_are_utc_without_a_zone(db: warehouse.Connection) -> None:
    # Moscow is three hours ahead of UTC all year.
    row = db.frame("types", rows=1, tz="Europe/Moscow").loc[0]
    assert row["day"] == pd.Timestamp(date(2023, 1, 20))
    assert row["time"] == row["time64"] == pd.Timestamp(datetime(2023, 1, 20, 9))  # noqa: DTZ001


def test_times_do_not_depend_on_the_zone_of_the_machine(home: Settings) -> None:
    script = """
from nbtools import engine, settings, warehouse
warehouse.statement = lambda name: (
    "SELECT toDateTime('2023-01-20 12:00:00', 'Europe/Moscow') AS time,"
    "toDate('2023-01-20') AS day")
with warehouse.open_warehouse(settings.load()) as db:
    print(*db.frame("x").loc[0])
"""
    environment = {**os.environ, "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2023-01-20 09:00:00 2023-01-20 00:00:00\n"


def test_arrow_goes_in_and_comes_out(db: warehouse.Connection) -> None:
    db.execute("create")
    rows = pa.table({"a": pa.array([1, 2**64 - 1], pa.uint64()), "s": ["x", "it's"]})
    db.insert("t", rows)
    PROBES["all"] = "SELECT a, s FROM t ORDER BY a"
    assert db.arrow("all").to_pydict() == rows.to_pydict()


def test_usage_counts_the_rows_that_were_scanned(db: warehouse.Connection) -> None:
    db.execute("create")
    db.insert("t", pa.table({"a": pa.array(range(5000), pa.uint64()), "s": ["x"] * 5000}))
    before = db.usage.rows_read, db.usage.statements
    assert db.frame("rows")["total"].tolist() == [5000 * 4999 // 2]
    assert db.usage.rows_read - before[0] == 5000
    assert db.usage.statements - before[1] == 1
    assert db.usage.engine_seconds > 0


def test_a_refused_statement_is_one_line_that_names_it(db: warehouse.Connection) -> None:
    with pytest.raises(WarehouseError, match=r"refused wrong: .*UNKNOWN_IDENTIFIER") as caught:
        db.frame("wrong")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_the_history_says_what_it_is(home: Settings) -> None:
    create_events(home)
    with warehouse.open_warehouse(home) as db:
        db.execute("source_info/create", database="app")
        db.client.insert("app.source_info", [["kind", '"demo"'], ["days", "85"]], ["key", "value"])
    with warehouse.open_source(home) as found:
        assert warehouse.source_info(found) == {"kind": "demo", "days": 85}


# Two processes on one embedded warehouse.

OPEN = """
import sys, time
from nbtools import settings, warehouse
with warehouse.open_warehouse(settings.load()) as db:
    print("open", flush=True)
    time.sleep(float(sys.argv[1]))
"""


def opened(seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_two_processes_wait_for_each_other(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(2) as other:
        started = time.monotonic()
        with warehouse.open_warehouse(home):
            waited = time.monotonic() - started
    assert 0.5 < waited < 20
    assert f"Waiting for warehouse, held by process {other.pid}" in capsys.readouterr().err


def test_the_wait_for_the_warehouse_ends(monkeypatch: pytest.MonkeyPatch, home: Settings) -> None:
    hasty = home.model_copy(update={"lock_wait": 0.2})
    with opened(60) as other:
        with pytest.raises(LockedError, match=f"warehouse is held by process {other.pid}"):
            warehouse.open_source(hasty).__enter__()
        other.kill()
    with warehouse.open_source(hasty):
        pass


def test_four_processes_write_one_after_the_other(home: Settings) -> None:
    with warehouse.open_warehouse(home) as db:
        db.execute("create")
    script = """
from nbtools import settings, warehouse
with warehouse.open_warehouse(settings.load()) as db:
    db.client.command("INSERT INTO t SELECT number, 'x' FROM numbers(1000)")
"""
    others = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [other.wait(120) for other in others] == [0] * 4
    with warehouse.open_warehouse(home) as db:
        assert db.client.command("SELECT count() FROM t") == 4000


def test_one_process_opens_both_and_more_than_once(home: Settings) -> None:
    create_events(home)
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        with warehouse.open_warehouse(home) as again:
            again.execute("create")
        assert db.frame("rows")["total"].tolist() == [0]
        assert len(source.frame("feed_rows")) == 1


def test_two_folders_are_refused(tmp_path: Path, home: Settings) -> None:
    two = home.model_copy(update={"source": f"chdb://{tmp_path}/other"})
    with pytest.raises(SettingsError, match="are two chdb folders"):
        warehouse.open_source(two).__enter__()


def test_two_spellings_of_one_folder_are_one(tmp_path: Path, home: Settings) -> None:
    (tmp_path / "link").symlink_to(home.home, target_is_directory=True)
    same = home.model_copy(update={"source": f"chdb://{tmp_path}/link/./warehouse"})
    with warehouse.open_warehouse(same), warehouse.open_source(same):
        pass


def test_a_second_home_in_one_process_is_told(tmp_path: Path, home: Settings) -> None:
    with (
        warehouse.open_warehouse(home),
        pytest.raises(WarehouseError, match="this process has another warehouse open") as caught,
    ):
        warehouse.open_warehouse(Settings(home=tmp_path / "second")).__enter__()
    assert "\n" not in str(caught.value)


def test_a_program_without_our_lock_is_suspected(home: Settings) -> None:
    script = f"import chdb, time; c = chdb.connect({str(home.home / 'warehouse')!r}); "
    script += "print('open', flush=True); time.sleep(60)"
    home.home.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(WarehouseError, match="takes no nbtools lock"):
            warehouse.open_warehouse(home).__enter__()
        other.kill()
    with warehouse.open_warehouse(home):
        pass


@pytest.mark.parametrize("place", ["{file}/warehouse", "/proc/self/fdinfo"])
def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, home: Settings, place: str
) -> None:
    (tmp_path / "file").touch()
    dsn = "chdb://" + place.format(file=tmp_path / "file")
    there = home.model_copy(update={"warehouse": dsn, "source": dsn})
    with pytest.raises(SettingsError, match="set NBTOOLS_HOME or NBTOOLS_WAREHOUSE") as caught:
        warehouse.open_warehouse(there).__enter__()
    assert "\n" not in str(caught.value)


def test_a_folder_with_blanks_and_signs_works(tmp_path: Path) -> None:
    odd = Settings(home=tmp_path / "a b#c%41'ж")
    with warehouse.open_warehouse(odd) as db:
        db.execute("create")
    assert (odd.home / "warehouse").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["a b#c%41'ж"]


# A server that cannot be used.


def server(home: Settings, dsn: str) -> Settings:
    return home.model_copy(update={"warehouse": dsn, "source": dsn})


def test_an_unreachable_server_is_told_without_the_password(home: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        dsn = f"clickhouse://anna:s3cr3t%40pw@127.0.0.1:{port}/analytics"
        with pytest.raises(WarehouseError) as caught:
            warehouse.open_warehouse(server(home, dsn)).__enter__()
    assert str(caught.value) == (
        f"Cannot open ClickHouse at 127.0.0.1:{port} (NBTOOLS_WAREHOUSE): Connection refused."
    )
    assert caught.value.__cause__ is None


def test_a_server_that_stays_silent_is_given_up(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"clickhouse://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(WarehouseError, match="Cannot open ClickHouse at"):
            warehouse.open_source(server(home, dsn)).__enter__()
    assert time.monotonic() - started < 10


def test_a_server_that_talks_otherwise_is_told(home: Settings) -> None:
    def answer(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    listening: Any = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=answer, args=(listening,))
    thread.start()
    try:
        dsn = f"clickhouse://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(WarehouseError, match="Cannot open ClickHouse at"):
            warehouse.open_warehouse(server(home, dsn)).__enter__()
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
