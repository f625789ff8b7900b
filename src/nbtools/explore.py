"""A question asked once: one query in, one frame out, nothing changed.

The frame is read by pandahouse, whose HTTP interface the embedded warehouse offers for
the length of the call. pandahouse knows numbers, texts, dates and times; what else a
column may be is carried as one of these where nothing is lost by it, and read by
clickhouse-connect otherwise.
"""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pandas as pd
import requests
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from nbtools import bridge, httpquery
from nbtools.dsn import parse_dsn
from nbtools.engine import open_client
from nbtools.errors import InputError, WarehouseError
from nbtools.settings import Settings
from nbtools.warehouse import describe, query_frame

try:
    import pandahouse
except ImportError:
    pandahouse = None  # it supports Python up to 3.11

_QUERIES = {b"SELECT", b"WITH", b"FROM"}
_OTHERS = {b"SHOW", b"DESCRIBE", b"DESC", b"EXPLAIN", b"EXISTS"}
_FORMAT = re.compile(r"\bFORMAT\s+\w+$", re.IGNORECASE)
_SETTINGS = re.compile(r"\bSETTINGS(?:\s+\w+\s*=\s*(?:'[^']*'|[\w.-]+)(?:\s*,)?)+$", re.IGNORECASE)
_ERROR = re.compile(r"DB::Exception: (.*?)(?: \(version .*)?$", re.DOTALL)
# pandahouse sends the query in the address, and servers limit the length of one.
_LONGEST_ADDRESS = 8_000
_LONGEST_ERROR = 400


class _Carried(NamedTuple):
    """How a column travels: as an expression, and back again; and who can carry that."""

    expression: str
    back: Callable[[Any], Any]
    by_pandahouse: bool = True


def _as_it_is(column: Any) -> Any:
    return column


_WAYS = (
    # LowCardinality is cast away, whatever is inside.
    (r"U?Int(8|16|32)$|Int64$", _Carried("CAST({}, 'Int64')", _as_it_is)),
    (r"UInt64$", _Carried("CAST({}, 'UInt64')", lambda column: column.astype("uint64"))),
    # pandahouse stumbles over nan and inf, and pandas reads both from text.
    (r"Float(32|64)$", _Carried("CAST({}, 'String')", lambda column: column.astype("float64"))),
    (r"Bool$", _Carried("CAST({}, 'UInt8')", lambda column: column.astype("bool"))),
    (r"String$|Enum", _Carried("CAST({}, 'String')", lambda column: column.astype("str"))),
    # As text, a time is what the clock of its zone shows.
    (r"Date", _Carried("CAST({}, 'String')", pd.to_datetime)),
    (
        r"Nullable\(Date",
        _Carried("CAST({}, 'Nullable(String)')", pd.to_datetime, by_pandahouse=False),
    ),
)


def run(settings: Settings, query: str, *, limit: int = 1000) -> pd.DataFrame:
    """Return the first rows of a query.

    Parameters
    ----------
    settings : Settings
        Where the warehouse is.
    query : str
        A SELECT, or SHOW, DESCRIBE, EXPLAIN, EXISTS; tables without a database are those
        of the warehouse, the app's events are such as ``app.feed_actions``.
    limit : int
        Rows at most; ``frame.attrs["more"]`` tells whether there are others.

    Returns
    -------
    DataFrame
        Times are those of the column's zone, without a zone.

    Raises
    ------
    InputError
        If the query is wrong, or would do more than read.
    LockedError
        If the embedded warehouse stays locked.
    WarehouseError
        If the warehouse cannot be reached.
    """
    if limit < 1:
        raise InputError(f"The limit is {limit}, needed is 1 or more.")
    text, word = _checked(query)
    with _opened(settings) as (client, url), _one_line():
        frame = _listing(client, text) if word in _OTHERS else _select(client, url, text, limit + 1)
    shown = frame.head(limit)
    shown.attrs["more"] = len(frame) > limit
    return shown


def table(frame: pd.DataFrame) -> str:
    """Return what :func:`run` found as text for a terminal.

    Parameters
    ----------
    frame : DataFrame
        From :func:`run`.

    Examples
    --------
    >>> print(table(pd.DataFrame({"day": ["Monday", "Friday"], "users": [7, 12]})))
       day  users
    Monday      7
    Friday     12
    """
    if frame.empty:
        return f"No rows. Columns: {', '.join(map(str, frame.columns))}."
    if frame.shape[1] == 1 and pd.api.types.is_string_dtype(frame.dtypes.iloc[0]):
        # A plan or a statement is indented, so it must not be aligned to the right.
        text = "\n".join(map(str, [*frame.columns, *frame.iloc[:, 0]]))
    else:
        text = frame.to_string(index=False)
    return text + (
        f"\nThe first {len(frame)} rows; there are more." if frame.attrs.get("more") else ""
    )


