"""What the book needs for the charts of its pages: plotly once, and texts for pictures.

Apart from `interactive`, so that building the book draws nothing.
"""

from importlib.resources import files

from nbformat import NotebookNode

LIBRARY = "vendor/plotly.min.js"  # where ``_static/dashboards.js`` looks for it


def assets() -> dict[str, bytes]:
    """Return what charts need beside the book's own scripts, path in the site to content."""
    library = files("plotly").joinpath("package_data", "plotly.min.js")
    return {LIBRARY: library.read_bytes()}


def describe(page: NotebookNode) -> NotebookNode:
    """Return a notebook with the alternative texts of its pictures where the book reads them.

    Parameters
    ----------
    page : NotebookNode
        Changed in place: the text that the kernel gave to a picture is put into its cell.
    """
    for cell in page.cells:
        outputs = cell.get("outputs", [])
        told = [output.get("metadata", {}).get("image/png", {}).get("alt") for output in outputs]
        if alt := next((text for text in told if text), None):
            cell.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = alt
    return page
