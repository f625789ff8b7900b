"""How a ClickHouse is opened: the embedded engine behind its lock, or a server.

Failures while opening and running become one line each. The rest of the package sees
only a client, and no difference between the two.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver._backend.httpcommon import summary_from_headers
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httpclient import HttpClient
from urllib3 import Timeout

from nbtools import locks
from nbtools.dsn import DATABASE, Address, parse_dsn
from nbtools.errors import SettingsError, WarehouseError
from nbtools.settings import Settings

_CONNECT_SECONDS = 10
_STATEMENT_SECONDS = 600
_WORD = re.compile(r"\w[\w.-]*")
_SYSTEM_REASON = re.compile(r"\[(?:Errno -?\d+|SSL: \w+)\] ([^'\"()]+?)\W*(?:\(|['\")])")
_SERVER_REASON = re.compile(r"DB::Exception: (.*?)(?: \(version |$)")
_CLIENT_REASON = re.compile(r"^Error (.*?) executing HTTP request")

# The client logs what it also raises; one line per failure is enough.
logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)


@cache
def statement(name: str) -> str:
    """Return the text of ``sql/<name>.sql``."""
    return files("nbtools").joinpath("sql", f"{name}.sql").read_text("utf-8")


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Turn the client's exceptions into one line that names the statement."""
    try:
        yield
    except ClickHouseError as error:
        text = " ".join(str(error).split())
        raise WarehouseError(f"ClickHouse refused {name}: {text[:600]}") from error


@contextmanager
def open_client(settings: Settings, which: str, *, readonly: bool) -> Iterator[Client]:
    """Open the warehouse or the source.

    Parameters
    ----------
    settings : Settings
        Where they are.
    which : {"warehouse", "source"}
        Which of the two.
    readonly : bool
        Whether the engine refuses to write; such a connection has no default database,
        because that of a source need not exist.

    Yields
    ------
    Client
        Closed at the end of the block.

    Raises
    ------
    LockedError
        If the embedded warehouse stays locked.
    SettingsError
        If a DSN or a folder cannot be used.
    WarehouseError
        If the engine cannot be opened or reached.
    """
    name = f"NBTOOLS_{which.upper()}"
    address = parse_dsn(getattr(settings, which), name)
    if address.path:
        opened = _embedded(address.path, settings, readonly=readonly)
    else:
        opened = _server(address, name, readonly=readonly)
    with opened as client:
        yield client


@contextmanager
def _embedded(path: Path, settings: Settings, *, readonly: bool) -> Iterator[Client]:
    _one_folder(settings)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"Cannot write the warehouse folder {path}: {error.strerror}; "
            "set NBTOOLS_HOME or NBTOOLS_WAREHOUSE to a folder you may write."
        ) from None
    lock = path.with_name(path.name + ".lock")
    with locks.hold(lock, _what(), wait=settings.lock_wait):
        client = _embedded_client(path)
        try:
            if not readonly:
                _use_database(client, DATABASE)
            else:
                client.set_client_setting("readonly", 1)
            yield client
        finally:
            client.close()


def _what() -> str:
    """Return what this process does, for those who wait for it."""
    program = Path(sys.argv[0]).name
    if program.startswith("ipykernel"):
        return "a notebook"
    # Only names: an option's value may be long or nobody's business.
    words = [word for word in sys.argv[1:3] if _WORD.fullmatch(word)]
    return " ".join([program, *words]).strip() or "python"


def _embedded_client(path: Path) -> Client:
    try:
        client = clickhouse_connect.get_client(interface="chdb", path=str(path))
    except ClickHouseError as error:
        raise WarehouseError(f"Cannot open the warehouse {path}: {_reason(str(error))}") from error
    # The backend reports the rows of the result as rows read; what a statement cost is
    # the rows read from tables.
    backend = client._backend  # type: ignore[attr-defined] # noqa: SLF001
    backend._summary = _storage_summary  # noqa: SLF001
    _note(client, "_run_with_settings", _storage_summary)
    return client


