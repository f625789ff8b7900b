"""Is the splitting system sound? Sizes, re-splits, the honesty of the tests, their reach.

`splitting` and `honesty` have the statistics; here they are put to the users of a study, and
into tables that a page shows.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from nbtools import experiments, halftests, honesty, messages, power, ratios, splitting, studies
from nbtools.cells import Cells, Sums, pool_cells, pool_sums, sums_of_row
from nbtools.errors import SampleError
from nbtools.experiment_charts import Interval
from nbtools.experiments import SPLITS, Pair, p_text
from nbtools.guards import LEVEL
from nbtools.handover import Figure
from nbtools.inference import Moments, adjusted
from nbtools.parameters import AaTest
from nbtools.splitting import ErrorRate
from nbtools.studies import SEGMENTS, Halves, Study
from nbtools.user_days import UserDays
from nbtools.warehouse import Connection

Real = NDArray[np.float64]

# What the power of the tests is tried on.
UPLIFT = 0.01
_RANK_SPLITS = 1_000
_NOW = ("likes", "views")
_REACH_USERS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
# The methods whose false alarms only the re-salted splits tell.
WITH_A_PAST = ("cuped", "cuped_ratio")
_LABELS = {
    "sample_ratio": "Sample ratio",
    "independence": "Two experiments at once",
    "proportion_z": "Views as if independent, z-test",
    "smoothed_ctr_own": "Smoothed CTR, each group's own CTR",
} | {name: method.label for name, method in experiments.METHODS.items()}


class Analysis(NamedTuple):
    """A whole AA test.

    Attributes
    ----------
    study : Study
        The users of its window.
    groups : tuple of int
        Groups treated alike.
    alpha : float
        Level of the tests.
    weights : dict of int to float
        What the sizes are meant to be proportional to; 1 for a group that is not named.
    sizes : DataFrame
        From `sizes`.
    pair : Pair
        The first two groups under every method.
    draw_users : int
        Users of each group in a draw of the usual simulation.
    subsamples, fresh : ndarray of float64
        P-values of Welch's test on user CTR: in subsamples of the fixed groups, and on fresh
        re-splits of the pooled users.
    salted : dict of str to ndarray of float64
        From `resalted`.
    rates : dict of str to ErrorRate
        False alarms of each method.
    powers : dict of str to float
        How often each finds `UPLIFT`.
    reach : DataFrame
        From `reach`.
    reach_by_days : DataFrame
        From `reach_by_days`.
    """

    study: Study
    groups: tuple[int, ...]
    alpha: float
    weights: dict[int, float]
    sizes: pd.DataFrame
    pair: Pair
    draw_users: int
    subsamples: Real
    fresh: Real
    salted: dict[str, Real]
    rates: dict[str, ErrorRate]
    powers: dict[str, float]
    reach: pd.DataFrame
    reach_by_days: pd.DataFrame


def analyse(source: Connection | UserDays, params: AaTest, *, tz: str) -> Analysis:
    """Analyse an AA test.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    params : AaTest
        Window, groups and sizes of the simulations.
    tz : str
        The app's time zone.

    Returns
    -------
    Analysis
        Everything that the page shows.

    Raises
    ------
    NoDataError
        If a group has no users.
    SampleError
        If there are too few users to split.
    """
    window = params.start_date, params.end_date
    study = studies.load(source, *window, tz=tz, before_days=params.before_days)
    halves = studies.resplit(
        source,
        window,
        params.groups,
        studies.salts(params.salts, params.seed),
        tz=tz,
        before_days=params.before_days,
    )
    cells = [study.cells(group) for group in params.groups]
    pooled = pool_cells(*cells)
    size = subsample_size(params.draw_users, *cells[:2])
    subsamples = splitting.subsample_p_values(
        *cells[:2], size=size, draws=params.draws, seed=params.seed
    )
    fresh = honesty.split_p_values(
        pooled, splits=params.draws, seed=params.seed, methods=("welch_ctr",)
    )["welch_ctr"]
    rates, powers = honesty_rates(pooled, alpha=params.alpha, seed=params.seed)
    salted = resalted(halves)
    rates |= {
        name: splitting.error_rate(salted[name], alpha=params.alpha)
        for name in WITH_A_PAST
        if name in salted
    }
    sums = reduce(pool_sums, (study.sums(group) for group in params.groups))
    return Analysis(
        study,
        params.groups,
        params.alpha,
        params.weights,
        sizes(study, params.weights),
        experiments.compare(study, *params.groups[:2], alpha=params.alpha),
        size,
        subsamples,
        fresh,
        salted,
        rates,
        powers,
        reach(sums, _REACH_USERS, alpha=params.alpha),
        reach_by_days(
            studies.days(source, *window, tz=tz), sums, params.groups, alpha=params.alpha
        ),
    )


def is_sound(analysis: Analysis) -> list[str]:
    """Return what speaks against the splitter, nothing if it is sound.

    Parameters
    ----------
    analysis : Analysis
        Of the AA test.

    Returns
    -------
    list of str
        A sentence for each fault: users in two groups, sizes that are off, tests that reject
        too often on splits by the real hash, splits that know of each other.
    """
    faults = []
    if count := analysis.study.users_in_two_groups:
        faults.append(f"{count} users were in two groups.")
    uneven = analysis.sizes[analysis.sizes["adjusted_p"] < LEVEL]
    faults += [
        f"The sizes are off: {messages.part(part)} {messages.attribute(part, value)}".strip() + "."
        for part, value in uneven.index
    ]
    for name, p_values in analysis.salted.items():
        rate = splitting.error_rate(p_values, alpha=analysis.alpha)
        if not experiments.is_honest(rate, alpha=analysis.alpha):
            faults.append(f"Under other salts, {label(name)}: rejects {_percent(rate.rate)}.")
    if (p := _least_alike(analysis)) < LEVEL:
        faults.append(f"The groups differ in CTR though nothing was done: p = {p_text(p)}.")
    return faults


def _least_alike(analysis: Analysis) -> float:
    """Return the smallest p-value of a group's global CTR against the first one's."""
    first, *others = (analysis.study.sums(group) for group in analysis.groups)
    return min(adjusted([ratios.delta_ratio(first, other).p_value for other in others]))


def figures(analysis: Analysis) -> dict[str, Figure]:
    """Return the key figures of an AA test."""
    found: dict[str, Figure] = {"verdict": "not sound" if is_sound(analysis) else "sound"}
    for name, rate in analysis.rates.items():
        found[f"{name}.false_positive_rate"] = rate.rate
        found[f"{name}.ks_p_value"] = rate.ks_p_value
    found["subsample_share"] = float((analysis.subsamples <= analysis.alpha).mean())
    found["resplit_share"] = float((analysis.fresh <= analysis.alpha).mean())
    return found


def sizes(study: Study, weights: Mapping[int, float] | None = None) -> pd.DataFrame:
    """Return the sample ratio test of all groups, in total and in every part of the audience.

    Parameters
    ----------
    study : Study
        The users of the window.
    weights : mapping of int to float, optional
        What the sizes are meant to be proportional to; 1 for a group that is not named.

    Returns
    -------
    DataFrame
        Indexed by part and value: users by group, ``p_value``, and ``adjusted_p`` by Holm's
        rule over all rows. Values with fewer than five users a group on average are left out.
    """
    meant = {group: (weights or {}).get(group, 1.0) for group in study.groups}
    rows = []
    for part in ("total", "first_day", *SEGMENTS):
        table = study.sizes(part)
        for value, counts in table.iterrows():
            if part != "total" and counts.sum() < 5 * len(counts):
                continue
            users = {group: int(counts[group]) for group in study.groups}
            found = splitting.sample_ratio(users, meant)
            rows.append(
                {"part": part, "value": str(value), "p_value": found.p_value, **dict(counts)}
            )
    frame = pd.DataFrame(rows)
    frame["adjusted_p"] = adjusted(list(frame["p_value"]))
    return frame.set_index(["part", "value"])


def sizes_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return, as people read it, one row a part of the audience: its worst value.

    Parameters
    ----------
    found : DataFrame
        From `sizes`.
    """
    rows = []
    for part, values in found.groupby(level="part", sort=False):
        row = values.reset_index().sort_values("p_value").iloc[0]
        rows.append(
            {
                "Divided by": messages.part(str(part)),
                "Values": messages.count(len(values)),
                "Least even": messages.attribute(str(part), str(row["value"])) or messages.MISSING,
                "p": p_text(float(row["p_value"])),
                "p, corrected": p_text(float(row["adjusted_p"])),
                "Sound": "yes" if row["adjusted_p"] >= LEVEL else "no",
            }
        )
    return pd.DataFrame(rows).set_index("Divided by")


