"""Parameters are checked before a kernel starts: names, types, days, files."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import papermill
import pytest
import yaml
from pydantic import ValidationError

from nbtools import parameters
from nbtools.errors import ParameterError
from nbtools.parameters import MODELS, EtlDaily, ReportFeed
from nbtools.settings import PROJECT

NOW = datetime(2023, 2, 28, tzinfo=UTC)
# What no file can know: a check says of which incident its page is.
BY_THE_RUN = {"incident": {"key": "2023-02-18T0600Z-views-total"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "report_feed").mkdir()
    write(tmp_path, "title: Feed report\ndate: yesterday\ndays: 7\n")
    return tmp_path


def write(folder: Path, text: str, run: str = "daily") -> None:
    (folder / "report_feed" / f"{run}.yml").write_text(text)


def load(folder: Path, run: str = "daily", **overrides: str) -> parameters.RunParameters:
    return parameters.load(folder, "report_feed", run, overrides, now=NOW)


def test_yesterday_is_the_day_before_the_apps_today(folder: Path) -> None:
    assert load(folder) == ReportFeed(title="Feed report", date=date(2023, 2, 27), days=7)


def test_the_command_line_wins_over_the_file(folder: Path) -> None:
    found = load(folder, date="2023-01-20", days="14")
    assert found == ReportFeed(title="Feed report", date=date(2023, 1, 20), days=14)


def test_an_unquoted_day_of_the_file_is_a_day(folder: Path) -> None:
    write(folder, "title: t\ndate: 2023-01-20\n")
    assert load(folder) == ReportFeed(title="t", date=date(2023, 1, 20), days=7)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2023-13-45", "'2023-13-45' is not in the calendar"),
        ("tomorrow", "'tomorrow' is no day; needed is YYYY-MM-DD, today or yesterday"),
        ("'; drop table x", "is no day"),
        ("20230120", "is no day"),
        ("", "is no day"),
        (
            "2023-02-28",
            "2023-02-28 is not over: today is 2023-02-28, the last full day is 2023-02-27",
        ),
        ("today", "2023-02-28 is not over"),
        ("2030-01-01", "2030-01-01 is not over"),
    ],
)
def test_an_impossible_day_is_refused_in_one_line(folder: Path, day: str, words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        load(folder, date=day)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "title: t\ndte: yesterday\n",
            "Unknown parameter 'dte' in .*daily.yml; did you mean date?",
        ),
        ("title: t\n", "Parameter date is missing in .*daily.yml"),
        (
            "title: t\ndate: yesterday\ndays: seven\n",
            "Parameter days in .*daily.yml: .*got 'seven'",
        ),
        ("title: t\ndate: yesterday\ndays: yes\n", "true is no whole number"),
        (
            "title: t\ndate: yesterday\ndays: 0\n",
            "Parameter days .*greater than or equal to 2, got 0",
        ),
        ("title: 5\ndate: yesterday\n", "Parameter title .*valid string, got 5"),
        ("", "is empty or no mapping"),
        ("- a\n", "is empty or no mapping"),
        ("a: [b\n", "is not YAML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(folder: Path, text: str, words: str) -> None:
    write(folder, text)
    with pytest.raises(ParameterError, match=words) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_those_that_exist(folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"no file .*weekly.yml; .*: daily\."):
        load(folder, run="weekly")


def test_a_run_name_cannot_leave_its_folder(folder: Path) -> None:
    with pytest.raises(ParameterError, match="no run name"):
        load(folder, run="../../etc/passwd")


def test_an_unknown_name_on_the_command_line_is_refused(folder: Path) -> None:
    with pytest.raises(ParameterError, match="Unknown parameter 'day' in the command line"):
        load(folder, day="2023-01-20")


def test_an_unknown_notebook_names_those_that_exist(folder: Path) -> None:
    with pytest.raises(ParameterError, match=r"no notebook 'etl'; there are .*etl_daily, "):
        parameters.load(folder, "etl", "daily", {}, now=NOW)


def test_a_notebook_gets_the_same_parameters_from_its_namespace() -> None:
    namespace = {"title": "t", "date": "2023-01-20", "unrelated": 1}
    assert EtlDaily.from_namespace(namespace) == EtlDaily(title="t", date=date(2023, 1, 20))


@pytest.mark.parametrize("notebook", sorted(MODELS))
def test_the_three_lists_of_names_are_one(notebook: str) -> None:
    fields = set(MODELS[notebook].model_fields)
    assert set(papermill.inspect_notebook(PROJECT / "notebooks" / f"{notebook}.ipynb")) == fields
    for path in (PROJECT / "parameters" / notebook).glob("*.yml"):
        given = set(yaml.safe_load(path.read_text()))
        needed = {
            name for name, field in MODELS[notebook].model_fields.items() if field.is_required()
        }
        assert needed <= given | set(BY_THE_RUN.get(notebook, {})) <= fields, path.name


@pytest.mark.parametrize("notebook", sorted(MODELS))
def test_every_shipped_parameter_file_is_valid(notebook: str) -> None:
    runs = [path.stem for path in (PROJECT / "parameters" / notebook).glob("*.yml")]
    assert runs
    for run in runs:
        given = BY_THE_RUN.get(notebook, {})
        parameters.load(PROJECT / "parameters", notebook, run, given, now=NOW)


def test_a_rule_about_several_parameters_names_both_places_they_came_from() -> None:
    with pytest.raises(ParameterError) as found:
        parameters.load(
            PROJECT / "parameters",
            "ab_test",
            "new_recommender",
            {"start_date": "2023-01-09"},
            now=NOW,
        )
    assert str(found.value).endswith(
        "new_recommender.yml with the command line: "
        "start_date 2023-01-09 is after end_date 2023-01-07."
    )


def alerts(**values: object) -> parameters.Alerts:
    model = parameters.Alerts.model_validate({"title": "Alerts", **values})
    parameters._is_over(model, NOW.replace(tzinfo=ZoneInfo("Europe/Moscow")))
    return model


def test_a_moment_is_read_with_and_without_a_zone_and_must_not_be_to_come() -> None:
    assert alerts(at="2023-02-25 07:20").at.isoformat() == "2023-02-25T07:20:00"
    assert alerts(at="2023-02-25T07:20:00+03:00").at.utcoffset() == timedelta(hours=3)
    assert alerts(at="2023-02-28 00:00").at.hour == 0
    with pytest.raises(ParameterError, match=r"at 2023-02-28 00:15 is to come"):
        alerts(at="2023-02-28 00:15")
    with pytest.raises(ParameterError, match="is to come"):
        alerts(at="2023-02-27T21:15:00+00:00")
    for wrong in ("2023-02-25", "07:20", "2023-02-31 07:20", "2023-02-25 27:20"):
        with pytest.raises(ValidationError):
            alerts(at=wrong)


def test_now_is_the_moment_it_is_called() -> None:
    assert parameters._resolve("at", "now", NOW) == NOW.replace(tzinfo=None)
    assert parameters._resolve("title", "now", NOW) == "now"
