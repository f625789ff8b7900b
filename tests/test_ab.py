"""An experiment on the demo history from its events to its page, against scipy on its users."""

import math
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from nbtools import ab, ab_pages, experiments, linearized, messages, ratios, warehouse
from nbtools.experiments import METHODS
from nbtools.inference import Comparison
from nbtools.parameters import AbTest
from nbtools.settings import Settings
from nbtools.splitting import ErrorRate
from nbtools.verdicts import Verdict
from tests.demo_events import rows

FIRST, LAST = date(2023, 1, 1), date(2023, 1, 7)
HONEST = ErrorRate(10_000, 500, 0.05, 0.046, 0.054, 0.5)
DISHONEST = ErrorRate(10_000, 2_000, 0.2, 0.19, 0.21, 0.0)


class Found(NamedTuple):
    """The analysis of groups 2 and 3 against 1, and the users it is about."""

    analysis: ab.Analysis
    users: pd.DataFrame

    def of(self, group: int) -> pd.DataFrame:
        return self.users[self.users["exp_group"] == group]


@pytest.fixture(scope="module")
def found(demo_home: Settings) -> Iterator[Found]:
    params = AbTest(title="Two", start_date=FIRST, end_date=LAST, control=1, treatments=(2, 3))
    users = rows(
        demo_home,
        "SELECT user_id, any(exp_group) AS exp_group, countIf(action = 'view') AS views,"
        " countIf(action = 'like') AS likes, xxHash64(user_id) % 50 AS bucket"
        " FROM app.feed_actions WHERE toDate(time, 'Europe/Moscow') BETWEEN '2023-01-01' AND"
        " '2023-01-07' GROUP BY user_id HAVING views > 0",
    )
    users["ctr"] = users["likes"] / users["views"]
    with warehouse.open_source(demo_home) as source:
        yield Found(ab.analyse(source, params, tz="Europe/Moscow"), users)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("group", [2, 3])
def test_every_method_is_scipys_on_the_users(found: Found, group: int) -> None:
    control, treated = found.of(1), found.of(group)
    k = control["likes"].sum() / control["views"].sum()
    linear = [users["likes"] - k * users["views"] for users in (treated, control)]
    smooth = [(users["likes"] + 5 * k) / (users["views"] + 5) for users in (treated, control)]
    buckets = [users.groupby("bucket")[["likes", "views"]].sum() for users in (treated, control)]
    ctrs = [of_group["likes"] / of_group["views"] for of_group in buckets]
    ranks = stats.mannwhitneyu(treated["ctr"], control["ctr"])
    expected = {
        "welch_ctr": stats.ttest_ind(treated["ctr"], control["ctr"], equal_var=False).pvalue,
        "mann_whitney": ranks.pvalue,
        "linearized_likes": stats.ttest_ind(*linear, equal_var=False).pvalue,
        "smoothed_ctr": stats.ttest_ind(*smooth, equal_var=False).pvalue,
        "buckets_t": stats.ttest_ind(*ctrs, equal_var=False).pvalue,
        "buckets_rank": stats.mannwhitneyu(*ctrs).pvalue,
    }
    figures = ab.figures(found.analysis)
    for name, p_value in expected.items():
        assert figures[f"group_{group}.{name}.p_value"] == pytest.approx(p_value, rel=1e-9), name
    assert figures[f"group_{group}.mann_whitney.estimate"] == pytest.approx(
        ranks.statistic / len(treated) / len(control)
    )
    assert figures[f"group_{group}.users"] == len(treated)


def test_the_key_figures_have_every_method_and_nothing_undefined(found: Found) -> None:
    figures = ab.figures(found.analysis)
    parts = {f"{name}.{part}" for name in METHODS for part in ("estimate", "lower", "upper")}
    parts |= {f"{name}.p_value" for name in METHODS} | {"verdict", "likes_a_day", "users"}
    assert set(figures) == {f"group_{group}.{part}" for group in (2, 3) for part in parts}
    assert all(
        isinstance(value, str) or (value is not None and math.isfinite(value))
        for value in figures.values()
    )
    for name in METHODS:
        front = f"group_2.{name}"
        lower, estimate, upper = (figures[f"{front}.{k}"] for k in ("lower", "estimate", "upper"))
        assert float(lower or 0) < float(estimate or 0) < float(upper or 0)


def test_one_treatment_has_figures_without_a_group(found: Found) -> None:
    one = found.analysis._replace(outcomes=found.analysis.outcomes[:1])
    assert {"verdict", "welch_ctr.p_value", "likes_a_day"} <= set(ab.figures(one))


def test_two_treatments_are_corrected_by_holm(found: Found) -> None:
    raw = [o.pair.found["linearized_likes"].p_value for o in found.analysis.outcomes]
    low, high = sorted(raw)
    corrected = sorted(outcome.corrected_p for outcome in found.analysis.outcomes)
    assert corrected == pytest.approx([2 * low, max(2 * low, high)])


