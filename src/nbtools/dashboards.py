"""What the pages of dashboards have in common: opening a life, charts or why there is none."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pandas as pd
from IPython.display import HTML

from nbtools import audience, interactive, messages, tables, user_days
from nbtools.interactive import Chart
from nbtools.metrics import CATALOGUE
from nbtools.plots import Plot
from nbtools.settings import Settings
from nbtools.user_days import UserDays

MONTH = 28


@contextmanager
def open_life(config: Settings, day: date) -> Iterator[UserDays]:
    """Open the app's events and the warehouse, if every day up to one is loaded.

    Parameters
    ----------
    config : Settings
        Where things are.
    day : datetime.date
        The last day.

    Yields
    ------
    UserDays
        Both connections.

    Raises
    ------
    NoDataError
        If a day with events is not loaded.
    """
    with user_days.open_user_days(config) as users:
        audience.require_loaded(users, day, tz=config.tz)
        yield users


def show(plot: Plot | str) -> Chart | HTML:
    """Return a chart of a page, or the sentence that says why there is none."""
    return tables.sentences([plot]) if isinstance(plot, str) else interactive.show(plot)


def drawable(frame: pd.DataFrame) -> bool:
    """Return whether a frame has a number."""
    return bool(frame.notna().to_numpy().any())


def number(x: float) -> str:
    """Return a count of a title."""
    return messages.count(x)


def percent(share: float) -> str:
    """Return a share of a title: whole per cent, one decimal below ten.

    Examples
    --------
    >>> percent(0.4361).replace(messages.THIN_SPACE, " "), percent(0.0477).replace(
    ...     messages.THIN_SPACE, " "
    ... )
    ('44 %', '4.8 %')
    """
    if not math.isfinite(share):
        return messages.MISSING
    decimals = 0 if round(abs(share) * 100, 1) >= 10 else 1
    return f"{share * 100:.{decimals}f}{messages.THIN_SPACE}%".replace("-", messages.MINUS)


def on(day: date) -> str:
    """Return a day of a title."""
    return messages.day(day)


def month_change(series: pd.Series) -> float:
    """Return how the mean of the last seven days differs from that of 28 days before.

    Parameters
    ----------
    series : Series
        By day, without gaps in its index.

    Returns
    -------
    float
        Relative; NaN if a number is missing on either side.
    """
    last = series.iloc[-7:].mean(skipna=False)
    before = series.iloc[-7 - MONTH : -MONTH]
    return float(last / before.mean(skipna=False) - 1) if len(before) == 7 else math.nan


def changes(frame: pd.DataFrame, slugs: tuple[str, ...]) -> pd.DataFrame:
    """Return metrics of the last day against the same weekday a week and four weeks before.

    Parameters
    ----------
    frame : DataFrame
        Metrics by day.
    slugs : tuple of str
        Metrics of the catalogue.
    """
    last = frame.index[-1]
    rows = []
    for slug in slugs:
        item, now = CATALOGUE[slug], frame.loc[last, slug]
        row = {"Metric": item.name, on(last): messages.value(item, now)}
        for days, words in ((7, "A week"), (MONTH, "Four weeks")):
            earlier = frame[slug].get(last - timedelta(days), math.nan)
            change = now / earlier - 1 if earlier else math.nan
            row[f"{words} before"] = messages.value(item, earlier)
            row[f"Change in {words.lower()}"] = messages.change(item, change)
        rows.append(row)
    return pd.DataFrame(rows).set_index("Metric")


def usage(users: UserDays) -> dict[str, float]:
    """Return what the statements of both connections have cost."""
    assert users.db is not None
    costs = [users.source.usage, users.db.usage]
    return {
        "statements": sum(cost.statements for cost in costs),
        "rows_read": sum(cost.rows_read for cost in costs),
        "engine_seconds": sum(cost.engine_seconds for cost in costs),
    }
