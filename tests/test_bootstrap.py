"""The Poisson bootstrap without replicates: its integral, replicates and the delta method."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from nbtools import bootstrap, compound, ratios
from nbtools.bootstrap import poisson_bootstrap
from nbtools.cells import Cells, make_cells, sums_of_cells
from nbtools.errors import SampleError
from tests import groups


def inverted_by_quadrature(cells: Cells, r: float) -> float:
    """Return P(R* <= r) from the definition, an adaptive integral over every user's term."""
    views, likes = groups.as_users(cells)
    x = likes - r * views
    scale = math.sqrt(float((x**2).sum()))

    def integrand(t: float) -> float:
        return float(np.exp((np.exp(1j * t * x / scale) - 1).sum()).imag) / t

    # Nothing is left of the characteristic function beyond nine standard deviations.
    found, _ = integrate.quad(integrand, 0, 9, epsabs=1e-12, limit=400)
    return 0.5 - float(found) / math.pi


@pytest.mark.parametrize(("n", "is_direct"), [(120, True), (3_000, False)])
def test_the_law_is_the_integral_of_its_characteristic_function(n: int, *, is_direct: bool) -> None:
    cells = groups.draw_cells(n, 1)
    law = compound.law_of(cells)
    assert law.is_direct is is_direct
    for y in (-2.5, -0.7, 0.0, 1.3, 2.2):
        r = law.ratio + y * law.error
        assert law.below(np.array([r]))[0] == pytest.approx(
            inverted_by_quadrature(cells, r), abs=1e-9
        )


@pytest.mark.parametrize("n", [3_000, 60_000])
def test_moments_and_the_direct_sum_are_one_law(n: int) -> None:
    cells = groups.draw_cells(n, 2)
    moments, direct = (compound.law_of(cells, is_direct=way) for way in (False, True))
    r = moments.ratio + np.linspace(-7, 7, 200) * moments.error
    assert abs(moments.below(r) - direct.below(r)).max() < 1e-9
    assert abs(moments.density(r) - direct.density(r)).max() * moments.error < 1e-7


def test_the_density_adds_up_to_the_law() -> None:
    law = compound.law_of(groups.draw_cells(500, 3))
    nodes = np.linspace(law.low, law.high, 400)
    steps = np.diff(nodes) * (law.density(nodes)[1:] + law.density(nodes)[:-1]) / 2
    assert steps.sum() == pytest.approx(1, abs=1e-6)
    assert (law.density(np.array([law.low - 1, law.high + 1])) == 0).all()
    assert law.below(np.array([-9.0, 9.0])).tolist() == pytest.approx([0, 1], abs=1e-9)


@pytest.mark.parametrize("n", [40, 400, 20_000])
def test_replicates_follow_the_law(n: int) -> None:
    cells = groups.draw_cells(n, 5)
    drawn = bootstrap.replicates(cells, 4_000, np.random.default_rng(6))
    law = compound.law_of(cells)
    assert stats.kstest(drawn, lambda r: law.below(np.atleast_1d(r))).pvalue > 1e-3


def test_replicates_of_cells_are_those_of_users() -> None:
    cells = groups.draw_cells(300, 7)
    views, likes = groups.as_users(cells)
    rng = np.random.default_rng(8)
    weights = rng.poisson(1, (4_000, len(views)))
    users = (weights @ likes) / (weights @ views)
    drawn = bootstrap.replicates(cells, 4_000, rng)
    assert stats.ks_2samp(users, drawn).pvalue > 1e-3


@pytest.mark.parametrize("n", [80, 1_000])
def test_the_interval_is_the_limit_of_many_replicates(n: int) -> None:
    control, treatment = groups.draw_cells(n, 9), groups.draw_cells(n, 10, 0.15)
    found = poisson_bootstrap(control, treatment, alpha=0.1)
    rng, count = np.random.default_rng(11), 40_000
    c, t = (bootstrap.replicates(cells, count, rng) for cells in (control, treatment))
    error = math.sqrt(0.05 * 0.95 / count)
    assert found.relative_lower is not None
    assert found.relative_upper is not None
    relative = found.relative_lower, found.relative_upper
    for ends, drawn in (((found.lower, found.upper), t - c), (relative, t / c - 1)):
        assert np.mean(drawn <= ends[0]) == pytest.approx(0.05, abs=4 * error)
        assert np.mean(drawn > ends[1]) == pytest.approx(0.05, abs=4 * error)
    below = float(np.mean(t - c <= 0))
    spread = 2 * math.sqrt(below * (1 - below) / count)
    assert found.p_value == pytest.approx(2 * min(below, 1 - below), abs=4 * spread + 1e-4)


def test_swapping_the_groups_mirrors_the_interval() -> None:
    control, treatment = groups.draw_cells(300, 12), groups.draw_cells(200, 13)
    one, other = poisson_bootstrap(control, treatment), poisson_bootstrap(treatment, control)
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower), abs=1e-9)
    assert one.p_value == pytest.approx(other.p_value, abs=1e-8)
    assert other.relative_lower is not None
    assert one.relative_upper == pytest.approx(1 / (1 + other.relative_lower) - 1, abs=1e-7)


