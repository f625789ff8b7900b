"""One pair of groups under every method, and how honest each method is on these users.

The methods are in `comparisons`, `ratios` and `bootstrap`; here they stand side by side, with
the words that a page needs, so that a reader can see why they disagree.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pandas as pd

from nbtools import comparisons, honesty, messages, ratios
from nbtools.bootstrap import SMALLEST_P, poisson_bootstrap
from nbtools.cells import Cells
from nbtools.errors import SampleError
from nbtools.experiment_charts import Interval
from nbtools.handover import Figure
from nbtools.inference import Comparison
from nbtools.splitting import ErrorRate, error_rate
from nbtools.studies import Study

SPLITS = 10_000
# Ten milliseconds each.
BOOTSTRAP_SPLITS = 300


class Method(NamedTuple):
    """What a page says of a method.

    Attributes
    ----------
    label : str
        Its name for people.
    asks : str
        The question it answers, one sentence.
    unit : {"CTR", "likes per user", "probability"}
        Of its estimate.
    """

    label: str
    asks: str
    unit: str = "CTR"


class Pair(NamedTuple):
    """Two groups under every method.

    Attributes
    ----------
    found : dict of str to Comparison
        By method, in the order of `METHODS`.
    left_out : dict of str to str
        Methods that the data do not allow, and why.
    """

    found: dict[str, Comparison]
    left_out: dict[str, str]


METHODS: dict[str, Method] = {
    "delta_ratio": Method(
        "Global CTR, delta method", "Does a view bring a like more often? Every view counts alike."
    ),
    "linearized_likes": Method(
        "Linearized likes",
        "Does a user give more likes than the control's CTR would make of their views?",
        "likes per user",
    ),
    "poisson_bootstrap": Method(
        "Global CTR, Poisson bootstrap", "The same as the delta method, without a normal law."
    ),
    "cuped_ratio": Method(
        "Global CTR, CUPED", "The same, less what the users' CTR before explains of it."
    ),
    "cuped": Method(
        "Likes per user, CUPED",
        "Does a user give more likes, less what their likes before explain of it?",
        "likes per user",
    ),
    "buckets_t": Method(
        "CTR of hash buckets, t-test", "The global CTR again, from sums over buckets of users."
    ),
    "buckets_rank": Method(
        "CTR of hash buckets, ranks",
        "Is the CTR of a treated bucket above that of one of the control?",
        "probability",
    ),
    "welch_ctr": Method(
        "CTR of a user, Welch's t-test", "Is the average user's own CTR higher? Users count alike."
    ),
    "smoothed_ctr": Method(
        "Smoothed CTR of a user, t-test",
        "The same, the CTR of users with few views drawn towards the control's.",
    ),
    "mann_whitney": Method(
        "CTR of a user, Mann-Whitney",
        "Does a treated user's CTR exceed that of a control user more often than not?",
        "probability",
    ),
}


def compare(study: Study, control: int, treatment: int, *, alpha: float = 0.05) -> Pair:
    """Compare two groups by every method.

    Parameters
    ----------
    study : Study
        The users of the window.
    control, treatment : int
        Experiment groups.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    Pair
        Results, always those of ``delta_ratio`` and ``linearized_likes``, and the methods left
        out, such as CUPED where nobody has a past.

    Raises
    ------
    SampleError
        If the global CTR cannot be compared, so that there is nothing to decide on.
    """
    cells = study.cells(control), study.cells(treatment)
    sums = study.sums(control), study.sums(treatment)
    buckets = study.buckets(control), study.buckets(treatment)
    found = {
        "delta_ratio": ratios.delta_ratio(*sums, alpha=alpha),
        "linearized_likes": ratios.linearized_likes(*sums, alpha=alpha),
    }
    others: dict[str, Callable[[], Comparison]] = {
        "poisson_bootstrap": lambda: poisson_bootstrap(*cells, alpha=alpha),
        "cuped_ratio": lambda: ratios.cuped_ratio(*sums, alpha=alpha),
        "cuped": lambda: ratios.cuped(*sums, alpha=alpha),
        "buckets_t": lambda: comparisons.buckets_t(*buckets, alpha=alpha),
        "buckets_rank": lambda: comparisons.buckets_rank(*buckets, alpha=alpha),
        "welch_ctr": lambda: comparisons.welch_ctr(*cells, alpha=alpha),
        "smoothed_ctr": lambda: comparisons.smoothed_ctr(*cells, alpha=alpha),
        "mann_whitney": lambda: comparisons.mann_whitney(*cells, alpha=alpha),
    }
    left_out = {}
    for name, method in others.items():
        try:
            found[name] = method()
        except SampleError as error:
            left_out[name] = str(error)
    return Pair(found, left_out)


def error_rates(
    cells: Cells,
    *,
    alpha: float = 0.05,
    seed: int = 0,
    buckets: int = honesty.BUCKETS,
    bootstrap_splits: int = BOOTSTRAP_SPLITS,
) -> dict[str, ErrorRate]:
    """Return how often each method rejects on random halves of the very same users.

    Parameters
    ----------
    cells : Cells
        All users, such as those of the control group.
    alpha : float
        Level of the tests.
    seed : int
        Of the splits.
    buckets : int
        Of the bucket methods.
    bootstrap_splits : int
        Splits for the bootstrap, ten milliseconds each.

    Returns
    -------
    dict of str to ErrorRate
        By method, without those that have too few users; empty where none can be split.
    """
    try:
        p_values = honesty.split_p_values(cells, splits=SPLITS, seed=seed)
    except SampleError:
        return {}
    with suppress(SampleError):  # too few users for so many buckets
        p_values |= honesty.bucket_p_values(cells, splits=SPLITS, seed=seed, buckets=buckets)
    with suppress(SampleError):  # too few users for the law of the bootstrap
        p_values["poisson_bootstrap"] = honesty.bootstrap_p_values(
            cells, splits=bootstrap_splits, seed=seed
        )
    return {name: error_rate(found, alpha=alpha) for name, found in p_values.items()}


def is_honest(rate: ErrorRate, *, alpha: float = 0.05) -> bool:
    """Return whether a method rejects no more often than it says it does.

    Parameters
    ----------
    rate : ErrorRate
        On splits in which nothing differs.
    alpha : float
        What it says.

    Returns
    -------
    bool
        True unless the rate is above alpha by a fifth of it, beyond doubt.
    """
    return rate.lower <= 1.2 * alpha


def results_table(
    found: Mapping[str, Comparison], rates: Mapping[str, ErrorRate], *, alpha: float = 0.05
) -> pd.DataFrame:
    """Return all methods on one table, as people read it.

    Parameters
    ----------
    found : mapping of str to Comparison
        From `compare`.
    rates : mapping of str to ErrorRate
        From `error_rates`.
    alpha : float
        Level of the tests.
    """
    rows = []
    for name, result in found.items():
        method = METHODS[name]
        rows.append(
            {
                "Method": method.label,
                "Estimate": amount(method.unit, result.estimate),
                f"{100 * (1 - alpha):g} % interval": interval(method.unit, result),
                "Relative": messages.signed_percent(result.relative),
                "p": _p(name, result),
                "Honest here": _honest(rates.get(name), alpha),
                "Asks": method.asks,
            }
        )
    return pd.DataFrame(rows).set_index("Method")


def _p(name: str, result: Comparison) -> str:
    unresolved = name == "poisson_bootstrap" and result.p_value <= SMALLEST_P
    return f"< {p_text(SMALLEST_P)}" if unresolved else p_text(result.p_value)


def _honest(rate: ErrorRate | None, alpha: float) -> str:
    if rate is None:
        return messages.MISSING
    shown = f"{100 * rate.rate:.1f}{messages.THIN_SPACE}%"
    return f"yes, {shown}" if is_honest(rate, alpha=alpha) else f"no, {shown}"


def amount(unit: str, x: float) -> str:
    """Return an estimate in the unit of its method, as people read it.

    Examples
    --------
    >>> amount("CTR", 0.0106).replace(messages.THIN_SPACE, " ")
    '+1.06 pp'
    """
    if unit == "probability":
        return f"{x:.3f}"
    if unit == "CTR":
        return messages.signed(100 * x, 2) + messages.THIN_SPACE + "pp"
    return messages.signed(x, 3)


def interval(unit: str, result: Comparison) -> str:
    """Return the interval of an estimate, as people read it."""
    lower, upper = amount(unit, result.lower), amount(unit, result.upper)
    return f"{lower.removesuffix(messages.THIN_SPACE + 'pp')} to {upper}"


def p_text(p: float) -> str:
    """Return a p-value without digits that mean nothing.

    Examples
    --------
    >>> p_text(0.0478), p_text(9.4e-10), p_text(0.5)
    ('0.048', '9e-10', '0.50')
    """
    if p == 0:
        return "< 1e-300"
    if p < 0.0005:
        return f"{p:.0e}".replace("e-0", "e-")
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"


def relative_intervals(
    found: Mapping[str, Comparison], rates: Mapping[str, ErrorRate], *, alpha: float = 0.05
) -> list[Interval]:
    """Return the relative effects as lines of a forest plot.

    Parameters
    ----------
    found, rates : mapping
        From `compare` and `error_rates`.
    alpha : float
        Level of the tests.

    Returns
    -------
    list of Interval
        Shares of the control's value; methods that have none are left out.
    """
    return [
        Interval(
            METHODS[name].label,
            result.relative,
            result.relative_lower,
            result.relative_upper,
            solid=name not in rates or is_honest(rates[name], alpha=alpha),
        )
        for name, result in found.items()
        if result.relative is not None
        and result.relative_lower is not None
        and result.relative_upper is not None
    ]


def probability_intervals(
    found: Mapping[str, Comparison], rates: Mapping[str, ErrorRate], *, alpha: float = 0.05
) -> list[Interval]:
    """Return the rank methods as lines of a forest plot; one half is no effect.

    Parameters
    ----------
    found, rates : mapping
        From `compare` and `error_rates`.
    alpha : float
        Level of the tests.
    """
    return [
        Interval(
            METHODS[name].label,
            result.estimate,
            result.lower,
            result.upper,
            solid=name not in rates or is_honest(rates[name], alpha=alpha),
        )
        for name, result in found.items()
        if METHODS[name].unit == "probability"
    ]


def figures(found: Mapping[str, Comparison], *, prefix: str = "") -> dict[str, Figure]:
    """Return the key figures of a comparison.

    Parameters
    ----------
    found : mapping of str to Comparison
        From `compare`.
    prefix : str
        Put before every name, where a study has several treatments.
    """
    return {
        f"{prefix}{name}.{part}": getattr(result, part)
        for name, result in found.items()
        for part in ("estimate", "lower", "upper", "p_value")
    }


def groups_table(study: Study, groups: Sequence[int]) -> pd.DataFrame:
    """Return what each group did, as people read it.

    Parameters
    ----------
    study : Study
        The users of the window.
    groups : sequence of int
        Experiment groups.

    Returns
    -------
    DataFrame
        A column a group: users, views, likes, CTR both ways, and quantiles of the users' CTR.
    """
    columns = {}
    for group in groups:
        cells, sums = study.cells(group), study.sums(group)
        ctr = cells.likes / cells.views
        mean = float((ctr * cells.users).sum() / cells.n_users)
        spread = float(np.sqrt(((ctr - mean) ** 2 * cells.users).sum() / (cells.n_users - 1)))
        low, middle, high = quantiles(cells)
        columns[f"Group {group}"] = {
            "Users": messages.count(sums.users),
            "Views": messages.count(sums.total("views")),
            "Likes": messages.count(sums.total("likes")),
            "Views per user": f"{float(sums.mean('views')):.2f}",
            "Likes per user": f"{float(sums.mean('likes')):.2f}",
            "Global CTR": f"{sums.total('likes') / sums.total('views'):.4f}",
            "Mean CTR of a user": f"{mean:.4f}",
            "Standard deviation": f"{spread:.4f}",
            "Lower quartile": f"{low:.3f}",
            "Median": f"{middle:.3f}",
            "Upper quartile": f"{high:.3f}",
        }
    return pd.DataFrame(columns).rename_axis("In the window")


def quantiles(cells: Cells, points: Sequence[float] = (0.25, 0.5, 0.75)) -> list[float]:
    """Return quantiles of the users' own CTR.

    Parameters
    ----------
    cells : Cells
        Users with at least one view.
    points : sequence of float
        Shares of the users, 0 to 1.
    """
    ctr = cells.likes / cells.views
    order = np.argsort(ctr, kind="stable")
    upto = np.cumsum(cells.users[order])
    places = [min(len(upto) - 1, int(np.searchsorted(upto, p * upto[-1]))) for p in points]
    return [float(ctr[order][place]) for place in places]
