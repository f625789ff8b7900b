"""Every rule by which numbers become a decision."""

import pytest

from nbtools import verdicts
from nbtools.guards import Guard
from nbtools.inference import Comparison
from nbtools.populations import Populations
from nbtools.segments import Segment
from nbtools.splitting import ErrorRate
from nbtools.verdicts import Evidence, Verdict

HELD = Guard("Sample ratio", passed=True, finding="even")
HONEST = ErrorRate(1000, 50, 0.05, 0.04, 0.065, 0.5)
DISHONEST = ErrorRate(1000, 200, 0.2, 0.18, 0.22, 0.0)


def result(method: str, estimate: float, p_value: float) -> Comparison:
    ends = (estimate - 0.01, estimate + 0.01)
    return Comparison(
        method, estimate, *ends, p_value, None, None, None, 0.2, 0.2 + estimate, 1000, 1000
    )


def decide(
    effect: float,
    p_value: float,
    *others: Comparison,
    guard: Guard = HELD,
    rates: dict[str, ErrorRate] | None = None,
    loser: tuple[float, float] | None = None,
    corrected_p: float | None = None,
    population: Populations | None = None,
    treatments: int = 1,
) -> Verdict:
    found = [
        result("delta_ratio", effect, p_value),
        result("linearized_likes", effect, p_value),
        *others,
    ]
    parts = [] if loser is None else [Segment("os", "iOS", result("delta_ratio", *loser), loser[1])]
    evidence = Evidence(
        {each.method: each for each in found},
        rates or {},
        corrected_p=p_value if corrected_p is None else corrected_p,
        segments=parts,
        population=population,
        treatments=treatments,
    )
    return verdicts.decide([HELD, guard], evidence)


def test_a_failed_guard_makes_any_number_invalid() -> None:
    failed = Guard("Equal exposure", passed=False, finding="p = 1e-9")
    found = decide(0.01, 1e-20, guard=failed)
    assert found.decision == "invalid"
    assert found.headline == "The experiment is invalid: equal exposure failed."
    assert found.reasons == ("Equal exposure: p = 1e-9.",)


def test_a_rise_is_shipped_and_a_fall_is_not() -> None:
    assert decide(0.01, 0.001).decision == "ship"
    assert decide(-0.01, 0.001).headline == "Do not ship: CTR fell."
    assert decide(0.01, 0.05).decision == "ship"  # the level belongs to the alarm


def test_a_fall_is_not_shipped_whatever_the_ranks_say() -> None:
    found = decide(-0.01, 0.001, result("mann_whitney", 0.6, 1e-9))
    assert found.decision == "do not ship"
    assert any("Mann-Whitney: significantly up" in reason for reason in found.reasons)


def test_a_rise_with_a_falling_method_or_part_is_looked_at() -> None:
    by_method = decide(0.01, 0.001, result("welch_ctr", -0.02, 0.001))
    by_part = decide(0.01, 0.001, loser=(-0.02, 0.001))
    assert by_method.decision == by_part.decision == "look deeper"
    assert any("OS iOS" in reason for reason in by_part.reasons)


def test_parts_that_gain_or_lose_by_chance_do_not_stop_a_rise() -> None:
    assert decide(0.01, 0.001, loser=(0.02, 0.001)).decision == "ship"
    assert decide(0.01, 0.001, loser=(-0.02, 0.2)).decision == "ship"


def test_no_effect_is_not_shipped() -> None:
    found = decide(0.001, 0.6, result("mann_whitney", 0.501, 0.7))
    assert found.headline == "Do not ship: no effect on CTR was found."


@pytest.mark.parametrize(("estimate", "direction"), [(0.6, "up"), (0.4, "down")])
def test_no_effect_on_ctr_but_on_ranks_is_looked_at(estimate: float, direction: str) -> None:
    found = decide(0.001, 0.6, result("mann_whitney", estimate, 1e-9))
    assert found.decision == "look deeper"
    assert f"significantly {direction}" in found.reasons[-1]


def test_a_dishonest_method_has_no_voice() -> None:
    fallen = result("welch_ctr", -0.02, 1e-9)
    assert decide(0.01, 0.001, fallen, rates={"welch_ctr": HONEST}).decision == "look deeper"
    assert decide(0.01, 0.001, fallen, rates={"welch_ctr": DISHONEST}).decision == "ship"
    assert decide(0.0, 0.9, fallen, rates={"welch_ctr": DISHONEST}).decision == "do not ship"


def test_the_corrected_p_decides_where_there_are_several_treatments() -> None:
    assert decide(0.01, 0.03, corrected_p=0.03).decision == "ship"
    assert decide(0.01, 0.03, corrected_p=0.09).decision == "do not ship"


def test_a_deciding_test_that_is_not_honest_decides_nothing() -> None:
    for effect in (0.01, -0.01):
        found = decide(effect, 1e-9, rates={"linearized_likes": DISHONEST})
        assert found.decision == "look deeper"
        assert "not honest" in found.headline
    assert decide(0.01, 1e-9, rates={"linearized_likes": HONEST}).decision == "ship"


PARTED = Populations(0.23, 0.45, 0.1, 0.36, 550, 450)


@pytest.mark.parametrize(
    ("effect", "p_value", "decision"),
    [(0.01, 1e-9, "look deeper"), (0.0, 0.9, "look deeper"), (-0.01, 1e-9, "do not ship")],
)
def test_users_who_fell_in_two_are_looked_at_unless_ctr_fell(
    effect: float, p_value: float, decision: str
) -> None:
    assert decide(effect, p_value, population=PARTED).decision == decision


def test_several_methods_without_an_effect_do_not_make_a_doubt() -> None:
    dull = [result(name, 0.501, 0.4) for name in ("mann_whitney", "cuped", "smoothed_ctr")]
    assert decide(0.001, 0.3, result("welch_ctr", 0.01, 0.02), *dull).decision == "do not ship"
    seen = (result("welch_ctr", 0.01, 0.005), *dull)
    assert decide(0.001, 0.3, *seen).decision == "look deeper"
    assert decide(0.001, 0.3, *seen, treatments=4).decision == "do not ship"


@pytest.mark.parametrize("name", ["cuped_ratio", "buckets_t", "buckets_rank", "poisson_bootstrap"])
def test_methods_of_the_same_question_do_not_contradict_the_one_that_decides(name: str) -> None:
    assert decide(0.01, 0.06, result(name, 0.6, 0.001)).decision == "do not ship"
    assert decide(0.01, 0.01, result(name, -0.01, 0.001)).decision == "ship"


def test_an_effect_in_likes_a_day_keeps_its_sign_and_order() -> None:
    found = verdicts.in_likes_a_day(result("delta_ratio", -0.02, 0.001), 1_000_000)
    assert found == pytest.approx((-20_000, -30_000, -10_000))


def test_two_populations_are_named_with_what_explains_them() -> None:
    found = Populations(0.23, 0.45, 0.1, 0.36, 550, 450)
    assert "One peak" in verdicts.population_sentence(2, None, None)
    unexplained = verdicts.population_sentence(2, found, 0.5)
    assert "45 % near 0.36 and 55 % near 0.10" in unexplained
    assert unexplained.endswith("No recorded attribute explains it.")
    assert "An attribute goes with it" in verdicts.population_sentence(2, found, 0.001)
    assert verdicts.population_sentence(2, found, None).endswith("0.10.")
