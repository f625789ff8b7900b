"""From a home with a history to the book, by make as a person or cron calls it."""

import json
import os
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from nbtools import demo, etl, messages, pipeline, records, warehouse
from nbtools.__main__ import main
from nbtools.metrics import CATALOGUE
from nbtools.parameters import MODELS
from nbtools.settings import PROJECT, Settings
from tests.conftest import copy_home

LAST = "2023-02-27"


def make(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Call make in cron's world, from a directory that is not the checkout."""
    bare = {"PATH": os.environ["PATH"], "HOME": str(home), "NBTOOLS_HOME": str(home / "state")}
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(PROJECT), *words],
        env=bare,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )


@pytest.fixture(scope="module")
def books(loaded_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what two ``make book`` in a row said, in a home that has its history."""
    home = tmp_path_factory.mktemp("books")
    copy_home(loaded_home, home / "state")
    said = []
    for _ in range(2):
        done = make(home, "book")
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(done.stderr + done.stdout)
    return [str(home / "state"), *said]


def test_make_book_ends_by_printing_where_to_open_it(books: list[str]) -> None:
    last = books[1].strip().splitlines()[-1]
    assert last.startswith("The book is ready. Open file://")
    assert Path(last.partition("file://")[2]).is_file()


def test_plain_lines_show_progress_when_there_is_no_terminal(books: list[str]) -> None:
    # One run a notebook but for the second study; the pages of incidents come after them.
    assert f"notebooks: etl_daily {LAST} (1 of {len(MODELS)})" in books[1]
    assert "\r" not in books[1]


def test_a_second_make_book_runs_no_notebook_again(books: list[str]) -> None:
    assert "notebooks:" not in books[2]


def test_the_landing_page_shows_the_key_figures_of_the_last_report(books: list[str]) -> None:
    home = Path(books[0])
    figures = json.loads((home / "runs" / "report_feed" / f"{LAST}.json").read_text())["figures"]
    page = re.sub(r"<[^>]+>", " ", (home / "site" / "index.html").read_text("utf-8"))
    for slug in ("feed_users", "views", "likes", "ctr"):
        assert messages.value(CATALOGUE[slug], figures[slug]) in page, slug


def test_status_names_nothing_stale_after_a_book(books: list[str]) -> None:
    said = make(Path(books[0]).parent, "status").stdout
    assert all(said.count(f"  {notebook} ") == 1 for notebook in MODELS)
    assert "failed" not in said
    assert said.rstrip().endswith("Stale\n  nothing")


def test_backfill_loads_a_range_and_goes_on(demo_copy: Settings) -> None:
    first = CliRunner().invoke(main, ["backfill", "--from", "2023-01-01", "--to", "2023-01-03"])
    assert first.exit_code == 0, first.output
    CliRunner().invoke(main, ["backfill", "--from", "2022-12-31", "--to", "2023-01-04"])
    with warehouse.open_warehouse(demo_copy) as db:
        loaded = sorted(etl.loaded_days(db))
    assert loaded == [date(2022, 12, 31), *(date(2023, 1, day) for day in range(1, 5))]


@pytest.mark.parametrize(
    ("first", "last"), [("2023-01-05", "2023-01-01"), ("2023-01-01", "soon"), ("x", "2023-01-01")]
)
def test_an_impossible_range_is_refused(demo_copy: Settings, first: str, last: str) -> None:
    done = CliRunner().invoke(main, ["backfill", "--from", first, "--to", last])
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_another_history_takes_the_pages_of_the_old_one_away(loaded_copy: Settings) -> None:
    CliRunner().invoke(main, ["report-feed", "--date", "2023-01-20"], catch_exceptions=False)
    assert records.read(loaded_copy.home)
    pipeline.build_demo(loaded_copy, scale=0.01, seed=7, days=9)
    assert not records.read(loaded_copy.home)
    with warehouse.open_warehouse(loaded_copy) as db:
        assert not etl.loaded_days(db)


def test_a_home_without_events_is_empty_and_one_with_events_is_not(
    home: Settings,
) -> None:
    assert pipeline.source_is_empty(home)
    demo.build(home, scale=0.01, days=8)
    assert not pipeline.source_is_empty(home)


def test_a_short_history_leaves_its_studies_out_and_says_so(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.build(home, scale=0.01, days=20)
    pipeline.backfill(home)
    planned = {job.notebook for job in pipeline.planned(home)}
    said = capsys.readouterr().err
    assert "notebooks: aa_test groups_2_3 left out: 2022-12-31 is not over" in said
    assert planned == set(MODELS) - {"aa_test", "ab_test", "linearized_ctr"} - {
        "alerts_backtest",
        "incident",
    }
