"""Folders of files compared by content, and the commands that carry them."""

import hashlib
import re
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from nbtools.errors import PublicationError, SettingsError
from nbtools.settings import without_secrets

# Without it GitHub Pages leaves out every folder whose name begins with an underscore.
NO_JEKYLL = ".nojekyll"
_TOLD = re.compile(r"(fatal|error|rsync|ssh)\b|.*rejected\]")
_USER = re.compile(r"(?<=://)[^/@\s]*@")  # an address may hold a password or a token


class Changes(NamedTuple):
    """Paths of files that a publication adds, changes and removes.

    Attributes
    ----------
    added, changed, removed : tuple of str
        Paths within the book, sorted.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def digests(folder: Path, names: Collection[str] | None = None) -> dict[str, str]:
    """Return what git calls the content of each file of a book, by path.

    Parameters
    ----------
    folder : Path
        The book; the file that keeps hosts from changing it counts as there.
    names : collection of str or None
        The only files to look at.
    """
    found = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    known = {name: path for name, path in found.items() if names is None or name in names}
    contents = {name: path.read_bytes() for name, path in known.items()}
    return {name: _blob(content) for name, content in ({NO_JEKYLL: b""} | contents).items()}


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def difference(old: dict[str, str], new: dict[str, str]) -> Changes:
    """Return what makes one set of digests another one."""
    both = old.keys() & new.keys()
    return Changes(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(name for name in both if old[name] != new[name])),
        tuple(sorted(old.keys() - new.keys())),
    )


def following(names: Iterable[str]) -> str:
    """Return the number after the largest of some names, with leading zeros."""
    return f"{max((int(name) for name in names if name.isdigit()), default=0) + 1:06d}"


def occupied(place: str) -> str:
    """Return what to say of a place that holds something else than a book."""
    return f"{place} is there and no publication of a book; name a folder that is not there yet."


def command(
    arguments: list[str], folder: Path, failed: str, *, allowed: Collection[int] = (0,)
) -> str:
    """Run a command and return what it printed.

    Parameters
    ----------
    arguments : list of str
        Program and arguments.
    folder : Path
        Where to run it.
    failed : str
        What did not work when it fails, as the beginning of a sentence.
    allowed : collection of int
        Exit codes that are no failure.

    Raises
    ------
    PublicationError
        If it fails, with its first words.
    SettingsError
        If the program is not installed.
    """
    try:
        with without_secrets():
            ended = subprocess.run(
                arguments,
                cwd=folder,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                stdin=subprocess.DEVNULL,
                check=False,
            )
    except FileNotFoundError:
        raise SettingsError(f"{arguments[0]} is not installed, or {folder} is gone.") from None
    if ended.returncode not in allowed:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        told = [line for line in lines if _TOLD.match(line)]
        words = "; ".join((told or lines)[:2]) or f"exit code {ended.returncode}"
        raise PublicationError(f"{failed}: {_USER.sub('', words)}")
    return ended.stdout
