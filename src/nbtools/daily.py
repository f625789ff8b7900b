"""Reading ``daily_metrics_v1``: metrics of the catalogue by day, and what is loaded."""

from datetime import date

import pandas as pd

from nbtools.errors import NoDataError
from nbtools.warehouse import Connection, tables

TABLE = "daily_metrics_v1"
_FIRST_DAY = date(1970, 1, 1)  # the first that the engine's Date knows


def read(
    db: Connection, slugs: tuple[str, ...], *, last: date, first: date = _FIRST_DAY
) -> pd.DataFrame:
    """Return metrics over all users, one row a day.

    Parameters
    ----------
    db : Connection
        The warehouse.
    slugs : tuple of str
        Metrics of the catalogue.
    last, first : datetime.date
        Last and first day read, both included.

    Returns
    -------
    DataFrame
        One float column a metric, indexed by every day from the first loaded one to the
        last loaded one of the range; NaN where a day is not loaded or a metric undefined.
    """
    rows = _rows(db, slugs, "total", first, last)
    return _every_day(rows.drop(columns="dimension_value").set_index("event_date"))


def read_by(
    db: Connection,
    dimension: str,
    slugs: tuple[str, ...],
    *,
    last: date,
    first: date = _FIRST_DAY,
) -> pd.DataFrame:
    """Return metrics by the values of a dimension, one row a day.

    Parameters
    ----------
    db : Connection
        The warehouse.
    dimension : {"gender", "age", "os"}
        What the users are divided by.
    slugs : tuple of str
        Metrics of the catalogue.
    last, first : datetime.date
        Last and first day read, both included.

    Returns
    -------
    DataFrame
        Columns are pairs of metric and value, days as in :func:`read`; NaN also where
        nobody of that value was there on a day.
    """
    rows = _rows(db, slugs, dimension, first, last)
    wide = rows.pivot(  # noqa: PD010 -- a pivot table drops metrics that are undefined
        index="event_date", columns="dimension_value", values=list(slugs)
    )
    return _every_day(wide)


def _rows(
    db: Connection, slugs: tuple[str, ...], dimension: str, first: date, last: date
) -> pd.DataFrame:
    if not is_there(db):
        raise NoDataError(f"{TABLE} is empty; load the history with make backfill.")
    rows = db.metrics(f"{TABLE}/metrics", slugs, dimension=dimension, first=first, last=last)
    return rows.astype(dict.fromkeys(slugs, "float64"))


def _every_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with a row for each day between its first and its last."""
    if frame.empty:
        return frame.rename_axis("day")
    days = pd.date_range(frame.index[0], frame.index[-1], name="day", unit="s")
    return frame.reindex(days)


def is_there(db: Connection) -> bool:
    """Return whether the table has been created."""
    return TABLE in tables(db, TABLE).index
