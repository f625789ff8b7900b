"""From a command to a page, a record and a message, and every way in which that can fail."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result

from nbtools import etl, handover, jobs, locks, metrics, runner, state, warehouse
from nbtools.__main__ import main
from nbtools.settings import PROJECT, Settings
from tests.botapi import BotApi
from tests.conftest import copy_home

DAY = "2023-01-20"


def nbtools(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def record(settings: Settings, notebook: str = "report_feed", run: str = DAY) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        runner.record_path(settings.home, notebook, run).read_text("utf-8")
    )
    return found


def messages(settings: Settings) -> list[Path]:
    return sorted((settings.home / "outbox").glob("*"))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a home that a refused command must leave alone."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "warehouse" not in path.parts
        and "locks" not in path.parts
        and not path.name.startswith(("warehouse", "nbtools.sqlite3"))
    }


def test_a_report_becomes_a_page_a_record_and_a_message(loaded_copy: Settings) -> None:
    done = nbtools("report-feed", "--date", DAY)
    assert done.exit_code == 0, done.output
    found = record(loaded_copy)
    assert found["outcome"] == "ok"
    assert found["parameters"] == {
        "title": "Feed report",
        "date": DAY,
        "days": 7,
        "language": "en",
    }
    assert found["command"] == f"nbtools run report_feed daily --set date={DAY}"
    with warehouse.open_source(loaded_copy) as source:
        text = "SELECT toString(max(time)) FROM app.{}"
        newest = max(
            source.client.query(text.format(table)).result_rows[0][0]
            for table in ("feed_actions", "message_actions")
        )
    assert found["data"] == {"Newest event": newest}
    page = nbformat.read(loaded_copy.home / "runs" / "report_feed" / f"{DAY}.ipynb", as_version=4)
    assert page.cells[0].source.startswith(f"# Feed report, {DAY}\n")
    assert handover.FIGURES_TYPE not in nbformat.writes(page)
    (folder,) = messages(loaded_copy)
    assert {path.suffix for path in folder.iterdir()} >= {".txt", ".png"}
    with state.open_store(loaded_copy) as store:
        last = store.last_run("report_feed", DAY)
    assert last is not None
    assert last.outcome == "ok"
    assert last.figures == found["figures"]


def test_the_key_figures_are_those_of_the_events(loaded_copy: Settings) -> None:
    nbtools("report-feed", "--date", DAY)
    figures = record(loaded_copy)["figures"]
    assert isinstance(figures, dict)
    with warehouse.open_source(loaded_copy) as source:
        counted = {
            day: source.client.query(
                "SELECT uniqExact(user_id), countIf(action = 'view'), countIf(action = 'like')"
                " FROM app.feed_actions WHERE toDate(time, 'Europe/Moscow') = {day:Date}",
                parameters={"day": day},
            ).result_rows[0]
            for day in (DAY, "2023-01-19", "2023-01-13")
        }
    users, views, likes = counted[DAY]
    assert (figures["feed_users"], figures["views"], figures["likes"]) == (users, views, likes)
    assert figures["ctr"] == pytest.approx(likes / views)
    assert figures["feed_users.change_1d"] == pytest.approx(users / counted["2023-01-19"][0] - 1)
    assert figures["views.change_7d"] == pytest.approx(views / counted["2023-01-13"][1] - 1)


def test_a_report_of_a_past_day_knows_nothing_of_later_days(loaded_copy: Settings) -> None:
    nbtools("report-feed", "--date", DAY)
    before = record(loaded_copy)["figures"]
    with warehouse.open_warehouse(loaded_copy) as db:
        db.client.command(
            "ALTER TABLE daily_metrics_v1 DELETE WHERE event_date > {d:Date}", {"d": DAY}
        )
    nbtools("report-feed", "--date", DAY)
    assert record(loaded_copy)["figures"] == before


def test_the_same_report_again_sends_nothing_twice(loaded_copy: Settings) -> None:
    nbtools("report-feed", "--date", DAY)
    first = contents(loaded_copy.home / "runs")
    nbtools("report-feed", "--date", DAY)
    assert len(messages(loaded_copy)) == 1
    again = contents(loaded_copy.home / "runs")
    assert first.keys() == again.keys()
    assert first[f"report_feed/{DAY}.ipynb"] == again[f"report_feed/{DAY}.ipynb"]
    nbtools("report-feed", "--date", DAY, "--resend")
    assert len(messages(loaded_copy)) == 2


@pytest.mark.parametrize(
    "day", ["2022-11-01", "tomorrow", "2023-13-45", "'; drop table x", "2030-01-01"]
)
def test_an_impossible_day_is_one_line_exit_2_and_nothing_changed(
    loaded_copy: Settings, day: str
) -> None:
    before = contents(loaded_copy.home)
    for command in ("report-feed", "etl"):
        done = nbtools(command, "--date", day)
        assert done.exit_code == 2
        assert len(done.output.strip().splitlines()) == 1, done.output
        assert done.output.startswith("nbtools: ")
    assert contents(loaded_copy.home) == before


def test_a_day_before_the_history_names_the_days_there_are(loaded_copy: Settings) -> None:
    done = nbtools("report-feed", "--date", "2022-11-01")
    assert "2022-11-01" in done.output
    assert "2022-12-05" in done.output
    assert "2023-02-27" in done.output


def test_a_day_that_is_not_loaded_names_the_command_that_loads_it(demo_copy: Settings) -> None:
    done = nbtools("report-feed", "--date", DAY)
    assert done.exit_code == 2
    assert f"make etl DATE={DAY}" in done.output


def test_an_empty_home_names_the_commands_that_fill_it(home: Settings) -> None:
    done = nbtools("etl", "--date", DAY)
    assert done.exit_code == 2
    assert "make demo" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_an_unwritable_home_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A file where the folder should be: root may write into any folder, but not into this.
    (tmp_path / "file").touch()
    monkeypatch.setenv("NBTOOLS_HOME", str(tmp_path / "file" / "home"))
    for words in (
        ["report-feed"],
        ["etl"],
        ["backfill"],
        ["status"],
        ["book"],
        ["demo"],
        ["deliver"],
    ):
        done = nbtools(*words)
        assert done.exit_code == 2, words
        assert "NBTOOLS_HOME" in done.output
        assert len(done.output.strip().splitlines()) == 1


def test_a_parameter_that_is_no_assignment_is_refused(loaded_copy: Settings) -> None:
    assert nbtools("run", "report_feed", "--set", "days").exit_code == 2
    assert nbtools("run", "report_feed", "--set", "dais=3").exit_code == 2
    assert nbtools("run", "report_feed", "weekly").exit_code == 2
    assert nbtools("run", "nonsense").exit_code == 2


@pytest.fixture(scope="module")
def reported_home(loaded_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a home with a report; tests only read it."""
    copy = copy_home(loaded_home, tmp_path_factory.mktemp("reported") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTOOLS_HOME", str(copy.home))
        nbtools("report-feed", "--date", DAY)
    return copy


@pytest.fixture
def broken(
    reported_home: Settings,
    loaded_copy: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return the report's notebook in a checkout of its own, free to be broken."""
    shutil.rmtree(loaded_copy.home)
    copy_home(reported_home, loaded_copy.home)
    checkout = tmp_path / "checkout"
    for name in ("notebooks", "parameters"):
        shutil.copytree(PROJECT / name, checkout / name)
    monkeypatch.setattr(jobs, "PROJECT", checkout)
    return checkout / "notebooks" / "report_feed.ipynb"


def break_with(path: Path, code: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-2].source = code
    nbformat.write(notebook, path)


FAILURES = {
    "failed": "raise ValueError('no views')",
    "stopped": "import sys; sys.exit(0)",
    "timeout": "import time; time.sleep(60)",
    "kernel_died": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("outcome", sorted(FAILURES))
def test_a_failure_leaves_the_good_page_and_tells_the_operators_once(
    broken: Path, loaded_copy: Settings, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBTOOLS_CELL_TIMEOUT", "10" if outcome == "timeout" else "300")
    good, sent = contents(loaded_copy.home / "runs"), len(messages(loaded_copy))
    break_with(broken, FAILURES[outcome])
    for _ in range(2):
        done = nbtools("report-feed", "--date", DAY)
        assert done.exit_code == 1
        assert done.output.startswith(f"nbtools: report_feed {DAY}: {outcome}: ")
        assert len(done.output.strip().splitlines()) == 1
    assert contents(loaded_copy.home / "runs") == good
    assert len(messages(loaded_copy)) == sent + 1
    failed = loaded_copy.home / "failed" / "report_feed"
    assert json.loads((failed / f"{DAY}.json").read_text())["outcome"] == outcome
    assert (failed / f"{DAY}.ipynb").exists()
    with state.open_store(loaded_copy) as store:
        outcomes = [run.outcome for run in store.recent_runs(3)]
    assert outcomes == [outcome, outcome, "ok"]


def test_a_repaired_notebook_takes_its_failure_away(broken: Path, loaded_copy: Settings) -> None:
    break_with(broken, FAILURES["failed"])
    nbtools("report-feed", "--date", DAY)
    shutil.copy(PROJECT / "notebooks" / "report_feed.ipynb", broken)
    assert nbtools("report-feed", "--date", DAY).exit_code == 0
    assert not list((loaded_copy.home / "failed" / "report_feed").iterdir())


def command(*words: str, **environment: str) -> "subprocess.Popen[str]":
    """Start the command line in cron's world: nothing but PATH, HOME and what is given."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": environment.pop("HOME", "/nonexistent"), **environment}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("nbtools")), *words],
        env=bare,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_runs_in_crons_world_from_any_directory(loaded_copy: Settings) -> None:
    ran = command("report-feed", "--date", DAY, NBTOOLS_HOME=str(loaded_copy.home))
    out, _ = ran.communicate(timeout=120)
    assert ran.returncode == 0, out
    assert record(loaded_copy)["outcome"] == "ok"


def test_an_error_on_a_page_names_no_folder_of_the_machine(home: Settings) -> None:
    said = runner._anywhere(home, f"Cannot read {home.home}/warehouse or {PROJECT}/parameters.")
    assert said == "Cannot read state/warehouse or nbtools/parameters."


def test_a_second_run_of_the_same_page_is_refused_while_the_first_runs(
    loaded_copy: Settings,
) -> None:
    # This process is the first one: a real run could be over before the second one starts.
    lock = loaded_copy.home / "locks" / "report_feed" / f"{DAY}.lock"
    with locks.hold(lock, "a report", wait=0):
        second = command("report-feed", "--date", DAY, NBTOOLS_HOME=str(loaded_copy.home))
        out, _ = second.communicate(timeout=120)
    assert second.returncode == 75, out
    assert f"process {os.getpid()}" in out


def test_a_killed_run_is_finished_by_the_next_one(loaded_copy: Settings) -> None:
    for seconds in (1.0, 2.5, 4.0):
        killed = command("report-feed", "--date", DAY, NBTOOLS_HOME=str(loaded_copy.home))
        try:
            killed.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            killed.send_signal(signal.SIGKILL)
            killed.communicate()
    done = nbtools("report-feed", "--date", DAY)
    assert done.exit_code == 0, done.output
    assert len(messages(loaded_copy)) == 1
    with state.open_store(loaded_copy) as store:
        outcomes = [run.outcome for run in store.recent_runs(10)]
    assert outcomes[0] == "ok"
    assert "running" not in outcomes


def test_an_unreachable_warehouse_fails_within_bounds_and_tells_the_operators(
    loaded_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBTOOLS_WAREHOUSE", "clickhouse://user:hidden@127.0.0.1:9/analytics")
    for _ in range(2):
        done = nbtools("report-feed", "--date", DAY)
        assert done.exit_code == 1
        assert "127.0.0.1:9" in done.output
        assert "hidden" not in done.output
    assert len(messages(loaded_copy)) == 1


def test_the_message_goes_to_the_chat_and_the_token_nowhere(
    loaded_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BotApi() as api:
        monkeypatch.setenv("NBTOOLS_TELEGRAM_TOKEN", api.token)
        monkeypatch.setenv("NBTOOLS_TELEGRAM_CHAT", str(api.chat))
        monkeypatch.setenv("NBTOOLS_TELEGRAM_API_URL", api.url)
        done = nbtools("report-feed", "--date", DAY)
    assert done.exit_code == 0, done.output
    methods = [message.method for message in api.messages]
    assert "sendMediaGroup" in methods
    assert api.token not in done.output
    secret = api.token.encode()
    for path in loaded_copy.home.rglob("*"):
        if path.is_file() and "warehouse" not in path.parts:
            assert secret not in path.read_bytes(), path


def test_a_page_is_current_until_notebook_parameters_or_data_change(loaded_copy: Settings) -> None:
    nbtools("report-feed", "--date", DAY)
    job = jobs.prepare(loaded_copy, "report_feed", overrides={"date": DAY})
    assert runner.is_current(loaded_copy, job)
    other = jobs.prepare(loaded_copy, "report_feed", overrides={"date": DAY, "days": "9"})
    assert not runner.is_current(loaded_copy, other)
    with warehouse.open_warehouse(loaded_copy) as db, warehouse.open_source(loaded_copy) as source:
        assert etl.loaded_days(db)
        db.client.command(
            "ALTER TABLE daily_metrics_v1 DELETE WHERE event_date = {d:Date}", {"d": "2022-12-06"}
        )
        etl.run_day(db, source, date(2022, 12, 6), tz=loaded_copy.tz)
        db.client.command(
            "ALTER TABLE daily_metrics_v1 DELETE WHERE event_date = {d:Date}", {"d": "2022-12-07"}
        )
    changed = jobs.prepare(loaded_copy, "report_feed", overrides={"date": DAY})
    assert not runner.is_current(loaded_copy, changed)


def test_every_figure_of_a_report_is_a_metric_of_the_catalogue(loaded_copy: Settings) -> None:
    nbtools("report-feed", "--date", DAY)
    figures = record(loaded_copy)["figures"]
    assert isinstance(figures, dict)
    assert {name.partition(".")[0] for name in figures} <= set(metrics.CATALOGUE)
    assert os.environ["NBTOOLS_HOME"] == str(loaded_copy.home)
