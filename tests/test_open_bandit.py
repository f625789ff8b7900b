"""Real experiment data: a fashion shop that recommended at random and by a bandit.

The log has no name of a user, only hashed features that many visitors share. The policy was drawn
anew for every impression, so the impression is the honest unit: a user with one view, whose CTR is
0 or 1. Every method of a ratio is then a comparison of two shares, whose closed form is known.
Impressions of one visitor may be alike, which nobody can see here. So everything is compared once
more with a coarser unit that no visitor of a day falls out of: all impressions of one day with the
same features. Such a unit has many views, and the methods of a ratio are no longer one.
"""

import csv
import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nbtools.bootstrap import poisson_bootstrap, replicates
from nbtools.cells import Cells, make_cells, sums_of_cells
from nbtools.comparisons import mann_whitney, welch_ctr
from nbtools.halftests import METHODS, columns_of
from nbtools.ratios import delta_ratio, linearized_likes

POLICIES = ("random", "bts")


class Log(NamedTuple):
    """Clicks of each impression, 0 or 1, by policy."""

    random: np.ndarray
    bandit: np.ndarray

    @property
    def cells(self) -> tuple[Cells, Cells]:
        """Impressions as users with one view: the random policy is the control."""
        control, treatment = (make_cells(np.ones_like(clicks), clicks) for clicks in self)
        return control, treatment


class Visitors(NamedTuple):
    """Views and clicks of each day's visitors with the same features."""

    views: np.ndarray
    clicks: np.ndarray

    @property
    def cells(self) -> Cells:
        """These units as users."""
        return make_cells(self.views, self.clicks)


@pytest.fixture(scope="module", params=["men", "women", "both"])
def log(realdata: Path, request: pytest.FixtureRequest) -> Log:
    """Return the impressions of a campaign."""
    campaigns = ["men", "women"] if request.param == "both" else [request.param]
    folder = realdata / "open_bandit"
    return Log(*(_clicks(folder, policy, campaigns) for policy in POLICIES))


@pytest.fixture(scope="module", params=["men", "women"])
def visitors(realdata: Path, request: pytest.FixtureRequest) -> tuple[Visitors, Visitors]:
    """Return the visitors of a campaign under the random policy, the control, and the bandit."""
    folder = realdata / "open_bandit"
    control, treatment = (_visitors(folder / f"{p}_{request.param}.csv.gz") for p in POLICIES)
    return control, treatment


def _visitors(path: Path) -> Visitors:
    rows = pd.read_csv(path)
    day = rows["timestamp"].str[:10]
    found = rows.groupby([day, *(f"user_feature_{i}" for i in range(4))])["click"]
    return Visitors(found.size().to_numpy(), found.sum().to_numpy())


def _clicks(folder: Path, policy: str, campaigns: list[str]) -> np.ndarray:
    found = []
    for campaign in campaigns:
        with gzip.open(folder / f"{policy}_{campaign}.csv.gz", "rt", encoding="utf-8") as lines:
            found += [int(row["click"]) for row in csv.DictReader(lines)]
    return np.array(found)


def _error(log: Log) -> float:
    """Return the standard error of the difference of two shares, with n - 1."""
    return math.sqrt(sum(p.mean() * (1 - p.mean()) / (len(p) - 1) for p in log))


def test_cells_of_impressions_are_the_two_outcomes(log: Log) -> None:
    for clicks, cells in zip(log, log.cells, strict=True):
        assert cells.likes.tolist() == [0, 1]
        assert cells.users.tolist() == [len(clicks) - clicks.sum(), clicks.sum()]


def test_delta_ratio_is_walds_interval_of_two_shares(log: Log) -> None:
    found = delta_ratio(*(sums_of_cells(cells) for cells in log.cells))
    effect, error = log.bandit.mean() - log.random.mean(), _error(log)
    assert found.estimate == pytest.approx(effect, rel=1e-9)
    ends = effect + np.array([-1, 1]) * stats.norm.isf(0.025) * error
    assert (found.lower, found.upper) == pytest.approx(tuple(ends), rel=1e-9)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(effect) / error), rel=1e-9)


def test_linearized_likes_are_clicks_less_the_share_of_the_control(log: Log) -> None:
    found = linearized_likes(*(sums_of_cells(cells) for cells in log.cells))
    less = [clicks - log.random.mean() for clicks in log]
    oracle = stats.ttest_ind(less[1], less[0], equal_var=False)
    interval = oracle.confidence_interval(0.95)
    assert found.estimate == pytest.approx(less[1].mean() - less[0].mean(), rel=1e-9)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx(tuple(interval), rel=1e-9)


def test_welch_of_impressions_is_scipys(log: Log) -> None:
    found = welch_ctr(*log.cells)
    oracle = stats.ttest_ind(log.bandit, log.random, equal_var=False)
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    interval = oracle.confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx(tuple(interval), rel=1e-9)


def test_mann_whitney_of_impressions_is_scipys(log: Log) -> None:
    found = mann_whitney(*log.cells)
    oracle = stats.mannwhitneyu(log.bandit, log.random, method="asymptotic")
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    # A click exceeds no click and everything else ties, so half the difference is what remains.
    effect = log.bandit.mean() - log.random.mean()
    assert found.estimate == pytest.approx(0.5 + effect / 2, rel=1e-12)


def test_the_test_of_proportions_is_the_chi_square_of_four_fields(log: Log) -> None:
    halves = [
        {name: np.array([column @ cells.users]) for name, column in columns_of(cells).items()}
        for cells in log.cells
    ]
    fields = [[clicks.sum(), len(clicks) - clicks.sum()] for clicks in log]
    oracle = stats.chi2_contingency(fields, correction=False)
    (p_value,) = METHODS["proportion_z"].p_values(*halves)
    assert p_value == pytest.approx(oracle.pvalue, rel=1e-9)


