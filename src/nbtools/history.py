"""The history that the demo or the loader builds in the place of the app's own tables."""

import json
from collections.abc import Mapping
from typing import Any

from nbtools.errors import InputError, SettingsError
from nbtools.settings import Settings
from nbtools.source import find_file, load_source
from nbtools.warehouse import Connection

DATABASE = "app"
TABLES = {"feed": "feed_actions", "messages": "message_actions"}


def require_own(settings: Settings, what: str) -> None:
    """Refuse to build a history that would not be read from where it is written.

    Parameters
    ----------
    settings : Settings
        Where source and warehouse are.
    what : str
        What is to be built, for the message.

    Raises
    ------
    SettingsError
        If the source is another place than the warehouse, or names other tables.
    """
    if settings.source != settings.warehouse:
        raise SettingsError(
            f"NBTOOLS_SOURCE is another place than NBTOOLS_WAREHOUSE, so {what} would not be read; "
            "unset NBTOOLS_SOURCE."
        )
    path = find_file(settings.home)
    names = load_source(path, lambda *_: set()).names
    for key, table in TABLES.items():
        found = f"{names[f'{key}_database']}.{names[f'{key}_table']}"
        if found != f"{DATABASE}.{table}":
            raise SettingsError(
                f"{path} names {found} for the {key}, so {what}, which is {DATABASE}.{table}, "
                "would not be read; name that one there, or in a source.yml of the home folder."
            )


def refuse_foreign(db: Connection, what: str) -> None:
    """Refuse to replace events that nbtools has not built itself.

    Parameters
    ----------
    db : Connection
        The warehouse.
    what : str
        What is to be built, for the message.

    Raises
    ------
    InputError
        If the app's tables are there and nothing says that they were built here.
    """
    if exists(db, "source_info"):
        return
    for table in TABLES.values():
        if exists(db, table):
            raise InputError(
                f"{DATABASE}.{table} was not built by nbtools and is not replaced; set "
                f"NBTOOLS_HOME or NBTOOLS_WAREHOUSE to a place for {what}."
            )


def exists(db: Connection, table: str) -> bool:
    """Return whether the app's database has a table."""
    return not db.frame("system/columns", database=DATABASE, table=table).empty


def describe(db: Connection, info: Mapping[str, Any]) -> None:
    """Write what is known of the history, for :func:`nbtools.warehouse.source_info`."""
    db.execute(
        "source_info/insert",
        database=DATABASE,
        keys=list(info),
        values=[json.dumps(value, ensure_ascii=False) for value in info.values()],
    )
