"""Figures: frames of daily metrics in, pictures that read well on a phone out.

One grammar for all: a metric has one colour everywhere, weekends are shaded, a missing
day is a gap, the panel's title says what the picture shows, the last value is labelled.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from io import BytesIO

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nbtools import messages
from nbtools.handover import Attachment
from nbtools.metrics import Metric, metric

# Okabe and Ito's palette, distinguishable with any colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
INK, PAPER, SHADE, BEFORE = "#26323d", "#ffffff", "#eef1f4", "#8a97a3"

COLOURS: dict[str, str] = {
    "feed_users": BLUE,
    "views": GREEN,
    "likes": VERMILION,
    "ctr": PURPLE,
    "views_per_user": GREEN,
    "likes_per_user": VERMILION,
    "messenger_users": ORANGE,
    "messages_sent": ORANGE,
    "messages_per_user": ORANGE,
}
_DPI = 130
_WEEK = timedelta(7)


@contextmanager
def grammar() -> Iterator[None]:
    """Apply the look of every figure inside the block only."""
    look = {
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "axes.edgecolor": BEFORE,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": "#dfe4e8",
        "font.family": "DejaVu Sans",
    }
    with sns.axes_style("whitegrid", look), sns.plotting_context("notebook", rc={"font.size": 12}):
        yield


def recent_panels(daily: pd.DataFrame, slugs: Sequence[str], day: date, days: int) -> Figure:
    """Return one panel a metric over the recent days, with the week before behind it.

    Parameters
    ----------
    daily : DataFrame
        One column a metric, indexed by day without gaps (missing days are NaN), up to
        ``day``; values in the metric's unit.
    slugs : sequence of str
        Metrics to draw, two a row.
    day : datetime.date
        Last day, marked and labelled.
    days : int
        Days to draw.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    first = pd.Timestamp(day - timedelta(days - 1))
    with grammar():
        figure, axes = _panels(len(slugs), 3.3)
        for axis, slug in zip(axes, slugs, strict=True):
            shown = daily[slug].loc[first : pd.Timestamp(day)]
            before = daily[slug].shift(freq=_WEEK).reindex(shown.index)
            _shade_weekends(axis, first, pd.Timestamp(day))
            axis.plot(before.index, before, color=BEFORE, lw=1.6, ls=(0, (4, 2)))
            axis.plot(shown.index, shown, color=COLOURS[slug], lw=2.4, marker="o", ms=4)
            _finish_panel(axis, metric(slug), shown, before)
            _day_ticks(axis, pd.DatetimeIndex(shown.index))
        figure.supxlabel(
            "Solid: these days.  Dashed: a week earlier.  Shaded: weekends.", fontsize=10.5
        )
    return figure


def life_panels(daily: pd.DataFrame, slugs: Sequence[str], day: date) -> Figure:
    """Return one panel a metric over the whole period, two a row.

    Parameters
    ----------
    daily : DataFrame
        As for :func:`recent_panels`.
    slugs : sequence of str
        Metrics to draw.
    day : datetime.date
        Last day, marked and labelled.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    with grammar():
        figure, axes = _panels(len(slugs), 2.7)
        for axis, slug in zip(axes, slugs, strict=True):
            shown = daily[slug].loc[: pd.Timestamp(day)]
            axis.plot(shown.index, shown, color=COLOURS[slug], lw=1.8)
            _finish_panel(axis, metric(slug), shown, None)
            _life_ticks(axis, shown.index[0], shown.index[-1])
        figure.align_ylabels()
    return figure


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(count, 2)
    rows = -(-count // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(8, height * rows), squeeze=False, layout="constrained"
    )
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def _finish_panel(axis: Axes, item: Metric, shown: pd.Series, before: pd.Series | None) -> None:
    """Write the finding above the panel and keep the axis honest."""
    last = shown.iloc[-1]
    title = f"{item.name} {messages.value(item, last)}"
    if before is not None and before.iloc[-1]:
        relative = last / before.iloc[-1] - 1
        title += f"\n{messages.change(item, relative)} on the week before"
    axis.set_title(title, loc="left", fontsize=12.5, fontweight="bold", color=INK)
    axis.plot(shown.index[-1:], [last], color=COLOURS[item.slug], marker="o", ms=8)
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda x, _: _tick(item, x)))
    if item.style == "count":
        highest = max(shown.max(), before.max() if before is not None else 0.0)
        axis.set_ylim(0, highest * 1.12 if highest > 0 else 1)
    else:
        axis.margins(y=0.25)
    sns.despine(ax=axis, left=True)
    axis.set_xlabel("")
    axis.set_ylabel("")


def _tick(item: Metric, x: float) -> str:
    if item.style == "share":
        return f"{x * 100:.3g}{messages.THIN_SPACE}%"
    if abs(x) >= 1e6:
        return f"{x / 1e6:.3g}{messages.THIN_SPACE}M"
    if abs(x) >= 1e3:
        return f"{x / 1e3:.3g}{messages.THIN_SPACE}k"
    return f"{x:,.4g}".replace(",", messages.THIN_SPACE)


def _shade_weekends(axis: Axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    half = pd.Timedelta(hours=12)
    for day in pd.date_range(first, last):
        if day.weekday() >= 5:
            left, right = mdates.date2num(day - half), mdates.date2num(day + half)
            axis.axvspan(left, right, color=SHADE, lw=0, zorder=0)


def _life_ticks(axis: Axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    room = max((last - first) / 10, pd.Timedelta(days=1))
    axis.set_xlim(mdates.date2num(first - room / 2), mdates.date2num(last + room))
    locator = mdates.AutoDateLocator(minticks=1, maxticks=6)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))


def _day_ticks(axis: Axes, days: pd.DatetimeIndex) -> None:
    step = max(1, len(days) // 7)
    ticks = days[::-1][::step]
    axis.set_xticks(ticks, [f"{tick:%a}\n{tick.day}" for tick in ticks], fontsize=10)
    axis.grid(visible=False, axis="x")


def attach(figure: Figure, name: str, alt: str) -> Attachment:
    """Return a figure as the picture of a message.

    Parameters
    ----------
    figure : Figure
        Stays open.
    name : str
        File name without ending.
    alt : str
        What it shows.

    Returns
    -------
    Attachment
        A PNG; the same figure gives the same bytes.
    """
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return Attachment(f"{name}.png", buffer.getvalue(), alt)
