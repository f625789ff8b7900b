"""Additive counts by day and attributes, small enough for a page to sum up by itself.

Every user is in one cell a day, so counts of users add up over the cells of a day, and never
over days. A ratio is the quotient of two sums, as the metric catalogue has it.
"""

import base64
import json
import re
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nbtools import messages, plots
from nbtools.errors import InputError
from nbtools.metrics import Metric

OTHER = "other"
_TERM = re.compile(r"([+-]?)\s*sum\((\w+)\)\s*")
_LAST = (OTHER, "unknown", "")


class Cube(NamedTuple):
    """Counts of a history.

    Attributes
    ----------
    cells : DataFrame
        One row a cell: ``day``, a column of text for each dimension, and whole counts. Rows
        of the same cell are added up; a cell without a row counts nothing.
    dimensions : sequence of str
        What the users are divided by, such as ``("os", "source", "gender", "country")``.
    metrics : sequence of Metric
        What can be shown, the first one at first; their expressions name columns of counts.
    """

    cells: pd.DataFrame
    dimensions: Sequence[str]
    metrics: Sequence[Metric]


class Quotient(NamedTuple):
    """A metric as sums of columns, each with its sign; ``below`` is empty where it is a sum."""

    above: dict[str, int]
    below: dict[str, int]


def quotient(metric: Metric) -> Quotient:
    """Return a metric's expression as sums of columns.

    Raises
    ------
    InputError
        If it is more than a sum, a difference, or a quotient of those.

    Examples
    --------
    >>> from nbtools.metrics import CATALOGUE
    >>> quotient(CATALOGUE["ctr"])
    Quotient(above={'likes': 1}, below={'views': 1})
    """
    above, slash, below = metric.sql.partition("/")
    divisor = re.fullmatch(r"\s*nullIf\((.+),\s*0\)\s*", below)
    if slash and divisor is None:
        raise _unclear(metric)
    return Quotient(_sum(metric, above), _sum(metric, divisor[1]) if divisor else {})


def _sum(metric: Metric, text: str) -> dict[str, int]:
    text = text.strip()
    terms = _TERM.findall(text)
    if not terms or _TERM.sub("", text):
        raise _unclear(metric)
    return {name: -1 if sign == "-" else 1 for sign, name in terms}


def _unclear(metric: Metric) -> InputError:
    return InputError(
        f"Metric {metric.slug} is {metric.sql}; a cube needs sums of columns,"
        " or one such sum divided by another."
    )


def fold(cells: pd.DataFrame, dimension: str, by: str, *, keep: int = 5) -> pd.DataFrame:
    """Return the cells with all but the largest values of a dimension called ``other``.

    Parameters
    ----------
    cells : DataFrame
        As of :class:`Cube`.
    dimension : str
        Such as ``country``.
    by : str
        The column of counts whose sum makes a value large.
    keep : int
        Values that stay.
    """
    largest = cells.groupby(dimension)[by].sum().nlargest(keep).index
    name = cells[dimension].where(cells[dimension].isin(largest), OTHER)
    return cells.assign(**{dimension: name})


def totals(cube: Cube) -> pd.DataFrame:
    """Return the metrics over all cells, one column each, indexed by every day."""
    sums = cube.cells.groupby("day")[columns(cube)].sum().astype(float)
    days = pd.date_range(sums.index.min(), sums.index.max(), name="day", unit="s")
    return pd.DataFrame({item.slug: _values(item, sums) for item in cube.metrics}).reindex(days)


def _values(item: Metric, sums: pd.DataFrame) -> pd.Series:
    parts = quotient(item)
    above = sum(
        (sums[name] * sign for name, sign in parts.above.items()), pd.Series(0.0, sums.index)
    )
    if not parts.below:
        return above
    below = sum(
        (sums[name] * sign for name, sign in parts.below.items()), pd.Series(0.0, sums.index)
    )
    return above / below.where(below != 0)


def columns(cube: Cube) -> list[str]:
    """Return the columns of counts that the metrics need."""
    parts = [part for item in cube.metrics for part in quotient(item)]
    return list(dict.fromkeys(name for part in parts for name in part))


def encode(cube: Cube) -> dict[str, Any]:
    """Return a cube as a page carries it.

    Cells are numbered, the day first, then the dimensions in their order; the numbers (as
    distances from the one before) and the counts are columns of whole numbers, as JSON,
    deflated, in base 64.

    Raises
    ------
    InputError
        If a column is missing, or a count is negative or not whole.
    """
    names = columns(cube)
    if lost := [name for name in ("day", *cube.dimensions, *names) if name not in cube.cells]:
        raise InputError(f"The cells of the cube have no column {', '.join(lost)}.")
    counts = cube.cells[names].to_numpy(dtype=float)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts % 1 == 0).all()):
        raise InputError("The cells of the cube hold counts that are negative or not whole.")
    cells = cube.cells.groupby(["day", *cube.dimensions], as_index=False)[names].sum()
    first, last = cells["day"].min(), cells["day"].max()
    place = (pd.DatetimeIndex(cells["day"]) - first).days.to_numpy(dtype=np.int64)
    described = []
    for dimension in cube.dimensions:
        values = _ordered(cells, dimension, names[0])
        place = place * len(values) + pd.Index(values).get_indexer(pd.Index(cells[dimension]))
        described.append(_dimension(dimension, values))
    order = np.argsort(place)
    numbers = [np.diff(place[order], prepend=0), *cells[names].to_numpy(dtype=np.int64)[order].T]
    packed = zlib.compress(json.dumps([column.tolist() for column in numbers]).encode(), 9)
    return {
        "first": f"{first:%Y-%m-%d}",
        "days": (last - first).days + 1,
        "dimensions": described,
        "columns": names,
        "metrics": [_metric(item) for item in cube.metrics],
        "data": base64.b64encode(packed).decode(),
    }


def _ordered(cells: pd.DataFrame, dimension: str, by: str) -> list[str]:
    """Return a dimension's values, the largest first, the nameless ones last."""
    sums = cells.groupby(dimension)[by].sum().sort_values(ascending=False, kind="stable")
    return sorted(sums.index, key=lambda value: value in _LAST)


def _dimension(dimension: str, values: Sequence[str]) -> dict[str, Any]:
    names = [messages.attribute(dimension, value) or "unknown" for value in values]
    looks = plots.looks(names)
    return {
        "key": dimension,
        "name": messages.part(dimension),
        "values": [
            {
                "key": value,
                "name": looks[name].name,
                "colours": plots.themed(looks[name].colour),
            }
            for value, name in zip(values, names, strict=True)
        ],
    }


def _metric(item: Metric) -> dict[str, Any]:
    parts = quotient(item)
    return {
        "key": item.slug,
        "name": item.name,
        "unit": item.unit,
        "style": item.style,
        "above": parts.above,
        "below": parts.below,
        "colours": plots.themed(plots.looks([item.slug])[item.slug].colour),
    }
