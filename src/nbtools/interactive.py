"""Charts to explore on the book's pages, which stay pictures and tables without scripts.

A cell shows the picture of a plot, and its numbers: as a table, and as JSON that a script of
the book (``_static/dashboards.js``) turns into a chart of plotly in the picture's place.
Nothing comes from the network: plotly is a file of the book, loaded where a chart is.
"""

import json
from base64 import b64encode
from io import BytesIO
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from jinja2 import Environment
from matplotlib.figure import Figure

from nbtools import cubes, messages, pictures, plots, tables
from nbtools.cubes import Cube
from nbtools.errors import InputError
from nbtools.plots import Mark, Plot, Words

MOST_BYTES = 1_000_000  # that one chart may add to a page
_DPI = 130
_DAY = pd.Timedelta(days=1)
_CHART = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """\
<div class="chart" id="{{ name }}">
<script type="application/json">{{ content | safe }}</script>
<details class="chart-details"><summary>The numbers</summary>
<div class="chart-numbers" role="region" aria-label="The numbers: {{ title }}" tabindex="0">
{{ table | safe }}
</div></details>
</div>
"""
)


class Chart(NamedTuple):
    """A chart that a notebook's cell shows when it is its last line.

    Attributes
    ----------
    picture : bytes
        PNG.
    alt : str
        What the picture shows.
    content : str
        The numbers as HTML: a table, and what the script reads.
    """

    picture: bytes
    alt: str
    content: str

    def outputs(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return data and metadata of what a cell shows: first the picture, then the numbers."""
        png = b64encode(self.picture).decode()
        return [
            ({"image/png": png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}),
            ({"text/html": self.content, "text/plain": f"{self.alt} (numbers)"}, {}),
        ]

    def _ipython_display_(self) -> None:
        for data, metadata in self.outputs():
            display(data, raw=True, metadata=metadata)


def show(plot: Plot) -> Chart:
    """Return a plot as a chart of a page.

    Parameters
    ----------
    plot : Plot
        What it shows.

    Raises
    ------
    InputError
        If it cannot be drawn, or would make its page too heavy.
    """
    figure = pictures.draw(plot)
    return _chart(plot.words, figure, _described(plot), _table(plot))


def show_cube(
    cube: Cube, words: Words, *, marks: tuple[Mark, ...] = (), unfinished: bool = False
) -> Chart:
    """Return a cube as a chart with a choice of metric and of who is counted.

    Parameters
    ----------
    cube : Cube
        The counts.
    words : Words
        What it says while all are counted.
    marks : tuple of Mark
        What happened.
    unfinished : bool
        Whether the last day is not over.

    Raises
    ------
    InputError
        If it cannot be drawn, or would make its page too heavy.
    """
    values, first = cubes.totals(cube), cube.metrics[0]
    shown = Plot(
        "lines",
        values[[first.slug]],
        words,
        style=first.style,
        marks=marks,
        unfinished=unfinished,
    )
    known = {key: x for key, x in _described(shown).items() if key not in {"series", "x"}}
    table = pd.DataFrame(
        {
            item.name: values[item.slug].map(lambda x, item=item: messages.value(item, x))
            for item in cube.metrics
        }
    )
    table.index = _labels(values)
    described = known | {"open": unfinished, "cube": cubes.encode(cube)}
    return _chart(words, pictures.draw(shown), described, table.rename_axis("Day"))


def _chart(words: Words, figure: Figure, described: dict[str, Any], table: pd.DataFrame) -> Chart:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    plt.close(figure)
    content = json.dumps(described, separators=(",", ":"), allow_nan=False)
    if len(content) > MOST_BYTES:
        raise InputError(
            f"Chart {words.name} has {len(content)} bytes of numbers, a page takes {MOST_BYTES};"
            " show a shorter period or fewer values of a dimension."
        )
    # A script's text ends at the first end tag in it.
    safe = content.replace("<", "\\u003c")
    html = _CHART.render(
        name=words.name, title=words.title, content=safe, table=tables.show(table).data
    )
    return Chart(buffer.getvalue(), words.alt, html)


def _described(plot: Plot) -> dict[str, Any]:
    """Return a plot as the script of the book reads it."""
    known: dict[str, Any] = {
        "kind": plot.kind,
        **plot.words._asdict(),
        "style": plot.style,
        "axis": plots.axis(plot.frame),
        "hours": plots.step(plot.frame) / pd.Timedelta(hours=1) if _is_time(plot) else 0,
        "x": _places(plot.frame),
        "marks": [{"at": _moment(mark.at), "label": mark.label} for mark in plot.marks],
    }
    if plot.kind == "heat":
        return known | _heat(plot)
    looks = plots.looks([*plot.frame, *plot.bands])
    return known | {
        "series": [
            {
                "key": key,
                "name": looks[key].name,
                "colours": plots.themed(looks[key].colour),
                "values": _numbers(plot.frame[key]),
                "down": key in plot.below,
                "open": plots.is_open(plot, key),
            }
            for key in map(str, plot.frame)
        ],
        "bands": [
            {
                "name": looks[str(key)].name,
                "colours": plots.themed(looks[str(key)].colour),
                "lower": _numbers(band["lower"].reindex(plot.frame.index)),
                "upper": _numbers(band["upper"].reindex(plot.frame.index)),
            }
            for key, band in plot.bands.items()
        ],
    }


def _heat(plot: Plot) -> dict[str, Any]:
    unfinished = plot.unfinished
    open_cells = None
    if isinstance(unfinished, pd.DataFrame):
        open_cells = unfinished.astype(bool).to_numpy().tolist()
    return {
        "columns": [str(name) for name in plot.frame],
        "values": [_numbers(row) for _, row in plot.frame.iterrows()],
        "open": open_cells,
        "heat": list(pictures.HEAT),
    }


def _is_time(plot: Plot) -> bool:
    return plots.axis(plot.frame) == "time"


def _places(frame: pd.DataFrame) -> list[Any]:
    if isinstance(frame.index, pd.DatetimeIndex):
        return [_moment(moment) for moment in frame.index]
    number = plots.axis(frame) == "number"
    return frame.index.tolist() if number else [str(label) for label in frame.index]


def _moment(at: Any) -> str:
    text = pd.Timestamp(at).isoformat(timespec="minutes")
    return text.removesuffix("T00:00")


def _numbers(column: pd.Series) -> list[float | int | None]:
    """Return numbers as short JSON: whole ones whole, others with seven digits."""
    found: list[float | int | None] = []
    for x in column.to_numpy(dtype=float):
        if np.isnan(x):
            found.append(None)
        else:
            found.append(int(x) if x == int(x) else float(f"{x:.7g}"))
    return found


def _table(plot: Plot) -> pd.DataFrame:
    """Return the numbers of a plot as people read them."""
    table = plot.frame.astype(float).map(lambda x: plots.shown(plot.style, x))
    if plot.kind != "heat":
        looks = plots.looks(list(plot.frame))
        table.columns = pd.Index([looks[str(key)].name for key in plot.frame])
    for key, band in plot.bands.items():
        name = plots.looks([str(key)])[str(key)].name
        for side in ("lower", "upper"):
            shown = band[side].reindex(plot.frame.index).astype(float)
            table[f"{name}, {side}"] = shown.map(lambda x: plots.shown(plot.style, x))
    table.index = _labels(plot.frame)
    return table.rename_axis(_head(plot))


def _head(plot: Plot) -> str:
    if not _is_time(plot):
        return plot.words.across if plot.kind != "heat" else ""
    hours = plots.step(plot.frame)
    return "Week from" if hours > _DAY else "Day" if hours == _DAY else "From"


def _labels(frame: pd.DataFrame) -> pd.Index:
    if not isinstance(frame.index, pd.DatetimeIndex):
        return frame.index.map(str)
    if plots.step(frame) >= _DAY:
        return pd.Index([f"{moment:%a} {messages.day(moment)}" for moment in frame.index])
    return pd.Index([f"{messages.day(moment)} {moment:%H:%M}" for moment in frame.index])
