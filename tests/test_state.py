"""The state store: runs, the outbox rows, and everything that can be wrong with a database."""

import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from nbtools import outbox, schema, state
from nbtools.errors import SettingsError
from nbtools.handover import Attachment, Draft
from nbtools.settings import Settings
from nbtools.state import Run, Store

NOON = datetime(2023, 2, 26, 12, tzinfo=UTC)
USAGE = {"engine_seconds": 0.5, "rows_read": 12_345.0, "statements": 3.0}


def record(
    store: Store,
    *drafts: Draft,
    outcome: str = "ok",
    resend: bool = False,
    now: datetime = NOON,
) -> int:
    run_id = store.start_run("report_feed", "2023-02-25", parameters={}, now=now)
    store.finish_run(run_id, outcome=outcome, drafts=drafts, resend=resend, now=now)
    return run_id


def test_a_run_comes_back_as_it_was_recorded(home: Settings) -> None:
    with state.open_store(home) as store:
        run_id = store.start_run(
            "report_feed",
            "2023-02-25",
            parameters={"date": "2023-02-25", "days": 7},
            code_version="0.1.0",
            fingerprint="abc",
            now=NOON,
        )
        store.finish_run(
            run_id,
            outcome="ok",
            page="runs/report_feed/2023-02-25.ipynb",
            figures={"feed_users": 1234, "ctr": 0.2, "ctr.change_1d": float("nan")},
            usage=USAGE,
            now=NOON + timedelta(seconds=9),
        )
    with state.open_store(home) as store:
        found = store.last_run("report_feed", "2023-02-25")
    assert found is not None
    assert found._replace(pid=0, host="") == Run(
        id=1,
        notebook="report_feed",
        run="2023-02-25",
        parameters={"date": "2023-02-25", "days": 7},
        started=NOON,
        finished=NOON + timedelta(seconds=9),
        outcome="ok",
        error="",
        page="runs/report_feed/2023-02-25.ipynb",
        figures={"feed_users": 1234, "ctr": 0.2, "ctr.change_1d": None},
        engine_seconds=0.5,
        rows_read=12_345,
        code_version="0.1.0",
        fingerprint="abc",
        pid=0,
        host="",
    )


def test_times_come_back_in_utc_whatever_zone_they_were_given_in(home: Settings) -> None:
    moscow = datetime(2023, 2, 26, 15, tzinfo=ZoneInfo("Europe/Moscow"))  # 12:00 UTC
    with state.open_store(home) as store:
        store.start_run("etl_daily", "2023-02-25", parameters={}, now=moscow)
        found = store.last_run("etl_daily", "2023-02-25")
    assert found is not None
    assert found.started.isoformat() == "2023-02-26T12:00:00+00:00"


def test_outcome_and_messages_are_written_both_or_neither(home: Settings) -> None:
    broken = Draft("b", "Second", pictures=(Attachment("a.png", object()),))  # type: ignore[arg-type]
    with state.open_store(home) as store:
        run_id = store.start_run("report_feed", "2023-02-25", parameters={})
    with (
        pytest.raises(SettingsError, match="failed"),
        state.open_store(home) as store,
    ):
        store.finish_run(run_id, outcome="ok", drafts=[Draft("a", "First"), broken])
    with state.open_store(home) as store:
        found = store.last_run("report_feed", "2023-02-25")
        assert found is not None
        assert found.outcome == "running"
        assert store.undelivered() == []


def test_a_message_keeps_text_pictures_and_documents_in_their_order(home: Settings) -> None:
    draft = Draft(
        "report",
        "Feed",
        "Line 1\nLine 2",
        "https://example.org/page.html",
        (Attachment("b.png", b"\x89PNG1", "DAU"), Attachment("a.png", b"\x89PNG2")),
        (Attachment("table.csv", b"x,y\n"),),
        "operations",
    )
    with state.open_store(home) as store:
        record(store, draft)
        (message,) = store.pending()
        with store.reading() as connection:
            found = outbox.draft(connection, message)
    assert found == draft._replace(part="report_feed/2023-02-25/report")


