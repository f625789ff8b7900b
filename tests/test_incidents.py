"""From verdicts to incidents and messages: each rule, as scripts over many slices."""

import math
from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbtools import alarms, drivers, stories
from nbtools.annotations import Event
from nbtools.checks import Check, Missing, Outcome, State
from nbtools.drivers import Driver
from nbtools.incidents import Incident, Observation, Rules
from nbtools.stories import Due, Mute
from tests.checks import STEP, live, no_data, said, seen, slice_at, slices

NIGHT = Rules(quiet=(time(23), time(8)))  # START is 07:00 in Moscow, the morning four slices on
EVERYTHING = ("views", "views/iOS", "views/Android", "likes", "feed_users", "messages_sent")


def run(script: dict[str, list[float]], **given: object) -> list[Outcome]:
    return list(live(slices(script), **given))  # type: ignore[arg-type]


def incidents(outcomes: list[Outcome]) -> dict[str, Incident]:
    """Return the last known form of every incident that opened."""
    return {one.key: one for outcome in outcomes for one in outcome.changed}


def planned(effect: str, first: int, last: int, **given: object) -> Event:
    return Event.model_validate(
        {"name": "Push", "start": slice_at(first), "end": slice_at(last), "effect": effect, **given}
    )


def test_a_quiet_day_says_nothing_and_is_well() -> None:
    outcomes = run({"views": [1.0] * 20})
    assert said(outcomes) == []
    assert {outcome.status for outcome in outcomes} == {"well"}


def test_a_strong_drop_opens_in_its_slice_and_is_one_incident_to_its_end() -> None:
    outcomes = run({"likes": [1, 0.5, 0.5, 0.5, 1, 1, 1, 1]})
    assert said(outcomes) == [(1, "opened", "likes@total"), (6, "recovered", "likes@total")]
    [one] = incidents(outcomes).values()
    assert (one.opened, one.last, one.resolved) == (slice_at(1), slice_at(3), slice_at(4))
    assert (one.phase, one.direction, one.severity) == ("resolved", "down", "critical")
    assert one.lost == pytest.approx(1500)  # three slices of 1000 at half
    assert [moment.what for moment in one.timeline] == ["noticed", "opened", "resolved"]


def test_a_weak_deviation_waits_for_its_second_slice_of_three() -> None:
    outcomes = run({"likes": [1, 0.75, 1, 0.75, 1]})
    assert said(outcomes)[0] == (3, "opened", "likes@total")
    assert next(iter(incidents(outcomes).values())).opened == slice_at(1)


def test_a_weak_deviation_that_does_not_come_back_is_nothing() -> None:
    outcomes = run({"likes": [1, 0.75, 1, 1, 0.75, 1, 1, 1]})
    assert said(outcomes) == []
    assert incidents(outcomes) == {}
    assert outcomes[-1].state.incidents == ()


def test_weak_deviations_up_and_down_are_no_incident() -> None:
    assert said(run({"likes": [1, 0.75, 1.25, 1, 1, 1]})) == []


def test_a_value_that_flaps_stays_one_incident() -> None:
    outcomes = run({"likes": [1, 0.5, 1, 0.5, 1, 1, 0.5, 1, 1, 1, 1]})
    assert said(outcomes) == [(1, "opened", "likes@total"), (9, "recovered", "likes@total")]
    [one] = incidents(outcomes).values()
    assert one.resolved == slice_at(7)


def test_what_was_lost_counts_normal_slices_inside_and_not_those_after() -> None:
    outcomes = run({"likes": [0.5, 0.9, 0.5, 0.95, 0.95, 0.95]})
    [one] = incidents(outcomes).values()
    assert one.lost == pytest.approx(500 + 100 + 500)


def test_a_surge_after_a_drop_is_an_incident_of_its_own() -> None:
    outcomes = run({"likes": [0.5, 0.5, 1.6, 1, 1, 1]})
    found = incidents(outcomes)
    assert [(one.direction, one.resolved) for one in found.values()] == [
        ("down", slice_at(2)),
        ("up", slice_at(3)),
    ]


