"""What an executed notebook hands to its runner: key figures and messages.

They travel in the notebook's own outputs under media types of ours, so a notebook run
by hand only shows them, and a run under the runner publishes page, figures and messages
from one file.
"""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from IPython.display import display

if TYPE_CHECKING:
    # Its import takes more than a second, which every kernel and delivery would wait for.
    from nbformat import NotebookNode

FIGURES_TYPE = "application/vnd.nbtools.figures+json"
MESSAGE_TYPE = "application/vnd.nbtools.message+json"
INCIDENTS_TYPE = "application/vnd.nbtools.incidents+json"

Figure = float | int | str | bool | None


class Attachment(NamedTuple):
    """A picture or a document of a message.

    Attributes
    ----------
    name : str
        File name with its ending.
    data : bytes
        Content.
    alt : str
        What it shows, for those who cannot see it.
    """

    name: str
    data: bytes
    alt: str = ""


class Draft(NamedTuple):
    """A message that waits for its run to succeed.

    All texts are plain: the sender escapes, marks up, splits and shortens.

    Attributes
    ----------
    part : str
        Name within the run; notebook, run and part make the idempotency key.
    title : str
        First line, shown bold.
    text : str
        Lines below it.
    link : str
        Address of the page, or empty.
    pictures, documents : tuple of Attachment
        Two to ten pictures travel as one album.
    chat : {"reports", "operations"}
        Who reads it.
    """

    part: str
    title: str
    text: str = ""
    link: str = ""
    pictures: tuple[Attachment, ...] = ()
    documents: tuple[Attachment, ...] = ()
    chat: Literal["reports", "operations"] = "reports"


class Handover(NamedTuple):
    """Everything an executed notebook handed over.

    Attributes
    ----------
    figures : dict
        Key figures, name to value.
    usage : dict
        Cost of the statements it ran.
    drafts : list of Draft
        Messages in their order.
    incidents : dict or None
        What a check of alerts has to remember, see :mod:`nbtools.incident_store`.
    """

    figures: dict[str, Figure]
    usage: dict[str, float]
    drafts: list[Draft]
    incidents: dict[str, Any] | None = None


def hand_figures(figures: Mapping[str, Figure], usage: Mapping[str, float] | None = None) -> None:
    """Hand key figures, and what it cost to compute them, to the runner.

    Parameters
    ----------
    figures : mapping
        Name to value; NumPy's scalars become Python's, and a value that is undefined
        (None, NaN, infinite) becomes None, because JSON knows no other.
    usage : mapping of float, optional
        Cost of the statements, such as the fields of ``Connection.usage``.
    """
    plain = {name: _plain(value) for name, value in figures.items()}
    content = {"figures": plain, "usage": dict(usage or {})}
    lines = (f"{name} = {value}" for name, value in plain.items())
    display({FIGURES_TYPE: content, "text/plain": "\n".join(lines)}, raw=True)


def _plain(value: Any) -> Figure:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, float | int | str | bool):
        raise TypeError(f"A figure is a number, a text or None, not {type(value).__name__}.")
    return value


def hand_message(draft: Draft) -> None:
    """Hand a message to the runner, and show its text here."""
    content = draft._asdict()
    for kind in ("pictures", "documents"):
        content[kind] = [
            {**item._asdict(), "data": base64.b64encode(item.data).decode("ascii")}
            for item in content[kind]
        ]
    preview = "\n".join(filter(None, (draft.title, draft.text, draft.link)))
    display({MESSAGE_TYPE: content, "text/plain": preview}, raw=True)


def hand_incidents(content: Mapping[str, Any]) -> None:
    """Hand what a check of alerts has to remember to the runner.

    It is recorded together with the run's outcome and its messages, or not at all.

    Parameters
    ----------
    content : mapping
        From :func:`nbtools.incident_store.content`, of JSON types; empty changes nothing.
    """
    lines = [f"{len(content[name])} {name}" for name in ("incidents", "stories") if name in content]
    preview = ", ".join(lines) or "nothing"
    display({INCIDENTS_TYPE: dict(content), "text/plain": f"To remember: {preview}."}, raw=True)


def take(notebook: "NotebookNode") -> Handover:
    """Return what an executed notebook handed over and strip it from its outputs.

    Parameters
    ----------
    notebook : NotebookNode
        The executed notebook; changed in place, the readable previews stay.
    """
    figures: dict[str, Figure] = {}
    usage: dict[str, float] = {}
    drafts: list[Draft] = []
    incidents: dict[str, Any] | None = None
    for data in _bundles(notebook):
        if content := data.pop(FIGURES_TYPE, None):
            figures |= content["figures"]
            for name, value in content["usage"].items():
                usage[name] = usage.get(name, 0) + value
        if content := data.pop(MESSAGE_TYPE, None):
            drafts.append(_draft(content))
        incidents = data.pop(INCIDENTS_TYPE, None) or incidents
    return Handover(figures, usage, drafts, incidents)


def _bundles(notebook: "NotebookNode") -> Iterator[dict[str, Any]]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                yield output["data"]


def _draft(content: Mapping[str, Any]) -> Draft:
    def attachments(items: Sequence[Mapping[str, str]]) -> tuple[Attachment, ...]:
        return tuple(
            Attachment(item["name"], base64.b64decode(item["data"]), item["alt"]) for item in items
        )

    return Draft(
        **{
            **content,
            "pictures": attachments(content["pictures"]),
            "documents": attachments(content["documents"]),
        }
    )
