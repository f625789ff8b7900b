"""The change log: verdicts of studies and definitions of metrics, as they were and are.

A page shows its newest verdict and the catalogue its newest definition. So each build
of the book compares both with what it wrote down last, in ``changes.json`` in the home
folder, and adds what is new. What changed twice between two builds is one change.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from nbtools.errors import BookError
from nbtools.metrics import CATALOGUE, Metric
from nbtools.records import Runs

_GROUP = "group_"


class Change(BaseModel):
    """A verdict or a definition that was not there before.

    Attributes
    ----------
    kind : {"verdict", "metric"}
        What changed.
    subject : str
        ``<notebook>/<run>/<key figure>``, or a metric's slug.
    title : str
        Name for people.
    before, after : str
        The verdict, or the definition in one line; empty when there was or is none.
    moment : datetime
        When the run ended; for a definition, when the book was built with it.
    docname : str
        The page that shows it.
    data : str
        What history a verdict is about.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["verdict", "metric"]
    subject: str
    title: str
    before: str
    after: str
    moment: AwareDatetime
    docname: str
    data: str = ""

    @property
    def is_first(self) -> bool:
        """Whether there was nothing before."""
        return not self.before


_LOG = TypeAdapter(list[Change])


def update(home: Path, everything: Sequence[Runs], moment: datetime) -> list[Change]:
    """Add what is new to the log, and return all of it, newest first.

    Parameters
    ----------
    home : Path
        The home folder.
    everything : sequence of Runs
        The runs of every notebook.
    moment : datetime
        When, aware.

    Raises
    ------
    BookError
        If the log cannot be read.
    """
    path = home / "changes.json"
    log = _read(path)
    last = {(change.kind, change.subject): change for change in log}
    new = [
        change.model_copy(update={"before": before})
        for change in [*_verdicts(everything), *_definitions(moment)]
        if (before := _before(last.get((change.kind, change.subject)))) != change.after
    ]
    new += _withdrawn(log, moment)
    if new:
        log = sorted([*log, *new], key=lambda change: change.moment)
        draft = path.with_suffix(".json.new")
        content = [change.model_dump(mode="json") for change in log]
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        draft.replace(path)
    return log[::-1]


def _read(path: Path) -> list[Change]:
    try:
        return _LOG.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise BookError(
            f"{path} is no change log: {where}: {problem['msg']}. "
            "Mend it, or remove it to begin a new one."
        ) from None


def _before(change: Change | None) -> str:
    return change.after if change else ""


def _verdicts(everything: Sequence[Runs]) -> list[Change]:
    return [
        Change(
            kind="verdict",
            subject=f"{page.notebook}/{page.run}/{name}",
            title=f"{page.title}{_group(name)}",
            before="",
            after=verdict,
            moment=page.finished,
            docname=page.docname,
            data=str(page.source.get("title", "")),
        )
        for runs in everything
        for page in runs.pages
        for name, verdict in page.verdicts.items()
        if page.day is None
    ]


def _group(name: str) -> str:
    """Return which treatment a verdict is about, where there are several."""
    prefix = name.rpartition(".")[0]
    return f", group {prefix.removeprefix(_GROUP)}" if prefix else ""


def _definitions(moment: datetime) -> list[Change]:
    return [
        Change(
            kind="metric",
            subject=slug,
            title=metric.name,
            before="",
            after=definition(metric),
            moment=moment,
            docname="reference/metrics",
        )
        for slug, metric in CATALOGUE.items()
    ]


def definition(metric: Metric) -> str:
    """Return what a metric means, in one line: not how it is called or shown."""
    return f"{metric.counts} {metric.sql}"


def _withdrawn(log: Sequence[Change], moment: datetime) -> list[Change]:
    """Return an entry for each metric of the log that the catalogue has no longer."""
    last = {change.subject: change for change in log if change.kind == "metric"}
    return [
        change.model_copy(update={"before": change.after, "after": "", "moment": moment})
        for slug, change in last.items()
        if slug not in CATALOGUE and change.after
    ]