def test_a_message_that_waits_gets_the_newest_content_and_keeps_its_place(home: Settings) -> None:
    picture = Attachment("a.png", b"old")
    with state.open_store(home) as store:
        record(store, Draft("a", "old", pictures=(picture, picture)), Draft("b", "later"))
        newer = Draft("a", "new", pictures=(picture._replace(data=b"new"),))
        record(store, newer, now=NOON + timedelta(hours=1))
        first, second = store.pending()
        with store.reading() as connection:
            found = outbox.draft(connection, first)
    assert (first.title, second.title) == ("new", "later")
    assert [item.data for item in found.pictures] == [b"new"]


def test_a_message_that_was_sent_is_left_alone_unless_it_is_to_be_sent_again(
    home: Settings,
) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "old", documents=(Attachment("a.csv", b"1"),)))
        (message,) = store.pending()
        with store.writing() as connection:
            outbox.mark_sent(connection, message, [(7,)], now=NOON)
        record(store, Draft("a", "new"))
        assert store.undelivered() == []
        record(store, Draft("a", "new"), resend=True)
        (again,) = store.pending()
    assert (again.id, again.title, again.message_ids, again.sent_at) == (
        message.id,
        "new",
        (),
        None,
    )


def test_files_of_a_sent_message_are_not_kept(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "old", documents=(Attachment("a.csv", b"1"),)))
        (message,) = store.pending()
        with store.writing() as connection:
            outbox.mark_sent(connection, message, [(7,)], now=NOON)
            assert connection.execute(sa.select(schema.attachments)).all() == []


def test_a_message_sent_in_part_is_finished_as_it_began(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "old"))
        (message,) = store.pending()
        with store.writing() as connection:
            outbox.mark_part(connection, message, [(7, 8)])
        record(store, Draft("a", "new"))
        (found,) = store.pending()
    assert (found.title, found.message_ids) == ("old", ((7, 8),))


def test_a_rerun_tries_a_refused_message_again(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "old"))
        (message,) = store.pending()
        with store.writing() as connection:
            outbox.mark_refused(connection, message, error="Bad Request: chat not found")
        assert store.pending() == []
        assert [found.error for found in store.undelivered()] == ["Bad Request: chat not found"]
        record(store, Draft("a", "new"))
        (found,) = store.pending()
    assert (found.title, found.error, found.attempts) == ("new", "", 0)


def test_a_message_to_be_sent_again_joins_the_end_of_the_queue(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "first"), Draft("b", "second"))
        record(store, Draft("a", "first"), resend=True, now=NOON + timedelta(hours=1))
        assert [message.title for message in store.pending()] == ["second", "first"]


def test_asking_for_it_again_while_it_is_sent_is_not_lost(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "old"))
        (sending,) = store.pending()
        record(store, Draft("a", "new"), resend=True)
        with store.writing() as connection:
            outbox.mark_sent(connection, sending, [(7,)], now=NOON)
        assert [message.title for message in store.pending()] == ["new"]


def test_two_messages_of_one_part_are_both_kept(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "first"), Draft("a", "second"))
        keys = [message.key for message in store.pending()]
    assert keys == ["report_feed/2023-02-25/a", "report_feed/2023-02-25/a#2"]


def test_text_that_no_database_stores_is_cleaned(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "nul\x00 bell\x07", "half \ud83d\nwhole \ud83d\ude00\ttab"))
        (message,) = store.pending()
    assert message.title == "nul bell"
    assert message.text == "half \ufffd\nwhole \N{GRINNING FACE}\ttab"


def test_killed_runs_are_marked_and_others_are_not(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store)
        store.start_run("report_feed", "2023-02-25", parameters={}, now=NOON)
        store.start_run("report_feed", "2023-02-24", parameters={}, now=NOON)
        assert store.mark_interrupted("report_feed", "2023-02-25", now=NOON) == 1
        outcomes = [(found.run, found.outcome) for found in store.recent_runs(9)]
        last = store.last_run("report_feed", "2023-02-25")
    assert outcomes == [
        ("2023-02-24", "running"),
        ("2023-02-25", "interrupted"),
        ("2023-02-25", "ok"),
    ]
    assert last is not None
    assert last.finished == NOON
    assert "killed" in last.error


