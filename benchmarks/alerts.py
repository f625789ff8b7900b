"""What the alerts find and what they cost, against rules of thumb and libraries.

Run it in the environment that has them, for so many apps of each family::

    .venv-bench/bin/python benchmarks/alerts.py [APPS]

Every detector sees the same series and is counted by the same rules, as its authors configured it
and with the threshold that gives the same number of false alarms. With the default number of apps
the figures are also written to ``book/reference/benchmarks_alerts.md``.
"""

import os

# Threads of BLAS spin while others work, which would count as CPU time of the small products.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import math
import platform
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import alert_apps
import alert_costs
import alert_counts
import numpy as np
from alert_apps import FAMILIES
from alert_costs import Costs
from alert_counts import LEAK, WITHIN, Record, Scored
from alert_peers import DETECTORS, ORACLE, OURS

_PAGE = Path(__file__).parent.parent / "book" / "reference" / "benchmarks_alerts.md"
_APPS = 4
_BUDGET = 1.0
_FOUND = tuple(f"found within {slices}" for slices in WITHIN)
_PEERS = ("numpy", "pandas", "river", "scikit-learn", "scipy")
_NOTES = {
    "steady": "Smooth days and weeks, a straight trend, holidays, short bursts.",
    "restless": (
        "Commuters' days, growth that bends, a level that wanders, heavy-tailed shocks, viral "
        "posts. Constants of the detector were chosen on other apps of these two families."
    ),
    "office": (
        "A small business app: flat office hours, all but closed at night and on Sundays, busy "
        "Fridays, a decline in steps, two half-day outages in the weeks to learn from. The "
        "hold-out: no constant of the detector was set on it. An incident that begins while the "
        "app is closed can hardly be seen at first."
    ),
}


class Judged(NamedTuple):
    """What a detector did in a family: as configured, calibrated, with the first family's."""

    configured: Record | None
    calibrated: Record | None
    carried: Record | None


Judgements = dict[str, Judged]
Families = dict[str, Judgements]


def main(apps: int = _APPS) -> None:
    """Measure, print, and write the page."""
    families: Families = {}
    for family in FAMILIES:
        first = next(iter(families.values()), {})
        families[family] = _judge(_score(family, apps), first)
    page = _page(
        apps, families, (alert_costs.checks(), alert_costs.processes(), alert_costs.days())
    )
    sys.stdout.write(page)
    if apps == _APPS:
        _PAGE.write_text(page, "utf-8")
        sys.stderr.write(f"Written to {_PAGE}.\n")


