"""Tables of the state store, and how its database is opened.

SQLite by default, one file in the home folder; PostgreSQL where several machines run
jobs. Both get the same tables and the same statements.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Dialect, Engine, ForeignKey, MetaData, Table, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from nbtools.errors import SettingsError

VERSION = 2
_BUSY_SECONDS = 30.0
_CREATION_LOCK = 0x6E62_746F_6F6C_7300  # any number that all machines share
_WRITES = "nbtools_writes"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware on both sides; SQLite itself knows no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "a moment without time zone is ambiguous"
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", sa.Integer, primary_key=True, autoincrement=False),
)

# One row per run of a notebook; the newest per notebook and run tells how it stands.
runs = Table(
    "runs",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("notebook", sa.Text, nullable=False),
    Column("run", sa.Text, nullable=False),
    Column("parameters", sa.JSON, nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("finished", UtcDateTime),
    Column("outcome", sa.Text, nullable=False),
    Column("error", sa.Text, nullable=False, default=""),
    Column("page", sa.Text, nullable=False, default=""),
    Column("figures", sa.JSON, nullable=False),
    Column("engine_seconds", sa.Double, nullable=False, default=0.0),
    Column("rows_read", sa.BigInteger, nullable=False, default=0),
    Column("code_version", sa.Text, nullable=False, default=""),
    Column("fingerprint", sa.Text, nullable=False, default=""),
    Column("pid", sa.BigInteger, nullable=False),
    Column("host", sa.Text, nullable=False),
    sa.Index("runs_of_notebook", "notebook", "run", "id"),
)

# One row per message, whatever became of it.
outbox = Table(
    "outbox",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("key", sa.Text, nullable=False, unique=True),  # notebook/run/part
    Column("run_id", sa.Integer, ForeignKey("runs.id"), nullable=False),
    Column("chat", sa.Text, nullable=False),  # reports | operations
    Column("title", sa.Text, nullable=False),
    Column("text", sa.Text, nullable=False),
    Column("link", sa.Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("state", sa.Text, nullable=False),  # pending | sent | refused
    Column("resends", sa.Integer, nullable=False, default=0),
    Column("attempts", sa.Integer, nullable=False, default=0),
    Column("next_attempt", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("message_ids", sa.JSON, nullable=False),  # one list per call of the Bot API
    Column("error", sa.Text, nullable=False, default=""),
    sa.Index("outbox_by_state", "state", "created", "id"),
)

# One row per picture or document of a message that has not been sent yet.
attachments = Table(
    "attachments",
    metadata,
    Column("outbox_id", sa.Integer, ForeignKey("outbox.id"), primary_key=True),
    Column("kind", sa.Text, primary_key=True),  # picture | document
    Column("position", sa.Integer, primary_key=True, autoincrement=False),
    Column("name", sa.Text, nullable=False),
    Column("alt", sa.Text, nullable=False),
    Column("data", sa.LargeBinary, nullable=False),
)

# One row per deviation of a metric's segment, from its first slice to its last.
incidents = Table(
    "incidents",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("metric", sa.Text, nullable=False),
    Column("segment", sa.Text, nullable=False),  # total, or os:iOS
    Column("opened_slice", UtcDateTime, nullable=False),
    Column("last_slice", UtcDateTime, nullable=False),
    Column("resolved_slice", UtcDateTime),
    Column("severity", sa.Text, nullable=False, default="warning"),  # info | warning | critical
    Column("peak_deviation", sa.Double),  # relative, -0.48 for 48 % below
    Column("lost", sa.Double, nullable=False, default=0.0),
    Column("story", sa.Text, nullable=False, default=""),
    Column("content", sa.JSON, nullable=False, default=dict),  # all of it, with its timeline
    sa.UniqueConstraint("metric", "segment", "opened_slice", name="incidents_once"),
    sa.Index("incidents_of_story", "story"),
)

# One row per group of incidents that people are told of together.
stories = Table(
    "stories",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("opened_slice", UtcDateTime, nullable=False),
    Column("told_at", UtcDateTime),
    Column("messages", sa.Integer, nullable=False),
    Column("is_closed", sa.Boolean, nullable=False),
    Column("driver", sa.JSON),
    Column("content", sa.JSON, nullable=False),
    sa.Index("stories_by_slice", "opened_slice"),
)

# One row per silence; one that has ended stays, as the reason of what was not said.
mutes = Table(
    "mutes",
    metadata,
    Column("id", sa.Integer, primary_key=True),
    Column("metric", sa.Text, nullable=False),
    Column("segment", sa.Text, nullable=False),  # empty for every one
    Column("until", UtcDateTime, nullable=False),
    Column("why", sa.Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)

# What a check hands on to the next; one row.
alert_state = Table(
    "alert_state",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("version", sa.BigInteger, nullable=False),
    Column("content", sa.JSON, nullable=False),
)


def parse_url(text: str) -> sa.URL:
    """Return the URL of the database.

    Parameters
    ----------
    text : str
        A SQLAlchemy URL.

    Raises
    ------
    SettingsError
        If it names no SQLite file and no PostgreSQL database; the text is not repeated,
        it may hold a password.
    """
    needed = "needed is sqlite:////folder/file or postgresql+psycopg://user:password@host/database."
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError(f"NBTOOLS_STATE_URL is no database URL; {needed}") from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError(f"NBTOOLS_STATE_URL starts with {url.drivername}://, {needed}")
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise SettingsError(f"NBTOOLS_STATE_URL names no file, all would be forgotten; {needed}")
    return url


def place(url: sa.URL) -> str:
    """Return a database in words, without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


