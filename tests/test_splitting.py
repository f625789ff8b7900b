"""The splitter's checks against exact transforms, the one-comparison methods and known rates."""

from itertools import combinations

import numpy as np
import pytest
from scipy import linalg, stats

from nbtools import comparisons, halftests, honesty, ratios, splitting, walsh
from nbtools.cells import Cells, make_cells, sums_of_cells, sums_of_users
from nbtools.errors import SampleError
from tests import groups


def test_the_sample_ratio_reproduces_kohavis_example() -> None:
    found = splitting.sample_ratio({0: 821_588, 1: 815_482})
    assert found.p_value == pytest.approx(1.8e-6, abs=5e-8)
    assert found.shares[0].share == pytest.approx(0.5019, abs=5e-5)
    assert found.shares[0].lower > 0.5


def test_the_sample_ratio_is_scipys_chi_square_for_any_number_of_groups() -> None:
    counts, weights = {0: 980, 1: 2_040, 2: 1_011}, {0: 1.0, 1: 2.0, 2: 1.0}
    found = splitting.sample_ratio(counts, weights)
    expected = [4_031 / 4, 4_031 / 2, 4_031 / 4]
    oracle = stats.chisquare(list(counts.values()), expected)
    assert found[:2] == pytest.approx((oracle.statistic, oracle.pvalue), rel=1e-12)


@pytest.mark.parametrize("counts", [{0: 5}, {}, {0: 0, 1: 0}, {0: -1, 1: 4}])
def test_groups_without_a_sample_ratio_are_refused(counts: dict[int, int]) -> None:
    with pytest.raises(SampleError):
        splitting.sample_ratio(counts)


@pytest.mark.parametrize("weights", [{0: 1.0}, {0: 1.0, 1: 0.0}, {0: 1.0, 1: float("nan")}])
def test_weights_that_are_none_are_refused(weights: dict[int, float]) -> None:
    with pytest.raises(SampleError, match="weight above 0"):
        splitting.sample_ratio({0: 5, 1: 6}, weights)


def test_an_empty_group_fails_the_sample_ratio() -> None:
    assert splitting.sample_ratio({0: 500, 1: 0}).p_value < 1e-9


def test_an_error_rate_has_wilsons_interval_and_a_uniformity_test() -> None:
    uniform = (np.arange(1_000) + 0.5) / 1_000
    found = splitting.error_rate(uniform)
    assert (found.tests, found.rejections, found.rate) == (1_000, 50, 0.05)
    # Wilson's interval of 50 of 1,000, from its formula.
    z, n, p = stats.norm.isf(0.025), 1_000, 0.05
    centre, half = p + z**2 / 2 / n, z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
    ends = (centre + np.array([-half, half])) / (1 + z**2 / n)
    assert (found.lower, found.upper) == pytest.approx(ends, rel=1e-9)
    assert found.ks_p_value > 0.99
    assert splitting.error_rate(uniform**2).ks_p_value < 1e-9
    for wrong in ([], [0.5, float("nan")], [1.5]):
        with pytest.raises(SampleError, match="missing or not"):
            splitting.error_rate(np.array(wrong))


@pytest.mark.parametrize("bits", [1, 4, 6, 7, 12, 13])
def test_the_fast_transform_is_the_matrix(bits: int) -> None:
    columns = np.random.default_rng(bits).integers(0, 1_000, (3, 2**bits)).astype(float)
    assert (walsh.transform(columns) == columns @ linalg.hadamard(2**bits)).all()


def balanced(values: list[float]) -> np.ndarray:
    """Return the sum over one half for each way to halve evenly, an even number of values."""
    size = len(values) // 2
    return np.array([sum(chosen) for chosen in combinations(values, size)])


def test_halves_are_all_even_halvings_of_the_padded_users() -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]
    exact = balanced([*values, 0.0, 0.0])
    users = np.ones(6, dtype=np.int64)
    sums = walsh.halves(np.array([values]), users, 5_000, np.random.default_rng(1))[0]
    found, counts = np.unique(sums, return_counts=True)
    known, weights = np.unique(exact, return_counts=True)
    assert found.tolist() == known.tolist()
    assert stats.chisquare(counts, weights / len(exact) * 5_000).pvalue > 1e-3


def test_a_permutation_p_value_is_that_of_all_halvings() -> None:
    rng = np.random.default_rng(2)
    values = [float(x) for x in rng.integers(0, 50, 16)]
    observed = abs(2 * sum(values[:8]) - sum(values))
    exact = np.mean(abs(2 * balanced(values) - sum(values)) >= observed)
    users = np.ones(16, dtype=np.int64)
    half = walsh.halves(np.array([values]), users, 8_000, rng)[0]
    share = np.mean(abs(2 * half - sum(values)) >= observed)
    assert share == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 8_000))


