"""The AA test on the demo history: sizes, re-splits by a hash, honesty, smallest effects."""

import itertools
from collections.abc import Iterator
from datetime import date
from functools import reduce

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nbtools import aa, aa_pages, experiments, messages, ratios, splitting, studies, warehouse
from nbtools.cells import pool_sums, sums_of_users
from nbtools.parameters import AaTest
from nbtools.settings import Settings
from nbtools.studies import Halves, Study
from tests.groups import draw_cells, draw_columns, draw_sums

FIRST, LAST = date(2022, 12, 25), date(2022, 12, 31)
METHODS = {
    "welch_ctr",
    "mann_whitney",
    "delta_ratio",
    "linearized_likes",
    "smoothed_ctr",
    "buckets_t",
    "buckets_rank",
    "poisson_bootstrap",
    "cuped",
}


@pytest.fixture(scope="module")
def analysis(demo_home: Settings) -> aa.Analysis:
    params = AaTest(
        title="AA", start_date=FIRST, end_date=LAST, groups=(2, 3, 4), draws=1_000, salts=512
    )
    with warehouse.open_source(demo_home) as source:
        return aa.analyse(source, params, tz="Europe/Moscow")


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_a_sound_splitter_is_called_sound(analysis: aa.Analysis) -> None:
    assert aa.is_sound(analysis) == []
    assert aa.figures(analysis)["verdict"] == "sound"
    assert "The splitting system is sound." in aa_pages.verdict(analysis).data


def test_the_key_figures_have_every_method(analysis: aa.Analysis) -> None:
    figures = aa.figures(analysis)
    for name in METHODS:
        for part in ("false_positive_rate", "ks_p_value"):
            assert 0 <= float(figures[f"{name}.{part}"] or 0) <= 1
    share = (analysis.subsamples <= 0.05).mean()
    assert figures["subsample_share"] == pytest.approx(share)


def test_views_are_no_users_and_own_priors_no_common_ones(analysis: aa.Analysis) -> None:
    dishonest = {name for name, rate in analysis.rates.items() if not experiments.is_honest(rate)}
    assert dishonest == {"proportion_z", "smoothed_ctr_own"}
    assert analysis.rates["proportion_z"].rate > 0.1
    table = aa.honesty_table(analysis.rates, analysis.powers)
    assert table.index[-1] == "Views as if independent, z-test"
    assert table["Honest"].tolist().count("no") == 2


def test_each_fault_of_a_splitter_is_told(analysis: aa.Analysis) -> None:
    rows = analysis.study.rows.copy()
    rows.loc[rows["part"] == "total", "users_in_two_groups"] = 2
    overlap = analysis._replace(study=analysis.study._replace(rows=rows))
    assert aa.is_sound(overlap) == [f"{2 * len(overlap.study.groups)} users were in two groups."]
    uneven = analysis.sizes.copy()
    uneven.loc[("os", "iOS"), "adjusted_p"] = 1e-5
    assert aa.is_sound(analysis._replace(sizes=uneven)) == ["The sizes are off: OS iOS."]
    salted = analysis.salted | {"independence": analysis.salted["independence"] / 4}
    (fault,) = aa.is_sound(analysis._replace(salted=salted))
    assert fault.startswith("Under other salts, Two experiments at once: rejects")
    assert "not sound" in aa_pages.verdict(overlap).data


def test_a_third_group_that_differs_is_found(analysis: aa.Analysis) -> None:
    rows = analysis.study.rows.copy()
    third = (rows["part"] == "total") & (rows["exp_group"] == 4)
    for name, factor in (("likes", 2), ("likes__views", 2), ("likes__likes", 4)):
        rows.loc[third, name] *= factor
    (fault,) = aa.is_sound(analysis._replace(study=analysis.study._replace(rows=rows)))
    assert fault.startswith("The groups differ in CTR though nothing was done")


def test_sizes_are_chi_squares_of_the_users(analysis: aa.Analysis) -> None:
    for part in ("total", "os", "age"):
        for value, counts in analysis.study.sizes(part).iterrows():
            expected = stats.chisquare(counts).pvalue
            assert analysis.sizes.loc[(part, str(value)), "p_value"] == pytest.approx(expected)
    assert (analysis.sizes["adjusted_p"] >= analysis.sizes["p_value"]).all()
    assert not analysis.sizes.isna().to_numpy().any()
    table = aa.sizes_table(analysis.sizes)
    assert set(table.index) == {
        messages.part(name) for name in ("total", "first_day", *studies.SEGMENTS)
    }
    assert (table["Sound"] == "yes").all()


