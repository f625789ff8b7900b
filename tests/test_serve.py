"""``nbtools serve`` as a process, and the project on the other side of it.

In a file of its own, because a process opens one embedded warehouse at a time, and the
tests of the bridge keep theirs open.
"""

import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from clickhouse_connect.driver.exceptions import DatabaseError

from nbtools import bridge, etl, warehouse
from nbtools.errors import LockedError
from nbtools.settings import Settings

# The project over HTTP.


def through(url: str, home: Settings) -> Settings:
    dsn = f"clickhouse://{urlsplit(url).netloc}"
    return home.model_copy(update={"warehouse": f"{dsn}/analytics", "source": dsn})


def test_the_project_works_through_the_bridge_as_it_does_without(demo_copy: Settings) -> None:
    day = date(2022, 12, 20)
    etl.backfill(demo_copy, day, day)
    with warehouse.open_warehouse(demo_copy) as db:
        expected = db.frame("daily_metrics_v1/read_day", date=day)
        db.client.command("TRUNCATE TABLE daily_metrics_v1")
    with bridge.listen(demo_copy) as url:
        served = through(url, demo_copy)
        etl.backfill(served, day, day)
        with warehouse.open_warehouse(served) as db:
            found = db.frame("daily_metrics_v1/read_day", date=day)
    assert len(expected) > 10
    pd.testing.assert_frame_equal(found, expected)


def test_the_source_is_read_by_a_user_who_may_not_write(demo_copy: Settings) -> None:
    day = date(2022, 12, 20)
    with bridge.listen(demo_copy) as url:
        dsn = f"clickhouse://reader@{urlsplit(url).netloc}"
        for source in (dsn, dsn.replace("reader@", "")):
            served = demo_copy.model_copy(update={"source": source})
            with warehouse.open_source(served) as found:
                users = found.frame("daily_metrics_v1/user_day", date=day, tz=demo_copy.tz)
                assert len(users) > 10
                assert found.usage.rows_read > 0
                with pytest.raises(DatabaseError, match="READONLY"):
                    found.client.command("DROP TABLE app.feed_actions")


SERVE = """
import sys
from nbtools import bridge, settings
bridge._GRACE_SECONDS = 6.0
bridge.serve(settings.load(), 0)
print("ended")
"""


def serving() -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    found = re.search(r"http://[\d.:]+", process.stderr.readline())
    assert found
    return process, found[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(home: Settings, number: signal.Signals) -> None:
    process, served = serving()
    assert requests.post(served, data="SELECT 1", timeout=9).text == "1\n"
    impatient = home.model_copy(update={"lock_wait": 0.0})
    with pytest.raises(LockedError, match=f"held by process {process.pid}"):
        warehouse.open_warehouse(impatient).__enter__()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "ended\n")
    assert "Traceback" not in err
    assert "Stopping" in err
    with warehouse.open_warehouse(impatient):
        pass


def test_what_runs_when_it_ends_may_finish_or_is_cancelled(home: Settings) -> None:
    process, served = serving()
    answers: dict[str, requests.Response] = {}

    def put(name: str, query: str) -> None:
        answers[name] = requests.post(served, data=query, timeout=60)

    queries = {
        "short": "SELECT sleep(2)",
        "endless": "SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) % 7 = 1",
    }
    threads = [threading.Thread(target=put, args=item) for item in queries.items()]
    for thread in threads:
        thread.start()
    time.sleep(1)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - started < 15
    for thread in threads:
        thread.join(30)
    assert (process.returncode, out) == (0, "ended\n")
    assert answers["short"].text == "0\n"
    assert answers["endless"].headers["X-ClickHouse-Exception-Code"] == "394"


def test_a_killed_bridge_leaves_a_warehouse_that_opens(home: Settings) -> None:
    process, served = serving()
    for text in (
        "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a",
        "INSERT INTO t VALUES (1)",
    ):
        assert requests.post(served, data=text, timeout=9).ok
    process.kill()
    process.communicate()
    with warehouse.open_warehouse(home) as db:
        assert db.client.command("SELECT sum(a) FROM t") == 1


def test_curl_is_there() -> None:
    assert shutil.which("curl"), "the tests of the bridge need curl"