def _checked(query: str) -> tuple[str, bytes]:
    """Return a query without its end and its first word, if it is one that only reads."""
    text = httpquery.trimmed(query.encode())
    word = httpquery.first_word(text)
    if not word:
        raise InputError('The query is empty; needed is one such as QUERY="SELECT 1".')
    if word not in _QUERIES | _OTHERS:
        allowed = ", ".join(sorted(name.decode() for name in _QUERIES | _OTHERS))
        raise InputError(
            f"explore only reads: the query begins with {word.decode('utf-8', 'replace')[:40]}, "
            f"needed is one of {allowed}."
        )
    if found := _FORMAT.search(text.decode()):
        raise InputError(f"Leave out {found[0]} at the end; explore shows a table.")
    if _SETTINGS.search(text.decode()):
        # The wrapped query would run, and without a word not follow them.
        raise InputError(
            "Leave out SETTINGS at the end; a connection that only reads changes none."
        )
    try:
        httpquery.refuse_what_no_server_does(text)
    except httpquery.Refused as refused:
        raise InputError(f"explore only reads, one statement at a time: {refused}") from None
    return text.decode(), word


def _listing(client: Client, text: str) -> pd.DataFrame:
    result = client.query(text)
    cells = zip(result.column_names, result.result_columns, strict=True)
    return pd.DataFrame({name: list(of_one) for name, of_one in cells})


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Client, str]]:
    """Open the warehouse for reading, by a client and by the address for pandahouse."""
    address = parse_dsn(settings.warehouse, "NBTOOLS_WAREHOUSE")
    options = {"database": address.database, "wait_end_of_query": "1"}
    if address.path:
        with (
            bridge.listen(settings) as url,
            open_client(settings, "warehouse", readonly=True) as client,
        ):
            client.database = address.database
            yield client, f"{url}/?{urlencode({**options, 'user': httpquery.READER})}"
        return
    with open_client(settings, "warehouse", readonly=True) as client:
        client.database = address.database
        if client.get_client_setting("readonly"):
            options["readonly"] = "1"
        # In this place requests turns it into a header, so that no log or error shows it.
        login = f"{quote(address.user, safe='')}:{quote(address.password, safe='')}"
        host = f"[{address.host}]" if ":" in address.host else address.host
        place = f"{address.interface}://{login}@{host}:{address.port}"
        yield client, f"{place}/?{urlencode(options)}"


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn what the server says about a query into one line."""
    try:
        yield
    except ClickHouseError as error:
        if getattr(error, "code", None) is None:
            raise WarehouseError(f"The query got no answer: {_shortened(str(error))}") from None
        raise _refused(str(error)) from None


def _refused(text: str) -> InputError:
    found = _ERROR.search(text)
    return InputError(f"ClickHouse refused the query: {_shortened(found[1] if found else text)}")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_ERROR else line[: _LONGEST_ERROR - 1] + "…"


def _select(client: Client, url: str, text: str, limit: int) -> pd.DataFrame:
    columns = describe(client, text, {})
    names = [name for name, _ in columns]
    inner = f"FROM (\n{text}\n) LIMIT {limit}"
    if len(set(names)) < len(names):
        # Columns of one name cannot be told apart, so they travel as they are.
        return query_frame(client, f"SELECT * {inner}", {})[0]
    ways = [_carried(kind) for _, kind in columns]
    expressions = [
        f"{way.expression.format(_quoted(name))} AS c{number}"
        for number, (name, way) in enumerate(zip(names, ways, strict=True))
    ]
    wrapped = f"SELECT {', '.join(expressions)} {inner}"
    frame = _by_pandahouse(url, wrapped) if all(way.by_pandahouse for way in ways) else None
    if frame is None:
        frame, _ = query_frame(client, wrapped, {})
    return pd.DataFrame(
        {
            name: way.back(frame[f"c{number}"])
            for number, (name, way) in enumerate(zip(names, ways, strict=True))
        }
    )


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _carried(kind: str) -> _Carried:
    """Return how a type travels without loss."""
    plain = re.sub(r"^LowCardinality\((.*)\)$", r"\1", kind)
    for pattern, carried in _WAYS:
        if re.match(pattern, plain):
            return carried
    return _Carried("{}", _as_it_is, by_pandahouse=False)


def _by_pandahouse(url: str, text: str) -> pd.DataFrame | None:
    """Return what pandahouse reads; None where it cannot, and another should."""
    if pandahouse is None or len(quote(text)) > _LONGEST_ADDRESS:
        return None
    braced = text.replace("{", "{{").replace("}", "}}")
    try:
        # Without these two, a quote sign would swallow rows and an empty text vanish.
        frame = pandahouse.read_clickhouse(
            braced, connection={"host": url}, quoting=csv.QUOTE_NONE, skip_blank_lines=False
        )
    except pandahouse.http.ClickhouseException as error:
        raise _refused(error.args[0].decode("utf-8", "replace")) from None
    except (requests.RequestException, ValueError, KeyError):
        # Such as bytes that are no text, or a proxy between here and the loopback.
        return None
    assert isinstance(frame, pd.DataFrame)
    return frame