def test_groups_of_unequal_size_are_held_to_the_sizes_that_were_meant() -> None:
    rows = pd.DataFrame(
        {"part": "total", "value": "", "exp_group": [0, 1, 2], "users": [5_000, 5_050, 10_020]}
    )
    for column in ("likes", "views", "likes_before", "views_before"):
        rows[column] = 1
    products = itertools.combinations_with_replacement(studies.COLUMNS, 2)
    rows = rows.assign(**{"__".join(pair): 1 for pair in products})
    for part in ("first_day", *studies.SEGMENTS):
        rows = pd.concat([rows, rows[rows["part"] == "total"].assign(part=part, value="x")])
    study = Study(FIRST, LAST, 7, rows)
    assert aa.sizes(study)["p_value"].max() < 1e-100
    meant = {2: 2.0}
    found = aa.sizes(study, meant).loc[("total", ""), "p_value"]
    expected = stats.chisquare([5_000, 5_050, 10_020], np.array([1, 1, 2]) * 20_070 / 4).pvalue
    assert found == pytest.approx(expected)
    double = aa.share_intervals(study, meant)[2]
    assert double.estimate == pytest.approx(10_020 / 10_035)
    assert double.lower < 1 < double.upper


def halves_of(columns: dict[str, np.ndarray], first: np.ndarray) -> Halves:
    """Return what the engine sums up of some users, and of the halves of rows of zeros and ones."""
    x, v, y, w = (columns[name] for name in ("likes", "views", "likes_before", "views_before"))
    each = {"one": np.ones(len(x)), "views": v, "likes": x, "likes2": x * x, "likes_views": x * v}
    each |= {"views2": v * v, "ctr": x / v, "ctr2": (x / v) ** 2, "before": y, "before2": y * y}
    each |= {"likes_before": x * y, "views_before": w, "views_before2": w * w}
    each |= {"likes_views_before": x * w, "views_likes_before": v * y}
    each |= {"views_views_before": v * w, "likes_before_views_before": y * w}
    sums = {name: first @ values for name, values in each.items()}
    after = np.append((first[:-1] * first[1:]).sum(axis=1).astype(float), np.nan)
    everyone = {name: float(values.sum()) for name, values in each.items()}
    everyone["also_next"] = float(len(x))
    return Halves(everyone, sums | {"also_next": after})


def test_tests_of_salted_halves_are_those_of_their_users() -> None:
    columns = draw_columns(900, 3)
    first = np.random.default_rng(4).integers(0, 2, (6, 900))
    found = aa.resalted(halves_of(columns, first))
    for place, half in enumerate(first.astype(bool)):
        control, treated = (
            sums_of_users({name: column[rows] for name, column in columns.items()})
            for rows in (~half, half)
        )
        expected = {
            "delta_ratio": ratios.delta_ratio(control, treated),
            "linearized_likes": ratios.linearized_likes(control, treated),
            "cuped": ratios.cuped(control, treated),
        }
        for name, result in expected.items():
            assert found[name][place] == pytest.approx(result.p_value, rel=1e-6), name
        # The slope of all users is taken as they stand, here and there.
        result = ratios.cuped_ratio(control, treated)
        assert found["cuped_ratio"][place] == pytest.approx(result.p_value, rel=1e-6)
        even = stats.chisquare([half.sum(), (~half).sum()]).pvalue
        assert found["sample_ratio"][place] == pytest.approx(even)
    for place in range(5):
        table = pd.crosstab(first[place], first[place + 1])
        expected_p = stats.chi2_contingency(table, correction=False).pvalue
        assert found["independence"][place] == pytest.approx(expected_p)
    assert len(found["independence"]) == 5


def test_splits_that_know_of_each_other_are_told() -> None:
    columns = draw_columns(900, 3)
    first = np.random.default_rng(4).integers(0, 2, (64, 900))
    first[1::2] = first[::2]
    rate = splitting.error_rate(aa.resalted(halves_of(columns, first))["independence"])
    assert rate.rate > 0.4
    assert not experiments.is_honest(rate)


@pytest.mark.parametrize(
    ("rejections", "tests", "honest"),
    [(500, 10_000, True), (620, 10_000, True), (700, 10_000, False), (0, 300, True)],
)
def test_a_test_is_honest_unless_it_rejects_too_often_beyond_doubt(
    rejections: int, tests: int, *, honest: bool
) -> None:
    p_values = np.full(tests, 0.5)
    p_values[:rejections] = 0.01
    assert experiments.is_honest(splitting.error_rate(p_values)) is honest


