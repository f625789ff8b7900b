"""Debian's chromium, headless: screenshots, the rendered page, what it fetched."""

import json
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=8000",
)
_TIMEOUT = 60
_FRAME = """<!doctype html><meta charset="utf-8"><title>phone</title>
<style>body{{margin:0}}iframe{{border:0;display:block}}</style>
<iframe src="{address}" width="{width}" height="{height}"></iframe>"""
_TELL = """<script>
addEventListener("load", () => setTimeout(() => {
  parent.postMessage(EXPRESSION, "*");
}, 500));
</script></body>"""
_HEAR = """<script>
addEventListener("message", event => document.body.setAttribute("data-measured", event.data));
</script><iframe"""


def require() -> None:
    """Fail in one line where the browser is missing."""
    assert CHROMIUM.exists(), "These tests need Debian's chromium: apt-get install chromium"


def _run(*arguments: str) -> str:
    require()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        ended = subprocess.run(
            [str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        )
    return ended.stdout


def screenshot(page: Path, picture: Path, *, width: int = 1280, height: int = 1600) -> None:
    """Draw a page; narrow ones in a frame, because a window has a least width."""
    address, window = page.as_uri(), max(width, 500)
    if width < 500:
        frame = page.with_name(f"frame-{width}-{page.name}")
        frame.write_text(_FRAME.format(address=page.name, width=width, height=height))
        address = frame.as_uri()
    _run(f"--window-size={window},{height}", f"--screenshot={picture}", address)


def dark(page: Path) -> Path:
    """Return a copy of a page, beside it, that opens in dark mode."""
    copy = page.with_name(f"dark-{page.name}")
    text = page.read_text("utf-8")
    mode = (
        '<script>localStorage.setItem("mode","dark");localStorage.setItem("theme","dark")</script>'
    )
    copy.write_text(text.replace("<head>", f"<head>{mode}", 1), "utf-8")
    return copy


def measured(page: Path, expression: str, *, width: int = 390) -> int:
    """Return the number that a script finds in a page in a window of that width."""
    # A frame of a file is another origin, so the page itself has to tell.
    inner = page.with_name(f"telling-{page.name}")
    tell = _TELL.replace("EXPRESSION", expression)
    inner.write_text(page.read_text("utf-8").replace("</body>", tell), "utf-8")
    frame = page.with_name(f"hearing-{page.name}")
    text = _FRAME.format(address=inner.name, width=width, height=900)
    frame.write_text(text.replace("<iframe", _HEAR), "utf-8")
    found = dump_dom(frame).partition('data-measured="')[2].partition('"')[0]
    assert found, f"{page.name} did not load in the frame"
    return int(found)


def wider_by(page: Path, *, width: int = 390) -> int:
    """Return by how many pixels a page is wider than a window of that width."""
    root = "document.documentElement"
    return measured(page, f"{root}.scrollWidth - {root}.clientWidth", width=width)


def dump_dom(page: Path, *, query: str = "") -> str:
    """Return the page after its scripts ran, asked for with a query."""
    return _run("--dump-dom", page.as_uri() + (f"?{query}" if query else ""))


def fetched(page: Path) -> set[str]:
    """Return the addresses on the network that a page made the browser ask for."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "net.json"
        _run(f"--log-net-log={log}", "--dump-dom", page.as_uri())
        events = json.loads(log.read_text("utf-8"))["events"]
    requests = [event["params"] for event in events if "initiator" in event.get("params", {})]
    # What the browser asks for on its own account, such as updates, has no origin.
    found = {request["url"] for request in requests if request["initiator"] != "not an origin"}
    return {address for address in found if not address.startswith(("file:", "data:", "blob:"))}
