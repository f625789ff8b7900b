"""ClickHouse, embedded or a server, through one client: open by DSN, run statements.

Statements are files under ``sql/``; values and the source's names are bound by the
server. A source statement is the text of ``sql/source.sql`` followed by its own.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_connect.driver.summary import QuerySummary

from nbtools.engine import last_summary, open_client, refusals, statement
from nbtools.errors import NoDataError
from nbtools.metrics import select_list
from nbtools.settings import Settings
from nbtools.source import Source, find_file, load_source

_TYPE_WRAPPERS = re.compile(r"^(?:(?:Nullable|LowCardinality)\()+")


@dataclass
class Usage:
    """What the statements of one connection have cost so far.

    Attributes
    ----------
    statements, rows_read, bytes_read : int
        Counted by the engine.
    engine_seconds : float
        Time inside the engine.
    """

    statements: int = 0
    rows_read: int = 0
    bytes_read: int = 0
    engine_seconds: float = 0.0

    def add(self, summary: Mapping[str, Any]) -> None:
        """Add the engine's summary of one statement."""
        self.statements += 1
        self.rows_read += int(summary.get("read_rows", 0))
        self.bytes_read += int(summary.get("read_bytes", 0))
        self.engine_seconds += int(summary.get("elapsed_ns", 0)) / 1e9


