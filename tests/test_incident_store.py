"""Incidents in the state database: with the run and its messages, all of it or nothing."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from nbtools import alarms, incident_store, mutes, schema, state
from nbtools.__main__ import main
from nbtools.checks import Check, Outcome, State
from nbtools.errors import LockedError, ParameterError
from nbtools.handover import Draft
from nbtools.settings import Settings
from nbtools.state import Store
from tests.checks import slice_at, slices

NOW = datetime(2023, 2, 25, 4, 20, tzinfo=UTC)
SCRIPT = {
    "views": [1, 0.3, 0.3, 1, 1, 1, 0.75, 1, 1, 1, 1, 1],
    "views/iOS": [1, 0.1, 0.1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    "messages_sent": [1, 1, 1, 2.5, 1, 1, 1, 1, 1, 1, 1, 1],
    "likes": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.2, 0.2],
}


def check(number: int) -> Check:
    return Check(slice_at(number + 1.3), slice_at(number), slices(SCRIPT)[number])


def drafts(outcome: Outcome) -> list[Draft]:
    return [Draft(intent.part, intent.part) for intent in outcome.intents]


def run_check(store: Store, number: int, before: State | None = None) -> Outcome:
    """Run one check as the kernel and the runner do: the state travels as JSON."""
    with store.reading() as connection:
        before = before or incident_store.load(connection)
    outcome = alarms.advance(before, check(number))
    travelled = json.loads(json.dumps(incident_store.content(before, outcome), allow_nan=False))
    run_id = store.start_run("alerts", "live", parameters={})
    store.finish_run(run_id, outcome="ok", drafts=drafts(outcome), incidents=travelled)
    return outcome


def test_a_check_from_the_database_equals_one_from_memory(home: Settings) -> None:
    memory = State()
    for number in range(12):
        expected = alarms.advance(memory, check(number))
        memory = expected.state
        with state.open_store(home) as store:
            assert run_check(store, number) == expected
            with store.reading() as connection:
                assert incident_store.load(connection) == memory


def test_the_log_shows_every_story_with_its_incidents_newest_first(home: Settings) -> None:
    with state.open_store(home) as store:
        for number in range(12):
            run_check(store, number)
        with store.reading() as connection:
            found = incident_store.told(connection, 10)
            assert incident_store.told(connection, 1) == found[:1]
            assert incident_store.told(connection, 9, until=slice_at(9)) == found[1:]
            rows = connection.execute(sa.select(schema.incidents)).all()
    assert [(one.lead.metric, one.stage) for one in found] == [
        ("likes", "opened"),
        ("messages_sent", "recovered"),
        ("views", "recovered"),
    ]
    assert len(found[2].incidents) == 2
    assert len(rows) == 4
    assert {row.story for row in rows} == {one.group.key for one in found}


def test_a_check_that_is_repeated_writes_and_sends_nothing_twice(home: Settings) -> None:
    with state.open_store(home) as store:
        run_check(store, 0)
        first = run_check(store, 1)
        again = run_check(store, 1)
        assert first.intents == again.intents != ()
        assert not again.fresh
        assert len(store.pending()) == 1


def test_of_two_checks_at_once_the_second_writes_nothing_at_all(home: Settings) -> None:
    with state.open_store(home) as store:
        run_check(store, 0)
        with store.reading() as connection:
            before = incident_store.load(connection)
        run_check(store, 1)
        with pytest.raises(LockedError, match="Another check"):
            run_check(store, 2, before)
        with store.reading() as connection:
            assert incident_store.load(connection).checked == slice_at(1)
        assert len(store.pending()) == 1
        assert run_check(store, 2).fresh


KILLED = """
import os, signal
from nbtools import outbox, settings, state
from tests.test_incident_store import run_check
put = outbox.put
def kill(*args, **values):
    put(*args, **values)
    os.kill(os.getpid(), signal.SIGKILL)
with state.open_store(settings.load()) as store:
    run_check(store, 0)
    outbox.put = kill
    run_check(store, 1)
