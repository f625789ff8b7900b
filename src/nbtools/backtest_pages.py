"""What the page of a backtest shows: the messages a period would have brought, and recall."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure as Drawing

from nbtools import (
    alert_charts,
    alert_messages,
    alerts,
    annotations,
    backtests,
    causes,
    messages,
    slices,
    slicing,
    tables,
    titles,
)
from nbtools.alert_messages import Reader
from nbtools.alerts import METRICS, STEP, Verdicts
from nbtools.backtests import Replay
from nbtools.checks import LEARNED
from nbtools.handover import Figure
from nbtools.incidents import Rules
from nbtools.metrics import slice_metric
from nbtools.parameters import AlertsBacktest
from nbtools.settings import PROJECT, Settings
from nbtools.warehouse import Connection

_WEEK = timedelta(7)


class Backtest(NamedTuple):
    """A detector's record over a period.

    Attributes
    ----------
    first, last : datetime
        Start of the first slice replayed, end of the last.
    verdicts : Verdicts
        On every slice up to the end.
    replay : Replay
        Messages and incidents.
    recall : DataFrame
        From `backtests.recall`.
    zone : ZoneInfo
        The app's time zone.
    """

    first: datetime
    last: datetime
    verdicts: Verdicts
    replay: Replay
    recall: pd.DataFrame
    zone: ZoneInfo


def run(settings: Settings, db: Connection, source: Connection, params: AlertsBacktest) -> Backtest:
    """Replay a period and plant incidents in it.

    Parameters
    ----------
    settings : Settings
        Where things are.
    db, source : Connection
        The warehouse and the app's events.
    params : AlertsBacktest
        The period.

    Returns
    -------
    Backtest
        Nothing is recorded or sent.
    """
    zone = settings.zone
    divided = slicing.load(settings.home)
    end = datetime.combine(params.end_date + timedelta(1), time(), zone)
    filled = slices.fill(db, source, at=end, slicing=divided)
    first = max(
        datetime.combine(params.start_date, time(), zone), filled.start.astimezone(zone) + LEARNED
    )
    days = (end - first).days + params.history_days
    history = slices.read(db, filled, zone=zone, days=days, slicing=divided, slugs=METRICS)
    verdicts = alerts.as_checked(
        history, sensitivity=params.sensitivity, days=params.history_days, since=first
    )
    found = backtests.replay(
        verdicts,
        backtests.Period(first, end, filled.start),
        rules=Rules(zone=zone),
        events=annotations.load(PROJECT / "parameters" / "annotations.yml", zone).events,
        explain=partial(causes.explain, source=source, zone=zone, step=STEP),
    )
    recall = backtests.recall(history, sensitivity=params.sensitivity, seed=params.seed)
    return Backtest(first, end, verdicts, found, recall, zone)


def figures(done: Backtest) -> dict[str, Figure]:
    """Return the key figures of a backtest."""
    weeks = (done.last - done.first) / _WEEK
    found: dict[str, Figure] = {
        "messages": len(done.replay.intents),
        "messages_a_week": len(done.replay.intents) / weeks,
        "incidents": len(done.replay.stories),
    }
    for kind, row in done.recall.iterrows():
        found[f"recall.{str(kind).replace(' ', '_')}"] = float(row["within_4"])
    return found


def summary(done: Backtest) -> HTML:
    """Return the record in a few sentences."""
    count, weeks = len(done.replay.intents), (done.last - done.first) / _WEEK
    headline = (
        f"In {weeks:.0f} weeks a person would have received {count} messages about "
        f"{len(done.replay.stories)} incidents."
    )
    planted = int(done.recall["planted"].sum()) if len(done.recall) else 0
    lines = [headline]
    if planted:
        within = (done.recall["within_4"] * done.recall["planted"]).sum() / planted
        lines.append(
            f"Of {messages.count(planted)} planted incidents {100 * within:.0f} % were found "
            "within an hour."
        )
    return tables.sentences(lines)


def sent(done: Backtest) -> HTML:
    """Return every message with its time, in the order of sending."""
    rows = [
        {
            "When": titles.moment(intent.at, done.zone),
            "Message": "\n".join(
                [
                    alert_messages.headline(reader, story) + ".",
                    *alert_messages.details(reader, story),
                ]
            ),
        }
        for intent in done.replay.intents
        for reader in [Reader("en", done.zone, intent.at)]
        for story in intent.stories
    ]
    if not rows:
        return tables.sentences(["No message would have been sent."])
    return tables.show(pd.DataFrame(rows).set_index("When"), words=("Message",))


def calendar(done: Backtest) -> Drawing:
    """Return on which days which metric was in an incident."""
    days = pd.date_range(done.first.date(), (done.last - STEP).date(), name="day")
    found: Counter[tuple[date, str]] = Counter()
    for one in done.replay.incidents:
        slices_of = pd.date_range(one.opened, one.last, freq=STEP).tz_convert(done.zone)
        found.update((moment.date(), one.metric) for moment in slices_of)
    counts = pd.DataFrame(
        {slug: [found[day.date(), slug] for day in days] for slug in METRICS}, index=days
    )
    quiet = int((counts.sum(axis=1) == 0).sum())
    title = f"{quiet} of {len(days)} days were without any incident"
    return alert_charts.record(counts, title, slugs=METRICS)


def recall(done: Backtest) -> HTML:
    """Return which planted incidents are found, and how soon."""
    rows = [
        {
            "Planted": str(kind),
            "Times": messages.count(row["planted"]),
            "Within 15 minutes": _percent(row["within_1"]),
            "Within 30 minutes": _percent(row["within_2"]),
            "Within an hour": _percent(row["within_4"]),
            "Before its end": _percent(row["found"]),
        }
        for kind, row in done.recall.iterrows()
    ]
    if not rows:
        return tables.sentences(["The history is too short or too small to plant anything."])
    return tables.show(pd.DataFrame(rows).set_index("Planted"))


def _percent(share: float) -> str:
    return f"{100 * share:.0f}{messages.THIN_SPACE}%"


def alarms(done: Backtest) -> HTML:
    """Return how often each metric raised an alarm, true or false."""
    found = backtests.false_alarms(done.verdicts, done.first)
    rows = [
        {"Metric": slice_metric(str(slug)).name, "Alarms in 30 days": f"{rate:.1f}"}
        for slug, rate in found.items()
    ]
    return tables.show(pd.DataFrame(rows).set_index("Metric"))
