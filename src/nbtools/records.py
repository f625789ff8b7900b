"""Run records: what the book knows of each run, read from the home folder.

A record lies beside its page, ``runs/<notebook>/<run>.json``; a failed run leaves one
under ``failed/`` and the last good page where it was.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from nbtools.errors import BookError


class Record(BaseModel):
    """One run of one notebook.

    Attributes
    ----------
    notebook, run, title : str
        Names of notebook and page, and the page's heading.
    outcome : str
        ``ok``, ``failed``, ``timeout``, ``kernel_died``, ``stopped`` or ``interrupted``.
    error : str
        Why it failed, one line.
    parameters, figures : dict
        What it was given and the key figures it handed over.
    started, finished : datetime
        With their offset.
    seconds, engine_seconds : float
        Wall time, and the part of it inside ClickHouse.
    rows_read : int
        Rows its statements read.
    code_version, command : str
        What made the page, and how to make it again.
    source : dict
        What is known of the history, empty for a production source.
    data : dict
        What is known of the data behind the page, such as its newest event; names in words.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    notebook: str
    run: str
    title: str
    outcome: str
    error: str = ""
    parameters: dict[str, Any] = {}
    figures: dict[str, float | int | str | bool | None] = {}
    started: AwareDatetime
    finished: AwareDatetime
    seconds: float
    engine_seconds: float = 0.0
    rows_read: int = 0
    code_version: str = ""
    command: str = ""
    source: dict[str, Any] = {}
    data: dict[str, Any] = {}

    @property
    def day(self) -> date | None:
        """The day that the run is about, None for a study."""
        try:
            return date.fromisoformat(str(self.parameters.get("date", self.run)))
        except ValueError:
            return None

    @property
    def docname(self) -> str:
        """The page's place in the book."""
        return f"runs/{self.notebook}/{self.run}"

    @property
    def label(self) -> str:
        """What a list calls the run: its day, a study its title."""
        return f"{self.day}" if self.day else self.title

    @property
    def verdicts(self) -> dict[str, str]:
        """What a study decided, by the name of the key figure: one a treatment."""
        names = (name for name in self.figures if name.rpartition(".")[2] == "verdict")
        return {name: str(self.figures[name]) for name in names}


class Runs(BaseModel):
    """Every run of one notebook.

    Attributes
    ----------
    notebook : str
        Name of the notebook.
    pages : tuple of Record
        Published runs, newest first: by the day they are about, studies by when they ran.
    failures : dict of Record
        Newest failure of a run, by run, unless it has succeeded since.
    thinned : tuple of Record
        Runs whose page has been removed and whose key figures stay, newest first.
    """

    model_config = ConfigDict(frozen=True)

    notebook: str
    pages: tuple[Record, ...]
    failures: dict[str, Record]
    thinned: tuple[Record, ...] = ()

    def without(self, old: Sequence[Record]) -> Self:
        """Return the same runs after some of their pages were removed."""
        gone = {record.run for record in old}
        return self.model_copy(
            update={
                "pages": tuple(page for page in self.pages if page.run not in gone),
                "thinned": tuple(sorted([*self.thinned, *old], key=age, reverse=True)),
            }
        )

    @property
    def done(self) -> list[Record]:
        """Every run that ended well, newest first, with or without its page."""
        return sorted([*self.pages, *self.thinned], key=age, reverse=True)


def read(home: Path) -> list[Runs]:
    """Return the runs of every notebook, reports first, then by name.

    Parameters
    ----------
    home : Path
        The home folder.

    Raises
    ------
    BookError
        If a record cannot be read.
    """
    # A page without its record is being published this moment, and is not looked at.
    pages: list[Record] = []
    thinned: list[Record] = []
    for path, record in _records(home / "runs"):
        (pages if path.with_suffix(".ipynb").is_file() else thinned).append(record)
    finished = {(page.notebook, page.run): page.finished for page in [*pages, *thinned]}
    failures = [
        record
        for _, record in _records(home / "failed")
        if not _succeeded_since(record, finished.get((record.notebook, record.run)))
    ]
    return [
        Runs(
            notebook=notebook,
            pages=tuple(sorted(_of(notebook, pages), key=age, reverse=True)),
            failures={record.run: record for record in _of(notebook, failures)},
            thinned=tuple(sorted(_of(notebook, thinned), key=age, reverse=True)),
        )
        for notebook in sorted(
            {record.notebook for record in [*pages, *thinned, *failures]}, key=_reports_first
        )
    ]


def _reports_first(notebook: str) -> tuple[bool, str]:
    return not notebook.startswith("report_"), notebook


def _records(folder: Path) -> Iterable[tuple[Path, Record]]:
    for path in sorted(folder.glob("*/*.json")):
        try:
            record = Record.model_validate_json(path.read_bytes())
        except FileNotFoundError:  # a run that has just succeeded takes its failure away
            continue
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in problem["loc"]) or "the file"
            raise BookError(
                f"{path} is no run record: {where}: {problem['msg']}. "
                "Run the notebook again, or remove the file and its page."
            ) from None
        if (record.notebook, record.run) != (path.parent.name, path.stem):
            raise BookError(
                f"{path} is the record of {record.notebook}/{record.run}; "
                "move it back to its place, or remove it."
            )
        yield path, record


def _succeeded_since(failure: Record, finished: datetime | None) -> bool:
    return finished is not None and finished >= failure.finished


def _of(notebook: str, records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.notebook == notebook]


def age(record: Record) -> tuple[date, datetime]:
    """Return a key that sorts runs by the day they are about, then by when they ran."""
    return record.day or date.min, record.finished


def newest(everything: Iterable[Runs], notebook: str) -> Record | None:
    """Return the newest published run of a notebook, None when there is none."""
    for runs in everything:
        if runs.notebook == notebook and runs.pages:
            return runs.pages[0]
    return None