def test_good_news_is_told_once_without_reminder_or_recovery() -> None:
    outcomes = run({"likes": [1.0] + [2.0] * 40 + [1.0] * 4})
    assert said(outcomes) == [(1, "opened", "likes@total")]
    assert outcomes[1].intents[0].stories[0].severity == "info"


def test_half_of_a_total_gone_is_critical_a_quarter_is_not() -> None:
    for factor, severity in ((0.45, "critical"), (0.65, "warning")):
        [intent] = run({"views": [1, factor]})[1].intents
        assert intent.stories[0].severity == severity


def test_the_silence_of_one_os_is_critical() -> None:
    outcomes = run({"views/iOS": [1, 0.0], "views": [1, 0.64]})
    [intent] = outcomes[1].intents
    assert intent.stories[0].lead.place == "os:iOS"
    assert intent.stories[0].severity == "critical"


def test_everything_that_falls_together_is_one_message() -> None:
    outcomes = run({name: [1, 0, 0, 1, 1, 1] for name in EVERYTHING})
    assert [stage for _, stage, _ in said(outcomes)] == ["opened", "recovered"]
    story = outcomes[1].intents[0].stories[0]
    assert len(story.incidents) == 6
    assert story.group.driver == Driver(everywhere=True)


def test_one_segment_that_explains_the_total_is_named_with_its_normal_siblings() -> None:
    outcomes = run({"views/iOS": [1, 0.3], "views": [1, 0.7], "likes": [1, 0.7]})
    assert [stage for _, stage, _ in said(outcomes)] == ["opened"]
    driver = outcomes[1].intents[0].stories[0].group.driver
    assert driver is not None
    [(name, relative)] = driver.parts
    assert (driver.dimension, name, driver.others) == ("os", "iOS", ("Android",))
    assert relative == pytest.approx(-0.7)


def test_a_sibling_that_deviates_in_another_metric_is_no_other_as_expected() -> None:
    driver = Driver("city", (("A", -0.98),), ("B", "C", "D"))
    found = drivers.joined(driver, [("A", -0.5), ("C", -0.96), ("C", -0.4)])
    assert found.parts == (("A", -0.98), ("C", -0.96))
    assert found.others == ("B", "D")


def test_a_driver_keeps_its_name_while_everything_goes_back() -> None:
    outcomes = run(
        {
            "views/iOS": [1, 0.3, 0.3, 0.75, 1, 1, 1],
            "views/Android": [1, 1, 1, 0.75, 1, 1, 1],
            "views": [1, 0.7, 0.7, 0.75, 1, 1, 1],
        }
    )
    recovered = outcomes[-1].intents[0].stories[0]
    assert recovered.stage == "recovered"
    assert recovered.group.driver is not None
    assert [name for name, _ in recovered.group.driver.parts] == ["iOS"]


def city(name: str, expected: float, factor: float) -> Observation:
    value, width = expected * factor, 0.3 * expected
    verdict = (value, expected, expected - width, expected + width, 1.0, factor < 0.7)
    return Observation("views", "city", name, slice_at(0), *verdict)


def test_the_four_cities_of_an_outage_are_all_named() -> None:
    row = [
        *(city(name, size, 0.1) for name, size in (("A", 600), ("B", 230), ("C", 60), ("D", 50))),
        *(city(name, 500, 0.98) for name in "EFGH"),
        city("other", 2060, 1.0),
        seen(0, "views", 1 - 0.9 * 940 / 5000),
    ]
    found = drivers.find("views", "total", row)
    assert found is not None
    assert [name for name, _ in found.parts] == ["A", "B", "C", "D"]
    assert len(found.others) == 5


def test_a_total_that_no_segment_explains_has_no_driver() -> None:
    row = [city("A", 2500, 0.95), city("B", 2500, 0.6), seen(0, "views", 0.5)]
    assert drivers.find("views", "total", row) is None


def test_a_segment_is_no_driver_while_its_siblings_fall_too() -> None:
    row = [city("A", 2500, 0.75), city("B", 2500, 0.4), seen(0, "views", 1 - 2125 / 5000)]
    assert drivers.find("views", "total", row) is None


