"""A check: new verdicts in, the new state of all incidents and what is to be said out.

Slices are stepped through one by one, whatever the check was given, and the moment of a step is
the end of its slice. So one check after a pause ends in the state of many checks in time; only
its messages are fewer, because what is over needs one message and not two.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from nbtools import drivers, stories
from nbtools.annotations import Event
from nbtools.checks import APP, Check, Intent, Missing, Outcome, Said, State, Status
from nbtools.drivers import Driver
from nbtools.incidents import (
    NO_DATA,
    TOTAL,
    Incident,
    Moment,
    Observation,
    Rules,
    follow,
    severity,
    share_moved,
)
from nbtools.stories import Due, Group, Mute, Stage, Story

SUMMARY = "summary"


def advance(
    state: State,
    check: Check,
    rules: Rules | None = None,
    *,
    events: Sequence[Event] = (),
    mutes: Sequence[Mute] = (),
) -> Outcome:
    """Return what a check comes to.

    Parameters
    ----------
    state : State
        From the check before.
    check : Check
        What it has found.
    rules : Rules, optional
        The defaults otherwise.
    events : sequence of Event
        Planned events.
    mutes : sequence of Mute
        Silences, ended ones may be among them.
    """
    rules = rules or Rules()
    believed = tuple(_believed(one, check, rules) for one in check.observations)
    missing = tuple(
        one._replace(is_usual=one.is_usual and not _is_young(one.since, check, rules))
        for one in check.missing
    )
    check = check._replace(observations=believed, missing=missing)
    judged = sum(one.is_judged for one in believed if one.slice == check.slice)
    if state.checked is not None and check.slice < state.checked:
        return Outcome(state, (), "past", fresh=False, judged=judged)
    course = _Course(state, rules, events, mutes)
    fresh = sorted(
        _fresh(state, check), key=lambda one: (one.slice, one.dimension != TOTAL, *one.series)
    )
    for moment, seen in groupby(fresh, key=lambda one: one.slice):
        course.step(moment, list(seen))
    course.miss(check)
    if check.slice == state.checked and not course.is_changed:
        intents = _intents(state.said, state.groups, state.incidents, mutes)
        status = _status(state, check, judged)
        return Outcome(state, intents, status, fresh=False, judged=judged)
    return course.outcome(state, check, judged)


def _is_young(moment: datetime, check: Check, rules: Rules) -> bool:
    """Return whether the history up to a moment is too short to tell what is usual."""
    return check.first is not None and moment < check.first + rules.learning


def _believed(one: Observation, check: Check, rules: Rules) -> Observation:
    """Return a verdict, without its expectation where the history is too young for it."""
    if not _is_young(one.slice, check, rules) or not one.is_judged:
        return one
    is_sure = one.dimension == TOTAL and one.is_outside
    if is_sure and severity(one, share_moved(one, {}), rules) == "critical":
        return one
    return one._replace(expected=math.nan, anomalous=False)


def _fresh(state: State, check: Check) -> Iterable[Observation]:
    """Yield what no check has judged; before the first check, only the newest slice."""
    for one in check.observations:
        cursor = state.cursor(one.metric)
        is_new = one.slice == check.slice if cursor is None else cursor < one.slice <= check.slice
        if is_new and not math.isnan(one.value):
            yield one


def _status(state: State, check: Check, judged: int) -> Status:
    if any(one.phase == "open" for one in state.incidents):
        return "incident"
    if not all(one.is_usual for one in check.missing):
        return "missing"
    return "well" if judged or check.missing else "learning"


class _Course:
    """The state while a check goes through its slices."""

    def __init__(
        self, state: State, rules: Rules, events: Sequence[Event], mutes: Sequence[Mute]
    ) -> None:
        self.rules, self.events, self.mutes = rules, events, mutes
        self.cursors = dict(state.cursors)
        self.told = list(state.told)
        self.incidents = {one.key: one for one in state.incidents}
        self.groups = {one.key: one for one in state.groups}
        self.changed: dict[str, Incident] = {}
        self.said: list[tuple[datetime, tuple[Due, ...]]] = []
        self.is_changed = False

    def step(self, moment: datetime, seen: Sequence[Observation]) -> None:
        """Go through one slice of some series."""
        self.is_changed = True
        totals = {one.metric: one.expected for one in seen if one.dimension == TOTAL}
        going = {
            (one.metric, one.place): one
            for one in self.incidents.values()
            if one.phase != "resolved" and one.metric != NO_DATA
        }
        for one in seen:
            self.cursors[one.metric] = moment
            effects = [event for event in self.events if event.covers(one.metric, moment)]
            judged = _planned(one, effects)
            if judged is None:
                continue
            before = going.get(one.series)
            ended, after = follow(before, judged, self.rules, totals)
            if before is not None and before.phase == "pending" and after is not before:
                self.incidents.pop(before.key)
            for incident in filter(None, (ended, after)):
                self._keep(incident, before, effects)
        self._drive(moment, seen)
        self._tell(moment + self.rules.step)

    def _keep(self, incident: Incident, before: Incident | None, effects: Sequence[Event]) -> None:
        names = dict.fromkeys((*incident.events, *(event.name for event in effects)))
        incident = replace(incident, events=tuple(names))
        if incident == before:
            return
        if incident.phase == "open" and not incident.group:
            incident = replace(incident, group=self._group_of(incident))
        self.incidents[incident.key] = self.changed[incident.key] = incident

    def _group_of(self, incident: Incident) -> str:
        known = [
            (group.key, self._members(group.key))
            for group in sorted(self.groups.values(), key=lambda one: one.key)
            if not group.closed
        ]
        for key, members in known:
            if stories.belongs(incident, members, self.rules.step):
                return key
        for key, members in known:
            if stories.comes_back(incident, members, self.rules):
                return key
        begun = Group(stories.key(incident), incident.opened)
        self.groups[begun.key] = begun
        return begun.key

    def _members(self, key: str) -> list[Incident]:
        return [one for one in self.incidents.values() if one.group == key]

    def _drive(self, moment: datetime, seen: Sequence[Observation]) -> None:
        """Look for the driver of every story that has an anomalous slice now."""
        for group in self.groups.values():
            current = [
                one
                for one in self._members(group.key)
                if one.phase == "open" and one.last == moment and one.latest is not None
            ]
            for one in stories.in_order(current):
                driver = drivers.find(one.metric, one.place, seen)
                if driver is None:
                    continue
                # That the rest moves alike, as it does while all goes back, names nobody.
                if group.driver is None or not driver.everywhere:
                    found = drivers.joined(driver, _siblings(driver, current))
                    self.groups[group.key] = replace(group, driver=found)
                break

    def miss(self, check: Check) -> None:
        """Open and end the incidents of data that do not arrive."""
        services = {one.service for one in check.missing}
        for one in check.missing:
            there = self._no_data(one.service)
            is_late = check.at - one.since >= self.rules.no_data_after
            if is_late and (there or not one.is_usual):
                self._open_missing(one, there, check)
        for incident in list(self.incidents.values()):
            if incident.metric != NO_DATA or incident.phase != "open":
                continue
            if incident.segment not in services:
                timeline = (*incident.timeline, Moment(check.at, "resolved"))
                ended = replace(incident, phase="resolved", resolved=check.at, timeline=timeline)
                self._keep(ended, incident, ())
                self.is_changed = True
        if self.is_changed and (
            check.missing or NO_DATA in {i.metric for i in self.changed.values()}
        ):
            self._tell(check.at)

    def _no_data(self, service: str) -> Incident | None:
        """Return the open incident of a service's data, if there is one."""
        for one in self.incidents.values():
            if one.metric == NO_DATA and one.segment == service and one.phase == "open":
                return one
        return None

    def _open_missing(self, missing: Missing, before: Incident | None, check: Check) -> None:
        begun = Incident(
            metric=NO_DATA,
            dimension=TOTAL if missing.service == APP else "service",
            segment=missing.service,
            opened=missing.since,
            last=missing.since,
            phase="open",
            direction="down",
            severity="critical",
            impact=1.0,
            timeline=(Moment(missing.since, "noticed"), Moment(check.at, "opened")),
        )
        after = replace(before or begun, last=max(check.slice, missing.since))
        self._keep(after, before, ())
        self.is_changed = self.is_changed or after != before

    def _is_muted(self, incident: Incident, now: datetime) -> bool:
        return any(mute.covers(incident, now) for mute in self.mutes)

    def _tell(self, now: datetime) -> None:
        """Decide what is said at a moment, and remember it."""
        due = []
        for group in list(self.groups.values()):
            if group.closed:
                continue
            members = self._members(group.key)
            audible = [one for one in members if not self._is_muted(one, now)]
            stage = stories.stage(group, members, audible, now, self.rules)
            if stage is not None:
                worst = group.told_severity if stage == "recovered" else stories.worst_of(audible)
                due.append(Due(group.key, stage, worst))
            elif self._is_settled(group, members, now):
                self.groups[group.key] = replace(group, closed=True)
        for batch in stories.allowed(due, self.told, now, self.rules):
            self.told.append(now)
            self.said.append((now, batch))
            for one in batch:
                self._mark(one, now)
        self.told = [moment for moment in self.told if moment > now - stories.HOUR]

    def _is_settled(self, group: Group, members: Sequence[Incident], now: datetime) -> bool:
        ends = [one.resolved for one in members if one.resolved is not None]
        if len(ends) < len(members):
            return False
        # What nobody was told of has nothing to come back to.
        return group.told_at is None or now - max(ends) >= self.rules.settle

    def _mark(self, due: Due, now: datetime) -> None:
        group = self.groups[due.group]
        audible = [one for one in self._members(group.key) if not self._is_muted(one, now)]
        impact = max((one.impact for one in audible if one.phase == "open"), default=0.0)
        self.groups[group.key] = replace(
            group,
            told_at=now,
            told_severity=due.severity,
            told_impact=max(impact, group.told_impact),
            messages=group.messages + 1,
            reminders=group.reminders + int(due.stage == "reminder"),
            lead=self._lead(group, audible, due.stage),
            timeline=(*group.timeline, Moment(now, due.stage)),
        )

    @staticmethod
    def _lead(group: Group, audible: Sequence[Incident], stage: Stage) -> str:
        """Return which incident the message names; a story keeps its name unless it worsens."""
        known = {one.key for one in audible if one.phase == "open" or stage == "recovered"}
        if stage in {"reminder", "recovered"} and group.lead in known:
            return group.lead
        if stage == "again":  # not by the worst of what was over
            audible = [one for one in audible if one.phase == "open"]
        return stories.in_order(audible)[0].key

    def outcome(self, before: State, check: Check, judged: int) -> Outcome:
        """Return what the check comes to."""
        said = tuple(self._collapse())
        spoken = {key for one in said for key, _ in one.stories}
        groups = [one for one in self.groups.values() if not one.closed or one.key in spoken]
        kept = {one.key for one in groups}
        incidents = [
            one for one in self.incidents.values() if one.phase != "resolved" or one.group in kept
        ]
        state = State(
            version=before.version + 1,
            checked=check.slice,
            cursors=self.cursors,
            told=tuple(self.told),
            said=said,
            incidents=tuple(sorted(incidents, key=lambda one: one.key)),
            groups=tuple(sorted(groups, key=lambda one: one.key)),
        )
        there = {one.key: one for one in before.groups}
        told = tuple(one for one in self.groups.values() if one != there.get(one.key))
        changed = [one for one in self.changed.values() if one.phase != "pending"]
        intents = _intents(said, state.groups, state.incidents, self.mutes)
        status = _status(state, check, judged)
        return Outcome(
            state,
            intents,
            status,
            fresh=True,
            judged=judged,
            changed=tuple(sorted(changed, key=lambda one: one.key)),
            groups=told,
        )

    def _collapse(self) -> Iterable[Said]:
        """Yield the messages: as decided, or one a story when the check made up for others."""
        moments = {moment for moment, _ in self.said}
        if len(moments) <= 1:
            yield from (self._said(moment, batch) for moment, batch in self.said)
            return
        last: dict[str, tuple[datetime, Due]] = {}
        for moment, batch in self.said:
            for due in batch:
                stage = self._final(last.get(due.group), due)
                last[due.group] = moment, due._replace(stage=stage)
        latest = max(moments)
        found = [due._replace(stage=self._ended(due)) for _, due in last.values()]
        if len(found) > self.rules.messages_per_hour:
            yield self._said(latest, tuple(found))
            return
        yield from (self._said(latest, (due,)) for due in found)

    @staticmethod
    def _final(earlier: tuple[datetime, Due] | None, due: Due) -> Stage:
        is_first = earlier is not None and earlier[1].stage in {"opened", "again", "passed"}
        if not is_first:
            return due.stage
        return "passed" if due.stage == "recovered" else "opened"

    def _ended(self, due: Due) -> Stage:
        is_over = all(one.phase == "resolved" for one in self._members(due.group))
        return "passed" if is_over and due.stage == "opened" else due.stage

    def _said(self, moment: datetime, batch: Sequence[Due]) -> Said:
        told = tuple((due.group, due.stage) for due in batch)
        if len(batch) > 1:
            return Said(f"{SUMMARY}-{moment.astimezone(UTC):%Y-%m-%dT%H%MZ}", moment, told)
        [due] = batch
        return Said(f"{due.group}-{due.stage}-{self.groups[due.group].messages}", moment, told)