def test_the_two_peaks_of_group_2_are_found_and_unexplained(found: Found) -> None:
    two, three = found.analysis.outcomes
    assert three.population is None
    assert two.population is not None
    assert two.population.share_above == pytest.approx(0.45, abs=0.06)
    assert two.population.ctr_above == pytest.approx(0.36, abs=0.02)
    assert two.population.ctr_below == pytest.approx(0.10, abs=0.02)
    above = (found.of(2)["ctr"] > two.population.threshold).sum()
    assert two.population.users_above == above
    assert two.verdict.decision != "ship"
    lines = ab.sentences(found.analysis, two)
    assert any("No recorded attribute explains it." in line for line in lines)
    assert any("look for what divides them" in line for line in lines)


def test_the_effect_in_likes_a_day_is_that_of_all_views(found: Found) -> None:
    control, treated = (
        found.of(group)["likes"].sum() / found.of(group)["views"].sum() for group in (1, 3)
    )
    expected = float((treated - control) * found.users["views"].sum() / 7)
    three = found.analysis.outcomes[1]
    assert three.likes_a_day[0] == pytest.approx(expected)
    assert messages.signed(expected, 0) in ab.sentences(found.analysis, three)[2]


def test_an_invalid_experiment_promises_nothing(found: Found) -> None:
    bad = found.analysis.outcomes[0]._replace(
        verdict=Verdict("invalid", "The experiment is invalid: x failed.", ("x: p = 0.",))
    )
    assert ab.sentences(found.analysis, bad) == [
        "The experiment is invalid: x failed.",
        "x: p = 0.",
    ]


def test_no_effect_is_told_with_the_effect_that_would_have_been_found(found: Found) -> None:
    one = found.analysis.outcomes[0]._replace(corrected_p=0.3)
    (line,) = [s for s in ab.sentences(found.analysis, one) if "may have been missed" in s]
    control, treated = (found.analysis.study.sums(group) for group in (1, 2))
    # The classic formula: 1.96 and 0.84 standard errors, each group with the control's variance.
    variance = ratios.moments_of(control).variance
    error = math.sqrt(variance * (1 / control.users + 1 / treated.users))
    assert f"{100 * 2.8016 * error:.2f}" in line
    assert not any("missed" in s for s in ab.sentences(found.analysis, one._replace(corrected_p=0)))


def test_a_changed_verdict_is_a_new_message_and_the_same_one_is_not(found: Found) -> None:
    draft = ab.message("A title", found.analysis)
    assert ab.message("A title", found.analysis).part == draft.part
    one, *others = found.analysis.outcomes
    changed = one._replace(verdict=one.verdict._replace(decision="invalid"))
    other = found.analysis._replace(outcomes=(changed, *others))
    assert ab.message("A title", other).part != draft.part


def test_a_dishonest_method_is_named_and_hollow(found: Found) -> None:
    analysis = found.analysis._replace(rates={"welch_ctr": DISHONEST, "mann_whitney": DISHONEST})
    assert "not counted: " in ab.sentences(analysis, analysis.outcomes[0])[-1]
    pair = analysis.outcomes[0].pair.found
    shown = experiments.relative_intervals(pair, analysis.rates)
    shown += experiments.probability_intervals(pair, analysis.rates)
    hollow = {row.label for row in shown if not row.solid}
    assert hollow == {METHODS["welch_ctr"].label, METHODS["mann_whitney"].label}
    titles = list(ab_pages.forests(analysis))
    assert any("of 7 honest methods see an effect" in title for title in titles)


def test_the_table_of_results_says_what_each_method_asks_and_whether_it_is_honest(
    found: Found,
) -> None:
    rates = {"welch_ctr": HONEST, "mann_whitney": DISHONEST}
    pair = found.analysis.outcomes[0].pair.found
    table = experiments.results_table(pair, rates, alpha=0.1)
    assert list(table.index) == [METHODS[name].label for name in pair]
    assert "90 % interval" in list(table)
    honest = dict(zip(pair, map(str, table["Honest here"]), strict=True))
    assert honest["welch_ctr"].startswith("yes, 5.0")
    assert honest["mann_whitney"].startswith("no, 20.0")
    assert honest["cuped"] == messages.MISSING
    assert table["Asks"].str.endswith(("?", ".")).all()
    assert table.loc[METHODS["mann_whitney"].label, "Relative"] == messages.MISSING


def test_the_bootstrap_says_where_its_p_value_ends() -> None:
    least = Comparison("x", 0.1, 0.09, 0.11, 1e-9, 0.5, 0.4, 0.6, 0.2, 0.3, 99, 99)
    table = experiments.results_table({"poisson_bootstrap": least, "delta_ratio": least}, {})
    assert table["p"].tolist() == ["< 1e-9", "1e-9"]


