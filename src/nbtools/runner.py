"""A checked job in, an executed page out, then its messages.

A page is published by one atomic move, only when its notebook ran to the end; what
happened is recorded by the runner, together with the messages, in one transaction;
delivery comes last.
"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from nbtools import execution, handover, jobs, locks, state, telegram
from nbtools.errors import LockedError, RunError, WarehouseError
from nbtools.execution import Execution
from nbtools.handover import Draft, Handover
from nbtools.jobs import Job
from nbtools.settings import PROJECT, Settings, load_telegram
from nbtools.state import Store


class Result(NamedTuple):
    """What became of a run.

    Attributes
    ----------
    job : Job
        What was run.
    page : Path
        The published notebook.
    figures : dict
        Its key figures.
    seconds : float
        Wall time.
    delivery : DeliveryReport
        What became of the messages.
    """

    job: Job
    page: Path
    figures: dict[str, handover.Figure]
    seconds: float
    delivery: telegram.DeliveryReport


def record_path(home: Path, notebook: str, run: str) -> Path:
    """Return where the record of a published run lies."""
    return home / "runs" / notebook / f"{run}.json"


def is_current(settings: Settings, job: Job) -> bool:
    """Return whether the page exists already and nothing it depends on has changed."""
    path = record_path(settings.home, job.notebook, job.run)
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(
        path.with_suffix(".ipynb").exists() and record.get("fingerprint") == job.fingerprint
    )


def remove_page(home: Path, notebook: str, run: str) -> None:
    """Remove a published page and its record."""
    path = record_path(home, notebook, run)
    path.unlink(missing_ok=True)
    path.with_suffix(".ipynb").unlink(missing_ok=True)


def run(
    settings: Settings,
    notebook: str,
    name: str,
    overrides: Mapping[str, str],
    *,
    resend: bool = False,
) -> Result:
    """Check, run and deliver; a warehouse that fails the checks is a failed run too.

    Raises
    ------
    InputError
        If the run cannot be started with what was given; nothing was changed.
    LockedError
        If the same run is under way elsewhere.
    RunError, WarehouseError
        If it failed; the operators have been told.
    """
    try:
        job = jobs.prepare(settings, notebook, name, overrides)
    except WarehouseError as error:
        _tell_unreachable(settings, notebook, overrides.get("date", name), str(error))
        raise
    return execute(settings, job, resend=resend)


def _tell_unreachable(settings: Settings, notebook: str, run: str, error: str) -> None:
    with state.open_store(settings) as store:
        run_id = store.start_run(notebook, run, parameters={}, code_version=jobs.code_version())
        draft = Draft(
            store.failure_part(notebook, run, error),
            f"{notebook} {run} could not start",
            error,
            chat="operations",
        )
        store.finish_run(run_id, outcome="failed", error=error, drafts=[draft])
        telegram.deliver(store, settings, load_telegram())


def deliver(settings: Settings) -> telegram.DeliveryReport:
    """Send the messages that wait in the outbox."""
    jobs.writable(settings.home)
    with state.open_store(settings) as store:
        return telegram.deliver(store, settings, load_telegram())


def execute(settings: Settings, job: Job, *, resend: bool = False) -> Result:
    """Run a prepared job: page, record, messages.

    Parameters
    ----------
    settings : Settings
        Where things are.
    job : Job
        From :func:`prepare`.
    resend : bool
        Send the messages again though they were sent before.

    Returns
    -------
    Result
        What became of it.

    Raises
    ------
    LockedError
        If the same run is under way elsewhere.
    RunError
        If the notebook did not run to its end; the last good page stays.
    """
    lock = settings.home / "locks" / job.notebook / f"{job.run}.lock"
    try:
        with locks.hold(lock, f"nbtools run {job.notebook}"), state.open_store(settings) as store:
            return _execute(settings, store, job, resend=resend)
    except LockedError as error:
        if lock.stem not in str(error):
            raise
        raise LockedError(
            f"{job.notebook} {job.run} is already running: {locks.holder(lock)}; nothing was done."
        ) from None


def _execute(settings: Settings, store: Store, job: Job, *, resend: bool) -> Result:
    store.mark_interrupted(job.notebook, job.run)
    started, clock = datetime.now(UTC), time.monotonic()
    run_id = store.start_run(
        job.notebook,
        job.run,
        parameters=job.parameters.model_dump(mode="json"),
        code_version=jobs.code_version(),
        fingerprint=job.fingerprint,
    )
    work = settings.home / "failed" / job.notebook / f"{job.run}.ipynb"
    ended = execution.execute(
        jobs.notebook_path(job.notebook),
        work,
        job.parameters.model_dump(mode="json"),
        cell_timeout=settings.cell_timeout,
    )
    ended = ended._replace(error=_anywhere(settings, ended.error))
    given = _tidy(settings, job, work)
    record = _record(job, ended, given, started, time.monotonic() - clock)
    if ended.outcome != "ok":
        _fail(settings, store, job, run_id, record)
    page = _publish(settings, job, work, record)
    store.finish_run(
        run_id,
        outcome="ok",
        page=str(page.relative_to(settings.home)),
        figures=given.figures,
        usage=given.usage,
        drafts=given.drafts,
        incidents=given.incidents,
        resend=resend,
    )
    delivery = telegram.deliver(store, settings, load_telegram())
    return Result(job, page, given.figures, record["seconds"], delivery)


def _tidy(settings: Settings, job: Job, work: Path) -> Handover:
    """Strip the machine from the executed copy and take what it hands over."""
    if not work.exists():  # the runner was stopped before papermill wrote anything
        return Handover({}, {}, [])
    notebook = nbformat.read(work, as_version=4)
    given = handover.take(notebook)
    execution.tidy(notebook, job.heading, _machine(settings))
    nbformat.write(notebook, work)
    return given


def _machine(settings: Settings) -> dict[str, str]:
    """Return the folders of this machine that no page shows, and what stands for them."""
    return {str(settings.home): "state", str(PROJECT): "nbtools", str(Path.home()): "~"}


def _anywhere(settings: Settings, text: str) -> str:
    """Return a text without the folders of this machine."""
    for folder, name in _machine(settings).items():
        text = text.replace(folder, name)
    return text


def _record(
    job: Job, ended: Execution, given: Handover, started: datetime, seconds: float
) -> dict[str, Any]:
    return {
        "notebook": job.notebook,
        "run": job.run,
        "title": job.heading,
        "outcome": ended.outcome,
        "error": ended.error,
        "parameters": job.parameters.model_dump(mode="json"),
        "figures": given.figures,
        "started": started.isoformat(timespec="seconds"),
        "finished": (started + timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "engine_seconds": round(given.usage.get("engine_seconds", 0.0), 4),
        "rows_read": int(given.usage.get("rows_read", 0)),
        "statements": int(given.usage.get("statements", 0)),
        "code_version": jobs.code_version(),
        "source": job.source,
        "data": dict(job.data),
        "fingerprint": job.fingerprint,
        "command": job.command,
    }


def _publish(settings: Settings, job: Job, work: Path, record: Mapping[str, Any]) -> Path:
    """Move page and record to their places; each move is atomic, the record is last.

    A kill between the two leaves a record whose fingerprint is old, and the next run
    makes both again.
    """
    path = record_path(settings.home, job.notebook, job.run)
    path.parent.mkdir(parents=True, exist_ok=True)
    page = path.with_suffix(".ipynb")
    work.replace(page)
    _write_json(path, record)
    work.with_suffix(".json").unlink(missing_ok=True)
    return page


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    draft = path.with_suffix(".json.new")
    draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draft.replace(path)


def _fail(
    settings: Settings, store: Store, job: Job, run_id: int, record: Mapping[str, Any]
) -> None:
    """Record a failure, keep its copy, tell the operators once, and raise."""
    failed = settings.home / "failed" / job.notebook / f"{job.run}.ipynb"
    failed.parent.mkdir(parents=True, exist_ok=True)
    _write_json(failed.with_suffix(".json"), record)
    line = f"{job.notebook} {job.run}: {record['outcome']}: {record['error']}"
    draft = Draft(
        store.failure_part(job.notebook, job.run, record["error"]),
        f"{job.notebook} {job.run} failed",
        f"{record['error']}\nThe last good page stays. Again: {job.command}",
        chat="operations",
    )
    store.finish_run(
        run_id,
        outcome=record["outcome"],
        error=record["error"],
        page=str(failed.relative_to(settings.home)),
        drafts=[draft],
    )
    telegram.deliver(store, settings, load_telegram())
    raise RunError(f"{line} Its copy: {failed}")
