"""Figures of alerts: a series of slices, the range it is expected in, what is outside."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nbtools import languages, messages
from nbtools.charts import BEFORE, COLOURS, GREEN, INK, VERMILION, grammar, tick
from nbtools.languages import Language
from nbtools.metrics import Metric, slice_metric

_BAND = "#d9e2ea"
_COLUMNS = 2
_STEP = timedelta(minutes=15)


def colour(slug: str) -> str:
    """Return the colour of a metric, on every chart alike."""
    return COLOURS.get(slug, GREEN)


def panels(frames: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Return one panel a metric with the range in which it is expected.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        By slug: columns ``value``, ``expected``, ``lower``, ``upper``, ``anomalous``, indexed
        by the beginnings of slices in the app's zone.
    title : str
        The finding.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    rows = -(-len(frames) // _COLUMNS)
    with grammar():
        figure, axes = plt.subplots(
            rows, _COLUMNS, figsize=(8, 1 + 2.3 * rows), layout="constrained", squeeze=False
        )
        for axis, (slug, frame) in zip(axes.flat, frames.items(), strict=False):
            item = slice_metric(slug)
            _draw(axis, frame, item)
            value = messages.value(item, frame["value"].iloc[-1])
            axis.set_title(f"{item.name} {value}", loc="left", fontsize=12, fontweight="bold")
        for axis in axes.flat[len(frames) :]:
            axis.set_axis_off()
        figure.suptitle(title, x=0.01, ha="left", fontsize=13.5, fontweight="bold", color=INK)
    return figure


def incident(frame: pd.DataFrame, slug: str, title: str, language: Language = "en") -> Figure:
    """Return one series around an incident, wide enough for a phone's message.

    Parameters
    ----------
    frame : DataFrame
        As `panels` takes it.
    slug : str
        Its metric.
    title : str
        The finding.
    language : {"en", "ru"}
        Of the names, days and numbers; the title is in it already.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    with grammar():
        figure, axis = plt.subplots(figsize=(8, 4.4), layout="constrained")
        _draw(axis, frame, slice_metric(slug), language, is_large=True)
        axis.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK)
    return figure


def _draw(
    axis: Axes,
    frame: pd.DataFrame,
    item: Metric,
    language: Language = "en",
    *,
    is_large: bool = False,
) -> None:
    words = {
        key: languages.text(language, f"chart-{key}") for key in ("range", "expected", "anomalous")
    }
    # The clock on the wall, which matplotlib would turn into another zone's.
    local = frame.set_axis(pd.DatetimeIndex(frame.index).tz_localize(None))
    middle = pd.DatetimeIndex(local.index) + _STEP / 2
    band = local[["lower", "upper"]].astype(float)
    lower = band["lower"].clip(lower=0)
    axis.fill_between(middle, lower, band["upper"], color=_BAND, lw=0, label=words["range"])
    dashes = (0, (4, 2))
    axis.plot(middle, local["expected"], color=BEFORE, lw=1.4, ls=dashes, label=words["expected"])
    size, name = 2.2 if is_large else 1.8, languages.metric_name(language, item.slug)
    axis.plot(middle, local["value"], color=colour(item.slug), lw=size, label=name)
    odd = local["anomalous"].to_numpy(dtype=bool)
    if odd.any():
        axis.plot(
            middle[odd],
            local["value"][odd],
            ls="none",
            marker="o",
            ms=7 if is_large else 5,
            mfc=VERMILION,
            mec="white",
            label=words["anomalous"],
        )
    _axes(axis, local, item, language)
    if is_large:
        axis.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.12))


def _axes(axis: Axes, frame: pd.DataFrame, item: Metric, language: Language) -> None:
    def number(y: float, _: object) -> str:
        return languages.number(language, tick(item.style, y))

    def moment(x: float, _: object) -> str:
        at = mdates.num2date(x)
        is_day = (at.hour, at.minute) == (0, 0)
        return languages.day(language, at.date(), pattern="d MMM") if is_day else f"{at:%H:%M}"

    axis.yaxis.set_major_formatter(FuncFormatter(number))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    top = np.nanmax(frame[["value", "upper", "expected"]].to_numpy(dtype=float), initial=0.0)
    axis.set_ylim(0, 1.08 * top if top > 0 else 1)
    locator = mdates.AutoDateLocator(maxticks=7)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(FuncFormatter(moment))
    axis.margins(x=0.01)
    axis.grid(visible=False, axis="x")
    sns.despine(ax=axis, left=True)


def record(days: pd.DataFrame, title: str, *, slugs: Sequence[str]) -> Figure:
    """Return which metrics were in an incident on which day.

    Parameters
    ----------
    days : DataFrame
        Indexed by day, a column a metric: slices in an incident.
    title : str
        The finding.
    slugs : sequence of str
        Metrics from top to bottom.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    with grammar():
        figure, axis = plt.subplots(figsize=(8, 1.2 + 0.4 * len(slugs)), layout="constrained")
        for place, slug in enumerate(slugs):
            column = days[slug]
            there = column[column > 0]
            axis.scatter(
                there.index,
                [place] * len(there),
                s=20 + 4 * np.minimum(there.to_numpy(dtype=float), 40),
                color=colour(slug),
                lw=0,
            )
        axis.set_yticks(range(len(slugs)), [slice_metric(slug).name for slug in slugs])
        axis.set_ylim(len(slugs) - 0.5, -0.5)
        axis.set_xlim(days.index[0] - timedelta(1), days.index[-1] + timedelta(1))
        locator = mdates.AutoDateLocator(maxticks=8)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, show_offset=False))
        axis.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK)
        sns.despine(ax=axis, left=True)
    return figure
