"""What the experiments cost, against the libraries that do the same.

Run it in the environment that has them, for so many users each::

    .venv-bench/bin/python benchmarks/experiments.py [USERS ...]

Everything is made in a folder of its own that is removed in the end, one process for all. Nothing
is timed before its result was found equal. With the default numbers of users the figures are
also written to ``book/reference/benchmarks_experiments.md``.
"""

import os

# Threads of BLAS spin while others work, which would count as CPU time of the small products.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import bootstraps
import decisions
import splits
from timing import Cost, measure, timed

from nbtools import etl, settings, studies
from nbtools.cells import pool_cells
from nbtools.user_days import UserDays, open_user_days
from nbtools.warehouse import Connection, open_warehouse

_HERE = Path(__file__).parent
_PAGE = _HERE.parent / "book" / "reference" / "benchmarks_experiments.md"
_USERS = (100_000, 1_000_000)
_SLICE = 250_000
_PEERS = ("chdb", "duckdb", "ibis-framework", "numpy", "pandas", "polars", "scipy", "tea-tasting")

Costs = dict[str, Cost]


class Measured(NamedTuple):
    """What was measured with one number of users."""

    users: int
    events: int
    cells: int
    user_days: int
    rollup: Cost
    topics: dict[str, Costs]


class Target(NamedTuple):
    """How many times less CPU time than a peer ours has to need, by number of users."""

    own: str
    peer: str
    times: dict[int, float]


TOPICS = {
    "From events to a decision on CTR": (
        Target(decisions.OWN, decisions.DUCK, dict.fromkeys(_USERS, 2)),
        Target(decisions.OWN, decisions.DUCK_USER, {}),
        Target(decisions.OWN, decisions.DUCK_DAYS, {}),
        Target(decisions.OWN, decisions.DUCK_DAYS_USER, {}),
        Target(decisions.OWN_EVENTS, decisions.DUCK, {}),
        Target(decisions.OWN, decisions.IBIS, dict.fromkeys(_USERS, 3.5)),
        Target(decisions.OWN, decisions.POLARS, {}),
        Target(decisions.OWN, decisions.PANDAS, dict.fromkeys(_USERS, 20)),
    ),
    "Bootstrap interval of the CTR's difference": (
        Target(bootstraps.CELLS, bootstraps.SCIPY, {100_000: 100, 1_000_000: 1_000}),
        Target(bootstraps.CELLS, bootstraps.LOOP, {}),
        Target(bootstraps.CELLS, bootstraps.MATRIX, {}),
        Target(bootstraps.USERS, bootstraps.SCIPY, {}),
    ),
    "10,000 splits in random halves": (
        Target(splits.WALSH, splits.SCIPY, dict.fromkeys(_USERS, 1_500)),
        Target(splits.WALSH, splits.TEA, {}),
    ),
    "10,000 splits by the real hash": (
        Target(splits.ENGINE, splits.PYTHON, dict.fromkeys(_USERS, 40)),
    ),
}
_NOTES = {
    "From events to a decision on CTR": (
        "Delta method on the CTR, and CUPED on likes with the week before. The rollup is",
        "`user_days_v1`, which the ETL makes once a day of that day's events, a row per user and",
        "day; with it, ours also asks which days it holds. Our tables are partitioned by day and",
        "sorted by user within a day, on disk; DuckDB's have the same rows, sorted likewise or by",
        "user alone, on disk too. The frames of polars and pandas are in memory already. The",
        "results agree to 1e-7.",
    ),
    "Bootstrap interval of the CTR's difference": (
        "2,000 replicates for the peers, none for us. Replicates were fewer and the cost is",
        "scaled up; centre, width and ends agreed within five standard errors.",
    ),
    "10,000 splits in random halves": (
        "Delta method and Welch's test on users' CTR. The peers made fewer splits and the cost",
        "is scaled up; on the same halves the p-values agree to 1e-7.",
    ),
    "10,000 splits by the real hash": (
        "The engine reads the rollup anew for each thousand salts and sums seventeen columns,",
        "Python has users' views and likes ready and sums six. Fewer salts, scaled up; the users",
        "and their totals are equal.",
    ),
}


def main(sizes: tuple[int, ...] = _USERS) -> None:
    """Measure, print, and write the page."""
    measured: list[Measured] = []
    for users in sizes:
        measured.append(_measure(users))
        if sizes == _USERS:
            _PAGE.write_text(_page(measured), "utf-8")
    sys.stdout.write(_page(measured))
    if sizes == _USERS:
        sys.stderr.write(f"Written to {_PAGE}.\n")


