"""What the runner remembers: runs, the outbox and incidents.

A run's outcome and its messages are written in one transaction, so a message exists
exactly when its run is recorded as done.
"""

import hashlib
import math
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from nbtools import incident_store, outbox, schema
from nbtools.errors import SettingsError
from nbtools.handover import Draft, Figure
from nbtools.outbox import Message
from nbtools.schema import runs
from nbtools.settings import Settings
from nbtools.stories import Story

# A run that another machine started and never ended is given up after this time.
_ABANDONED = timedelta(days=1)


class Run(NamedTuple):
    """A run of a notebook.

    Attributes
    ----------
    id : int
        Its number; later runs have larger ones.
    notebook, run : str
        Names of notebook and page.
    parameters : dict
        What it was given.
    started : datetime
        In UTC, like all times here.
    finished : datetime or None
        None while it runs.
    outcome : str
        ``running``, ``ok``, ``failed``, ``timeout``, ``kernel_died``, ``stopped`` or
        ``interrupted``.
    error : str
        One line, empty when ok.
    page : str
        The executed notebook, relative to the home folder.
    figures : dict
        Key figures, name to value.
    engine_seconds : float
        Time inside ClickHouse.
    rows_read : int
        Rows that ClickHouse read.
    code_version, fingerprint : str
        What made it.
    pid, host : int, str
        The process that ran it.
    """

    id: int
    notebook: str
    run: str
    parameters: dict[str, Any]
    started: datetime
    finished: datetime | None
    outcome: str
    error: str
    page: str
    figures: dict[str, Figure]
    engine_seconds: float
    rows_read: int
    code_version: str
    fingerprint: str
    pid: int
    host: str