def reason(error: SQLAlchemyError, url: sa.URL) -> str:
    """Return the driver's own words in one line, without a secret of the URL."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
    secrets = [url.password, *(url.query[name] for name in url.query if "pass" in name)]
    for secret in secrets:
        if secret and isinstance(secret, str):
            text = text.replace(secret, "***")
    return text.rstrip(".")


def create_engine(url: sa.URL) -> Engine:
    """Return an engine for a SQLite file or a PostgreSQL database.

    Parameters
    ----------
    url : sqlalchemy.URL
        From :func:`parse_url`.

    Raises
    ------
    SettingsError
        If the file's folder cannot be made, or the database's driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    try:
        # Values never reach a message: they hold whole pictures.
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise SettingsError(
            f"NBTOOLS_STATE_URL needs a driver for {url.drivername}:// that is not installed; "
            "for PostgreSQL, pip install 'psycopg[binary]'."
        ) from None


def _sqlite(url: sa.URL) -> Engine:
    folder = Path(str(url.database)).parent
    try:
        if not str(url.database).startswith("file:"):
            folder.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            url, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS}
        )
    except OSError as error:
        raise SettingsError(
            f"Cannot write the folder {folder} of the state store: {error.strerror}; "
            "set NBTOOLS_HOME or NBTOOLS_STATE_URL to a place you may write."
        ) from None
    except (NoSuchModuleError, ModuleNotFoundError):
        raise SettingsError(
            f"NBTOOLS_STATE_URL starts with {url.drivername}://, needed is sqlite://."
        ) from None
    event.listen(engine, "connect", _plain_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _plain_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that reads first and writes later could be
    # refused half-way, without waiting, when another writer came between.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write."""
    return engine.execution_options(**{_WRITES: True})


def prepare(engine: Engine) -> None:
    """Create the tables of an empty database, and bring those of an older version up to date.

    Parameters
    ----------
    engine : Engine
        From :func:`create_engine`.

    Raises
    ------
    SettingsError
        If the database was written by a newer version of the package.
    """
    with engine.connect() as connection:
        found = _version(connection)
    if found is None or found < VERSION:
        with writing(engine).begin() as connection:
            found = _create(connection)
    if found != VERSION:
        raise SettingsError(
            f"The state store has version {found} of its tables, this nbtools needs {VERSION}; "
            "use the nbtools that wrote it, or set NBTOOLS_STATE_URL to a new database."
        )


def _version(connection: Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema_version.name):
        return None
    found: int | None = connection.scalar(sa.select(sa.func.max(schema_version.c.version)))
    return found


def _create(connection: Connection) -> int:
    """Make what is missing, and return the version that is there then."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
    found = _version(connection)  # another process may just have done it
    if found is not None and found >= VERSION:
        return found
    if found is None:
        _refuse_strangers(connection)
    else:
        # Version 1 planned its incidents, but nothing wrote them.
        incidents.drop(connection)
    metadata.create_all(connection)
    connection.execute(sa.delete(schema_version))
    connection.execute(sa.insert(schema_version).values(version=VERSION))
    return VERSION


def _refuse_strangers(connection: Connection) -> None:
    there = set(sa.inspect(connection).get_table_names()) & set(metadata.tables)
    if there - {schema_version.name}:
        raise SettingsError(
            f"The database of NBTOOLS_STATE_URL has a table {min(there)} that is not ours; "
            "set it to a database of its own."
        )
