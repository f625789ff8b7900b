"""The names of the app's tables and columns, from ``source.yml``.

The file is ``source.yml`` in the home folder where there is one, so that several homes
may read several apps, and ``parameters/source.yml`` of the checkout otherwise.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from nbtools.errors import SettingsError
from nbtools.settings import PROJECT

ATTRIBUTES = ("gender", "age", "country", "city", "os", "source", "exp_group")
COLUMNS = {
    "feed": ("user_id", "post_id", "action", "time", *ATTRIBUTES),
    "messages": ("user_id", "receiver_id", "time", *ATTRIBUTES),
}


class Source(NamedTuple):
    """The source's names, ready to be bound.

    Attributes
    ----------
    names : dict of str
        Values of the placeholders of ``sql/source.sql``.
    missing : str
        What to tell whoever needs a table that is not there; empty when all are.
    """

    names: dict[str, str]
    missing: str = ""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    database: str
    table: str
    columns: dict[str, str | list[str]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    feed: _Table
    messages: _Table


def find_file(home: Path) -> Path:
    """Return the ``source.yml`` that a home uses.

    Parameters
    ----------
    home : Path
        The home folder.

    Returns
    -------
    Path
        The home's own file if it exists, else the checkout's.
    """
    own = home / "source.yml"
    return own if own.exists() else PROJECT / "parameters" / "source.yml"


def load_source(path: Path, table_columns: Callable[[str, str], set[str]]) -> Source:
    """Return the names of a source, checked against its tables.

    Parameters
    ----------
    path : Path
        The YAML file.
    table_columns : callable
        Returns the columns of a database's table, empty when there is none.

    Raises
    ------
    SettingsError
        If the file cannot be read, or names what the source does not have.
    """
    tables = _read(path)
    names: dict[str, str] = {}
    missing = []
    for key, table in (("feed", tables.feed), ("messages", tables.messages)):
        existing = table_columns(table.database, table.table)
        names |= _table_names(path, key, table, existing)
        if not existing:
            missing.append(
                f"There is no table {table.database}.{table.table}, named as {key}.table in "
                f"{path}; make demo or make load fills it, or name another table there."
            )
    return Source(names, missing[0] if missing else "")


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"Cannot read {path}: it is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise SettingsError(f"{path}: {where}: {problem['msg']}.") from None


def _table_names(path: Path, key: str, table: _Table, existing: set[str]) -> dict[str, str]:
    place = f"{table.database}.{table.table}"
    _same_keys(path, key, table)
    names = {f"{key}_database": table.database, f"{key}_table": table.table}
    for column, spelling in table.columns.items():
        spellings = [spelling] if isinstance(spelling, str) else spelling
        # Without a table there is nothing to choose from, and no statement will run.
        found = [name for name in spellings if name in existing or not existing]
        if not found:
            raise SettingsError(
                f"{place} has no column {' or '.join(spellings)}, "
                f"named as {key}.columns.{column} in {path}."
            )
        names[f"{key}_{column}"] = found[0]
    return names


def _same_keys(path: Path, key: str, table: _Table) -> None:
    needed, given = set(COLUMNS[key]), set(table.columns)
    if needed != given:
        problem = [f"misses {name}" for name in sorted(needed - given)]
        problem += [f"has an unknown {name}" for name in sorted(given - needed)]
        raise SettingsError(f"{path}: {key}.columns {', '.join(problem)}.")
