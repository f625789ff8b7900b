"""What the archive costs: one page more in a short and in a long book, and books from nothing.

    .venv/bin/python benchmarks/archive.py [PAGES ...]

Homes with run records and executed notebooks of a made-up report are written to a
temporary folder and built there; nothing is run. The figures are also written to
``book/reference/benchmarks_book.md``.
"""

import base64
import json
import os
import platform
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import nbformat

from nbtools import book
from nbtools.errors import NbtoolsError
from nbtools.settings import PROJECT, Settings

_PAGE = Path(__file__).parent.parent / "book" / "reference" / "benchmarks_book.md"
_LAST = date(2025, 8, 30)
_ROUNDS = 3
_TARGET = 1.5
_PICTURE = 120, 250  # height and width of the noise: 90 kB, as a real page's pictures


class Cost(NamedTuple):
    """Seconds on the clock, and of CPU time, that of processes it started included."""

    wall: float
    cpu: float


class Book(NamedTuple):
    """What was measured on a book of so many pages."""

    pages: int
    scratch: Cost
    nothing: Cost
    one_more: Cost
    megabytes: float


def main(sizes: list[int]) -> None:
    """Measure, print, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        project = _copy(Path(folder) / "project")
        measured = [_measure(Path(folder) / str(count), count, project) for count in sizes]
    text = _text(measured)
    sys.stdout.write(text)
    if sizes == _SIZES:
        _PAGE.write_text(text, "utf-8")
        sys.stderr.write(f"Written to {_PAGE}.\n")


def _copy(copy: Path) -> Path:
    """Return a copy of what is written, so that an edit in between changes no figure."""
    for name in ("book", "notebooks", "parameters"):
        shutil.copytree(PROJECT / name, copy / name)
    return copy


def _measure(home: Path, count: int, project: Path) -> Book:
    days = [_LAST - timedelta(back) for back in range(count)]
    for day in days:
        _write(home, day)
    build = partial(book.build, Settings(home=home), project=project)
    scratch = _timed(build, f"{count} pages from nothing")
    nothing, more = [], []
    for added in range(1, _ROUNDS + 1):
        nothing.append(_timed(build, f"{count} pages, nothing new, round {added}"))
        _write(home, _LAST + timedelta(added))
        more.append(_timed(build, f"{count} pages and one more, round {added}"))
    site = (home / "site").resolve()
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    return Book(count, scratch, _median(nothing), _median(more), size)


def _timed(build: Callable[[], object], what: str) -> Cost:
    sys.stderr.write(f"  {what}")
    wall, cpu = time.perf_counter(), _cpu()
    build()
    cost = Cost(time.perf_counter() - wall, _cpu() - cpu)
    sys.stderr.write(f": {cost.wall:.1f} s, {cost.cpu:.1f} s of CPU time\n")
    return cost


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(cost.wall for cost in costs), median(cost.cpu for cost in costs))


def _write(home: Path, day: date) -> None:
    """Write a page and its record as the runner does."""
    path = home / "runs" / "report_feed" / f"{day}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(day.toordinal())  # noqa: S311 -- made-up figures
    ended = datetime(day.year, day.month, day.day, 4, 20, tzinfo=UTC) + timedelta(1)
    nbformat.write(_notebook(f"Feed report, {day}", chance), path.with_suffix(".ipynb"))
    record = {
        "notebook": "report_feed",
        "run": f"{day}",
        "title": f"Feed report, {day}",
        "outcome": "ok",
        "parameters": {"title": "Feed report", "date": f"{day}", "days": 7},
        "figures": _figures(chance),
        "started": (ended - timedelta(seconds=4)).isoformat(),
        "finished": ended.isoformat(),
        "seconds": 4.1,
        "engine_seconds": 0.1,
        "rows_read": 6312,
        "code_version": "0.1.0",
        "source": {"kind": "demo", "title": "A made-up report", "today": f"{day + timedelta(1)}"},
        "command": f"nbtools run report_feed daily --set date={day}",
    }
    path.write_text(json.dumps(record, indent=1), "utf-8")


def _figures(chance: random.Random) -> dict[str, float]:
    figures: dict[str, float] = {}
    levels = {"feed_users": 19_000.0, "views": 650_000.0, "likes": 139_000.0, "ctr": 0.21}
    for slug, level in {**levels, "views_per_user": 34.0, "likes_per_user": 7.3}.items():
        value = level * chance.uniform(0.95, 1.05)
        figures[slug] = round(value) if level > 1000 else value
        figures[f"{slug}.change_1d"] = chance.uniform(-0.05, 0.05)
        figures[f"{slug}.change_7d"] = chance.uniform(-0.05, 0.05)
    return figures


def _notebook(title: str, chance: random.Random) -> nbformat.NotebookNode:
    new = nbformat.v4
    rows = "".join(
        f"<tr><th>{name}</th><td>{chance.randint(1, 10**6)}</td><td>+1.2 %</td></tr>"
        for name in ("Feed DAU", "Views", "Likes", "CTR", "Views per user", "Likes per user")
    )
    head = "<tr><th>Metric</th><th>Day</th><th>Change</th></tr>"
    table = f'<table class="dataframe"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    outputs = [
        new.new_output("display_data", {"text/html": table, "text/plain": "table"}),
        *(new.new_output("display_data", {"image/png": _png(chance)}) for _ in range(2)),
    ]
    cells = [
        new.new_markdown_cell(f"# {title}\n\n**Question.** How was the feed's day?", id="intro"),
        new.new_code_cell('title = "default"', id="parameters", metadata={"tags": ["parameters"]}),
        *(new.new_markdown_cell(f"## Part {part}\n\nWords.", id=f"m{part}") for part in range(3)),
        *(
            new.new_code_cell(
                f"reports.show(day, {place})",
                id=f"c{place}",
                execution_count=place + 1,
                outputs=[output],
                metadata={"tags": ["hide-input"]},
            )
            for place, output in enumerate(outputs)
        ),
    ]
    return new.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}, cells=cells
    )


def _png(chance: random.Random) -> str:
    """Return a picture of noise, in the time that compressing it takes."""
    height, width = _PICTURE
    rows = b"".join(b"\0" + chance.randbytes(3 * width) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )
    return base64.b64encode(content).decode()


def _text(measured: list[Book]) -> str:
    short, long = measured[0], measured[-1]
    ratio = long.one_more.cpu / short.one_more.cpu
    lines = [
        "# Benchmarks of the book",
        "",
        "Written by `make bench`; do not edit by hand.",
        "",
        f"**Machine.** {os.cpu_count()} cores ({platform.machine()}), Python "
        f"{platform.python_version()}, Sphinx {version('sphinx')}, MyST-NB {version('myst-nb')}.",
        "",
        "A made-up daily report with two pictures and a table, so many days of it, and the written",
        "pages of this book. From nothing is one build, the others are medians of "
        f"{_ROUNDS}. CPU time counts the processes that a build starts.",
        "",
        "| archived pages | " + " | ".join(f"{book.pages:,}" for book in measured) + " |",
        "| --- |" + " ---: |" * len(measured),
        _row("from nothing, s", [book.scratch.wall for book in measured]),
        _row("the same, s of CPU time", [book.scratch.cpu for book in measured]),
        _row("nothing new, s", [book.nothing.wall for book in measured]),
        _row("one page more, s", [book.one_more.wall for book in measured]),
        _row("the same, s of CPU time", [book.one_more.cpu for book in measured]),
        _row("size of the site, MB", [book.megabytes for book in measured]),
        "",
        f"One page more among {long.pages:,} costs **{ratio:.2f} times** the CPU time that it",
        f"costs among {short.pages:,}; the target is at most {_TARGET}.",
    ]
    if len(measured) > 2:
        lines += ["", _growth(measured[-2], long)]
    return "\n".join(lines) + "\n"


def _growth(middle: Book, long: Book) -> str:
    fewer, more = middle.scratch.cpu / middle.pages, long.scratch.cpu / long.pages
    return (
        f"From nothing a page costs {fewer * 1000:.0f} ms of CPU time in a book of "
        f"{middle.pages:,} and {more * 1000:.0f} ms in one of {long.pages:,}, so the whole grows "
        "linearly."
    )


def _row(title: str, values: list[float]) -> str:
    return f"| {title} | " + " | ".join(f"{value:.1f}" for value in values) + " |"


_SIZES = [10, 250, 1000]

if __name__ == "__main__":
    try:
        main([int(word) for word in sys.argv[1:]] or _SIZES)
    except NbtoolsError as error:
        sys.exit(f"benchmarks: {error}")
