"""Figures of experiments: intervals, distributions and courses, in the grammar of `charts`.

The control is grey and the treatments have colours; an interval is a line with its estimate on
it; what would be no effect is a thin line across; titles say what the picture shows.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from nbtools.cells import Cells
from nbtools.charts import BEFORE, BLUE, GREEN, INK, ORANGE, PAPER, PURPLE, VERMILION, grammar

_TREATMENTS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE)
_ALWAYS = "#d9e2ea"
_WIDTH = 8.0
# More labels than these would print over each other.
_DAYS_LABELLED = 14


class Interval(NamedTuple):
    """An estimate with its interval, a line of a forest plot.

    Attributes
    ----------
    label : str
        What was estimated, or how.
    estimate, lower, upper : float
        In the unit of the plot.
    solid : bool
        Whether it is drawn full: what cannot be trusted is hollow.
    """

    label: str
    estimate: float
    lower: float
    upper: float
    solid: bool = True


def group_colours(control: int, treatments: Sequence[int]) -> dict[int, str]:
    """Return the colour of each group: grey for the control.

    Parameters
    ----------
    control : int
        Control group.
    treatments : sequence of int
        The others; after five the colours repeat.
    """
    colours = {group: _TREATMENTS[k % len(_TREATMENTS)] for k, group in enumerate(treatments)}
    return {control: BEFORE} | colours


def forest(rows: Sequence[Interval], title: str, unit: str, *, null: float = 0.0) -> Figure:
    """Return intervals below each other.

    Parameters
    ----------
    rows : sequence of Interval
        From top to bottom.
    title : str
        The finding.
    unit : str
        What the axis counts; ``share`` for numbers shown in per cent.
    null : float
        Where there is no effect.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    with grammar():
        figure, axis = plt.subplots(figsize=(_WIDTH, 1.2 + 0.42 * len(rows)), layout="constrained")
        axis.axvline(null, color=INK, lw=1)
        for place, row in enumerate(rows):
            apart = not row.lower <= null <= row.upper
            colour = BLUE if apart else BEFORE
            axis.plot([row.lower, row.upper], [place, place], color=colour, lw=2.6)
            face = colour if row.solid else PAPER
            axis.plot(row.estimate, place, "o", ms=8, mec=colour, mfc=face, mew=2)
        axis.set_yticks(range(len(rows)), [row.label for row in rows])
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.grid(visible=False, axis="y")
        _unit(axis, unit)
        _title(axis, title)
    return figure


def _unit(axis: Axes, unit: str) -> None:
    if unit == "share":
        axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    else:
        axis.set_xlabel(unit)
    axis.xaxis.set_major_locator(MaxNLocator(6))


def _title(axis: Axes, title: str) -> None:
    axis.set_title(title, loc="left", fontsize=12.5, fontweight="bold", color=INK)
    sns.despine(ax=axis, left=True)


def ctr_distribution(groups: Mapping[int, Cells], colours: Mapping[int, str], title: str) -> Figure:
    """Return how the users' own CTR is distributed, a line a group.

    Parameters
    ----------
    groups : mapping of int to Cells
        Users with at least one view, by group.
    colours : mapping of int to str
        Colour of each group.
    title : str
        The finding.

    Returns
    -------
    Figure
        Shares of users in bins of 2 % of CTR.
    """
    edges = np.linspace(0, 1, 51)
    with grammar():
        figure, axis = plt.subplots(figsize=(_WIDTH, 4.0), layout="constrained")
        for group, cells in groups.items():
            ctr = np.minimum(cells.likes / cells.views, 1.0)
            share = np.histogram(ctr, edges, weights=cells.users)[0] / cells.n_users
            axis.stairs(share, edges, color=colours[group], lw=2.4, label=f"group {group}")
        axis.set_xlim(0, _visible(groups))
        axis.xaxis.set_major_formatter(PercentFormatter(1.0))
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axis.set_xlabel("CTR of a user: likes divided by views")
        axis.set_ylabel("users of the group")
        axis.legend(frameon=False)
        _title(axis, title)
    return figure


def _visible(groups: Mapping[int, Cells]) -> float:
    """Return the CTR that all but one in a thousand users stay below."""
    highest = 0.1
    for cells in groups.values():
        ctr = cells.likes / cells.views
        order = np.argsort(ctr)
        upto = np.cumsum(cells.users[order]) / cells.n_users
        highest = max(highest, float(ctr[order][np.searchsorted(upto, 0.999)]))
    return min(1.0, highest)


