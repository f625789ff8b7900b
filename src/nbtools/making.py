"""The pages of executed notebooks, each made again only when what it shows changed.

Beside the sources lies ``made.json``: from what each page was made, and its files. What
did not change is not even read, so a long archive costs a look at each file's time.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from nbtools import archive, records, runpages
from nbtools.errors import BookError
from nbtools.records import Record, Runs
from nbtools.runpages import Around
from nbtools.settings import Settings

_PACKAGE = Path(__file__).parent
# What decides how a page looks. The rest of the package may change without a page being made
# again.
SHAPING = (
    "making",
    "runpages",
    "chart_pages",
    "downloads",
    "keyfigures",
    "markup",
    "messages",
    "metrics",
    "records",
    "templates/banner.md",
    "templates/facts.md",
    "templates/failed.md",
    "templates/marks",
)


def copy_of(home: Path, failure: Record) -> Path:
    """Return where the copy of a failed run lies."""
    return home / "failed" / failure.notebook / f"{failure.run}.ipynb"


def names(folder: Path) -> Iterator[str]:
    """Yield the files of a folder, as paths from it."""
    # Strings, because there may be thousands.
    for place, _, names in os.walk(folder):
        inner = place[len(str(folder)) + 1 :]
        yield from (f"{inner}/{name}" if inner else name for name in names)


def write_changed(path: Path, content: bytes) -> None:
    """Write a file unless it has that content already."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class Making:
    """The pages of executed notebooks, each made again only when what it shows changed."""

    def __init__(self, settings: Settings, project: Path, work: Path) -> None:
        self._settings, self._work = settings, work
        self._methods = project / "book" / "methods"
        self._path = work / "made.json"
        self._before = self._read()
        self._now: dict[str, Any] = {}
        self._there = {folder: set(names(work / folder)) for folder in ("source", "extras")}
        self._records: dict[int, str] = {}
        self._common = _code(settings)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def kept(self, folder: str) -> set[str]:
        """Return the files of a folder that belong to pages."""
        return {name for entry in self._now.values() for name in entry[folder]}

    def close(self) -> None:
        """Remember from what the pages were made."""
        write_changed(self._path, json.dumps(self._now).encode())

    def add(self, runs: Runs, home: Path) -> None:
        """Make the pages of a notebook's runs and of its failed copies."""
        beside = archive.neighbours(runs.done)
        method = (self._methods / f"{runs.notebook}.md").is_file()
        newer = _newer_failure(runs)
        for place, page in enumerate(runs.pages):
            before, weekday = beside[page.run]
            around = Around(
                runs.failures.get(page.run) or (newer if place == 0 else None),
                runs.pages[place + 1] if place + 1 < len(runs.pages) else None,
                runs.pages[place - 1] if place else None,
                before,
                weekday,
                method,
            )
            self._page(home / f"{page.docname}.ipynb", page, around)
        good = {page.run for page in runs.pages}
        for failure in runs.failures.values():
            if copy_of(home, failure).is_file():
                self._failed(copy_of(home, failure), failure, has_page=failure.run in good)

    def _page(self, path: Path, record: Record, around: Around) -> None:
        name = record.docname
        shown = [record, *around[:-1]]
        if self._is_current(name, path, [*map(self._digest, shown), around.method]):
            return
        content = path.read_bytes()
        made = runpages.run_page(
            _parse(content, path), record, around=around, zone=self._settings.zone
        )
        folder = f"runs/{record.notebook}"
        extras = {f"{folder}/{file}": table for file, table in made.files.items()}
        extras[f"{name}.ipynb"] = content
        self._write(name, nbformat.writes(made.notebook).encode(), extras)

    def _failed(self, path: Path, failure: Record, *, has_page: bool) -> None:
        name = f"failed/{failure.notebook}/{failure.run}"
        if self._is_current(name, path, [self._digest(failure), has_page]):
            return
        try:
            copy = _parse(path.read_bytes(), path)
        except BookError:  # the run is under way again and writes it
            copy = nbformat.v4.new_notebook()
        page = runpages.failed_page(copy, failure, has_page=has_page, zone=self._settings.zone)
        self._write(name, nbformat.writes(page).encode(), {})

    def _digest(self, record: Record | None) -> str:
        if record is None:
            return ""
        if id(record) not in self._records:
            content = record.model_dump_json().encode()
            self._records[id(record)] = hashlib.sha256(content).hexdigest()
        return self._records[id(record)]

    def _is_current(self, name: str, path: Path, shown: Sequence[object]) -> bool:
        """Return whether a page is there as it should be, and keep it if so."""
        found = path.stat()
        facts = json.dumps([self._common, found.st_mtime_ns, found.st_size, *shown])
        stamp = hashlib.sha256(facts.encode()).hexdigest()[:24]
        entry = self._before.get(name, {"stamp": "", "extras": []})
        source = f"{name}.ipynb"
        is_there = source in self._there["source"] and self._there["extras"].issuperset(
            entry["extras"]
        )
        self._now[name] = {"stamp": stamp, "source": [source], "extras": entry["extras"]}
        return is_there and entry["stamp"] == stamp

    def _write(self, name: str, page: bytes, extras: Mapping[str, bytes]) -> None:
        write_changed(self._work / "source" / f"{name}.ipynb", page)
        for file, content in extras.items():
            write_changed(self._work / "extras" / file, content)
        self._now[name]["extras"] = list(extras)


def _newer_failure(runs: Runs) -> Record | None:
    """Return the newest failed run that has no page and is newer than every page."""
    if not runs.pages or runs.pages[0].day is None:
        return None
    newest = runs.pages[0].day
    found = [one for one in runs.failures.values() if one.day and one.day > newest]
    return max(found, key=records.age, default=None)


def _parse(content: bytes, path: Path) -> nbformat.NotebookNode:
    try:
        found: nbformat.NotebookNode = nbformat.reads(content.decode("utf-8"), as_version=4)
    except (UnicodeDecodeError, ValueError, nbformat.ValidationError) as error:
        said = " ".join(str(error).split())[:200]
        raise BookError(
            f"{path} is no notebook: {said}. Run it again, or remove it and its record."
        ) from None
    return found


def _code(settings: Settings) -> str:
    """Return a hash of everything else that a page depends on."""
    digest = hashlib.sha256(settings.tz.encode())
    for name in SHAPING:
        path = _PACKAGE / name
        digest.update(path.with_name(path.name + (".j2" if "/" in name else ".py")).read_bytes())
    return digest.hexdigest()