def share_intervals(study: Study, weights: Mapping[int, float] | None = None) -> list[Interval]:
    """Return each group's users relative to those it is meant to have, for a forest plot.

    Parameters
    ----------
    study : Study
        The users of the window.
    weights : mapping of int to float, optional
        What the sizes are meant to be proportional to; 1 for a group that is not named.

    Returns
    -------
    list of Interval
        1 is the size that is meant; all intervals together hold with 95 %.
    """
    counts = {group: study.sums(group).users for group in study.groups}
    meant = {group: (weights or {}).get(group, 1.0) for group in counts}
    found = splitting.sample_ratio(counts, meant, alpha=0.05 / len(counts))
    rows = []
    for group, share in found.shares.items():
        meant_share = meant[group] / sum(meant.values())
        low, high = share.lower / meant_share, share.upper / meant_share
        rows.append(Interval(f"group {group}", share.share / meant_share, low, high))
    return rows


def subsample_size(asked: int, *groups: Cells) -> int:
    """Return how many users a draw can take: what is asked, half of a small group at most."""
    return min(asked, min(group.n_users for group in groups) // 2)


def resalted(halves: Halves) -> dict[str, Real]:
    """Return the p-values of several tests on splits that the real hash has made.

    Parameters
    ----------
    halves : Halves
        From `studies.resplit`.

    Returns
    -------
    dict of str to ndarray of float64
        ``delta_ratio``, ``linearized_likes``, ``welch_ctr``, ``cuped``, ``cuped_ratio`` and
        ``sample_ratio``, a p-value a salt; ``independence`` of two experiments at once, a
        p-value for each pair of neighbouring salts. Without a past there is no CUPED.
    """
    first = dict(halves.first)
    other = {name: halves.everyone[name] - sums for name, sums in first.items()}
    first["exposed"], other["exposed"] = first["one"], other["one"]
    found = {
        name: halftests.METHODS[name].p_values(other, first)
        for name in ("delta_ratio", "linearized_likes", "welch_ctr")
    }
    for name, method in (("cuped", _cuped), ("cuped_ratio", _cuped_ratio)):
        if (past := method(halves, other, first)) is not None:
            found[name] = past
    return found | {"sample_ratio": _even(halves), "independence": _independent(halves)}


def _cuped(halves: Halves, *groups: Mapping[str, Real]) -> Real | None:
    every = halves.everyone
    n = every["one"]
    spread = every["before2"] - every["before"] ** 2 / n
    if spread <= 0:
        return None
    slope = (every["likes_before"] - every["likes"] * every["before"] / n) / spread
    moments = [
        halftests.moments(
            half["one"],
            half["likes"] - slope * half["before"],
            half["likes2"] - 2 * slope * half["likes_before"] + slope**2 * half["before2"],
        )
        for half in groups
    ]
    return splitting.welch_p_values(*moments)


# Likes and views, now and before, and where `studies.resplit` has the products of each pair.
_FOUR = ("likes", "views", "before", "views_before")
_PRODUCTS = (
    ("likes2", "likes_views", "likes_before", "likes_views_before"),
    ("likes_views", "views2", "views_likes_before", "views_views_before"),
    ("likes_before", "views_likes_before", "before2", "likes_before_views_before"),
    (
        "likes_views_before",
        "views_views_before",
        "likes_before_views_before",
        "views_before2",
    ),
)


def _cuped_ratio(halves: Halves, *groups: Mapping[str, Real]) -> Real | None:
    """Return the p-values of `ratios.cuped_ratio`: it is a weighted sum of four columns."""
    every = {name: np.asarray(value) for name, value in halves.everyone.items()}
    if every["views_before"] == 0:
        return None
    now, before = _influences(every)
    spread = _product(before, every, before)
    if spread <= 0:
        return None
    slope = _product(now, every, before) / spread
    effect, variance = np.asarray(0.0), np.asarray(0.0)
    for sign, half in zip((-1, 1), groups, strict=True):
        if not (half["views_before"] > 0).all():
            return None
        now, before = _influences(half)
        weights = now - slope * before
        n, past = half["one"], half["before"] / half["views_before"]
        effect = effect + sign * (half["likes"] / half["views"] - slope * past)
        variance = variance + _product(weights, half, weights) / (n - 1) / n
    return np.asarray(2 * stats.norm.sf(abs(effect) / np.sqrt(variance)))


def _influences(sums: Mapping[str, Real]) -> tuple[Real, Real]:
    """Return the weights of what a user adds to the CTR and to that before."""
    n, likes, views, likes_before, views_before = (sums[name] for name in ("one", *_FOUR))
    none = np.zeros_like(views)
    now = n / views * np.stack([np.ones_like(views), -likes / views, none, none])
    rate = -likes_before / views_before
    before = n / views_before * np.stack([none, none, np.ones_like(views), rate])
    return now, before


def _product(left: Real, sums: Mapping[str, Real], right: Real) -> Real:
    """Return the sum over users of the product of two weighted sums of their columns."""
    rows = zip(left, _PRODUCTS, strict=True)
    total: Real = sum(
        (x * y * sums[name] for x, row in rows for y, name in zip(right, row, strict=True)),
        start=np.asarray(0.0),
    )
    return total


def _even(halves: Halves) -> Real:
    n, first = halves.everyone["one"], halves.first["one"]
    return np.asarray(stats.chi2.sf((2 * first - n) ** 2 / n, 1))


def _independent(halves: Halves) -> Real:
    """Return p-values of the four-field test of neighbouring salts."""
    n, one = halves.everyone["one"], halves.first["one"]
    both = halves.first["also_next"]
    made = np.flatnonzero(np.isfinite(both))
    a, b, ab = one[made], one[made + 1], both[made]
    return np.asarray(stats.chi2.sf(n * (n * ab - a * b) ** 2 / (a * (n - a) * b * (n - b)), 1))


def honesty_rates(
    cells: Cells, *, alpha: float = 0.05, seed: int = 0
) -> tuple[dict[str, ErrorRate], dict[str, float]]:
    """Return the false alarms and the power of every method on re-splits of the users.

    Parameters
    ----------
    cells : Cells
        All users of the study.
    alpha : float
        Level of the tests.
    seed : int
        Of the splits.

    Returns
    -------
    rates : dict of str to ErrorRate
        On splits in which nothing differs.
    power : dict of str to float
        Share of splits in which an uplift of `UPLIFT` was found.
    """
    rates = experiments.error_rates(cells, alpha=alpha, seed=seed)
    found = {}
    names = [name for name in rates if name in halftests.METHODS and name != "mann_whitney"]
    if names:
        p_values = honesty.split_p_values(
            cells, methods=names, splits=SPLITS, seed=seed, uplift=UPLIFT
        )
        if "buckets_t" in rates:
            p_values |= honesty.bucket_p_values(cells, splits=SPLITS, seed=seed, uplift=UPLIFT)
        p_values["mann_whitney"] = honesty.rank_p_values(
            cells, splits=_RANK_SPLITS, seed=seed, uplift=UPLIFT
        )
        found = {name: float((p <= alpha).mean()) for name, p in p_values.items()}
    return rates, found


def label(name: str) -> str:
    """Return the name of a test for people."""
    return _LABELS[name]


def honesty_table(
    rates: Mapping[str, ErrorRate], powers: Mapping[str, float], *, alpha: float = 0.05
) -> pd.DataFrame:
    """Return which tests are honest, as people read it, the least honest last.

    Parameters
    ----------
    rates, powers : mapping
        From `honesty_rates`.
    alpha : float
        Level of the tests.
    """
    rows = []
    for name, rate in sorted(rates.items(), key=lambda item: item[1].rate):
        found = powers.get(name)
        rows.append(
            {
                "Test": _LABELS[name],
                "False alarms": _percent(rate.rate),
                "95 % interval": f"{_percent(rate.lower)} to {_percent(rate.upper)}",
                "Splits": messages.count(rate.tests),
                "Uniform, p": p_text(rate.ks_p_value),
                "Honest": "yes" if experiments.is_honest(rate, alpha=alpha) else "no",
                f"Finds {100 * UPLIFT:g} %": messages.MISSING if found is None else _percent(found),
            }
        )
    return pd.DataFrame(rows).set_index("Test")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}{messages.THIN_SPACE}%"


