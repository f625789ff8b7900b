"""The whole way, from an empty home to the book, and the state of things on it."""

from datetime import date, timedelta
from pathlib import Path

from nbtools import (
    book,
    demo,
    etl,
    jobs,
    loader,
    locks,
    progress,
    records,
    runner,
    state,
    warehouse,
)
from nbtools.errors import NoDataError
from nbtools.parameters import MODELS, DailyParameters, StudyParameters
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
        progress.say("book: building the pages ...")
        return book.build(settings)


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
    _remove_old_pages(settings)


def load_log(settings: Settings, mapping: Path, *, data: Path | None) -> str:
    """Load a real log, remove the pages of the history before, and return what was loaded."""
    jobs.writable(settings.home)
    result = loader.load(settings, mapping, data=data)
    _remove_old_pages(settings)
    return str(result)


def _remove_old_pages(settings: Settings) -> None:
    """Remove pages that were made from a history that was replaced."""
    with warehouse.open_source(settings) as source:
        info = warehouse.source_info(source)
    pages = [page for runs in records.read(settings.home) for page in runs.pages]
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
    return str(etl.backfill(settings, first, last, redo=redo))


def run_notebooks(settings: Settings) -> None:
    """Run every parameter file whose page is missing or out of date.

    A study whose window or groups this history does not have is left out, and told.
    """
    found = (_prepare(settings, name, run) for name in MODELS for run in jobs.runs(name))
    todo = [job for job in found if job and not runner.is_current(settings, job)]
    for job in progress.track(todo, "notebooks", lambda job: f"{job.notebook} {job.run}"):
        runner.execute(settings, job)


def _prepare(settings: Settings, notebook: str, run: str) -> jobs.Job | None:
    try:
        return jobs.prepare(settings, notebook, run)
    except NoDataError as error:
        if not issubclass(MODELS[notebook], StudyParameters):
            raise
        progress.say(f"notebooks: {notebook} {run} left out: {error}")
        return None


def status(settings: Settings) -> str:
    """Return the last runs, what is undelivered and what is stale, as text.

    Parameters
    ----------
    settings : Settings
        Where things are.
    """
    with state.open_store(settings) as store:
        recent, waiting = store.recent_runs(10), store.undelivered()
    lines = ["Last runs"]
    for run in recent:
        moment = run.started.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M")
        lines.append(f"  {moment}  {run.notebook} {run.run}: {run.outcome} {run.error}".rstrip())
    lines += [] if recent else ["  none yet; make book runs everything"]
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
