"""The rejected rows of a log, as a file for people: where, why, and what was read."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nbtools import translation
from nbtools.warehouse import Connection

_PAGE = 10_000  # rows in memory at a time
_HEADER = ("log", "file", "line", "reason", "fields")


class _Reject(NamedTuple):
    """A row of ``rejects.sql``."""

    file: int
    line: int
    reason: str
    is_unreadable: int
    fields: list[str]


def write(
    db: Connection,
    path: Path,
    files: Mapping[str, Sequence[Path]],
    names: Mapping[str, list[str]],
) -> None:
    """Write the rejected rows of all logs, or remove the file when there are none.

    Parameters
    ----------
    db : Connection
        With the staging tables of a load.
    path : Path
        The file: columns log, file, line, reason, and the row's fields as JSON.
    files : mapping of sequences of Path
        Files of each log.
    names : mapping of lists of str
        Columns of each log.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    count = 0
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for log, columns in names.items():
            for row in _rejected(db, log):
                # A row that could not be read has no columns to name its fields by.
                shown = (
                    row.fields
                    if row.is_unreadable
                    else dict(zip(columns, row.fields, strict=False))
                )
                text = json.dumps(shown, ensure_ascii=False)
                name = files[log][row.file].name
                writer.writerow([log, name, row.line, row.reason, text])
                count += 1
    if count:
        part.replace(path)
    else:
        part.unlink()
        path.unlink(missing_ok=True)


def _rejected(db: Connection, log: str) -> Iterator[_Reject]:
    file, line = 0, 0
    while True:
        page = db.frame(
            "load/rejects",
            log=log,
            table=translation.staging_table(log),
            after_file=file,
            after_line=line,
            limit=_PAGE,
        )
        for cells in page.itertuples(index=False, name=None):
            row = _Reject(*cells)
            file, line = int(row.file), int(row.line)
            yield row
        if len(page) < _PAGE:
            return
