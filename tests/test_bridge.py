import gzip
import http.client
import json
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import clickhouse_connect
import lz4.frame
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import requests
from backports import zstd
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from nbtools import bridge, httpquery
from nbtools.errors import InputError
from nbtools.settings import Settings

MILLION = 1_000_000
SUM_TO_MILLION = MILLION * (MILLION - 1) // 2


@pytest.fixture(scope="module")
def home_of_module(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("served") / "home")


@pytest.fixture(scope="module")
def url(home_of_module: Settings) -> Iterator[str]:
    with bridge.listen(home_of_module) as found:
        yield found


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with connected(url) as found:
        found.command("DROP TABLE IF EXISTS t")
        found.command("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
        yield found


def connected(url: str, **options: Any) -> Client:
    place = urlsplit(url)
    assert place.hostname
    return clickhouse_connect.get_client(
        host=place.hostname, port=place.port or 0, database="analytics", **options
    )


def ask(url: str, query: str, body: bytes = b"", **fields: str) -> requests.Response:
    return requests.post(url, params={"query": query, **fields}, data=body, timeout=60)


def count(client: Client) -> int:
    return int(str(client.command("SELECT count() FROM t")))


# As curl sees it.


def test_a_query_may_stand_in_the_address_the_body_or_both(url: str) -> None:
    assert requests.get(url, params={"query": "SELECT 1"}, timeout=9).text == "1\n"
    assert requests.post(url, data="SELECT 2", timeout=9).text == "2\n"
    assert ask(url, "SELECT 3 AS x", b"FORMAT JSONEachRow").json() == {"x": 3}


def test_it_says_that_it_is_there(url: str) -> None:
    assert requests.get(f"{url}/ping", timeout=9).text == "Ok.\n"
    assert requests.get(url, timeout=9).text == "Ok.\n"


def test_curl_reads_and_sends_a_large_file(url: str, client: Client) -> None:
    rows = "".join(f"{number}\tx\n" for number in range(300_000)).encode()
    command = ["curl", "-s", "--max-time", "60", "--data-binary", "@-"]
    # Above a megabyte curl first asks whether it may go on, and would wait a second.
    started = time.monotonic()
    done = subprocess.run(
        [*command, f"{url}/?query={quote('INSERT INTO t FORMAT TSV')}"],
        input=rows,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b""
    assert time.monotonic() - started < 10
    assert count(client) == 300_000


def test_values_are_bound_as_a_server_does(url: str) -> None:
    text = "'; DROP TABLE t; --\\"
    found = ask(url, "SELECT {x:String} FORMAT JSONEachRow", param_x=text.replace("\\", "\\\\"))
    assert list(found.json().values()) == [text]
    assert ask(url, "SELECT {d:Date} + 1", param_d="2023-01-31").text == "2023-02-01\n"
    assert ask(url, "SELECT {x:String}").headers["X-ClickHouse-Exception-Code"] == "456"


def test_settings_database_and_format_come_from_the_address(url: str) -> None:
    assert ask(url, "SELECT getSetting('max_threads')", max_threads="3").text == "3\n"
    assert ask(url, "SELECT currentDatabase()").text == "analytics\n"
    assert ask(url, "SELECT currentDatabase()", database="system").text == "system\n"
    assert ask(url, "SELECT 1 AS x", default_format="JSONEachRow").json() == {"x": 1}
    found = ask(url, "SELECT 1 FORMAT CSV", default_format="JSON")
    assert found.headers["X-ClickHouse-Format"] == "CSV"


def test_a_setting_ends_with_its_request(url: str) -> None:
    plain = ask(url, "SELECT getSetting('max_block_size')").text
    ask(url, "SELECT 1", max_block_size="17")
    ask(url, "SET max_block_size = 18")
    assert ask(url, "SELECT getSetting('max_block_size')").text == plain


def test_the_summary_counts_what_was_read_and_written(url: str, client: Client) -> None:
    done = ask(url, "INSERT INTO t SELECT number, 'x' FROM numbers(5000)")
    assert json.loads(done.headers["X-ClickHouse-Summary"])["written_rows"] == "5000"
    done = ask(url, "SELECT sum(a) FROM t")
    summary = json.loads(done.headers["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"]) == ("5000", "1")
    done = ask(url, "INSERT INTO t FORMAT CSV", b"1,a\n2,b\n")
    assert json.loads(done.headers["X-ClickHouse-Summary"])["written_rows"] == "2"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("SELECT 1 FROM nowhere", 404, 60),
        ("SELECT 1 FROM nowhere.t", 404, 81),
        ("SELECT nothing", 404, 47),
        ("SELECT nofunction(1)", 404, 46),
        ("SELECT 1 FORMAT Nothing", 404, 73),
        ("SELEC 1 FROM", 400, 62),
        ("SELECT toDate('x')", 400, 38),
        ("SELECT throwIf(1)", 500, 395),
        ("-- only a remark", 400, 62),
        (" ; ", 400, 62),
        ("SELECT 1; DROP TABLE t", 400, 62),
        ("SELECT '" + "x" * 300_000 + "'", 400, 62),
    ],
)
def test_errors_have_the_codes_and_statuses_of_a_server(
    url: str, client: Client, query: str, status: int, code: int
) -> None:
    found = requests.post(url, data=query, timeout=9)
    assert found.status_code == status
    assert found.headers["X-ClickHouse-Exception-Code"] == str(code)
    assert found.text.startswith(f"Code: {code}. DB::Exception: ")
    assert len(found.text) < 11_000
    assert count(client) == 0