def test_no_order_of_the_users_serves_more_than_a_tenth_of_its_rows() -> None:
    users = np.ones(1_000, dtype=np.int64)
    counts = [count for _, count in walsh.orders(users, 1_000, np.random.default_rng(0))]
    assert sum(counts) == 1_000
    assert max(counts) <= 0.1 * 1_024


def one_split(cells: Cells, seed: int) -> tuple[Cells, Cells]:
    control, treated = next(honesty.coin_halves(cells, 1, np.random.default_rng(seed)))
    return (
        make_cells(cells.views, cells.likes, control[0]),
        make_cells(cells.views, cells.likes, treated[0]),
    )


def half_of(cells: Cells, whole: Cells) -> dict[str, np.ndarray]:
    columns = halftests.columns_of(whole)
    place = {cell: i for i, cell in enumerate(zip(whole.views, whole.likes, strict=True))}
    rows = [place[cell] for cell in zip(cells.views, cells.likes, strict=True)]
    sums = {name: np.array([cells.users @ column[rows]]) for name, column in columns.items()}
    return sums | {"tie_factor": np.asarray(halftests.tie_factor(whole))}


@pytest.mark.parametrize("seed", range(4))
def test_the_vectorised_methods_are_the_exact_ones(seed: int) -> None:
    views, likes = groups.draw_users(900, seed)
    views[:20] = likes[:20] = 0
    whole = make_cells(views, likes)
    parts = one_split(whole, seed)
    sums = [sums_of_cells(part) for part in parts]
    halves = [half_of(part, whole) for part in parts]
    exact = {
        "welch_ctr": comparisons.welch_ctr(*parts),
        "mann_whitney": comparisons.mann_whitney(*parts),
        "smoothed_ctr": comparisons.smoothed_ctr(*parts),
        "smoothed_ctr_own": comparisons.smoothed_ctr(*parts, prior="own"),
        "delta_ratio": ratios.delta_ratio(*sums),
        "linearized_likes": ratios.linearized_likes(*sums),
    }
    for name, method in halftests.METHODS.items():
        if name in exact:
            found = method.p_values(*halves)[0]
            assert found == pytest.approx(exact[name].p_value, rel=1e-8), name
    likes_of, views_of = ([s.total(name) for s in sums] for name in ("likes", "views"))
    pooled = sum(likes_of) / sum(views_of)
    z = (likes_of[1] / views_of[1] - likes_of[0] / views_of[0]) / np.sqrt(
        pooled * (1 - pooled) * (1 / views_of[0] + 1 / views_of[1])
    )
    found = halftests.METHODS["proportion_z"].p_values(*halves)[0]
    assert found == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_known_false_positive_rates_are_reproduced() -> None:
    cells = groups.draw_cells(20_000, 3)
    p_values = honesty.split_p_values(cells, splits=4_000, seed=4)
    p_values |= honesty.bucket_p_values(cells, splits=4_000, seed=5)
    rates = {name: splitting.error_rate(found) for name, found in p_values.items()}
    for dishonest, low, high in (("proportion_z", 0.17, 0.25), ("smoothed_ctr_own", 0.09, 0.15)):
        found = rates.pop(dishonest)
        assert low < found.rate < high
        assert found.ks_p_value < 1e-9
    assert len(rates) == 7
    for name, found in rates.items():
        assert stats.binomtest(found.rejections, found.tests, 0.05).pvalue > 1e-3, name
        # The bucket maps are shared by some splits, so their p-values hang together a little.
        assert found.ks_p_value > (1e-6 if "bucket" in name else 1e-3), name


def test_cuped_and_the_bootstrap_are_honest() -> None:
    columns = groups.draw_columns(4_000, 6)
    found = honesty.cuped_p_values(columns["likes"], columns["likes_before"], splits=3_000)
    assert stats.binomtest(int((found <= 0.05).sum()), 3_000, 0.05).pvalue > 1e-3
    cells = groups.draw_cells(3_000, 7)
    found = honesty.bootstrap_p_values(cells, splits=150)
    assert stats.binomtest(int((found <= 0.2).sum()), 150, 0.2).pvalue > 1e-3


def test_cuped_on_splits_is_cuped() -> None:
    columns = groups.draw_columns(400, 8)
    sums = sums_of_users(columns)
    slope = float(
        sums.covariance("likes", "likes_before") / sums.covariance("likes_before", "likes_before")
    )
    left = np.random.default_rng(9).random(400) < 0.5
    adjusted = columns["likes"] - slope * columns["likes_before"]
    oracle = stats.ttest_ind(adjusted[left], adjusted[~left], equal_var=False).pvalue
    parts = [sums_of_users({k: v[rows] for k, v in columns.items()}) for rows in (~left, left)]
    assert ratios.cuped(*parts).p_value == pytest.approx(oracle, rel=1e-9)


