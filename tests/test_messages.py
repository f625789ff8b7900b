"""Numbers as people read them."""

import math

import numpy as np
import pytest

from nbtools import messages
from nbtools.metrics import CATALOGUE

VIEWS = CATALOGUE["views"]
CTR = CATALOGUE["ctr"]
RATIO = CATALOGUE["views_per_user"]
FEWER = VIEWS._replace(good="down")
NEITHER = CATALOGUE["feed_only_users"]


def plain(text: str) -> str:
    assert " " not in text  # a line must not break inside a number
    return text.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 000"),
        (1234567, "1 234 567"),
        (1234567.6, "1 234 568"),
        (-1234, "\u22121 234"),
        (-0.2, "0"),
        (np.int64(50_000), "50 000"),
        (np.float64(50_000), "50 000"),
    ],
)
def test_counts_are_whole_with_thousands_apart(x: float, shown: str) -> None:
    assert plain(messages.value(VIEWS, x)) == shown


@pytest.mark.parametrize(
    ("x", "shown"), [(21.354, "21.35"), (1234.5, "1 234.50"), (-0.001, "0.00"), (3, "3.00")]
)
def test_ratios_have_two_decimals(x: float, shown: str) -> None:
    assert plain(messages.value(RATIO, x)) == shown


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (0.20474, "20.5 %"),
        (1, "100.0 %"),
        (0.1, "10.0 %"),
        (0.099994, "10.0 %"),
        (0.09994, "9.99 %"),
        (0.0123, "1.23 %"),
        (0, "0.00 %"),
        (-0.0123, "\u22121.23 %"),
    ],
)
def test_shares_are_per_cent_with_three_digits_or_so(x: float, shown: str) -> None:
    assert plain(messages.value(CTR, x)) == shown


@pytest.mark.parametrize("x", [None, math.nan, math.inf, np.float64("nan")])
def test_what_is_undefined_is_a_dash_and_no_news(x: float | None) -> None:
    for metric in CATALOGUE.values():
        assert messages.value(metric, x) == "\u2013"
        assert messages.change(metric, x) == "\u2013"
        assert messages.judgement(metric, x) == ""
    assert messages.arrow(x) == ""


@pytest.mark.parametrize(
    ("relative", "shown", "arrow"),
    [
        (0.012, "+1.2 %", "\u2191"),
        (-0.0312, "\u22123.1 %", "\u2193"),
        (0, "\u00b10.0 %", ""),
        (0.0004, "\u00b10.0 %", ""),
        (-0.0004, "\u00b10.0 %", ""),
        (0.0006, "+0.1 %", "\u2191"),
        (12.5, "+1 250.0 %", "\u2191"),
        (-1, "\u2212100.0 %", "\u2193"),
    ],
)
def test_changes_are_per_cent_with_a_sign(relative: float, shown: str, arrow: str) -> None:
    assert plain(messages.change(VIEWS, relative)) == shown
    assert messages.arrow(relative) == arrow


@pytest.mark.parametrize(
    ("relative", "up", "down"),
    [
        (0.01, "better", "worse"),
        (-0.01, "worse", "better"),
        (0.0004, "same", "same"),
        (-0.0004, "same", "same"),
        (0, "same", "same"),
    ],
)
def test_the_good_direction_decides_what_is_better(relative: float, up: str, down: str) -> None:
    assert messages.judgement(VIEWS, relative) == up
    assert messages.judgement(FEWER, relative) == down
    assert messages.judgement(NEITHER, relative) == ""