def _measure(users: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="nbtools-benchmark-") as folder:
        config = settings.Settings(home=Path(folder) / "home")
        sys.stderr.write(f"{users:,} users: events ...\n")
        with open_warehouse(config) as db:
            events = _make_events(db, users)
        sys.stderr.write("  rollup ...\n")
        rollup = timed(lambda: etl.backfill(config, redo=True))
        with open_user_days(config) as found:
            return _measure_all(found, Path(folder), (users, events), rollup)


def _make_events(db: Connection, users: int) -> int:
    text = (_HERE / "history.sql").read_text("utf-8")
    db.execute("app/create_database")
    for table in ("feed_actions", "message_actions"):
        db.execute(f"app/{table}", table=table, tz=decisions.TZ)
    bound = {"first": decisions.BEFORE.date(), "tz": decisions.TZ}
    for start in range(0, users, _SLICE):
        end = min(users, start + _SLICE)
        db.client.command(text, parameters={"from": start, "to": end, **bound})
    db.client.command("OPTIMIZE TABLE app.feed_actions FINAL")
    return int(db.client.command("SELECT count() FROM app.feed_actions"))


def _measure_all(users: UserDays, folder: Path, size: tuple[int, int], rollup: Cost) -> Measured:
    assert users.db
    study = studies.load(users, *decisions.WINDOW, tz=decisions.TZ)
    groups = study.cells(0), study.cells(1)
    decided, strapped, halved, salted = TOPICS
    topics = {
        decided: measure(decisions.works(users, folder), 5),
        strapped: measure(bootstraps.works(*groups), 5),
        halved: measure(splits.works(pool_cells(*groups)), 5),
        salted: measure(splits.resplits(users), 3),
    }
    cells = sum(len(group.users) for group in groups)
    days = int(users.db.client.command("SELECT count() FROM user_days_v1"))
    return Measured(*size, cells, days, rollup, topics)


def _page(measured: list[Measured]) -> str:
    engine = version("chdb")
    lines = [
        "# Benchmarks of the experiments",
        "",
        "Written by `make bench`; do not edit by hand.",
        "",
        f"**Machine.** {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, chdb {engine}; "
        + ", ".join(f"{name} {version(name)}" for name in _PEERS if name != "chdb")
        + ".",
        "**Events.** "
        + "; ".join(
            f"{one.users:,} users, {one.events:,} views and likes in two weeks, "
            f"{one.user_days:,} user-days, {one.cells:,} cells"
            for one in measured
        )
        + ".",
        "**Rollup.** "
        + "; ".join(
            f"{one.users:,} users: {one.rollup.cpu / 14:.2g} s of CPU time a day"
            for one in measured
        )
        + ", for everything that the ETL does.",
        "",
        "Medians, in one process, by turns, so that other work on the machine slows all of them.",
        "Ratios are of CPU time over all cores, the steadier figure. OpenBLAS has one thread,",
        "since waiting threads spin and would count. What is over in less than a fifth of a second",
        "is run again until then.",
    ]
    for topic, targets in TOPICS.items():
        lines += ["", f"## {topic}", "", *_NOTES[topic], "", *_costs(topic, measured)]
        lines += ["", *_ratios(topic, targets, measured)]
    return "\n".join(lines) + "\n"


def _costs(topic: str, measured: list[Measured]) -> list[str]:
    heads = [f"{one.users:,} users: {kind}" for one in measured for kind in ("clock, s", "CPU, s")]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for title in measured[0].topics[topic]:
        cells = [_seconds(value) for one in measured for value in one.topics[topic][title]]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def _ratios(topic: str, targets: tuple[Target, ...], measured: list[Measured]) -> list[str]:
    heads = [f"{one.users:,} users" for one in measured]
    lines = ["| times faster | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for target in targets:
        cells = []
        for one in measured:
            costs = one.topics[topic]
            ratio = costs[target.peer].cpu / costs[target.own].cpu
            wanted = target.times.get(one.users)
            cells.append(f"{_times(ratio)}" + (f" (target {wanted:,})" if wanted else ""))
        lines.append(f"| {target.own}: than {target.peer} | " + " | ".join(cells) + " |")
    return lines


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or _USERS)
