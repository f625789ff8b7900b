"""The course of effects that are known."""

import numpy as np
import pandas as pd
import pytest

from nbtools import courses, ratios
from nbtools.cells import Whole, sums_of_users
from tests.groups import draw_users

DAYS = pd.date_range("2023-01-01", periods=7)


def course_of(uplifts: list[float], n: int = 20_000) -> tuple[pd.DataFrame, list[list[Whole]]]:
    """Return what the engine would of two groups, and the users' views and likes at the end."""
    rows = []
    until = [[np.zeros(n, dtype=np.int64)] * 2 for _ in range(2)]
    for place, (day, uplift) in enumerate(zip(DAYS, uplifts, strict=False)):
        for group in (0, 1):
            today = draw_users(n, 100 * place + group, uplift * group)
            until[group] = [a + b for a, b in zip(until[group], today, strict=True)]
            row: dict[str, object] = {"exp_group": group + 1, "day": day}
            for suffix, columns in (("", until[group]), ("_today", today)):
                views, likes = columns
                sums = sums_of_users({"views": views, "likes": likes})
                row |= {f"users{suffix}": n}
                row |= {f"{name}{suffix}": total for name, total in sums.totals.items()}
                row |= {
                    f"{left}{suffix}__{right}{suffix}": total
                    for (left, right), total in sums.products.items()
                }
            rows.append(row)
    return pd.DataFrame(rows), until


def test_the_last_day_is_the_delta_method_of_the_whole_window() -> None:
    days, until = course_of([0.05] * 3)
    found = courses.course(days, 1, 2)
    groups = [sums_of_users({"views": views, "likes": likes}) for views, likes in until]
    whole = ratios.delta_ratio(*groups)
    last = found.iloc[-1]
    assert found.index.tolist() == list(DAYS[:3])
    assert (last["estimate"], last["lower"], last["upper"]) == whole[1:4]
    assert (found["always_lower"] < found["lower"]).all()
    assert (found["always_upper"] > found["upper"]).all()
    swapped = courses.course(days, 2, 1)
    assert swapped["estimate"].to_numpy() == pytest.approx(-found["estimate"].to_numpy())


def test_an_effect_that_wears_off_is_told_from_one_that_stays() -> None:
    fading = courses.novelty(courses.course(course_of([0.2, 0.15, 0.1, 0.05, 0.0])[0], 1, 2))
    steady = courses.novelty(courses.course(course_of([0.1] * 5)[0], 1, 2))
    assert fading is not None
    assert steady is not None
    assert fading.slope == pytest.approx(-0.01, abs=0.002)  # a twentieth of a CTR of 0.2
    assert fading.p_value < 1e-6
    assert steady.p_value > 0.001


def test_a_day_that_is_missing_leaves_a_gap() -> None:
    effects = pd.DataFrame(
        {"today": [0.0, 0.01, 0.03], "today_error": 0.001}, index=DAYS[[0, 1, 3]]
    )
    found = courses.novelty(effects)
    assert found is not None
    assert found.slope == pytest.approx(0.01)


def test_two_days_have_no_novelty_and_none_excludes_nothing() -> None:
    days, _ = course_of([0.3, 0.3])
    found = courses.course(days, 1, 2)
    assert courses.novelty(found) is None
    assert courses.first_excluding(found) == DAYS[0]
    empty = courses.course(days, 1, 9)
    assert empty.empty
    assert courses.novelty(empty) is None
    assert courses.first_excluding(empty) is None
