"""The tables of an executed notebook as CSV files, with a link below each.

A page's tables are made for reading, and what a notebook keeps of them is what it
showed. So the files hold the displayed cells, in plain characters that programs read as
numbers: no thin spaces, a hyphen for a minus, nothing for a dash.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from bs4 import BeautifulSoup, Tag
from nbformat import NotebookNode

from nbtools import markup, messages

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]+")
_GROUPED = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?( %)?")


def tables(notebook: NotebookNode, name: str) -> dict[str, bytes]:
    """Return the tables of a page as CSV files, and put a link below each.

    Parameters
    ----------
    notebook : NotebookNode
        The page; changed in place.
    name : str
        What the files' names begin with; they lie beside the page.

    Returns
    -------
    dict of bytes
        File name to content, in UTF-8 with the mark that spreadsheets look for.
    """
    found: dict[str, bytes] = {}
    for data in _html(notebook):
        text = "".join(data["text/html"])
        links = []
        for table in BeautifulSoup(text, "html.parser").find_all("table"):
            file = f"{name}.table-{len(found) + 1}.csv"
            found[file] = _csv(table)
            links.append(file)
        if links:
            data["text/html"] = text + markup.csv_links(links)
    return found


def _html(notebook: NotebookNode) -> Iterator[dict[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "<table" in "".join(output.get("data", {}).get("text/html", "")):
                yield output["data"]


def _csv(table: Tag) -> bytes:
    content = io.StringIO()
    lines = csv.writer(content, lineterminator="\n")
    for row in table.find_all("tr"):
        cells: list[str] = []
        for cell in row.find_all(["th", "td"]):
            span = str(cell.get("colspan") or 1)
            cells += [plain(cell.get_text(" ")), *[""] * (int(span) - 1 if span.isdigit() else 0)]
        lines.writerow(cells)
    return content.getvalue().encode("utf-8-sig")


def plain(text: str) -> str:
    """Return a displayed cell in characters that programs read.

    Examples
    --------
    >>> plain("1 234 567"), plain(f"{messages.MINUS}3.1 %"), plain(messages.MISSING)
    ('1234567', '-3.1%', '')
    """
    flat = _SPACES.sub(" ", text.replace(messages.MINUS, "-")).strip()
    if flat == messages.MISSING:
        return ""
    if _GROUPED.fullmatch(flat):
        return flat.replace(" ", "")
    return re.sub(r"(\d) %", r"\1%", flat)