def test_an_unknown_setting_or_user_is_told(url: str) -> None:
    assert ask(url, "SELECT 1", no_such_setting="1").status_code == 404
    odd = requests.post(url, params={"query": "SELECT 1", "a b": "1"}, timeout=9)
    assert odd.headers["X-ClickHouse-Exception-Code"] == "115"
    found = ask(url, "SELECT 1", user="anna", password="s3cr3t")
    assert (found.status_code, found.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
    assert "s3cr3t" not in found.text
    login = requests.post(url, data="SELECT 1", auth=("anna", "x"), timeout=9)
    assert login.status_code == 403
    broken = {"Authorization": "Basic ~"}
    assert requests.post(url, data="SELECT 1", headers=broken, timeout=9).status_code == 403


def test_an_error_in_the_middle_of_a_result_is_an_error_and_not_half_of_it(url: str) -> None:
    query = "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)"
    found = ask(url, query, max_block_size="1000")
    assert found.status_code == 500
    assert found.text.startswith("Code: 395.")


def test_a_refused_insert_leaves_the_connection_usable(url: str, client: Client) -> None:
    with requests.Session() as session:
        bad = session.post(url, params={"query": "INSERT INTO t FORMAT CSV"}, data="x,y\n")
        assert bad.status_code == 400
        assert session.post(url, data="SELECT 1").text == "1\n"
    assert count(client) == 0


# Bodies.

ENCODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_frame_of_a_compressed_body_counts(url: str, client: Client, encoding: str) -> None:
    blocks = [b"1,a\n", b"2,b\n", b"3,c\n"]
    encode = ENCODINGS[encoding]
    # deflate knows no second frame; the others may have one per block.
    body = encode(b"".join(blocks)) if encoding == "deflate" else b"".join(map(encode, blocks))
    done = requests.post(
        url,
        params={"query": "INSERT INTO t FORMAT CSV"},
        data=body,
        headers={"Content-Encoding": encoding},
        timeout=9,
    )
    assert done.status_code == 200
    assert client.query("SELECT a FROM t ORDER BY a").result_columns == [[1, 2, 3]]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("cut", ["cut", "junk"])
def test_a_broken_body_is_refused(url: str, client: Client, encoding: str, cut: str) -> None:
    whole = ENCODINGS[encoding](b"1,a\n" * 1000)
    body = whole[: len(whole) // 2] if cut == "cut" else b"this is not compressed"
    done = requests.post(
        url,
        params={"query": "INSERT INTO t FORMAT CSV"},
        data=body,
        headers={"Content-Encoding": encoding},
        timeout=9,
    )
    assert done.headers["X-ClickHouse-Exception-Code"] == "354"
    assert encoding in done.text
    assert count(client) == 0


def test_an_unknown_compression_is_refused(url: str) -> None:
    done = requests.post(url, data=b"x", headers={"Content-Encoding": "rot13"}, timeout=9)
    assert done.headers["X-ClickHouse-Exception-Code"] == "89"
    assert ask(url, "SELECT 1", compress="1").status_code == 501


def test_a_body_may_come_in_chunks(url: str, client: Client) -> None:
    rows = (f"{number},x\n".encode() for number in range(1000))
    assert requests.post(
        url, params={"query": "INSERT INTO t FORMAT CSV"}, data=rows, timeout=60
    ).ok
    assert count(client) == 1000


@pytest.mark.parametrize(
    "request_text",
    [
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: many\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\nSELECT 1",
        "nonsense\r\n\r\n",
    ],
)
def test_a_broken_request_is_answered_and_ended(url: str, request_text: str) -> None:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port or 0), timeout=9) as connection:
        connection.sendall(request_text.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 400 " in answer.splitlines()[0] or b"Error code: 400" in answer


def test_other_paths_and_methods_are_refused(url: str) -> None:
    assert requests.get(f"{url}/play", timeout=9).status_code == 404
    assert requests.delete(url, timeout=9).status_code == 501


def test_a_get_reads_only(url: str, client: Client) -> None:
    found = requests.get(url, params={"query": "DROP TABLE t"}, timeout=9)
    assert found.headers["X-ClickHouse-Exception-Code"] == "164"
    assert count(client) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Host": "example.org:8123"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_web_page_elsewhere_reaches_nothing(url: str, headers: dict[str, str]) -> None:
    found = requests.post(url, data="SELECT 1", headers=headers, timeout=9)
    assert found.headers["X-ClickHouse-Exception-Code"] == "497"


def test_an_answer_is_not_held_back(url: str) -> None:
    # Head and body in two segments cost 40 ms each time.
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    started = time.monotonic()
    for _ in range(50):
        connection.request("POST", "/", b"SELECT 1")
        assert connection.getresponse().read() == b"1\n"
    connection.close()
    assert (time.monotonic() - started) / 50 < 0.03


# The read-only user.


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("DROP TABLE t", 164),
        ("INSERT INTO t VALUES (1, 'a')", 164),
        ("INSERT INTO t SELECT 1, 'a'", 164),
        ("CREATE TABLE u (a UInt8) ENGINE = Memory", 164),
        ("INSERT INTO FUNCTION file('{file}', 'CSV', 'a UInt8') VALUES (1)", 164),
        ("INSERT INTO FUNCTION file('{file}') SELECT 1", 164),
        ("SELECT 1 INTO OUTFILE '{file}'", 358),
        ("SELECT 1 into/* x */outfile '{file}'", 358),
        ("SELECT 1 INTO -- x\n OUTFILE '{file}'", 358),
        ("SELECT $a$ ' $a$ INTO\u00a0OUTFILE '{file}'", 358),
        ("SHOW TABLES INTO OUTFILE '{file}'", 358),
        ("SELECT * FROM file('/etc/hostname', 'LineAsString')", 164),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')", 164),
        ("SET readonly = 0", 164),
        ("SELECT 1 SETTINGS readonly = 0", 164),
        ("KILL QUERY WHERE 1", 164),
        ("/* x */ KILL QUERY WHERE 1", 164),
        ("SYSTEM SHUTDOWN", 164),
    ],
)
def test_the_reader_only_reads(
    url: str, client: Client, tmp_path: Path, query: str, code: int
) -> None:
    text = query.replace("{file}", str(tmp_path / "written.csv"))
    found = requests.post(url, data=text.encode(), params={"user": "reader"}, timeout=9)
    assert found.headers["X-ClickHouse-Exception-Code"] == str(code), found.text
    assert not list(tmp_path.iterdir())
    assert count(client) == 0