def test_methods_that_the_data_do_not_allow_are_left_out_with_the_reason(found: Found) -> None:
    lost = found.analysis.study.rows.copy()
    for name in [str(column) for column in lost if "before" in str(column)]:
        lost[name] = 0
    study = found.analysis.study._replace(rows=lost[lost["part"] != "bucket"])
    buckets = lost[lost["part"] == "bucket"].assign(views=0)
    study = study._replace(rows=pd.concat([study.rows, buckets]))
    pair = experiments.compare(study, 1, 2)
    assert set(pair.left_out) == {"cuped", "cuped_ratio", "buckets_t", "buckets_rank"}
    assert "have no views" in pair.left_out["buckets_t"]
    assert set(pair.found) == set(METHODS) - set(pair.left_out)


def test_the_groups_are_described_as_pandas_does(found: Found) -> None:
    table = experiments.groups_table(found.analysis.study, [1, 2])
    users = found.of(2)
    column = table["Group 2"].to_dict()
    assert column["Users"] == messages.count(len(users))
    assert column["Mean CTR of a user"] == f"{users['ctr'].mean():.4f}"
    assert column["Standard deviation"] == f"{users['ctr'].std():.4f}"
    assert column["Global CTR"] == f"{users['likes'].sum() / users['views'].sum():.4f}"
    middle = np.quantile(users["ctr"], 0.5, method="inverted_cdf")
    assert column["Median"] == f"{middle:.3f}"


def test_both_sides_of_the_identity_are_equal(found: Found) -> None:
    for outcome in found.analysis.outcomes:
        values = linearized.identity(found.analysis, outcome)["Value"].astype(float)
        assert values.iloc[0] == pytest.approx(values.iloc[1], abs=2e-9)
        assert values.iloc[0] != 0
        effect = outcome.pair.found["delta_ratio"].estimate
        assert np.sign(linearized.signal(outcome.pair.found["linearized_likes"])) == np.sign(effect)


def test_the_control_has_no_linearized_likes(found: Found) -> None:
    table = linearized.table(found.analysis, found.analysis.outcomes[1])
    assert table["Mean linearized likes"].iloc[0] == "±0.0000"
    assert table.index.tolist() == ["1, control", "3, treated", "difference"]
    effect = found.analysis.outcomes[1].pair.found["linearized_likes"].estimate
    assert table["Mean linearized likes"].iloc[1] == messages.signed(effect, 4)


def test_the_clearest_method_comes_first_whatever_its_sign(found: Found) -> None:
    for outcome in found.analysis.outcomes:
        table = linearized.sensitivity(outcome)
        signals = [float(text.replace(messages.MINUS, "-")) for text in table["Signal"]]
        assert [abs(x) for x in signals] == sorted((abs(x) for x in signals), reverse=True)
    assert (
        linearized.sensitivity(found.analysis.outcomes[0]).index[0] == "CTR of a user, Mann-Whitney"
    )


def test_metrics_beside_ctr_are_welchs_tests(found: Found) -> None:
    outcome = found.analysis.outcomes[1]
    table = ab.metrics_table(found.analysis, outcome, ("likes", "views"))
    raw = [
        stats.ttest_ind(found.of(3)[name], found.of(1)[name], equal_var=False).pvalue
        for name in ("likes", "views")
    ]
    low, high = sorted(raw)
    assert sorted(table["p, corrected"]) == sorted(
        experiments.p_text(p) for p in (min(1, 2 * low), min(1, max(2 * low, high)))
    )


def test_a_page_has_its_pictures_and_the_message_carries_them(found: Found) -> None:
    pictures: dict[str, Figure] = {"Distribution": ab_pages.distribution(found.analysis)}
    pictures |= ab_pages.forests(found.analysis)
    assert len(pictures) == 5
    assert "Group 2 has fallen into two populations" in pictures["Distribution"].axes[0].get_title(
        loc="left"
    )
    draft = ab_pages.message("The title", found.analysis, pictures)
    assert len(draft.pictures) == 5
    assert draft.title.startswith("The title, 1\N{NO-BREAK SPACE}Jan")
    assert "Group 2 against 1:" in draft.text
    assert "Group 3 against 1:" in draft.text


def test_the_other_parts_of_the_page_name_each_treatment(found: Found) -> None:
    for part in (ab_pages.results, ab_pages.linearized, ab_pages.sensitivity, ab_pages.verdict):
        shown = part(found.analysis).data
        assert "Group 2" in shown
        assert "Group 3" in shown
        assert "nan" not in shown
    assert "fixed interval" in ab_pages.courses(found.analysis).data
    assert len(plt.get_fignums()) == 2
    assert "is not seen to depend" in ab_pages.segments(found.analysis).data
    assert ab_pages.guards(found.analysis).data.count("yes") == 6