def test_a_ratios_driver_is_the_segment_outside_its_band() -> None:
    def part(name: str, value: float) -> Observation:
        return Observation("ctr", "os", name, slice_at(0), value, 0.2, 0.18, 0.22, 1, value < 0.18)

    row = [part("iOS", 0.1), part("Android", 0.199), seen(0, "ctr", 0.8)]
    assert drivers.find("ctr", "total", row) == Driver("os", (("iOS", -0.5),), ("Android",))


def test_two_troubles_hours_apart_in_two_services_are_two_messages() -> None:
    outcomes = run({"views": [0.7] * 12, "messages_sent": [1.0] * 6 + [0.6] * 6})
    assert said(outcomes) == [(0, "opened", "views@total"), (6, "opened", "messages_sent@total")]


def test_a_story_that_clearly_worsens_is_told_again_and_else_not() -> None:
    outcomes = run({"views": [0.7, 0.68, 0.66, 0.35, 0.34]})
    assert said(outcomes) == [(0, "opened", "views@total"), (3, "worse", "views@total")]
    assert outcomes[3].intents[0].stories[0].severity == "critical"


def test_a_wider_trouble_is_not_hidden_by_a_small_one_that_was_told() -> None:
    outcomes = run({"views/iOS": [0.6] * 8, "views": [1, 1, 1, 1, 0.3, 0.3, 0.3, 0.3]})
    assert said(outcomes)[:2] == [(0, "opened", "views@os:iOS"), (4, "worse", "views@total")]


def test_reminders_come_after_four_hours_and_then_less_and_less_often() -> None:
    outcomes = run({"views": [0.7] * 400})
    numbers = [number for number, stage, _ in said(outcomes) if stage == "reminder"]
    assert numbers == [16, 48, 112, 208, 304]  # after 4, 8, 16, 24, 24 hours


def test_quiet_hours_hold_back_what_is_not_critical_until_the_morning() -> None:
    outcomes = run({"views": [1, 0.7, 0.7, 1, 1, 1, 1, 1]}, rules=NIGHT)
    assert said(outcomes) == [(3, "opened", "views@total"), (5, "recovered", "views@total")]


def test_what_began_and_ended_in_the_night_is_told_in_the_morning_as_over() -> None:
    start = slices({"views": [0.7, 1, 1, 1, 1]}, first=-10)
    outcomes = list(
        live([*start, *slices({"views": [1.0] * 10}, first=-5)], first=-10, rules=NIGHT)
    )
    assert [(number - 10, stage) for number, stage, _ in said(outcomes)] == [(3, "passed")]


def test_several_things_of_the_night_are_one_summary() -> None:
    script = {"views": [0.7, 1, 1, 1, 1, 1, 1, 1], "messages_sent": [1, 1, 1, 1, 0.6, 0.6, 0.6, 1]}
    outcomes = list(live(slices(script, first=-4), first=-4, rules=NIGHT))
    assert said(outcomes) == [(7, "summary", "views@total messages_sent@total")]


def test_what_is_critical_passes_in_the_night() -> None:
    assert said(run({"views": [1, 0.1]}, rules=NIGHT)) == [(1, "opened", "views@total")]


def test_no_more_than_the_set_number_of_messages_an_hour_the_rest_is_summarised() -> None:
    # Eight cities, each with a trouble of its own at its own time.
    names = [f"c{number}" for number in range(8)]
    rows = [
        tuple(
            city(name, 50, 0.1 if number >= 6 * index else 1)._replace(
                slice=slice_at(number), score=3
            )
            for index, name in enumerate(names)
        )
        for number in range(60)
    ]
    outcomes = list(live(rows, rules=Rules(messages_per_hour=2, repeat=STEP * 2)))
    times = [number for number, outcome in enumerate(outcomes) for _ in outcome.intents]
    for number in range(60):
        assert sum(number <= moment < number + 4 for moment in times) <= 2
    told = {
        story.lead.segment
        for outcome in outcomes
        for intent in outcome.intents
        for story in intent.stories
    }
    assert told == set(names)
    assert any(len(intent.stories) > 1 for outcome in outcomes for intent in outcome.intents)


def mute(metric: str, until: int, segment: str = "") -> Mute:
    return Mute(1, metric, segment, slice_at(until), "known", datetime(2023, 2, 1, tzinfo=UTC))


