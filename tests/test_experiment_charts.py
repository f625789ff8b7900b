"""Pictures of experiments: what is drawn is what was found."""

import itertools
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, StepPatch

from nbtools import experiment_charts as charts
from nbtools.charts import BEFORE, BLUE, PAPER, VERMILION
from nbtools.experiment_charts import Interval
from tests.groups import as_users, draw_cells

ROWS = [
    Interval("above", 0.04, 0.02, 0.06),
    Interval("across", -0.01, -0.03, 0.01),
    Interval("not to be trusted", 0.05, 0.04, 0.06, solid=False),
]
DAYS = pd.date_range("2023-01-01", periods=3)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def only(figure: Figure) -> Axes:
    (axis,) = figure.axes
    return axis


def xs(line: Line2D) -> list[float]:
    return [float(x) for x in np.asarray(line.get_xdata())]


def ys(line: Line2D) -> list[float]:
    return [float(y) for y in np.asarray(line.get_ydata())]


def test_a_forest_has_a_line_and_a_point_an_interval_from_top_to_bottom() -> None:
    axis = only(charts.forest(ROWS, "The finding", "share"))
    bars = [line for line in axis.lines if len(xs(line)) == 2][1:]
    points = [line for line in axis.lines if len(xs(line)) == 1]
    for place, (row, bar, point) in enumerate(zip(ROWS, bars, points, strict=True)):
        assert xs(bar) == [row.lower, row.upper]
        assert ys(bar) == [place, place]
        assert (xs(point), ys(point)) == ([row.estimate], [place])
    assert [label.get_text() for label in axis.get_yticklabels()] == [row.label for row in ROWS]
    low, high = axis.get_ylim()
    assert low > high
    assert axis.get_title(loc="left") == "The finding"


@pytest.mark.parametrize("null", [0.0, 0.5])
def test_a_forest_has_its_line_of_no_effect(null: float) -> None:
    axis = only(charts.forest(ROWS, "x", "share", null=null))
    assert xs(axis.lines[0]) == [null, null]


def test_what_is_apart_from_no_effect_has_a_colour_and_what_is_dishonest_is_hollow() -> None:
    axis = only(charts.forest(ROWS, "x", "share"))
    points = [line for line in axis.lines if len(xs(line)) == 1]
    edges = [to_hex(point.get_markeredgecolor()) for point in points]
    faces = [to_hex(point.get_markerfacecolor()) for point in points]
    assert edges == [BLUE.lower(), BEFORE, BLUE.lower()]
    assert faces == [BLUE.lower(), BEFORE, PAPER]


def test_a_forest_of_shares_is_in_per_cent_and_one_of_likes_has_its_unit() -> None:
    share = charts.forest(ROWS, "x", "share")
    share.canvas.draw()
    assert "2.0%" in [label.get_text() for label in only(share).get_xticklabels()]
    assert only(charts.forest(ROWS, "x", "likes per user")).get_xlabel() == "likes per user"


def test_a_distribution_has_the_shares_of_the_users() -> None:
    groups = {1: draw_cells(500, 1), 2: draw_cells(700, 2)}
    colours = charts.group_colours(1, [2])
    axis = only(charts.ctr_distribution(groups, colours, "The finding"))
    steps = [patch for patch in axis.patches if isinstance(patch, StepPatch)]
    for (group, cells), step in zip(groups.items(), steps, strict=True):
        views, likes = as_users(cells)
        expected = np.histogram(likes / views, np.linspace(0, 1, 51))[0] / len(views)
        assert step.get_data()[0] == pytest.approx(expected)
        assert step.get_label() == f"group {group}"
        assert to_hex(step.get_edgecolor()) == colours[group].lower()
    assert axis.get_title(loc="left") == "The finding"


def test_the_control_is_grey_and_the_treatments_have_colours() -> None:
    colours = charts.group_colours(0, [3, 4, 5, 6, 7, 8])
    assert colours[0] == BEFORE
    assert colours[3] == colours[8]
    assert len(set(colours.values())) == 6


def test_histograms_of_p_values_have_a_panel_each_and_the_uniform_line() -> None:
    rng = np.random.default_rng(1)
    found = {"fair": rng.random(2_000), "unfair": rng.random(2_000) ** 3}
    figure = charts.p_histogram(found, "The finding")
    for axis, (label, p_values) in zip(figure.axes, found.items(), strict=True):
        bars = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
        heights = [bar.get_height() for bar in bars]
        assert sum(heights) == pytest.approx(1)
        assert heights[0] == pytest.approx((p_values < 0.05).mean())
        assert to_hex(bars[0].get_facecolor()) == VERMILION.lower()
        assert ys(axis.lines[0]) == [0.05, 0.05]
        assert axis.get_title(loc="left") == label
    assert figure.get_suptitle() == "The finding"


def test_a_course_has_its_estimates_both_bands_and_zero() -> None:
    rows = pd.DataFrame(
        {
            "estimate": [0.02, 0.01, 0.015],
            "lower": [-0.01, 0.0, 0.01],
            "upper": [0.05, 0.02, 0.02],
            "always_lower": [-0.04, -0.02, 0.0],
            "always_upper": [0.08, 0.04, 0.03],
        },
        index=DAYS,
    )
    axis = only(charts.course(rows, "The finding"))
    assert ys(axis.lines[0]) == rows["estimate"].tolist()
    assert ys(axis.lines[1]) == [0, 0]
    bands = [one for one in axis.collections if isinstance(one, FillBetweenPolyCollection)]
    assert [band.get_label() for band in bands] == ["holds at every look", "at one look"]
    for band, prefix in zip(bands, ("always_", ""), strict=True):
        corners = np.asarray(band.get_paths()[0].vertices)[:, 1]
        assert corners.min() == rows[f"{prefix}lower"].min()
        assert corners.max() == rows[f"{prefix}upper"].max()
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == ["Sun\n1", "Mon\n2", "Tue\n3"]


def test_the_days_of_a_long_course_do_not_print_over_each_other() -> None:
    days = pd.date_range("2022-12-05", periods=85)
    names = ("estimate", "lower", "upper", "always_lower", "always_upper")
    rows = pd.DataFrame(dict.fromkeys(names, 0.01), index=days)
    figure = charts.course(rows, "The finding")
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in only(figure).get_xticklabels()]
    assert len(boxes) > 5
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_lines_of_one_metric_have_one_colour_and_its_variant_is_dashed() -> None:
    rows = pd.DataFrame(
        {"CTR": [0.1, 0.05], "Likes": [0.2, 0.1], "Likes, with CUPED": [0.15, 0.08]},
        index=[1_000, 4_000],
    )
    axis = only(charts.lines(rows, "The finding", ("users", "effect")))
    for line, (name, column) in zip(axis.lines, rows.items(), strict=True):
        assert xs(line) == [1_000, 4_000]
        assert ys(line) == column.tolist()
        assert line.get_label() == name
    colours = [line.get_color() for line in axis.lines]
    assert colours[1] == colours[2] != colours[0]
    assert [line.get_linestyle() for line in axis.lines] == ["-", "-", "--"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("users", "effect")
