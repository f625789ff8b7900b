"""Figures say what the numbers say."""

import re
from datetime import date

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nbtools import charts, languages, messages, report_charts
from nbtools.metrics import CATALOGUE
from nbtools.report_charts import Recent
from nbtools.reports import FEED_METRICS

DAY = date(2023, 1, 20)


@pytest.fixture
def daily() -> pd.DataFrame:
    days = pd.date_range("2022-12-05", DAY)
    numbers = np.arange(len(days), dtype=float)
    frame = pd.DataFrame(
        {
            "feed_users": 1000 + 100 * numbers,
            "views": 3e4 + 1e4 * numbers,
            "likes": 6e3 + 2e3 * numbers,
            "ctr": 0.2 + 0.001 * numbers,
            "views_per_user": 30 + numbers / 10,
            "likes_per_user": 6 + numbers / 50,
        },
        index=days,
    )
    frame.loc["2023-01-17"] = np.nan
    return frame


def test_a_panel_shows_the_days_and_the_same_days_a_week_before(daily: pd.DataFrame) -> None:
    figure = report_charts.recent_panels(daily, ("feed_users",), Recent(DAY, 7))
    before, days, _ = figure.axes[0].get_lines()
    expected = daily["feed_users"]["2023-01-14":"2023-01-20"]
    np.testing.assert_array_equal(days.get_ydata(), expected)
    week_before = daily["feed_users"]["2023-01-07":"2023-01-13"]
    np.testing.assert_array_equal(before.get_ydata(), week_before)
    plt.close(figure)


def test_a_missing_day_is_a_gap_and_not_a_zero(daily: pd.DataFrame) -> None:
    figure = report_charts.recent_panels(daily, ("views",), Recent(DAY, 7))
    drawn = np.asarray(figure.axes[0].get_lines()[1].get_ydata())
    assert np.isnan(drawn[3])
    assert not (drawn == 0).any()
    plt.close(figure)


def test_the_title_states_value_and_change(daily: pd.DataFrame) -> None:
    figure = report_charts.recent_panels(daily, ("feed_users",), Recent(DAY, 7))
    value, earlier = daily["feed_users"].iloc[-1], daily["feed_users"].iloc[-8]
    item = CATALOGUE["feed_users"]
    assert figure.axes[0].get_title(loc="left") == (
        f"Feed users {messages.value(item, value)}\n"
        f"{languages.percent('en', value / earlier - 1)} on the week before"
    )
    plt.close(figure)
    figure = report_charts.recent_panels(daily, ("ctr",), Recent(DAY, 7), "ru")
    title = figure.axes[0].get_title(loc="left")
    assert re.fullmatch(r"CTR \d\d,\d.%\n\+\d,\d.% к прошлой неделе", title)
    plt.close(figure)


def test_counts_start_at_zero(daily: pd.DataFrame) -> None:
    figure = report_charts.life_panels(daily, FEED_METRICS, DAY)
    assert figure.axes[0].get_ylim()[0] == 0
    assert len(figure.axes) == len(FEED_METRICS)
    plt.close(figure)


def test_nothing_after_the_day_is_drawn(daily: pd.DataFrame) -> None:
    figure = report_charts.life_panels(daily, ("views",), date(2023, 1, 10))
    assert np.size(figure.axes[0].get_lines()[0].get_ydata()) == 37
    plt.close(figure)


def test_the_first_day_of_a_history_can_be_drawn(daily: pd.DataFrame) -> None:
    first = daily.iloc[:1]
    for figure in (
        report_charts.recent_panels(first, FEED_METRICS, Recent(date(2022, 12, 5), 7)),
        report_charts.life_panels(first, FEED_METRICS, date(2022, 12, 5)),
    ):
        charts.attach(figure, "first", "")
        plt.close(figure)


def test_the_same_figure_is_the_same_png(daily: pd.DataFrame) -> None:
    pictures = []
    for _ in range(2):
        figure = report_charts.recent_panels(daily, FEED_METRICS[:4], Recent(DAY, 7))
        pictures.append(charts.attach(figure, "feed", "four panels"))
        plt.close(figure)
    assert pictures[0] == pictures[1]
    assert pictures[0].name == "feed.png"
    assert pictures[0].data.startswith(b"\x89PNG")


def test_every_drawn_metric_has_its_colour() -> None:
    assert set(FEED_METRICS) <= set(charts.COLOURS) <= set(CATALOGUE)
