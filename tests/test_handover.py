import json
import math
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat import NotebookNode

from nbtools import handover
from nbtools.handover import FIGURES_TYPE, MESSAGE_TYPE, Attachment, Draft


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect what is displayed, as the notebook file would keep it."""
    found: list[dict[str, Any]] = []

    def keep(data: dict[str, Any], *, raw: bool) -> None:
        assert raw
        found.append(json.loads(json.dumps(data, allow_nan=False)))

    monkeypatch.setattr(handover, "display", keep)
    return found


def executed(*outputs: dict[str, Any]) -> NotebookNode:
    cell = nbformat.v4.new_code_cell(
        outputs=[nbformat.v4.new_output("display_data", data=data) for data in outputs]
    )
    stream = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("stream", text="hello")])
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# x"), stream, cell])
    read: NotebookNode = nbformat.reads(nbformat.writes(book), as_version=4)
    return read


def test_a_message_arrives_as_it_was_sent(shown: list[dict[str, Any]]) -> None:
    draft = Draft(
        "feed",
        "Feed <b> & co.",
        "line 1\nline 2",
        "https://example.org/page",
        (Attachment("a.png", bytes(range(256)), "a chart"),),
        (Attachment("b.csv", b""),),
        "operations",
    )
    handover.hand_message(draft)
    taken = handover.take(executed(*shown))
    assert taken.drafts == [draft]


def test_messages_keep_their_order(shown: list[dict[str, Any]]) -> None:
    for part in ("b", "a", "c"):
        handover.hand_message(Draft(part, part))
    assert [draft.part for draft in handover.take(executed(*shown)).drafts] == ["b", "a", "c"]


def test_figures_are_merged_and_costs_added_up(shown: list[dict[str, Any]]) -> None:
    handover.hand_figures({"views": 1, "ctr": 0.5}, {"statements": 2, "engine_seconds": 0.5})
    handover.hand_figures({"views": 3}, {"statements": 1})
    taken = handover.take(executed(*shown))
    assert taken.figures == {"views": 3, "ctr": 0.5}
    assert taken.usage == {"statements": 3, "engine_seconds": 0.5}


def test_figures_become_what_json_knows(shown: list[dict[str, Any]]) -> None:
    figures: dict[str, Any] = {
        "whole": np.int64(7),
        "share": np.float64(0.25),
        "flag": np.bool_(1),
        "nan": math.nan,
        "numpy_nan": np.float64("nan"),
        "infinite": -math.inf,
        "na": pd.NA,
        "none": None,
        "text": "a",
    }
    handover.hand_figures(figures)
    assert handover.take(executed(*shown)).figures == {
        "whole": 7,
        "share": 0.25,
        "flag": True,
        "nan": None,
        "numpy_nan": None,
        "infinite": None,
        "na": None,
        "none": None,
        "text": "a",
    }


@pytest.mark.parametrize("value", [[1], {"a": 1}, pd.Timestamp(0), np.datetime64("2023-01-01")])
def test_a_figure_is_one_value(value: Any) -> None:
    with pytest.raises(TypeError, match="A figure is a number, a text or None"):
        handover.hand_figures({"x": value})


def test_what_was_taken_is_gone_and_the_preview_stays(shown: list[dict[str, Any]]) -> None:
    handover.hand_figures({"views": 3})
    handover.hand_message(Draft("a", "Title", "Text", "https://example.org"))
    book = executed(*shown)
    handover.take(book)
    assert FIGURES_TYPE not in nbformat.writes(book)
    assert MESSAGE_TYPE not in nbformat.writes(book)
    previews = [output.data["text/plain"] for output in book.cells[2].outputs]
    assert previews == ["views = 3", "Title\nText\nhttps://example.org"]
    assert handover.take(book) == handover.Handover({}, {}, [])


def test_what_a_check_has_to_remember_arrives_and_leaves_the_page(
    shown: list[dict[str, Any]],
) -> None:
    handover.hand_incidents({"before": 3, "incidents": [{"metric": "views"}], "stories": []})
    book = executed(*shown)
    given = handover.take(book)
    assert given.incidents == {"before": 3, "incidents": [{"metric": "views"}], "stories": []}
    [output] = book.cells[2].outputs
    assert output.data == {"text/plain": "To remember: 1 incidents, 0 stories."}
    assert handover.take(book).incidents is None
