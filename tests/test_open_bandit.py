"""Real experiment data: a fashion shop that recommended at random and by a bandit.

The log has no name of a user, only hashed features that many visitors share. The policy was drawn
anew for every impression, so the impression is the honest unit: a user with one view, whose CTR is
0 or 1. Every method of a ratio is then a comparison of two shares, whose closed form is known.
Impressions of one visitor may be alike, which nobody can see here, so real intervals are wider.
"""

import csv
import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from nbtools.bootstrap import poisson_bootstrap
from nbtools.cells import Cells, make_cells, sums_of_cells
from nbtools.comparisons import welch_ctr
from nbtools.ratios import delta_ratio, linearized_likes


class Log(NamedTuple):
    """Clicks of each impression, 0 or 1, by policy."""

    random: np.ndarray
    bandit: np.ndarray

    @property
    def cells(self) -> tuple[Cells, Cells]:
        """Impressions as users with one view: the random policy is the control."""
        control, treatment = (make_cells(np.ones_like(clicks), clicks) for clicks in self)
        return control, treatment


@pytest.fixture(scope="module", params=["men", "women", "both"])
def log(realdata: Path, request: pytest.FixtureRequest) -> Log:
    """Return the impressions of a campaign."""
    campaigns = ["men", "women"] if request.param == "both" else [request.param]
    folder = realdata / "open_bandit"
    return Log(*(_clicks(folder, policy, campaigns) for policy in ("random", "bts")))


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
