"""Progress that reads well on a terminal and in a cron log."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
_QUIET_SECONDS = 5.0


def track(items: Sequence[Item], title: str, name: Callable[[Item], str] = str) -> Iterator[Item]:
    """Yield the items, showing which one is worked on, elapsed and remaining time.

    A bar on a terminal; elsewhere a plain line at the start, every few seconds, and at
    the end.

    Parameters
    ----------
    items : sequence
        What is worked on.
    title : str
        What is being done.
    name : callable
        Names an item, such as its day.

    Yields
    ------
    object
        The items.
    """
    if not items:
        return
    walk = _bar if sys.stderr.isatty() else _lines
    yield from walk(items, title, name)


def _bar(items: Sequence[Item], title: str, name: Callable[[Item], str]) -> Iterator[Item]:
    with tqdm(total=len(items), desc=title, dynamic_ncols=True) as bar:
        for item in items:
            bar.set_postfix_str(name(item))
            yield item
            bar.update()


def _lines(items: Sequence[Item], title: str, name: Callable[[Item], str]) -> Iterator[Item]:
    started = spoken = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done == 0 or now - spoken >= _QUIET_SECONDS:
            spoken = now
            say(
                f"{title}: {name(item)} ({done + 1} of {len(items)})"
                f"{_times(now - started, done, len(items))}"
            )
        yield item
    elapsed = tqdm.format_interval(time.monotonic() - started)
    say(f"{title}: {len(items)} done in {elapsed}")


def _times(elapsed: float, done: int, total: int) -> str:
    if not done:
        return ""
    remaining = elapsed / done * (total - done)
    spent, left = tqdm.format_interval(elapsed), tqdm.format_interval(remaining)
    return f", {spent} elapsed, {left} remaining"


def say(line: str) -> None:
    """Write one line to standard error, above a bar when there is one."""
    tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()