def reach(sums: Sums, users: Sequence[int], *, alpha: float = 0.05) -> pd.DataFrame:
    """Return the smallest effects that can be found, with and without the users' past.

    Parameters
    ----------
    sums : Sums
        All users of the study.
    users : sequence of int
        Users of both groups together.
    alpha : float
        Level of the tests; the power is 80 %.

    Returns
    -------
    DataFrame
        Relative effects, 0.05 for five per cent, indexed by users; a column a metric.
    """
    metrics: dict[str, Callable[[], Moments]] = {
        "CTR": lambda: ratios.moments_of(sums),
        "CTR, with CUPED": lambda: ratios.moments_of(sums, covariate=ratios.CTR_BEFORE),
        "Likes per user": lambda: power.mean_moments(sums, "likes"),
        "Likes per user, with CUPED": lambda: power.mean_moments(sums, "likes", "likes_before"),
        "Views per user": lambda: power.mean_moments(sums, "views"),
        "Views per user, with CUPED": lambda: power.mean_moments(sums, "views", "views_before"),
    }
    columns = {}
    for name, moments in metrics.items():
        try:
            of_metric = moments()
            found = [power.minimum_effect(of_metric, n, alpha=alpha) for n in users]
        except SampleError:  # nobody has a past
            continue
        columns[name] = [each.relative for each in found]
    return pd.DataFrame(columns, index=pd.Index(users, name="Users of both groups"))