def test_a_draw_takes_at_most_half_of_the_smaller_group() -> None:
    small, large = draw_cells(99, 1), draw_cells(5_000, 2)
    assert aa.subsample_size(500, large, large) == 500
    assert aa.subsample_size(500, large, small) == 49


def test_more_users_and_their_past_show_smaller_effects() -> None:
    found = aa.reach(draw_sums(4_000, 5), (1_000, 4_000, 100_000))
    assert (found.diff().dropna() < 0).to_numpy().all()
    for name in ("CTR", "Likes per user", "Views per user"):
        assert (found[f"{name}, with CUPED"] < found[name]).all()
    # Four times the users show half the effect.
    assert found["CTR"].iloc[0] / found["CTR"].iloc[1] == pytest.approx(2, rel=0.01)
    assert aa.reach_table(found).index.tolist()[-1] == "100\N{NARROW NO-BREAK SPACE}000"


def test_users_without_a_past_have_a_reach_without_it() -> None:
    fresh = draw_columns(2_000, 6)
    fresh |= {name: np.zeros(2_000, dtype=np.int64) for name in ("likes_before", "views_before")}
    found = aa.reach(sums_of_users(fresh), (1_000,))
    assert list(found) == ["CTR", "Likes per user", "Views per user"]
    assert not found.isna().to_numpy().any()


def test_the_smallest_effect_is_found_in_four_of_five_experiments() -> None:
    pooled = pool_sums(draw_sums(3_000, 7), draw_sums(3_000, 8))
    uplift = aa.reach(pooled, (6_000,))["CTR"].to_numpy(dtype=float)[0]
    _, powers = aa.honesty_rates(draw_cells(6_000, 9))
    assert 0.05 < powers["delta_ratio"] < 0.8  # of one per cent
    assert uplift > aa.UPLIFT


def test_the_smallest_effect_shrinks_with_the_days_to_that_of_the_window(
    analysis: aa.Analysis,
) -> None:
    found = analysis.reach_by_days
    assert list(found.index) == list(range(1, 8))
    assert (found.diff().iloc[1:] < 0).all().all()
    sums = reduce(pool_sums, (analysis.study.sums(group) for group in analysis.groups))
    whole = aa.reach(sums, (sums.users,)).iloc[0]
    assert found.iloc[-1].to_dict() == pytest.approx(whole.to_dict())
    title = aa_pages.reach_by_days(analysis).axes[0].get_title(loc="left")
    assert title.startswith("After 7 days")
    plt.close("all")


def test_tiny_studies_have_sizes(analysis: aa.Analysis) -> None:
    rows = analysis.study.rows.copy()
    rows["users"] = 1
    study = Study(FIRST, LAST, 7, rows)
    found = aa.sizes(study)
    assert ("total", "") in found.index


def test_the_page_has_its_tables_and_pictures(analysis: aa.Analysis) -> None:
    assert len(aa.share_intervals(analysis.study)) == 5
    assert "5 of 5 groups" in aa_pages.shares(analysis).axes[0].get_title(loc="left")
    assert len(aa_pages.alike(analysis)) == len(analysis.pair.found)
    simulations = aa_pages.simulations(analysis, analysis.draw_users).data
    assert simulations.count("<td>1\N{NARROW NO-BREAK SPACE}000</td>") == 2
    assert "not 500" not in simulations
    assert "not 500000" in aa_pages.simulations(analysis, 500_000).data
    salts = aa_pages.salts(analysis)
    assert {"Sample ratio", "Two experiments at once", "Linearized likes"} <= set(salts.index)
    assert len(aa_pages.histograms(analysis).axes) == 2
    honest = aa_pages.honesty(analysis).axes[0].get_title(loc="left")
    assert (
        honest
        == f"{len(analysis.rates) - 2} of {len(analysis.rates)} tests reject as often as they say"
    )
    assert len(aa_pages.reach(analysis).axes[0].lines) == analysis.reach.shape[1]
    tests = aa_pages.tests(analysis).data
    left_out = [name for name in experiments.METHODS if name not in analysis.rates]
    assert ("Left out" in tests) == bool(left_out)
    for table in (salts, aa_pages.alike(analysis), aa.reach_table(analysis.reach)):
        assert not table.isna().to_numpy().any()
        assert "nan" not in table.to_string()
