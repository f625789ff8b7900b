"""How things stand: freshness, failures, alerts, on the pages and for programs."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import sqlalchemy as sa

from nbtools import feeds, freshness, landing, pages, schema, sparklines, standing, state
from nbtools.freshness import Section
from nbtools.keeping import DEFAULT, Rule
from nbtools.pages import Contents
from nbtools.records import Record, Runs
from nbtools.settings import PROJECT, Settings
from nbtools.standing import Incident, Standing
from tests.books import (
    DEMO,
    FIGURES,
    Built,
    add_run,
    assemble,
    collect,
    days,
    long_home,
    numbers,
    record,
)

ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2023, 2, 27, 9, tzinfo=UTC)  # noon in Moscow, of a Monday
SCHEMA = json.loads((PROJECT / "book" / "reference" / "status.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
WELL = Standing("well", "", (), None)


def report(run: str, **changes: Any) -> Record:
    return record(**{"notebook": "report_feed", "run": run, "title": run, **changes})


def of(*found: Record, notebook: str = "report_feed") -> Runs:
    return Runs(
        notebook=notebook,
        pages=tuple(one for one in found if one.outcome == "ok"),
        failures={one.run: one for one in found if one.outcome != "ok"},
    )


def section(runs: Runs, *, moment: datetime = NOW, rule: Rule = DEFAULT) -> Section:
    present = freshness.clock([runs], moment, ZONE)
    return freshness.sections([runs], {runs.notebook: rule}, present)[0]


def contents(everything: Sequence[Runs], *, moment: datetime = NOW, **more: Any) -> Contents:
    present = freshness.clock(everything, moment, ZONE)
    names = {runs.notebook: runs.notebook for runs in everything}
    found = freshness.sections(everything, {}, present)
    return Contents(everything, names, found, present, more.pop("standing", WELL), **more)


def landing_page(found: Contents, home: Path) -> str:
    texts = pages.generated(found, home=home, written=PROJECT / "book", zone=ZONE)
    return " ".join(re.sub(r"<[^>]+>", " ", texts["index.md"]).split())


def status(found: Contents) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(feeds.status(found, NOW))
    VALIDATOR.validate(content)
    return content


def test_a_page_is_late_from_the_hour_at_which_it_is_due() -> None:
    yesterday, before = of(report("2023-02-26")), of(report("2023-02-25"))
    early = NOW.replace(hour=2, minute=59)  # 05:59 in Moscow
    assert section(yesterday).state == "on_time"
    assert section(before).state == "late"
    assert section(before).behind == 1
    assert section(before, moment=early).state == "on_time"
    assert section(before, moment=early + timedelta(minutes=1)).state == "late"
    assert section(before, rule=Rule.model_validate({"due": "13:00"})).state == "on_time"


def test_a_history_that_stands_still_is_judged_by_its_own_days() -> None:
    page = report("2023-02-26", source=DEMO)
    late = NOW + timedelta(days=1000)
    assert section(of(page), moment=late).state == "on_time"
    assert section(of(report("2023-02-23", source=DEMO)), moment=late).behind == 3


def test_a_failure_counts_until_a_newer_day_has_its_page() -> None:
    good = report("2023-02-26")
    assert section(of(good, report("2023-02-26", outcome="failed"))).state == "failed"
    assert section(of(good, report("2023-02-27", outcome="timeout"))).state == "failed"
    assert section(of(good, report("2023-02-20", outcome="failed"))).state == "on_time"
    assert section(of(report("2023-02-26", outcome="failed"))).newest is None


def test_a_page_that_is_made_all_day_is_late_after_two_of_its_turns() -> None:
    live = record(notebook="alerts", run="live", finished=NOW - timedelta(minutes=31))
    runs = of(live, notebook="alerts")
    assert section(runs).state == "on_request"
    assert section(runs, rule=Rule(every_minutes=15)).state == "late"
    assert section(runs, rule=Rule(every_minutes=16)).state == "on_time"


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        ([report("2023-02-26")], "on_time", "✓ This book is up to date"),
        ([report("2023-02-23")], "late", "! 1 section is late"),
        (
            [report("2023-02-26"), report("2023-02-26", outcome="failed", error="E")],
            "failed",
            "✕ 1 section shows its last good page",
        ),
        ([record(notebook="report_feed", run="x")], "unknown", "? Nothing here runs by the clock"),
    ],
)
def test_the_first_line_says_whether_the_book_can_be_believed(
    tmp_path: Path, found: list[Record], state: str, said: str
) -> None:
    known = contents([of(*found)])
    assert status(known)["state"] == state
    text = landing_page(known, tmp_path)
    assert text.index(said) < 200
    assert "Checked 27 February 2023, 12:00 (Europe/Moscow)." in text


def test_a_late_section_says_by_how_much(tmp_path: Path) -> None:
    text = landing_page(contents([of(report("2023-02-23", source=DEMO))]), tmp_path)
    assert "report_feed: the newest page is 3 days older." in text
    assert "Data up to Sunday 26 February 2023 , the last full day." in text


def test_what_the_alerts_found_is_said_and_never_guessed(tmp_path: Path) -> None:
    moment = NOW - timedelta(hours=1)
    incident = Incident(1, "views", "os:iOS", moment, moment, None, "critical", -0.48)
    check = record(notebook="alerts", run="live", finished=NOW)
    for found, kind, said in (
        (Standing("well", "", (), check), "good", "✓ No open incident"),
        (Standing("incident", "", (incident,), check), "bad", "✕ 1 open incident"),
        (Standing("missing", "", (), check), "bad", "✕ Data are missing"),
        (Standing("learning", "", (), check), "unknown", "? The alerts are still learning"),
        (Standing("unknown", "No check yet.", (), None), "unknown", "? Incidents: not known"),
    ):
        known = contents([of(report("2023-02-26"))], standing=found)
        text = landing_page(known, tmp_path)
        assert said in text
        assert ("No open incident" in text) == (kind == "good")
        assert status(known)["alerts"]["state"] == found.state
    text = landing_page(
        contents([], standing=Standing("incident", "", (incident,), None)), tmp_path
    )
    assert "No pages yet" in text
    known = contents(
        [of(report("2023-02-26"))], standing=Standing("incident", "", (incident,), None)
    )
    text = landing_page(known, tmp_path)
    assert "Views iOS critical \u221248.0 % 27 February 2023, 11:00 open" in text


def test_incidents_are_read_from_the_state_store_and_linked_to_their_pages(home: Settings) -> None:
    opened = {"opened_slice": NOW, "last_slice": NOW, "severity": "warning", "content": {}}
    with state.open_store(home) as store, store.writing() as connection:
        for name, over in (("views", None), ("likes", NOW)):
            row = {"metric": name, "segment": "total", "resolved_slice": over, "story": name}
            connection.execute(sa.insert(schema.incidents).values(**opened, **row))
    page = record(notebook="incident", run="views", parameters={"key": "views"})
    found = standing.read(home, [of(page, notebook="incident")])
    assert found.state == "incident"
    assert [(one.metric, one.page) for one in found.open] == [("views", "runs/incident/views")]
    assert [one.metric for one in found.incidents] == ["likes", "views"]
    assert (found.open[0].name, found.open[0].where) == ("Views", "whole app")
    silent = found.open[0]._replace(metric="no_data", segment="service:feed")
    assert (silent.name, silent.where) == ("No data", "feed")


def test_alerts_are_unknown_without_a_check_or_a_readable_store(home: Settings) -> None:
    assert standing.read(home, []).why == "No check for incidents has run yet."
    assert not home.home.exists()  # looking makes nothing
    silent = of(record(notebook="alerts", run="live"), notebook="alerts")
    assert standing.read(home, [silent]).state == "unknown"
    well = of(record(notebook="alerts", run="live", figures={"status": "well"}), notebook="alerts")
    assert standing.read(home, [well]).state == "well"
    home.home.mkdir()
    (home.home / "nbtools.sqlite3").write_text("no database at all, but long enough to be read")
    broken = standing.read(home, [well])
    assert broken.state == "unknown"
    assert "nbtools.sqlite3 failed" in broken.why


def test_the_status_of_a_book_is_valid_and_names_what_it_says(archived: Built) -> None:
    site = archived.home / "site"
    found = json.loads((site / "status.json").read_text("utf-8"))
    VALIDATOR.validate(found)
    assert json.loads((site / found["$schema"]).read_text("utf-8")) == SCHEMA
    assert found["state"] == "failed"
    assert found["data_day"] == days(1)[0]
    assert {one["notebook"]: one["state"] for one in found["sections"]} == {
        "report_feed": "failed",
        "ab_test": "on_request",
        "alerts": "on_request",
        "etl_daily": "on_time",
    }
    assert found["verdicts"][0]["verdict"] == "ship"
    assert {one["metric"]: one["value"] for one in found["figures"]}["feed_users"] == 20000
    parts = [*found["verdicts"], *found["figures"], *found["failures"]]
    parts += [one["newest"] for one in found["sections"]]
    for part in parts:
        assert (site / part["page"]).is_file(), part


def test_a_program_that_writes_something_else_is_told(archived: Built) -> None:
    found = json.loads((archived.home / "site" / "status.json").read_text("utf-8"))
    for name, value in (("state", "fine"), ("built", "today"), ("data_day", "26.02.2023")):
        with pytest.raises(jsonschema.ValidationError):
            VALIDATOR.validate(found | {name: value})
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(found | {"more": 1})


def test_readers_keep_the_last_good_page_and_operators_see_the_failed_copy(
    archived: Built,
) -> None:
    name = days(2)[1]
    reader = archived.page(f"runs/report_feed/{name}.html")
    banner = reader.select_one(".admonition.warning")
    assert banner is not None
    said = " ".join(banner.get_text().split())
    assert said.startswith(
        "A newer run failed The run 2023-02-26 failed on 28 February 2023, 08:05"
    )
    assert said.endswith("the last good page, of 27 February 2023, 06:05, 1 day before.")
    assert "Traceback" not in reader.get_text()
    assert reader.select("article .cell_output img")
    assert not (archived.home / "site" / "runs" / "report_feed" / f"{days(1)[0]}.html").exists()
    link = archived.page("status.html").select_one(".failure a")
    assert link is not None
    assert link["href"] == f"failed/report_feed/{days(1)[0]}.html"
    copy = archived.page(str(link["href"])).find("article").get_text()  # type: ignore[union-attr]
    assert copy.strip().startswith(f"Failed: Feed report, {days(1)[0]}")
    for part in (
        "KeyError: 'views'",
        "table['views']",
        "nbtools run report_feed daily --set date=",
    ):
        assert part in copy
    assert "a warning" not in copy


def test_a_copy_that_is_just_being_written_does_not_stop_the_book(tmp_path: Path) -> None:
    add_run(tmp_path, "report_feed", "2023-02-26", outcome="failed", error="E")
    (tmp_path / "failed" / "report_feed" / "2023-02-26.ipynb").write_text('{"cells": [')
    assemble(tmp_path, PROJECT, NOW)
    page = tmp_path / "build" / "source" / "failed" / "report_feed" / "2023-02-26.ipynb"
    assert "nbtools run report_feed" in page.read_text("utf-8")


def test_cards_have_a_line_of_the_last_four_weeks(tmp_path: Path) -> None:
    long_home(tmp_path)
    found = collect(tmp_path, NOW)
    cards = landing.cards(
        landing.newest_reports(found.everything), landing.recent(tmp_path, found.everything)
    )
    line = str(cards[0].line)
    assert 'aria-label="Feed DAU, last 28 days: from 19 730 to 20 000"' in numbers(line)
    assert len(re.findall(r"[\d.]+,[\d.]+", line)) == 28
    assert cards[0].page == "runs/report_feed/2023-02-25"


def test_days_without_a_report_come_from_what_was_remembered(tmp_path: Path) -> None:
    page = report("2023-02-26", figures=FIGURES)
    first, second, third = (date(2023, 2, day) for day in (24, 25, 26))
    landing.remember(tmp_path, {"ctr": {first: float("nan"), second: 0.3, third: 0.9}})
    found = landing.recent(tmp_path, [of(page)])
    assert found["ctr"] == {second: 0.3, third: FIGURES["ctr"]}
    assert "polyline" in landing.cards([page], found)[3].line
    assert landing.cards([page])[3].line == ""


def test_a_line_has_gaps_where_values_are_missing() -> None:
    assert sparklines.draw([1.0], "x") == ""
    drawn = str(sparklines.draw([1.0, 2.0, None, 4.0, float("nan"), 2.0, 3.0], '<"x">'))
    assert drawn.count("<polyline") == 3
    assert "&lt;&#34;x&#34;&gt;" in drawn
    level = str(sparklines.draw([5.0, 5.0], "x"))
    assert "nan" not in level


def test_the_app_report_and_the_feed_report_share_the_cards() -> None:
    feed = report("2023-02-26", figures={"views": 5, "ctr": 0.2})
    app = record(notebook="report_app", run="2023-02-26", figures={"views": 6, "app_users": 3})
    old = record(notebook="report_app", run="2023-02-25", figures={"views": 7})
    both = [of(app, notebook="report_app"), of(feed)]
    cards = landing.cards(landing.newest_reports(both))
    assert [(card.metric.slug, card.value) for card in cards] == [
        ("app_users", "3"), ("views", "6"), ("ctr", "20.0\u202f%"),
    ]  # fmt: skip
    assert landing.newest_reports([of(old, notebook="report_app"), of(feed)]) == [feed]


def test_a_reader_of_an_old_copy_is_told_by_their_own_clock(tmp_path: Path) -> None:
    texts = pages.generated(
        contents([of(report("2023-02-26"))]), home=tmp_path, written=PROJECT / "book", zone=ZONE
    )
    assert 'data-built="2023-02-27T12:00:00+03:00" hidden' in texts["index.md"]
    still = pages.generated(
        contents([of(report("2023-02-26", source=DEMO))]),
        home=tmp_path,
        written=PROJECT / "book",
        zone=ZONE,
    )
    assert "data-built" not in still["index.md"]


def test_the_landing_page_is_light(archived: Built) -> None:
    size = (archived.home / "site" / "index.html").stat().st_size
    assert size < 60_000