def test_a_reminder_does_not_keep_news_waiting() -> None:
    now = slice_at(0)
    due = [Due(f"{number}", "reminder", "warning") for number in range(5)]
    batches = stories.allowed([*due, Due("9", "opened", "warning")], (), now, Rules())
    assert [len(batch) for batch in batches] == [1, 1, 4]
    assert batches[0][0].stage == "opened"


def test_one_message_an_hour_is_kept_for_what_is_critical() -> None:
    now = slice_at(0)
    due = [Due("a", "opened", "warning"), Due("b", "opened", "critical")]
    told = [now - STEP] * 3
    assert stories.allowed(due, told, now, Rules()) == [(due[1],)]
    assert stories.allowed(due, [now - STEP] * 4, now, Rules()) == []


def test_a_mute_silences_and_when_it_ends_what_still_goes_on_is_told() -> None:
    outcomes = run({"views": [1] + [0.7] * 8}, mutes=[mute("views", 5)])
    assert said(outcomes) == [(4, "opened", "views@total")]
    assert outcomes[1].status == "incident"


def test_what_ends_while_it_is_muted_is_never_told() -> None:
    script = {"views": [1, 0.7, 1, 1, 1, 1, 1, 1, 1]}
    assert said(run(script, mutes=[mute("views", 7)])) == []
    assert said(run(script, mutes=[mute("all", 7)])) == []


def test_a_mute_of_a_segment_leaves_the_total_alone() -> None:
    script = {"views": [1, 0.7], "views/iOS": [1, 0.3]}
    outcomes = run(script, mutes=[mute("views", 9, "os:iOS")])
    assert said(outcomes) == [(1, "opened", "views@total")]
    assert len(outcomes[1].intents[0].stories[0].incidents) == 1


def test_a_planned_event_silences_its_metrics_only() -> None:
    script = {"views": [1, 0.7, 1], "messages_sent": [1, 0.6, 1]}
    outcomes = run(script, events=[planned("silence", 0, 3, metrics=["views"])])
    assert said(outcomes) == [(1, "opened", "messages_sent@total")]


def test_a_planned_event_that_widens_needs_a_larger_deviation() -> None:
    event = planned("widen", 0, 5)
    assert said(run({"views": [1, 0.65, 0.65, 0.65]}, events=[event])) == []
    outcomes = run({"views": [1, 0.1]}, events=[event])
    assert outcomes[1].changed[0].peak is not None
    assert outcomes[1].changed[0].peak.score == pytest.approx(0.9 / 0.2 / 2)


def test_a_marked_event_is_only_named() -> None:
    outcomes = run({"views": [1, 0.65]}, events=[planned("mark", 1, 5)])
    assert outcomes[1].intents[0].stories[0].lead.events == ("Push",)


def test_late_data_are_missing_at_once_and_an_alarm_after_the_limit() -> None:
    state = run({"views": [1.0, 1.0]})[-1].state
    outcomes = []
    for number in range(2, 5):
        outcomes.append(alarms.advance(state, no_data(number, 2)))
        state = outcomes[-1].state
    assert [outcome.status for outcome in outcomes] == ["missing", "incident", "incident"]
    assert said(outcomes) == [(1, "opened", "no_data@total")]
    assert outcomes[1].intents[0].stories[0].severity == "critical"


def test_data_that_were_only_late_are_told_to_be_back() -> None:
    state = alarms.advance(run({"views": [1.0, 1.0]})[-1].state, no_data(5, 2)).state
    rows = slices({"views": [1.0] * 5}, first=2)
    check = Check(slice_at(7.5), slice_at(6), tuple(one for row in rows for one in row))
    outcome = alarms.advance(state, check)
    assert said([outcome]) == [(0, "recovered", "no_data@total")]
    assert outcome.status == "well"


def test_a_silence_that_was_an_outage_is_one_story_from_missing_to_recovered() -> None:
    state = alarms.advance(run({"views": [1.0, 1.0]})[-1].state, no_data(5, 2)).state
    script = {name: [0, 0, 0, 0, 1.0] for name in EVERYTHING}
    back = tuple(one for row in slices(script, first=2) for one in row)
    first = alarms.advance(state, Check(slice_at(7.4), slice_at(6), back))
    assert first.intents == ()
    rest = list(live(slices({"views": [1.0] * 3}, first=7), state=first.state, first=7))
    assert [stage for _, stage, _ in said(rest)] == ["recovered"]
    story = rest[1].intents[0].stories[0]
    assert story.lead.metric == "no_data"
    assert {one.metric: one.lost for one in story.incidents if one.is_total} == pytest.approx(
        {"no_data": 0, "views": 20_000, "likes": 4000, "feed_users": 1600, "messages_sent": 2400}
    )


