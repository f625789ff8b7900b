"""A detector's record: what a period would have sent, and what planted incidents it finds.

A replay steps through the slices of a history as a check every quarter of an hour would have
done, with the state kept. Planted incidents are put into copies of the real series: counts are
thinned or multiplied as a real drop or spike would do it, so that their noise stays real.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbtools import alarms, alerts
from nbtools.alerts import STEP, Verdicts
from nbtools.annotations import Event
from nbtools.checks import APP, LEARNED, Check, Intent, Missing, Outcome, State
from nbtools.incidents import TOTAL, Incident, Rules
from nbtools.slices import History, Key
from nbtools.stories import Group, Story, in_order

_WITHIN = (1, 2, 4)
_LENGTH = 16  # slices of a planted incident
_LEAK = 96
_APART = 3 * 96  # the memory of one must not touch the next
_MONTH = 30 * 96
_SMALLEST = 20.0  # counts a slice below which half of nothing cannot be seen


class Period(NamedTuple):
    """What is replayed.

    Attributes
    ----------
    first, last : datetime
        Start of the first slice and end of the last.
    born : datetime or None
        First slice of the app, if it may be young.
    """

    first: datetime
    last: datetime
    born: datetime | None = None


class Replay(NamedTuple):
    """What a period would have sent.

    Attributes
    ----------
    intents : list of Intent
        Messages in their order.
    stories : list of Story
        What happened, in the order of beginning, each with its incidents as they ended.
    state : State
        After the last slice.
    """

    intents: list[Intent]
    stories: list[Story]
    state: State

    @property
    def groups(self) -> list[Group]:
        """The stories' groups."""
        return [story.group for story in self.stories]

    @property
    def incidents(self) -> list[Incident]:
        """All incidents."""
        return [incident for story in self.stories for incident in story.incidents]


class Planted(NamedTuple):
    """A kind of incident to plant.

    Attributes
    ----------
    name : str
        For people.
    metrics : tuple of str
        Where it is planted.
    factor : float
        What values are multiplied by at its end.
    is_leak : bool
        Whether it grows slowly to that.
    """

    name: str
    metrics: tuple[str, ...]
    factor: float
    is_leak: bool = False


COUNTED = ("feed_users", "views", "likes", "messages_sent")
KINDS = (
    Planted("outage", COUNTED, 0.0),
    Planted("drop of 50 %", COUNTED, 0.5),
    Planted("drop of 25 %", COUNTED, 0.75),
    Planted("drop of 15 %", COUNTED, 0.85),
    Planted("spike of 50 %", COUNTED, 1.5),
    Planted("leak to 40 % less in a day", COUNTED, 0.6, is_leak=True),
    Planted("CTR down by 30 %", ("ctr",), 0.7),
)


def replay(
    verdicts: Verdicts,
    period: Period,
    *,
    rules: Rules,
    events: Sequence[Event] = (),
    explain: Callable[[Outcome], Outcome] = lambda outcome: outcome,
) -> Replay:
    """Step through a history, one check a slice.

    Parameters
    ----------
    verdicts : Verdicts
        Of the whole history up to the end of the period.
    period : Period
        Which slices.
    rules : Rules
        How incidents are told.
    events : sequence of Event
        Planned events.
    explain : callable
        Adds to an outcome what only the events know, such as cities.

    Returns
    -------
    Replay
        Nothing is recorded or sent.
    """
    state = State()
    intents: list[Intent] = []
    incidents: dict[str, Incident] = {}
    groups: dict[str, Group] = {}
    for check in _checks(verdicts, period):
        outcome = explain(alarms.advance(state, check, rules, events=events))
        state = outcome.state
        if outcome.fresh:
            intents += outcome.intents
        incidents |= {one.key: one for one in outcome.changed}
        groups |= {one.key: one for one in outcome.groups}
    return Replay(intents, _stories(groups, incidents), state)


def _checks(verdicts: Verdicts, period: Period) -> Iterator[Check]:
    """Yield a check at the end of each slice; silence of everything is data that are missing."""
    history = verdicts.history
    silent = _silent(history)
    waiting: list[int] = []
    for number in range(history.size):
        moment = history.moment(number)
        if not period.first <= moment < period.last:
            continue
        at = moment + STEP
        if silent[number]:
            waiting.append(number)
            since = history.moment(waiting[0])
            missing = Missing(APP, since, is_usual=verdicts.is_usual(waiting))
            yield Check(at, moment, (), (missing,), period.born)
        else:
            seen = verdicts.observations([*waiting, number])
            waiting = []
            yield Check(at, moment, tuple(seen), (), period.born)


def _silent(history: History) -> NDArray[np.bool_]:
    values = history.values  # noqa: PD011 -- a mapping of arrays
    totals = [row for key, row in values.items() if key[1] == TOTAL and key not in history.exposure]
    if not totals:
        return np.zeros(history.size, dtype=bool)
    return np.asarray(np.nan_to_num(np.stack(totals)).sum(axis=0) == 0)


