"""Where the values of a column come from: a log's column, an expression, a draw.

These are the entries under ``columns`` of a mapping.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nbtools.source import ATTRIBUTES

NUMBERS = {"gender": (0, 255), "age": (0, 255), "exp_group": (-128, 127)}
_RANGE = re.compile(r"(\d+)-(\d+)")


def _text(value: object) -> str:
    """Return a YAML scalar as the text that stands in a log."""
    if isinstance(value, bool):
        raise ValueError(  # noqa: TRY004 -- becomes a message of the model
            f"{value} is how YAML reads yes, no, on, off, true and false; put it in quotes"
        )
    if value is None or isinstance(value, list | dict):
        raise ValueError(f"{value!r} is no text or number; put a text in quotes")
    return str(value)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; needed is a name such as Europe/Moscow"
        ) from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
Text = Annotated[str, BeforeValidator(_text)]
Sql = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A piece of a mapping, in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shift(Part):
    """How far a log is moved in time; parts add up.

    Attributes
    ----------
    weeks, days, hours : int
        Whole numbers, negative ones move back.
    """

    weeks: int = 0
    days: int = 0
    hours: int = 0

    @property
    def seconds(self) -> int:
        """The whole of it."""
        return int(timedelta(**self.model_dump()).total_seconds())


class TimeColumn(Part):
    """When an event happened.

    Attributes
    ----------
    column, expression : str
        A column of the log, or ClickHouse SQL over them.
    unit : {"iso", "s", "ms", "us"}
        A date with time as text, or a number since 1970 in UTC.
    format : str or None
        ``parseDateTime`` pattern, instead of a unit.
    zone : str or None
        Zone of texts that name none; None is the app's.
    shift : Shift
        Added to each time.
    """

    column: Sql | None = None
    expression: Sql | None = None
    unit: Literal["iso", "s", "ms", "us"] = "iso"
    format: Sql | None = None
    zone: Zone | None = None
    shift: Shift = Shift()

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _only_one(self, ("column", "expression"))
        if self.format and "unit" in self.model_fields_set:
            raise ValueError("give unit or format, not both")
        return self


class Column(Part):
    """Where the values of one column come from.

    Attributes
    ----------
    column, expression : str
        A column of the log, or ClickHouse SQL over them.
    constant : str
        The same for every row.
    draw : dict of str to float
        Values and their weights; the user's number and the seed decide.
    origin : {"feed"}
        The user's value in the feed; written ``from``.
    values : dict of str to str
        The log's values and what stands for them.
    default : str
        For values that are missing or unusable.
    per : {"user"}
        Each user's most frequent value instead of each row's.
    rank : bool
        Keys are numbered by their first event.
    """

    column: Sql | None = None
    expression: Sql | None = None
    constant: Text | None = None
    draw: (
        Annotated[
            dict[Text, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)
        ]
        | None
    ) = None
    origin: Literal["feed"] | None = Field(default=None, alias="from")
    values: dict[Text, Text] | None = None
    default: Text | None = None
    per: Literal["user"] | None = None
    rank: bool = False

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        _only_one(self, ("column", "expression", "constant", "draw", "from"))
        if not (self.column or self.expression):
            _without(self, ("values", "per", "rank"), "column or expression")
        return self

    @property
    def is_synthetic(self) -> bool:
        """Whether the values are made up instead of read from the log."""
        return self.constant is not None or self.draw is not None


def _set(part: Part) -> set[str]:
    return {"from" if name == "origin" else name for name in part.model_fields_set}


def _only_one(part: Part, names: tuple[str, ...]) -> None:
    given = [name for name in names if name in _set(part)]
    if len(given) != 1:
        raise ValueError(f"has {' and '.join(given) or 'none'} of {', '.join(names)}; give one")


def _without(part: Part, names: tuple[str, ...], other: str) -> None:
    for name in names:
        if name in _set(part):
            raise ValueError(f"{name} goes with {other} only")


class _Columns(Part):
    user_id: Column
    time: TimeColumn
    gender: Column
    age: Column
    country: Column
    city: Column
    os: Column
    source: Column
    exp_group: Column

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, column in self:
            if isinstance(column, Column):
                _check_column(name, column)
        return self

    def attributes(self) -> list[Column]:
        """Return the attributes in the order of the tables."""
        return [getattr(self, name) for name in ATTRIBUTES]


def _check_column(name: str, column: Column) -> None:
    if name in ATTRIBUTES:
        _check_attribute(name, column)
        return
    if column.draw is not None or column.origin or column.per:
        raise ValueError(f"{name}: draw, from and per are for the attributes of a user")
    if column.rank and (name == "action" or column.default or column.values):
        raise ValueError(f"{name}: rank goes with ids and without values or default")


def _check_attribute(name: str, column: Column) -> None:
    if column.rank:
        raise ValueError(f"{name}: rank goes with ids only")
    if name not in NUMBERS:
        return
    if column.per and column.default is None:
        raise ValueError(f"{name}: give a default, for users without a usable value")
    known = [*(column.values or {}).values(), *expand(name, column.draw or {})]
    for value in (*known, column.default, column.constant):
        if value is not None and not is_number(name, value):
            low, high = NUMBERS[name]
            raise ValueError(f"{name}: {value!r} is no whole number from {low} to {high}")


def is_number(name: str, value: str) -> bool:
    """Return whether a text is a number that the column can hold.

    Parameters
    ----------
    name : str
        gender, age or exp_group.
    value : str
        The text.
    """
    low, high = NUMBERS[name]
    return re.fullmatch(r"-?\d{1,4}", value) is not None and low <= int(value) <= high


def expand(name: str, draw: dict[str, float]) -> dict[str, float]:
    """Return a draw's weights with ranges such as 18-24 shared out to their numbers.

    Parameters
    ----------
    name : str
        Column; only numbers have ranges.
    draw : dict of str to float
        Weights by value or range.

    Examples
    --------
    >>> expand("age", {"18-19": 3, "20": 1})
    {'18': 1.5, '19': 1.5, '20': 1.0}
    """
    weights: dict[str, float] = {}
    for value, weight in draw.items():
        bounds = _RANGE.fullmatch(value) if name in NUMBERS else None
        numbers: list[str] = [value]
        if bounds and is_number(name, bounds[1]) and is_number(name, bounds[2]):
            numbers = [str(number) for number in range(int(bounds[1]), int(bounds[2]) + 1)]
        for number in numbers:
            weights[number] = weights.get(number, 0.0) + weight / len(numbers)
    return weights


class FeedColumns(_Columns):
    """Columns of ``feed_actions``."""

    post_id: Column
    action: Column

    @model_validator(mode="after")
    def _nothing_from_the_feed(self) -> Self:
        for name in ATTRIBUTES:
            if getattr(self, name).origin:
                raise ValueError(f"{name}: from: feed is for the messages")
        return self


class MessageColumns(_Columns):
    """Columns of ``message_actions``."""

    receiver_id: Column

    @model_validator(mode="after")
    def _same_ids(self) -> Self:
        if self.user_id.rank != self.receiver_id.rank:
            raise ValueError("user_id and receiver_id are one kind of id: rank both or neither")
        return self