def test_a_run_of_another_machine_is_given_up_after_a_day(home: Settings) -> None:
    with state.open_store(home) as store:
        store.start_run("alerts", "feed", parameters={}, now=NOON)
        with store.writing() as connection:
            connection.execute(sa.update(schema.runs).values(host="elsewhere"))
        assert store.mark_interrupted("alerts", "feed", now=NOON + timedelta(hours=23)) == 0
        assert store.mark_interrupted("alerts", "feed", now=NOON + timedelta(hours=25)) == 1


def test_last_success_is_not_the_last_run(home: Settings) -> None:
    with state.open_store(home) as store:
        assert store.last_run("report_feed", "2023-02-25") is None
        good = record(store)
        bad = record(store, outcome="failed")
        success = store.last_success("report_feed", "2023-02-25")
        last = store.last_run("report_feed", "2023-02-25")
        assert store.last_success("report_feed", "2023-02-24") is None
        assert [found.id for found in store.recent_runs(1)] == [bad]
        assert store.recent_runs(9, "etl_daily") == []
    assert success is not None
    assert last is not None
    assert (success.id, last.id) == (good, bad)


def test_operators_hear_of_a_failure_once_and_of_the_next_one_again(home: Settings) -> None:
    job = ("report_feed", "2023-02-25")
    refused = "WarehouseError: Cannot reach ClickHouse, gave up after {} s, object at {}"
    with state.open_store(home) as store:
        first = store.failure_part(*job, refused.format(600, "0x7f3a"))
        record(store, Draft(first, "failed"), outcome="failed")
        retry = store.failure_part(*job, refused.format(601, "0x8abc"))
        other = store.failure_part(*job, "KeyError: 'views'")
        record(store)
        later = store.failure_part(*job, refused.format(600, "0x7f3a"))
    assert first == retry
    assert len({first, other, later}) == 3


WRITER = """
import sys
from nbtools import settings, state
from nbtools.handover import Attachment, Draft
for number in range(25):
    with state.open_store(settings.load()) as store:
        run = f"{sys.argv[1]}-{number}"
        run_id = store.start_run("report_feed", run, parameters={})
        draft = Draft("a", run, pictures=(Attachment("a.png", bytes(100_000)),))
        store.finish_run(run_id, outcome="ok", drafts=[draft])
"""


def test_processes_that_write_at_once_lose_nothing(home: Settings) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], stderr=subprocess.PIPE)
        for name in "abc"
    ]
    errors = [writer.communicate(timeout=120)[1] for writer in writers]
    assert errors == [b"", b"", b""]
    with state.open_store(home) as store:
        assert len(store.recent_runs(1000)) == len(store.pending()) == 75


