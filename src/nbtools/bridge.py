"""The embedded warehouse behind a loopback port that speaks ClickHouse's HTTP interface.

It exists because pandahouse, Superset and ``curl`` speak only HTTP, and because one
process at a time may open the embedded engine: with the bridge, many may use it. Each
request stands alone and has an engine handle of its own. An answer is complete or an
error, never the beginning of one.
"""

import ipaddress
import json
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chdb

from nbtools import httpquery
from nbtools.dsn import parse_dsn
from nbtools.engine import statement
from nbtools.errors import InputError
from nbtools.httpanswer import run
from nbtools.httpquery import Refused
from nbtools.progress import say
from nbtools.settings import Settings
from nbtools.warehouse import open_warehouse

_GRACE_SECONDS = 10.0


class _Server(ThreadingHTTPServer):
    """A server that knows its connections and its requests, so that it can end both."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, path: Path, zone: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.path, self.zone = path, zone
        self.ending = False
        self.changed = threading.Condition()
        self.busy = 0
        self.connections: dict[socket.socket, threading.Thread] = {}
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def server_bind(self) -> None:
        # The HTTP server's own method also asks the network for this machine's name.
        socketserver.TCPServer.server_bind(self)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.connections[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that went away is no event."""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request while it is worked on."""
        with self.changed:
            self.busy += 1
        try:
            yield
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def finish(self, grace: float) -> None:
        """Let requests end, cancel those that do not, and close every connection.

        Parameters
        ----------
        grace : float
            Seconds for it all; half of them pass before anything is cancelled.
        """
        self.ending = True
        self.shutdown()
        deadline = time.monotonic() + grace
        with self.changed:
            ended = self.changed.wait_for(lambda: not self.busy, grace / 2)
        if not ended:
            with closing(chdb.connect(str(self.path))) as handle:
                handle.query(statement("system/kill_queries"), "Null")
            with self.changed:
                self.changed.wait_for(lambda: not self.busy, deadline - time.monotonic())
        for connection, thread in list(self.connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(max(deadline - time.monotonic(), 1.0))
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests in, answers out."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "nbtools"
    sys_version = ""
    # Head and body in one segment: in two, each answer would wait for an acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    timeout = 600

    def do_GET(self) -> None:
        """Answer a query in the address, or say that all is well."""
        with self.server.request():
            self._answer()

    def do_POST(self) -> None:
        """Answer a query in the address, the body, or both."""
        with self.server.request():
            self._answer()

    def handle_expect_100(self) -> bool:
        """Tell the client to go on, at once."""
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def log_message(self, *_: object) -> None:
        """Keep no log: addresses hold statements."""

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError as error:
            # What follows on this connection cannot be told from the body.
            self.close_connection = True
            self._send(400, f"{error}\n".encode())
            return
        try:
            self._only_from_here()
            path = urlsplit(self.path).path
            if path == "/ping":
                self._send(200, b"Ok.\n")
            elif path not in {"", "/"}:
                self._send(404, f"There is no handle {path}; use / or /ping.\n".encode())
            else:
                self._query(body)
        except Refused as refused:
            version = f" (version {chdb.engine_version})\n"
            self._send(
                refused.status,
                (refused.text + version).encode("utf-8", "replace"),
                {"X-ClickHouse-Exception-Code": str(refused.code)},
            )

    def _query(self, body: bytes) -> None:
        query = httpquery.read(self.command, self.path, self.headers, body)
        if query is None:
            self._send(200, b"Ok.\n")
            return
        if self.server.ending:
            raise Refused(236, "ABORTED", "The bridge is shutting down")
        answer = run(self.server.path, query)
        headers = {
            "X-ClickHouse-Summary": json.dumps(answer.summary),
            "X-ClickHouse-Timezone": self.server.zone,
        }
        if query.has_result:
            headers["X-ClickHouse-Format"] = query.result_format
        self._send(200, answer.body, headers)

    def _only_from_here(self) -> None:
        """Refuse what a web page elsewhere could make a browser here send."""
        origin = urlsplit(self.headers.get("Origin", "")).hostname
        host = urlsplit("//" + self.headers.get("Host", "127.0.0.1")).hostname
        site = self.headers.get("Sec-Fetch-Site", "none")
        if not (_is_loopback(origin or "127.0.0.1") and _is_loopback(host or "")):
            raise Refused(497, "ACCESS_DENIED", "The bridge serves this machine only")
        if site not in {"none", "same-origin"}:
            raise Refused(497, "ACCESS_DENIED", "The bridge serves no other site's pages")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise ValueError(f"Content-Length is {length!r}, needed is a number.")
        return self._exactly(int(length))

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self.rfile.readline(1024)
            size, _, _ = line.partition(b";")
            try:
                count = int(size, 16)
            except ValueError:
                raise ValueError("The chunked body is broken.") from None
            if not count:
                break
            yield self._exactly(count)
            self.rfile.readline(1024)
        while self.rfile.readline(1024).strip():
            pass

    def _exactly(self, count: int) -> bytes:
        body = self.rfile.read(count)
        if len(body) < count:
            raise ValueError(f"The body ends after {len(body)} of {count} bytes.")
        return body

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        if self.server.ending:
            self.close_connection = True
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def listen(settings: Settings, port: int = 0, *, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the embedded warehouse for the length of the block.

    Parameters
    ----------
    settings : Settings
        Where the warehouse is.
    port : int
        The port; 0 takes a free one.
    host : str
        An address of the loopback.

    Yields
    ------
    str
        Address of the bridge, such as ``http://127.0.0.1:8123``.

    Raises
    ------
    InputError
        If the address is not on the loopback, the port cannot be had, or the warehouse
        is a server already.
    LockedError
        If the embedded warehouse stays locked.
    """
    address = parse_dsn(settings.warehouse, "NBTOOLS_WAREHOUSE")
    if address.path is None:
        raise InputError(
            f"NBTOOLS_WAREHOUSE is the server {address.place} already; only an embedded "
            "warehouse (chdb://) needs a bridge."
        )
    if not _is_loopback(host):
        raise InputError(
            f"The bridge has no passwords and listens on the loopback only, not on {host}; "
            "use 127.0.0.1 or ::1."
        )
    with open_warehouse(settings) as db:
        server = _listening(host, port, address.path, str(db.client.server_tz))
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.finish(_GRACE_SECONDS)
            thread.join()


def _listening(host: str, port: int, path: Path, zone: str) -> _Server:
    try:
        return _Server("127.0.0.1" if host == "localhost" else host, port, path, zone)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "there are 65535 ports"
        raise InputError(
            f"Cannot listen on {host} port {port}: {reason}; choose another port (PORT=)."
        ) from None


def serve(settings: Settings, port: int, *, host: str = "127.0.0.1") -> None:
    """Serve the embedded warehouse until SIGINT or SIGTERM; call it from the main thread.

    Parameters
    ----------
    settings : Settings
        Where the warehouse is.
    port : int
        The port; 0 takes a free one.
    host : str
        An address of the loopback.

    Raises
    ------
    InputError, LockedError
        As :func:`listen` does.
    """
    with listen(settings, port, host=host) as url, _until_told() as stop:
        place = urlsplit(url).netloc
        say(f"The warehouse is served at {url}, users default and {httpquery.READER}.")
        say(f"Until Ctrl-C, other commands need NBTOOLS_WAREHOUSE=clickhouse://{place} or wait.")
        # Short waits, so that a signal is heard on every platform.
        while not stop.wait(0.5):
            pass
        say("Stopping: running statements may end, then the warehouse is free.")


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    # Only now: while it waits for the lock, a signal ends the process as usual.
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
