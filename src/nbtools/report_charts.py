"""Pictures of reports, in the reader's language, to be read on a phone.

Panels of daily metrics: the title says where a metric stands, the last value is marked, a
missing day is a gap. What the pages show, too, is drawn by `pictures` and renamed here.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nbtools import charts, languages, pictures, plots
from nbtools.charts import BEFORE, INK
from nbtools.handover import Attachment
from nbtools.languages import Language
from nbtools.messages import NO_BREAK_SPACE, THIN_SPACE
from nbtools.metrics import metric
from nbtools.plots import Look, Plot

USERS = ("app_users", "feed_users", "messenger_users", "both_users", "feed_only_users")
_WEEK = timedelta(7)
_NAMED = (
    *USERS,
    *("new", "retained", "resurrected", "gone", "ads", "organic", "female", "male", "unknown"),
)
_LONG = 26  # letters of a title that fit a panel in its usual size
_FEW_DAYS = 14  # up to here the week before can be told from these days


class Recent(NamedTuple):
    """Which days of the recent past are drawn.

    Attributes
    ----------
    day : datetime.date
        The last one.
    days : int
        How many.
    """

    day: date
    days: int

    @property
    def first(self) -> pd.Timestamp:
        """The first one."""
        return pd.Timestamp(self.day - timedelta(self.days - 1))


def recent_panels(
    daily: pd.DataFrame, slugs: Sequence[str], shown: Recent, language: Language = "en"
) -> Figure:
    """Return one panel a metric over the recent days.

    Parameters
    ----------
    daily : DataFrame
        One column a metric, indexed by day without gaps (missing days are NaN), up to the
        last one; values in the metric's unit.
    slugs : sequence of str
        Metrics to draw, two a row.
    shown : Recent
        The days. Up to two weeks have the week before behind them.
    language : {"en", "ru"}
        Of the texts.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    last, few = pd.Timestamp(shown.day), shown.days <= _FEW_DAYS
    with charts.grammar():
        figure, axes = _panels(len(slugs), 3.3 if few else 2.7)
        for axis, slug in zip(axes, slugs, strict=True):
            days = daily[slug].loc[shown.first : last]
            before = daily[slug].shift(freq=_WEEK).reindex(days.index)
            charts.shade_weekends(axis, shown.first, last)
            if few:
                axis.plot(before.index, before, color=BEFORE, lw=1.6, ls=(0, (4, 2)))
            marker = "o" if few else None
            axis.plot(days.index, days, color=_colour(slug), lw=2.4, marker=marker, ms=4)
            _finish(axis, slug, days, language)
            _limit(axis, slug, pd.concat([days, before]) if few else days)
            _set_title(axis, _title(language, slug, days, before))
            _day_ticks(axis, pd.DatetimeIndex(days.index), language)
        note = languages.text(language, "chart-panels-note" if few else "chart-shaded-note")
        figure.supxlabel(note, fontsize=10.5)
    return figure


def _set_title(axis: Axes, title: str) -> None:
    longest = max(map(len, title.splitlines()))
    size = 12.5 if longest <= _LONG else 10.5
    axis.set_title(title, loc="left", fontsize=size, fontweight="bold", color=INK)


def _title(language: Language, slug: str, days: pd.Series, before: pd.Series) -> str:
    last, earlier = days.iloc[-1], before.iloc[-1]
    value = languages.quantity(language, slug, last)
    title = f"{languages.metric_name(language, slug)} {value}"
    if pd.isna(last) or not earlier > 0:
        return title
    change = languages.percent(language, last / earlier - 1)
    return f"{title}\n{languages.text(language, 'chart-on-week-before', change=change)}"


def life_panels(
    daily: pd.DataFrame, slugs: Sequence[str], day: date, language: Language = "en"
) -> Figure:
    """Return one panel a metric over the whole period, two a row.

    Parameters
    ----------
    daily : DataFrame
        As for :func:`recent_panels`.
    slugs : sequence of str
        Metrics to draw.
    day : datetime.date
        Last day, marked and named.
    language : {"en", "ru"}
        Of the texts.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    with charts.grammar():
        figure, axes = _panels(len(slugs), 2.7)
        for axis, slug in zip(axes, slugs, strict=True):
            shown = daily[slug].loc[: pd.Timestamp(day)]
            axis.plot(shown.index, shown, color=_colour(slug), lw=1.8)
            _finish(axis, slug, shown, language)
            _limit(axis, slug, shown)
            value = languages.quantity(language, slug, shown.iloc[-1])
            _set_title(axis, f"{languages.metric_name(language, slug)} {value}")
            _life_ticks(axis, shown.index[0], shown.index[-1], language)
        figure.align_ylabels()
    return figure


def audience(daily: pd.DataFrame, shown: Recent, language: Language = "en") -> Figure:
    """Return who was there by day, the recent days above the whole period.

    Parameters
    ----------
    daily : DataFrame
        The metrics of ``USERS``, indexed by day without gaps.
    shown : Recent
        The recent days.
    language : {"en", "ru"}
        Of the texts.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    frame = daily[list(USERS)].loc[: pd.Timestamp(shown.day)]
    looks = {key: Look(_named(language, key), plots.LOOKS[key].colour) for key in USERS}
    parts = (
        (frame.loc[shown.first :], languages.text(language, "chart-days", days=shown.days)),
        (frame, languages.text(language, "chart-life")),
    )
    with charts.grammar():
        figure, axes = plt.subplots(2, 1, figsize=(8, 7.4), layout="constrained")
        for axis, (part, title) in zip(axes, parts, strict=True):
            if len(part) <= shown.days:
                charts.shade_weekends(axis, part.index[0], part.index[-1])
            for key in USERS:
                axis.plot(part.index, part[key], color=looks[key].colour, lw=2)
            axis.set_ylim(bottom=0)
            _set_title(axis, title)
            _plain_axes(axis, "count", language)
            _life_ticks(axis, part.index[0], part.index[-1], language)
            pictures.label_ends(axis, part, looks)
    return figure


