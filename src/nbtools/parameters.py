"""The typed parameters of every notebook, and the files and words they come from.

Three lists of names are one: a notebook's tagged cell, its model here, and the keys of
``parameters/<notebook>/<run>.yml``. They are checked before a kernel starts.
"""

import re
from collections.abc import Mapping
from datetime import date as Date  # noqa: N812 -- a field is called date
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from nbtools.errors import NoDataError, ParameterError

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Five weeks: what is usual on a weekday, from five of them.
HISTORY_DAYS = 35


def parse_day(value: object) -> Date:
    """Return a day given as ``YYYY-MM-DD``.

    Raises
    ------
    ValueError
        If it is written otherwise or is not in the calendar.

    Examples
    --------
    >>> parse_day("2023-01-20")
    datetime.date(2023, 1, 20)
    """
    if isinstance(value, Date):
        return Date(value.year, value.month, value.day)
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        raise ValueError(f"{value!r} is no day; needed is YYYY-MM-DD, today or yesterday")
    try:
        return Date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not in the calendar") from None


def parse_moment(value: object) -> datetime:
    """Return a moment given as ``YYYY-MM-DD HH:MM``, without a zone that of the app.

    Raises
    ------
    ValueError
        If it is written otherwise or is not in the calendar.

    Examples
    --------
    >>> parse_moment("2023-02-25 07:20")
    datetime.datetime(2023, 2, 25, 7, 20)
    """
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _MOMENT.match(value):
        raise ValueError(f"{value!r} is no moment; needed is YYYY-MM-DD HH:MM or now")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not in the calendar or on the clock") from None


def _no_bool(value: object) -> object:
    # YAML reads `yes` as true, and true would pass as 1.
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is no whole number")  # noqa: TRY004
    return value


Day = Annotated[Date, BeforeValidator(parse_day)]
Moment = Annotated[datetime, BeforeValidator(parse_moment)]
Count = Annotated[int, BeforeValidator(_no_bool)]


