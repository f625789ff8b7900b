"""Locks between processes that say who holds them."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from nbtools.errors import LockedError, SettingsError

_PATIENCE_SECONDS = 1.0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _owner_file(path: Path) -> Path:
    return path.with_name(path.name + ".owner")


def holder(path: Path) -> str:
    """Return who holds a lock, in words.

    Parameters
    ----------
    path : Path
        The lock file.

    Returns
    -------
    str
        Such as ``process 4711 (nbtools etl) since 12:00:03 UTC``.
    """
    try:
        owner = json.loads(_owner_file(path).read_text("utf-8"))
        return f"process {owner['pid']} ({owner['what']}) since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def hold(
    path: Path, what: str, *, wait: float = 0.0, say: Callable[[str], None] = _say
) -> Iterator[None]:
    """Hold a lock for the length of the block; safe to nest within one process.

    Parameters
    ----------
    path : Path
        The lock file; its folder is created.
    what : str
        What this process is doing, shown to those who wait.
    wait : float
        Seconds to wait for it.
    say : callable
        Receives one line when the wait becomes noticeable.

    Raises
    ------
    LockedError
        If the lock is still held when the wait is over.
    SettingsError
        If nothing can be written where the lock is.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The lock itself would take a file that cannot be made for one that is held.
        path.touch()
        lock = FileLock(path, is_singleton=True, thread_local=False)
        _acquire(lock, path, wait, say)
    except OSError as error:
        raise SettingsError(
            f"Cannot write the lock {path}: {error.strerror}; set NBTOOLS_HOME or "
            "NBTOOLS_WAREHOUSE to a folder you may write."
        ) from None
    try:
        if lock.lock_counter == 1:
            _sign(path, what)
        yield
    finally:
        # Before the release, or the next holder's signature would go.
        if lock.lock_counter == 1:
            _owner_file(path).unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, path: Path, wait: float, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + wait
    for patience in (min(wait, _PATIENCE_SECONDS), None):
        remaining = deadline - time.monotonic() if patience is None else patience
        try:
            lock.acquire(timeout=max(remaining, 0))
        except Timeout:
            if patience is None or wait <= _PATIENCE_SECONDS:
                raise LockedError(
                    f"{path.stem} is held by {holder(path)}; gave up after {wait:.0f} s."
                ) from None
            say(f"Waiting for {path.stem}, held by {holder(path)} ...")
        else:
            return


def _sign(path: Path, what: str) -> None:
    since = datetime.now(UTC).strftime("%H:%M:%S UTC")
    owner = {"pid": os.getpid(), "what": what, "since": since}
    _owner_file(path).write_text(json.dumps(owner), "utf-8")
