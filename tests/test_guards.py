"""Guards and parts of the audience on studies whose truth is known."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from nbtools import guards, segments
from nbtools.cells import Whole, make_cells, sums_of_users
from nbtools.studies import Study
from tests.groups import draw_columns

Columns = dict[str, Whole]
CONTROL = draw_columns(20_000, 1)
LIKE_IT = draw_columns(20_000, 2)
PAST = ("likes_before", "views_before")


def study(control: Columns, treatment: Columns, *, overlap: int = 0) -> Study:
    """Return two groups, the first halves of them with another system than the second."""
    rows = []
    for group, columns in ((1, control), (2, treatment)):
        n = len(columns["views"])
        halves = {"iOS": slice(0, n // 2), "Android": slice(n // 2, n)}
        for part, value, chosen in (
            ("total", "", slice(None)),
            *(("os", value, half) for value, half in halves.items()),
        ):
            sums = sums_of_users({name: column[chosen] for name, column in columns.items()})
            row = {"part": part, "exp_group": group, "value": value, "users": sums.users}
            row |= {"users_in_two_groups": overlap, **sums.totals}
            rows.append(row | {"__".join(pair): x for pair, x in sums.products.items()})
        cells = make_cells(columns["views"], columns["likes"])
        rows += [
            {"part": "cells", "exp_group": group, "cell_views": v, "cell_likes": k, "users": n}
            for v, k, n in zip(*cells, strict=True)
        ]
    return Study(date(2023, 1, 1), date(2023, 1, 7), 7, pd.DataFrame(rows))


def test_a_group_twice_as_large_is_sound_where_that_was_meant() -> None:
    half = {name: column[:10_000] for name, column in LIKE_IT.items()}
    sizes = {
        weight: guards.check(study(CONTROL, half), 1, [2], weights={2: weight})[1].passed
        for weight in (0.5, 1.0)
    }
    assert sizes == {0.5: True, 1.0: False}


def test_bands_of_age_stand_in_the_order_of_age() -> None:
    found = study(CONTROL, LIKE_IT)
    systems = found.rows["part"] == "os"
    rows = found.rows.copy()
    names = {"iOS": "under 18", "Android": "18-24"}
    rows.loc[systems, "value"] = rows.loc[systems, "value"].map(names)
    rows.loc[systems, "part"] = "age"
    parts = segments.effects(found._replace(rows=rows), 1, 2)
    assert [part.value for part in parts] == ["under 18", "18-24"]


def failed(found: Study) -> list[str]:
    return [guard.name for guard in guards.check(found, 1, [2]) if not guard.passed]


def test_a_sound_experiment_passes_every_guard() -> None:
    found = guards.check(study(CONTROL, LIKE_IT), 1, [2])
    assert [guard.passed for guard in found] == [True] * 5
    assert not any("nan" in guard.finding for guard in found)


@pytest.mark.parametrize(
    ("treatment", "overlap", "name"),
    [
        (LIKE_IT, 3, "One group a user"),
        ({name: column[:18_000] for name, column in LIKE_IT.items()}, 0, "Sample ratio"),
        (LIKE_IT | {"views": LIKE_IT["views"] + 3}, 0, "Equal exposure"),
        (LIKE_IT | {"likes": LIKE_IT["views"] + 1}, 0, "Data quality"),
        (LIKE_IT | {"likes_before": LIKE_IT["likes_before"] + 1}, 0, "Alike before"),
        (LIKE_IT | {name: 0 * LIKE_IT[name] for name in PAST}, 0, "Alike before"),
    ],
)
def test_each_fault_fails_its_own_guard(treatment: Columns, overlap: int, name: str) -> None:
    assert failed(study(CONTROL, treatment, overlap=overlap)) == [name]


def test_users_without_a_past_or_with_equal_views_fail_no_guard() -> None:
    nothing = np.zeros(20_000, dtype=np.int64)
    fresh = {"likes_before": nothing, "views_before": nothing, "views": nothing + 40}
    likes = [np.minimum(columns["likes"], 40) for columns in (CONTROL, LIKE_IT)]
    found = study(*(fresh | {"likes": of_group} for of_group in likes))
    assert failed(found) == []
    assert any("none to compare" in guard.finding for guard in guards.check(found, 1, [2]))


def test_an_effect_in_one_part_is_found_there_and_nowhere_else() -> None:
    treated = draw_columns(20_000, 2)
    strong = draw_columns(20_000, 2, uplift=0.1)
    treated = {name: column.copy() for name, column in treated.items()}
    treated["likes"][:10_000] = strong["likes"][:10_000]
    treated["views"][:10_000] = strong["views"][:10_000]
    parts = segments.effects(study(CONTROL, treated), 1, 2)
    found = {part.value: part for part in parts}
    assert found["iOS"].adjusted_p < 1e-6
    assert found["iOS"].result.estimate == pytest.approx(0.02, abs=0.005)
    assert found["Android"].adjusted_p > 0.01
    assert segments.heterogeneity(parts)["os"] < 1e-4
    assert segments.heterogeneity([]).empty


def test_small_parts_are_left_out() -> None:
    few = {name: column[:180] for name, column in CONTROL.items()}
    assert segments.effects(study(few, LIKE_IT), 1, 2) == []


def whole_days(rows: list[tuple[int, int, int]]) -> bool:
    """Return whether a course of (day of January, group, users) passes."""
    days = pd.DataFrame(rows, columns=["day", "exp_group", "users_today"])
    days["day"] = pd.to_datetime("2023-01-01") + pd.to_timedelta(days["day"] - 1, unit="D")
    return guards._days(days, [1, 2]).passed


def test_a_small_group_may_be_absent_for_a_day_and_a_large_one_may_not() -> None:
    assert whole_days([(1, 1, 3), (1, 2, 4), (2, 1, 5), (2, 2, 0)])
    assert not whole_days([(1, 1, 300), (1, 2, 400), (2, 1, 500), (2, 2, 0)])


def test_a_day_without_anybody_is_not_whole_however_small_the_app() -> None:
    assert not whole_days([(1, 1, 3), (1, 2, 4), (2, 1, 0), (2, 2, 0)])