def _stories(groups: dict[str, Group], incidents: dict[str, Incident]) -> list[Story]:
    found = []
    for group in sorted(groups.values(), key=lambda one: (one.opened, one.key)):
        members = [one for one in incidents.values() if one.group == group.key]
        if not members:
            continue
        is_open = any(one.phase == "open" for one in members)
        stage = "opened" if is_open else "recovered" if group.messages else "passed"
        found.append(Story(group, in_order(members, group.lead), stage))  # type: ignore[arg-type]
    return found


def outcome_of(found: Replay) -> Outcome:
    """Return a replay as one check's outcome, to be recorded where nothing was before."""
    return Outcome(
        replace(found.state, version=1, said=()),
        (),
        "well",
        fresh=True,
        judged=0,
        changed=tuple(found.incidents),
        groups=tuple(found.groups),
    )


def recall(history: History, *, sensitivity: float, seed: int = 0, copies: int = 6) -> pd.DataFrame:
    """Return which share of planted incidents is found, and how soon.

    Parameters
    ----------
    history : History
        The real series.
    sensitivity : float
        False alarms accepted for a metric in 30 days.
    seed : int
        Of places and noise.
    copies : int
        Copies of the history for each kind of incident.

    Returns
    -------
    DataFrame
        Indexed by kind: ``planted``, ``within_1``, ``within_2``, ``within_4`` (shares of them
        that alarmed in so many slices), ``found`` (share found before their end).
    """
    rng = np.random.default_rng(seed)
    rows = {}
    for kind in KINDS:
        delays = [
            delay
            for copy in range(copies)
            for delay in _delays(history, kind, rng, sensitivity, metric=copy)
        ]
        if not delays:
            continue
        told = np.array(delays)
        rows[kind.name] = {
            "planted": len(told),
            **{f"within_{slices}": float((told <= slices).mean()) for slices in _WITHIN},
            "found": float(np.isfinite(told).mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")


def _delays(
    history: History, kind: Planted, rng: np.random.Generator, sensitivity: float, *, metric: int
) -> list[float]:
    """Return after how many slices each incident of one copy alarmed, infinite if never."""
    key: Key = (kind.metrics[metric % len(kind.metrics)], TOTAL, TOTAL)
    values = history.values  # noqa: PD011 -- a mapping of arrays
    if key not in values:
        return []
    length = _LEAK if kind.is_leak else _LENGTH
    starts = _places(values[key], history.exposure.get(key), length, rng)
    changed = values[key].copy()
    for start in starts:
        one = slice(start, start + length)
        share = (
            np.linspace(1, kind.factor, length) if kind.is_leak else np.full(length, kind.factor)
        )
        changed[one] = _changed(changed[one], share, rng, is_ratio=key in history.exposure)
    copy = History(
        history.start,
        {key: changed},
        {key: history.exposure[key]} if key in history.exposure else {},
        history.step_minutes,
    )
    # The copy is alone, so the share of a total is asked for by name.
    own = alerts.share(history, sensitivity, is_total=True)
    odd = alerts.judge(copy, sensitivity=own).judged[key].anomalous[0]
    return [
        float(np.argmax(odd[start : start + length])) + 1
        if odd[start : start + length].any()
        else np.inf
        for start in starts
    ]


def _places(
    values: NDArray[np.float64],
    exposure: NDArray[np.float64] | None,
    length: int,
    rng: np.random.Generator,
) -> list[int]:
    """Return where incidents begin: apart from each other, where there is something to lose."""
    first = int(LEARNED / STEP)
    size = values if exposure is None else exposure * 0.1
    found = []
    start = first + int(rng.integers(0, _APART))
    while start + length < len(values):
        if np.nanmean(size[start : start + length]) >= _SMALLEST:
            found.append(start)
        start += _APART + length + int(rng.integers(0, _APART))
    return found


def _changed(
    values: NDArray[np.float64],
    share: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    is_ratio: bool,
) -> NDArray[np.float64]:
    if is_ratio:
        return values * share
    counts = np.nan_to_num(values).astype(np.int64)
    less = rng.binomial(counts, np.minimum(share, 1.0))
    more = rng.poisson(counts * np.maximum(share - 1.0, 0.0))
    return np.where(np.isnan(values), np.nan, (less + more).astype(float))


def false_alarms(verdicts: Verdicts, first: datetime) -> pd.Series:
    """Return how often each metric has alarmed in 30 days, all its segments together.

    Parameters
    ----------
    verdicts : Verdicts
        Of a history.
    first : datetime
        Slices before it do not count.

    Returns
    -------
    Series
        By metric: alarms, consecutive slices counted once, true ones included.
    """
    start = max(verdicts.history.number(first) - verdicts.first, 0)
    size = verdicts.history.size - verdicts.first - start
    found: dict[str, NDArray[np.bool_]] = {}
    for key, row in verdicts.judged.items():
        odd = row.anomalous[0, start:]
        found[key[0]] = found.get(key[0], np.zeros(size, dtype=bool)) | odd
    months = max(size / _MONTH, 1e-9)
    counts = {slug: int((odd & ~np.r_[False, odd[:-1]]).sum()) for slug, odd in found.items()}
    return pd.Series({slug: count / months for slug, count in counts.items()})
