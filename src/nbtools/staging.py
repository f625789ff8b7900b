"""Tables that live as long as one run, under names that no other run has."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pandas as pd

from nbtools.warehouse import Connection

_PREFIX = "staging_"
_DEAD_AFTER_HOURS = 24  # longer than any run takes


@contextmanager
def table(db: Connection, create: str) -> Iterator[str]:
    """Create a table for the length of the block.

    Parameters
    ----------
    db : Connection
        The warehouse.
    create : str
        The statement that creates it, under the name of its parameter ``table``.

    Yields
    ------
    str
        Its name.
    """
    name = f"{_PREFIX}{uuid4().hex}"
    db.execute(create, table=name)
    try:
        yield name
    finally:
        db.execute("system/drop_table", table=name)


def remove_dead(db: Connection, tables: pd.Series) -> None:
    """Drop the tables that killed runs have left behind.

    Parameters
    ----------
    db : Connection
        The warehouse.
    tables : Series
        Age in hours of our tables, by name.
    """
    for name, hours in tables.items():
        # On a server, a young one may be that of a run under way.
        if str(name).startswith(_PREFIX) and (db.exclusive or hours >= _DEAD_AFTER_HOURS):
            db.execute("system/drop_table", table=name)
