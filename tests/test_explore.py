import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

from nbtools import bridge, explore, warehouse
from nbtools.errors import InputError, WarehouseError
from nbtools.settings import Settings

time = pd.Timestamp
ODD = "'\"`\\ \t\n{db} {x:String} %s ж"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    found = Settings(home=tmp_path_factory.mktemp("explored") / "home")
    with warehouse.open_warehouse(found) as db:
        db.client.command("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        db.client.insert("t", [[1, ODD], [2, ""], [3, '"open']], column_names=["a", "s"])
    return found


@pytest.fixture(scope="module")
def server(embedded: Settings) -> Iterator[Settings]:
    with bridge.listen(embedded) as url:
        dsn = f"clickhouse://{urlsplit(url).netloc}/analytics"
        yield embedded.model_copy(update={"warehouse": dsn})


@pytest.fixture(params=["embedded", "server"])
def settings(request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def by_pandahouse(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Collect, for each query, whether pandahouse read its frame."""
    found: list[bool] = []
    read = explore._by_pandahouse

    def noting(url: str, text: str) -> pd.DataFrame | None:
        frame = read(url, text)
        found.append(frame is not None)
        return frame

    monkeypatch.setattr(explore, "_by_pandahouse", noting)
    return found


def one(settings: Settings, expression: str) -> Any:
    return explore.run(settings, f"SELECT {expression} AS x")["x"].iloc[0]


def test_texts_come_as_they_are(settings: Settings, by_pandahouse: list[bool]) -> None:
    frame = explore.run(settings, "SELECT a, s FROM t ORDER BY a")
    assert frame.to_dict("list") == {"a": [1, 2, 3], "s": [ODD, "", '"open']}
    if sys.version_info < (3, 12):
        assert by_pandahouse == [True]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("toUInt8(255)", 255),
        ("toInt64(-9223372036854775808)", -(2**63)),
        ("toUInt64(18446744073709551615)", 2**64 - 1),
        ("toLowCardinality('iOS')", "iOS"),
        ("CAST('a', 'Enum8(\\'a\\' = 1)')", "a"),
        ("true", True),
        ("0.1", 0.1),
        ("1 / 0", np.inf),
        ("-1 / 0", -np.inf),
        ("toDate('2023-01-20')", time("2023-01-20")),
        ("toDate32('1901-01-20')", time("1901-01-20")),
        ("toDateTime('2023-01-20 12:00:00', 'Europe/Moscow')", time("2023-01-20 12:00")),
        ("toDateTime64('2023-01-20 12:00:00.5', 3, 'Asia/Tokyo')", time("2023-01-20 12:00:00.5")),
        ("'{db}'", "{db}"),
        ("''", ""),
        # What pandahouse cannot read.
        ("toNullable(toDateTime('2023-01-20 12:00:00', 'Asia/Tokyo'))", time("2023-01-20 12:00")),
        ("toNullable(7)", 7),
        ("toDecimal32('1.50', 2)", Decimal("1.50")),
        ("[1, 2]", [1, 2]),
        ("map('a', 1)", {"a": 1}),
        ("unhex('FFFE')", "fffe"),
        (f"repeat('x', 3) || '{'y' * 9000}'", "xxx" + "y" * 9000),
    ],
)  # fmt: skip
def test_every_type_comes_as_what_it_is(embedded: Settings, expression: str, value: object) -> None:
    found = one(embedded, expression)
    assert found == value
    assert not isinstance(value, str) or isinstance(found, str)


@pytest.mark.parametrize("expression", ["0 / 0", "NULL", "CAST(NULL, 'Nullable(DateTime)')"])
def test_what_is_undefined_is_missing(embedded: Settings, expression: str) -> None:
    assert pd.isna(one(embedded, expression))


def test_without_pandahouse_the_frames_are_the_same(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """SELECT number, toString(number) AS s, 1 / number AS f, number = 1 AS b, true AS c,
        toDate('2023-01-20') + number AS d, toDateTime('2023-01-20 12:00:00', 'Asia/Tokyo') AS t
        FROM numbers(3)"""
    expected = explore.run(embedded, query)
    monkeypatch.setattr(explore, "pandahouse", None)
    pd.testing.assert_frame_equal(explore.run(embedded, query), expected)


def test_an_empty_result_has_its_columns(settings: Settings) -> None:
    frame = explore.run(settings, "SELECT a, s, toDate(0) AS d, [1] AS l FROM t WHERE a > 9")
    assert list(frame.columns) == ["a", "s", "d", "l"]
    assert frame.empty
    frame = explore.run(settings, "SELECT a, s FROM t WHERE a > 9")
    assert list(frame.columns) == ["a", "s"]


def test_rows_are_limited_and_told_of(settings: Settings) -> None:
    frame = explore.run(settings, "SELECT number AS n FROM numbers(10) ORDER BY n DESC", limit=3)
    assert frame["n"].tolist() == [9, 8, 7]
    assert frame.attrs["more"]
    assert not explore.run(settings, "SELECT a FROM t", limit=3).attrs["more"]
    with pytest.raises(InputError, match="limit is 0"):
        explore.run(settings, "SELECT 1", limit=0)


def test_a_terminal_shows_that_there_is_more_or_nothing(embedded: Settings) -> None:
    shown = explore.table(explore.run(embedded, "SELECT a, a * 2 AS b FROM t ORDER BY a", limit=1))
    assert shown.splitlines() == [" a  b", " 1  2", "The first 1 rows; there are more."]
    empty = explore.run(embedded, "SELECT a, s FROM t WHERE a > 9")
    assert explore.table(empty) == "No rows. Columns: a, s."


def test_a_terminal_shows_a_plan_with_its_indents(embedded: Settings) -> None:
    shown = explore.table(explore.run(embedded, "EXPLAIN SELECT a FROM t WHERE a > 1"))
    indents = [len(line) - len(line.lstrip()) for line in shown.splitlines()]
    assert indents[:2] == [0, 0]
    assert max(indents) > 0


def test_the_order_of_a_query_stays(embedded: Settings) -> None:
    query = "SELECT number AS n FROM numbers(300000) ORDER BY cityHash64(n)"
    frame = explore.run(embedded, query, limit=300_000)
    again = explore.run(embedded, f"SELECT n, cityHash64(n) AS h FROM ({query})", limit=300_000)
    assert frame["n"].tolist() == again.sort_values("h")["n"].tolist()


def test_columns_may_have_any_names(embedded: Settings) -> None:
    frame = explore.run(embedded, "SELECT 1 AS `a b`, 2 AS `{c}`, 3 AS `d\\`e\\\\`, count() FROM t")
    assert frame.to_dict("records") == [{"a b": 1, "{c}": 2, "d`e\\": 3, "count()": 3}]


def test_columns_may_have_the_same_name(embedded: Settings) -> None:
    frame = explore.run(embedded, "SELECT 1, 1")
    assert list(frame.columns) == ["1", "1"]
    assert frame.iloc[0].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 1 AS x;", 1),
        ("SELECT 1 AS x -- a remark", 1),
        ("SELECT 1 AS x; -- a remark\n ;", 1),
        ("-- a remark\nselect 1 AS x", 1),
        ("WITH 2 AS y SELECT y AS x", 1),
        ("(SELECT 1 AS x) UNION ALL (SELECT 2)", 2),
        ("FROM t SELECT a", 3),
        ("SELECT 'a SETTINGS b = 1' AS x", 1),
    ],
)
def test_a_query_may_be_written_in_many_ways(embedded: Settings, query: str, rows: int) -> None:
    assert len(explore.run(embedded, query)) == rows


def test_tables_can_be_listed_and_described(settings: Settings) -> None:
    assert "t" in explore.run(settings, "SHOW TABLES")["name"].tolist()
    assert explore.run(settings, "DESCRIBE TABLE t")["name"].tolist() == ["a", "s"]
    assert len(explore.run(settings, "EXPLAIN SELECT a FROM t")) > 0
    assert explore.run(settings, "EXISTS TABLE nowhere").iloc[0, 0] == 0
    assert explore.run(settings, "SHOW TABLES LIKE 'nothing'").empty


@pytest.mark.parametrize(
    ("query", "needed"),
    [
        ("", "The query is empty"),
        (" ; -- nothing", "The query is empty"),
        ("SELECT nothing", "Unknown expression identifier .nothing"),
        ("SELECT 1 FROM nowhere", "UNKNOWN_TABLE"),
        ("SELECT 1 +", "Syntax error"),
        ("SELECT 1) UNION ALL (SELECT 2", "Syntax error"),
        ("SELECT throwIf(number = 2) FROM numbers(3)", "THROW_IF"),
        ("SELECT 1 FORMAT JSON", "Leave out FORMAT JSON"),
        ("SELECT a FROM t SETTINGS max_threads = 1, join_algorithm='hash';", "Leave out SETTINGS"),
        ("SELECT * FROM file('/etc/hosts', 'TSV') SETTINGS readonly = 0", "SETTINGS"),
        (
            "SELECT * FROM (SELECT * FROM file('/etc/hosts', 'TSV') SETTINGS readonly=0)",
            "READONLY",
        ),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "INTO OUTFILE is not allowed"),
        ("SHOW TABLES INTO OUTFILE '/tmp/x'", "INTO OUTFILE is not allowed"),
        ("SELECT 1; DROP TABLE t", "one statement at a time"),
        ("DROP TABLE t", "begins with DROP"),
        ("INSERT INTO t VALUES (1, 'a')", "begins with INSERT"),
        ("EXPLAIN ANALYZE INSERT INTO t SELECT 1, 'a'", "ClickHouse refused"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", "READONLY"),
        ("SELECT * FROM file('/etc/hosts', 'TSV')", "READONLY"),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT 1, 'a'", "ClickHouse refused"),
        ("SELECT '" + "x" * 300_000, "ClickHouse refused"),
    ],
)
def test_what_is_wrong_or_would_write_is_told_in_one_line(
    settings: Settings, query: str, needed: str
) -> None:
    with pytest.raises(InputError, match=needed) as caught:
        explore.run(settings, query)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 600
    assert caught.value.exit_code == 2
    assert len(explore.run(settings, "SELECT a FROM t")) == 3


def test_an_unreachable_server_is_a_failure_without_its_password(embedded: Settings) -> None:
    dsn = "clickhouse://anna:s3cr3t@127.0.0.1:1/analytics"
    with pytest.raises(WarehouseError, match=r"127\.0\.0\.1:1") as caught:
        explore.run(embedded.model_copy(update={"warehouse": dsn}), "SELECT 1")
    assert "s3cr3t" not in str(caught.value)


def test_a_password_does_not_travel_in_the_address(
    server: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bridge asks for none, so any will do; it must arrive in a header.
    seen: list[Any] = []
    answer = bridge._Handler.do_POST

    def noting(handler: bridge._Handler) -> None:
        seen.append((handler.path, handler.headers.get("Authorization")))
        answer(handler)

    monkeypatch.setattr(bridge._Handler, "do_POST", noting)
    dsn = server.warehouse.replace("://", "://default:s3cr3t%40%2F@")
    assert one(server.model_copy(update={"warehouse": dsn}), "1") == 1
    assert seen
    assert not [path for path, _ in seen if "s3cr3t" in path]
    assert {header for _, header in seen} == {"Basic ZGVmYXVsdDpzM2NyM3RALw=="}


def test_pandahouse_only_reads_like_the_client(
    server: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandahouse = pytest.importorskip("pandahouse")
    addresses: list[str] = []
    monkeypatch.setattr(explore, "_by_pandahouse", lambda url, _: addresses.append(url))
    assert one(server, "1") == 1
    reader = server.warehouse.replace("://", "://reader@")
    assert one(server.model_copy(update={"warehouse": reader}), "1") == 1
    plain, of_reader = addresses
    assert "readonly=1" in plain
    with pytest.raises(pandahouse.http.ClickhouseException, match="READONLY"):
        pandahouse.execute("DROP TABLE t", connection={"host": plain})
    # Who may only read may not set it; saying again what holds anyway is allowed.
    assert pandahouse.execute("SELECT 1", connection={"host": of_reader}) == b"1\n"


def test_a_proxy_between_here_and_the_loopback_does_no_harm(home: Settings) -> None:
    # In a home of its own: the bridge of this file's server keeps the other one locked.
    script = "from nbtools import explore, settings\n"
    script += "print(explore.run(settings.load(), 'SELECT 7 AS a')['a'].tolist())"
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[7]\n"
