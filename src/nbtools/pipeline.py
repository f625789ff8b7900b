"""The whole way, from an empty home to the book, and the state of things on it."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from nbtools import (
    alerting,
    book,
    daily,
    demo,
    etl,
    incident_store,
    jobs,
    landing,
    loader,
    locks,
    lookback,
    progress,
    records,
    runner,
    slices,
    slicing,
    state,
    warehouse,
)
from nbtools.errors import NoDataError
from nbtools.metrics import CATALOGUE
from nbtools.parameters import MODELS, DailyParameters, WindowParameters
from nbtools.settings import Settings


def build_book(settings: Settings) -> Path:
    """Do everything that is missing, and return the landing page.

    Builds the demo history when the source is empty, loads the days that are not loaded,
    runs the notebooks whose page is missing or out of date, and builds the book.

    Parameters
    ----------
    settings : Settings
        Where things are.

    Returns
    -------
    Path
        ``site/index.html``.
    """
    jobs.writable(settings.home)
    with locks.hold(settings.home / "locks" / "pipeline.lock", "nbtools book", wait=3600):
        if source_is_empty(settings):
            build_demo(settings)
        _remove_old_pages(settings)
        progress.say(backfill(settings))
        run_notebooks(settings)
        _remember_recent(settings)
        progress.say("book: building the pages ...")
        return book.build(settings)


def _remember_recent(settings: Settings) -> None:
    """Keep the last weeks of every metric for the landing page, which opens no warehouse."""
    with warehouse.open_warehouse(settings) as db:
        last = max(etl.loaded_days(db), default=None)
        if last is None:
            return
        first = last - timedelta(landing.DAYS - 1)
        frame = daily.read(db, tuple(CATALOGUE), last=last, first=first)
    days = pd.DatetimeIndex(frame.index).date
    recent = {slug: dict(zip(days, frame[slug], strict=True)) for slug in CATALOGUE}
    landing.remember(settings.home, recent)


def source_is_empty(settings: Settings) -> bool:
    """Return whether the source has no event, so that nothing is lost by a demo in it."""
    with warehouse.open_source(settings) as source:
        assert source.source is not None
        # A demo can make the tables that are missing only where the source is the warehouse.
        if source.source.missing and settings.source == settings.warehouse:
            return True
        return etl.event_days(source, tz=settings.tz) is None


def build_demo(
    settings: Settings,
    *,
    scale: float = 1.0,
    seed: int = 20221205,
    start: date = date(2022, 12, 5),
    days: int = 85,
) -> None:
    """Build the demo history and remove the pages of the history before."""
    jobs.writable(settings.home)
    demo.build(settings, scale=scale, seed=seed, start=start, days=days)
    _forget_history(settings)


def load_log(settings: Settings, mapping: Path, *, data: Path | None) -> str:
    """Load a real log, remove the pages of the history before, and return what was loaded."""
    jobs.writable(settings.home)
    result = loader.load(settings, mapping, data=data)
    _forget_history(settings)
    return str(result)


def _forget_history(settings: Settings) -> None:
    """Remove what was found in a history that was replaced: pages and incidents."""
    _remove_old_pages(settings)
    with state.open_store(settings) as store, store.writing() as connection:
        incident_store.forget(connection)


def _remove_old_pages(settings: Settings) -> None:
    """Remove pages that were made from a history that was replaced."""
    with warehouse.open_source(settings) as source:
        info = warehouse.source_info(source)
    pages = [page for runs in records.read(settings.home) for page in runs.done]
    for page in pages:
        if page.source != info:
            runner.remove_page(settings.home, page.notebook, page.run)


def backfill(
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    *,
    redo: bool = False,
) -> str:
    """Load a range of days and return in one line what was done."""
    jobs.writable(settings.home)
    done = str(etl.backfill(settings, first, last, redo=redo))
    fill_slices(settings)
    return done


def fill_slices(settings: Settings) -> None:
    """Fill the slices up to now, so that no check has to catch up with the whole history."""
    divided = slicing.load(settings.home)
    with warehouse.open_source(settings) as source, warehouse.open_warehouse(settings) as db:
        at = jobs.now(settings, warehouse.source_info(source))
        slices.fill(db, source, at=at, slicing=divided)


def run_notebooks(settings: Settings) -> None:
    """Run every parameter file whose page is missing or out of date.

    A study whose window or groups this history does not have is left out, and told. The pages
    of incidents come last, from what the alerts have found.
    """
    _look_back(settings)
    todo = planned(settings)
    for job in progress.track(todo, "notebooks", lambda job: f"{job.notebook} {job.run}"):
        runner.execute(settings, job)
    alerting.make_pages(settings)


def planned(settings: Settings) -> list[jobs.Job]:
    """Return the runs whose page is missing or out of date, in their order."""
    names = [name for name in MODELS if name != alerting.PAGE]
    found = (_prepare(settings, name, run) for name in names for run in jobs.runs(name))
    return [job for job in found if job and not runner.is_current(settings, job)]


def _look_back(settings: Settings) -> None:
    try:
        progress.say(lookback.look_back(settings))
    except NoDataError as error:
        progress.say(f"Alerts: nothing was looked back at. {error}")


def _prepare(settings: Settings, notebook: str, run: str) -> jobs.Job | None:
    try:
        return jobs.prepare(settings, notebook, run)
    except NoDataError as error:
        if not issubclass(MODELS[notebook], WindowParameters):
            raise
        progress.say(f"notebooks: {notebook} {run} left out: {error}")
        return None


def status(settings: Settings) -> str:
    """Return the last run of each notebook, what is undelivered and what is stale, as text.

    Parameters
    ----------
    settings : Settings
        Where things are.
    """
    with state.open_store(settings) as store:
        last = [run for notebook in MODELS for run in store.recent_runs(1, notebook)]
        waiting = store.undelivered()
    lines = ["Last run of each notebook"]
    for run in sorted(last, key=lambda run: run.id, reverse=True):
        moment = run.started.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M")
        lines.append(f"  {moment}  {run.notebook} {run.run}: {run.outcome} {run.error}".rstrip())
    lines += [] if last else ["  none yet; make book runs everything"]
    lines.append("Undelivered messages")
    for message in waiting:
        why = message.error or "not tried yet; make deliver sends it"
        lines.append(f"  {message.key}: {message.state}: {why}")
    lines += [] if waiting else ["  none"]
    lines.append("Stale")
    stale = _stale(settings)
    return "\n".join(lines + ([f"  {line}" for line in stale] or ["  nothing"]))


def _stale(settings: Settings) -> list[str]:
    with warehouse.open_source(settings) as source:
        last = jobs.today(settings, warehouse.source_info(source)) - timedelta(1)
    with warehouse.open_warehouse(settings) as db:
        loaded = etl.loaded_days(db)
    lines = []
    if last not in loaded:
        newest = max(loaded, default=None)
        lines.append(f"daily_metrics_v1 ends with {newest}, the last full day is {last}")
    pages = {runs.notebook: runs.pages for runs in records.read(settings.home)}
    for notebook, model in MODELS.items():
        if not issubclass(model, DailyParameters):
            continue
        days = [page.day for page in pages.get(notebook, ()) if page.day]
        if last not in days:
            newest = max(days, default=None)
            lines.append(f"{notebook}: newest page {newest or 'none'}, the last full day is {last}")
    return lines
