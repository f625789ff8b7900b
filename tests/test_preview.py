"""The preview: whole pages only, built again on change, the last good book when that fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from nbtools import preview
from nbtools.errors import SettingsError
from nbtools.settings import Settings
from tests import books


class _Stopped(Exception):  # noqa: N818 -- the end that the test asks for
    pass


@contextmanager
def previewing(home: Settings, project: Path) -> Iterator[None]:
    """Run the preview in a thread for the length of the block."""
    stop = threading.Event()

    def pause(seconds: float) -> None:
        if stop.is_set():
            raise _Stopped
        time.sleep(seconds / 5)

    def run() -> None:
        with pytest.raises(_Stopped):
            preview.run(home, 0, project=project, pause=pause)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_the_preview_follows_a_page_and_outlives_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = books.copy_project(tmp_path)
    about = project / "book" / "about.md"
    text = about.read_text("utf-8")
    with previewing(Settings(home=tmp_path / "home"), project):
        address = _said(capsys, "http://").partition(" (")[0].removeprefix("preview: ")
        page = requests.get(f"{address}about.html", timeout=10).text
        assert "How this book is made" in page
        assert "/.current" in page
        first = requests.get(f"{address}.current", timeout=10).text
        about.write_text(f"{text}\nA sentence more.\n", "utf-8")
        assert _read_until(address, "A sentence more.") == []
        assert requests.get(f"{address}.current", timeout=10).text != first
        _said(capsys, "built.")
        about.write_text(f"{text}\nSee [nothing](/nowhere.md).\n", "utf-8")
        assert "The last good book stays." in _said(capsys, "nowhere")
        assert "A sentence more." in requests.get(f"{address}about.html", timeout=10).text


def _said(capsys: pytest.CaptureFixture[str], what: str) -> str:
    """Wait for a line of the preview."""
    lines: list[str] = []
    for _ in range(600):
        lines += capsys.readouterr().err.splitlines()
        for line in lines:
            if what in line:
                return line
        time.sleep(0.1)
    raise AssertionError(f"no {what} in {lines}")


def _read_until(address: str, what: str) -> list[str]:
    """Read a page until it says something, and return the answers that were not whole."""
    faults = []
    for _ in range(600):
        answer = requests.get(f"{address}about.html", timeout=10)
        if answer.status_code != 200 or not answer.text.rstrip().endswith("</html>"):
            faults.append(f"{answer.status_code} {answer.text[-80:]}")
        if what in answer.text:
            return faults
        time.sleep(0.1)
    raise AssertionError(f"the page never said {what}")


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with preview.serving(tmp_path, 0) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        with (
            pytest.raises(SettingsError, match=f"Cannot serve on port {port}: .*; set PORT"),
            preview.serving(tmp_path, port),
        ):
            pass


def test_the_preview_answers_as_a_file_server_does(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<body>landing</body>")
    (tmp_path / "style.css").write_text("body {}")
    with preview.serving(tmp_path, 0) as address:
        landing = requests.get(address, timeout=10)
        assert landing.text.startswith("<body>landing<script>")
        assert landing.headers["Cache-Control"] == "no-store"
        style = requests.get(f"{address}style.css", timeout=10)
        assert (style.text, style.headers["Content-Type"]) == ("body {}", "text/css")
        assert requests.get(f"{address}nowhere.html", timeout=10).status_code == 404
        outside = requests.get(f"{address}..%2f..%2fetc/passwd", timeout=10)
        assert outside.status_code == 404