def test_a_planted_uplift_is_found_as_often_as_theory_says() -> None:
    cells = groups.draw_cells(6_000, 10)
    uplift = 0.03
    sums = sums_of_cells(cells)
    error = 2 * np.sqrt(ratios.moments_of(sums).variance / sums.users)
    shift = float(ratios.ratio_of(sums)) * uplift / error
    expected = stats.norm.sf(1.96 - shift) + stats.norm.cdf(-1.96 - shift)
    found = honesty.split_p_values(
        cells, splits=2_000, uplift=uplift, methods=("delta_ratio", "linearized_likes")
    )
    for p_values in found.values():
        assert np.mean(p_values <= 0.05) == pytest.approx(expected, abs=0.05)
    ranked = honesty.rank_p_values(cells, splits=300, uplift=uplift)
    assert np.mean(ranked <= 0.05) > 0.2
    flat = honesty.rank_p_values(cells, splits=600)
    assert stats.binomtest(int((flat <= 0.05).sum()), 600, 0.05).pvalue > 1e-3


def test_an_uplift_scales_every_column_by_its_likes() -> None:
    cells = groups.draw_cells(200, 14)
    plain = halftests.columns_of(cells)
    tripled = halftests.columns_of(Cells(cells.views, cells.likes * 3, cells.users))
    for name, column in plain.items():
        scale = 3 ** halftests.DEGREES.get(name, 0)
        assert tripled[name] == pytest.approx(column * scale), name


def test_ranks_with_an_uplift_are_those_of_mann_whitney() -> None:
    cells = groups.draw_cells(300, 11)
    control, treated = one_split(cells, 5)
    raised = make_cells(treated.views, treated.likes * 2, treated.users)
    oracle = comparisons.mann_whitney(control, raised).p_value
    found = honesty.rank_p_values(cells, splits=1, seed=5, uplift=1.0)
    assert found[0] == pytest.approx(oracle, rel=1e-9)


def test_bucket_halves_hold_every_user_once() -> None:
    cells = groups.draw_cells(3_000, 12)
    table = np.stack([cells.likes, cells.views, np.ones_like(cells.views)]).astype(float)
    one, other = walsh.bucket_halves(table, cells.users, 300, np.random.default_rng(13), buckets=50)
    assert one.shape == (3, 300, 50)
    assert (one + other).sum(axis=2) == pytest.approx((table @ cells.users)[:, None] * np.ones(300))
    sizes = (one + other)[2]
    assert (sizes == 60).all()
    assert one[2].min() > 0


def test_small_samples_of_two_fixed_groups_are_no_test_of_the_splitter() -> None:
    # The groups differ by chance; the many draws repeat that one difference.
    rates = []
    for seed in range(6):
        control, treatment = groups.draw_cells(1_000, 100 + seed), groups.draw_cells(1_000, seed)
        p_values = splitting.subsample_p_values(control, treatment, draws=1_000, seed=seed)
        rates.append(splitting.error_rate(p_values).rate)
    assert max(rates) - min(rates) > 0.05


def test_a_subsample_of_everyone_is_the_test_of_everyone() -> None:
    control, treatment = groups.draw_cells(500, 1), groups.draw_cells(500, 2)
    found = splitting.subsample_p_values(control, treatment, size=500, draws=3)
    assert found == pytest.approx([comparisons.welch_ctr(control, treatment).p_value] * 3)
    with pytest.raises(SampleError, match="has 500 users with views, 501"):
        splitting.subsample_p_values(control, treatment, size=501)
    with pytest.raises(SampleError, match="needed are 1 and 2"):
        splitting.subsample_p_values(control, treatment, size=1)
    alike = make_cells([4] * 600, [1] * 600)
    with pytest.raises(SampleError, match="all values are equal"):
        splitting.subsample_p_values(alike, alike, draws=2)


def test_users_that_cannot_be_split_are_refused() -> None:
    cells = groups.draw_cells(500, 1)
    few, alike = groups.draw_cells(99, 1), make_cells([4] * 200, [1] * 200)
    for check in (honesty.split_p_values, honesty.rank_p_values, honesty.bucket_p_values):
        with pytest.raises(SampleError, match="splits need 100"):
            check(few)
        with pytest.raises(SampleError, match="same CTR"):
            check(alike)
    with pytest.raises(SampleError, match="none of"):
        honesty.split_p_values(cells, methods=("anova",))
    with pytest.raises(SampleError, match="above -1"):
        honesty.split_p_values(cells, uplift=-1)
    with pytest.raises(SampleError, match="rank_p_values"):
        honesty.split_p_values(cells, uplift=0.1)
    with pytest.raises(SampleError, match="too few for 50 buckets"):
        honesty.bucket_p_values(cells)
    with pytest.raises(SampleError, match="likes before that differ"):
        honesty.cuped_p_values([1, 2] * 60, [3] * 120)
    with pytest.raises(SampleError, match="0 splits"):
        honesty.split_p_values(cells, splits=0)
