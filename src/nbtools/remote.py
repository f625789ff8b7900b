"""A book on another host, by rsync: uploaded whole, then shown by the rename of one link."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbtools import trees
from nbtools.errors import PublicationError, SettingsError
from nbtools.trees import NO_JEKYLL, Changes


class Rsync:
    """A folder that rsync reaches, laid out like one of this machine.

    Parameters
    ----------
    link : str
        What a web server serves, after ``host:`` or ``user@host:`` when it is elsewhere.
    """

    def __init__(self, link: str) -> None:
        host, colon, path = link.rpartition(":")
        parent, slash, self._name = path.rpartition("/")
        self._parent = f"{host}{colon}{parent or ('/' if slash else '.')}".rstrip("/")
        self._all = f"{self._parent}/{self._name}.published"

    def __str__(self) -> str:
        return f"folder {self._parent}/{self._name} by rsync"

    def changes(self, site: Path) -> Changes:
        """Return what publishing a folder would change; writes nothing."""
        current = self._current()
        if current is None:
            return trees.difference({}, trees.digests(site))
        with _staged(site) as book:
            options = ["-rlc", "--dry-run", "--delete", "--out-format=%i %n"]
            rows = self._rsync(*options, f"{book}/", f"{self._all}/{current}/").splitlines()
        found = [_itemized(*row.split(maxsplit=1)) for row in rows if " " in row]
        ways = ("added", "changed", "removed")
        return Changes(*(tuple(sorted(path for way, path in found if way == of)) for of in ways))

    def put(self, site: Path, keep: int) -> None:
        """Upload a folder, then rename the link to it, and keep so many before it."""
        current, names = self._current(), self._names()
        new = trees.following(names)
        with _staged(site) as book:
            # Beside the copy: an empty folder, which makes and thins, and the link.
            empty = book.with_name(f"{self._name}.published")
            empty.mkdir()
            link = book.with_name(f"link-{self._name}") / self._name
            link.parent.mkdir()
            link.symlink_to(Path(empty.name, new))
            self._rsync("--dirs", str(empty), f"{self._parent}/")
            same = [f"--link-dest=../{current}"] if current else []
            options = ["-rlc", "--chmod=D755,F644", *same]
            self._rsync(*options, f"{book}/", f"{self._all}/{new}/")
            self._rsync("--links", str(link), f"{self._parent}/")
            # Later ones than the current are uploads that did not end.
            before = [name for name in names if current and name <= current]
            kept = [f"--exclude=/{name}/" for name in (*before[-keep:], new)]
            self._rsync("-r", "--delete", *kept, f"{empty}/", f"{self._all}/")

    def _current(self) -> str | None:
        """Return the name of the publication that readers see."""
        rows = self._listed(f"{self._parent}/{self._name}")
        if not rows:
            return None
        target = rows[0].partition(f" {self._name} -> {self._name}.published/")[2]
        if not rows[0].startswith("l") or not target:
            raise SettingsError(trees.occupied(f"{self._parent}/{self._name}"))
        return target

    def _names(self) -> list[str]:
        found = (re.search(r" (\d{6})$", row) for row in self._listed(f"{self._all}/"))
        return sorted(match[1] for match in found if match)

    def _listed(self, path: str) -> list[str]:
        try:
            return self._rsync("--list-only", "--links", path).splitlines()
        except PublicationError as error:
            if "No such file or directory" in str(error):
                return []
            raise

    def _rsync(self, *arguments: str) -> str:
        if not shutil.which("rsync"):
            raise SettingsError(
                "rsync is not installed; on Debian: apt-get install rsync, or publish to a folder."
            )
        return trees.command(
            ["rsync", "--8-bit-output", *arguments], Path("/"), f"The {self} was not published"
        )


def _itemized(kind: str, path: str) -> tuple[str, str]:
    """Return what rsync's letters for a path mean; nothing for folders."""
    if kind == "*deleting":
        return ("" if path.endswith("/") else "removed"), path
    if not re.match(r"[<>]f", kind):
        return "", path
    return ("added" if kind[2] == "+" else "changed"), path


@contextmanager
def _staged(site: Path) -> Iterator[Path]:
    """Give a copy of the site with the file that keeps hosts from changing it."""
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder, "book.whole")
        shutil.copytree(site, book)
        (book / NO_JEKYLL).touch()
        yield book
