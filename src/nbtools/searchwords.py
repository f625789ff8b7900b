"""A Sphinx extension: a date is a word of the book's search.

Sphinx takes 2023-02-27 for three numbers, and its search page looks for no numbers. Here the
dashes between digits join them to one word, in the index and in what a reader types, so a
day, a month (2023-02) and an hour range are found.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_DASH = re.compile(r"(?<=\d)-(?=\d)")
_SPLITTER = r"""
var splitQuery = (query) => query
  .replace(/(\d)-(?=\d)/g, "$1_")
  .split(/[^\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu)
  .filter((term) => term);
"""


class Words(SearchEnglish):
    """English in which a date is one word."""

    js_splitter_code = _SPLITTER

    def split(self, text: str) -> list[str]:
        """Return the words of a text."""
        # The numbers stay as well, for who types a year and a name.
        found = super().split(text)
        return found + super().split(_DASH.sub("_", text)) if _DASH.search(text) else found


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the words in place of plain English."""
    app.add_search_language(Words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