def _note(client: Client, method: str, summary: Callable[[Any], dict[str, Any]]) -> None:
    """Keep the summary of each answer, because the client drops that of a raw one."""
    backend = client._backend  # type: ignore[attr-defined] # noqa: SLF001
    ask = getattr(backend, method)

    def ask_and_note(*args: Any, **options: Any) -> Any:
        answer = ask(*args, **options)
        backend.last_summary = summary(answer)
        return answer

    setattr(backend, method, ask_and_note)


def last_summary(client: Client) -> dict[str, Any]:
    """Return what the last statement of a client has cost."""
    found: dict[str, Any] = getattr(client, "_backend").last_summary  # noqa: B009 -- not public
    return found


def _reason(text: str) -> str:
    if "already initialized with path" in text:
        return (
            "this process has another warehouse open, and the embedded engine opens one "
            "folder per process; close the other first, or use a ClickHouse server."
        )
    if "Error initializing EmbeddedServer" in text:
        return (
            "a program that takes no nbtools lock has it open, such as a Python console "
            "with chdb, or its files cannot be read or written; end that program, or see "
            "the engine's lines above."
        )
    return " ".join(text.split())[:300]


def _server_reason(text: str) -> str:
    """Return the innermost reason of a client's exception, which repeats those below it."""
    line = " ".join(text.split())
    for pattern in (_SYSTEM_REASON, _SERVER_REASON, _CLIENT_REASON):
        if found := pattern.search(line):
            return found[1]
    return line


def _storage_summary(result: Any) -> dict[str, Any]:
    return {
        "read_rows": str(result.storage_rows_read()),
        "read_bytes": str(result.storage_bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "elapsed_ns": str(int(result.elapsed() * 1e9)),
    }


def _one_folder(settings: Settings) -> None:
    paths = {
        parse_dsn(getattr(settings, which), f"NBTOOLS_{which.upper()}").path
        for which in ("warehouse", "source")
    } - {None}
    if len(paths) > 1:
        raise SettingsError(
            "NBTOOLS_WAREHOUSE and NBTOOLS_SOURCE are two chdb folders, the embedded "
            "engine opens one per process; use one folder, or a server for one of them."
        )


@contextmanager
def _server(address: Address, name: str, *, readonly: bool) -> Iterator[Client]:
    client = None
    try:
        client = clickhouse_connect.get_client(
            interface=address.interface,
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password,
            connect_timeout=_CONNECT_SECONDS,
            # A server that accepts and stays silent must not hold the opening for long.
            send_receive_timeout=_CONNECT_SECONDS,
            autogenerate_session_id=False,
        )
        assert isinstance(client, HttpClient)
        _note(client, "request", lambda answer: summary_from_headers(answer.headers))
        client.timeout = Timeout(connect=_CONNECT_SECONDS, read=_STATEMENT_SECONDS)
        if readonly:
            _set_readonly(client)
        else:
            _use_database(client, address.database)
    except ClickHouseError as error:
        if client is not None:
            client.close()
        reason = _server_reason(str(error)).replace(address.password or "\0", "***")
        raise WarehouseError(
            f"Cannot open ClickHouse at {address.place} ({name}): {reason[:300].rstrip('.')}."
        ) from None
    try:
        yield client
    finally:
        client.close()


def _set_readonly(client: Client) -> None:
    # A user who may only read anyway may not change this setting, not even to be safer.
    if client.server_settings["readonly"].value == "0":
        client.set_client_setting("readonly", 1)


def _use_database(client: Client, name: str) -> None:
    # Created only when it is missing: many users may use a database but create none.
    found = client.query(statement("system/databases"), parameters={"name": name})
    if not found.result_rows:
        client.command(statement("system/create_database"), parameters={"name": name})
    client.database = name
