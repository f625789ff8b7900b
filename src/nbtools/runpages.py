"""An executed notebook as a page of the book: its facts, its neighbours, its downloads."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import nbformat
from nbformat import NotebookNode

from nbtools import chart_pages, downloads, keyfigures, markup
from nbtools.records import Record

OUTCOMES = {
    "failed": "a cell raised an error",
    "timeout": "a cell took too long",
    "kernel_died": "the kernel died",
    "stopped": "the notebook ended itself early",
    "interrupted": "the run was stopped from outside",
}
_PARAMETER_TAGS = {"parameters", "injected-parameters"}
_PAPERMILLS = {"papermill-error-cell-tag"}
_HIDDEN = {"hide-input", "remove-input", "remove-cell"}
# What a failed copy shows of its outputs: nothing that loads, warns or runs.
_PLAIN = ("image/png", "text/plain")


class Around(NamedTuple):
    """What a page says of other runs of its notebook.

    Attributes
    ----------
    failure : Record or None
        A newer run that failed, for the banner.
    previous, next : Record or None
        The pages beside it.
    before, weekday : Record or None
        The runs to compare its figures with: the one before, that of the same weekday.
    method : bool
        Whether the notebook has a method page.
    """

    failure: Record | None = None
    previous: Record | None = None
    next: Record | None = None
    before: Record | None = None
    weekday: Record | None = None
    method: bool = False


class Page(NamedTuple):
    """A page and the files that it links to, by name; they lie beside it."""

    notebook: NotebookNode
    files: dict[str, bytes]


def run_page(notebook: NotebookNode, record: Record, *, around: Around, zone: ZoneInfo) -> Page:
    """Return an executed notebook as a page of the book.

    Parameters
    ----------
    notebook : NotebookNode
        The executed copy; changed in place.
    record : Record
        Its record.
    around : Around
        The runs beside it.
    zone : ZoneInfo
        Zone in which times are shown.
    """
    render = _renderer(zone)
    _orphan(chart_pages.describe(notebook))
    for cell in notebook.cells:
        if _PARAMETER_TAGS & set(cell.metadata.get("tags", [])):
            cell.metadata["tags"] = [*cell.metadata["tags"], "remove-cell"]
    files = downloads.tables(notebook, record.run)
    at, heading, rest = _split_heading(notebook, record.title)
    texts = {"heading": heading, "banner": "", "facts": _facts(render, record, around)}
    if around.failure:
        texts["banner"] = render(
            "banner.md.j2",
            record=record,
            failure=around.failure,
            age=_older(record, around.failure),
            outcomes=OUTCOMES,
        )
    _put(notebook, at, {**texts, "rest": rest})
    return Page(notebook, files)


def failed_page(
    notebook: NotebookNode, failure: Record, *, has_page: bool, zone: ZoneInfo
) -> NotebookNode:
    """Return the copy of a failed run as a page for operators: all code, and the error.

    Parameters
    ----------
    notebook : NotebookNode
        What the run left; changed in place.
    failure : Record
        Its record.
    has_page : bool
        Whether there is a good page of the same run.
    zone : ZoneInfo
        Zone in which times are shown.
    """
    _orphan(notebook)
    notebook.metadata["nosearch"] = True
    notebook.cells = [
        _bare(cell)
        for cell in notebook.cells
        if not _PAPERMILLS & set(cell.metadata.get("tags", []))
    ]
    at, heading, rest = _split_heading(notebook, f"Failed: {failure.title}")
    facts = _renderer(zone)(
        "failed.md.j2",
        failure=failure,
        has_page=has_page,
        parameters={k: v for k, v in failure.parameters.items() if k != "title"},
        outcomes=OUTCOMES,
    )
    _put(notebook, at, {"heading": heading, "facts": facts, "rest": rest})
    return notebook


def _renderer(zone: ZoneInfo) -> Callable[..., str]:
    return markup.renderer(zone, figure=keyfigures.figure)


def _orphan(notebook: NotebookNode) -> None:
    # Listed by its notebook's page: a sidebar of all runs would grow with their square.
    notebook.metadata["orphan"] = True
    notebook.metadata.setdefault("language_info", {"name": "python"})


def _facts(render: Callable[..., str], record: Record, around: Around) -> str:
    others: Sequence[Record] = [one for one in (around.before, around.weekday) if one]
    if around.before == around.weekday:
        others = others[:1]
    return render(
        "facts.md.j2",
        record=record,
        # The title is the heading, one line above.
        parameters={name: v for name, v in record.parameters.items() if name != "title"},
        previous=around.previous,
        next=around.next,
        others=others,
        weekday=others.index(around.weekday) if around.weekday else -1,
        compared=keyfigures.compared(record, others) if others else [],
        method=around.method,
    )


def _older(record: Record, failure: Record) -> str:
    """Return by how much a page is older than a failure, such as ", 2 days before"."""
    gap = failure.finished - record.finished
    for unit, length in (("day", timedelta(1)), ("hour", timedelta(hours=1))):
        count = gap // length
        if count >= 1:
            return f", {count} {unit}{'s' if count > 1 else ''} before"
    return ""


def _bare(cell: NotebookNode) -> NotebookNode:
    cell.metadata["tags"] = [tag for tag in cell.metadata.get("tags", []) if tag not in _HIDDEN]
    for output in cell.get("outputs", []):
        if "data" in output:
            kept = next((kind for kind in _PLAIN if _says(output["data"].get(kind))), None)
            output["data"] = {kept: output["data"][kept]} if kept else {}
    if "outputs" in cell:
        cell["outputs"] = [one for one in cell["outputs"] if one.get("data", True)]
    return cell


def _says(content: object) -> bool:
    """Return whether an output says more than which object was shown."""
    return content is not None and not str(content).startswith(("<IPython.", "<Figure "))


def _split_heading(notebook: NotebookNode, title: str) -> tuple[int, str, str]:
    """Return where the heading's cell is, the heading, and what follows it in the cell."""
    for at, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            rest = cell.source.partition("\n")[2]
            return at, f"# {markup.markdown(title)}", rest.strip()
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("", id="book-none"))
    return 0, f"# {markup.markdown(title)}", ""


def _put(notebook: NotebookNode, at: int, texts: dict[str, str]) -> None:
    notebook.cells[at : at + 1] = [
        nbformat.v4.new_markdown_cell(text, id=f"book-{name}")
        for name, text in texts.items()
        if text.strip()
    ]
