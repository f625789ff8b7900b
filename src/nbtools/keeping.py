"""How long pages are kept and when they are due: ``parameters/archive.yml``."""

from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from nbtools.errors import ParameterError
from nbtools.records import Record, Runs


def _clock(value: object) -> object:
    # Without quotes YAML reads 16:00 as the number 960.
    if not isinstance(value, str | time):
        raise ValueError('needed is a time of day in quotes, such as "16:00"')  # noqa: TRY004
    return value


class Rule(BaseModel):
    """How the pages of a notebook are kept.

    Attributes
    ----------
    due : datetime.time
        Local time from which yesterday's page counts as late.
    every_minutes : int or None
        How often a page is made that is made again all day.
    keep_days : int or None
        Pages of days further back are removed, counted from the newest; None keeps all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    due: Annotated[time, BeforeValidator(_clock)] = time(6)
    every_minutes: Annotated[int, Field(ge=1)] | None = None
    keep_days: Annotated[int, Field(ge=1)] | None = None


DEFAULT = Rule()
_RULES = TypeAdapter(dict[str, Rule])


def load(path: Path, notebooks: Path) -> dict[str, Rule]:
    """Return the rules by notebook, none where there is no file.

    Parameters
    ----------
    path : Path
        The file.
    notebooks : Path
        Folder of the notebooks, whose names it may use.

    Raises
    ------
    ParameterError
        If it cannot be used.
    """
    if not path.is_file():
        return {}
    try:
        rules = _RULES.validate_python(yaml.safe_load(path.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f"Cannot read {path}: {' '.join(str(error).split())}.") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        text = problem["msg"].removeprefix("Value error, ")
        raise ParameterError(f"{path}: {where}: {text}, got {problem['input']!r}.") from None
    for name in rules:
        if not (notebooks / f"{name}.ipynb").is_file():
            there = ", ".join(sorted(found.stem for found in notebooks.glob("*.ipynb")))
            raise ParameterError(f"{path}: there is no notebook {name}; there are {there}.")
    return rules


def outlived(runs: Runs, rule: Rule) -> list[Record]:
    """Return the pages that are not kept any longer.

    Parameters
    ----------
    runs : Runs
        Of one notebook.
    rule : Rule
        Its rule.
    """
    days = [record.day for record in runs.done if record.day]
    if rule.keep_days is None or not days:
        return []
    # Not counted from today: a notebook that has stopped keeps its last pages.
    first: date = max(days) - timedelta(rule.keep_days)
    return [page for page in runs.pages if page.day and page.day <= first]
