"""Plots as pictures: what print, JupyterLab and a browser without scripts show.

Each kind is drawn with the same strokes: weekends shaded, the last period dashed or hollow
while it is not over, a line named at its end, a range as a pale band, events as marks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from nbtools import charts, plots
from nbtools.charts import BEFORE, BLUE, INK, PAPER
from nbtools.plots import Look, Mark, Plot

HEAT = ("#f1f6fb", "#a9cfe8", BLUE, "#06324f")  # from nothing to all
_WIDTH = 8.0
_MARK_ROWS = 3
_PALE = 0.22
_COLUMNS_WITH_NUMBERS = 14
_DAY = pd.Timedelta(days=1)


def draw(plot: Plot) -> Figure:
    """Return a plot as a picture.

    Parameters
    ----------
    plot : Plot
        What is drawn.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.

    Raises
    ------
    InputError
        If the plot cannot be drawn.
    """
    plots.check(plot)
    with charts.grammar():
        figure, axis = plt.subplots(figsize=(_WIDTH, _height(plot)), layout="constrained")
        _KINDS[plot.kind](axis, plot)
        axis.set_title(plot.words.title, loc="left", fontweight="bold", fontsize=12.5, wrap=True)
        sns.despine(ax=axis, left=True, bottom=plot.kind == "heat")
    return figure


def _height(plot: Plot) -> float:
    rows, columns = plot.frame.shape
    match plot.kind:
        case "heat":
            return 1.4 + 0.3 * rows
        case "ranks":
            return 1.3 + rows * (0.22 + 0.2 * columns)
        case _:
            return 3.8


def _lines(axis: Axes, plot: Plot) -> None:
    looks = plots.looks(list(plot.frame))
    _bands(axis, plot)
    for key, column in plot.frame.items():
        draw_line(axis, column, looks[str(key)].colour, unfinished=plots.is_open(plot, str(key)))
    _along(axis, plot)
    label_ends(axis, plot.frame, looks)


def _bands(axis: Axes, plot: Plot) -> None:
    known = plots.looks([*plot.frame, *plot.bands])
    for key, band in plot.bands.items():
        axis.fill_between(
            _places(band),
            band["lower"].to_numpy(dtype=float),
            band["upper"].to_numpy(dtype=float),
            color=known[key].colour,
            alpha=_PALE,
            lw=0,
            label=known[key].name,
        )
    if plot.bands:
        axis.legend(frameon=False, loc="upper left", fontsize=10)


def draw_line(axis: Axes, column: pd.Series, colour: str, *, unfinished: bool = False) -> None:
    """Draw a line; its last stretch dashed and its last point hollow if that is not over.

    Parameters
    ----------
    axis : Axes
        Where.
    column : Series
        NaN is a gap.
    colour : str
        Its colour.
    unfinished : bool
        Whether the last period is not over.
    """
    at, values = _places(column.to_frame()), column.to_numpy(dtype=float)
    upto = int(np.flatnonzero(~np.isnan(values))[-1]) + 1 if column.notna().any() else 0
    at, values = at[:upto], values[:upto]
    whole = upto - 1 if unfinished else upto
    marker = "o" if upto <= 40 else None
    axis.plot(at[:whole], values[:whole], color=colour, lw=2.0, marker=marker, ms=4)
    if unfinished:
        axis.plot(at[-2:], values[-2:], color=colour, lw=1.6, ls=(0, (3, 2)))
        axis.plot(at[-1:], values[-1:], "o", ms=6, mec=colour, mfc=PAPER, mew=1.6)


def label_ends(axis: Axes, frame: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Write the name of each line at its end, apart from each other.

    Parameters
    ----------
    axis : Axes
        Where the lines are; its limits are final.
    frame : DataFrame
        The lines, one a column.
    looks : mapping of str to Look
        Names and colours by column.
    """
    ends = {str(key): _last(column) for key, column in frame.items()}
    if len(ends) < 2:
        return
    low, high = axis.get_ylim()
    # The height of a line of text, in the axis's unit.
    room = (high - low) * 0.075
    for key, at in zip(*_apart(ends, room), strict=True):
        colour = plots.readable(looks[key].colour, PAPER)
        axis.annotate(
            looks[key].name,
            (1.01, at),
            xycoords=("axes fraction", "data"),
            color=colour,
            va="center",
            fontsize=10.5,
            annotation_clip=False,
        )


