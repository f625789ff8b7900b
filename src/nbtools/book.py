"""The book: written pages, generated pages and executed notebooks, built and published.

::

    book/  runs/  records           what there is
      └─ assembly ──► build/source, build/extras   only files whose content changed
           └─ Sphinx ──► build/_build/html         only pages that changed, no warnings
                └─ weight ──► build/_build/light   style sheets of what the pages use
                     └─ site ──► site              one rename: readers see the old book or
                                                   the new

Nothing is executed and nothing is loaded from the network.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from nbtools import assembly, inputs, locks, making, site, weight
from nbtools.errors import BookError
from nbtools.settings import PROJECT, Settings, without_secrets

# Sphinx makes millions of objects that stay: looking for garbage among them again and again
# took a third of a build.
_COMMAND = (
    "import gc; gc.set_threshold(200_000, 20, 20);"
    " from nbtools import lean; lean.skip_unused();"
    " from jupyter_book.cli.main import main; main()"
)
_WARNING = re.compile(r"\b(WARNING|ERROR|CRITICAL|SEVERE)\b:? ?(.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SHOWN_WARNINGS = 5
# Pages that are in no sidebar: they come and go and the others stay as they are.
_ORPHANS = {"archive", "compare"}


def build(settings: Settings, *, project: Path = PROJECT) -> Path:
    """Build the book and publish it; the last good one stays when this fails.

    Parameters
    ----------
    settings : Settings
        Where things are.
    project : Path
        Folder of the written book, the notebooks and the parameters.

    Returns
    -------
    Path
        The landing page.

    Raises
    ------
    BookError
        If a page has a warning or would load something from the network.
    LockedError
        If another process keeps building the book.
    """
    lock = settings.home / "locks" / "book.lock"
    with locks.hold(lock, "nbtools book", wait=settings.lock_wait):
        everything = assembly.thin(settings, project)
        inputs.mark(settings)
        work = settings.home / "build"
        source, html = work / "source", work / "_build" / "html"
        assembly.assemble(settings, project, work, datetime.now(UTC), everything)
        _run_sphinx(work)
        seen = site.check(html, work / "pages.json")
        site.prune(source, html, seen)
        light = weight.lighten(html, work / "extras", set(making.names(source)), seen)
        site.remember(html, work / "pages.json", seen, light.changed)
        _trust(work)
        parts = (html, work / "extras", light.folder)
        return site.publish(parts, settings.home / "site", work / "published", left=light.left)


def _run_sphinx(work: Path) -> None:
    """Run Sphinx through Jupyter Book, from nothing unless the last build is to be trusted.

    Sphinx repeats no warning of a page it does not build again, takes a half-written page
    of a killed build for a good one, and leaves the old sidebar in pages that did not
    change. So what it left is kept only if that build ended well with the same sidebar.
    """
    stamp, shape = work / "built", _shape(work / "source")
    if not stamp.is_file() or stamp.read_text("utf-8") != shape:
        shutil.rmtree(work / "_build", ignore_errors=True)
    stamp.unlink(missing_ok=True)
    python = [sys.executable, "-P", "-X", "utf8", "-c", _COMMAND]
    options = ["--path-output", str(work), "-W", "-n", "--keep-going", "-q"]
    with without_secrets():
        ended = subprocess.run(
            [*python, "build", str(work / "source"), *options],
            cwd=work,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if problem := _problem(ended, work / "source"):
        raise BookError(problem)


def _trust(work: Path) -> None:
    """Remember that the build ended well, and with which sidebar."""
    (work / "built").write_text(_shape(work / "source"), "utf-8")


def _shape(source: Path) -> str:
    """Return a hash of what every page shows: configuration, sidebar, versions."""
    digest = hashlib.sha256()
    for name in ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "nbtools"):
        digest.update(version(name).encode())
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        place = path.relative_to(source)
        if path.suffix == ".ipynb" or place.parts[0] in _ORPHANS:  # in no sidebar
            continue
        digest.update(place.as_posix().encode())
        digest.update(_heading(path).encode() if path.suffix == ".md" else path.read_bytes())
    return digest.hexdigest()


def _heading(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line for line in lines if line.startswith("# ")), "")


def _problem(ended: "subprocess.CompletedProcess[str]", source: Path) -> str:
    """Return the first warnings as one readable message, empty when there are none."""
    output = _COLOUR.sub("", ended.stderr)
    warnings = [
        " ".join(line.replace(f"{source}/", "").split())
        for line in output.splitlines()
        if _WARNING.search(line)
    ]
    if not warnings and ended.returncode == 0:
        return ""
    if not warnings:
        lines = [line for line in (ended.stdout + output).splitlines() if line.strip()]
        warnings = lines[-3:]
    more = len(warnings) - _SHOWN_WARNINGS
    shown = "; ".join(dict.fromkeys(warnings[:_SHOWN_WARNINGS]))
    return f"The book has warnings: {shown}{f'; and {more} more' if more > 0 else ''}."
