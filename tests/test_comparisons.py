"""The methods against textbooks, scipy, tea-tasting and each other."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tea_tasting as tt
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nbtools import comparisons, inference, ranks, ratios
from nbtools.cells import Buckets, Cells, Sums, make_cells, sums_of_cells, sums_of_users
from nbtools.errors import NbtoolsError, SampleError
from nbtools.inference import Comparison, Moments
from tests import groups

SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
CELL_METHODS: list[Callable[..., Comparison]] = [
    comparisons.welch_ctr,
    comparisons.mann_whitney,
    comparisons.smoothed_ctr,
]
SUM_METHODS: list[Callable[..., Comparison]] = [
    ratios.delta_ratio,
    ratios.linearized_likes,
    ratios.cuped,
    ratios.cuped_ratio,
]


def near(expected: object) -> Any:
    """Return what a figure has to equal to nine digits."""
    return pytest.approx(expected, rel=1e-9, abs=1e-12)


def sample(values: list[float]) -> ranks.Weighted:
    return ranks.Weighted(np.array(values), np.ones(len(values), dtype=np.int64))


def pair(seed: int = 1, uplift: float = 0.05) -> tuple[Cells, Cells]:
    return groups.draw_cells(800, seed), groups.draw_cells(700, seed + 1, uplift)


def sums_pair(uplift: float = 0.05) -> tuple[Sums, Sums]:
    return groups.draw_sums(900, 3), groups.draw_sums(800, 4, uplift)


def user_ctr(cells: Cells) -> np.ndarray:
    views, likes = groups.as_users(cells)
    return likes[views > 0] / views[views > 0]


def test_welch_reproduces_the_sleep_data_of_r() -> None:
    one, other = (inference.moments(*sample(values)) for values in SLEEP)
    found = inference.compare_means("welch", other, one, alpha=0.05)
    assert found.p_value == pytest.approx(0.07939414, abs=5e-9)
    assert (found.lower, found.upper) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_the_rank_test_reproduces_hollander_and_wolfe() -> None:
    x = sample([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    y = sample([1.15, 0.88, 0.90, 0.74, 1.21])
    found = ranks.rank_test(y, x, alpha=0.05, continuity=False)
    assert found.probability * 50 == pytest.approx(35)
    assert found.p_value / 2 == pytest.approx(0.1103, abs=5e-5)


def test_welch_on_user_ctr_is_that_of_scipy() -> None:
    control, treatment = pair()
    found = comparisons.welch_ctr(control, treatment, alpha=0.1)
    oracle = stats.ttest_ind(user_ctr(treatment), user_ctr(control), equal_var=False)
    interval = oracle.confidence_interval(0.9)
    assert found.p_value == pytest.approx(oracle.pvalue)
    assert (found.lower, found.upper) == near((interval.low, interval.high))


def test_mann_whitney_on_cells_is_that_of_scipy_on_users() -> None:
    control, treatment = pair()
    found = comparisons.mann_whitney(control, treatment)
    x, y = user_ctr(treatment), user_ctr(control)
    oracle = stats.mannwhitneyu(x, y, method="asymptotic")
    assert found.p_value == near(oracle.pvalue)
    assert found.estimate == near(oracle.statistic / len(x) / len(y))
    assert (found.control, found.treatment) == near((np.median(y), np.median(x)))
    munzel = stats.brunnermunzel(y, x)
    at_half = ranks.rank_test(sample(list(y)), sample(list(x)), alpha=float(munzel.pvalue))
    # The interval at the level of Brunner and Munzel's p-value ends at one half.
    end = at_half.lower if at_half.probability > 0.5 else at_half.upper
    assert end == pytest.approx(0.5)


def test_smoothed_ctr_is_welch_on_smoothed_users() -> None:
    control, treatment = pair()
    priors = {"control": (control, control), "own": (control, treatment)}
    for prior, sources in priors.items():
        users = []
        for group, source in zip((control, treatment), sources, strict=True):
            views, likes = groups.as_users(group)
            users.append((likes + 5 * comparisons.global_ctr(source)) / (views + 5))
        oracle = stats.ttest_ind(users[1], users[0], equal_var=False)
        found = comparisons.smoothed_ctr(control, treatment, prior=prior)  # type: ignore[arg-type]
        assert found.p_value == near(oracle.pvalue)
        assert found.estimate == near(users[1].mean() - users[0].mean())


def test_buckets_are_tests_on_bucket_ctr() -> None:
    rng = np.random.default_rng(2)
    views = rng.integers(900, 1_100, (2, 50))
    likes = rng.binomial(views, [[0.2], [0.21]])
    control, treatment = (Buckets(v, x) for v, x in zip(views, likes, strict=True))
    x, y = likes[1] / views[1], likes[0] / views[0]
    found = comparisons.buckets_t(control, treatment)
    assert found.p_value == near(stats.ttest_ind(x, y, equal_var=False).pvalue)
    rank = comparisons.buckets_rank(control, treatment)
    oracle = stats.mannwhitneyu(x, y, method="asymptotic")
    assert rank.p_value == near(oracle.pvalue)
    assert (rank.n_control, found.n_treatment) == (50, 50)


def aggregates(users: dict[str, np.ndarray]) -> tt.aggr.Aggregates:
    names = list(users)
    cov = np.cov(np.stack([users[name] for name in names]))
    return tt.aggr.Aggregates(
        len(users["likes"]),
        {name: float(users[name].mean()) for name in names},
        {name: float(cov[i, i]) for i, name in enumerate(names)},
        {(a, b): float(cov[i, j]) for i, a in enumerate(names) for j, b in enumerate(names)},
    )


def test_ratio_and_cuped_are_those_of_tea_tasting() -> None:
    users = [groups.draw_columns(900, 3), groups.draw_columns(800, 4, 0.05)]
    data = {name: aggregates(columns) for name, columns in enumerate(users)}
    oracles: dict[Callable[..., Comparison], Any] = {
        ratios.delta_ratio: tt.RatioOfMeans("likes", "views", use_t=False),
        ratios.cuped: tt.Mean("likes", "likes_before"),
        ratios.cuped_ratio: tt.RatioOfMeans(
            "likes", "views", "likes_before", "views_before", use_t=False
        ),
    }
    sums = [sums_of_users(columns) for columns in users]
    for method, oracle in oracles.items():
        found, want = method(*sums), oracle.analyze(data, 0, 1)
        assert found[1:5] == near((*want[2:5], want.pvalue))
        assert found[5:8] == near(want[5:8])
        assert found[8:10] == near(want[:2])


def test_linearized_likes_are_welch_on_linearized_users() -> None:
    users = [groups.draw_columns(900, 3), groups.draw_columns(800, 4, 0.05)]
    k = users[0]["likes"].sum() / users[0]["views"].sum()
    control, treatment = (columns["likes"] - k * columns["views"] for columns in users)
    oracle = stats.ttest_ind(treatment, control, equal_var=False)
    found = ratios.linearized_likes(*(sums_of_users(columns) for columns in users))
    assert found.p_value == near(oracle.pvalue)
    assert found.estimate == near(treatment.mean() - control.mean())
    assert found.control == near(users[0]["likes"].mean())


def test_linearized_likes_with_a_control_mean_of_zero_do_not_overflow() -> None:
    found = ratios.linearized_likes(*sums_pair())
    assert found.relative is not None
    assert all(np.isfinite(x) for x in found[1:8] if x is not None)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=3, max_size=40),
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=3, max_size=40),
)
def test_budylins_identity_holds_to_the_last_digit(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    control, treatment = (sums_of_cells(make_cells(*np.array(users).T)) for users in (one, other))
    k = ratios.ratio_of(control)
    left = (treatment.mean("likes") - k * treatment.mean("views")) - (
        control.mean("likes") - k * control.mean("views")
    )
    assert left == treatment.mean("views") * (ratios.ratio_of(treatment) - k)


def test_cuped_takes_the_correlated_part_of_the_variance_away() -> None:
    columns = groups.draw_columns(2_000, 5)
    sums = sums_of_users(columns)
    rho = np.corrcoef(columns["likes"], columns["likes_before"])[0, 1]
    with_past, without = ratios.cuped(sums, sums), ratios.delta_ratio(sums, sums)
    assert with_past.estimate == without.estimate == 0
    variance = float(sums.covariance("likes", "likes")) * (1 - rho**2)
    half = stats.t.isf(0.025, 2 * (2_000 - 1)) * np.sqrt(2 * variance / 2_000)
    assert with_past.upper == pytest.approx(half, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_swapping_the_groups_turns_the_sign(seed: int) -> None:
    control, treatment = groups.draw_cells(60, seed), groups.draw_cells(50, seed + 1, 0.1)
    for method in (comparisons.welch_ctr, comparisons.mann_whitney):
        centre = 1.0 if method is comparisons.mann_whitney else 0.0
        one, other = method(control, treatment), method(treatment, control)
        assert one.estimate == pytest.approx(centre - other.estimate)
        assert one.lower == near(centre - other.upper)
        assert one.p_value == near(other.p_value)
    one, other = (
        ratios.delta_ratio(sums_of_cells(a), sums_of_cells(b))
        for a, b in ((control, treatment), (treatment, control))
    )
    assert (one.estimate, one.lower) == near((-other.estimate, -other.upper))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9))
def test_likes_counted_in_other_units_scale_the_effect_alone(seed: int, factor: int) -> None:
    pairs = [groups.draw_users(60, seed), groups.draw_users(50, seed + 1, 0.1)]
    plain = [make_cells(*users) for users in pairs]
    scaled = [make_cells(views, likes * factor) for views, likes in pairs]
    for method in (comparisons.welch_ctr, comparisons.smoothed_ctr):
        one, other = method(*plain), method(*scaled)
        assert other.estimate == near(one.estimate * factor)
        assert other.p_value == near(one.p_value)
    ranked = [comparisons.mann_whitney(*found) for found in (plain, scaled)]
    assert ranked[0].estimate == ranked[1].estimate
    sums = [[sums_of_cells(group) for group in found] for found in (plain, scaled)]
    deltas = [ratios.delta_ratio(*found) for found in sums]
    assert deltas[1].p_value == near(deltas[0].p_value)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
)
def test_whatever_the_users_a_result_is_a_number_or_one_line(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    cells = [make_cells(*np.array(users).T) for users in (one, other)]
    sums = [
        sums_of_users(dict(zip(("likes", "views", "likes_before", "views_before"), x, strict=True)))
        for x in (np.hstack([users, users[::-1]]).T for users in (one, other))
    ]
    calls: list[tuple[Callable[..., Comparison], Sequence[Any]]] = [
        *((method, cells) for method in CELL_METHODS),
        *((method, sums) for method in SUM_METHODS),
    ]
    for method, arguments in calls:
        try:
            found = method(*arguments)
        except NbtoolsError as error:
            lines = str(error).splitlines()
            assert len(lines) == 1
            continue
        assert np.isfinite([x for x in found[1:] if x is not None]).all(), found
        assert 0 <= found.p_value <= 1
        assert found.lower - 1e-12 <= found.estimate <= found.upper + 1e-12


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 2, float("nan")])
def test_a_level_outside_0_to_1_is_refused(alpha: float) -> None:
    cells, sums = pair(), sums_pair()
    calls: list[tuple[Callable[..., Comparison], Sequence[Any]]] = [
        *((method, cells) for method in CELL_METHODS),
        *((method, sums) for method in SUM_METHODS),
    ]
    for method, arguments in calls:
        with pytest.raises(SampleError, match="between 0 and 1"):
            method(*arguments, alpha=alpha)


def test_samples_without_a_statistic_are_refused() -> None:
    alike = make_cells([4] * 10, [1] * 10)
    single = make_cells([4], [1])
    blind = make_cells([0] * 10, [0] * 10)
    rich = pair()[0]
    for method in (comparisons.welch_ctr, comparisons.mann_whitney):
        with pytest.raises(SampleError, match=r"equal|same"):
            method(alike, alike)
        with pytest.raises(SampleError, match="has 1 users"):
            method(rich, single)
        with pytest.raises(SampleError, match="viewed anything"):
            method(rich, blind)
    with pytest.raises(SampleError, match="sum to 0"):
        ratios.delta_ratio(sums_of_cells(rich), sums_of_cells(blind))
    with pytest.raises(SampleError, match="equal"):
        ratios.delta_ratio(sums_of_cells(alike), sums_of_cells(alike))
    with pytest.raises(SampleError, match="no numbers"):
        inference.compare_means("x", Moments(5, np.nan, 1.0), Moments(5, 0.0, 1.0), alpha=0.05)
    with pytest.raises(SampleError, match="1 of 2 buckets"):
        comparisons.buckets_t(Buckets([1, 0], [1, 0]), Buckets([1, 2], [1, 1]))
    with pytest.raises(SampleError, match="needed is more than 0"):
        comparisons.smoothed_ctr(rich, rich, strength=0)


def test_a_past_that_is_the_same_for_all_explains_nothing() -> None:
    columns = groups.draw_columns(50, 1) | {"likes_before": np.zeros(50, dtype=np.int64)}
    sums = sums_of_users(columns)
    for method in (ratios.cuped, ratios.cuped_ratio):
        with pytest.raises(SampleError, match="explains nothing"):
            method(sums, sums)


def test_groups_that_do_not_overlap_still_have_an_interval() -> None:
    low, high = sample([0.1, 0.2, 0.3, 0.4]), sample([0.5, 0.6, 0.7])
    up = ranks.rank_test(low, high, alpha=0.05)
    down = ranks.rank_test(high, low, alpha=0.05)
    assert (up.probability, up.upper, down.lower) == (1, 1, 0)
    assert 0.3 < up.lower < 0.8
    assert up.lower == pytest.approx(1 - down.upper)


def test_holm_and_benjamini_hochberg_reproduce_the_paper_of_1995() -> None:
    p_values = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
    ]
    assert sum(p <= 0.05 for p in inference.adjusted(p_values, "benjamini-hochberg")) == 4
    holm = inference.adjusted(p_values[::-1], "holm")[::-1]
    assert sum(p <= 0.05 for p in holm) == 3
    assert holm[:3] == pytest.approx([0.0015, 0.0056, 0.0247])
    assert (inference.adjusted([]), max(holm)) == ([], 1)
    with pytest.raises(SampleError, match="0 to 1"):
        inference.adjusted([0.5, float("nan")])


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    # Two groups of one population: the truth is no difference, and one half for ranks.
    rounds, missed = 400, dict.fromkeys(("welch", "rank", "delta", "linear", "smooth"), 0)
    for seed in range(rounds):
        control, treatment = groups.draw_cells(300, 2 * seed), groups.draw_cells(200, 2 * seed + 1)
        sums = sums_of_cells(control), sums_of_cells(treatment)
        found = {
            "welch": comparisons.welch_ctr(control, treatment, alpha=0.1),
            "rank": comparisons.mann_whitney(control, treatment, alpha=0.1),
            "smooth": comparisons.smoothed_ctr(control, treatment, alpha=0.1),
            "delta": ratios.delta_ratio(*sums, alpha=0.1),
            "linear": ratios.linearized_likes(*sums, alpha=0.1),
        }
        for name, result in found.items():
            truth = 0.5 if name == "rank" else 0.0
            missed[name] += not result.lower <= truth <= result.upper
    for name, count in missed.items():
        assert stats.binomtest(count, rounds, 0.1).pvalue > 1e-3, (name, count)


def test_more_users_by_cells_do_not_change_what_they_are() -> None:
    control, treatment = pair()
    doubled = [Cells(g.views, g.likes, g.users * 2) for g in (control, treatment)]
    twice = [make_cells(*(np.tile(x, 2) for x in groups.as_users(g))) for g in (control, treatment)]
    for method in CELL_METHODS:
        assert method(*doubled) == method(*twice)
