"""What the ETL costs: a day against the bare scans it needs, and a whole backfill.

Run it on a home that has a history, ``NBTOOLS_HOME`` by default::

    .venv/bin/python benchmarks/etl.py [ROUNDS]

Everything runs in one process, in a database of its own that is dropped in the end, and
nothing is timed before its result was found equal. On the demo history at scale 1 the
figures are also written to ``book/reference/benchmarks.md``.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pandas as pd

from nbtools import etl, progress, settings
from nbtools.engine import statement
from nbtools.errors import NbtoolsError
from nbtools.warehouse import Connection, open_source, open_warehouse, query_frame, source_info

_HERE = Path(__file__).parent
_PAGE = _HERE.parent / "book" / "reference" / "benchmarks.md"
_DATABASE = "benchmark"
_KEYS = ["dimension", "dimension_value"]
COUNTS = {
    "feed": "views, likes and users of the feed",
    "sent": "messages sent and their senders",
    "received": "messages received, by the receiver's attributes",
    "both": "users of both services",
}
CHECKS = {
    "repeated_feed": "check: repeated feed events",
    "repeated_messages": "check: repeated messages",
    "likes_without_view": "check: likes without a view",
    "attributes_changed": "check: changed attributes",
}
OWN = "the ETL's own scan of both tables"
WHOLE = "the ETL of the day, all of it"


class Cost(NamedTuple):
    """Seconds on the clock, and of CPU time over all cores."""

    wall: float
    cpu: float


class Day(NamedTuple):
    """What was measured on one day."""

    day: date
    events: int
    costs: dict[str, Cost]

    def ratio(self, *names: str) -> Cost:
        """Return the cost of the ETL in units of some scans."""
        bare = [self.costs[name] for name in names]
        whole = self.costs[WHOLE]
        return Cost(
            whole.wall / sum(cost.wall for cost in bare), whole.cpu / sum(cost.cpu for cost in bare)
        )


class Events:
    """The source, with the bare scans over one of its days."""

    def __init__(self, source: Connection, tz: str) -> None:
        found = etl.event_days(source, tz=tz)
        assert found, "The source has no events; make demo fills it."
        self.first, self.last = found
        self.source, self.tz = source, tz

    def _ask(self, text: str, day: date, since: date) -> tuple[str, dict[str, Any]]:
        assert self.source.source is not None
        bound = {"date": day, "tz": self.tz, "since": since}
        return f"{statement('source')}\n{text}", {**self.source.source.names, **bound}

    def result(self, name: str, day: date) -> pd.DataFrame:
        """Return what a bare scan finds; receivers are looked up in all events before."""
        text, bound = self._ask((_HERE / f"{name}.sql").read_text("utf-8"), day, self.first)
        return query_frame(self.source.client, text, bound)[0]

    def scan(self, text: str, day: date) -> None:
        """Run a statement and throw its rows away; receivers are looked up in the day alone."""
        text, bound = self._ask(text, day, day)
        self.source.client.command(f"{text}\nFORMAT Null", parameters=bound)

    def load(self, db: Connection, day: date) -> etl.DayResult:
        """Run the ETL of a day."""
        return etl.run_day(db, self.source, day, tz=self.tz)


def main(rounds: int = 15) -> None:
    """Measure, print, and write the page."""
    config = settings.load()
    with open_source(config) as source, _database() as db:
        events, info = Events(source, config.tz), source_info(source)
        days = [events.first + timedelta(k) for k in range((events.last - events.first).days + 1)]
        cost, _ = _timed(lambda: _backfill(events, db, days))
        measured = []
        for day in (days[len(days) // 8], days[len(days) // 2], days[-1]):
            _require_equal(events, db, day)
            measured.append(_measure(events, db, day, rounds))
        engine = str(db.client.command("SELECT version()"))
    text = _page(info.get("title", "A history of its own"), engine, (len(days), cost), measured)
    sys.stdout.write(text)
    if info.get("kind") == "demo" and info.get("scale") == 1:
        _PAGE.parent.mkdir(exist_ok=True)
        _PAGE.write_text(text, "utf-8")
        sys.stderr.write(f"Written to {_PAGE}.\n")


@contextmanager
def _database() -> Iterator[Connection]:
    """Open a database beside ours, so that the tables of the home stay as they are."""
    with open_warehouse(settings.load()) as db:
        drop = f"DROP DATABASE IF EXISTS {_DATABASE} SYNC"
        db.client.command(drop)
        db.client.command(f"CREATE DATABASE {_DATABASE}")
        db.client.database = _DATABASE
        try:
            yield db
        finally:
            db.client.command(drop)


def _backfill(events: Events, db: Connection, days: list[date]) -> None:
    for day in progress.track(days, "backfill", date.isoformat):
        if etl.has_events(events.source, day, tz=events.tz):
            events.load(db, day)


def _timed(run: Callable[[], object]) -> tuple[Cost, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu), result


def _require_equal(events: Events, db: Connection, day: date) -> None:
    """End the program if a bare scan finds anything else than the ETL."""
    checks = events.load(db, day).checks["found"]
    rows = etl.read_day(db, day).set_index(_KEYS)
    for name in COUNTS:
        bare = events.result(name, day).set_index(_KEYS).astype("int64").sort_index()
        own = rows[list(bare.columns)].astype("int64").sort_index()
        # A scan has no row where it counts nothing.
        pd.testing.assert_frame_equal(own[own.any(axis=1)], bare[bare.any(axis=1)], obj=name)
    for name in CHECKS:
        found = int(events.result(name, day)["found"][0])
        assert found == checks[name], f"{name} on {day}: {found}, the ETL found {checks[name]}"


def _measure(events: Events, db: Connection, day: date, rounds: int) -> Day:
    texts = {
        title: (_HERE / f"{name}.sql").read_text("utf-8")
        for name, title in {**COUNTS, **CHECKS}.items()
    }
    texts[OWN] = statement("daily_metrics_v1/user_day")
    work: dict[str, Callable[[], object]] = {
        title: partial(events.scan, text, day) for title, text in texts.items()
    }
    work[WHOLE] = partial(events.load, db, day)
    costs: dict[str, list[Cost]] = {title: [] for title in work}
    # They take turns, so that a busy machine is busy for all of them.
    for title in progress.track([*work] * rounds, f"rounds of {day}", str):
        costs[title].append(_timed(work[title])[0])
    medians = {
        title: Cost(median(cost.wall for cost in of), median(cost.cpu for cost in of))
        for title, of in costs.items()
    }
    totals = events.load(db, day).totals
    return Day(day, totals["views"] + totals["likes"] + totals["messages_sent"], medians)


def _page(title: str, engine: str, backfill: tuple[int, Cost], days: list[Day]) -> str:
    bare = [*COUNTS.values(), *CHECKS.values()]
    count, cost = backfill
    head = "| | " + " | ".join(f"{day.day}" for day in days) + " |"
    lines = [
        "# Benchmarks of the ETL",
        "",
        "Written by `make bench`; do not edit by hand.",
        "",
        f"**History.** {title}.",
        f"**Machine.** {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, ClickHouse {engine} embedded.",
        "",
        "## The whole backfill",
        "",
        f"{count} days into empty tables: {cost.wall:.1f} s on the clock, "
        f"{cost.cpu:.1f} s of CPU time. The target is 120 s on 2 cores.",
        "",
        "## One day",
        "",
        "The bare scans count straight from the events what the day's partition holds and what",
        "its checks find, one statement each, rows thrown away. Before anything was timed, their",
        "results were equal to those of the ETL on each day, with receivers looked up in every",
        "event since the first. Medians in milliseconds on the clock, in one process, by turns.",
        "",
        head,
        "| --- |" + " ---: |" * len(days),
        "| events | " + " | ".join(f"{day.events:,}" for day in days) + " |",
    ]
    lines += [_row(name, [day.costs[name].wall * 1000 for day in days]) for name in bare]
    lines += [
        _row(
            "**bare scans together**",
            [sum(day.costs[name].wall for name in bare) * 1000 for day in days],
        )
    ]
    lines += [_row(name, [day.costs[name].wall * 1000 for day in days]) for name in (OWN, WHOLE)]
    lines += [
        _row("**ETL / bare scans** (target: at most 1.5)", [d.ratio(*bare).wall for d in days], 2),
        _row("the same in CPU time", [day.ratio(*bare).cpu for day in days], 2),
        _row("ETL / its own scan", [day.ratio(OWN).wall for day in days], 2),
        "",
        "What the ETL costs beyond its own scan is nearly the same for every day: a dozen small",
        "statements that stage, sum up, check and replace.",
    ]
    return "\n".join(lines) + "\n"


def _row(title: str, values: list[float], digits: int = 1) -> str:
    return f"| {title} | " + " | ".join(f"{value:.{digits}f}" for value in values) + " |"


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    except NbtoolsError as error:
        sys.exit(f"benchmarks: {error}")
