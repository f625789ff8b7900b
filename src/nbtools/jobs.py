"""What is to be run: everything a user can get wrong is refused here, before a kernel starts."""

import hashlib
import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nbtools import (
    __version__,
    audience,
    etl,
    slices,
    state,
    studies,
    user_days,
    warehouse,
)
from nbtools.checks import LEARNED, moment_of
from nbtools.errors import NoDataError, ParameterError, SettingsError
from nbtools.parameters import (
    DEFAULT_RUN,
    AlertsBacktest,
    DailyParameters,
    IncidentPage,
    LifeParameters,
    MomentParameters,
    RunParameters,
    StudyParameters,
    WindowParameters,
)
from nbtools.parameters import load as load_parameters
from nbtools.settings import PROJECT, Settings

DASHBOARDS = ("dashboard_audience", "dashboard_product", "dashboard_people")
READS_DAILY_METRICS = frozenset({"report_feed", "report_app", *DASHBOARDS})


class Job(NamedTuple):
    """A run that has passed every check.

    Attributes
    ----------
    notebook, run : str
        Name of the notebook and of its page.
    parameters : RunParameters
        What it is given.
    command : str
        The command that makes the page again.
    source : dict
        What is known of the history, see :func:`nbtools.warehouse.source_info`.
    fingerprint : str
        Changes when notebook, code, parameters or data do.
    data : dict of str
        What is known of the events at that time, in words.
    """

    notebook: str
    run: str
    parameters: RunParameters
    command: str
    source: dict[str, Any]
    fingerprint: str
    data: Mapping[str, str] = {}

    @property
    def heading(self) -> str:
        """The page's H1."""
        title = self.parameters.title
        return f"{title}, {self.run}" if isinstance(self.parameters, DailyParameters) else title


def now(settings: Settings, info: Mapping[str, Any]) -> datetime:
    """Return the app's present: the beginning of the demo's own day, else the clock's."""
    if "today" in info:
        return datetime.fromisoformat(info["today"]).replace(tzinfo=settings.zone)
    return datetime.now(settings.zone)


def today(settings: Settings, info: Mapping[str, Any]) -> date:
    """Return the app's current day: the demo's own, else the clock's in its zone."""
    return now(settings, info).date()


def end_of(day: str) -> str:
    """Return the moment at which a day of the command line is over, for a page of a moment.

    Examples
    --------
    >>> end_of("2023-02-27"), end_of("yesterday")
    ('2023-02-28 00:00', 'now')
    """
    try:
        return f"{date.fromisoformat(day) + timedelta(1)} 00:00"
    except ValueError:  # the words mean what is newest
        return "now"


def prepare(
    settings: Settings, notebook: str, run: str = DEFAULT_RUN, overrides: Mapping[str, str] = {}
) -> Job:
    """Check everything about a run that can be checked without a kernel.

    Parameters
    ----------
    settings : Settings
        Where things are.
    notebook, run : str
        Name of the notebook and of its parameter file.
    overrides : mapping of str
        Parameters of the command line, as text.

    Returns
    -------
    Job
        Ready for :func:`execute`.

    Raises
    ------
    ParameterError
        If a parameter is unknown, missing or impossible.
    NoDataError
        If the source has no events on the day, or the ETL has not loaded it.
    SettingsError
        If the home folder cannot be written.
    """
    [job] = prepare_each(settings, notebook, run, [overrides])
    return job


def prepare_each(
    settings: Settings, notebook: str, run: str, several: Sequence[Mapping[str, str]]
) -> list[Job]:
    """Check several runs of a notebook, for which the databases are opened once.

    Parameters
    ----------
    settings : Settings
        Where things are.
    notebook, run : str
        As in :func:`prepare`.
    several : sequence of mapping of str
        The parameters of each run.

    Returns
    -------
    list of Job
        In their order.

    Raises
    ------
    ParameterError, NoDataError, SettingsError
        As :func:`prepare` does.
    """
    writable(settings.home)
    with warehouse.open_source(settings) as source:
        info = warehouse.source_info(source)
        checked = [
            load_parameters(
                PROJECT / "parameters", notebook, run, overrides, now=now(settings, info)
            )
            for overrides in several
        ]
        for parameters in checked:
            _require_events(source, parameters, settings)
        newest = _newest_event(source, settings)
    with warehouse.open_warehouse(settings) as db:
        version = etl.data_version(db)
        for parameters in checked:
            if notebook in READS_DAILY_METRICS and isinstance(parameters, DailyParameters):
                etl.require_loaded(db, parameters.date)
    for parameters in checked:
        if isinstance(parameters, LifeParameters):
            with user_days.open_user_days(settings) as users:
                audience.require_loaded(users, parameters.date, tz=settings.tz)
    data = {"Newest event": f"{newest:%Y-%m-%d %H:%M:%S}"} if newest else {}
    return [
        Job(
            notebook,
            _page(notebook, run, overrides, parameters),
            parameters,
            _command(notebook, run, overrides, parameters),
            info,
            _fingerprint(notebook, parameters, info, version + _story(settings, parameters)),
            data,
        )
        for overrides, parameters in zip(several, checked, strict=True)
    ]


