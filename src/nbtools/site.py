"""The built book made the site: checked, cleaned, put in place by one rename.

Each step looks only at files that changed since the last time, so that its cost does not
grow with the archive.
"""

import filecmp
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from nbtools import making
from nbtools.errors import BookError

# What a browser fetches by itself; links to other sites are for people and stay.
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|link)\b[^>]*?\b(?:src|href)=["']?"""
    r"""((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
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


def check(html: Path, memory: Path) -> dict[str, Found]:
    """Return what each built page shows, and refuse pages that load from the network.

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
    known = _remembered(memory)
    found = {}
    for name in making.names(html):
        if name.endswith(".html"):
            found[name] = _look(f"{html}/{name}", known.get(name))
    memory.write_text(json.dumps(found), "utf-8")
    loads = [f"{name} fetches {what}" for name in sorted(found) for what in found[name].fetches]
    if loads:
        raise BookError(f"The book would load from the network: {'; '.join(loads)}.")
    return found


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        found = json.loads(memory.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _look(path: str, known: list[Any] | None) -> Found:
    state = os.stat(path)  # noqa: PTH116 -- as below
    stamp = [state.st_mtime_ns, state.st_size]
    if known and known[0] == stamp:
        return Found(*known)
    text = Path(path).read_text("utf-8")
    images, fetches = set(_IMAGE.findall(text)), set(_FETCHED.findall(text))
    return Found(stamp, sorted(images), sorted(fetches))


def prune(source: Path, html: Path, found: dict[str, Found]) -> None:
    """Remove pages whose source is gone, and pictures that no page shows any more.

    Parameters
    ----------
    source, html : Path
        Folders of the sources and of the built pages.
    found : dict of Found
        From `check`.
    """
    docnames = {name.rpartition(".")[0] for name in making.names(source)}
    used: set[str] = set()
    for name, shown in found.items():
        docname = name.removesuffix(".html")
        if docname in docnames or docname in _SPHINX_PAGES:
            used.update(shown.images)
        else:
            (html / name).unlink()
    for folder in (html / "_images", html.parent / "jupyter_execute"):
        for name in making.names(folder):
            if "." in name and name.rpartition("/")[2] not in used:
                (folder / name).unlink()


def publish(html: Path, extras: Path, site: Path, published: Path) -> Path:
    """Make a copy of the built book the site, by one rename of a symbolic link.

    Files that did not change are shared with the copy before it, by hard links; nothing
    ever writes into a copy. The copy before stays until the next time, for those who are
    reading it.

    Parameters
    ----------
    html, extras : Path
        What the site consists of.
    site : Path
        The symbolic link.
    published : Path
        Folder of the copies.

    Returns
    -------
    Path
        The landing page.
    """
    published.mkdir(parents=True, exist_ok=True)
    current = site.resolve().name if site.is_symlink() else ""
    for left in published.iterdir():
        if left.name != current:
            _remove(left)
    before, copy = published / (current or "none"), published / f"{int(current or 0) + 1:06d}"
    for folder in (html, extras):
        _share(str(folder), str(copy), str(before))
    link = published / "site"
    link.symlink_to(Path(published.relative_to(site.parent), copy.name))
    if site.is_dir() and not site.is_symlink():  # a home that was copied without its links
        shutil.rmtree(site)
    link.replace(site)
    return site / "index.html"


def _remove(left: Path) -> None:
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left)
    else:
        left.unlink()


def _share(folder: str, copy: str, before: str) -> None:
    """Put a folder's files into a copy: as links to those of the copy before, or copied."""
    for place, _, names in os.walk(folder):
        inner = place[len(folder) :]
        Path(copy + inner).mkdir(parents=True, exist_ok=True)
        for name in names:
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
