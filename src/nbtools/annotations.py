"""What people know and the numbers do not: planned events, and notes on incidents.

One file, ``parameters/annotations.yml``, for alerts and dashboards alike.
"""

from datetime import UTC, datetime, time, timedelta
from datetime import date as Date  # noqa: N812 -- told apart from a field's name
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from nbtools.errors import ParameterError
from nbtools.metrics import CATALOGUE, SLICE_METRICS

Effect = Literal["widen", "silence", "mark"]
_FORM = "needed is YYYY-MM-DD or YYYY-MM-DD HH:MM"


def parse_moment(value: object, zone: ZoneInfo, *, end: bool = False) -> datetime:
    """Return a moment given as a day or as day and time.

    Parameters
    ----------
    value : object
        A text, or what YAML has made of it.
    zone : ZoneInfo
        Of a moment that names none.
    end : bool
        A day alone means its end, midnight after it, instead of its beginning.

    Raises
    ------
    ValueError
        If it is written otherwise.

    Examples
    --------
    >>> moscow = ZoneInfo("Europe/Moscow")
    >>> parse_moment("2023-01-14", moscow, end=True).isoformat()
    '2023-01-14T21:00:00+00:00'
    """
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, Date):
        found = datetime.combine(value + timedelta(int(end)), time.min)
    else:
        found = _parse(value, end=end)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _parse(value: object, *, end: bool) -> datetime:
    try:
        text = str(value).strip()
        if len(text) == len("2023-01-14"):
            return datetime.combine(Date.fromisoformat(text) + timedelta(int(end)), time.min)
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{value!r} is no moment; {_FORM}") from None


def _start(value: object, info: ValidationInfo) -> datetime:
    return parse_moment(value, _zone(info))


def _end(value: object, info: ValidationInfo) -> datetime:
    return parse_moment(value, _zone(info), end=True)


def _zone(info: ValidationInfo) -> ZoneInfo:
    zone: ZoneInfo = (info.context or {}).get("zone", ZoneInfo("UTC"))
    return zone


def _known_metric(value: object) -> object:
    known = {**CATALOGUE, **SLICE_METRICS}
    if value not in known:
        raise ValueError(f"{value!r} is no metric; there are {', '.join(sorted(known))}")
    return value


Slug = Annotated[str, BeforeValidator(_known_metric)]
Line = Annotated[str, Field(min_length=1, max_length=300)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Event(_Entry):
    """Something that the team knew beforehand, or marks on its charts.

    Attributes
    ----------
    name : str
        A few words.
    start, end : datetime
        ``from`` and ``to`` in the file; a day alone is meant whole. The end is not part of it.
    metrics : tuple of str
        Those that it moves; none means all.
    effect : {"widen", "silence", "mark"}
        Alarms need a larger deviation, do not come, or only say that it was going on.
    factor : float
        How much larger, for ``widen``.
    text : str
        What readers should know.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    start: Annotated[datetime, BeforeValidator(_start), Field(alias="from")]
    end: Annotated[datetime, BeforeValidator(_end), Field(alias="to")]
    metrics: tuple[Slug, ...] = ()
    effect: Effect = "mark"
    factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    text: Annotated[str, Field(max_length=300)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"{self.name!r} ends before it begins")
        return self

    def covers(self, metric: str, moment: datetime) -> bool:
        """Return whether a metric is meant at a moment."""
        return self.start <= moment < self.end and (not self.metrics or metric in self.metrics)


class Note(_Entry):
    """What an analyst found out about an incident.

    Attributes
    ----------
    text : str
        The finding.
    incident : str
        Key of the incident or of its story, as their page shows it; or instead:
    metric, slice : str, datetime
        Any incident of this metric that was going on in this slice.
    """

    text: Line
    incident: str = ""
    metric: Slug | None = None
    slice: Annotated[datetime | None, BeforeValidator(_start)] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        by_slice = self.metric is not None and self.slice is not None
        if bool(self.incident) == by_slice or (self.metric is None) != (self.slice is None):
            raise ValueError("a note names either an incident, or a metric and a slice")
        return self

    def is_about(self, key: str, metric: str, first: datetime, last: datetime) -> bool:
        """Return whether an incident is meant.

        Parameters
        ----------
        key, metric : str
            Of the incident.
        first, last : datetime
            Its first and last anomalous slice.
        """
        if self.incident:
            return self.incident == key
        return self.metric == metric and self.slice is not None and first <= self.slice <= last


class Annotations(_Entry):
    """The whole file.

    Attributes
    ----------
    events : tuple of Event
        In the file's order.
    notes : tuple of Note
        In the file's order.
    """

    events: tuple[Event, ...] = ()
    notes: tuple[Note, ...] = ()


def load(path: Path, zone: ZoneInfo) -> Annotations:
    """Return the annotations of a file; none when there is no file.

    Parameters
    ----------
    path : Path
        The YAML file.
    zone : ZoneInfo
        Of its days and times.

    Raises
    ------
    ParameterError
        If it cannot be used.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return Annotations()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"Cannot read {path}: {error}.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ParameterError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if found is None:
        return Annotations()
    try:
        return Annotations.model_validate(found, context={"zone": zone})
    except ValidationError as error:
        raise ParameterError(f"{path}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """Return the first problem as one line; entries are counted from 1."""
    problem = error.errors(include_url=False)[0]
    where: list[Any] = [p + 1 if isinstance(p, int) else p for p in problem["loc"]]
    name = " ".join(str(part) for part in where) or "the file"
    text = problem["msg"].removeprefix("Value error, ")
    got = "" if problem["type"] in {"value_error", "missing"} else f", got {problem['input']!r}"
    return f"{name}: {text}{got}."