def test_units_of_likes_scale_the_interval() -> None:
    pairs = [groups.draw_users(300, 14), groups.draw_users(200, 15)]
    one, other = (
        poisson_bootstrap(*(make_cells(views, likes * factor) for views, likes in pairs))
        for factor in (1, 7)
    )
    assert other[1:4] == pytest.approx([7 * x for x in one[1:4]], rel=1e-7)
    assert other[4:8] == pytest.approx(one[4:8], rel=1e-6)


def test_groups_of_very_different_size_are_resolved() -> None:
    control, treatment = groups.draw_cells(60, 16), groups.draw_cells(300_000, 17)
    one, other = poisson_bootstrap(control, treatment), poisson_bootstrap(treatment, control)
    assert (one.lower, one.upper) == pytest.approx((-other.upper, -other.lower), abs=1e-8)


def test_a_ratio_many_times_as_large_is_resolved() -> None:
    control = groups.draw_cells(400, 16)
    views, likes = groups.draw_users(300_000, 17)
    treatment = make_cells(views, likes * 300)
    one, other = poisson_bootstrap(control, treatment), poisson_bootstrap(treatment, control)
    assert other.relative_upper is not None
    assert one.relative_lower == pytest.approx(1 / (1 + other.relative_upper) - 1, rel=1e-6)


def test_with_many_users_it_is_the_delta_method() -> None:
    control, treatment = groups.draw_cells(150_000, 18), groups.draw_cells(150_000, 19, 0.004)
    found = poisson_bootstrap(control, treatment)
    delta = ratios.delta_ratio(sums_of_cells(control), sums_of_cells(treatment))
    width = delta.upper - delta.lower
    assert found[1:4] == pytest.approx(delta[1:4], abs=width * 1e-3)
    assert 1e-4 < delta.p_value < 0.9
    assert found.p_value == pytest.approx(delta.p_value, rel=0.02)
    assert found.relative_lower == pytest.approx(delta.relative_lower, abs=1e-4)


def test_an_effect_beyond_doubt_has_the_smallest_p_value() -> None:
    control, treatment = groups.draw_cells(3_000, 20), groups.draw_cells(3_000, 21, 0.9)
    assert poisson_bootstrap(control, treatment).p_value == bootstrap.SMALLEST_P


def test_a_mean_is_a_ratio_over_one_view_each() -> None:
    cells = groups.draw_cells(2_000, 22)
    law = compound.law_of(bootstrap.as_mean(cells))
    _, likes = groups.as_users(cells)
    assert law.ratio == pytest.approx(likes.mean())
    assert law.error == pytest.approx(likes.std() / math.sqrt(len(likes)))


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rounds, missed = 300, 0
    for seed in range(rounds):
        control, treatment = groups.draw_cells(150, 2 * seed), groups.draw_cells(150, 2 * seed + 1)
        found = poisson_bootstrap(control, treatment, alpha=0.2)
        missed += not found.lower <= 0 <= found.upper
    assert stats.binomtest(missed, rounds, 0.2).pvalue > 1e-3


def test_a_heavy_tail_is_summed_directly_and_still_right() -> None:
    rng = np.random.default_rng(23)
    views = (rng.pareto(1.1, 500) * 10 + 1).astype(np.int64)
    cells = make_cells(views, rng.binomial(views, rng.beta(2, 8, 500)))
    law = compound.law_of(cells)
    assert law.is_direct
    drawn = bootstrap.replicates(cells, 4_000, rng)
    assert stats.kstest(drawn, lambda r: law.below(np.atleast_1d(r))).pvalue > 1e-3


def test_where_the_law_has_steps_there_is_no_interval() -> None:
    views, likes = groups.draw_users(100, 24)
    rich = make_cells(views, likes)
    whale = make_cells(np.append(views, 20_000), np.append(likes, 10_000))
    rare = make_cells([1] * 1_000, [1, 1] + [0] * 998)
    for uneven in (whale, rare):
        with pytest.raises(SampleError, match="has steps"):
            poisson_bootstrap(rich, uneven)


def test_groups_that_cannot_be_bootstrapped_are_refused() -> None:
    rich = groups.draw_cells(100, 25)
    few = groups.draw_cells(29, 26)
    for small in (few, make_cells([0] * 50, [0] * 50), make_cells([3], [1])):
        with pytest.raises(SampleError, match="the bootstrap needs 30"):
            poisson_bootstrap(rich, small)
        with pytest.raises(SampleError, match="the bootstrap needs 30"):
            bootstrap.replicates(small, 10, np.random.default_rng(0))
    with pytest.raises(SampleError, match="same ratio"):
        poisson_bootstrap(rich, make_cells([2, 4, 6] * 30, [1, 2, 3] * 30))
    with pytest.raises(SampleError, match="same ratio"):
        poisson_bootstrap(rich, make_cells([2, 4, 6] * 30, [0] * 90))
    for alpha in (0.0, 1.0, float("nan")):
        with pytest.raises(SampleError, match="between 0 and 1"):
            poisson_bootstrap(rich, rich, alpha=alpha)
    with pytest.raises(SampleError, match="resolves none below"):
        poisson_bootstrap(rich, rich, alpha=1e-9)