def p_histogram(p_values: Mapping[str, NDArray[np.float64]], title: str) -> Figure:
    """Return the histograms of p-values, with the line that uniform ones would follow.

    Parameters
    ----------
    p_values : mapping of str to ndarray of float64
        By label, a panel each.
    title : str
        The finding.

    Returns
    -------
    Figure
        Twenty bins; the first holds what is rejected at 5 %.
    """
    with grammar():
        figure, axes = plt.subplots(
            1,
            len(p_values),
            figsize=(_WIDTH, 3.6),
            squeeze=False,
            sharey=True,
            layout="constrained",
        )
        for axis, (label, found) in zip(axes[0], p_values.items(), strict=True):
            shares = np.histogram(found, 20, (0, 1))[0] / len(found)
            centres = np.arange(20) / 20 + 0.025
            colours = [VERMILION, *[BEFORE] * 19]
            axis.bar(centres, shares, width=0.046, color=colours)
            axis.axhline(0.05, color=INK, lw=1, ls=(0, (4, 2)))
            axis.set_title(label, loc="left", fontsize=11.5, color=INK)
            axis.set_xlabel("p-value")
            axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axis.grid(visible=False, axis="x")
            sns.despine(ax=axis, left=True)
        axes[0][0].set_ylabel("simulated tests")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold", color=INK)
    return figure


def course(rows: pd.DataFrame, title: str) -> Figure:
    """Return an effect as it was seen day by day, with both kinds of interval.

    Parameters
    ----------
    rows : DataFrame
        Indexed by day: ``estimate``, ``lower``, ``upper`` of the fixed interval,
        ``always_lower``, ``always_upper`` of the one that holds at every look; differences of
        CTR.
    title : str
        The finding.

    Returns
    -------
    Figure
        Eight inches wide.
    """
    with grammar():
        figure, axis = plt.subplots(figsize=(_WIDTH, 3.8), layout="constrained")
        places = np.arange(len(rows))
        drawn = {str(name): column.to_numpy(dtype=float) for name, column in rows.items()}
        axis.fill_between(
            places,
            drawn["always_lower"],
            drawn["always_upper"],
            color=_ALWAYS,
            lw=0,
            label="holds at every look",
        )
        axis.fill_between(
            places, drawn["lower"], drawn["upper"], color=BLUE, alpha=0.3, lw=0, label="at one look"
        )
        axis.plot(places, drawn["estimate"], color=BLUE, lw=2.4, marker="o", ms=5)
        axis.axhline(0, color=INK, lw=1)
        days = pd.DatetimeIndex(rows.index)
        if len(days) <= _DAYS_LABELLED:
            axis.set_xticks(places, [f"{day:%a}\n{day.day}" for day in days], fontsize=10)
        else:
            step = -(-len(days) // _DAYS_LABELLED)
            labels = [f"{day.day}\n{day:%b}" for day in days[::step]]
            axis.set_xticks(places[::step], labels, fontsize=10)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * 100:+.1f}"))
        axis.set_ylabel("difference of CTR, percentage points")
        axis.legend(frameon=False, ncols=2, loc="upper right")
        axis.grid(visible=False, axis="x")
        _title(axis, title)
    return figure


def lines(
    rows: pd.DataFrame, title: str, axis_labels: tuple[str, str], *, is_log: bool = True
) -> Figure:
    """Return one line a column, such as the smallest effect that can be seen against users.

    Parameters
    ----------
    rows : DataFrame
        Shares; the index is the horizontal axis. Columns that are called
        alike up to a comma have one colour, the one with the comma is dashed.
    title : str
        The finding.
    axis_labels : tuple of str
        What the axes count.
    is_log : bool
        Whether the axes are on a scale of powers.

    Returns
    -------
    Figure
        Eight inches wide; the caller closes it.
    """
    with grammar():
        figure, axis = plt.subplots(figsize=(_WIDTH, 4.0), layout="constrained")
        bases = list(dict.fromkeys(str(name).partition(",")[0] for name in rows))
        for name, column in rows.items():
            base, comma, _ = str(name).partition(",")
            colour = _TREATMENTS[bases.index(base) % len(_TREATMENTS)]
            style = "dashed" if comma else "solid"
            axis.plot(
                rows.index.to_numpy(dtype=float),
                column.to_numpy(dtype=float),
                color=colour,
                lw=2.2,
                ls=style,
                label=str(name),
            )
        if is_log:
            axis.set_xscale("log")
            axis.set_yscale("log")
        else:
            axis.set_ylim(0, None)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", " ")))
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
        axis.set_xlabel(axis_labels[0])
        axis.set_ylabel(axis_labels[1])
        axis.legend(frameon=False, fontsize=10)
        _title(axis, title)
    return figure