def _siblings(driver: Driver, current: Sequence[Incident]) -> Iterable[tuple[str, float]]:
    """Yield the segments of a driver's dimension that deviate now, in whatever metric."""
    for one in stories.in_order(current):
        relative = one.latest.relative if one.latest else None
        if one.dimension == driver.dimension and relative is not None:
            yield one.segment, relative


def _planned(one: Observation, effects: Iterable[Event]) -> Observation | None:
    """Return a verdict in the light of planned events; None when they silence it."""
    for event in effects:
        if event.effect == "silence":
            return None
        if event.effect == "widen":
            score = one.score / event.factor
            one = one._replace(
                lower=one.expected + (one.lower - one.expected) * event.factor,
                upper=one.expected + (one.upper - one.expected) * event.factor,
                score=score,
                anomalous=one.anomalous and abs(score) >= 1,
            )
    return one


def _intents(
    said: Iterable[Said],
    groups: Iterable[Group],
    incidents: Iterable[Incident],
    mutes: Sequence[Mute],
) -> tuple[Intent, ...]:
    by_key = {group.key: group for group in groups}
    members: dict[str, list[Incident]] = {}
    for one in incidents:
        members.setdefault(one.group, []).append(one)

    def story(key: str, stage: Stage, at: datetime) -> Story:
        audible = [one for one in members[key] if not any(mute.covers(one, at) for mute in mutes)]
        group = by_key[key]
        return Story(group, stories.in_order(audible or members[key], group.lead), stage)

    return tuple(
        Intent(one.part, one.at, tuple(story(key, stage, one.at) for key, stage in one.stories))
        for one in said
    )
