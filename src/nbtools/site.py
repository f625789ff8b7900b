"""The built book made the site: checked, cleaned, put in place by one rename.

Each step looks only at files that changed since the last time, so that its cost does not
grow with the archive.
"""

import filecmp
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from nbtools import making, styles
from nbtools.errors import BookError

# What a browser fetches by itself; links to other sites are for people and stay.
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|link)\b[^>]*?\b(?:src|href)=["']?"""
    r"""((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)
_LOADED = re.compile(
    r"""\b(?:src|href)=["'][^"'?#]*\b(?:_static|vendor)/(?:[^"'?#]*/)?([^"'?#/]+)"""
)
_IMAGE = re.compile(r"_images/([^\"'?#)\s]+)")
_SPHINX_PAGES = {"search", "genindex"}


class Found(NamedTuple):
    """What a built page shows, and when it was looked at.

    Attributes
    ----------
    stamp : list of int
        Time of change in nanoseconds and size in bytes.
    images : list of str
        Names of its pictures.
    fetches : list of str
        Addresses on the network that it would load.
    """

    stamp: list[int]
    images: list[str]
    fetches: list[str]


class Seen(NamedTuple):
    """What the built pages show.

    Attributes
    ----------
    pages : dict of Found
        By the name of the page.
    fresh : set of str
        Pages that changed since the last time.
    words : set of str
        Classes, ids and properties of any page that a style sheet knows.
    files : set of str
        Names of the scripts, style sheets and pictures of the book that pages load.
    """

    pages: dict[str, Found]
    fresh: set[str]
    words: set[str]
    files: set[str]


def check(html: Path, memory: Path) -> Seen:
    """Return what the built pages show, and refuse pages that load from the network.

    Parameters
    ----------
    html : Path
        Folder of the built pages.
    memory : Path
        File that remembers what the pages showed the last time.

    Raises
    ------
    BookError
        If a page would load something.
    """
    before, known = _remembered(memory), _known(html)
    seen = Seen({}, set(), set(), set())
    for name in making.names(html):
        if name.endswith(".html") and not name.startswith("_static/"):
            _look(html, name, before, known, seen)
    if len(seen.fresh) < len(seen.pages):  # of pages that are not read again
        seen.words.update(before.words)
        seen.files.update(before.files)
    found = sorted(seen.pages.items())
    loads = [f"{name} fetches {what}" for name, page in found for what in page.fetches]
    if loads:
        raise BookError(f"The book would load from the network: {'; '.join(loads)}.")
    return seen


def _look(html: Path, name: str, before: Seen, known: set[str], seen: Seen) -> None:
    path = f"{html}/{name}"
    stamp, page = _stamp(path), before.pages.get(name)
    if page is None or page.stamp != stamp:
        text = Path(path).read_text("utf-8")
        images, fetches = set(_IMAGE.findall(text)), set(_FETCHED.findall(text))
        page = Found(stamp, sorted(images), sorted(fetches))
        seen.fresh.add(name)
        seen.words.update(styles.page_words(text) & known)
        seen.files.update(_LOADED.findall(text))
    seen.pages[name] = page


def remember(html: Path, memory: Path, seen: Seen, changed: Iterable[str]) -> None:
    """Write down what the pages show.

    Parameters
    ----------
    html : Path
        Folder of the built pages.
    memory : Path
        For `check`, the next time.
    seen : Seen
        From `check`.
    changed : iterable of str
        Pages that were written since then.
    """
    pages = dict(seen.pages)
    for name in changed:
        pages[name] = pages[name]._replace(stamp=_stamp(f"{html}/{name}"))
    facts = {"pages": pages, "words": sorted(seen.words), "files": sorted(seen.files)}
    memory.write_text(json.dumps(facts), "utf-8")


def _known(html: Path) -> set[str]:
    sheets = (html / "_static" / name for name in making.names(html / "_static"))
    texts = (path.read_text("utf-8") for path in sheets if path.suffix == ".css")
    return set[str]().union(*map(styles.names, texts))


def _remembered(memory: Path) -> Seen:
    try:
        facts = json.loads(memory.read_text("utf-8"))
        pages = {name: Found(*page) for name, page in facts["pages"].items()}
        return Seen(pages, set(), set(facts["words"]), set(facts["files"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return Seen({}, set(), set(), set())


def _stamp(path: str) -> list[int]:
    state = os.stat(path)  # noqa: PTH116 -- as below
    return [state.st_mtime_ns, state.st_size]


def prune(source: Path, html: Path, seen: Seen) -> None:
    """Remove pages whose source is gone, and pictures that no page shows any more.

    Parameters
    ----------
    source, html : Path
        Folders of the sources and of the built pages.
    seen : Seen
        From `check`; the pages that are removed are taken out.
    """
    docnames = {name.rpartition(".")[0] for name in making.names(source)}
    for name in list(seen.pages):
        docname = name.removesuffix(".html")
        if docname not in docnames and docname not in _SPHINX_PAGES:
            (html / name).unlink()
            del seen.pages[name]
    used = {image for page in seen.pages.values() for image in page.images}
    for folder in (html / "_images", html.parent / "jupyter_execute"):
        for name in making.names(folder):
            if "." in name and name.rpartition("/")[2] not in used:
                (folder / name).unlink()


def publish(
    folders: Sequence[Path], site: Path, published: Path, *, left: Collection[str] = ()
) -> Path:
    """Make a copy of the built book the site, by one rename of a symbolic link.

    Files that did not change are shared with the copy before it, by hard links; nothing
    ever writes into a copy. The copy before stays until the next time, for those who are
    reading it.

    Parameters
    ----------
    folders : sequence of Path
        What the site consists of.
    site : Path
        The symbolic link.
    published : Path
        Folder of the copies.
    left : collection of str
        Files of all folders but the last that are not a part of the site.

    Returns
    -------
    Path
        The landing page.
    """
    published.mkdir(parents=True, exist_ok=True)
    current = site.resolve().name if site.is_symlink() else ""
    for old in published.iterdir():
        if old.name != current:
            _remove(old)
    before, copy = published / (current or "none"), published / f"{int(current or 0) + 1:06d}"
    for folder in folders:
        _share(str(folder), str(copy), str(before), left if folder != folders[-1] else ())
    link = published / "site"
    link.symlink_to(Path(published.relative_to(site.parent), copy.name))
    if site.is_dir() and not site.is_symlink():  # a home that was copied without its links
        shutil.rmtree(site)
    link.replace(site)
    return site / "index.html"


def _remove(old: Path) -> None:
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink()


def _share(folder: str, copy: str, before: str, left: Collection[str]) -> None:
    """Put a folder's files into a copy: as links to those of the copy before, or copied."""
    for place, _, names in os.walk(folder):
        inner = place[len(folder) :]
        wanted = [name for name in names if f"{inner}/{name}"[1:] not in left]
        if wanted:
            Path(copy + inner).mkdir(parents=True, exist_ok=True)
        for name in wanted:
            path, old = f"{place}/{name}", f"{before}{inner}/{name}"
            if not (_is_same(path, old) and _link(old, f"{copy}{inner}/{name}")):
                shutil.copy2(path, f"{copy}{inner}/{name}")


def _link(old: str, target: str) -> bool:
    """Link a file, or return False: a file system without hard links, or too many of them."""
    try:
        os.link(old, target)
    except OSError:
        return False
    return True


def _is_same(path: str, old: str) -> bool:
    # Thousands of files: making each a path object would cost more than looking at it.
    try:
        then = os.stat(old)  # noqa: PTH116
    except OSError:
        return False
    now = os.stat(path)  # noqa: PTH116
    if now.st_size != then.st_size:
        return False
    return now.st_mtime_ns == then.st_mtime_ns or filecmp.cmp(path, old, shallow=False)
