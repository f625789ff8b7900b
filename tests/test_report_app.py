"""The app's report: every number is the events', and nothing later is in it."""

import csv
import io
import random
import re
from collections import defaultdict
from datetime import date, datetime, timedelta

import pandas as pd
import pytest
from click.testing import CliRunner

from nbtools import app_report, retention, warehouse
from nbtools.__main__ import main
from nbtools.app_report import APP_METRICS, AppDay
from nbtools.report_charts import Recent
from nbtools.settings import Settings
from tests import raw
from tests.botapi import BotApi
from tests.events import ZONE

DAY = date(2023, 1, 25)  # a Wednesday: its week is not over


def read(home: Settings, day: date = DAY) -> AppDay:
    with warehouse.open_warehouse(home) as db:
        return app_report.read(db, day)


@pytest.mark.parametrize("number", range(2))
def test_every_figure_of_a_random_day_is_what_the_events_say(
    number: int, loaded_home: Settings
) -> None:
    day = date(2022, 12, 12) + timedelta(random.Random(number).randrange(78))
    found = read(loaded_home, day)
    counted = raw.counted(raw.of_day(loaded_home, day))
    before = raw.counted(raw.of_day(loaded_home, day - timedelta(7)))
    for slug in APP_METRICS:
        row = found.comparison.table.loc[slug]
        assert row["value"] == pytest.approx(counted[slug], rel=1e-12), slug
        assert row["change_7d"] == pytest.approx(counted[slug] / before[slug] - 1), slug
    for part in ("os and source", "age and gender"):
        users = found.people.loc[found.people["part"] == part, "users"]
        assert users.sum() == counted["app_users"]


def test_cohorts_balance_and_overlap_are_what_each_users_days_say(loaded_home: Settings) -> None:
    found = read(loaded_home)
    weeks: dict[int, set[date]] = defaultdict(set)
    source: dict[int, str] = {}
    feed: set[int] = set()
    messenger: set[int] = set()
    for user, day, acquired, is_message in raw.user_days(loaded_home, DAY):
        weeks[user].add(day - timedelta(day.weekday()))
        source.setdefault(user, acquired)
        (messenger if is_message else feed).add(user)
    monday, age = date(2022, 12, 26), 2
    for name in ("ads", "organic"):
        cohort = [u for u, there in weeks.items() if min(there) == monday and source[u] == name]
        back = [u for u in cohort if monday + timedelta(7 * age) in weeks[u]]
        triangle = retention.weekly(found.lives, name)
        assert triangle.sizes[str(monday)] == len(cohort)
        assert triangle.shares.loc[str(monday), age] == pytest.approx(len(back) / len(cohort))
    week, last = date(2023, 1, 16), date(2023, 1, 9)
    row = retention.movement(found.lives).loc[str(week)]
    there = {u for u, mine in weeks.items() if week in mine}
    assert row.to_dict() == {
        "new": sum(min(weeks[u]) == week for u in there),
        "retained": sum(last in weeks[u] for u in there),
        "resurrected": sum(last not in weeks[u] and min(weeks[u]) < week for u in there),
        "gone": sum(last in mine and week not in mine for mine in weeks.values()),
    }
    today = {one.user for one in raw.of_day(loaded_home, DAY)}
    assert found.audience["both_ever_users"] == len(today & feed & messenger)
    assert found.audience["feed_only_ever_users"] == len(today & feed - messenger)


def test_the_file_holds_the_days_counts(loaded_home: Settings) -> None:
    found = read(loaded_home)
    rows = list(csv.DictReader(io.StringIO(app_report.csv(found).data.decode())))
    counted = raw.counted(raw.of_day(loaded_home, DAY))
    assert {row["event_date"] for row in rows} == {str(DAY)}
    for dimension in ("gender", "age", "os", "total"):
        mine = [row for row in rows if row["dimension"] == dimension]
        for name in ("views", "likes", "messages_sent", "feed_users"):
            assert sum(int(row[name]) for row in mine) == counted[name], (dimension, name)


def test_nothing_of_later_days_is_in_a_report(loaded_home: Settings) -> None:
    then = raw.ended(loaded_home, datetime(2023, 1, 26, tzinfo=ZONE))
    drafts = [
        app_report.message(read(home), Recent(DAY, 31), loaded_home, "ru")
        for home in (then, loaded_home)
    ]
    assert drafts[0] == drafts[1]
    assert 2 <= len(drafts[0].pictures) <= 10
    told = f"{drafts[0].title} {drafts[0].text} " + " ".join(one.alt for one in drafts[0].pictures)
    assert set(re.findall(r"[A-Za-z]+", told)) <= {"CTR"}


def test_a_week_that_is_not_over_is_marked_and_not_spoken_of(loaded_home: Settings) -> None:
    found = read(loaded_home)
    plot = app_report.heat(found, 0)
    assert isinstance(plot.unfinished, pd.DataFrame)
    assert plot.unfinished.to_numpy().any()
    assert app_report.balance(found).unfinished is True
    *_, balance, returned = app_report.story(found, "en")
    assert "16\N{NO-BREAK SPACE}Jan" in balance
    assert "9\N{NO-BREAK SPACE}Jan" in returned
    assert "23" not in balance.split(":")[0]


def test_a_service_that_nobody_used_says_so(loaded_home: Settings) -> None:
    found = read(loaded_home)
    table = found.comparison.table.copy()
    table.loc[["messenger_users", "messages_sent"], "value"] = 0.0
    silent = found._replace(comparison=found.comparison._replace(table=table))
    lines = app_report.lines(silent, "en")
    assert lines[-1] == "Nobody wrote a message on this day"
    assert not any(line.startswith("Messages sent") for line in lines)


def test_the_message_reaches_the_chat_with_its_album_and_its_file(
    loaded_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BotApi() as api:
        monkeypatch.setenv("NBTOOLS_TELEGRAM_TOKEN", api.token)
        monkeypatch.setenv("NBTOOLS_TELEGRAM_CHAT", str(api.chat))
        monkeypatch.setenv("NBTOOLS_TELEGRAM_API_URL", api.url)
        monkeypatch.setenv("NBTOOLS_SITE_URL", "https://example.org/book")
        done = CliRunner().invoke(main, ["report-app", "--date", str(DAY)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    methods = [sent.method for sent in api.messages]
    assert "sendMediaGroup" in methods
    assert "sendDocument" in methods
    assert (loaded_copy.home / "runs" / "report_app" / f"{DAY}.ipynb").exists()
