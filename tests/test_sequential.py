"""The confidence sequence: its formula, and its level under daily looks."""

import math

import numpy as np
import pytest

from nbtools import ratios, sequential
from nbtools.cells import sums_of_users
from nbtools.errors import SampleError
from tests import groups

LOOKS, ROUNDS = 20, 1_500


def test_rho_and_half_width_are_the_published_formula() -> None:
    alpha, tuning, error, n = 0.05, 5_000, 0.01, 8_000
    rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuning)
    assert sequential.rho(alpha, tuning) == pytest.approx(rho, rel=1e-14)
    s2 = error**2 * n
    want = math.sqrt(s2) * math.sqrt(
        2 * (n * rho**2 + 1) * math.log(math.sqrt(n * rho**2 + 1) / alpha) / (n * rho) ** 2
    )
    assert sequential.half_width(error, n, alpha=alpha) == pytest.approx(want, rel=1e-13)


def test_the_interval_is_narrowest_near_the_tuning_and_never_below_a_fixed_one() -> None:
    n = np.geomspace(100, 1e7, 400)
    ratio = sequential.half_width(np.ones_like(n), n, alpha=0.05) / 1.959964
    assert ratio.min() > 1.2
    assert n[ratio.argmin()] == pytest.approx(5_000, rel=0.25)


def test_its_ends_and_p_value_agree() -> None:
    control, treatment = groups.draw_sums(2_000, 1), groups.draw_sums(2_000, 2, 0.06)
    found = sequential.sequential_ratio(control, treatment)
    fixed = ratios.delta_ratio(control, treatment)
    assert found.estimate == pytest.approx(fixed.estimate, rel=1e-12)
    assert found.upper - found.lower > 1.2 * (fixed.upper - fixed.lower)
    # Where the interval just touches zero the p-value is alpha.
    error = (fixed.upper - fixed.estimate) / 1.959963984540054
    half = float(sequential.half_width(error, 4_000, alpha=0.05))
    assert found.upper - found.estimate == pytest.approx(half, rel=1e-9)
    touch = sequential._p_value(half, error, 4_000, alpha=0.05, tuning=sequential.TUNING)
    assert touch == pytest.approx(0.05, rel=1e-9)
    assert (found.p_value < 0.05) == (found.lower > 0 or found.upper < 0)


def test_swapping_the_groups_turns_the_sign() -> None:
    control, treatment = groups.draw_sums(300, 3), groups.draw_sums(200, 4)
    for method in (sequential.sequential_ratio, sequential.sequential_mean):
        one, other = method(control, treatment), method(treatment, control)
        assert one[1:5] == pytest.approx(
            (-other.estimate, -other.upper, -other.lower, other.p_value), rel=1e-9
        )
        assert one.relative is not None
        assert other.relative is not None
        assert one.relative == pytest.approx(1 / (1 + other.relative) - 1)


def test_the_relative_interval_is_the_delta_methods() -> None:
    control, treatment = groups.draw_sums(900, 8), groups.draw_sums(300, 9, 0.8)
    found = sequential.sequential_ratio(control, treatment)
    c, t = (ratios.moments_of(group) for group in (control, treatment))
    # The variance of t / c, term by term from its gradient.
    gradient = (-t.mean / c.mean**2, 1 / c.mean)
    error = math.hypot(
        *(g * math.sqrt(m.variance / m.n) for g, m in zip(gradient, (c, t), strict=True))
    )
    half = float(sequential.half_width(error, 1_200, alpha=0.05))
    assert found.relative is not None
    assert found.relative_upper == pytest.approx(found.relative + half, rel=1e-9)


def daily_errors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return effect, standard error and users at every look when nothing differs."""
    rng = np.random.default_rng(5)
    shape = (2, ROUNDS, LOOKS, 150)
    views = 1 + rng.poisson(rng.lognormal(2, 0.75, shape))
    likes = rng.binomial(views, rng.beta(6, 24, shape))

    def sums(values: np.ndarray) -> np.ndarray:
        return np.cumsum(values.sum(axis=-1, dtype=float), axis=-1)

    n = 150.0 * np.arange(1, LOOKS + 1)
    v, x, vv, xv, xx = map(sums, (views, likes, views * views, likes * views, likes * likes))
    ctr = x / v
    variance = (xx - 2 * ctr * xv + ctr**2 * vv) / (n - 1) / (v / n) ** 2 / n
    return ctr[1] - ctr[0], np.sqrt(variance.sum(axis=0)), 2 * n


def test_it_holds_its_level_under_daily_looks_where_a_fixed_interval_does_not() -> None:
    effect, error, n = daily_errors()
    half = sequential.half_width(error, n, alpha=0.05, tuning=3_000)
    ever = np.mean((abs(effect) > half).any(axis=1))
    assert ever <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / ROUNDS)
    # Twenty looks without correction: .248 in Armitage, McPherson and Rowe (1969).
    peeking = np.mean((abs(effect) > 1.96 * error).any(axis=1))
    assert peeking == pytest.approx(0.248, abs=4 * math.sqrt(0.248 * 0.752 / ROUNDS))


def test_degenerate_looks_are_refused() -> None:
    sums = groups.draw_sums(100, 6)
    alike = sums_of_users({"likes": [1] * 9, "views": [4] * 9})
    for method in (sequential.sequential_ratio, sequential.sequential_mean):
        with pytest.raises(SampleError, match="equal"):
            method(alike, alike)
        with pytest.raises(SampleError, match="between 0 and 1"):
            method(sums, sums, alpha=1.5)
        with pytest.raises(SampleError, match="tuning is 0"):
            method(sums, sums, tuning=0)
    with pytest.raises(SampleError, match="needs at least 2"):
        sequential.sequential_mean(sums, sums_of_users({"likes": [1], "views": [4]}))


def test_a_control_near_zero_has_no_relative_effect() -> None:
    none = sums_of_users({"likes": [0] * 50, "views": [3] * 50})
    found = sequential.sequential_mean(none, groups.draw_sums(50, 7))
    assert (found.relative, found.relative_lower) == (None, None)
