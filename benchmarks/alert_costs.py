"""What a check of the alerts costs, and what the detectors cost a day of a series."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import nbformat
import numpy as np
from alert_apps import DAYS, make
from alert_peers import DETECTORS, ORACLE
from timing import Cost, Work, measure, timed

from nbtools import alerts, demo, settings, slices
from nbtools.slices import STEP_MINUTES, Filled, History
from nbtools.warehouse import Connection, open_source, open_warehouse

Costs = dict[str, Cost]

LENGTHS = (30, 730)
_SCALE = 0.005  # of the demo history; the app's size matters to neither the rollup nor Python
_FIRST = date(2022, 12, 5)
_ROUNDS = 7
FILL = "engine: from the newest events to slices"
READ = "engine: read 28 days of slices"
JUDGE = "Python: judge the series"
CHECK, EMPTY = "a check of the alerts", "an empty notebook with a parameter"


def checks() -> tuple[int, dict[int, Costs]]:
    """Return how many series a check has, and the costs of its parts by days of events."""
    made = {days: _check(days) for days in LENGTHS}
    return max(series for series, _ in made.values()), {
        days: costs for days, (_, costs) in made.items()
    }


def _check(days: int) -> tuple[int, Costs]:
    with tempfile.TemporaryDirectory(prefix="nbtools-benchmark-") as folder:
        config = settings.Settings(home=Path(folder) / "home")
        demo.build(config, scale=_SCALE, seed=1, start=_FIRST, days=days)
        with open_warehouse(config) as db, open_source(config) as source:
            return _rounds(db, source, days, ZoneInfo(config.tz))


def _rounds(db: Connection, source: Connection, days: int, zone: ZoneInfo) -> tuple[int, Costs]:
    """Check slice after slice on the last day, as a cron job would."""
    noon = datetime.combine(_FIRST + timedelta(days=days - 1), time(12), zone)
    slices.fill(db, source, at=noon)
    series, found = 0, dict[str, list[Cost]]()
    for number in range(1, _ROUNDS + 1):
        at = noon + number * timedelta(minutes=STEP_MINUTES)
        series, costs = _round(db, source, at)
        for title, cost in costs.items():
            found.setdefault(title, []).append(cost)
    return series, {title: _median(costs) for title, costs in found.items()}


def _round(db: Connection, source: Connection, at: datetime) -> tuple[int, Costs]:
    """Return the number of series of one check, and what its steps cost."""
    filled: list[Filled] = []
    history: list[History] = []

    def read() -> None:
        zone = ZoneInfo(str(at.tzinfo))
        history.append(slices.read(db, filled[0], zone=zone, slugs=alerts.METRICS))

    costs = {
        FILL: timed(lambda: filled.append(slices.fill(db, source, at=at))),
        READ: timed(read),
        JUDGE: timed(lambda: alerts.judge(history[0], sensitivity=1.0, since=at - alerts.SHOWN)),
    }
    return len(history[0].values), costs


def processes() -> Costs:
    """Return what a whole check costs, from the command line on, and an empty notebook."""
    with tempfile.TemporaryDirectory(prefix="nbtools-benchmark-") as folder:
        config = settings.Settings(home=Path(folder) / "home")
        demo.build(config, scale=_SCALE, seed=1, start=_FIRST, days=LENGTHS[0])
        noon = datetime.combine(_FIRST + timedelta(days=LENGTHS[0] - 1), time(12))
        empty = Path(folder) / "empty.ipynb"
        parameter = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
        notebook = nbformat.v4.new_notebook(cells=[parameter])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, empty)
        found = dict[str, list[Cost]]()
        for number in range(_ROUNDS):
            at = noon + number * timedelta(minutes=STEP_MINUTES)
            run = [
                "-m",
                "papermill",
                "--no-progress-bar",
                str(empty),
                f"{folder}/out.ipynb",
                "-p",
                "x",
            ]
            for title, arguments in (
                (EMPTY, [*run, str(number)]),
                (CHECK, ["-m", "nbtools", "alerts", "--at", f"{at:%Y-%m-%d %H:%M}"]),
            ):
                cost = _process(arguments, config.home)
                if number:  # the first check fills the slices of all days
                    found.setdefault(title, []).append(cost)
    return {title: _median(costs) for title, costs in found.items()}


def _process(arguments: Sequence[str], home: Path) -> Cost:
    """Return what a command of Python costs with all that it starts."""
    before = os.times()
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "NBTOOLS_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system
    return Cost(after.elapsed - before.elapsed, cpu - before.children_system)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.wall for cost in costs), median(cost.cpu for cost in costs))


def days() -> Costs:
    """Return what each detector costs a series-day, over a total, a segment and a CTR."""
    app = make("steady", 0)
    some = [app.series[key] for key in (("views", "total"), ("new users", "iOS"), ("CTR", "ads"))]

    def work(name: str) -> Work:
        score = DETECTORS[name].score
        return Work(lambda: np.stack([score(one) for one in some]), 1 / len(some) / DAYS)

    return measure({name: work(name) for name in DETECTORS if name != ORACLE}, 3)