def test_a_slice_an_hour_late_is_judged_when_it_comes() -> None:
    late, other = slices({"views": [0.3]}), slices({"messages_sent": [1.0] * 5})
    messages = [tuple(one for one in row if one.metric == "messages_sent") for row in other]
    *_, last = live(messages)
    fixed = list(slices({"views": [0.3, 1, 1, 1, 1]}))
    check = Check(slice_at(5.4), slice_at(4), tuple(one for row in fixed for one in row))
    state = replace(last.state, cursors={**last.state.cursors, "views": slice_at(-1)})
    outcome = alarms.advance(state, check)
    assert late[0][0].slice == slice_at(0)
    assert [one.opened for one in outcome.changed] == [slice_at(0)]


def test_the_same_check_again_changes_nothing_and_says_the_same() -> None:
    outcomes = run({"views": [1, 0.3]})
    row = slices({"views": [1, 0.3]})[1]
    again = alarms.advance(outcomes[1].state, Check(slice_at(2.5), slice_at(1), row))
    assert not again.fresh
    assert again.state == outcomes[1].state
    assert again.status == "incident"
    assert again.intents == outcomes[1].intents


def test_a_check_of_the_past_changes_nothing_and_says_nothing() -> None:
    state = run({"views": [1, 1, 1, 0.3]})[-1].state
    outcome = alarms.advance(
        state, Check(slice_at(2.4), slice_at(1), slices({"views": [1, 0.1]})[1])
    )
    assert (outcome.state, outcome.intents, outcome.status) == (state, (), "past")


def test_before_the_first_check_history_is_not_judged() -> None:
    rows = slices({"views": [0.1, 0.1, 0.1, 1.0]})
    check = Check(slice_at(4.3), slice_at(3), tuple(one for row in rows for one in row))
    outcome = alarms.advance(State(), check)
    assert (outcome.changed, outcome.intents) == ((), ())


def test_what_cannot_be_judged_is_never_well() -> None:
    row = [one._replace(expected=math.nan, anomalous=False) for one in slices({"views": [1]})[0]]
    outcome = alarms.advance(State(), Check(slice_at(1.3), slice_at(0), tuple(row)))
    assert (outcome.status, outcome.judged) == ("learning", 0)


def test_a_slice_without_a_value_neither_opens_nor_ends_an_incident() -> None:
    outcomes = run({"likes": [0.4, -1, -1, -1, -1, 0.4, 1, 1, 1]})
    assert said(outcomes) == [(0, "opened", "likes@total"), (8, "recovered", "likes@total")]


def test_a_pause_is_caught_up_in_order_with_one_message_a_story() -> None:
    rows = slices({"views": [1, 0.7, 0.7, 1, 1, 1, 1], "messages_sent": [1] * 6 + [0.3]})
    first = alarms.advance(State(), Check(slice_at(1.3), slice_at(0), rows[0]))
    check = Check(slice_at(7.3), slice_at(6), tuple(one for row in rows for one in row))
    outcome = alarms.advance(first.state, check)
    assert sorted(said([outcome])) == [
        (0, "opened", "messages_sent@total"),
        (0, "passed", "views@total"),
    ]


def test_a_long_pause_full_of_trouble_is_one_summary() -> None:
    names = ("views", "views/iOS", "views/Android", "likes", "feed_users", "ctr", "messages_sent")
    script = {name: [1.0] * (8 * k + 1) + [0.4] * 2 for k, name in enumerate(names)}
    rows = slices({**script, "views": [*script["views"], *[1.0] * 61]})
    first = alarms.advance(State(), Check(slice_at(1.3), slice_at(0), rows[0]))
    check = Check(slice_at(65), slice_at(63), tuple(one for row in rows for one in row))
    [intent] = alarms.advance(first.state, check).intents
    assert len(intent.stories) == len(names)