@dataclass(frozen=True)
class Connection:
    """An open connection that runs the statements of ``sql/``.

    Attributes
    ----------
    client : Client
        The clickhouse-connect client.
    source : Source or None
        The source's names, when this connection reads the app's events.
    usage : Usage
        What its statements have cost.
    named : mapping of str to str
        Statements, by paths under ``sql/``, that the others may read under these names.
    limits : mapping of str to int
        Settings of the engine for frames.
    """

    client: Client
    source: Source | None = None
    usage: Usage = field(default_factory=Usage)
    named: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def exclusive(self) -> bool:
        """Whether no other process can have it open, as is so with the embedded engine."""
        return not isinstance(self.client, HttpClient)

    def _bind(self, name: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return self.composed(statement(name), values)

    def composed(self, text: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return a text with what it may read in front of it, and all values to be bound."""
        heads = [f"{key} AS\n(\n{statement(path)})" for key, path in self.named.items()]
        if self.source is None:
            head = f"WITH {', '.join(heads)}\n" if heads else ""
            return f"{head}{text}", dict(values)
        if self.source.missing:
            raise NoDataError(self.source.missing)
        head = ",\n".join([statement("source"), *heads])
        return f"{head}\n{text}", {**self.source.names, **values}

    def frame(self, name: str, **values: object) -> pd.DataFrame:
        """Return the rows of a statement; an empty frame keeps its columns.

        Parameters
        ----------
        name : str
            Path under ``sql/`` without the ending.
        **values : object
            Values of its ``{name:Type}`` placeholders.

        Returns
        -------
        DataFrame
            Whole numbers are int64; dates and times are datetime64, times in UTC without
            a zone, whatever the engine's own zone is.

        Raises
        ------
        NoDataError
            If the source's tables are not there.
        WarehouseError
            If the engine refuses the statement.
        """
        text, bound = self._bind(name, values)
        with refusals(name):
            frame, summary = query_frame(self.client, text, bound, self.limits)
        self.usage.add(summary)
        return frame

    def rows(self, name: str, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a small statement, without the cost of a frame.

        Parameters
        ----------
        name : str
            Path under ``sql/`` without the ending.
        **values : object
            Values of its ``{name:Type}`` placeholders.
        """
        text, bound = self._bind(name, values)
        with refusals(name):
            found = self.client.query(text, parameters=bound)
        self.usage.add(found.summary)
        return [tuple(row) for row in found.result_rows]

    def metrics(self, name: str, slugs: tuple[str, ...], **values: object) -> pd.DataFrame:
        """Return the rows of a statement that takes its select list from the catalogue.

        Parameters
        ----------
        name : str
            Path under ``sql/``; the statement has ``{metrics}`` in its select list.
        slugs : tuple of str
            Metrics of the catalogue, one column each.
        **values : object
            Values of its ``{name:Type}`` placeholders.
        """
        text, bound = self._bind(name, values)
        with refusals(name):
            frame, summary = query_frame(
                self.client, text.replace("{metrics}", select_list(slugs)), bound
            )
        self.usage.add(summary)
        return frame.rename(columns={f"{slug}_value": slug for slug in slugs})

    def arrow(self, name: str, metrics: str = "", **values: object) -> pa.Table:
        """Return the rows of a statement as Arrow, for handing them to a table or to numpy.

        Parameters
        ----------
        name : str
            Path under ``sql/`` without the ending.
        metrics : str
            Select list of the catalogue, for a statement that has ``{metrics}`` in its own.
        **values : object
            Values of its ``{name:Type}`` placeholders.
        """
        text, bound = self._bind(name, values)
        text = text.replace("{metrics}", metrics)
        with refusals(name):
            rows = self.client.query_arrow(text, parameters=bound)
            self.usage.add(last_summary(self.client))
        return rows

    def execute(self, name: str, **values: object) -> None:
        """Run a statement that returns no rows."""
        self._execute(name, *self._bind(name, values))

    def replace_partition(self, name: str, staging: str, **values: object) -> None:
        """Run a statement that puts a partition of a staging table in place of another.

        Parameters
        ----------
        name : str
            Path under ``sql/``; the statement has ``{staging}`` after ``FROM``, where the
            engine takes no bound name.
        staging : str
            Name of the staging table, letters, digits and ``_`` only.
        **values : object
            Values of its ``{name:Type}`` placeholders.
        """
        assert re.fullmatch(r"\w+", staging)
        text, bound = self._bind(name, values)
        self._execute(name, text.replace("{staging}", staging), bound)

    def _execute(self, name: str, text: str, bound: dict[str, Any]) -> None:
        with refusals(name):
            result = self.client.command(text, parameters=bound)
        if isinstance(result, QuerySummary):
            self.usage.add(result.summary)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append Arrow rows to a table."""
        with refusals(table):
            self.usage.add(self.client.insert_arrow(table, rows).summary)


def describe(client: Client, text: str, bound: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the names and types of the columns that a query would return."""
    # A query cannot be bound as a value, so this is the one statement composed here.
    found = client.query(f"DESCRIBE TABLE (\n{text}\n)", parameters=dict(bound))
    return [(row[0], row[1]) for row in found.result_rows]


def query_frame(
    client: Client, text: str, bound: Mapping[str, Any], limits: Mapping[str, int] = {}
) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Return the rows of a query, as :meth:`Connection.frame` describes, and its summary."""
    result = client.query(text, parameters=dict(bound), settings=dict(limits), query_tz="UTC")
    if result.column_names:
        columns = [
            (name, kind.name)
            for name, kind in zip(result.column_names, result.column_types, strict=True)
        ]
        cells: Sequence[Sequence[Any]] = result.result_columns
    else:
        # The native format sends no block, and so no names, when there are no rows.
        columns = describe(client, text, bound)
        cells = [()] * len(columns)
    series = [_series(of_one, kind) for (_, kind), of_one in zip(columns, cells, strict=True)]
    frame = pd.concat(series, axis=1)
    frame.columns = pd.Index([name for name, _ in columns])
    return frame, result.summary


def _series(cells: Sequence[Any], kind: str) -> pd.Series:
    """Return a column whose type does not depend on which cells happen to be empty."""
    plain = _TYPE_WRAPPERS.sub("", kind)
    if plain.startswith("Date"):
        times = pd.to_datetime(pd.Series(cells, dtype=object), utc=True).dt.tz_localize(None)
        return times.dt.as_unit("us" if plain.startswith("DateTime") else "s")
    number = plain.startswith(("Int", "UInt"))
    if plain.startswith("Float") or (number and "Nullable(" in kind):
        return pd.Series(cells, dtype="float64")
    if plain.startswith(("String", "Enum")):
        return pd.Series(cells, dtype="str")
    return pd.Series(cells, dtype="int64" if number and not len(cells) else None)


@contextmanager
def open_warehouse(settings: Settings) -> Iterator[Connection]:
    """Open our tables, read and write; waits while another process has them open.

    Raises
    ------
    LockedError
        If the embedded warehouse stays locked.
    WarehouseError
        If the server cannot be reached.
    """
    with open_client(settings, "warehouse", readonly=False) as client:
        yield Connection(client)


@contextmanager
def open_source(settings: Settings) -> Iterator[Connection]:
    """Open the app's events, read only, with the names of ``source.yml``.

    A missing table is told by the first statement that needs it, because a warehouse
    without events must open for them to be made.

    Raises
    ------
    LockedError
        If the embedded warehouse stays locked.
    SettingsError
        If ``source.yml`` is wrong or names a column that its table does not have.
    WarehouseError
        If the server cannot be reached.
    """
    with open_client(settings, "source", readonly=True) as client:
        with refusals("system/columns"):
            source = load_source(
                find_file(settings.home), lambda *table: _table_columns(client, *table)
            )
        yield Connection(client, source)


def _table_columns(client: Client, database: str, table: str) -> set[str]:
    found = client.query(
        statement("system/columns"), parameters={"database": database, "table": table}
    )
    return {row[0] for row in found.result_rows}


def tables(db: Connection, prefix: str = "") -> pd.Series:
    """Return the age in hours of our tables whose name starts with a prefix, by name."""
    return db.frame("system/tables", prefix=prefix).set_index("name")["age_hours"]


def source_info(source: Connection) -> dict[str, Any]:
    """Return what the demo or the loader wrote about the history it built.

    Returns
    -------
    dict
        Empty for a production source; else ``kind``, ``today`` and more, see
        ``sql/source_info``.

    Raises
    ------
    NoDataError
        If the demo or the loader was stopped before the history was whole.
    """
    assert source.source is not None
    database = source.source.names["feed_database"]
    with refusals("source_info/read"):
        if not _table_columns(source.client, database, "source_info"):
            return {}
        found = source.client.query(
            statement("source_info/read"), parameters={"database": database}
        )
    if not found.result_rows:
        raise NoDataError(
            f"The history in {database} is unfinished, its loading was stopped; "
            "run make load (or make demo) again."
        )
    return {key: json.loads(value) for key, value in found.result_rows}
