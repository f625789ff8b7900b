"""The feed's report: every number is the events', and nothing later is in it."""

import json
import random
import re
from datetime import date, datetime, timedelta

import pytest

from nbtools import etl, feed_report, incident_store, languages, reports, state, warehouse
from nbtools.checks import State
from nbtools.feed_report import FeedDay
from nbtools.handover import Draft
from nbtools.languages import Language
from nbtools.messages import MINUS, NO_BREAK_SPACE, THIN_SPACE
from nbtools.report_charts import Recent
from nbtools.reports import FEED_METRICS
from nbtools.settings import Settings
from tests import raw
from tests.checks import live, slices
from tests.events import ZONE, Message, at, like, write
from tests.raw import Feed

SIGN = f"[+{MINUS}\N{PLUS-MINUS SIGN}]"
OUTAGE, CAMPAIGN = date(2023, 1, 23), date(2023, 1, 14)
CITIES = {"Moscow", "Saint Petersburg", "Novosibirsk", "Yekaterinburg"}


def read(home: Settings, day: date) -> FeedDay:
    with warehouse.open_warehouse(home) as db:
        return feed_report.read(db, home, day)


def message(home: Settings, day: date, language: Language = "en") -> Draft:
    return feed_report.message(read(home, day), Recent(day, 7), home, language)


def plain(text: str) -> str:
    return text.replace(THIN_SPACE, " ").replace(NO_BREAK_SPACE, " ")


@pytest.mark.parametrize("number", range(3))
def test_every_figure_of_a_random_day_is_what_the_events_say(
    number: int, loaded_home: Settings
) -> None:
    day = date(2022, 12, 12) + timedelta(random.Random(number).randrange(78))
    found = read(loaded_home, day)
    by_back = {
        back: raw.counted(raw.of_day(loaded_home, day - timedelta(back))) for back in (0, 1, 7)
    }
    for slug in FEED_METRICS:
        row = found.comparison.table.loc[slug]
        assert row["value"] == pytest.approx(by_back[0][slug], rel=1e-12)
        assert row["change_1d"] == pytest.approx(by_back[0][slug] / by_back[1][slug] - 1)
        assert row["change_7d"] == pytest.approx(by_back[0][slug] / by_back[7][slug] - 1)
    assert found.moved is not None
    table = found.moved.table
    slug = found.moved.standing.slug
    assert table.iloc[0][["now", "before"]].tolist() == [
        pytest.approx(by_back[back][slug], rel=1e-12) for back in (0, 7)
    ]
    for _, part in table.groupby("dimension"):
        assert part["change"].sum() == pytest.approx(table.iloc[0]["change"], rel=1e-9)


def test_the_contribution_of_a_city_is_what_its_users_did(loaded_home: Settings) -> None:
    table = read(loaded_home, OUTAGE).moved
    assert table is not None
    assert table.standing.slug in {"feed_users", "views"}

    def of(events: list[Feed]) -> int:
        mine = [one for one in events if one.city == "Moscow" and one.what != "message"]
        users = len({one.user for one in mine})
        return (
            users if table.standing.slug == "feed_users" else [x.what for x in mine].count("view")
        )

    row = table.table[table.table["value"] == "Moscow"].iloc[0]
    assert row["now"] == of(raw.of_day(loaded_home, OUTAGE))
    assert row["before"] == of(raw.of_day(loaded_home, OUTAGE - timedelta(7)))


def test_the_outage_and_the_campaign_are_out_of_the_ordinary_and_where_they_are(
    loaded_home: Settings,
) -> None:
    outage, campaign = read(loaded_home, OUTAGE), read(loaded_home, CAMPAIGN)
    assert outage.moved is not None
    assert campaign.moved is not None
    assert outage.moved.standing.is_unusual
    assert set(outage.moved.parts["dimension"]) == {"city"}
    assert outage.moved.parts["value"].iloc[0] == "Moscow"
    assert len(CITIES.intersection(outage.moved.parts["value"])) >= 2
    assert campaign.moved.parts["value"].tolist() == ["ads"]
    title = feed_report.headline(outage, "en")
    assert "out of the ordinary" in title
    assert "on the Monday before" in title
    assert "необычный день" in feed_report.headline(outage, "ru")


def test_a_steady_growth_is_ordinary(loaded_home: Settings) -> None:
    found = read(loaded_home, date(2023, 1, 4))
    assert found.comparison.table["change_7d"]["feed_users"] > 0.05
    assert "an ordinary day" in feed_report.headline(found, "en")


def test_nothing_of_later_days_is_in_a_report(loaded_home: Settings) -> None:
    day = date(2023, 1, 25)
    then = raw.ended(loaded_home, datetime(2023, 1, 26, tzinfo=ZONE))
    for language in languages.LANGUAGES:
        assert message(then, day, language) == message(loaded_home, day, language)