def reach_by_days(
    days: pd.DataFrame, sums: Sums, groups: Sequence[int], *, alpha: float = 0.05
) -> pd.DataFrame:
    """Return the smallest effects that the groups would show after so many days.

    Longer experiments have more users, and each has done more.

    Parameters
    ----------
    days : DataFrame
        From `studies.days`.
    sums : Sums
        All users of the study; the share of the variance that their past explains is taken from
        the whole window, for every day alike.
    groups : sequence of int
        Experiment groups, thrown together and divided in halves.
    alpha : float
        Level of the tests; the power is 80 %.

    Returns
    -------
    DataFrame
        Relative effects indexed by days; columns as of `reach`.
    """
    rest = _unexplained(sums)
    rows: dict[int, dict[str, float | None]] = {}
    of_groups = days[days["exp_group"].isin(list(groups))]
    for number, (_, of_day) in enumerate(of_groups.groupby("day"), 1):
        parts = [
            sums_of_row({str(name): int(x) for name, x in row.items() if name != "day"}, _NOW)
            for row in of_day.to_dict("records")
        ]
        try:
            rows[number] = _reach_of(reduce(pool_sums, parts), rest, alpha)
        except SampleError:  # too few users yet
            continue
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("Days")


def _unexplained(sums: Sums) -> dict[str, float]:
    """Return by metric which share of its variance the users' past leaves over."""
    pairs: dict[str, tuple[Callable[[], Moments], Callable[[], Moments]]] = {
        "CTR": (
            lambda: ratios.moments_of(sums),
            lambda: ratios.moments_of(sums, covariate=ratios.CTR_BEFORE),
        ),
        "Likes per user": (
            lambda: power.mean_moments(sums, "likes"),
            lambda: power.mean_moments(sums, "likes", "likes_before"),
        ),
        "Views per user": (
            lambda: power.mean_moments(sums, "views"),
            lambda: power.mean_moments(sums, "views", "views_before"),
        ),
    }
    found = {}
    for name, (whole, rest) in pairs.items():
        with suppress(SampleError):  # nobody has a past
            found[name] = rest().variance / whole().variance
    return found


def _reach_of(sums: Sums, rest: Mapping[str, float], alpha: float) -> dict[str, float | None]:
    metrics = {
        "CTR": ratios.moments_of(sums),
        "Likes per user": power.mean_moments(sums, "likes"),
        "Views per user": power.mean_moments(sums, "views"),
    }
    found: dict[str, float | None] = {}
    for name, moments in metrics.items():
        found[name] = power.minimum_effect(moments, sums.users, alpha=alpha).relative
        if name in rest:
            less = moments._replace(variance=moments.variance * rest[name])
            found[f"{name}, with CUPED"] = power.minimum_effect(
                less, sums.users, alpha=alpha
            ).relative
    return found


def reach_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return the smallest effects as people read them."""
    table = found.map(lambda share: f"{100 * float(share):.2f}{messages.THIN_SPACE}%")
    table.index = pd.Index([messages.count(int(n)) for n in found.index], name=found.index.name)
    return table
