"""Files of a real log, read in batches: every value is text, every row knows its line.

CSV, TSV, JSON lines and Parquet, plain, gzipped or zipped. Python's own readers are used
because the line number of a bad row must be that of the file, also when quoted fields
run over several lines.
"""

import csv
import gzip
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from nbtools.errors import InputError
from nbtools.mapping import Log

_CELLS = 400_000  # of a batch: what is in memory at a time
_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
_MAGIC = {b"\x1f\x8b": ".gz", b"PK\x03\x04": ".zip", b"PK\x05\x06": ".zip"}


class Row(NamedTuple):
    """One row of a log.

    Attributes
    ----------
    line : int
        Where it begins, counted from 1: the line of a text, the row of a Parquet file.
    fields : list of str
        Its values in the order of the names; what is missing is empty.
    problem : str
        Why it is no row of this log; empty when it is one.
    """

    line: int
    fields: list[str]
    problem: str = ""


def find(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a log in the order of their names.

    Parameters
    ----------
    folder : Path
        Where relative paths start.
    pattern : str
        Path, or one whose last part has ``*``, ``?`` or ``[``.

    Raises
    ------
    InputError
        If there is none.
    """
    path = folder / Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise InputError(f"{path} is a folder; needed is a file, or a pattern such as *.csv.gz.")
    found = sorted(item for item in path.parent.glob(path.name) if item.is_file())
    if not found:
        raise InputError(f"There is no file {path}; set --data, NBTOOLS_REALDATA or the key file.")
    return found


def read(path: Path, log: Log, names: list[str]) -> Iterator[list[Row]]:
    """Yield the rows of a file in batches.

    Parameters
    ----------
    path : Path
        The file.
    log : Log
        How it is read.
    names : list of str
        The log's columns; filled from the first file before its first batch, and compared
        with those of the next ones. Keys of JSON lines are added as they come.

    Yields
    ------
    list of Row
        A batch.

    Raises
    ------
    InputError
        If the file is not what the log says.
    """
    with _one_line(path), _unpacked(path) as (binary, name):
        for batch in _batches(path, binary, name, log, names):
            _check_text(path, batch)
            yield batch


def kind_of(path: Path, log: Log) -> str:
    """Return a file's format: csv, tsv, jsonl or parquet.

    Parameters
    ----------
    path : Path
        The file.
    log : Log
        How it is read.

    Raises
    ------
    InputError
        If it is neither set nor told by the file's name.
    """
    with _one_line(path), _unpacked(path) as (_, name):
        return _kind(name, log)


def _kind(name: str, log: Log) -> str:
    kind = log.format or _FORMATS.get(Path(name).suffix.lower())
    if kind is None:
        raise InputError(
            f"The format of {name} cannot be told from its name; "
            "set format: csv, tsv, jsonl or parquet in the mapping."
        )
    return kind


def _batches(
    path: Path, binary: IO[bytes], name: str, log: Log, names: list[str]
) -> Iterator[list[Row]]:
    kind = _kind(name, log)
    if kind == "parquet":
        yield from _grouped(_parquet(path, binary, names), names)
        return
    with io.TextIOWrapper(binary, log.encoding, errors="surrogateescape", newline="") as text:
        lines = (
            _json(path, text, names) if kind == "jsonl" else _table(path, text, kind, log, names)
        )
        yield from _grouped(lines, names)


def _grouped(rows: Iterator[Row], names: list[str]) -> Iterator[list[Row]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) * max(len(names), 1) >= _CELLS:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn what the readers raise into one line about the file."""
    try:
        yield
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error, pa.ArrowException) as error:
        raise InputError(f"Cannot unpack {path}: {_line(error)}; is it whole?") from None
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"Cannot decode {path}: {_line(error)}; set encoding.") from None
    except (RuntimeError, NotImplementedError) as error:  # of zipfile: encrypted, odd method
        raise InputError(f"Cannot unpack {path}: {_line(error)}.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or _line(error)}.") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """Open a file, unpacked, with the name of what is in it."""
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        packing = _MAGIC.get(start[:2]) or _MAGIC.get(start) or ""
        named = path.suffix.lower() if path.suffix.lower() in {".gz", ".zip"} else ""
        if not start:
            raise InputError(f"{path} is empty.")
        if named != packing:
            raise InputError(
                f"{path} is {packing or 'no ' + named}{' by its content' if packing else ' file'}; "
                f"{'name it so' if packing else 'name it without ' + named}."
            )
        if packing == ".gz":
            with gzip.open(file) as inner:
                yield cast("IO[bytes]", inner), path.stem
        elif packing == ".zip":
            with zipfile.ZipFile(file) as archive, archive.open(_member(path, archive)) as member:
                yield member, member.name
        else:
            yield file, path.name


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    found = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/")
    ]
    if len(found) != 1:
        raise InputError(f"{path} holds {len(found)} files, needed is one; unpack it.")
    return found[0]


