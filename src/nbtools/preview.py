"""The book on a loopback port, built again when something it is made from changes.

A request is answered from the published copy that the link ``site`` names at that moment, so
a reader never sees a book that is being built, and keeps the last good one when a build
fails. Pages ask every second which copy is current and load themselves again when it is
another one.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from nbtools import book, inputs
from nbtools.errors import BookError, LockedError, SettingsError
from nbtools.progress import say
from nbtools.settings import PROJECT, Settings

_PAUSE_SECONDS = 0.5
_CURRENT = "/.current"
_RELOAD = b"""<script>
(() => {
  let seen;
  setInterval(async () => {
    const answer = await fetch("/.current").then(found => found.text()).catch(() => seen);
    if (seen && answer !== seen) location.reload();
    seen = answer;
  }, 1000);
})();
</script></body>"""


class _Pages(SimpleHTTPRequestHandler):
    """Files of the site, pages with the script that loads them again."""

    def do_GET(self) -> None:
        """Answer with a file, a page, or the name of the current copy."""
        if self.path == _CURRENT:
            self._send(str(Path(self.directory).resolve()).encode(), "text/plain")
            return
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() and self.path.endswith("/") else path
        if path.suffix == ".html" and path.is_file():
            self._send(path.read_bytes().replace(b"</body>", _RELOAD), "text/html; charset=utf-8")
        else:
            super().do_GET()

    def end_headers(self) -> None:
        """Keep browsers from answering out of what they remember."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        """Say nothing of each request."""


@contextmanager
def serving(site: Path, port: int) -> Iterator[str]:
    """Serve a built book on the loopback interface for the length of the block.

    Parameters
    ----------
    site : Path
        The link to the published copy.
    port : int
        The port, 0 for any free one.

    Yields
    ------
    str
        The address of the landing page.

    Raises
    ------
    SettingsError
        If the port is taken.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, directory=str(site)))
    except OSError as error:
        raise SettingsError(
            f"Cannot serve on port {port}: {error.strerror}; set PORT to another one."
        ) from None
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def run(
    settings: Settings,
    port: int,
    *,
    project: Path = PROJECT,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Serve the book and build it again on change, until stopped.

    Parameters
    ----------
    settings : Settings
        Where things are.
    port : int
        Port on the loopback interface, 0 for any free one.
    project : Path
        The checkout, whose pages are watched.
    pause : callable
        Waits some seconds between two looks at the files; what it raises ends the preview.

    Raises
    ------
    BookError
        If there is no book yet and it cannot be built.
    SettingsError
        If the port is taken.
    """
    if not (settings.home / "site" / "index.html").is_file():
        say("preview: building the book ...")
        book.build(settings, project=project)
    with serving(settings.home / "site", port) as address:
        say(f"preview: {address} (stop with Ctrl+C)")
        while True:
            if newer := inputs.changed(settings, project=project):
                _rebuild(settings, newer, project)
            pause(_PAUSE_SECONDS)


def _rebuild(settings: Settings, newer: Path, project: Path) -> None:
    say(f"preview: {newer.name} changed, building ...")
    try:
        book.build(settings, project=project)
    except (BookError, LockedError) as error:
        say(f"preview: {error} The last good book stays.")
    else:
        say("preview: built.")