def named(plot: Plot, language: Language = "en") -> Figure:
    """Return a plot as a picture whose names and numbers are in a language.

    Parameters
    ----------
    plot : Plot
        Its words are in that language.
    language : {"en", "ru"}
        Of the names of its series and of its axes.
    """
    figure = pictures.draw(plot)
    names = {plots.LOOKS[key].name: _named(language, key) for key in _NAMED}
    for found in figure.findobj(Text):
        assert isinstance(found, Text)
        if found.get_text() in names:
            found.set_text(names[found.get_text()])
    for axis in figure.axes:
        is_heat = plot.kind == "heat"
        for side in () if is_heat else (axis.yaxis, axis.xaxis):
            _rename(side, language)
    return figure


def _rename(side: Axis, language: Language) -> None:
    if isinstance(side.get_major_locator(), mdates.DateLocator):
        side.set_major_formatter(FuncFormatter(_date_label(language)))
    elif isinstance(formatter := side.get_major_formatter(), FuncFormatter):
        side.set_major_formatter(_in(language, formatter))


def _in(language: Language, formatter: Callable[[float, int], str]) -> FuncFormatter:
    return FuncFormatter(lambda x, place: tick(language, formatter(x, place)))


def tick(language: Language, shown: str) -> str:
    """Return a number of an axis as a language writes it.

    Examples
    --------
    >>> tick("ru", f"12.5{THIN_SPACE}k").replace(THIN_SPACE, " ")
    '12,5 тыс.'
    """
    for letter, name in (("k", "look-thousand"), ("M", "look-million")):
        if shown.endswith(f"{THIN_SPACE}{letter}"):
            shown = shown[:-1]
            return languages.number(language, shown) + languages.text(language, name)
    return languages.number(language, shown)


def _colour(slug: str) -> str:
    return plots.looks([slug])[slug].colour


def part_name(key: str, language: Language) -> str:
    """Return the name of a series or of a part; proper names stay as they are."""
    return _named(language, key) if languages.knows(language, f"look-{key}") else key


def _named(language: Language, key: str) -> str:
    return languages.text(language, f"look-{key}")


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


def _finish(axis: Axes, slug: str, shown: pd.Series, language: Language) -> None:
    axis.plot(shown.index[-1:], shown.iloc[-1:], color=_colour(slug), marker="o", ms=8)
    _plain_axes(axis, metric(slug).style, language)


def _plain_axes(axis: Axes, style: str, language: Language) -> None:
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.yaxis.set_major_formatter(
        FuncFormatter(lambda x, _: tick(language, charts.tick(style, x)))
    )
    sns.despine(ax=axis, left=True)
    axis.set_xlabel("")
    axis.set_ylabel("")


def _limit(axis: Axes, slug: str, shown: pd.Series) -> None:
    """Keep the axis honest: counts begin at zero."""
    if metric(slug).style == "count":
        highest = shown.max()
        axis.set_ylim(0, highest * 1.12 if highest > 0 else 1)
    else:
        axis.margins(y=0.25)


def _life_ticks(axis: Axes, first: pd.Timestamp, last: pd.Timestamp, language: Language) -> None:
    room = max((last - first) / 20, pd.Timedelta(hours=12))
    axis.set_xlim(mdates.date2num(first - room / 2), mdates.date2num(last + room))
    axis.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=3, maxticks=6))
    axis.xaxis.set_major_formatter(FuncFormatter(_date_label(language)))
    axis.grid(visible=False, axis="x")


def _date_label(language: Language) -> Callable[[float, int], str]:
    def label(x: float, _place: int) -> str:
        day = mdates.num2date(x).date()
        if day.day == 1:
            pattern = "LLL y" if day.month == 1 else "LLL"
            return languages.day(language, day, pattern=pattern)
        return languages.day(language, day, pattern="d MMM")

    return label


def _day_ticks(axis: Axes, days: pd.DatetimeIndex, language: Language) -> None:
    ticks = days[::-1][:: -(-len(days) // 7)]
    labels = [
        languages.day(language, tick.date(), pattern="EEE d").replace(NO_BREAK_SPACE, "\n")
        for tick in ticks
    ]
    axis.set_xticks(ticks, labels, fontsize=10)
    axis.grid(visible=False, axis="x")


def names(language: Language, slugs: Sequence[str]) -> str:
    """Return metrics as a description of a picture lists them."""
    return ", ".join(languages.metric_name(language, slug) for slug in slugs)


def largest(counts: Mapping[str, float]) -> tuple[str, float]:
    """Return the largest part and its share.

    Examples
    --------
    >>> largest({"iOS": 1, "Android": 3})
    ('Android', 0.75)
    """
    key = max(counts, key=lambda name: counts[name])
    return key, counts[key] / sum(counts.values())


def attach(figure: Figure, name: str, alt: str) -> Attachment:
    """Return a figure as the picture of a message, and close it.

    Parameters
    ----------
    figure : Figure
        What is sent.
    name : str
        File name without ending.
    alt : str
        What it shows.
    """
    found = charts.attach(figure, name, alt)
    plt.close(figure)
    return found