BREAK = [1.0] * 8


def test_what_comes_back_soon_is_the_same_story_told_again() -> None:
    outcomes = run({"views": [1, 0.3, 0.3, *BREAK, 0.3, 0.3, *BREAK]})
    assert [what for _, what, _ in said(outcomes)] == ["opened", "recovered", "again", "recovered"]
    assert {one.group for one in incidents(outcomes).values()} == {outcomes[1].groups[0].key}
    assert len(incidents(outcomes)) == 2
    late = run({"views": [1, 0.3, 0.3, *BREAK * 7, 0.3, 0.3, *BREAK]})
    assert [what for _, what, _ in said(late)] == ["opened", "recovered", "opened", "recovered"]
    [left] = late[-1].state.groups
    assert left.opened > slice_at(50)


def test_a_story_does_not_go_on_for_ever_and_silence_each_night_is_its_own() -> None:
    flapping = run({"views": [1, *([0.3, 0.3, *BREAK] * 30)]})
    groups = {one.group for one in incidents(flapping).values()}
    assert len(incidents(flapping)) == 30
    assert len(groups) == 2  # 300 slices are three days
    state, outcomes = State(), []
    for number, row in enumerate(slices({"views": [1.0] * 48})):
        is_silent = number % 12 >= 8
        at = slice_at(number + 1.3)
        check = Check(at, slice_at(number), row)
        since = number - number % 12 + 8
        outcomes.append(alarms.advance(state, no_data(number, since) if is_silent else check))
        state = outcomes[-1].state
    assert len({one.group for one in incidents(outcomes).values()}) == 4


def test_good_news_after_bad_is_no_news_but_bad_after_good_is() -> None:
    back = run({"views": [1, 0.3, 0.3, *BREAK, 2.0, 2.0, *BREAK]})
    assert [what for _, what, _ in said(back)] == ["opened", "recovered"]
    twice = run({"views": [1, 2.0, 2.0, *BREAK, 2.0, 2.0, *BREAK]})
    assert [what for _, what, _ in said(twice)] == ["opened"]
    worse = run({"views": [1, 2.0, 2.0, *BREAK, 0.3, 0.3, *BREAK]})
    assert [what for _, what, _ in said(worse)] == ["opened", "opened", "recovered"]
    other = run({"views": [1, 0.3, 0.3, *BREAK], "messages_sent": [1.0] * 10 + [2.5]})
    assert [what for _, what, _ in said(other)] == ["opened", "recovered", "opened"]


def test_a_young_history_is_believed_only_when_a_total_is_as_good_as_gone() -> None:
    first = slice_at(-96)
    for script, expected in (({"views": 0.6}, []), ({"views": 0.02}, ["views@total"])):
        [row] = slices({name: [factor] for name, factor in script.items()})
        check = Check(slice_at(1.3), slice_at(0), row, first=first)
        outcome = alarms.advance(State(), check)
        assert [name for _, _, name in said([outcome])] == expected
        assert outcome.status == ("incident" if expected else "learning")
    old = check._replace(first=first - 14 * 96 * STEP, observations=slices({"views": [0.6]})[0])
    assert said([alarms.advance(State(), old)]) == [(0, "opened", "views@total")]


def remembered(number: int, factor: float) -> Observation:
    """Return a slice that a detector alarms for because of slices before it."""
    return seen(number, "likes", factor)._replace(score=1.6, anomalous=True)


def test_the_detectors_memory_of_a_spike_is_no_incident() -> None:
    rows = [(seen(0, "likes", 3.0),), *((remembered(n, 0.99),) for n in range(1, 9))]
    outcomes = list(live(rows))
    assert said(outcomes) == [(0, "opened", "likes@total")]
    [one] = incidents(outcomes).values()
    assert (one.severity, one.last, one.resolved) == ("info", slice_at(0), slice_at(1))


def test_a_leak_inside_the_band_opens_once_several_slices_are_off() -> None:
    rows = [(remembered(n, 0.88),) for n in range(3)]
    assert said(list(live(rows))) == [(1, "opened", "likes@total")]


