"""The book: written pages, generated pages and executed notebooks, built and published.

::

    book/  runs/  records           what there is
      └─ assemble ──► build/source  only files whose content changed are written
           └─ Sphinx ──► build/_build/html   only pages that changed, warnings are errors
                └─ publish ──► site          one rename: readers see the old book or the new

Nothing is executed and nothing is loaded from the network.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import nbformat

from nbtools import locks, pages, records
from nbtools.errors import BookError
from nbtools.records import Runs
from nbtools.settings import PROJECT, Settings, without_secrets

_COMMAND = "from jupyter_book.cli.main import main; main()"
_WARNING = re.compile(r"\b(WARNING|ERROR|CRITICAL|SEVERE)\b:? ?(.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SHOWN_WARNINGS = 5
# What a browser fetches by itself; links to other sites are for people and stay.
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|link)\b[^>]*?\b(?:src|href)=["']?"""
    r"""((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)
_SPHINX_PAGES = {"search", "genindex"}
_IMAGE = re.compile(r"_images/([^\"'?#)\s]+)")


def build(settings: Settings) -> Path:
    """Build the book and publish it; the last good one stays when this fails.

    Parameters
    ----------
    settings : Settings
        Where things are.

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
        work = settings.home / "build"
        source, html = work / "source", work / "_build" / "html"
        assemble(settings, source)
        _run_sphinx(work)
        _prune(source, html)
        return _publish(html, settings.home / "site", work / "published")


def assemble(settings: Settings, source: Path) -> None:
    """Bring the folder of the book's sources up to date, touching only what changed.

    Parameters
    ----------
    settings : Settings
        Where things are.
    source : Path
        The folder; files that belong to nothing any more are removed.
    """
    everything = records.read(settings.home)
    wanted = dict(_written(PROJECT / "book"))
    texts = pages.generated(
        everything,
        written=PROJECT / "book",
        notebooks=PROJECT / "notebooks",
        zone=settings.zone,
    )
    wanted |= {path: text.encode() for path, text in texts.items()}
    wanted |= dict(_notebooks(settings, everything))
    for name, content in wanted.items():
        _write_changed(source / name, content)
    for path in sorted(source.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(source).as_posix() not in wanted:
            path.unlink()


def _written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix(), path.read_bytes()


def _notebooks(settings: Settings, everything: list[Runs]) -> Iterator[tuple[str, bytes]]:
    for runs in everything:
        for record, previous in pairwise([*runs.pages, None]):
            assert record is not None
            path = settings.home / f"{record.docname}.ipynb"
            page = pages.run_page(
                nbformat.read(path, as_version=4),
                record,
                failure=runs.failures.get(record.run),
                previous=previous,
                zone=settings.zone,
            )
            yield f"{record.docname}.ipynb", nbformat.writes(page).encode()


def _write_changed(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


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
    if problem := "; ".join(_fetches(work / "_build" / "html")):
        raise BookError(f"The book would load from the network: {problem}.")
    stamp.write_text(shape, "utf-8")


def _shape(source: Path) -> str:
    """Return a hash of what every page shows: configuration, sidebar, versions."""
    digest = hashlib.sha256()
    for name in ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "nbtools"):
        digest.update(version(name).encode())
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        if path.suffix == ".ipynb":  # runs are in no sidebar
            continue
        digest.update(path.relative_to(source).as_posix().encode())
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


def _fetches(html: Path) -> Iterator[str]:
    for page in sorted(html.rglob("*.html")):
        for address in _FETCHED.findall(page.read_text("utf-8")):
            yield f"{page.relative_to(html).as_posix()} fetches {address}"


def _prune(source: Path, html: Path) -> None:
    """Remove pages whose source is gone, and pictures that no page shows any more."""
    docnames = {path.relative_to(source).with_suffix("") for path in source.rglob("*.*")}
    used: set[str] = set()
    for page in html.rglob("*.html"):
        docname = page.relative_to(html).with_suffix("")
        if docname in docnames or docname.name in _SPHINX_PAGES:
            used |= set(_IMAGE.findall(page.read_text("utf-8")))
        else:
            page.unlink()
    for image in (*html.glob("_images/*"), *html.parent.glob("jupyter_execute/**/*.*")):
        if image.name not in used:
            image.unlink()


def _publish(html: Path, site: Path, published: Path) -> Path:
    """Make a copy of the built book the site, by one rename of a symbolic link.

    The copy before it stays until the next time, for those who are reading it.
    """
    published.mkdir(parents=True, exist_ok=True)
    current = site.resolve().name if site.is_symlink() else ""
    for left in published.iterdir():
        if left.name != current:
            shutil.rmtree(left)
    copy = published / f"{int(current or 0) + 1:06d}"
    shutil.copytree(html, copy)
    link = published / "site"
    link.symlink_to(Path(published.relative_to(site.parent), copy.name))
    if site.is_dir() and not site.is_symlink():  # a home that was copied without its links
        shutil.rmtree(site)
    link.replace(site)
    return site / "index.html"
