"""What checks would have found in the history of an app that was not checked before."""

from datetime import timedelta
from functools import partial

from nbtools import (
    alerts,
    annotations,
    backtests,
    causes,
    incident_store,
    jobs,
    slices,
    slicing,
    state,
    warehouse,
)
from nbtools.checks import LEARNED, State
from nbtools.errors import NoDataError
from nbtools.incidents import Rules
from nbtools.parameters import HISTORY_DAYS
from nbtools.settings import PROJECT, Settings

_LOOKED_BACK = 91  # days; older incidents help nobody, and a long history has many


def look_back(settings: Settings) -> str:
    """Record what checks would have found in the history, where there was none yet.

    Nothing is sent. Without it the first check of an app that has lived for months would know
    of no incident, and no reader would see what alerts are like.

    Parameters
    ----------
    settings : Settings
        Where things are.

    Returns
    -------
    str
        What was done, one line.
    """
    with state.open_store(settings) as store, store.reading() as connection:
        if incident_store.load(connection) != State():
            return "Alerts: checked before, nothing was looked back at."
    zone = settings.zone
    divided = slicing.load(settings.home)
    events = annotations.load(PROJECT / "parameters" / "annotations.yml", zone).events
    with warehouse.open_source(settings) as source, warehouse.open_warehouse(settings) as db:
        at = jobs.now(settings, warehouse.source_info(source))
        filled = slices.fill(db, source, at=at, slicing=divided)
        history = slices.read(
            db,
            filled,
            zone=zone,
            days=_LOOKED_BACK + HISTORY_DAYS,
            slicing=divided,
            slugs=alerts.METRICS,
        )
        last = filled.end - alerts.STEP
        first = max(filled.start + LEARNED, last - timedelta(_LOOKED_BACK))
        if first >= last:
            raise NoDataError(
                f"The events reach from {filled.start:%Y-%m-%d} to {filled.end:%Y-%m-%d}; a look "
                f"back needs more than {LEARNED.days} days."
            )
        found = backtests.replay(
            alerts.as_checked(
                history, sensitivity=alerts.DEFAULT_SENSITIVITY, days=HISTORY_DAYS, since=first
            ),
            backtests.Period(first, last, filled.start),
            rules=Rules(zone=zone),
            events=events,
            explain=partial(causes.explain, source=source, zone=zone, step=alerts.STEP),
        )
    with state.open_store(settings) as store, store.writing() as connection:
        outcome = backtests.outcome_of(found)
        incident_store.write(connection, incident_store.content(State(), outcome))
    return f"Alerts: {len(found.stories)} incidents since {first.astimezone(zone):%Y-%m-%d}."
