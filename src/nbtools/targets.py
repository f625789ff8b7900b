"""Where a book can be published, and how a reader never sees half of one.

========  =====================================  ===========================================
target    the book is                            what changes for readers
========  =====================================  ===========================================
branch    one commit on top of the last one      one push of one reference
folder    a new folder beside the last ones      one rename of a symbolic link
rsync     the same on another host               the same, after the upload has ended well
========  =====================================  ===========================================

For a folder and a host, the path that the web server serves is the link, such as ``book``;
the publications are ``book.published/000001`` and so on, equal files being hard links.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nbtools import locks, trees
from nbtools.errors import PublicationError, SettingsError
from nbtools.remote import Rsync
from nbtools.trees import NO_JEKYLL, Changes

# Files that every book has, by which a book is told from anything else.
_MARKS = {"index.html", "searchindex.js"}
_BRANCH = "gh-pages"
_NEEDED = "TO=branch, branch:NAME, folder:PATH or rsync:HOST:PATH"


class Target(Protocol):
    """A place for a book."""

    def changes(self, site: Path) -> Changes:
        """Return what publishing a folder would change; readers notice nothing."""

    def put(self, site: Path, keep: int) -> None:
        """Publish a folder and keep so many earlier publications."""


def parse(to: str, project: Path) -> Target:
    """Return the target that a text names.

    Parameters
    ----------
    to : str
        ``branch``, ``branch:NAME``, ``folder:PATH`` or ``rsync:HOST:PATH``.
    project : Path
        The checkout: its repository has the branch, and relative paths begin there.

    Raises
    ------
    SettingsError
        If it names none.
    """
    kind, _, where = to.partition(":")
    where = where if where == "/" else where.rstrip("/")
    if kind == "branch":
        return Branch(project, where or _BRANCH)
    if kind == "folder" and where:
        return Folder(project / Path(where).expanduser())
    if kind == "rsync" and where:
        # A colon before any slash is that of a host.
        remote = ":" in where.partition("/")[0]
        return Rsync(where if remote else str(project / Path(where).expanduser()))
    raise SettingsError(f"TO={to} names no place for the book; needed is {_NEEDED}.")


class Branch:
    """A branch of the checkout's repository, pushed to its remote.

    Parameters
    ----------
    project : Path
        The checkout.
    name : str
        The branch, after the name of a remote and a slash if that is not ``origin``.
    """

    def __init__(self, project: Path, name: str) -> None:
        self._project = project
        remote, slash, rest = name.partition("/")
        named = slash and remote in self._git("remote").split()
        self._remote, self._name = (remote, rest) if named else ("origin", name)

    def __str__(self) -> str:
        return f"branch {self._name} of {self._remote}"

    def changes(self, site: Path) -> Changes:
        """Return what publishing a folder would change; fetches the branch."""
        return trees.difference(self._fetched(), trees.digests(site))

    def put(self, site: Path, keep: int) -> None:  # noqa: ARG002 -- a branch keeps all
        """Publish a folder as one commit and push it."""
        if not self._git("config", "user.name", missing=True):
            raise SettingsError(
                "git does not know who publishes; set git config user.name and user.email."
            )
        where = ["--remote", self._remote, "--branch", self._name]
        options = ["--no-jekyll", "--push", "--message", "Publish the book", *where]
        trees.command(
            [sys.executable, "-m", "ghp_import", *options, str(site)],
            self._project,
            f"The {self} was not published",
        )

    def _fetched(self) -> dict[str, str]:
        """Return the digests of the branch as the remote has it."""
        if self._remote not in self._git("remote").split():
            raise SettingsError(f"The checkout has no remote {self._remote}; git remote add it.")
        local, tracked = f"refs/heads/{self._name}", f"refs/remotes/{self._remote}/{self._name}"
        if worktree := self._git("for-each-ref", "--format=%(worktreepath)", local).strip():
            raise SettingsError(
                f"The branch {self._name} is checked out in {worktree}; name one for the book."
            )
        if self._git("ls-remote", "--heads", self._remote, local).strip():
            self._git("fetch", "--quiet", "--no-tags", self._remote, f"+{local}:{tracked}")
        else:  # what an earlier fetch left would be built upon
            self._git("update-ref", "-d", tracked)
        self._files(local)
        return self._files(tracked)

    def _files(self, ref: str) -> dict[str, str]:
        if not self._git("rev-parse", "--verify", "--quiet", ref, missing=True):
            return {}
        rows = [row.partition("\t") for row in self._git("ls-tree", "-r", "-z", ref).split("\0")]
        files = {path: kind.split()[2] for kind, tab, path in rows if tab}
        if not files.keys() >= _MARKS:
            raise SettingsError(f"{ref} holds something else than a book; name another branch.")
        return files

    def _git(self, *arguments: str, missing: bool = False) -> str:
        return trees.command(
            ["git", *arguments],
            self._project,
            f"git {arguments[0]} failed",
            allowed=(0, 1) if missing else (0,),
        )


class Folder:
    """A folder of this machine: a symbolic link to the newest publication.

    A page that is open while the link changes may ask for a picture of the book before, so
    those are kept one publication longer.

    Parameters
    ----------
    link : Path
        What a web server serves.
    """

    def __init__(self, link: Path) -> None:
        self._link = link
        self._all = link.with_name(f"{link.name}.published")

    def __str__(self) -> str:
        return f"folder {self._link}"

    def changes(self, site: Path) -> Changes:
        """Return what publishing a folder would change; writes nothing."""
        current = self._current()
        own = trees.digests(current, _listed(current)) if current else {}
        return trees.difference(own, trees.digests(site))

    def put(self, site: Path, keep: int) -> None:
        """Publish a folder by one rename, and keep so many earlier publications."""
        try:
            with locks.hold(self._all / "lock", "nbtools publish"):
                self._put(site, keep)
        except (OSError, shutil.Error) as error:
            raise PublicationError(f"The {self} was not published: {error}.") from None

    def _put(self, site: Path, keep: int) -> None:
        current = self._current()
        new = self._all / trees.following(path.stem for path in self._all.iterdir())
        part = new.with_suffix(".part")
        shutil.copytree(site, part, copy_function=_copier(site, current))
        (part / NO_JEKYLL).touch()
        new.with_suffix(".json").write_text(json.dumps(sorted(trees.digests(part))), "utf-8")
        if current:
            _carry_over(current, part)
        part.rename(new)
        link = self._link.with_name(f"{self._link.name}.new")
        link.unlink(missing_ok=True)
        link.symlink_to(Path(self._all.name, new.name))
        link.replace(self._link)
        self._thin(new, keep)

    def _current(self) -> Path | None:
        if not os.path.lexists(self._link):
            return None
        current = self._link.resolve()
        if not self._link.is_symlink() or current.parent != self._all.resolve():
            raise SettingsError(trees.occupied(str(self._link)))
        return current

    def _thin(self, new: Path, keep: int) -> None:
        """Remove publications beyond the last ones, and what a killed run left."""
        folders = sorted(path for path in self._all.iterdir() if path.is_dir())
        before = [path for path in folders if path < new and not path.suffix]
        for path in folders:
            if path not in {*before[-keep:], new}:
                path.with_suffix(".json").unlink(missing_ok=True)
                shutil.rmtree(path)


def _listed(publication: Path) -> set[str] | None:
    """Return the files that a publication brought itself, None when that is not known."""
    listing = publication.with_suffix(".json")
    return set(json.loads(listing.read_text("utf-8"))) if listing.is_file() else None


def _copier(site: Path, current: Path | None) -> Callable[[str, str], None]:
    """Return what copies a file of the site, one that did not change as a hard link."""

    def copy(source: str, target: str) -> None:
        before = current / Path(source).relative_to(site) if current else None
        if before and before.is_file() and before.read_bytes() == Path(source).read_bytes():
            os.link(before, target)
        else:
            shutil.copy2(source, target)

    return copy


def _carry_over(current: Path, new: Path) -> None:
    """Keep what an open page of the publication before may still ask for."""
    for name in _listed(current) or ():
        if not name.endswith(".html") and (current / name).is_file() and not (new / name).exists():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(current / name, new / name)
