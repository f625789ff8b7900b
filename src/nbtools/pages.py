"""The pages that the book adds to its written ones, as MyST Markdown.

Their texts are templates; what comes from a run reaches them escaped.
"""

import math
import re
from collections.abc import Sequence
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import nbformat
from nbformat import NotebookNode

from nbtools import markup, messages, records
from nbtools.metrics import CATALOGUE, Metric
from nbtools.records import Record, Runs

LANDING_NOTEBOOK = "report_feed"
_LATEST = 5
_COLUMNS = 6
_WHOLE = 1000  # from here on nobody reads the decimals
_PARAMETER_TAGS = {"parameters", "injected-parameters"}
_COLUMN = re.compile(r"^\s*(\w+)\s+(.+?)\s+COMMENT\s+'((?:[^'\\]|\\.|'')*)'")
_OUTCOMES = {
    "failed": "a cell raised an error",
    "timeout": "a cell took too long",
    "kernel_died": "the kernel died",
    "stopped": "the notebook ended itself early",
    "interrupted": "the run was stopped from outside",
}
_SHOWN = {"count": 12345, "ratio": 21.354, "share": 0.2047}


class Card(NamedTuple):
    """A key figure as the landing page shows it.

    Attributes
    ----------
    metric : Metric
        Its row of the catalogue.
    value : str
        The figure.
    changes : sequence of tuple
        For each comparison: what with, arrow, change, judgement.
    """

    metric: Metric
    value: str
    changes: Sequence[tuple[str, str, str, str]]


def cards(record: Record) -> list[Card]:
    """Return the key figures of a run that are metrics, in the catalogue's order."""
    found = []
    for slug, item in ((slug, CATALOGUE[slug]) for slug in CATALOGUE if slug in record.figures):
        changes = []
        for name, words in (("change_1d", "the day before"), ("change_7d", "the same weekday")):
            relative = _number(record.figures.get(f"{slug}.{name}"))
            arrow = messages.arrow(relative)
            changes.append(
                (
                    words,
                    arrow + messages.THIN_SPACE if arrow else "",
                    messages.change(item, relative) if relative is not None else "",
                    messages.judgement(item, relative),
                )
            )
        found.append(Card(item, messages.value(item, _number(record.figures[slug])), changes))
    return found


def _number(figure: object) -> float | None:
    return figure if isinstance(figure, int | float) and math.isfinite(figure) else None


def figure_columns(pages: Sequence[Record]) -> dict[str, str]:
    """Return the key figures worth a column of a list of runs, name to heading."""
    if not pages:
        return {}
    figures = pages[0].figures
    metrics = {slug: item.name for slug, item in CATALOGUE.items() if slug in figures}
    plain = (name for name in figures if "." not in name and name not in metrics)
    # What was decided comes before what it was decided on.
    others = {name: _words(name) for name in sorted(plain, key=lambda name: name != "verdict")}
    return dict(list((metrics or others).items())[:_COLUMNS])


