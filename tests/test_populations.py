"""Groups that have parted and groups that have not."""

import numpy as np
import pandas as pd
import pytest

from nbtools import populations
from nbtools.cells import Cells, make_cells, pool_cells
from tests.groups import draw_cells


def near(ctr: float, n: int, seed: int) -> Cells:
    """Return users whose CTR is a certain one."""
    rng = np.random.default_rng(seed)
    views = 30 + rng.poisson(30, n)
    return make_cells(views, rng.binomial(views, ctr))


def test_a_mixture_is_split_into_what_it_was_mixed_from() -> None:
    found = populations.split(pool_cells(near(0.1, 5_500, 1), near(0.36, 4_500, 2)))
    assert found is not None
    assert 0.15 < found.threshold < 0.3
    assert found.share_above == pytest.approx(0.45, abs=0.02)
    assert found.ctr_below == pytest.approx(0.1, abs=0.01)
    assert found.ctr_above == pytest.approx(0.36, abs=0.01)
    assert found.users_below + found.users_above == 10_000


def test_a_group_of_one_kind_has_one_peak_and_is_not_split() -> None:
    cells = draw_cells(10_000, 3)
    assert len(populations.peaks(cells)) == 1
    assert populations.split(cells) is None


@pytest.mark.parametrize(
    "cells",
    [
        make_cells([3, 4], [1, 2]),
        make_cells([20] * 50, [4] * 50),
        make_cells([20, 30], [0, 30]),
    ],
    ids=["few views", "all equal", "two users"],
)
def test_too_few_users_have_no_peaks(cells: Cells) -> None:
    assert populations.peaks(cells) == []
    assert populations.split(cells) is None


def rows(*found: tuple[str, str, int, int]) -> pd.DataFrame:
    return pd.DataFrame(found, columns=["part", "value", "users", "users_above"])


def test_an_attribute_that_tells_them_apart_is_found_and_another_is_not() -> None:
    found = populations.explained_by(
        rows(
            ("os", "iOS", 500, 400),
            ("os", "Android", 500, 50),
            ("gender", "0", 500, 226),
            ("gender", "1", 500, 224),
        )
    )
    p_values = dict(zip(found.index, found["p_value"], strict=True))
    assert p_values["os"] < 1e-50
    assert p_values["gender"] > 0.5
    assert (found["lowest"].iloc[0], found["highest"].iloc[0]) == (0.1, 0.8)


def test_attributes_of_few_users_say_nothing() -> None:
    found = populations.explained_by(
        rows(("country", "Malta", 29, 20), ("os", "iOS", 100, 40), ("os", "other", 5, 5))
    )
    assert found.index.tolist() == ["os"]
    assert found["p_value"].tolist() == [1.0]
    assert populations.explained_by(rows(("os", "iOS", 3, 1))).empty
