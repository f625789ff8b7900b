"""A Sphinx extension: formulae become MathML when the book is built.

Browsers draw MathML themselves, in the colour of the text and on paper too, so a page with
formulae loads no script and no font. A formula that cannot be translated is a warning, and
warnings stop the build.
"""

from typing import Any

from docutils import nodes
from latex2mathml import converter
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

_LOGGER = logging.getLogger(__name__)


def mathml(latex: str, *, display: bool) -> str:
    """Return a formula as MathML.

    Parameters
    ----------
    latex : str
        The formula; lines that end with two backslashes are aligned at their ampersands.
    display : bool
        Whether it stands on a line of its own.

    Returns
    -------
    str
        A ``math`` element that also holds the LaTeX as its label.

    Raises
    ------
    ValueError
        If a part of the formula is not understood.
    """
    text = latex.strip()
    if r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{align*}}{text}\end{{align*}}"
    try:
        found = str(converter.convert(text, display="block" if display else "inline"))
    except Exception as error:  # noqa: BLE001 -- the library raises whatever it stumbles over
        raise ValueError(f"{type(error).__name__}: {latex.strip()}") from None
    # What it does not know it passes on as it is.
    if "\\" in found or "&</" in found:
        raise ValueError(f"unknown command: {latex.strip()}")
    return found


def _write(translator: HTML5Translator, node: nodes.Element, *, display: bool) -> None:
    try:
        found = mathml(node.astext(), display=display)
    except ValueError as error:
        _LOGGER.warning("The formula cannot be shown: %s", error, location=node)
        raise nodes.SkipNode from None
    if display:
        # Wide ones scroll in a box of their own, by keyboard too; the page never does.
        found = f'<div class="formula" tabindex="0" role="group" aria-label="Formula">{found}</div>'
    translator.body.append(f"{found}\n" if display else found)
    raise nodes.SkipNode


def _inline(translator: HTML5Translator, node: nodes.Element) -> None:
    _write(translator, node, display=False)


def _block(translator: HTML5Translator, node: nodes.Element) -> None:
    _write(translator, node, display=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name ``mathml``; ``html_math_renderer`` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
