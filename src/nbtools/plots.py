"""What a chart shows, says and is coloured by, before anything is drawn.

One description, a :class:`Plot`, becomes a picture (`pictures`) and an interactive chart
(`interactive`), so that both show the same numbers in the same colours.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from nbtools import messages
from nbtools.charts import BEFORE, BLUE, COLOURS, GREEN, INK, ORANGE, PURPLE, VERMILION
from nbtools.errors import InputError
from nbtools.metrics import CATALOGUE

Kind = Literal["lines", "areas", "bars", "ranks", "heat"]
Style = Literal["count", "ratio", "share"]

SKY = "#56B4E9"
LIGHT, DARK = "#ffffff", "#121212"  # the grounds of the book's two themes
_CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BEFORE, "#8c6d1f", "#7a5195", INK)
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_ITEMS = {item.style: item for item in CATALOGUE.values()}


class Look(NamedTuple):
    """How a thing is called and coloured, on every chart alike."""

    name: str
    colour: str


# What is no metric of the catalogue, and metrics whose name is too long for a legend.
LOOKS: dict[str, Look] = {
    "app_users": Look("App", "#46545f"),
    "feed_users": Look("Feed", BLUE),
    "messenger_users": Look("Messenger", ORANGE),
    "both_users": Look("Both services", PURPLE),
    "feed_only_users": Look("Only the feed", SKY),
    "messenger_only_users": Look("Only the messenger", "#8c6d1f"),
    "both_same_day_users": Look("Both, same day", PURPLE),
    "feed_only_same_day_users": Look("Only the feed, same day", SKY),
    "both_ever_users": Look("Both, ever", "#8f4a79"),
    "feed_only_ever_users": Look("Only the feed, ever", "#00476f"),
    "messenger_only_ever_users": Look("Only the messenger, ever", "#5c4813"),
    "both_life_users": Look("Both", PURPLE),
    "feed_only_life_users": Look("Only the feed", SKY),
    "messenger_only_life_users": Look("Only the messenger", "#8c6d1f"),
    "dau": Look("In a day", BLUE),
    "wau": Look("In 7 days", GREEN),
    "mau": Look("In 28 days", PURPLE),
    "new_users": Look("New", GREEN),
    "new": Look("New", GREEN),
    "retained": Look("Retained", BLUE),
    "resurrected": Look("Resurrected", ORANGE),
    "gone": Look("Gone", VERMILION),
    "ads": Look("Ads", VERMILION),
    "organic": Look("Organic", GREEN),
    "Android": Look("Android", GREEN),
    "iOS": Look("iOS", PURPLE),
    "female": Look("Female", VERMILION),
    "male": Look("Male", BLUE),
    "other": Look("Other", BEFORE),
    "unknown": Look("Unknown", "#b3bcc4"),
    "expected": Look("Expected range", BEFORE),
    "day_before": Look("The day before", BEFORE),
    "week_before": Look("A week before", "#b09a62"),
    "messages_sent": Look("Messages", ORANGE),
}


class Words(NamedTuple):
    """What a chart says.

    Attributes
    ----------
    name : str
        Its name on the page and in links: small letters, digits, ``-`` and ``_``.
    title : str
        The finding, one sentence.
    unit : str
        What the numbers count, such as ``users a day``; ``share`` needs none.
    alt : str
        What can be seen, for those who do not see it.
    note : str
        How it is to be read, below it; may be empty.
    across : str
        What the horizontal axis counts where it is not time.
    """

    name: str
    title: str
    unit: str
    alt: str
    note: str = ""
    across: str = ""


class Mark(NamedTuple):
    """Something that happened: a line across the chart with a label.

    Attributes
    ----------
    at : datetime.date
        Day or moment, in the app's time zone.
    label : str
        A few words.
    """

    at: date
    label: str


class Plot(NamedTuple):
    """A chart.

    Attributes
    ----------
    kind : {"lines", "areas", "bars", "ranks", "heat"}
        Lines; areas or bars on top of each other; horizontal bars of categories; a heat map.
    frame : DataFrame
        One column a series, NaN for a gap. The index is time (naive, in the app's zone) or
        numbers, for ``ranks`` categories, from the top. A heat map has its rows from the top.
    words : Words
        What it says.
    style : {"count", "ratio", "share"}
        How its numbers are shown, as in the metric catalogue.
    below : collection of str
        Series of ``bars`` drawn below the axis; their numbers are positive all the same.
    bands : mapping of str to DataFrame
        Ranges behind the lines: columns ``lower`` and ``upper``, indexed as the frame.
    marks : sequence of Mark
        What happened.
    unfinished : bool, collection of str or DataFrame
        Whether the last period is not over, or of which series only; of a heat map, a frame
        of its shape that says which cells are not.
    """

    kind: Kind
    frame: pd.DataFrame
    words: Words
    style: Style = "count"
    below: Collection[str] = ()
    bands: Mapping[str, pd.DataFrame] = {}
    marks: Sequence[Mark] = ()
    unfinished: bool | Collection[str] | pd.DataFrame = False


def check(plot: Plot) -> None:
    """Refuse a chart that cannot be drawn.

    Raises
    ------
    InputError
        If its name is no name, it has no numbers, or its index does not fit its kind.
    """
    name, frame = plot.words.name, plot.frame
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name of a chart: it needs small letters, digits, - and _,"
            " a letter first."
        )
    if frame.empty or not frame.notna().to_numpy().any():
        raise InputError(f"Chart {name} has no numbers; leave it out or widen its period.")
    words = axis(frame) == "words"
    if words != (plot.kind in {"ranks", "heat"}):
        needed = "categories" if plot.kind in {"ranks", "heat"} else "times or numbers"
        raise InputError(f"Chart {name} is of kind {plot.kind}, whose index must be {needed}.")
    if lost := [str(mark.at) for mark in plot.marks if axis(frame) != "time"]:
        raise InputError(f"Chart {name} has a mark at {lost[0]}, but no axis of time.")


def axis(frame: pd.DataFrame) -> Literal["time", "number", "words"]:
    """Return what the index of a chart is."""
    if isinstance(frame.index, pd.DatetimeIndex):
        return "time"
    return "number" if pd.api.types.is_numeric_dtype(frame.index) else "words"


def step(frame: pd.DataFrame) -> pd.Timedelta:
    """Return the usual distance of two periods of a chart over time; a day if there is one."""
    distances = frame.index.to_series().diff().dropna()
    return pd.Timedelta(days=1) if distances.empty else pd.Timedelta(distances.median())


def is_open(plot: Plot, key: str) -> bool:
    """Return whether the last known number of a series is of a period that is not over."""
    if isinstance(plot.unfinished, pd.DataFrame):
        return False
    return plot.unfinished if isinstance(plot.unfinished, bool) else key in plot.unfinished


def looks(keys: Sequence[object]) -> dict[str, Look]:
    """Return name and colour of each series; what is unknown gets a free colour in turn.

    Parameters
    ----------
    keys : sequence of object
        Slugs of the catalogue, keys of ``LOOKS``, or names as they are to be read.

    Examples
    --------
    >>> looks(["ads", "Mars"])
    {'ads': Look(name='Ads', colour='#D55E00'), 'Mars': Look(name='Mars', colour='#0072B2')}
    """
    names = [str(key) for key in keys]
    taken = {known.colour for name in names if (known := _known(name))}
    free = [colour for colour in _CYCLE if colour not in taken] or list(_CYCLE)
    found = {}
    for name in names:
        known = _known(name)
        found[name] = known or Look(name, free[0])
        if known is None:
            free = free[1:] + free[:1]
    return found


def _known(key: str) -> Look | None:
    if key in LOOKS:
        return LOOKS[key]
    if key in CATALOGUE:
        return Look(CATALOGUE[key].name, COLOURS.get(key, BLUE))
    return None


def shown(style: Style, x: float | None) -> str:
    """Return a number of a chart as its table shows it."""
    return messages.value(_ITEMS[style], x)


def readable(colour: str, ground: str, least: float = 4.5) -> str:
    """Return a colour moved towards black or white until it can be read on a ground.

    Parameters
    ----------
    colour, ground : str
        As ``#rrggbb``.
    least : float
        Ratio of luminances needed; WCAG 2.2 asks for 4.5 of text and 3 of lines.

    Examples
    --------
    >>> readable("#0072B2", "#ffffff"), readable("#E69F00", "#ffffff")
    ('#0072b2', '#9c6c00')
    """
    target = np.full(3, 0.0 if _luminance(ground) > 0.2 else 1.0)
    for share in np.linspace(0, 1, 101):
        mixed = _hex(_rgb(colour) * (1 - share) + target * share)
        if contrast(mixed, ground) >= least:
            break
    return mixed


def contrast(colour: str, ground: str) -> float:
    """Return the ratio of luminances of two colours, as WCAG 2.2 defines it, from 1 to 21."""
    low, high = sorted((_luminance(colour), _luminance(ground)))
    return (high + 0.05) / (low + 0.05)


def _hex(rgb: np.ndarray) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def _luminance(colour: str) -> float:
    rgb = _rgb(colour)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def themed(colour: str) -> dict[str, list[str]]:
    """Return a colour for lines and for text, by theme of the book.

    A grey has no hue to be known by: what stands out as nearly black on white has to be nearly
    white on black, and what is faint there has to be faint here.

    Examples
    --------
    >>> themed("#46545f")["dark"][0], themed("#8a97a3")["dark"][0], themed("#0072b2")["dark"][0]
    ('#9dabb6', '#606d79', '#0072b2')
    """
    line = colour
    if np.ptp(_rgb(colour)) < 0.12:
        line = _mirrored(colour)
    return {
        "light": [colour, readable(colour, LIGHT)],
        "dark": [readable(line, DARK, 3.5), readable(line, DARK)],
    }


def _mirrored(colour: str) -> str:
    """Return the grey that differs from the dark ground as this one does from the light one.

    Examples
    --------
    >>> _mirrored("#000000")
    '#ffffff'
    """
    wanted = max(3.5, contrast(colour, LIGHT))
    shades = [_hex(_rgb(DARK) * (1 - share) + share) for share in np.linspace(0, 1, 201)]
    # All of them with the cast of the colour.
    cast = _rgb(colour) - _rgb(colour).mean()
    tinted = [_hex(np.clip(_rgb(shade) + cast, 0, 1)) for shade in shades]
    return next((shade for shade in tinted if contrast(shade, DARK) >= wanted), LIGHT)