def _agree(path: Path, found: list[str], names: list[str]) -> None:
    """Take a file's columns, or compare them with those of the files before it."""
    found = [name.strip() or f"column{number}" for number, name in enumerate(found, 1)]
    shown = ", ".join(found)[:300]
    if not shown.isprintable():
        raise InputError(f"{path} does not begin with text in the set encoding: {shown[:60]!r}.")
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled:
        raise InputError(f"{path} has {len(doubled)} columns twice, such as {doubled[0]!r}.")
    if not names:
        names += found
    elif names != found:
        raise InputError(f"{path} has columns {shown}, the files before it {', '.join(names)}.")


def _table(path: Path, text: IO[str], kind: str, log: Log, names: list[str]) -> Iterator[Row]:
    reader = csv.reader(
        text,
        delimiter=log.delimiter or ("\t" if kind == "tsv" else ","),
        quotechar=log.quote or None,
        quoting=csv.QUOTE_MINIMAL if log.quote else csv.QUOTE_NONE,
        strict=True,
    )
    if log.names:
        _agree(path, list(log.names), names)
    else:
        header = next(_records(path, reader), None)
        if header is None or header.problem:
            raise InputError(
                f"{path} has no header: {header.problem if header else 'it is empty'}."
            )
        _agree(path, header.fields, names)
    width = len(names)
    for row in _records(path, reader):
        if row.problem or len(row.fields) == width:
            yield row
        else:
            problem = f"has {len(row.fields)} fields instead of {width}"
            yield Row(row.line, row.fields, problem)


def _records(path: Path, reader: Any) -> Iterator[Row]:
    """Yield the records that are not blank, as they are."""
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "field limit" in str(error) or "unexpected end" in str(error):
                raise InputError(
                    f"{path}: the quoted field that begins in line {line} does not end; "
                    "if quotes are plain text in this log, set quote: ''."
                ) from None
            yield Row(line, [], f"is not {reader.dialect.delimiter!r} separated: {_line(error)}")
            continue
        if fields is None:
            return
        if fields:
            yield Row(line, fields)


def _json(path: Path, text: IO[str], names: list[str]) -> Iterator[Row]:
    places = {name: place for place, name in enumerate(names)}
    for line, content in enumerate(text, 1):
        if line == 1 and content.lstrip().startswith("["):
            raise InputError(f"{path} is a JSON array; needed is one object per line.")
        if not content.strip():
            continue
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            yield Row(line, [content.rstrip("\r\n")], "is no JSON object")
            continue
        new = [name for name in found if name not in places]
        places.update(zip(new, range(len(places), len(places) + len(new)), strict=True))
        names += new
        fields = [""] * len(names)
        for name, value in found.items():
            fields[places[name]] = _plain(value)
        yield Row(line, fields)


def _plain(value: object) -> str:
    """Return a JSON value as text, null as empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _parquet(path: Path, binary: IO[bytes], names: list[str]) -> Iterator[Row]:
    with tempfile.TemporaryFile() as copy:
        # Parquet is read from its end, which a packed file cannot do.
        if not isinstance(binary, io.BufferedReader):
            while block := binary.read(1 << 20):
                copy.write(block)
            binary = cast("IO[bytes]", copy)
        file = pq.ParquetFile(binary)
        _agree(path, file.schema_arrow.names, names)
        line = 0
        for batch in file.iter_batches(batch_size=max(_CELLS // len(names), 1)):
            for fields in zip(*map(_texts, batch.columns), strict=True):
                line += 1
                yield Row(line, list(fields))


def _texts(column: pa.Array) -> list[str]:
    """Return an Arrow column as texts."""
    if pa.types.is_nested(column.type):
        return [_plain(value) for value in column.to_pylist()]
    return [value or "" for value in column.cast(pa.string()).to_pylist()]


def _check_text(path: Path, batch: list[Row]) -> None:
    """Refuse bytes that the encoding does not know; they came as lone surrogates."""
    for row in batch:
        for field in row.fields:
            if not field.isascii():
                try:
                    field.encode()
                except UnicodeEncodeError:
                    raise InputError(
                        f"{path} line {row.line} is no text in the set encoding "
                        f"({field[:60]!r}); set encoding, such as latin-1."
                    ) from None


def to_arrow(batch: list[Row], file: int) -> pa.Table:
    """Return a batch as rows of the staging table.

    Parameters
    ----------
    batch : list of Row
        The rows.
    file : int
        Number of the file within the log.
    """
    return pa.table(
        {
            "__file": pa.array([file] * len(batch), pa.uint16()),
            "__line": pa.array([row.line for row in batch], pa.uint64()),
            "__problem": pa.array([row.problem for row in batch], pa.string()),
            "__fields": pa.array([row.fields for row in batch], pa.list_(pa.string())),
        }
    )