def test_writers_that_read_first_wait_for_each_other(home: Settings) -> None:
    count = sa.select(sa.func.count()).select_from(schema.incidents)
    seen = []

    def write(store: Store) -> None:
        with store.writing() as connection:
            number = connection.scalar(count)
            time.sleep(0.2)
            moments = {"opened_slice": NOON, "last_slice": NOON}
            connection.execute(
                sa.insert(schema.incidents).values(
                    metric=f"m{number}", segment="total", peak_deviation=0.1, **moments
                )
            )
            seen.append(number)

    with state.open_store(home) as store:
        threads = [threading.Thread(target=write, args=(store,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [0, 1, 2]


KILLED = """
import os, signal
from nbtools import settings, state
from nbtools.handover import Draft
with state.open_store(settings.load()) as store:
    run_id = store.start_run("report_feed", "2023-02-25", parameters={})
    from nbtools import outbox
    put = outbox.put
    def kill(*args, **values):
        put(*args, **values)
        os.kill(os.getpid(), signal.SIGKILL)
    outbox.put = kill
    store.finish_run(run_id, outcome="ok", drafts=[Draft("a", "never")])
"""


def test_a_process_killed_while_it_records_leaves_a_store_that_works(home: Settings) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED], check=False).returncode == -9
    started = time.monotonic()
    with state.open_store(home) as store:
        assert store.pending() == []
        assert store.mark_interrupted("report_feed", "2023-02-25") == 1
        record(store, Draft("a", "now"))
        assert [message.title for message in store.pending()] == ["now"]
    assert time.monotonic() - started < 5


def open_with(home: Settings, url: str) -> None:
    with state.open_store(home.model_copy(update={"state_url": url})) as store:
        record(store)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense with s3cret", "no database URL"),
        ("postgresql://user:s3cret@host:port/db", "no database URL"),
        ("mysql://user:s3cret@host/db", "starts with mysql://"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite+nosuch:////tmp/x", "starts with sqlite\\+nosuch://"),
        ("postgresql+nosuch://user:s3cret@host/db", "driver .* not installed"),
        ("postgresql+asyncpg://user:s3cret@host/db", "driver .* not installed"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_clear_line(
    home: Settings, url: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_with(home, url)
    assert "NBTOOLS_STATE_URL" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_secret_of_the_url_is_cut_out_of_the_drivers_words() -> None:
    url = sa.make_url("postgresql+psycopg://me:s3cret@db.example:5433/state?sslpassword=t0psecret")
    error = sa.exc.OperationalError("", {}, Exception("no login:\n s3cret or t0psecret"))
    assert schema.reason(error, url) == "no login: *** or ***"
    assert schema.place(url) == "db.example:5433/state"


def test_a_file_that_is_no_database_is_one_clear_line(home: Settings) -> None:
    home.home.mkdir()
    path = home.home / "nbtools.sqlite3"
    path.write_bytes(b"this is no database\n" * 500)
    with pytest.raises(SettingsError, match=r"not a database.*NBTOOLS_STATE_URL") as caught:
        open_with(home, home.state_url)
    assert str(path) in str(caught.value)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_damaged_database_is_one_clear_line(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store, Draft("a", "x" * 20_000))
    path = home.home / "nbtools.sqlite3"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(SettingsError, match=r"malformed|corrupt|not a database") as caught:
        open_with(home, home.state_url)
    assert "\n" not in str(caught.value)


def test_a_database_that_may_only_be_read_is_one_clear_line(home: Settings) -> None:
    with state.open_store(home) as store:
        record(store)
    path = home.home / "nbtools.sqlite3"
    with pytest.raises(SettingsError, match="readonly database"):
        open_with(home, f"sqlite:///file:{path}?mode=ro&uri=true")


def test_a_folder_that_cannot_be_made_is_one_clear_line(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"Cannot write the folder .*Not a directory"):
        open_with(home, f"sqlite:///{tmp_path}/file/deep/nbtools.sqlite3")


def test_tables_of_another_version_are_refused(home: Settings) -> None:
    with state.open_store(home) as store, store.writing() as connection:
        connection.execute(sa.update(schema.schema_version).values(version=99))
    with pytest.raises(SettingsError, match=r"has version 99 .* needs 2"):
        open_with(home, home.state_url)


def test_a_database_of_something_else_is_refused_and_left_as_it_is(home: Settings) -> None:
    home.home.mkdir()
    with sqlite3.connect(home.home / "nbtools.sqlite3") as other:
        other.execute("CREATE TABLE runs (kilometres REAL)")
    other.close()
    with pytest.raises(SettingsError, match="a table runs that is not ours"):
        open_with(home, home.state_url)
    with sqlite3.connect(home.home / "nbtools.sqlite3") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]
    other.close()


def test_the_tables_compile_for_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    text = "\n".join(
        str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables
    )
    text += "\n".join(
        str(CreateIndex(index).compile(dialect=dialect))
        for table in schema.metadata.sorted_tables
        for index in table.indexes
    )
    for expected in (
        "TIMESTAMP WITH TIME ZONE",
        "BYTEA",
        "id SERIAL",
        "UNIQUE (key)",
        "DOUBLE PRECISION",
        "CREATE INDEX outbox_by_state",
    ):
        assert expected in text
