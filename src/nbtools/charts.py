"""The grammar of figures: what pictures have in common, whoever draws them.

A metric has one colour everywhere, weekends are shaded, a missing day is a gap, the title
says what the picture shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import matplotlib.dates as mdates
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbtools import messages
from nbtools.handover import Attachment

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


def tick(style: str, x: float) -> str:
    """Return a number as an axis shows it: short, with its unit's sign.

    Examples
    --------
    >>> tick("count", 12500).replace(messages.THIN_SPACE, " ")
    '12.5 k'
    """
    if style == "share":
        return f"{x * 100:.4g}{messages.THIN_SPACE}%"
    if abs(x) >= 1e6:
        return f"{x / 1e6:.4g}{messages.THIN_SPACE}M"
    if abs(x) >= 1e3:
        return f"{x / 1e3:.4g}{messages.THIN_SPACE}k"
    return f"{x:,.4g}".replace(",", messages.THIN_SPACE)


def shade_weekends(axis: Axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """Shade Saturdays and Sundays of a chart by day, whose points stand in the middle."""
    half = pd.Timedelta(hours=12)
    for day in pd.date_range(first, last):
        if day.weekday() >= 5:
            left, right = mdates.date2num(day - half), mdates.date2num(day + half)
            axis.axvspan(left, right, color=SHADE, lw=0, zorder=0)


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
