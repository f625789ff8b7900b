"""What the page of an AA test shows of its analysis."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from nbtools import aa, experiment_charts, experiments, messages, splitting, tables
from nbtools.aa import Analysis
from nbtools.experiment_charts import Interval

_DISTINCT = 100


def verdict(analysis: Analysis) -> HTML:
    """Return whether the splitter is sound, and why."""
    faults = aa.is_sound(analysis)
    if faults:
        return tables.sentences(["The splitting system is not sound.", *faults])
    fixed = splitting.error_rate(analysis.subsamples, alpha=analysis.alpha)
    users = sum(analysis.study.sums(group).users for group in analysis.study.groups)
    bad = [name for name, rate in analysis.rates.items() if not _honest(analysis, name)]
    lines = [
        "The splitting system is sound.",
        f"None of {messages.count(users)} users was in two groups, and no group is larger or "
        "smaller than it should be, in total or in any part of the audience.",
        f"Split anew by a hash under {messages.count(len(analysis.salted['delta_ratio']))} "
        f"salts, the tests reject as often as they say ({_salted_range(analysis)}), and two "
        "experiments at once do not know of each other.",
        f"The usual simulation rejects {_percent(fixed.rate)}; that share says nothing about the "
        "splitter, see below.",
    ]
    if bad:
        named = "; ".join(aa.label(name) for name in bad)
        lines.append(f"Not every test is honest on these users: {named}. Do not use them.")
    return tables.sentences(lines)


def _salted_range(analysis: Analysis) -> str:
    """Return how often the deciding test rejects under other salts, and how well that is known."""
    rate = splitting.error_rate(analysis.salted["linearized_likes"], alpha=analysis.alpha)
    ends = f"{_percent(rate.lower)} to {_percent(rate.upper)}"
    return f"linearized likes {_percent(rate.rate)}, with 95 % {ends}"


def _honest(analysis: Analysis, name: str) -> bool:
    return experiments.is_honest(analysis.rates[name], alpha=analysis.alpha)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}{messages.THIN_SPACE}%"


def shares(analysis: Analysis) -> Figure:
    """Return the groups' shares of the users."""
    rows = aa.share_intervals(analysis.study, analysis.weights)
    within = sum(row.lower <= 1 <= row.upper for row in rows)
    title = f"{within} of {len(rows)} groups are as large as they are meant to be"
    return experiment_charts.forest(rows, title, "share", null=1.0)


def alike(analysis: Analysis) -> pd.DataFrame:
    """Return the first two groups under every method, as people read them."""
    rows = [
        {
            "Test": experiments.METHODS[name].label,
            "Difference": experiments.amount(experiments.METHODS[name].unit, result.estimate),
            "Interval": experiments.interval(experiments.METHODS[name].unit, result),
            "p": experiments.p_text(result.p_value),
        }
        for name, result in analysis.pair.found.items()
    ]
    return pd.DataFrame(rows).set_index("Test")


def simulations(analysis: Analysis, asked: int) -> HTML:
    """Return both simulations beside each other, as people read them.

    Parameters
    ----------
    analysis : Analysis
        Of the AA test.
    asked : int
        Users of each group that a draw was to have.
    """
    rows = {
        f"Subsamples of {analysis.draw_users} users of two fixed groups": analysis.subsamples,
        "Fresh re-splits of all their users": analysis.fresh,
    }
    parts = [tables.show(_rates_table(rows, analysis.alpha, "Simulation")).data]
    if analysis.draw_users < asked:
        text = (
            f"A draw takes {analysis.draw_users} users of a group, not {asked}: no more than half "
            "of the smaller group, so that the draws differ."
        )
        parts.append(tables.sentences([text]).data)
    return HTML("\n".join(parts))


def _rates_table(rows: dict[str, aa.Real], alpha: float, name: str) -> pd.DataFrame:
    shown = []
    for label, p_values in rows.items():
        rate = splitting.error_rate(p_values, alpha=alpha)
        shown.append(
            {
                name: label,
                "Tests": messages.count(rate.tests),
                f"p at or below {alpha:g}": _percent(rate.rate),
                "95 % interval": f"{_percent(rate.lower)} to {_percent(rate.upper)}",
                "Uniform, p": _uniform(p_values, rate.ks_p_value),
            }
        )
    return pd.DataFrame(shown).set_index(name)


def _uniform(p_values: aa.Real, p_value: float) -> str:
    # A test on few users has few p-values, which cannot follow a continuous law.
    if len(np.unique(p_values)) < min(_DISTINCT, len(p_values) // 2):
        return messages.MISSING
    return experiments.p_text(p_value)


def histograms(analysis: Analysis) -> Figure:
    """Return the p-values of both simulations."""
    fixed = splitting.error_rate(analysis.subsamples, alpha=analysis.alpha)
    fresh = splitting.error_rate(analysis.fresh, alpha=analysis.alpha)
    title = f"Fresh splits reject {_percent(fresh.rate)}, subsamples of fixed groups "
    return experiment_charts.p_histogram(
        {"Subsamples of fixed groups": analysis.subsamples, "Fresh re-splits": analysis.fresh},
        f"{title}{_percent(fixed.rate)}",
    )


def salts(analysis: Analysis) -> pd.DataFrame:
    """Return the tests under other salts, as people read them."""
    rows = {aa.label(name): found for name, found in analysis.salted.items()}
    return _rates_table(rows, analysis.alpha, "Test")


def tests(analysis: Analysis) -> HTML:
    """Return which tests are honest, and those that these users do not allow."""
    table = aa.honesty_table(analysis.rates, analysis.powers, alpha=analysis.alpha)
    parts = [tables.show(table).data]
    missing = [name for name in experiments.METHODS if name not in analysis.rates]
    if missing:
        named = ", ".join(aa.label(name) for name in missing)
        text = f"Left out, for these users are too few for it or have no past: {named}."
        parts.append(tables.sentences([text]).data)
    return HTML("\n".join(parts))


def honesty(analysis: Analysis) -> Figure:
    """Return the false alarms of every method."""
    ordered = sorted(analysis.rates.items(), key=lambda item: item[1].rate)
    rows = [
        Interval(aa.label(name), rate.rate, rate.lower, rate.upper, solid=_honest(analysis, name))
        for name, rate in ordered
    ]
    count = sum(row.solid for row in rows)
    title = f"{count} of {len(rows)} tests reject as often as they say"
    return experiment_charts.forest(rows, title, "share", null=analysis.alpha)


def reach(analysis: Analysis) -> Figure:
    """Return the smallest effects against the users."""
    return experiment_charts.lines(
        analysis.reach,
        "The smallest effect that is found in four of five experiments",
        ("users of both groups", "relative effect"),
    )


def reach_by_days(analysis: Analysis) -> Figure:
    """Return the smallest effects against the days of this window."""
    found = analysis.reach_by_days
    if found.empty:
        return experiment_charts.lines(
            analysis.reach, "No day of the window has enough users", ("users", "relative effect")
        )
    last = found["CTR"].iloc[-1]
    title = f"After {found.index[-1]} days these groups show a change of CTR by {_percent(last)}"
    return experiment_charts.lines(
        found, title, ("days of the experiment", "relative effect"), is_log=False
    )


def origin(analysis: Analysis) -> HTML:
    """Return what the users were read from."""
    return tables.sentences([analysis.study.origin])