@dataclass(frozen=True)
class Store:
    """The open state store.

    Attributes
    ----------
    engine : Engine
        Its database.
    """

    engine: Engine

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a transaction that reads."""
        return self.engine.begin()

    def writing(self) -> AbstractContextManager[Connection]:
        """Return a transaction that writes."""
        return schema.writing(self.engine).begin()

    def start_run(
        self,
        notebook: str,
        run: str,
        *,
        parameters: Mapping[str, Any],
        code_version: str = "",
        fingerprint: str = "",
        now: datetime | None = None,
    ) -> int:
        """Record that a run has begun, and return its number.

        Parameters
        ----------
        notebook, run : str
            Names of notebook and page.
        parameters : mapping
            What it is given, of JSON types.
        code_version, fingerprint : str
            What makes it.
        now : datetime or None
            When; the clock's time by default.
        """
        begun = sa.insert(runs).values(
            notebook=notebook,
            run=run,
            parameters=_plain(parameters),
            started=now or _now(),
            outcome="running",
            figures={},
            code_version=code_version,
            fingerprint=fingerprint,
            pid=os.getpid(),
            host=socket.gethostname(),
        )
        with self.writing() as connection:
            return int(connection.execute(begun.returning(runs.c.id)).scalar_one())

    def finish_run(  # noqa: PLR0913 -- one argument per column
        self,
        run_id: int,
        *,
        outcome: str,
        error: str = "",
        page: str = "",
        figures: Mapping[str, Figure] | None = None,
        usage: Mapping[str, float] | None = None,
        drafts: Sequence[Draft] = (),
        incidents: Mapping[str, Any] | None = None,
        resend: bool = False,
        now: datetime | None = None,
    ) -> None:
        """Record a run's outcome, its messages and its incidents, all or nothing.

        Parameters
        ----------
        run_id : int
            From :meth:`start_run`.
        outcome, error, page : str
            How it ended, why, and where its notebook lies.
        figures, usage : mapping
            Key figures, and the cost of its statements.
        drafts : sequence of Draft
            Its messages in their order.
        incidents : mapping or None
            What a check of alerts has to remember.
        resend : bool
            Send them again though they were sent.
        now : datetime or None
            When; the clock's time by default.

        Raises
        ------
        LockedError
            If another check has recorded its incidents since this one read them.
        """
        finished = now or _now()
        spent = usage or {}
        ended = (
            sa.update(runs)
            .where(runs.c.id == run_id)
            .values(
                outcome=outcome,
                error=error,
                page=page,
                finished=finished,
                figures=_plain(figures or {}),
                engine_seconds=float(spent.get("engine_seconds", 0.0)),
                rows_read=int(spent.get("rows_read", 0)),
            )
            .returning(runs.c.notebook, runs.c.run)
        )
        with self.writing() as connection:
            job = "/".join(connection.execute(ended).one())
            if incidents:
                incident_store.write(connection, incidents)
            outbox.put(connection, drafts, job=job, run_id=run_id, now=finished, resend=resend)

    def mark_interrupted(self, notebook: str, run: str, *, now: datetime | None = None) -> int:
        """Record that runs which never ended were killed, and return how many.

        Only the holder of the run's lock may ask: no other process of this machine can be
        running it. A run of another machine is given up after a day.

        Parameters
        ----------
        notebook, run : str
            Names of notebook and page.
        now : datetime or None
            The clock's time by default.
        """
        moment = now or _now()
        here = runs.c.host == socket.gethostname()
        killed = (
            sa.update(runs)
            .where(runs.c.notebook == notebook, runs.c.run == run, runs.c.outcome == "running")
            .where(here | (runs.c.started < moment - _ABANDONED))
            .values(
                outcome="interrupted",
                error="The run was killed before it could say how it ended.",
                finished=moment,
            )
        )
        with self.writing() as connection:
            return int(connection.execute(killed).rowcount)

    def last_run(self, notebook: str, run: str) -> Run | None:
        """Return the newest run, whatever its outcome."""
        found = self._runs(1, runs.c.notebook == notebook, runs.c.run == run)
        return found[0] if found else None

    def last_success(self, notebook: str, run: str) -> Run | None:
        """Return the newest run that ended well."""
        found = self._runs(
            1, runs.c.notebook == notebook, runs.c.run == run, runs.c.outcome == "ok"
        )
        return found[0] if found else None

    def recent_runs(self, limit: int, notebook: str | None = None) -> list[Run]:
        """Return the newest runs, newest first, of one notebook or of all."""
        conditions = [] if notebook is None else [runs.c.notebook == notebook]
        return self._runs(limit, *conditions)

    def _runs(self, limit: int, *conditions: sa.ColumnElement[bool]) -> list[Run]:
        query = sa.select(runs).where(*conditions).order_by(runs.c.id.desc()).limit(limit)
        with self.reading() as connection:
            return [Run(*row) for row in connection.execute(query)]

    def undelivered(self) -> list[Message]:
        """Return the messages that no chat has, whether they wait or were refused."""
        with self.reading() as connection:
            return outbox.undelivered(connection)

    def pending(self) -> list[Message]:
        """Return the messages that wait to be sent, in their order."""
        with self.reading() as connection:
            return outbox.pending(connection)

    def failure_part(self, notebook: str, run: str, error: str) -> str:
        """Return the part name of a failure's message: one per failure, not per retry.

        It stays the same until the run has succeeded once or fails for another reason;
        numbers in the error, such as times and process ids, do not make another reason.

        Parameters
        ----------
        notebook, run : str
            Names of notebook and page.
        error : str
            Why it failed.
        """
        success = self.last_success(notebook, run)
        reason = re.sub(r"0x[0-9a-fA-F]+|\d+", "0", error)
        digest = hashlib.sha256(reason.encode("utf-8", "replace")).hexdigest()[:12]
        return f"failure-{success.id if success else 0}-{digest}"


def _now() -> datetime:
    return datetime.now(UTC)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that JSON can hold: what is not a number is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the state store; makes its tables when there are none.

    Parameters
    ----------
    settings : Settings
        Names the database.

    Yields
    ------
    Store
        Closed at the end of the block.

    Raises
    ------
    SettingsError
        If the database cannot be opened, read or written, then or later in the block.
    """
    url = schema.parse_url(settings.state_url)
    engine = schema.create_engine(url)
    try:
        schema.prepare(engine)
        yield Store(engine)
    except SQLAlchemyError as error:
        raise SettingsError(
            f"The state store {schema.place(url)} failed: {schema.reason(error, url)}; "
            "check NBTOOLS_STATE_URL (or NBTOOLS_HOME)."
        ) from None
    finally:
        engine.dispose()


def find_story(settings: Settings, key: str) -> Story:
    """Return an incident's story from the state store.

    Parameters
    ----------
    settings : Settings
        Where the store is.
    key : str
        Of the story.

    Raises
    ------
    ParameterError
        If there is none of that key.
    """
    with open_store(settings) as store, store.reading() as connection:
        return incident_store.story(connection, key)
