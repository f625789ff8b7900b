"""The check from events to messages on the demo history, its replay, its pages."""

import json
import re
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from click.testing import CliRunner, Result

from nbtools import (
    alarms,
    alert_pages,
    alerting,
    alerts,
    backtest_pages,
    backtests,
    causes,
    incident_pages,
    incident_store,
    lookback,
    slices,
    slicing,
    state,
    warehouse,
)
from nbtools.__main__ import main
from nbtools.alerts import Context, Verdicts
from nbtools.backtests import Period
from nbtools.checks import APP, Check, Missing, State
from nbtools.incidents import TOTAL, Rules
from nbtools.parameters import HISTORY_DAYS, Alerts, AlertsBacktest
from nbtools.settings import Settings
from nbtools.slices import History
from tests.conftest import copy_home

ZONE = ZoneInfo("Europe/Moscow")
END = datetime(2023, 2, 28, tzinfo=ZONE)
SPIKE = datetime(2023, 2, 18, 9, tzinfo=ZONE)
RULES = Rules(zone=ZONE)


@pytest.fixture(scope="module")
def sliced(demo_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the demo history with all its slices; tests read it, or fill what is filled."""
    copy = copy_home(demo_home, tmp_path_factory.mktemp("alerts") / "home")
    with warehouse.open_source(copy) as source, warehouse.open_warehouse(copy) as db:
        slices.fill(db, source, at=END, slicing=slicing.load(copy.home))
    return copy


@pytest.fixture
def clean(sliced: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a home of its own with the slices, also set in the environment."""
    monkeypatch.setenv("NBTOOLS_HOME", str(tmp_path / "home"))
    return copy_home(sliced, tmp_path / "home")


@pytest.fixture(scope="module")
def verdicts(sliced: Settings) -> Verdicts:
    """Return the verdicts on the whole history, as checks in time had them."""
    with warehouse.open_source(sliced) as source, warehouse.open_warehouse(sliced) as db:
        filled = slices.fill(db, source, at=END)
        history = slices.read(db, filled, zone=ZONE, days=400, slugs=alerts.METRICS)
    return alerts.as_checked(history, sensitivity=alerts.DEFAULT_SENSITIVITY, days=HISTORY_DAYS)


def params(at: datetime, **values: object) -> Alerts:
    return Alerts.model_validate({"title": "Alerts", "at": at, **values})


def run_check(home: Settings, at: datetime, known: State) -> alerts.Checked:
    with warehouse.open_source(home) as source, warehouse.open_warehouse(home) as db:
        context = Context(known, ZONE, slicing.load(home.home))
        return alerts.check(db, source, params(at), context)


def test_checks_in_time_find_what_a_replay_finds(sliced: Settings, verdicts: Verdicts) -> None:
    first, last = SPIKE - timedelta(minutes=30), SPIKE + timedelta(hours=1)
    replayed = backtests.replay(verdicts, Period(first, last, verdicts.history.start), rules=RULES)
    known, intents = State(), []
    at = first
    while at < last:
        at += alerts.STEP
        checked = run_check(sliced, at, known)
        known = checked.outcome.state
        intents += [(one.part, one.at) for one in checked.outcome.intents]
    assert intents == [(one.part, one.at) for one in replayed.intents]
    assert known.incidents == replayed.state.incidents
    assert intents, "the spike was not found"


def test_the_odd_slice_is_found_in_its_slice_and_is_news_of_all_segments(
    verdicts: Verdicts,
) -> None:
    found = backtests.replay(
        verdicts, Period(SPIKE - timedelta(2), SPIKE + timedelta(1)), rules=RULES
    )
    at_once = [one for one in found.intents if one.at == SPIKE + alerts.STEP]
    assert len(at_once) == 1
    (story,) = at_once[0].stories
    assert story.lead.metric in {"views", "likes"}
    assert story.lead.direction == "up"
    assert story.lead.severity == "info"


def test_the_four_cities_of_the_outage_are_named(sliced: Settings) -> None:
    first = datetime(2023, 1, 23, tzinfo=ZONE)
    with warehouse.open_source(sliced) as source:
        look = partial(causes.look, source, "feed_users", zone=ZONE)
        found = look(first, first + timedelta(hours=12), "down")
        usual = look(first - timedelta(3), first - timedelta(days=2, hours=12), "down")
    assert found is not None
    assert found.dimension == "city"
    named = {name for name, _ in found.parts}
    assert {"Moscow", "Saint Petersburg"} <= named
    assert named <= {"Moscow", "Saint Petersburg", "Novosibirsk", "Yekaterinburg"}
    assert all(change < -0.6 for _, change in found.parts)
    assert usual is None


def test_a_segment_shares_the_false_alarms_of_its_metric(verdicts: Verdicts) -> None:
    many = alerts.judge(verdicts.history, sensitivity=50)
    rates = [
        backtests.false_alarms(one, verdicts.history.moment(14 * 96)).sum()
        for one in (verdicts, many)
    ]
    assert rates[0] < rates[1]


def test_everything_silent_is_missing_data_and_not_a_zero(verdicts: Verdicts) -> None:
    history = verdicts.history
    values = {key: row.copy() for key, row in history.values.items()}
    first = 32 * 96 + 48  # an ordinary Friday noon
    for row in values.values():
        row[first : first + 8] = 0.0
    silent = alerts.judge(history._replace(values=values), sensitivity=0.2)
    begun, ended = history.moment(first - 8), history.moment(first + 20)
    found = backtests.replay(silent, Period(begun, ended), rules=RULES)
    stages = [story.stage for one in found.intents for story in one.stories]
    assert stages[0] == "opened"
    assert found.intents[0].stories[0].lead.metric == "no_data"
    assert found.intents[0].stories[0].severity == "critical"
    assert stages[-1] == "recovered"


def small_app(*, night: float) -> History:
    """Return five weeks of an app with 12 views a slice by day."""
    rng = np.random.default_rng(0)
    hours = np.arange(35 * 96) % 96 / 4
    views = rng.poisson(np.where((hours >= 1) & (hours < 7), night, 12.0)).astype(float)
    return History(datetime(2023, 1, 2, tzinfo=ZONE), {("views", TOTAL, TOTAL): views}, {})


def silenced(
    history: History, at: datetime, hours: float, *, age: timedelta = timedelta(30)
) -> backtests.Replay:
    """Return what is said of an app of some age that is silent from a moment on."""
    first = history.number(at)
    values = {key: row.copy() for key, row in history.values.items()}
    for row in values.values():
        row[first : first + int(4 * hours)] = 0.0
    verdicts = alerts.judge(history._replace(values=values), sensitivity=0.2)
    period = Period(at - timedelta(hours=12), at + timedelta(hours=24), at - age)
    return backtests.replay(verdicts, period, rules=RULES)


def test_silence_is_an_emergency_only_where_the_history_knows_none() -> None:
    day, night = datetime(2023, 2, 1, 12, tzinfo=ZONE), datetime(2023, 2, 2, 1, tzinfo=ZONE)
    small = small_app(night=0.02)
    assert silenced(small, night, hours=6).intents == []
    [opened, *_] = silenced(small, day, hours=3).intents
    assert opened.stories[0].lead.metric == "no_data"
    assert opened.at - day == RULES.no_data_after
    # What sleeps at its hour and then does not wake up is news soon after.
    [overslept, *_] = silenced(small, night, hours=12).intents
    assert overslept.stories[0].lead.metric == "no_data"
    assert timedelta(hours=6) < overslept.at - night <= timedelta(hours=6, minutes=45)
    # The same night is no usual one for an app that never sleeps.
    [woken, *_] = silenced(small_app(night=6.0), night, hours=6).intents
    assert woken.at - night <= timedelta(hours=1)


def test_a_silent_night_is_told_from_an_outage_by_a_check() -> None:
    history = small_app(night=0.02)
    for hour, is_usual in ((1, True), (12, False)):
        moment = datetime(2023, 2, 1, hour, tzinfo=ZONE)
        until = history.part(0, history.number(moment) + 4)
        for row in until.values.values():
            row[-4:] = np.nan
        end = moment + 4 * alerts.STEP
        filled = slices.Filled(end, history.start, end, None, moment, moment, moment, moment)
        [missing] = alerts._missing(filled, until, 0.2)
        assert missing == Missing(APP, moment, is_usual=is_usual)
        check = Check(end, end - alerts.STEP, (), (missing,), history.start)
        outcome = alarms.advance(State(), check, RULES)
        assert outcome.status == ("well" if is_usual else "incident")


def test_no_silence_is_usual_while_the_history_is_too_young_to_tell() -> None:
    night = datetime(2023, 2, 2, 1, tzinfo=ZONE)
    [first, *_] = silenced(small_app(night=0.02), night, hours=6, age=timedelta(7)).intents
    assert first.at - night == RULES.no_data_after


def test_a_service_that_is_late_is_missing_and_both_are_the_app(verdicts: Verdicts) -> None:
    history = verdicts.history
    end = datetime(2023, 2, 1, 12, tzinfo=ZONE)
    half = end - timedelta(minutes=30)
    filled = slices.Filled(end, end, end, None, half, end, half, end)
    assert alerts._missing(filled, history, 0.2) == (Missing("feed", half),)
    both = filled._replace(messages_arrived=half - alerts.STEP)
    assert alerts._missing(both, history, 0.2) == (Missing(APP, half),)
    assert alerts._missing(filled._replace(feed_arrived=end), history, 0.2) == ()


def test_planted_outages_are_found_and_nothing_is_found_before_them(verdicts: Verdicts) -> None:
    found = backtests.recall(verdicts.history, sensitivity=1.0, copies=2)
    assert {"outage", "drop of 50 %"} <= set(found.index)
    assert float(found["within_1"].to_dict()["outage"]) > 0.8
    assert (found["within_1"] <= found["within_2"]).all()
    assert (found["within_4"] <= found["found"] + 1e-9).all()
    again = backtests.recall(verdicts.history, sensitivity=1.0, copies=2)
    assert found.equals(again)


def test_thinned_counts_are_fewer_and_whole() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([100.0, 0.0, np.nan, 40.0])
    half = backtests._changed(counts, np.full(4, 0.5), rng, is_ratio=False)
    assert np.isnan(half[2])
    assert half[1] == 0
    assert (half[[0, 3]] == np.round(half[[0, 3]])).all()
    assert half[0] < 80
    more = backtests._changed(counts, np.full(4, 1.5), rng, is_ratio=False)
    assert more[0] > 100
    assert backtests._changed(np.array([0.2]), np.array([0.5]), rng, is_ratio=True) == [0.1]


def nbtools(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def figures(home: Settings, notebook: str, run: str) -> dict[str, object]:
    record = json.loads((home.home / "runs" / notebook / f"{run}.json").read_text("utf-8"))
    found: dict[str, object] = record["figures"]
    return found


def outbox(home: Settings) -> list[str]:
    with state.open_store(home) as store:
        return [message.title for message in store.undelivered()] + [
            path.name for path in sorted((home.home / "outbox").glob("*"))
        ]


def test_a_check_makes_a_page_a_message_and_the_page_of_its_incident(clean: Settings) -> None:
    at = f"{SPIKE + alerts.STEP:%Y-%m-%d %H:%M}"
    done = nbtools("alerts", "--at", at)
    assert done.exit_code == 0, done.output
    assert "incident" in done.output
    found = figures(clean, "alerts", "live")
    assert found["slice"] == SPIKE.isoformat(timespec="minutes")
    assert found["status"] == "incident"
    assert found["messages"] == 1
    sent = outbox(clean)
    assert len(sent) == 1
    folder = clean.home / "outbox" / sent[0]
    assert list(folder.glob("*.png"))
    page = nbformat.read(clean.home / "runs" / "alerts" / "live.ipynb", as_version=4)
    assert "outside" in str(page)
    (incident,) = alerting.told(clean)
    key = incident.group.key
    assert figures(clean, "incident", key)["severity"] == "info"
    # The same check again: nothing new is said, and no page is made again.
    again = nbtools("alerts", "--at", at)
    assert again.exit_code == 0, again.output
    assert outbox(clean) == sent
    assert alerting.make_pages(clean) == 0


def test_a_look_back_records_and_sends_nothing(clean: Settings) -> None:
    said = lookback.look_back(clean)
    assert "incidents since 2022-12-19" in said
    assert outbox(clean) == []
    assert "nothing was looked back at" in lookback.look_back(clean)
    told = alerting.told(clean)
    assert told
    with state.open_store(clean) as store, store.writing() as connection:
        assert incident_store.load(connection).checked is not None
        incident_store.forget(connection)
        assert incident_store.load(connection) == State()


REFUSED = {
    "a moment to come": (("alerts", "--at", "2023-03-01 00:00"), "is to come"),
    "no moment": (("alerts", "--at", "teatime"), "'teatime' is no moment"),
    "before the history": (("alerts", "--at", "2022-12-01 00:00"), "no events before"),
    "an unknown incident": (
        ("run", "incident", "story", "--set", "key=nonsense"),
        "There is no incident 'nonsense'",
    ),
    "an incident without a key": (("run", "incident", "story"), "key is missing"),
    "a backtest of another time": (
        ("backtest", "--from", "2021-01-01", "--to", "2021-02-01"),
        "2021",
    ),
    "a backtest of the future": (("backtest", "--to", "2199-01-01"), "not over"),
}


def test_what_cannot_be_checked_is_one_line_exit_2(demo_copy: Settings) -> None:
    for name, (words, said) in REFUSED.items():
        done = nbtools(*words)
        assert done.exit_code == 2, (name, done.output)
        assert len(done.output.strip().splitlines()) == 1, done.output
        assert said in done.output, (name, done.output)
    assert (
        not list((demo_copy.home / "runs").glob("*"))
        if (demo_copy.home / "runs").exists()
        else True
    )


def test_the_pages_have_their_tables_and_pictures(sliced: Settings, verdicts: Verdicts) -> None:
    checked = run_check(sliced, SPIKE + alerts.STEP, State())
    assert "There is an incident" in alert_pages.state(checked).data
    assert alert_pages.table(checked).data.count("<tr>") == 1 + len(alerts.METRICS)
    assert "YES" in alert_pages.table(checked).data
    title = alert_pages.panels(checked).get_suptitle()
    assert "outside their range" in title
    (draft,) = alert_pages.messages_of(checked, "ru")
    assert "Просмотры" in draft.title or "Лайки" in draft.title
    assert draft.pictures[0].data.startswith(b"\x89PNG")
    assert not draft.link
    (linked,) = alert_pages.messages_of(checked, "en", site="https://book.example/")
    key = checked.outcome.intents[0].stories[0].group.key
    assert linked.link == f"https://book.example/runs/incident/{key}.html"
    assert "https://book.example/runs/dashboard_today/live.html" in linked.text
    plt.close("all")
    backtest = AlertsBacktest.model_validate(
        {"title": "B", "start_date": "2023-02-13", "end_date": "2023-02-19"}
    )
    with warehouse.open_source(sliced) as source, warehouse.open_warehouse(sliced) as db:
        done = backtest_pages.run(sliced, db, source, backtest)
    assert "a person would have received" in backtest_pages.summary(done).data
    assert "Views" in backtest_pages.sent(done).data
    assert "of 7 days were without" in backtest_pages.calendar(done).axes[0].get_title(loc="left")
    for part in (backtest_pages.recall(done), backtest_pages.alarms(done)):
        assert "nan" not in part.data
    plt.close("all")


def test_an_incidents_page_says_what_it_knows(clean: Settings) -> None:
    lookback.look_back(clean)
    story = next(one for one in alerting.told(clean) if one.lead.metric in {"views", "likes"})
    from nbtools.parameters import IncidentPage

    page = IncidentPage(title="Incident", key=story.group.key)
    with warehouse.open_source(clean) as source, warehouse.open_warehouse(clean) as db:
        told = incident_pages.load(clean, db, source, page)
    assert "as expected again" in incident_pages.timeline(told).data
    brought = incident_pages.drivers(told).data
    assert all(name in brought for name in ("all", "iOS", "Android", "ads", "organic", "Russia"))
    summary = incident_pages.summary(told).data
    peak = story.lead.peak
    assert peak is not None
    assert f"Why, at its worst ({peak.slice.astimezone(ZONE):%H:%M})" in summary
    assert re.search(r"in the (slice|last \d+ slices), expected", summary)
    assert "standard deviations of its usual errors" in summary
    assert incident_pages.picture(told) is not None
    found = incident_pages.figures(told)
    assert found["state"] == "over"
    changes = told.contributions
    assert changes is not None
    whole = changes.loc[changes["dimension"] == "total", "change"].sum()
    for _, part in changes.groupby("dimension"):
        assert part["change"].sum() == pytest.approx(whole)
    plt.close("all")


def test_verdicts_as_checked_are_those_of_judging_what_each_check_reads(
    verdicts: Verdicts, sliced: Settings
) -> None:
    history = verdicts.history
    with warehouse.open_source(sliced) as source, warehouse.open_warehouse(sliced) as db:
        for back in (timedelta(9, hours=20), timedelta(days=2, hours=5)):
            at = END - back + timedelta(minutes=5)
            filled = slices.fill(db, source, at=at, slicing=slicing.load(sliced.home))
            read = slices.read(db, filled, zone=ZONE, days=35, slugs=alerts.METRICS)
            alone = alerts.judge(read, sensitivity=0.2, since=at - timedelta(1))
            number = history.number(filled.end) - 1
            assert alone.observations([read.size - 1]) == verdicts.observations([number])
    part = alerts.as_checked(history, sensitivity=0.2, days=35, since=END - timedelta(3))
    assert part.first == history.size - 3 * 96
    key = ("views", "total", "total")
    assert np.array_equal(part.judged[key].score[0], verdicts.judged[key].score[0, part.first :])