def test_the_reader_reads_and_may_not_change_settings(url: str) -> None:
    for login in ({"params": {"user": "reader"}}, {"headers": {"X-ClickHouse-User": "reader"}}):
        assert requests.get(url, **login, data="SELECT 1", timeout=9).text == "1\n"  # type: ignore[arg-type]
    assert ask(url, "SELECT 1", user="reader", readonly="1").text == "1\n"
    assert ask(url, "SELECT 1", user="reader", readonly="0").status_code == 500
    assert ask(url, "SELECT 1", user="reader", max_threads="1").status_code == 500


def test_nobody_writes_files_by_outfile(url: str, tmp_path: Path) -> None:
    found = ask(url, f"SELECT 1 INTO OUTFILE '{tmp_path}/x'")
    assert found.headers["X-ClickHouse-Exception-Code"] == "358"
    assert not list(tmp_path.iterdir())


# The grammar of inserts, without an engine.


@pytest.mark.parametrize(
    ("text", "statement", "data", "data_format"),
    [
        ("INSERT INTO t FORMAT CSV\n1,a", "INSERT INTO t ", "1,a", "CSV"),
        ("insert into t (a) format CSV 1", "insert into t (a) ", "1", "CSV"),
        ("INSERT INTO t FORMAT CSV\n\n1", "INSERT INTO t ", "\n1", "CSV"),
        ("INSERT INTO t VALUES (1, 'a;');", "INSERT INTO t ", " (1, 'a;')", "Values"),
        ("INSERT INTO t SETTINGS x = 1 FORMAT CSV\n1", "INSERT INTO t SETTINGS x = 1 ", "1", "CSV"),
        ("/* FORMAT x */ INSERT INTO t FORMAT CSV\n", "/* FORMAT x */ INSERT INTO t ", "", "CSV"),
        ("INSERT INTO t (`FORMAT X`) VALUES (1)", "INSERT INTO t (`FORMAT X`) ", " (1)", "Values"),
        ("INSERT INTO format VALUES (1)", "INSERT INTO format ", " (1)", "Values"),
        ("INSERT INTO d.values FORMAT CSV\n1", "INSERT INTO d.values ", "1", "CSV"),
        ("INSERT INTO `t` FORMAT CSV\n1", "INSERT INTO `t` ", "1", "CSV"),
        (
            "INSERT INTO FUNCTION f('FORMAT') FORMAT X\n1",
            "INSERT INTO FUNCTION f('FORMAT') ",
            "1",
            "X",
        ),
        ("INSERT INTO t SELECT 1 FORMAT CSV", "INSERT INTO t SELECT 1 FORMAT CSV", "", ""),
        ("INSERT INTO t WITH x AS (SELECT 1) SELECT 1", None, "", ""),
        ("SELECT 1 FORMAT CSV", None, "", ""),
        ("INSERT INTO t (a)", None, "", ""),
    ],
)
def test_an_insert_is_told_apart_from_its_data(
    text: str, statement: str | None, data: str, data_format: str
) -> None:
    headers = http.client.HTTPMessage()
    query = httpquery.read("POST", "/", headers, text.encode())
    assert query is not None
    assert query.text.decode() == (statement or text)
    assert (query.data.decode(), query.data_format) == (data, data_format)


