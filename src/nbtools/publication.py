"""Publishing the built book: to a branch, to a folder, or by rsync.

A book is published whole or not at all. It is refused when it is not built, older than what
it is built from, or holds a secret. What each target promises a reader is said in
:mod:`nbtools.targets` and in the guide ``guides/publish``.
"""

import html
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from nbtools import inputs, locks, targets
from nbtools import settings as settings_module
from nbtools.errors import BookError
from nbtools.settings import PROJECT, Settings
from nbtools.targets import Target
from nbtools.trees import Changes

_SHOWN = 20
# Shorter ones, such as a password "app", would be found in every text.
_LEAST_SECRET = 6


def publish(
    settings: Settings, to: str, *, keep: int = 5, dry: bool = False, project: Path = PROJECT
) -> str:
    """Publish the built book, or say what that would change.

    Parameters
    ----------
    settings : Settings
        Where things are.
    to : str
        ``branch:NAME``, ``folder:PATH`` or ``rsync:HOST:PATH``.
    keep : int
        Earlier publications to keep in a folder or on a host; a branch keeps them all.
    dry : bool
        Whether to write nothing.
    project : Path
        The checkout, whose repository has the branch.

    Returns
    -------
    str
        What was done, and the pages that were added, changed and removed.

    Raises
    ------
    BookError
        If the book is not built, is stale or holds a secret.
    SettingsError
        If there is no such target, or it holds something else than a book.
    PublicationError
        If the target could not be read or written.
    """
    target = targets.parse(to, project)
    # A build would take the copy away that is being read.
    with locks.hold(
        settings.home / "locks" / "book.lock", "nbtools publish", wait=settings.lock_wait
    ):
        site = checked(settings, project=project)
        changes = target.changes(site)
        if not dry and any(changes):
            target.put(site, keep)
    return _report(target, changes, dry=dry)


def checked(settings: Settings, *, project: Path = PROJECT) -> Path:
    """Return the folder of the built book if it may be published.

    Parameters
    ----------
    settings : Settings
        Where things are.
    project : Path
        The checkout.

    Raises
    ------
    BookError
        If the book is not built, is stale or holds a secret.
    """
    site = (settings.home / "site").resolve()
    if not (site / "index.html").is_file():
        raise BookError(f"There is no built book in {settings.home}; make book builds it.")
    if not (settings.home / "build" / "built").is_file():
        raise BookError("The last build of the book failed; make book says why.")
    if newer := inputs.changed(settings, project=project):
        raise BookError(f"The book is older than {newer}; make book builds it again.")
    if found := _leak(site, settings_module.secret_values()):
        raise BookError(f"The book was not published: {found}.")
    return site


def _leak(site: Path, secrets: dict[str, str]) -> str:
    """Return which file holds which secret, in whatever way a page writes text."""
    ways: tuple[Callable[[str], str], ...] = (str, html.escape, quote)
    needles = {
        way(value).encode(): name
        for name, value in reversed(secrets.items())  # of two with one value, the first is told
        if len(value) >= _LEAST_SECRET
        for way in ways
    }
    for path in sorted(path for path in site.rglob("*") if path.is_file()) if needles else ():
        content = path.read_bytes()
        for needle, name in needles.items():
            if needle in content:
                return f"{path.relative_to(site).as_posix()} holds the secret of {name}"
    return ""


def _report(target: Target, changes: Changes, *, dry: bool) -> str:
    if not any(changes):
        return f"Nothing to publish: {target} has this book already."
    lines = [f"Would publish to {target}; nothing was written." if dry else f"Published: {target}."]
    for what, paths in zip(("added", "changed", "removed"), changes, strict=True):
        pages = [path for path in paths if path.endswith(".html")]
        others = len(paths) - len(pages)
        if paths:
            lines.append(f"{what}: {_number(len(pages), 'page')}, {_number(others, 'other file')}")
        lines += [f"  {page}" for page in pages[:_SHOWN]]
        lines += [f"  and {len(pages) - _SHOWN} more"] if len(pages) > _SHOWN else []
    return "\n".join(lines)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