def _last(column: pd.Series) -> float:
    known = column.dropna()
    return 0.0 if known.empty else float(known.iloc[-1])


def _apart(ends: Mapping[str, float], room: float) -> tuple[list[str], list[float]]:
    """Return keys from the lowest end, and places that are ``room`` apart."""
    keys = sorted(ends, key=lambda key: ends[key])
    places: list[float] = []
    for key in keys:
        places.append(max(ends[key], places[-1] + room) if places else ends[key])
    middle = sum(ends.values()) - sum(places)
    return keys, [place + middle / len(keys) for place in places]


def _areas(axis: Axes, plot: Plot) -> None:
    looks = plots.looks(list(plot.frame))
    filled = plot.frame.fillna(0).astype(float)
    colours = [looks[str(key)].colour for key in filled]
    axis.stackplot(_places(filled), filled.T.to_numpy(), colors=colours, alpha=0.85, lw=0)
    whole = len(filled)
    if plot.unfinished is True and whole > 1:
        whole -= 1
        at = _places(filled)
        axis.axvspan(at[-2], at[-1], color=PAPER, alpha=0.6, lw=0)
    _along(axis, plot)
    middles = filled.cumsum(axis="columns") - filled / 2
    label_ends(axis, middles.iloc[:whole], looks)


def _bars(axis: Axes, plot: Plot) -> None:
    looks = plots.looks(list(plot.frame))
    at, width = _places(plot.frame), _bar_width(plot)
    tops = {True: np.zeros(len(at)), False: np.zeros(len(at))}
    for key, column in plot.frame.items():
        colour, down = looks[str(key)].colour, str(key) in plot.below
        values = column.fillna(0).to_numpy(dtype=float) * (-1 if down else 1)
        bars = axis.bar(at, values, width, tops[down], color=colour, label=looks[str(key)].name)
        tops[down] = tops[down] + values
        if plot.unfinished is True:
            bars[-1].set(facecolor=PAPER, edgecolor=colour, linewidth=1.4, linestyle="--")
    _along(axis, plot)
    axis.axhline(0, color=INK, lw=0.8)
    if plot.frame.shape[1] > 1:
        axis.legend(
            frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, -0.34), fontsize=10.5
        )


def _bar_width(plot: Plot) -> float:
    at = _places(plot.frame)
    return float(np.median(np.diff(at))) * 0.8 if len(at) > 1 else 0.8


def _along(axis: Axes, plot: Plot) -> None:
    """Finish a chart over time or over numbers."""
    axis.yaxis.set_major_locator(MaxNLocator(5))
    _unit(axis, plot, "y")
    axis.margins(x=0.01)
    axis.grid(visible=False, axis="x")
    if plot.style == "count" and plot.kind == "lines":
        axis.set_ylim(bottom=0)
    if plots.axis(plot.frame) == "number":
        axis.set_xlabel(plot.words.across)
        return
    first, last = plot.frame.index[0], plot.frame.index[-1]
    left, right = axis.get_xlim()
    if plots.step(plot.frame) <= _DAY and last - first >= 2 * _DAY:
        charts.shade_weekends(axis, first, last)
    axis.set_xlim(left, right)
    locator = mdates.AutoDateLocator(minticks=2, maxticks=8)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    draw_marks(axis, plot.marks)


