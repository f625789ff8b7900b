"""Key figures of runs: as lists show them, side by side, and as files.

All of it is made from records: a page that is not kept any longer loses its link, never
its key figures.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nbtools import messages
from nbtools.metrics import CATALOGUE
from nbtools.records import Record, Runs

_COLUMNS = 6
_WHOLE = 1000  # from here on nobody reads the decimals
_DIGITS = 6


class Compared(NamedTuple):
    """A key figure of a run beside that of an earlier one.

    Attributes
    ----------
    name : str
        Of the figure, for people.
    here : str
        Its value.
    others : list of tuple
        For each of the others: value, arrow, change, judgement.
    """

    name: str
    here: str
    others: list[tuple[str, str, str, str]]


def columns(done: Sequence[Record]) -> dict[str, str]:
    """Return the key figures worth a column of a list of runs, name to heading."""
    if not done:
        return {}
    figures = done[0].figures
    metrics = {slug: item.name for slug, item in CATALOGUE.items() if slug in figures}
    plain = (name for name in figures if "." not in name and name not in metrics)
    # What was decided comes before what it was decided on.
    others = {name: words(name) for name in sorted(plain, key=lambda name: name != "verdict")}
    return dict(list((metrics or others).items())[:_COLUMNS])


def figure(name: str, value: object) -> str:
    """Return a key figure as a list of runs shows it."""
    if name in CATALOGUE:
        return messages.value(CATALOGUE[name], number(value))
    if isinstance(value, float) and abs(value) < _WHOLE:
        return f"{value:.4g}".replace("-", messages.MINUS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return messages.count(value)
    return messages.MISSING if value is None else str(value)


def number(value: object) -> float | None:
    """Return a key figure that can be computed with, None for any other."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if math.isfinite(value) else None


def words(name: str) -> str:
    """Return a name of the code as a heading."""
    return name.replace("_", " ").capitalize()


def compared(record: Record, others: Sequence[Record]) -> list[Compared]:
    """Return a run's key figures beside those of earlier ones.

    Parameters
    ----------
    record : Record
        The run.
    others : sequence of Record
        What it is compared with.
    """
    return [
        Compared(
            CATALOGUE[name].name if name in CATALOGUE else words(name),
            figure(name, value),
            [_against(name, value, other.figures.get(name)) for other in others],
        )
        for name, value in _in_order(record.figures).items()
        if "." not in name
    ]


def _in_order(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with the metrics first, in the catalogue's order."""
    metrics = {slug: figures[slug] for slug in CATALOGUE if slug in figures}
    return {**metrics, **figures}


def _against(name: str, here: object, there: object) -> tuple[str, str, str, str]:
    x, y = number(here), number(there)
    relative = x / y - 1 if x is not None and y is not None and y > 0 else None
    shown = messages.signed_percent(relative) if relative is not None else ""
    judged = messages.judgement(CATALOGUE[name], relative) if name in CATALOGUE else ""
    return figure(name, there), messages.arrow(relative), shown, judged


def script(runs: Runs, name: str) -> str:
    """Return the key figures of every run as a script for the page that compares any two.

    A script, because a page opened from a folder may not read other files. Each figure is
    a list over the runs, so that a thousand runs stay small.

    Parameters
    ----------
    runs : Runs
        Of one notebook.
    name : str
        What it is called.
    """
    done = runs.done
    names = _in_order(dict.fromkeys(name for record in done for name in record.figures))
    pages = {page.run for page in runs.pages}
    content = {
        "name": name,
        "runs": [record.run for record in done],
        "labels": [record.label for record in done],
        "pages": [int(record.run in pages) for record in done],
        "figures": [
            {
                "name": CATALOGUE[figure].name if figure in CATALOGUE else words(figure),
                "style": CATALOGUE[figure].style if figure in CATALOGUE else "",
                "good": CATALOGUE[figure].good if figure in CATALOGUE else "neither",
                "values": [_short(record.figures.get(figure)) for record in done],
            }
            for figure in names
            if not figure.endswith((".change_1d", ".change_7d"))
        ],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # As text of a script it must not end it.
    return f"window.nbtoolsRuns = {text.replace('<', chr(92) + 'u003c')};\n"


def _short(value: object) -> object:
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def table(runs: Runs) -> bytes:
    """Return the key figures of every run as a CSV file, oldest first.

    Parameters
    ----------
    runs : Runs
        Of one notebook.
    """
    done = runs.done[::-1]
    names = list(dict.fromkeys(name for record in done for name in record.figures))
    content = io.StringIO()
    lines = csv.writer(content, lineterminator="\n")
    lines.writerow(["run", "title", "finished", "seconds", *names])
    for record in done:
        figures = [record.figures.get(name) for name in names]
        lines.writerow(
            [record.run, record.title, record.finished.isoformat(), record.seconds, *figures]
        )
    return content.getvalue().encode("utf-8-sig")