def test_reading_a_long_statement_takes_no_long_time() -> None:
    hard = b"SELECT '" + b"x\\'" * 300_000 + b" INTO " + b"/**/" * 100_000
    started = time.monotonic()
    httpquery.refuse_what_no_server_does(hard)
    assert time.monotonic() - started < 10


# clickhouse-connect and pandahouse.


def million() -> pd.DataFrame:
    numbers = np.arange(MILLION, dtype="uint64")
    return pd.DataFrame({"a": numbers, "s": (numbers % 1000).astype(str)})


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_a_million_rows_arrive_whole(url: str, client: Client, compress: Any) -> None:
    with connected(url, compress=compress) as sender:
        summary = sender.insert_df("t", million())
    assert summary.written_rows == MILLION
    found = client.query("SELECT count(), sum(a), sum(toUInt64(s)) FROM t").result_rows
    assert found == [(MILLION, SUM_TO_MILLION, 1000 * (999 * 1000 // 2))]


def test_a_million_rows_come_back_whole(url: str, client: Client) -> None:
    client.command("INSERT INTO t SELECT number, toString(number % 1000) FROM numbers(1000000)")
    found = client.query_df("SELECT a, s FROM t ORDER BY a")
    pd.testing.assert_frame_equal(found, million(), check_dtype=False)


def test_connect_works_in_all_its_ways(client: Client) -> None:
    client.insert("t", [[1, "it's"], [2, "ж\t\n\\"]], column_names=["a", "s"])
    client.insert_arrow("t", pa.table({"a": pa.array([3], pa.uint64()), "s": ["\x00\xff"]}))
    rows = [(1, "it's"), (2, "ж\t\n\\"), (3, "\x00\xff")]
    assert client.query("SELECT a, s FROM t ORDER BY a").result_rows == rows
    assert client.query_arrow("SELECT a FROM t ORDER BY a")["a"].to_pylist() == [1, 2, 3]
    bound = client.query("SELECT s FROM t WHERE s = {s:String}", parameters={"s": "ж\t\n\\"})
    assert bound.result_rows == [("ж\t\n\\",)]
    table = client.command("SELECT count() FROM {t:Identifier}", parameters={"t": "t"})
    assert table == 3
    assert client.command("SELECT 1 WHERE 0") == ""
    with client.query_rows_stream("SELECT number FROM numbers(200000)") as stream:
        assert sum(row[0] for row in stream) == 200_000 * 199_999 // 2
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT 1 FROM nowhere")


def test_values_too_long_for_an_address_travel_as_a_form(client: Client) -> None:
    numbers = list(range(20_000))
    found = client.query("SELECT arraySum({x:Array(UInt32)})", parameters={"x": numbers})
    assert found.result_rows == [(sum(numbers),)]


def test_external_tables_are_refused_in_words(url: str) -> None:
    files = {"x": ("x.csv", b"1\n")}
    found = requests.post(url, params={"query": "SELECT 1", "x_structure": "a UInt8"}, files=files)
    assert found.status_code == 501
    assert "External tables" in found.text


def test_pandahouse_reads_and_writes(url: str, client: Client) -> None:
    pandahouse = pytest.importorskip("pandahouse", reason="it supports Python up to 3.11")
    connection = {"host": url, "database": "analytics"}
    frame = pd.DataFrame(
        {"a": np.arange(2500, dtype="uint64"), "s": pd.Series(["x, \"y'"] * 2500, dtype=object)}
    )
    pandahouse.to_clickhouse(frame, "t", index=False, connection=connection)
    found = pandahouse.read_clickhouse("SELECT a, s FROM {db}.t ORDER BY a", connection=connection)
    assert found["a"].tolist() == list(range(2500))
    assert set(found["s"]) == {"x, \"y'"}


def test_readers_and_writers_work_side_by_side(url: str, client: Client) -> None:
    def write(number: int) -> None:
        with connected(url) as mine:
            for part in range(10):
                rows = [[number * 10_000 + part * 100 + row, "x"] for row in range(100)]
                mine.insert("t", rows, column_names=["a", "s"])

    def read(_: int) -> None:
        with connected(url, username="reader") as mine:
            for _ in range(20):
                # An insert of one block is there or not: never a part of it.
                assert int(str(mine.command("SELECT count() FROM t"))) % 100 == 0

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(job, number) for number in range(4) for job in (write, read)]
    for done in work:
        done.result()
    assert count(client) == 4 * 10 * 100


# Opening and closing.


def test_it_listens_on_the_loopback_only(home_of_module: Settings, url: str) -> None:
    for host in ("0.0.0.0", "192.168.1.1", "::", "example.org", ""):
        with pytest.raises(InputError, match="loopback only"):
            bridge.listen(home_of_module, host=host).__enter__()
    with bridge.listen(home_of_module, host="localhost") as second:
        assert requests.get(f"{second}/ping", timeout=9).ok


def test_it_listens_on_the_other_loopback_too(home_of_module: Settings, url: str) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with bridge.listen(home_of_module, host="::1") as second:
        assert requests.post(second, data="SELECT 1", timeout=9).text == "1\n"


def test_a_port_that_cannot_be_had_is_told(home_of_module: Settings, url: str) -> None:
    taken = urlsplit(url).port
    assert taken is not None
    with pytest.raises(InputError, match=f"port {taken}: Address already in use"):
        bridge.listen(home_of_module, taken).__enter__()
    with pytest.raises(InputError, match="65535"):
        bridge.listen(home_of_module, 70_000).__enter__()


def test_a_server_needs_no_bridge(home_of_module: Settings) -> None:
    served = home_of_module.model_copy(update={"warehouse": "clickhouse://u:s3cr3t@db/x"})
    with pytest.raises(InputError, match="is the server db:8123 already") as caught:
        bridge.listen(served).__enter__()
    assert "s3cr3t" not in str(caught.value)


def test_after_the_end_nothing_is_left(home_of_module: Settings, url: str) -> None:
    before = threading.active_count()
    with bridge.listen(home_of_module) as second, requests.Session() as kept:
        assert kept.post(second, data="SELECT 1").text == "1\n"
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert threading.active_count() <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{second}/ping", timeout=9)
