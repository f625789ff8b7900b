"""What must hold before the outcome of an experiment means anything.

A guard fails at one in a thousand, not at five in a hundred: there are several of them, and a
failed one stops the verdict. Where a guard makes several tests, Holm's rule corrects them.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from nbtools import messages
from nbtools.cells import Sums
from nbtools.inference import Moments, adjusted, compare_means
from nbtools.power import mean_moments
from nbtools.ratios import CTR_BEFORE, moments_of
from nbtools.splitting import sample_ratio
from nbtools.studies import Study

LEVEL = 0.001
# Where a group has this many users on a day on average, it is not absent by chance.
_CERTAIN = 20


class Guard(NamedTuple):
    """A condition and whether it holds.

    Attributes
    ----------
    name : str
        What is guarded.
    passed : bool
        Whether it holds.
    finding : str
        What was found, in numbers.
    """

    name: str
    passed: bool
    finding: str


def check(
    study: Study,
    control: int,
    treatments: Sequence[int],
    days: pd.DataFrame | None = None,
    *,
    weights: Mapping[int, float] | None = None,
) -> list[Guard]:
    """Return the guards of a study.

    Parameters
    ----------
    study : Study
        The users of its window.
    control : int
        Control group.
    treatments : sequence of int
        Groups compared with it.
    days : DataFrame, optional
        From `studies.days`; without it nobody looks for days without views.
    weights : mapping of int to float, optional
        What the sizes are meant to be proportional to; 1 for a group that is not named.

    Returns
    -------
    list of Guard
        Overlap of the groups, their sizes, the data, the views they saw, and what they were
        before.
    """
    groups = [control, *treatments]
    base, *others = [study.sums(group) for group in groups]
    quality = [_likes(study, groups)]
    if days is not None:
        quality.append(_days(days, groups))
    return [
        _overlap(study),
        _sizes(study, groups, weights or {}),
        *quality,
        _pairs("Equal exposure", "views per user", _exposure(base, others)),
        _pairs("Alike before", "views per user and CTR before the window", _before(base, others)),
    ]


def _overlap(study: Study) -> Guard:
    count = study.users_in_two_groups
    return Guard(
        "One group a user", count == 0, f"{messages.count(count)} users were in two groups"
    )


def _days(days: pd.DataFrame, groups: Sequence[int]) -> Guard:
    """Guard against a window that the events do not fill."""
    users = days.pivot_table(
        index="day", columns="exp_group", values="users_today", aggfunc="sum", fill_value=0
    )
    silent = users.sum(axis=1) == 0
    absent = (users.reindex(columns=list(groups), fill_value=0) == 0).any(axis=1)
    missing = int((silent | (absent & (users.mean(axis=1) >= _CERTAIN))).sum())
    finding = f"{missing} of {len(users)} days have no views, or none of a group"
    return Guard("Whole days", missing == 0, finding)


def _sizes(study: Study, groups: Sequence[int], weights: Mapping[int, float]) -> Guard:
    sizes = {group: study.sums(group).users for group in groups}
    found = sample_ratio(sizes, {group: weights.get(group, 1.0) for group in groups})
    counts = ", ".join(f"group {group} {messages.count(users)}" for group, users in sizes.items())
    return Guard("Sample ratio", found.p_value >= LEVEL, f"{counts}; p = {found.p_value:.3g}")


def _likes(study: Study, groups: Sequence[int]) -> Guard:
    odd = 0
    for group in groups:
        cells = study.cells(group)
        odd += int(cells.users[cells.likes > cells.views].sum())
    users = sum(study.sums(group).users for group in groups)
    return Guard(
        "Data quality",
        odd <= users * 0.01,
        f"{messages.count(odd)} of {messages.count(users)} users like more than they view",
    )


def _exposure(control: Sums, treatments: Sequence[Sums]) -> list[float]:
    base = mean_moments(control, "views")
    return [_p_value("views", base, mean_moments(other, "views")) for other in treatments]


def _before(control: Sums, treatments: Sequence[Sums]) -> list[float]:
    """Return p-values of the views before and, where there were some on both sides, of CTR."""
    found = []
    for other in treatments:
        pair = control, other
        if any(group.total("views_before") for group in pair):
            views = [mean_moments(group, "views_before") for group in pair]
            found.append(_p_value("views_before", *views))
        if all(group.total("views_before") for group in pair):
            ctr = [moments_of(group, CTR_BEFORE) for group in pair]
            found.append(_p_value("ctr_before", *ctr))
    return found


def _p_value(name: str, control: Moments, treatment: Moments) -> float:
    if control.variance == treatment.variance == 0:
        return 1.0 if control.mean == treatment.mean else 0.0
    return compare_means(name, control, treatment, alpha=LEVEL).p_value


def _pairs(name: str, what: str, p_values: list[float]) -> Guard:
    if not p_values:
        return Guard(name, passed=True, finding=f"{what}: there is none to compare")
    least = min(adjusted(p_values))
    return Guard(name, least >= LEVEL, f"{what}: smallest p = {least:.3g}")