"""


def test_a_check_killed_between_detection_and_message_leaves_neither(home: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], check=False, cwd=Path(__file__).parents[1]
    )
    assert done.returncode == -9
    with state.open_store(home) as store:
        with store.reading() as connection:
            assert incident_store.load(connection).checked == slice_at(0)
            assert incident_store.told(connection, 9) == []
        assert store.pending() == []
        run_check(store, 1)
        assert len(store.pending()) == 1


def test_a_mute_is_kept_until_it_is_taken_back(home: Settings) -> None:
    with state.open_store(home) as store:
        with store.writing() as connection:
            given = {"metric": "views", "segment": "os:iOS", "why": "release"}
            made = incident_store.mute(connection, **given, until=NOW + timedelta(hours=2), now=NOW)
        with store.reading() as connection:
            assert incident_store.mutes(connection) == [made]
            assert incident_store.mutes(connection, NOW) == [made]
            assert incident_store.mutes(connection, NOW + timedelta(hours=2)) == []
        with store.writing() as connection:
            incident_store.unmute(connection, made.id)
            with pytest.raises(ParameterError, match=f"no mute {made.id}; there are: none"):
                incident_store.unmute(connection, made.id)


def test_a_database_of_the_first_version_gets_the_tables_and_keeps_its_runs(
    home: Settings,
) -> None:
    with state.open_store(home) as store:
        store.start_run("report_feed", "2023-02-25", parameters={})
    with sqlite3.connect(home.home / "nbtools.sqlite3") as old:
        old.executescript(
            "DROP TABLE incidents; DROP TABLE stories; DROP TABLE mutes; DROP TABLE alert_state;"
            "CREATE TABLE incidents (id INTEGER PRIMARY KEY, metric TEXT);"
            "UPDATE schema_version SET version = 1;"
        )
    old.close()
    for number in range(2):
        with state.open_store(home) as store:
            run_check(store, number)
            assert store.last_run("report_feed", "2023-02-25") is not None
            assert len(store.pending()) == number


def nbtools(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_the_command_line_mutes_lists_and_unmutes(home: Settings) -> None:
    assert nbtools("alerts", "mutes").output == "Nothing is muted.\n"
    given = ("--metric", "views", "--segment", "os:iOS", "--why", "a release")
    done = nbtools("alerts", "mute", *given, "--until", "2023-02-25 12:00")
    line = "1: views, os:iOS, until 2023-02-25 12:00: a release\n"
    assert done.output == f"Muted: {line}"
    assert nbtools("alerts", "mutes").output == line
    with state.open_store(home) as store, store.reading() as connection:
        [mute] = incident_store.mutes(connection)
    assert mute.until == datetime(2023, 2, 25, 9, tzinfo=UTC)
    assert nbtools("alerts", "unmute", "1").output == "Mute 1 is taken back.\n"
    assert nbtools("alerts", "mutes").output == "Nothing is muted.\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("+90m", NOW + timedelta(minutes=90)),
        ("+2h", NOW + timedelta(hours=2)),
        ("+7d", NOW + timedelta(days=7)),
        ("2023-02-25", datetime(2023, 2, 25, 21, tzinfo=UTC)),
        ("2023-02-25T12:00", datetime(2023, 2, 25, 9, tzinfo=UTC)),
        ("2023-02-25 12:00+00:00", datetime(2023, 2, 25, 12, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_mute_is_in_the_apps_zone_or_a_length(
    home: Settings, text: str, expected: datetime
) -> None:
    assert mutes.parse_until(text, home, now=NOW) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--metric", "dau"), "--metric dau: there are feed_users"),
        (("--segment", "iOS"), "--segment iOS: needed is total, or one such as os:iOS"),
        (("--until", "tomorrow"), "--until: 'tomorrow' is no moment"),
        (("--until", "+2weeks"), "--until: '+2weeks' is no moment"),
        (("--why", " "), "--why: needed is the reason"),
    ],
)
def test_a_mute_that_cannot_be_meant_is_one_line_and_exit_2(
    home: Settings, words: tuple[str, str], message: str
) -> None:
    given = {"--metric": "views", "--until": "+2h", "--why": "x"} | {words[0]: words[1]}
    done = nbtools("alerts", "mute", *(word for pair in given.items() for word in pair))
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert nbtools("alerts", "mutes").output == "Nothing is muted.\n"