def _require_events(
    source: warehouse.Connection, parameters: RunParameters, settings: Settings
) -> None:
    """Refuse a run of which the source has no events."""
    if isinstance(parameters, DailyParameters):
        etl.require_events(source, parameters.date, tz=settings.tz)
    if isinstance(parameters, StudyParameters):
        window = parameters.start_date, parameters.end_date
        studies.require_groups(
            source,
            *window,
            parameters.all_groups,
            tz=settings.tz,
            fewest=parameters.fewest_users,
        )
    if isinstance(parameters, MomentParameters):
        slices.require_events(source, moment_of(parameters.at, settings.zone))
    if isinstance(parameters, AlertsBacktest):
        _require_learned(source, parameters, settings.tz)


def _story(settings: Settings, parameters: RunParameters) -> str:
    """Return what an incident's page tells of beside the events; nothing for other pages."""
    if not isinstance(parameters, IncidentPage):
        return ""
    return repr(state.find_story(settings, parameters.key))


def _newest_event(source: warehouse.Connection, settings: Settings) -> datetime | None:
    """Return the latest event of either service; reads the times of one day."""
    if source.source is not None and source.source.missing:
        return None
    found = etl.event_days(source, tz=settings.tz)
    if found is None:
        return None
    first = datetime.combine(found[1], time(), settings.zone)
    bounds = first, first + timedelta(2)  # a day may have 25 hours
    row = source.frame(
        "slice_metrics_v1/newest",
        **dict(zip(("first", "last"), (int(x.timestamp()) for x in bounds), strict=True)),
    ).iloc[0]
    return datetime.fromtimestamp(max(int(row["feed"]), int(row["messages"])), settings.zone)


def _require_learned(source: warehouse.Connection, parameters: AlertsBacktest, tz: str) -> None:
    """Refuse a backtest of days that have no events, or too few before them to learn from."""
    if source.source is not None and source.source.missing:
        raise NoDataError(f"The source has no events. {source.source.missing}")
    found = etl.event_days(source, tz=tz)
    first, last = found or (date.min, date.min)
    if found is None or parameters.start_date > last or parameters.end_date < first + LEARNED:
        raise NoDataError(
            f"A backtest from {parameters.start_date} to {parameters.end_date} needs events from "
            f"{LEARNED.days} days before its end on; there are some from {first} to {last}."
        )


def runs(notebook: str) -> list[str]:
    """Return the runs of a notebook: the names of its parameter files."""
    return sorted(path.stem for path in (PROJECT / "parameters" / notebook).glob("*.yml"))


def _page(notebook: str, run: str, overrides: Mapping[str, str], parameters: RunParameters) -> str:
    """Return the name of a page: the date, or the study and what differs from its file."""
    if isinstance(parameters, DailyParameters):
        return parameters.date.isoformat()
    if isinstance(parameters, IncidentPage):
        return parameters.key
    if not isinstance(parameters, WindowParameters):
        return run
    changed = _changed(notebook, run, overrides, parameters)
    page = run
    if changed.keys() & {"start_date", "end_date"}:
        page += f"_{parameters.start_date}_{parameters.end_date}"
    others = {name: changed[name] for name in changed.keys() - {"start_date", "end_date"}}
    if others:
        digest = hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()
        page += "_" + "-".join([*sorted(others), digest[:6]])
    return page


def _changed(
    notebook: str, run: str, overrides: Mapping[str, str], parameters: RunParameters
) -> dict[str, Any]:
    """Return the overridden parameters that differ from those of the file."""
    if not overrides:
        return {}
    given = parameters.model_dump(mode="json")
    try:
        end = datetime.max.replace(tzinfo=UTC)
        own = load_parameters(PROJECT / "parameters", notebook, run, {}, now=end)
    except ParameterError:  # the file is whole only with what the command line sets
        return {name: given[name] for name in overrides}
    plain = own.model_dump(mode="json")
    return {name: given[name] for name in overrides if given[name] != plain[name]}


def writable(home: Path) -> None:
    """Make the home folder, or say in one line why it cannot be used.

    Raises
    ------
    SettingsError
        If nothing can be written there.
    """
    probe = home / f".write-{os.getpid()}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"Cannot write {home}: {error.strerror}; set NBTOOLS_HOME to a folder you may write."
        ) from None


def _command(
    notebook: str, run: str, overrides: Mapping[str, str], parameters: RunParameters
) -> str:
    given = dict(overrides)
    if isinstance(parameters, DailyParameters):
        given["date"] = parameters.date.isoformat()
    words = ["nbtools", "run", notebook, run]
    for name, value in sorted(given.items()):
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def _fingerprint(
    notebook: str, parameters: RunParameters, info: Mapping[str, Any], data: str
) -> str:
    parts = (
        notebook_path(notebook).read_text("utf-8"),
        parameters.model_dump_json(),
        json.dumps(info, sort_keys=True),
        data,
        code_version(),
        _code_hash(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def notebook_path(notebook: str) -> Path:
    """Return where a notebook lies."""
    return PROJECT / "notebooks" / f"{notebook}.ipynb"


@cache
def _code_hash() -> str:
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(p for p in package.rglob("*") if p.suffix in {".py", ".sql"}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def code_version() -> str:
    """Return the package version, with the commit when this is a checkout."""
    found = (
        subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607 -- whatever git the user has
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if (PROJECT / ".git").exists()
        else None
    )
    commit = found.stdout.strip() if found and found.returncode == 0 else ""
    return f"{__version__}+{commit}" if commit else __version__
