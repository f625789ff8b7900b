"""Costs on the clock and in CPU time, of work that takes turns."""

import sys
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds on the clock, and of CPU time over all cores."""

    wall: float
    cpu: float


class Work(NamedTuple):
    """Something to measure.

    Attributes
    ----------
    run : callable
        Does it, and returns what it found.
    scale : float
        How often it would have to run to do the same as the others.
    rounds : int
        In how many rounds it takes part, at most.
    """

    run: Callable[[], object]
    scale: float = 1.0
    rounds: int = 1_000


# What is over sooner is run again, or the caches that the work before has filled would decide.
_LEAST_SECONDS = 0.2


def timed(run: Callable[[], object]) -> Cost:
    """Run, again and again if that is over soon, and return what it cost on average."""
    wall, cpu, times = time.perf_counter(), time.process_time(), 0
    while not times or time.perf_counter() - wall < _LEAST_SECONDS:
        run()
        times += 1
    return Cost((time.perf_counter() - wall) / times, (time.process_time() - cpu) / times)


def measure(works: Mapping[str, Work], rounds: int) -> dict[str, Cost]:
    """Return median costs; the works take turns, so that a busy machine is busy for all of them."""
    found: dict[str, list[Cost]] = {title: [] for title in works}
    for place in range(rounds):
        for title, work in works.items():
            if place < work.rounds:
                sys.stderr.write(f"  round {place + 1}: {title}\n")
                found[title].append(timed(work.run))
    return {
        title: Cost(
            median(cost.wall for cost in costs) * works[title].scale,
            median(cost.cpu for cost in costs) * works[title].scale,
        )
        for title, costs in found.items()
    }
