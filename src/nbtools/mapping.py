"""A mapping: how the columns of a real log become the app's two tables of events.

It is a YAML file of the operator; ``book/guides/add-a-data-source.md`` is its reference.
Everything that can be checked without the log is checked here.
"""

import codecs
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from nbtools.errors import SettingsError
from nbtools.origins import NUMBERS, Column, FeedColumns, MessageColumns, Part, Sql, Text
from nbtools.source import ATTRIBUTES


class Log(Part):
    """One log: its files and how they are read.

    Attributes
    ----------
    file : str
        Path, or a pattern such as ``events-*.csv.gz``.
    format : {"csv", "tsv", "jsonl", "parquet"} or None
        None is by the file's name.
    delimiter, quote : str or None
        One character each; an empty ``quote`` is none.
    names : list of str or None
        Columns of a file without header.
    encoding : str
        Of a text file.
    where : str or None
        ClickHouse SQL; rows for which it is false are left out.
    """

    file: Sql
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quote: Annotated[str, Field(max_length=1)] = '"'
    names: Annotated[list[Text], Field(min_length=1)] | None = None
    encoding: str = "utf-8-sig"
    where: Sql | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            name = codecs.lookup(value).name
        except LookupError:
            raise ValueError(
                f"{value!r} is no encoding; needed is a name such as latin-1"
            ) from None
        # A byte-order mark is no part of the first column's name.
        return "utf-8-sig" if name == "utf-8" else value


class FeedLog(Log):
    """The log that becomes ``feed_actions``."""

    columns: FeedColumns


class MessageLog(Log):
    """The log that becomes ``message_actions``."""

    columns: MessageColumns


class Mapping(Part):
    """A history: one or two logs.

    Attributes
    ----------
    name : str
        The file's name without ending.
    title : str
        One line for the book.
    citation : str
        Whose data it is and under which terms.
    seed : int
        Another seed, other draws.
    users : {"same", "paired"}
        Whether an id means the same person in both logs, or the k-th user of one log is
        taken for the k-th of the other.
    max_reject_share : float
        Loading stops above it.
    last_day : datetime.date or None
        Later events are left out; None is the last full day of the log.
    feed : FeedLog or None
        Views and likes.
    messages : MessageLog or None
        Messages.
    """

    name: str
    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\n]+$")]
    citation: str = ""
    seed: int = 1
    users: Literal["same", "paired"] = "same"
    max_reject_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    last_day: date | None = None
    feed: FeedLog | None = None
    messages: MessageLog | None = None

    @property
    def logs(self) -> dict[str, FeedLog | MessageLog]:
        """The logs there are, by name."""
        found = {"feed": self.feed, "messages": self.messages}
        return {name: log for name, log in found.items() if log is not None}

    @model_validator(mode="after")
    def _logs_agree(self) -> Self:
        if not self.logs:
            raise ValueError("there is no log; give feed, messages or both")
        ranks = {log.columns.user_id.rank for log in self.logs.values()}
        if len(ranks) > 1 or (self.users == "paired" and ranks == {False}):
            raise ValueError(
                f"users: {self.users} needs user_id with rank: true in both logs"
                + ("" if self.users == "paired" else ", or in neither")
            )
        for log in self.logs:
            for name, column in zip(ATTRIBUTES, self.attributes(log), strict=True):
                if column.origin and not self.feed:
                    raise ValueError(f"{log}.columns.{name}: from: feed needs a feed")
                if column.origin and name in NUMBERS and column.default is None:
                    raise ValueError(f"{log}.columns.{name}: give a default, for users without one")
        return self

    def attributes(self, log: str) -> list[Column]:
        """Return a log's attributes; one drawn or constant in the feed is so in messages.

        Parameters
        ----------
        log : str
            ``feed`` or ``messages``.
        """
        own = self.logs[log].columns.attributes()
        if self.feed is None:
            return own
        feed = self.feed.columns.attributes()
        return [
            theirs if mine.origin and theirs.is_synthetic else mine
            for mine, theirs in zip(own, feed, strict=True)
        ]

    def synthetic_columns(self) -> list[str]:
        """Return the columns whose values are not those of the log's own users."""
        marked = []
        for log, part in self.logs.items():
            attributes = dict(zip(ATTRIBUTES, self.attributes(log), strict=True))
            for name in type(part.columns).model_fields:
                column = attributes.get(name, getattr(part.columns, name))
                if isinstance(column, Column) and (
                    column.is_synthetic or (log == "messages" and self._is_paired(name, column))
                ):
                    marked.append(f"{log}.{name}")
        return marked

    def notes(self) -> list[str]:
        """Return what was done to the log, one sentence each, for the book."""
        found = []
        for log, part in self.logs.items():
            seconds = part.columns.time.shift.seconds
            if seconds:
                found.append(f"Times of {log} are moved by {seconds / 86400:+,.10g} days.")
        if self.users == "paired" and len(self.logs) == 2:
            found.append(
                "The logs are of different people: the k-th sender is taken for the k-th user of "
                "the feed, so what one person does in both services is artificial."
            )
        return found

    def _is_paired(self, name: str, column: Column) -> bool:
        return self.users == "paired" and (name.endswith("_id") or column.origin is not None)


def read_mapping(path: Path) -> Mapping:
    """Return a mapping, checked as far as it can be without the log.

    Parameters
    ----------
    path : Path
        The YAML file.

    Raises
    ------
    SettingsError
        If it cannot be read, or a key is unknown, missing or wrong: the first one.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read the mapping {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"The mapping {path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} holds no keys; needed are title, and feed or messages.")
    if "name" in found:  # it is the file's
        raise SettingsError(f"{path}: name is an unknown key; did you mean title?")
    try:
        return Mapping.model_validate({**found, "name": path.stem})
    except ValidationError as error:
        raise SettingsError(f"{path}: {_first(error)}.") from None


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    where = ".".join(place) or "the mapping"
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(place[-1], _keys(place[:-1]), 1)
        return f"{where} is an unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if problem["type"] == "missing":
        return f"{where} is missing"
    text = problem["msg"].removeprefix("Value error, ")
    got = "" if problem["type"] == "value_error" else f", got {problem['input']!r}"
    return f"{where}: {text[:1].lower()}{text[1:]}{got}"[:400]


def _keys(place: list[str]) -> list[str]:
    """Return the keys that the mapping knows at a place."""
    model: type[BaseModel] = Mapping
    for name in place:
        field = model.model_fields.get(name)
        annotation = field.annotation if field else None
        # A log that may be left out is a union with None.
        kinds = [annotation, *getattr(annotation, "__args__", ())]
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not parts:
            return []
        model = parts[0]
    return [field.alias or name for name, field in model.model_fields.items() if name != "name"]
