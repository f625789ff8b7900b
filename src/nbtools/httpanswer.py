"""A query of ClickHouse's HTTP interface, answered by the embedded engine."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import chdb

from nbtools.httpquery import READER, Query, Refused

_ERROR = re.compile(
    r"Code: (\d+)\. (.*?) ?\(([A-Z][A-Z0-9_]+)\)(?: \(version [^)]*\))?$", re.DOTALL
)
_LONGEST_ERROR = 10_000


class Answer(NamedTuple):
    """What the engine said.

    Attributes
    ----------
    body : bytes
        The rows in the format that was asked for.
    summary : dict of str
        What the statement cost, under the names of ``X-ClickHouse-Summary``.
    """

    body: bytes
    summary: dict[str, str]


def run(path: Path, query: Query) -> Answer:
    """Run a query on a handle of its own.

    Parameters
    ----------
    path : Path
        Folder of the embedded engine, which this process has open already.
    query : Query
        What to run.

    Returns
    -------
    Answer
        The whole of it.

    Raises
    ------
    Refused
        If the engine refuses.
    """
    with closing(chdb.connect(str(path))) as handle:
        try:
            _prepare(handle, query)
            if query.data_format:
                return _insert(handle, query)
            result = handle.query(query.text, query.output_format, params=query.values)
        except RuntimeError as error:
            raise _refusal(str(error)) from None
        return Answer(result.bytes() or b"", _summary(result))


def _prepare(handle: Any, query: Query) -> None:
    def change(name: str, value: str) -> None:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        handle.query(f"SET {name} = '{quoted}'", "Null")

    handle.query(
        "USE `{}`".format(query.database.replace("\\", "\\\\").replace("`", "\\`")), "Null"
    )
    if not query.may_write:
        if query.first_word == b"KILL":
            raise Refused(164, "READONLY", f"{READER}: Cannot execute query in readonly mode.")
        change("readonly", "1")
    # A streamed insert takes no values of its own.
    for name, value in query.values.items() if query.data_format else ():
        change(f"param_{name}", value)
    # Read only comes last, for it forbids every other change.
    for name in sorted(query.settings, key=lambda name: (name == "readonly", name)):
        if query.may_write or (name, query.settings[name]) != ("readonly", "1"):
            change(name, query.settings[name])


def _insert(handle: Any, query: Query) -> Answer:
    try:
        with handle.send_insert(query.text.decode(), query.data_format) as inserter:
            inserter.append(query.data)
            done = inserter.finish()
    except UnicodeDecodeError:
        raise Refused(62, "SYNTAX_ERROR", "The statement is not UTF-8") from None
    summary = {"written_rows": str(done.rows_written), "written_bytes": str(done.bytes_written)}
    return Answer(b"", {**summary, "elapsed_ns": str(int(done.elapsed * 1e9))})


def _summary(result: Any) -> dict[str, str]:
    counts = {
        "read_rows": result.storage_rows_read(),
        "read_bytes": result.storage_bytes_read(),
        "written_rows": result.rows_written(),
        "written_bytes": result.bytes_written(),
        "result_rows": result.rows_read(),
        "result_bytes": result.bytes_read(),
        "elapsed_ns": int(result.elapsed() * 1e9),
    }
    return {name: str(value) for name, value in counts.items()}


def _refusal(text: str) -> Refused:
    found = _ERROR.search(text.strip())
    if not found:
        return Refused(1002, "UNKNOWN_EXCEPTION", text[:_LONGEST_ERROR])
    reason = found[2].removeprefix("DB::Exception: ")
    return Refused(int(found[1]), found[3], reason[:_LONGEST_ERROR])
