"""The file of planned events and notes: what it means, and what is wrong with it in one line."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nbtools import annotations
from nbtools.annotations import Annotations
from nbtools.errors import ParameterError
from nbtools.settings import PROJECT

MOSCOW = ZoneInfo("Europe/Moscow")
SLICE = datetime(2023, 2, 25, 4, tzinfo=UTC)


def load(tmp_path: Path, text: str) -> Annotations:
    path = tmp_path / "annotations.yml"
    path.write_text(text, "utf-8")
    return annotations.load(path, MOSCOW)


def test_the_projects_own_file_only_marks() -> None:
    found = annotations.load(PROJECT / "parameters" / "annotations.yml", MOSCOW)
    assert {event.effect for event in found.events} == {"mark"}
    assert [event.name for event in found.events] == ["New Year", "Ad campaign"]


def test_a_day_is_meant_whole_in_the_apps_zone(tmp_path: Path) -> None:
    text = "events: [{name: Push, from: 2023-01-14, to: 2023-01-14, metrics: [views]}]"
    [event] = load(tmp_path, text).events
    assert event.start == datetime(2023, 1, 13, 21, tzinfo=UTC)
    assert event.end == datetime(2023, 1, 14, 21, tzinfo=UTC)
    assert event.covers("views", event.start)
    assert not event.covers("views", event.end)
    assert not event.covers("likes", event.start)


def test_times_and_days_of_turned_clocks_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "annotations.yml"
    path.write_text("events: [{name: Push, from: 2023-03-26, to: 2023-03-26 12:30}]")
    [event] = annotations.load(path, ZoneInfo("Europe/Berlin")).events
    assert event.start == datetime(2023, 3, 25, 23, tzinfo=UTC)
    assert event.end == datetime(2023, 3, 26, 10, 30, tzinfo=UTC)


def test_a_note_is_found_by_the_incident_or_by_metric_and_slice(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "notes:\n- {text: bots, metric: views, slice: 2023-02-25 07:15}\n"
        "- {text: outage, incident: 2023-02-25T0400Z-views-total}",
    )
    by_slice, by_key = found.notes
    later = SLICE.replace(minute=30)
    assert by_slice.is_about("any", "views", SLICE, later)
    assert not by_slice.is_about("any", "likes", SLICE, later)
    assert not by_slice.is_about("any", "views", later, later)
    assert by_key.is_about("2023-02-25T0400Z-views-total", "likes", later, later)


def test_no_file_and_an_empty_file_are_no_annotations(tmp_path: Path) -> None:
    assert annotations.load(tmp_path / "none.yml", MOSCOW) == Annotations()
    assert load(tmp_path, "# nothing yet\n") == Annotations()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("events: [{name: x, from: 2023-01-02, to: 2023-01-01}]", r"events 1: 'x' ends before"),
        ("events: [{name: x, from: soon, to: 2023-01-01}]", r"events 1 from: 'soon' is no moment"),
        ("events: [{name: x, from: 2023-02-30, to: 2023-03-01}]", "is not YAML|is no moment"),
        ("events: [{name: x, from: 2023-01-01}]", "events 1 to: Field required"),
        ("events: [{name: x, from: 2023-01-01, to: 2023-01-01, effect: mute}]", "effect: .*widen"),
        (
            "events: [{name: x, from: 2023-01-01, to: 2023-01-01, metrics: [dau]}]",
            "metrics 1: 'dau' is no metric; there are app_users",
        ),
        ("events: [{name: x, form: 2023-01-01, to: 2023-01-01}]", "events 1 from: Field required"),
        ("notes: [{text: x}]", "notes 1: a note names either an incident, or"),
        ("notes: [{text: x, metric: views}]", "notes 1: a note names either an incident, or"),
        ("holidays: []", "holidays: Extra inputs"),
        ("- a", "the file: Input should be .*dict"),
        ("events: [", "is not YAML"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        load(tmp_path, text)
    assert "annotations.yml" in str(caught.value)
    assert "\n" not in str(caught.value)