def test_the_message_is_one_line_and_then_the_figures(loaded_home: Settings) -> None:
    found = message(loaded_home, OUTAGE)
    figures = raw.counted(raw.of_day(loaded_home, OUTAGE))
    assert plain(found.title).startswith("Feed, Mon 23 Jan 2023: out of the ordinary, ")
    lines = plain(found.text).splitlines()
    assert lines[0] == "Change against the Monday before | the day before (✓ better, ✗ worse)"
    assert lines[2].startswith(f"Views {figures['views']:,.0f}: ".replace(",", " "))
    assert all(re.search(rf": {SIGN}.* [✓✗%] \| {SIGN}", line) for line in lines[1:7])
    assert lines[7].startswith("What moved most: ")
    assert lines[-1] == "Alerts: nothing was checked"
    assert [picture.name for picture in found.pictures] == [
        f"feed-{OUTAGE}-{name}.png" for name in ("recent", "life")
    ]
    assert found.link == ""
    placed = loaded_home.model_copy(update={"site_url": "https://example.org/book/"})
    assert reports.address(placed, "report_feed", OUTAGE) == (
        f"https://example.org/book/runs/report_feed/{OUTAGE}.html"
    )


def test_a_message_in_russian_has_no_english_word_left(loaded_home: Settings) -> None:
    found = message(loaded_home, OUTAGE, "ru")
    told = f"{found.title} {found.text} " + " ".join(one.alt for one in found.pictures)
    words = set(re.findall(r"[A-Za-z]+", told))
    moved = read(loaded_home, OUTAGE).moved
    assert moved is not None
    parts = moved.parts["value"]
    assert words <= {"CTR", *(word for value in parts for word in str(value).split())}


def test_good_and_bad_are_the_catalogues_and_not_the_signs(loaded_home: Settings) -> None:
    with warehouse.open_warehouse(loaded_home) as db:
        found = reports.compare(db, OUTAGE, ("feed_users", "feed_only_users"))
    users, only = reports.lines(found, ("feed_users", "feed_only_users"), "en")
    assert users.endswith("✗")
    assert not re.search("[✓✗]", only)


def test_the_first_day_has_nothing_to_compare_with(loaded_home: Settings) -> None:
    found = message(loaded_home, date(2022, 12, 5))
    assert "nothing is known of the Monday before" in found.title
    assert "|" not in found.text
    assert "What moved" not in found.text


def test_a_day_without_the_feed_says_so_in_one_line(home: Settings) -> None:
    with warehouse.open_warehouse(home) as db:
        write(db, [like(1, 1, at(day=date(2023, 1, 19))), Message(1, 2, at())])
    with warehouse.open_warehouse(home) as db, warehouse.open_source(home) as source:
        for day in (date(2023, 1, 19), date(2023, 1, 20)):
            etl.run_day(db, source, day, tz=home.tz)
    found = message(home, date(2023, 1, 20))
    assert plain(found.title) == (
        "Feed, Fri 20 Jan 2023: no views and no likes on this day, so there is nothing to report"
    )
    assert (found.text, found.pictures) == ("", ())


def test_the_alert_log_of_a_day_is_told_as_it_stood_at_its_end(home: Settings) -> None:
    assert feed_report.incidents(home, date(2023, 2, 25)) is None
    script = {"views": [1, 0.3, 0.3, 1, 1, 1, 1], "views/iOS": [1, 0.1, 0.1, 1, 1, 1, 1]}
    with state.open_store(home) as store:
        before = State()
        for outcome in live(slices(script)):
            with store.writing() as connection:
                given = incident_store.content(before, outcome)
                incident_store.write(connection, json.loads(json.dumps(given)))
            before = outcome.state
    [seen] = feed_report.incidents(home, date(2023, 2, 25)) or ()
    assert (seen.incident.metric, seen.incident.direction) == ("views", "down")
    assert f"{seen.since.astimezone(ZONE):%H:%M}" == "07:15"
    assert seen.until is not None
    assert f"{seen.until.astimezone(ZONE):%H:%M}" == "07:45"
    for day in (24, 26):
        assert feed_report.incidents(home, date(2023, 2, day)) == ()


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_an_incident_is_a_line_of_the_message(language: Language, loaded_home: Settings) -> None:
    found = read(loaded_home, OUTAGE)
    lines = feed_report.alert_lines(found._replace(incidents=()), language)
    assert len(lines) == 1
    [outcome, *_] = [one for one in live(slices({"views": [1, 0.2, 0.2]})) if one.changed]
    start = datetime(2023, 1, 23, 7, tzinfo=ZONE)
    seen = feed_report.Seen(outcome.changed[0], start, start + timedelta(hours=1))
    for one in (seen, seen._replace(until=None)):
        told = feed_report.alert_lines(found._replace(incidents=(one,)), language)
        assert len(told) == 2
        assert "07:00" in told[1]