def test_poisson_bootstrap_is_the_limit_of_two_poisson_counts(log: Log) -> None:
    # With one view an impression, clicks and other impressions have independent Poisson weights,
    # so the law of a replicate's share is known and is summed here, clicks being few.
    found = poisson_bootstrap(*log.cells)
    for end, share in ((found.lower, 0.025), (found.upper, 0.975)):
        assert _probability(log, end) == pytest.approx(share, abs=1e-4)


def _probability(log: Log, difference: float) -> float:
    """Return the probability of a difference up to this, summed over the clicks."""
    (a, pa), (b, pb) = (_poisson(clicks.sum()) for clicks in log)
    others = [len(clicks) - clicks.sum() for clicks in log]
    # Other impressions are many, so their weights x and y are taken as normal at fixed clicks.
    # b / (b + y) <= q asks for y q >= b (1 - q), which never holds for q below zero.
    grid = np.linspace(-6, 6, 61)
    weight = stats.norm.pdf(grid) / stats.norm.pdf(grid).sum()
    total = 0.0
    for x, of_x in zip(others[0] + math.sqrt(others[0]) * grid, weight, strict=True):
        q = (a / (a + x) + difference)[:, None]
        above = (b * (1 - q) - q * others[1]) / (abs(q) * math.sqrt(others[1]))
        total += of_x * float(pa @ stats.norm.sf(above) @ pb)
    return total


def _poisson(mean: int) -> tuple[np.ndarray, np.ndarray]:
    counts = np.arange(max(0, int(mean - 9 * math.sqrt(mean))), int(mean + 9 * math.sqrt(mean)))
    return counts, stats.poisson.pmf(counts, mean)


@pytest.mark.parametrize(("campaign", "clicks"), [("men", (46, 69)), ("women", (46, 46))])
def test_the_bandit_sells_more_to_men_and_no_more_to_women(
    realdata: Path, campaign: str, clicks: tuple[int, int]
) -> None:
    log = Log(*(_clicks(realdata / "open_bandit", name, [campaign]) for name in POLICIES))
    assert tuple(int(policy.sum()) for policy in log) == clicks
    # Fisher's test needs no law of large numbers; it is a little careful, being discrete.
    exact = stats.fisher_exact([[count, 10_000 - count] for count in clicks]).pvalue
    sums = [sums_of_cells(cells) for cells in log.cells]
    ways = [
        delta_ratio(*sums),
        linearized_likes(*sums),
        welch_ctr(*log.cells),
        poisson_bootstrap(*log.cells),
    ]
    for found in ways:
        assert np.sign(found.estimate) == np.sign(clicks[1] - clicks[0])
        assert (found.p_value <= 0.05) == (exact <= 0.05) == (found.lower > 0)
        assert 0.6 * exact < found.p_value <= exact


def test_ratios_of_visitors_are_those_of_their_influence(
    visitors: tuple[Visitors, Visitors],
) -> None:
    control, treatment = visitors
    ctr = [group.clicks.sum() / group.views.sum() for group in visitors]
    # Deng, Knoblich and Lu (2018): the variance of what each unit adds to the ratio.
    added = [(g.clicks - r * g.views) / g.views.mean() for g, r in zip(visitors, ctr, strict=True)]
    error = math.sqrt(sum(x.var(ddof=1) / len(x) for x in added))
    sums = [sums_of_cells(group.cells) for group in visitors]
    delta = delta_ratio(*sums)
    assert delta.estimate == pytest.approx(ctr[1] - ctr[0], rel=1e-9)
    assert delta.upper - delta.lower == pytest.approx(2 * stats.norm.isf(0.025) * error, rel=1e-9)
    linear = linearized_likes(*sums)
    less = [group.clicks - ctr[0] * group.views for group in visitors]
    oracle = stats.ttest_ind(less[1], less[0], equal_var=False)
    assert linear.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    assert linear.estimate == pytest.approx(treatment.views.mean() * (ctr[1] - ctr[0]), rel=1e-9)
    assert control.views.max() > 50


def test_visitors_own_ctr_is_compared_as_scipy_does(visitors: tuple[Visitors, Visitors]) -> None:
    cells = [group.cells for group in visitors]
    control, treatment = (group.clicks / group.views for group in visitors)
    means = stats.ttest_ind(treatment, control, equal_var=False)
    assert welch_ctr(*cells).p_value == pytest.approx(means.pvalue, rel=1e-9)
    ranks = stats.mannwhitneyu(treatment, control, method="asymptotic")
    found = mann_whitney(*cells)
    assert found.p_value == pytest.approx(ranks.pvalue, rel=1e-9)
    assert found.estimate == pytest.approx(ranks.statistic / len(control) / len(treatment))


def test_the_bootstrap_of_visitors_is_the_limit_of_replicates(
    visitors: tuple[Visitors, Visitors],
) -> None:
    found = poisson_bootstrap(*(group.cells for group in visitors))
    rng, count = np.random.default_rng(0), 20_000
    control, treatment = (replicates(group.cells, count, rng) for group in visitors)
    drawn = treatment - control
    spread = 4 * math.sqrt(0.025 * 0.975 / count)
    assert np.mean(drawn <= found.lower) == pytest.approx(0.025, abs=spread)
    assert np.mean(drawn > found.upper) == pytest.approx(0.025, abs=spread)
