"""The pages that the book adds to its written ones, as MyST Markdown.

Their texts are templates; what comes from a run reaches them escaped.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import nbformat

from nbtools import archive, keyfigures, landing, markup
from nbtools.changes import Change
from nbtools.freshness import Clock, Section
from nbtools.metrics import CATALOGUE, SLICE_METRICS
from nbtools.records import Record, Runs
from nbtools.runpages import OUTCOMES
from nbtools.standing import Standing

_COLUMN = re.compile(r"^\s*(\w+)\s+(.+?)\s+COMMENT\s+'((?:[^'\\]|\\.|'')*)'")
_SHOWN = {"count": 12345, "ratio": 21.354, "share": 0.2047}
_RECENT_INCIDENTS = 10


class Contents(NamedTuple):
    """What is known when the pages are made.

    Attributes
    ----------
    everything : sequence of Runs
        The runs of every notebook.
    names : mapping of str
        What each notebook is called.
    sections : sequence of Section
        How fresh each is.
    present : Clock
        The app's present.
    standing : Standing
        How the alerts stand.
    log : sequence of Change
        The change log, newest first.
    copies : frozenset of str
        Docnames of the failed runs that left a copy.
    """

    everything: Sequence[Runs]
    names: Mapping[str, str]
    sections: Sequence[Section]
    present: Clock
    standing: Standing
    log: Sequence[Change] = ()
    copies: frozenset[str] = frozenset()

    @property
    def failures(self) -> list[Record]:
        """Every failure that waits for a repair, newest first."""
        found = [failure for runs in self.everything for failure in runs.failures.values()]
        return sorted(found, key=lambda failure: failure.finished, reverse=True)


def name_of(notebook: str, notebooks: Path) -> str:
    """Return what a notebook is called: the heading of its source, else its file name."""
    path = notebooks / f"{notebook}.ipynb"
    if path.is_file():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown" and cell.source.startswith("# "):
                return str(cell.source).partition("\n")[0].removeprefix("# ").strip()
    return keyfigures.words(notebook)


def generated(contents: Contents, *, home: Path, written: Path, zone: ZoneInfo) -> dict[str, str]:
    """Return the generated pages, path in the book to text.

    Parameters
    ----------
    contents : Contents
        What is known.
    home : Path
        The home folder.
    written : Path
        Folder of the book's written pages.
    zone : ZoneInfo
        Zone in which times are shown.
    """
    render = markup.renderer(zone, figure=keyfigures.figure)
    everything = contents.everything
    known: dict[str, Any] = {
        "everything": everything,
        "names": contents.names,
        "sections": contents.sections,
        "alerts": _alerts(contents.standing, zone),
    }
    found = {
        "index.md": render(
            "index.md.j2",
            **known,
            **landing.context(everything, home, contents.present),
            present=contents.present,
            believed=landing.freshness_words(contents.sections, contents.names),
            failing={runs.notebook: runs.failures for runs in everything},
        ),
        "status.md": render(
            "status.md.j2",
            **known,
            failures=contents.failures,
            copies=contents.copies,
            outcomes=OUTCOMES,
        ),
        "changes.md": render("changes.md.j2", **_changes(contents)),
        "decisions.md": render("decisions.md.j2", decisions=_headings(written, "decisions")),
        "reference/metrics.md": render(
            "metrics.md.j2", catalogue=CATALOGUE, by_slice=SLICE_METRICS, shown=_SHOWN
        ),
    }
    for section in contents.sections:
        found |= _lists(render, section, contents.names, written)
    if tables := _tables():
        found["reference/tables.md"] = render("tables.md.j2", tables=tables)
    return found


def _alerts(standing: Standing, zone: ZoneInfo) -> dict[str, Any]:
    """Return how the alerts stand, in words."""
    count = len(standing.open)
    kind, headline = {
        "well": ("good", "No open incident"),
        "incident": ("bad", f"{count} open {'incident' if count == 1 else 'incidents'}"),
        "missing": ("bad", "Data are missing"),
        "learning": ("unknown", "The alerts are still learning what is usual"),
        "unknown": ("unknown", "Incidents: not known"),
    }[standing.state]
    if standing.state == "incident" and not count:  # the check says more than the log
        headline = "An incident is open"
    checked = ""
    if standing.check:
        moment = markup.moment(standing.check.finished, zone)
        checked = f"Last checked {moment} ({zone.key})."
    return {
        "kind": kind,
        "headline": headline,
        "sentence": " ".join(filter(None, (standing.why, checked))),
        "open": standing.open,
        "recent": standing.incidents[:_RECENT_INCIDENTS],
    }


def _changes(contents: Contents) -> dict[str, Any]:
    metrics = [change for change in contents.log if change.kind == "metric"]
    began = min((change.moment for change in metrics), default=None)
    moved = [change for change in metrics if change.moment != began]
    return {
        "verdicts": [change for change in contents.log if change.kind == "verdict"],
        "several": len({change.data for change in contents.log if change.kind == "verdict"}) > 1,
        "definitions": moved,
        "first": [
            change
            for change in metrics
            if change.moment == began and change.subject not in {one.subject for one in moved}
        ],
        "there": {page.docname for runs in contents.everything for page in runs.pages},
    }


def _lists(
    render: Callable[..., str], section: Section, names: Mapping[str, str], written: Path
) -> Iterator[tuple[str, str]]:
    """Yield the pages that lead to a notebook's runs."""
    runs = section.runs
    listed = archive.rows(runs)
    common, varying = archive.parameters(listed)
    known: dict[str, Any] = {
        "runs": runs,
        "name": names[runs.notebook],
        "columns": keyfigures.columns(runs.done),
        "varying": varying,
    }
    # Runs about no day are in no period.
    shown = archive.SHOWN
    newest = [row for place, row in enumerate(listed) if place < shown or not row.record.day]
    periods = archive.periods(listed) if len(listed) > shown else []
    yield (
        f"runs/{runs.notebook}.md",
        render(
            "notebook.md.j2",
            **known,
            section=section,
            rows=newest,
            months=archive.months_of(newest, listed),
            common=common,
            periods=periods,
            method=(written / "methods" / f"{runs.notebook}.md").is_file(),
        ),
    )
    for period in periods:
        yield (
            f"archive/{runs.notebook}/{period.name}.md",
            render(
                "archive.md.j2",
                **known,
                period=period,
                periods=periods,
                months=archive.months(period.rows),
            ),
        )
    if len(runs.done) > 1:
        yield f"compare/{runs.notebook}.md", render("compare.md.j2", **known)


def _headings(written: Path, folder: str) -> list[tuple[str, str]]:
    """Return docname and first heading of each written page of a folder."""
    found = []
    for path in sorted((written / folder).glob("*.md")):
        lines = path.read_text("utf-8").splitlines()
        heading = next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)
        found.append((f"/{folder}/{path.name}", heading))
    return found


def _tables() -> list[dict[str, Any]]:
    """Return name, grain, columns and keys of each table of ours, from its statement."""
    found = []
    for folder in sorted(files("nbtools").joinpath("sql").iterdir(), key=lambda item: item.name):
        statement = folder.joinpath("create.sql")
        if not re.fullmatch(r"\w+_v\d+", folder.name) or not statement.is_file():
            continue
        lines = statement.read_text("utf-8").splitlines()
        columns = [match.groups() for line in lines if (match := _COLUMN.match(line))]
        keys = [line for line in lines if re.match(r"(ENGINE|PARTITION BY|ORDER BY)\b", line)]
        found.append(
            {
                "name": folder.name,
                "grain": lines[0].removeprefix("--").strip(),
                "columns": [(name, kind, text.replace("''", "'")) for name, kind, text in columns],
                "keys": [line.rstrip(";") for line in keys],
            }
        )
    return found
