"""Power and its inverses against R and closed forms."""

import math

import pytest
from scipy import stats

from nbtools import power, ratios
from nbtools.errors import SampleError
from nbtools.inference import Moments
from tests import groups

UNIT = Moments(100, 0.0, 1.0)


def test_power_reproduces_r() -> None:
    # Of power.t.test with n = 20, delta = 1, sd = 1. R leaves out the tail on the wrong side.
    found = power.power_of(UNIT, 40, 1.0)
    assert found.power == pytest.approx(0.8689528, abs=5e-7)
    # And with power = .90: 22.02110 in each group.
    needed = power.users_needed(UNIT, 1.0, power=0.9)
    assert needed.users == math.ceil(2 * 22.02110)
    exact = power.minimum_effect(UNIT, 40, power=0.8689528)
    assert exact.effect == pytest.approx(1, abs=1e-6)


def test_evan_millers_calculator_needs_1030_users_an_arm() -> None:
    rate = Moments(100, 0.2, 0.2 * 0.8)
    found = power.users_needed(rate, 0.05)
    assert found.users / 2 == pytest.approx(1_030, rel=0.03)


@pytest.mark.parametrize("users", [6_000, 1_000_000])
def test_the_smallest_effect_of_many_users_is_the_closed_form(users: int) -> None:
    sums = groups.draw_sums(2_000, 1)
    moments = ratios.moments_of(sums)
    found = power.minimum_effect(moments, users, alpha=0.05, power=0.8)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert found.effect == pytest.approx(z * math.sqrt(4 * moments.variance / users), rel=1e-4)
    assert found.relative == pytest.approx(found.effect / moments.mean)
    back = power.power_of(moments, users, -found.effect)
    assert back.power == pytest.approx(0.8, abs=1e-6)
    assert back.effect == -found.effect
    needed = power.users_needed(moments, found.effect)
    assert needed.users == pytest.approx(users, rel=1e-4)


def test_uneven_groups_see_less() -> None:
    even, uneven = (power.minimum_effect(UNIT, 9_000, allocation=a) for a in (1.0, 9.0))
    assert uneven.effect / even.effect == pytest.approx(math.sqrt(0.25 / 0.09), rel=1e-6)


def test_the_past_makes_smaller_effects_visible() -> None:
    sums = groups.draw_sums(3_000, 2)
    plain = power.mean_moments(sums)
    helped = power.mean_moments(sums, covariate="likes_before")
    squared = float(sums.covariance("likes", "likes_before")) ** 2
    rho2 = squared / plain.variance / float(sums.covariance("likes_before", "likes_before"))
    assert helped.variance == pytest.approx((1 - rho2) * plain.variance, rel=1e-12)
    effects = [power.minimum_effect(m, 10_000).effect for m in (helped, plain)]
    assert effects[0] / effects[1] == pytest.approx(math.sqrt(1 - rho2), rel=1e-6)
    ratio = ratios.moments_of(sums, covariate=ratios.CTR_BEFORE)
    assert ratio.variance < ratios.moments_of(sums).variance
    assert ratio.mean == ratios.moments_of(sums).mean


def test_no_effect_is_found_as_often_as_alpha() -> None:
    for users in (60, 60_000):
        assert power.power_of(UNIT, users, 0.0).power == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power.minimum_effect(UNIT, 100, alpha=0), "between 0 and 1"),
        (lambda: power.minimum_effect(UNIT, 100, power=0.01), "between alpha and 1"),
        (lambda: power.minimum_effect(UNIT, 100, power=1.0), "between alpha and 1"),
        (lambda: power.minimum_effect(UNIT, 3), "3 users are too few"),
        (lambda: power.minimum_effect(Moments(9, 1.0, 0.0), 100), "more than 0"),
        (lambda: power.minimum_effect(Moments(9, 1.0, math.nan), 100), "more than 0"),
        (lambda: power.minimum_effect(UNIT, 100, allocation=0), "no number"),
        (lambda: power.power_of(UNIT, 100, math.nan), "no number"),
        (lambda: power.users_needed(UNIT, 0.0), "cannot be found"),
    ],
)
def test_questions_without_an_answer_are_refused(call: object, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        call()  # type: ignore[operator]


def test_a_past_that_is_the_same_for_all_is_refused() -> None:
    sums = groups.draw_sums(50, 3)
    flat = sums._replace(
        totals=dict(sums.totals) | {"likes_before": 0},
        products={k: 0 if "likes_before" in k else v for k, v in sums.products.items()},
    )
    with pytest.raises(SampleError, match="same for all"):
        power.mean_moments(flat, covariate="likes_before")