class RunParameters(BaseModel):
    """What every notebook takes.

    Attributes
    ----------
    title : str
        Heading of the page.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\n]+$")]

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """Return the parameters of a running notebook, from its ``globals()``."""
        found = {name: namespace[name] for name in cls.model_fields if name in namespace}
        return cls.model_validate(found)


class DailyParameters(RunParameters):
    """What a notebook about one day takes.

    Attributes
    ----------
    date : datetime.date
        The day, in the app's time zone.
    """

    date: Day


class EtlDaily(DailyParameters):
    """Parameters of ``notebooks/etl_daily.ipynb``."""


class ReportFeed(DailyParameters):
    """Parameters of ``notebooks/report_feed.ipynb``.

    Attributes
    ----------
    days : int
        Days in the charts of the recent past, the reported day included.
    language : {"en", "ru"}
        Of the message.
    """

    days: Annotated[Count, Field(ge=2, le=92)] = 7
    language: Literal["en", "ru"] = "en"


class LifeParameters(DailyParameters):
    """What a notebook takes that shows all days up to one; every one must be loaded."""


class ReportApp(LifeParameters):
    """Parameters of ``notebooks/report_app.ipynb``.

    Attributes
    ----------
    days : int
        Days in the charts of the recent past, the reported day included.
    language : {"en", "ru"}
        Of the message.
    """

    days: Annotated[Count, Field(ge=2, le=92)] = 31
    language: Literal["en", "ru"] = "en"


class DashboardProduct(LifeParameters):
    """Parameters of ``notebooks/dashboard_product.ipynb``."""


class DashboardAudience(LifeParameters):
    """Parameters of ``notebooks/dashboard_audience.ipynb``."""


class DashboardPeople(LifeParameters):
    """Parameters of ``notebooks/dashboard_people.ipynb``.

    Attributes
    ----------
    days : int
        Days whose users are counted, the last one included.
    """

    days: Annotated[Count, Field(ge=1, le=92)] = 28


Group = Annotated[Count, Field(ge=-128, le=127)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, lt=1)]
Weight = Annotated[float, BeforeValidator(_no_bool), Field(gt=0, allow_inf_nan=False)]


class WindowParameters(RunParameters):
    """What a notebook about several days takes.

    Attributes
    ----------
    start_date, end_date : datetime.date
        First and last day, both included, in the app's time zone.
    """

    start_date: Day
    end_date: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} is after end_date {self.end_date}")
        return self


class StudyParameters(WindowParameters):
    """What a notebook about an experiment takes: its window and its groups.

    Attributes
    ----------
    alpha : float
        Level of the tests, and one minus that of the intervals.
    before_days : int
        Days before the window whose views and likes are the covariates.
    weights : dict of int to float
        What the sizes of the groups are meant to be proportional to; 1 for a group that is
        not named.
    """

    alpha: Share = 0.05
    before_days: Annotated[Count, Field(ge=0, le=92)] = 7
    weights: dict[Group, Weight] = Field(default_factory=dict)

    @property
    def all_groups(self) -> tuple[int, ...]:
        """The groups that must have users."""
        raise NotImplementedError

    @property
    def fewest_users(self) -> int:
        """How many users each of them must have."""
        return 2

    @model_validator(mode="after")
    def _different_groups(self) -> Self:
        groups = self.all_groups
        for group in groups:
            if groups.count(group) > 1:
                raise ValueError(f"group {group} is named twice; needed are different groups")
        return self


class AaTest(StudyParameters):
    """Parameters of ``notebooks/aa_test.ipynb``.

    Attributes
    ----------
    groups : tuple of int
        Two groups that were treated alike, or more: the first is compared with the second.
    draws, draw_users : int
        Size of the simulation by subsamples: how often, and users of each group.
    salts : int
        Re-splits by a hash.
    seed : int
        Of the simulations.
    """

    groups: Annotated[tuple[Group, ...], Field(min_length=2)]
    draws: Annotated[Count, Field(ge=100, le=1_000_000)] = 10_000
    draw_users: Annotated[Count, Field(ge=2)] = 500
    salts: Annotated[Count, Field(ge=256, le=100_000)] = 2_048
    seed: Annotated[Count, Field(ge=0)] = 0

    @property
    def all_groups(self) -> tuple[int, ...]:
        """The groups that must have users."""
        return self.groups

    @property
    def fewest_users(self) -> int:
        """How many users each of them must have to be split again and again."""
        return 100


class ComparisonParameters(StudyParameters):
    """What a notebook that compares groups takes.

    Attributes
    ----------
    control : int
        Control group.
    treatments : tuple of int
        Groups compared with it.
    buckets : int
        Hash buckets of the bucket methods.
    """

    control: Group
    treatments: Annotated[tuple[Group, ...], Field(min_length=1)]
    buckets: Annotated[Count, Field(ge=2, le=10_000)] = 50

    @property
    def all_groups(self) -> tuple[int, ...]:
        """The groups that must have users."""
        return (self.control, *self.treatments)


class AbTest(ComparisonParameters):
    """Parameters of ``notebooks/ab_test.ipynb``.

    Attributes
    ----------
    metrics : tuple of {"likes", "views"}
        Means per user that are shown beside CTR.
    """

    metrics: Annotated[tuple[Literal["likes", "views"], ...], Field(min_length=1)] = (
        "likes",
        "views",
    )


class LinearizedCtr(ComparisonParameters):
    """Parameters of ``notebooks/linearized_ctr.ipynb``."""


class _Alerting(RunParameters):
    """How alerts are judged and told, alike when they are live and when they are replayed.

    Attributes
    ----------
    sensitivity : float
        False alarms accepted for a metric of a segment in 30 days.
    history_days : int
        Days of slices that the detector learns from.
    """

    sensitivity: Annotated[float, BeforeValidator(_no_bool), Field(gt=0, le=100)] = 0.2
    history_days: Annotated[Count, Field(ge=1, le=365)] = HISTORY_DAYS


class MomentParameters(_Alerting):
    """What a notebook about a moment takes.

    Attributes
    ----------
    at : datetime
        The moment; without a zone, in that of the app.
    """

    at: Moment


class DashboardToday(MomentParameters):
    """Parameters of ``notebooks/dashboard_today.ipynb``.

    Attributes
    ----------
    top_posts : int
        Posts shown.
    """

    top_posts: Annotated[Count, Field(ge=1, le=100)] = 10


class Alerts(MomentParameters):
    """Parameters of ``notebooks/alerts.ipynb``.

    Attributes
    ----------
    language : {"en", "ru"}
        Of the messages.
    quiet : str
        Hours without any but critical messages, such as ``23:00-08:00``; empty for none.
    repeat_hours : int
        A reminder of an incident comes after so many hours, then less and less often.
    messages_per_hour : int
        More are put together into one.
    """

    language: Literal["en", "ru"] = "en"
    quiet: Annotated[str, Field(pattern=r"^(\d\d:\d\d-\d\d:\d\d)?$")] = ""
    repeat_hours: Annotated[Count, Field(ge=1, le=168)] = 4
    messages_per_hour: Annotated[Count, Field(ge=1, le=60)] = 4


class IncidentPage(RunParameters):
    """Parameters of ``notebooks/incident.ipynb``.

    Attributes
    ----------
    key : str
        Key of the incident's story, as the log shows it.
    history_days : int
        Days of slices that the detector learns from.
    """

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]+$")]
    history_days: Annotated[Count, Field(ge=1, le=365)] = HISTORY_DAYS


class AlertsBacktest(_Alerting, WindowParameters):
    """Parameters of ``notebooks/alerts_backtest.ipynb``.

    Attributes
    ----------
    seed : int
        Of the planted incidents.
    """

    seed: Annotated[Count, Field(ge=0)] = 0


MODELS: dict[str, type[RunParameters]] = {
    "etl_daily": EtlDaily,
    "report_feed": ReportFeed,
    "report_app": ReportApp,
    "dashboard_product": DashboardProduct,
    "dashboard_audience": DashboardAudience,
    "dashboard_people": DashboardPeople,
    "aa_test": AaTest,
    "ab_test": AbTest,
    "linearized_ctr": LinearizedCtr,
    "dashboard_today": DashboardToday,
    "alerts": Alerts,
    "alerts_backtest": AlertsBacktest,
    "incident": IncidentPage,
}
DEFAULT_RUN = "daily"


def model_of(notebook: str) -> type[RunParameters]:
    """Return the model of a notebook.

    Raises
    ------
    ParameterError
        If there is no such notebook.
    """
    if notebook not in MODELS:
        raise ParameterError(
            f"There is no notebook {notebook!r}; there are {', '.join(sorted(MODELS))}."
        )
    return MODELS[notebook]


def load(
    folder: Path,
    notebook: str,
    run: str,
    overrides: Mapping[str, str],
    *,
    now: datetime,
) -> RunParameters:
    """Return the parameters of a run: its file, then what the command line sets.

    Parameters
    ----------
    folder : Path
        The ``parameters`` folder.
    notebook, run : str
        Name of the notebook and of its parameter file.
    overrides : mapping of str
        Values of the command line, as text.
    now : datetime
        What ``now``, ``today`` and ``yesterday`` refer to, in the app's time zone; its day
        and later ones are not over.

    Raises
    ------
    ParameterError
        If the file or a value cannot be used.
    NoDataError
        If a study's window is not over.
    """
    model = model_of(notebook)
    path = folder / notebook / f"{run}.yml"
    values = _read(path, run)
    _known_names(model, values, str(path))
    given = {name: _parse(text) for name, text in overrides.items()}
    _known_names(model, given, "the command line")
    merged = {name: _resolve(name, value, now) for name, value in {**values, **given}.items()}
    try:
        parameters = model.model_validate(merged)
    except ValidationError as error:
        raise ParameterError(_first(error, given, path)) from None
    _is_over(parameters, now)
    return parameters


def _read(path: Path, run: str) -> dict[str, Any]:
    if not _NAME.fullmatch(run):
        raise ParameterError(f"{run!r} is no run name; needed are letters, digits, _ . and -.")
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        there = sorted(other.stem for other in path.parent.glob("*.yml"))
        raise ParameterError(
            f"There is no file {path}; runs of this notebook: {', '.join(there) or 'none'}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"Cannot read {path}: {error}.") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(found, dict) or not found:
        raise ParameterError(f"{path} is empty or no mapping; needed are lines such as title: ...")
    return {str(name): value for name, value in found.items()}


def _known_names(model: type[RunParameters], values: Mapping[str, Any], place: str) -> None:
    for name in values:
        if name not in model.model_fields:
            near = get_close_matches(name, model.model_fields, 1)
            hint = (
                f"did you mean {near[0]}?" if near else f"known: {', '.join(model.model_fields)}."
            )
            raise ParameterError(f"Unknown parameter {name!r} in {place}; {hint}")


def _parse(text: str) -> Any:
    """Return a command-line value; only lists and mappings are read as YAML."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _resolve(name: str, value: object, now: datetime) -> object:
    # Only fields that hold a day or a moment know the words; a title may well say "today".
    today = now.date()
    if name == "date" or name.endswith("_date"):
        return {"today": today, "yesterday": today - timedelta(1)}.get(str(value), value)
    return now.replace(tzinfo=None) if name == "at" and value == "now" else value


