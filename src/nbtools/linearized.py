"""Linearized likes beside what they are in disguise, for the page about them.

For a control with CTR ``k`` a user's linearized likes are ``likes - k * views``. Their mean is
zero in the control, and in the treated group it is ``mean(views) * (CTR - k)``: the difference
of the global CTRs in the unit of likes a user (Budylin and others, "Consistent transformation
of ratio metrics for efficient online controlled experiments", WSDM 2018).
"""

import pandas as pd
from scipy import stats

from nbtools import experiments, messages
from nbtools.ab import Analysis, Outcome
from nbtools.inference import Comparison
from nbtools.ratios import ratio_of

_COMPARED = ("linearized_likes", "delta_ratio", "cuped_ratio", "welch_ctr", "mann_whitney")


def table(analysis: Analysis, outcome: Outcome) -> pd.DataFrame:
    """Return the groups' linearized likes, as people read them.

    Parameters
    ----------
    analysis : Analysis
        The experiment.
    outcome : Outcome
        One treatment of it.
    """
    result = outcome.pair.found["linearized_likes"]
    groups = (analysis.control, outcome.treatment)
    sums = [analysis.study.sums(group) for group in groups]
    base = float(ratio_of(sums[0]))
    rows = [
        {
            "Group": f"{group}, {role}",
            "Users": messages.count(of_group.users),
            "Global CTR": f"{float(ratio_of(of_group)):.5f}",
            "Mean linearized likes": messages.signed(
                float(of_group.mean("likes")) - base * float(of_group.mean("views")), 4
            ),
        }
        for group, role, of_group in zip(groups, ("control", "treated"), sums, strict=True)
    ]
    rows.append(
        {
            "Group": "difference",
            "Users": "",
            "Global CTR": messages.signed(outcome.pair.found["delta_ratio"].estimate, 5),
            "Mean linearized likes": f"{experiments.amount('likes per user', result.estimate)}"
            f" ({experiments.interval('likes per user', result)}), "
            f"p = {experiments.p_text(result.p_value)}",
        }
    )
    return pd.DataFrame(rows).set_index("Group")


def identity(analysis: Analysis, outcome: Outcome) -> pd.DataFrame:
    """Return both sides of the identity, computed apart.

    Parameters
    ----------
    analysis : Analysis
        The experiment.
    outcome : Outcome
        One treatment of it.

    Returns
    -------
    DataFrame
        Difference of the mean linearized likes, and views a treated user times the difference
        of the global CTRs: equal, so the sign is always that of the CTRs.
    """
    treated = analysis.study.sums(outcome.treatment)
    views = float(treated.mean("views"))
    ctr = outcome.pair.found["delta_ratio"].estimate
    rows = [
        ("Difference of mean linearized likes", outcome.pair.found["linearized_likes"].estimate),
        (f"{views:.3f} views a treated user times {ctr:+.6f}", views * ctr),
    ]
    shown = [{"Side": side, "Value": f"{value:+.9f}"} for side, value in rows]
    return pd.DataFrame(shown).set_index("Side")


def sensitivity(outcome: Outcome) -> pd.DataFrame:
    """Return how clearly each method sees the effect, the clearest first.

    Parameters
    ----------
    outcome : Outcome
        One treatment of an experiment.
    """
    found = {name: outcome.pair.found[name] for name in _COMPARED if name in outcome.pair.found}
    ordered = sorted(found.items(), key=lambda item: -abs(signal(item[1])))
    rows = [
        {
            "Method": experiments.METHODS[name].label,
            "Signal": messages.signed(signal(result), 1),
            "p": experiments.p_text(result.p_value),
            "Relative": messages.signed_percent(result.relative),
            "Asks": experiments.METHODS[name].asks,
        }
        for name, result in ordered
    ]
    return pd.DataFrame(rows).set_index("Method")


def signal(result: Comparison) -> float:
    """Return an effect in standard errors, from its p-value, with its sign.

    Parameters
    ----------
    result : Comparison
        Of any method; of a probability, one half is no effect.
    """
    null = 0.5 if experiments.METHODS[result.method].unit == "probability" else 0.0
    size = float(stats.norm.isf(max(result.p_value, 1e-300) / 2))
    return size if result.estimate > null else -size