def draw_marks(axis: Axes, marks: Sequence[Mark]) -> None:
    """Draw what happened as lines across, their labels above the chart in rows.

    Parameters
    ----------
    axis : Axes
        A chart over time; its limits are final.
    marks : sequence of Mark
        Those outside the limits are left out.
    """
    left, right = axis.get_xlim()
    bottom, top = axis.get_ylim()
    ends = [-np.inf] * _MARK_ROWS
    seen = [mark for mark in marks if left <= mdates.date2num(mark.at) <= right]
    for mark in sorted(seen, key=lambda mark: pd.Timestamp(mark.at)):
        share = (mdates.date2num(mark.at) - left) / (right - left)
        row = next((k for k in range(_MARK_ROWS) if ends[k] < share), int(np.argmin(ends)))
        long = len(mark.label) * 0.0105
        flip = share + long > 1
        ends[row] = share + (0 if flip else long)
        axis.axvline(mdates.date2num(mark.at), color=INK, lw=1, ls=(0, (1, 2)))
        height = top + (top - bottom) * (0.12 * (_MARK_ROWS - 1 - row) - 0.02) * 0.6
        axis.annotate(
            mark.label,
            (mdates.date2num(mark.at), height),
            xytext=(-3 if flip else 3, 0),
            textcoords="offset points",
            ha="right" if flip else "left",
            fontsize=9,
            annotation_clip=False,
        )
    if seen:
        axis.set_ylim(bottom, top + (top - bottom) * 0.16)


def _ranks(axis: Axes, plot: Plot) -> None:
    looks, count = plots.looks(list(plot.frame)), plot.frame.shape[1]
    at, height = np.arange(len(plot.frame)), 0.8 / count
    for k, (key, column) in enumerate(plot.frame.items()):
        offset = (k - (count - 1) / 2) * height
        values = column.to_numpy(dtype=float)
        axis.barh(at + offset, values, height * 0.92, color=looks[str(key)].colour)
        for place, x in zip(at + offset, values, strict=True):
            label = plots.shown(plot.style, x)
            axis.annotate(label, (np.nan_to_num(x), place), xytext=(4, 0), va="center",
                          textcoords="offset points", fontsize=9.5)  # fmt: skip
    axis.set_yticks(at, [str(label) for label in plot.frame.index])
    axis.invert_yaxis()
    axis.margins(x=0.1)
    axis.grid(visible=False, axis="y")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    _unit(axis, plot, "x")
    if count > 1:
        axis.legend(axis.containers, [looks[str(key)].name for key in plot.frame],
                    frameon=False, fontsize=10.5)  # fmt: skip


def _heat(axis: Axes, plot: Plot) -> None:
    frame = plot.frame.astype(float)
    colours = LinearSegmentedColormap.from_list("heat", HEAT)
    written = frame.shape[1] <= _COLUMNS_WITH_NUMBERS
    labels = frame.map(lambda x: "" if np.isnan(x) else heat_label(plot, x))
    if isinstance(plot.unfinished, pd.DataFrame):
        labels += plot.unfinished.reindex_like(frame).map(lambda open_: "*" if open_ else "")
    sns.heatmap(
        frame,
        ax=axis,
        cmap=colours,
        annot=labels if written else None,
        fmt="",
        annot_kws={"fontsize": 8.5},
        linewidths=1,
        linecolor=PAPER,
        cbar=not written,
        cbar_kws={"format": FuncFormatter(lambda x, _: charts.tick(plot.style, x))},
        xticklabels=max(1, -(-frame.shape[1] // 16)),
        yticklabels=1,
    )
    axis.tick_params(axis="both", rotation=0, labelsize=9.5, length=0)
    axis.set_xlabel(plot.words.across)
    axis.set_ylabel("")


def heat_label(plot: Plot, x: float) -> str:
    """Return a number as a cell of a heat map shows it: shares as whole per cent, no sign."""
    return f"{x * 100:.0f}" if plot.style == "share" else charts.tick(plot.style, x)


def _unit(axis: Axes, plot: Plot, side: str) -> None:
    across = axis.yaxis if side == "y" else axis.xaxis
    across.set_major_formatter(FuncFormatter(lambda x, _: charts.tick(plot.style, abs(x))))
    across.set_label_text(plot.words.unit)
    across.label.set(color=BEFORE, fontsize=10.5)


def _places(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return where the rows of a chart stand on its horizontal axis."""
    if isinstance(frame.index, pd.DatetimeIndex):
        return np.asarray(mdates.date2num(frame.index.to_numpy()), dtype=float)
    return frame.index.to_numpy(dtype=float)


_KINDS: dict[str, Callable[[Axes, Plot], Any]] = {
    "lines": _lines,
    "areas": _areas,
    "bars": _bars,
    "ranks": _ranks,
    "heat": _heat,
}