def _score(family: str, apps: int) -> dict[str, list[Scored]]:
    """Return every detector's scores of the apps of a family, made one app a core."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(_score_app, [family] * apps, range(apps)))
    return {name: [Scored(app, scores[name]) for app, scores in made] for name in DETECTORS}


def _score_app(family: str, number: int) -> tuple[alert_apps.App, dict[str, np.ndarray]]:
    app = alert_apps.make(family, number)
    scores = {}
    for name, detector in DETECTORS.items():
        sys.stderr.write(f"  {app.name}: {name}\n")
        scores[name] = np.stack([detector.score(series) for series in app.series.values()])
    return app, scores


def _judge(scored: dict[str, list[Scored]], first: Judgements) -> Judgements:
    judged = {}
    for name, detector in DETECTORS.items():
        configured, found = detector.threshold, alert_counts.calibrate(scored[name], _BUDGET)
        before = first[name].calibrated if name in first else None
        judged[name] = Judged(
            *(
                None if threshold is None else alert_counts.record(scored[name], threshold)
                for threshold in (configured, found, before and before.threshold)
            )
        )
    return judged


# ---- the page


def _page(
    apps: int, families: Families, costs: tuple[tuple[int, dict[int, Costs]], Costs, Costs]
) -> str:
    lines = [
        "# Benchmarks of the alerts",
        "",
        "Written by `make bench`; do not edit by hand.",
        "",
        f"**Machine.** {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}; "
        + ", ".join(f"{name} {version(name)}" for name in _PEERS)
        + ".",
        f"**Series.** {len(families)} families of {apps} apps each, drawn from seeds: 6 metrics x "
        f"5 segments, {alert_apps.DAYS} days of {alert_apps.SLICE_MINUTES}-minute slices with "
        "trend, seasons, over-dispersed counts, bursts, holidays and gaps. From day "
        f"{alert_apps.LEARNED + 1} on 24 incidents an app, three of each kind, of known start, "
        "length and size.",
        "",
        "An incident is looked for in the series that has it at full size, from its first slice",
        "to its last one, and *found within* is the share told by the end of so many slices.",
        "Anomalous slices less than an hour apart are one alarm, told again after four hours;",
        "alarms outside incidents, and not in the hour behind one, are *false alarms*, counted by",
        "series in 30 days. *Calibrated* means: the lowest threshold on a detector's own score",
        f"that keeps false alarms within {_BUDGET:g}. As configured, rules that call every few",
        "hours find incidents by chance. The oracle knows everything but the draws: what it misses",
        "cannot be seen. Leaks grow over a day; they are found when told before their end.",
        "",
        "Data of others: `nbtools bench nab --path FOLDER` scores the detector on a checkout of",
        "the [Numenta Anomaly Benchmark](https://github.com/numenta/NAB) by that benchmark's",
        "rules, and with `--results all` the results published there, beside their own scores.",
    ]
    for family, judged in families.items():
        lines += ["", f"## {family.capitalize()} apps", "", _NOTES[family], ""]
        lines += [*_configured(judged), "", *_calibrated(judged), "", *_kinds(judged)]
        lines += ["", *_metrics(judged)]
    return "\n".join([*lines, "", *_costs(*costs[0], *costs[1:])]) + "\n"


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join((title, *heads)) + " |", "| --- |" + " ---: |" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def _configured(judged: Judgements) -> list[str]:
    return _table(
        "as configured",
        ("false alarms", *_FOUND),
        (
            (name, _number(one.configured.false_alarms), *_recall(one.configured))
            for name, one in judged.items()
            if one.configured
        ),
    )


def _calibrated(judged: Judgements) -> list[str]:
    carried = any(one.carried for one in judged.values())
    heads = [*_FOUND, "leaks", "delay, min"]
    if carried:
        heads.append("false alarms with the first family's threshold")
    rows = []
    for name, one in judged.items():
        cells = [name, *_recall(one.calibrated)]
        found = one.calibrated
        cells += ["", ""] if found is None else [_share(found.by_kind[LEAK][0]), _delay(found)]
        if carried:
            cells.append("" if one.carried is None else _number(one.carried.false_alarms))
        rows.append(cells)
    return _table("calibrated", heads, rows)


def _recall(record: Record | None) -> list[str]:
    return [""] * len(WITHIN) if record is None else [_share(share) for share in record.recall]


def _delay(record: Record) -> str:
    return "" if math.isnan(record.delay) else f"{record.delay:.0f}"


def _kinds(judged: Judgements) -> list[str]:
    names = OURS, ORACLE
    records = [record for name in names if (record := judged[name].calibrated)]
    kinds = records[0].by_kind if records else {}
    return _table(
        "calibrated, within 1 / 2 / 4",
        [name for name in names if judged[name].calibrated],
        (
            (kind, *(" / ".join(map(_share, record.by_kind[kind])) for record in records))
            for kind in kinds
        ),
    )


def _metrics(judged: Judgements) -> list[str]:
    record = judged[OURS].configured
    assert record is not None, "Ours has a threshold."
    return _table(
        f"{OURS} as configured",
        tuple(record.by_metric),
        [("false alarms", *map(_number, record.by_metric.values()))],
    )


def _costs(series: int, checks: dict[int, Costs], processes: Costs, days: Costs) -> list[str]:
    kinds = "clock", "CPU"
    return [
        "## The cost of a check",
        "",
        f"One check of {series} series at the end of histories of different length, slice after",
        "slice. Medians.",
        "",
        *_table(
            "ms",
            [f"{length} days of events: {kind}" for length in checks for kind in kinds],
            (
                (
                    part,
                    *(f"{1e3 * value:.0f}" for costs in checks.values() for value in costs[part]),
                )
                for part in next(iter(checks.values()))
            ),
        ),
        "",
        "The whole command, from the start of Python to the page and the record of the run:",
        "",
        *_table(
            "seconds",
            ["clock", "CPU", "times an empty notebook"],
            (
                (
                    name,
                    f"{cost.wall:.1f}",
                    f"{cost.cpu:.1f}",
                    f"{cost.wall / processes[alert_costs.EMPTY].wall:.1f}",
                )
                for name, cost in processes.items()
            ),
        ),
        "",
        f"Every slice of a series of {alert_apps.DAYS} days:",
        "",
        *_table(
            "",
            ["CPU, ms a series-day"],
            ((name, f"{1e3 * cost.cpu:.3f}") for name, cost in days.items()),
        ),
    ]


def _share(value: float) -> str:
    return f"{value:.2f}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