def test_a_slice_that_is_as_bad_as_the_incident_does_not_end_it_though_it_may_be_chance() -> None:
    def night(number: int) -> tuple[Observation]:
        verdict = (1.0, 5.0, 0.0, 14.0)
        series = ("likes", "total", "total")
        return (Observation(*series, slice_at(number), *verdict, score=0.4, anomalous=False),)

    rows = [(seen(0, "likes", 0.2),), *(night(n) for n in range(1, 6))]
    assert said(list(live(rows))) == [(0, "opened", "likes@total")]
    rows += [(seen(n, "likes", 1.0),) for n in range(6, 9)]
    assert said(list(live(rows)))[1:] == [(8, "recovered", "likes@total")]


FACTOR = st.sampled_from([1.0, 1.0, 1.0, 0.75, 0.6, 0.3, 0.0, 1.3, 2.0, -1.0])


ORDINARY = [1.0] * 14


def off(**factors: float) -> list[float]:
    """Return fourteen slices, ``s7=0.6`` for one that is not as expected."""
    return [factors.get(f"s{number}", 1.0) for number in range(14)]


@example(
    # Two stories are open, begun in another order than that of their names.
    {
        "views": off(s7=0.6),
        "views/iOS": off(s4=0.75, s6=0.75),
        "likes": off(s6=1.4),
        "messages_sent": ORDINARY,
    },
    [],
    Rules(),
)
@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            name: st.lists(FACTOR, min_size=14, max_size=14)
            for name in ("views", "views/iOS", "likes", "messages_sent")
        }
    ),
    st.lists(st.integers(1, 13), max_size=4),
    st.sampled_from([Rules(), NIGHT]),
)
def test_checks_after_pauses_end_in_the_state_of_checks_in_time(
    script: dict[str, list[float]], stops: list[int], rules: Rules
) -> None:
    rows = slices(script)
    *_, in_time = live(rows, rules=rules)
    state = alarms.advance(State(), Check(slice_at(1.3), slice_at(0), rows[0]), rules).state
    for number in sorted({*stops, 13}):
        everything = tuple(one for row in rows for one in row)
        check = Check(slice_at(number + 1.3), slice_at(number), everything)
        state = alarms.advance(state, check, rules).state

    def core(found: State) -> tuple[object, ...]:
        groups = {one.key: one for one in found.groups if not one.closed}
        kept = {one for one in found.incidents if one.phase != "resolved" or one.group in groups}
        return found.cursors, found.told, groups, kept

    # A metric whose first value comes late is followed from there, whoever checks.
    if all(row[0] >= 0 for row in script.values()):
        assert core(state) == core(in_time.state)


def test_a_night_with_five_users_wakes_nobody() -> None:
    def user(number: int, value: float) -> Observation:
        return Observation(
            "feed_users",
            "total",
            "total",
            slice_at(number),
            value,
            5.0,
            0.0,
            14.0,
            score=0.4,
            anomalous=False,
        )

    rows = [(user(number, value),) for number, value in enumerate([5, 2, 0, 1, 7, 0, 0, 3])]
    assert said(list(live(rows, rules=NIGHT))) == []


def test_quiet_hours_follow_the_local_clock_through_daylight_saving() -> None:
    rules = Rules(quiet=(time(23), time(8)), zone=ZoneInfo("Europe/Berlin"))
    before, after = (
        datetime(2023, 3, 25, 6, 30, tzinfo=UTC),
        datetime(2023, 3, 26, 6, 30, tzinfo=UTC),
    )
    assert (stories.is_quiet(before, rules), stories.is_quiet(after, rules)) == (
        True,
        False,
    )  # 07:30, 08:30
    assert not stories.is_quiet(
        before, Rules(quiet=(time(9), time(17)), zone=ZoneInfo("Europe/Berlin"))
    )


def test_missing_data_of_one_service_leave_the_other_judged() -> None:
    row = tuple(one for one in slices({"views": [0.3]})[0] if one.metric != "messages_sent")
    check = Check(slice_at(1) + STEP * 3, slice_at(0), row, (Missing("messages", slice_at(0)),))
    outcome = alarms.advance(State(), check)
    assert {one.metric for one in outcome.changed} == {"views", "no_data"}
    assert outcome.state.cursor("messages_sent") is None