def figure(name: str, value: object) -> str:
    """Return a key figure as a list of runs shows it."""
    if name in CATALOGUE:
        return messages.value(CATALOGUE[name], _number(value))
    if isinstance(value, float) and abs(value) < _WHOLE:
        return f"{value:.4g}".replace("-", messages.MINUS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return messages.count(value)
    return messages.MISSING if value is None else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def name_of(notebook: str, notebooks: Path) -> str:
    """Return what a notebook is called: the heading of its source, else its file name."""
    path = notebooks / f"{notebook}.ipynb"
    if path.is_file():
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown" and cell.source.startswith("# "):
                return str(cell.source).partition("\n")[0].removeprefix("# ").strip()
    return _words(notebook)


def generated(
    everything: Sequence[Runs], *, written: Path, notebooks: Path, zone: ZoneInfo
) -> dict[str, str]:
    """Return the generated pages, path in the book to text.

    Parameters
    ----------
    everything : sequence of Runs
        The runs of every notebook.
    written : Path
        Folder of the book's written pages.
    notebooks : Path
        Folder of the notebooks' sources.
    zone : ZoneInfo
        Zone in which times are shown.
    """
    render = markup.renderer(zone, figure=figure)
    names = {runs.notebook: name_of(runs.notebook, notebooks) for runs in everything}
    known = {"everything": everything, "names": names}
    failures = [failure for runs in everything for failure in runs.failures.values()]
    failures.sort(key=lambda failure: failure.finished, reverse=True)
    found = {
        "index.md": render("index.md.j2", **known, **_landing(everything), latest=_LATEST),
        "status.md": render("status.md.j2", **known, failures=failures, outcomes=_OUTCOMES),
        "decisions.md": render("decisions.md.j2", decisions=_headings(written, "decisions")),
        "reference/metrics.md": render("metrics.md.j2", catalogue=CATALOGUE, shown=_SHOWN),
    }
    for runs in everything:
        found[f"runs/{runs.notebook}.md"] = render(
            "notebook.md.j2",
            runs=runs,
            rows=_rows(runs),
            columns=figure_columns(runs.pages),
            name=names[runs.notebook],
            method=(written / "methods" / f"{runs.notebook}.md").is_file(),
            outcomes=_OUTCOMES,
        )
    if tables := _tables():
        found["reference/tables.md"] = render("tables.md.j2", tables=tables)
    return found


def _landing(everything: Sequence[Runs]) -> dict[str, Any]:
    pages = [page for runs in everything for page in runs.pages]
    record = records.newest(everything, LANDING_NOTEBOOK)
    days = [page.day for page in pages if page.day]
    last = max(pages, key=lambda page: page.finished, default=None)
    source = last.source if last else {}
    today = source.get("today")
    data_day = date.fromisoformat(today) - timedelta(1) if today else max(days, default=None)
    return {
        "record": record,
        "cards": cards(record) if record else [],
        "data_day": data_day,
        "behind": (data_day - record.day).days if data_day and record and record.day else 0,
        "source": source,
        "failures": sum(len(runs.failures) for runs in everything),
    }


def _rows(runs: Runs) -> list[tuple[Record, Record | None]]:
    """Return page and failure of each run, newest first; a run without a page is its failure."""
    unseen = runs.failures.keys() - {page.run for page in runs.pages}
    lost = [runs.failures[run] for run in unseen]
    rows = sorted([*runs.pages, *lost], key=records.age, reverse=True)
    return [(row, runs.failures.get(row.run)) for row in rows]


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


def run_page(
    notebook: NotebookNode,
    record: Record,
    *,
    failure: Record | None,
    previous: Record | None,
    zone: ZoneInfo,
) -> NotebookNode:
    """Return an executed notebook as a page of the book.

    Parameters
    ----------
    notebook : NotebookNode
        The executed copy; changed in place.
    record : Record
        Its record.
    failure : Record or None
        The newer run that failed, for the banner.
    previous : Record or None
        The page before it, to link to.
    zone : ZoneInfo
        Zone in which times are shown.
    """
    render = markup.renderer(zone, figure=figure)
    # Listed by its notebook's page: a sidebar of all runs would grow with their square.
    notebook.metadata["orphan"] = True
    notebook.metadata.setdefault("language_info", {"name": "python"})
    for cell in notebook.cells:
        if _PARAMETER_TAGS & set(cell.metadata.get("tags", [])):
            cell.metadata["tags"] = [*cell.metadata["tags"], "remove-cell"]
    at, heading, rest = _split_heading(notebook, record)
    # The title is the heading, one line above.
    given = {name: value for name, value in record.parameters.items() if name != "title"}
    facts = render("facts.md.j2", record=record, parameters=given, previous=previous)
    banner = render("banner.md.j2", record=record, failure=failure, outcomes=_OUTCOMES)
    texts = {"heading": heading, "banner": banner if failure else "", "facts": facts, "rest": rest}
    notebook.cells[at : at + 1] = [
        nbformat.v4.new_markdown_cell(text, id=f"book-{name}")
        for name, text in texts.items()
        if text.strip()
    ]
    return notebook


def _split_heading(notebook: NotebookNode, record: Record) -> tuple[int, str, str]:
    """Return where the heading's cell is, the heading, and what follows it in the cell."""
    for at, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            rest = cell.source.partition("\n")[2]
            return at, f"# {markup.markdown(record.title)}", rest.strip()
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("", id="book-none"))
    return 0, f"# {markup.markdown(record.title)}", ""
