"""Tables for pages: every word is there, numbers and words on their sides."""

import pandas as pd
from bs4 import BeautifulSoup

from nbtools import tables

LONG = "users with events outside the day, " * 5


def test_a_table_shows_all_words_of_a_cell_and_heads_its_labels() -> None:
    frame = pd.DataFrame({"Looks for": [LONG], "Found": ["3"]}, index=["outside"])
    page = BeautifulSoup(
        tables.show(frame.rename_axis("Check"), words=["Looks for"]).data, "html.parser"
    )
    assert [cell.text for cell in page.select("thead th")] == ["Check", "Looks for", "Found"]
    assert [cell.text for cell in page.select("tbody th, td")] == ["outside", LONG, "3"]
    assert [cell.text for cell in page.select("td.words.long")] == [LONG]
    short = tables.show(pd.DataFrame({"Found": ["none"]}), words=["Found"]).data
    assert [cell["class"] for cell in BeautifulSoup(short, "html.parser").select("td")] == [
        ["words"]
    ]
    assert page.table is not None
    assert page.table["class"] == ["dataframe"]


def test_markup_in_a_cell_is_text() -> None:
    frame = pd.DataFrame({"a": ["<script>x</script> & more"]})
    shown = tables.show(frame).data
    assert "<script>" not in shown
    assert BeautifulSoup(shown, "html.parser").td.text == "<script>x</script> & more"  # type: ignore[union-attr]