def _first(error: ValidationError, given: Mapping[str, Any], path: Path) -> str:
    problem = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    place = "the command line" if name.partition(".")[0] in given else str(path)
    if problem["type"] == "missing":
        return f"Parameter {name} is missing in {place}."
    text = problem["msg"].removeprefix("Value error, ")
    if not name:  # a rule about several parameters, wherever each was given
        return f"{path}{' with the command line' if given else ''}: {text}."
    got = "" if problem["type"] == "value_error" else f", got {problem['input']!r}"
    return f"Parameter {name} in {place}: {text}{got}."


def _is_over(parameters: RunParameters, now: datetime) -> None:
    today, last = now.date(), Date.min
    if isinstance(parameters, MomentParameters):
        at = parameters.at if parameters.at.tzinfo else parameters.at.replace(tzinfo=now.tzinfo)
        if at > now:
            raise ParameterError(f"at {at:%Y-%m-%d %H:%M} is to come: it is {now:%Y-%m-%d %H:%M}.")
    if isinstance(parameters, DailyParameters):
        last = parameters.date
    if isinstance(parameters, WindowParameters):
        last = parameters.end_date
    if last >= today:
        text = f"{last} is not over: today is {today}, the last full day is {today - timedelta(1)}."
        # A study may wait in its file for its days to come.
        raise (
            NoDataError(text) if isinstance(parameters, WindowParameters) else ParameterError(text)
        )
