"""The Poisson bootstrap of two groups' ratio, without replicates, and with them as a check.

The law of each group's ratio is computed (`nbtools.compound` has the mathematics, the sources and
where it does not hold). The groups are independent, so ``P(T* - C* <= d)`` and
``P(T* / C* <= q)`` are one integral over the law of ``C*`` each, and the ends of the percentile
intervals are roots. The p-value is twice the smaller tail at no effect, and not resolved below
`SMALLEST_P`. Infinitely many replicates would give the same figures.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from nbtools import compound
from nbtools.cells import Cells
from nbtools.compound import Law, law_of
from nbtools.errors import SampleError
from nbtools.inference import Comparison, Relative, check_alpha

Real = NDArray[np.float64]

SMALLEST_P = 1e-9
# Poisson numbers drawn at a time, 8 bytes each.
_BATCH = 2_000_000


def as_mean(cells: Cells) -> Cells:
    """Return a group whose ratio is its mean of likes per user.

    Parameters
    ----------
    cells : Cells
        A group.

    Returns
    -------
    Cells
        The same likes over one view each.
    """
    return Cells(np.ones_like(cells.likes), cells.likes, cells.users)


def poisson_bootstrap(control: Cells, treatment: Cells, *, alpha: float = 0.05) -> Comparison:
    """Compare the global CTR by the limit of the Poisson bootstrap.

    Parameters
    ----------
    control : Cells
        The control group.
    treatment : Cells
        The treated group.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    Comparison
        Percentile intervals of the difference and of the relative difference; p-values below
        `SMALLEST_P` are given as that.

    Raises
    ------
    SampleError
        If alpha is no level or a group's law cannot be computed, see `compound.law_of`.
    """
    check_alpha(alpha)
    laws = law_of(control), law_of(treatment)
    difference, ratio = _difference(*laws), _quotient(*laws)
    lower, upper = _roots(difference, _difference_ends(*laws), alpha)
    tail = difference(0.0)
    relative: Relative = (None, None, None)
    if laws[0].low > 0:
        ends = _roots(ratio, _quotient_ends(*laws), alpha)
        relative = (laws[1].ratio / laws[0].ratio - 1, ends[0] - 1, ends[1] - 1)
    return Comparison(
        "poisson_bootstrap",
        laws[1].ratio - laws[0].ratio,
        lower,
        upper,
        min(1.0, max(SMALLEST_P, 2 * min(tail, 1 - tail))),
        relative[0],
        relative[1],
        relative[2],
        laws[0].ratio,
        laws[1].ratio,
        control.n_users,
        treatment.n_users,
    )


def _nodes(control: Law, width: float) -> tuple[Real, Real]:
    # The trapezoid rule converges exponentially once it resolves the narrower of the two laws.
    step = min(control.error, width) / 2
    count = math.ceil((control.high - control.low) / step)
    nodes = np.linspace(control.low, control.high, min(count, 20_000) + 1)
    weights = control.density(nodes)
    return nodes, weights / weights.sum()


def _difference(control: Law, treatment: Law) -> Callable[[float], float]:
    nodes, weights = _nodes(control, treatment.error)
    return lambda d: float(weights @ treatment.below(nodes + d))


def _difference_ends(control: Law, treatment: Law) -> tuple[float, float]:
    return treatment.low - control.high, treatment.high - control.low


def _quotient(control: Law, treatment: Law) -> Callable[[float], float]:
    nodes, weights = _nodes(control, treatment.error * control.ratio / treatment.ratio)
    return lambda q: float(weights @ treatment.below(nodes * q))


def _quotient_ends(control: Law, treatment: Law) -> tuple[float, float]:
    lowest = control.high if treatment.low > 0 else control.low
    return treatment.low / lowest, treatment.high / control.low


def _roots(
    probability: Callable[[float], float], ends: tuple[float, float], alpha: float
) -> tuple[float, float]:
    if alpha / 2 < 10 * SMALLEST_P:
        raise SampleError(f"alpha is {alpha}, the bootstrap resolves none below {20 * SMALLEST_P}.")
    accuracy = 1e-12 * (ends[1] - ends[0])
    lower, upper = (
        float(optimize.brentq(lambda x, p=p: probability(x) - p, *ends, xtol=accuracy))
        for p in (alpha / 2, 1 - alpha / 2)
    )
    return lower, upper


def replicates(cells: Cells, count: int, rng: np.random.Generator) -> Real:
    """Return replicates of a group's ratio, the slow way to the same law.

    Parameters
    ----------
    cells : Cells
        A group. The Poisson weights of the users of a cell are drawn as their sum.
    count : int
        How many.
    rng : numpy.random.Generator
        Where the weights come from.

    Returns
    -------
    ndarray of float64, shape (count,)
        Ratios of likes to views.

    Raises
    ------
    SampleError
        If there are too few users with views.
    """
    n = int(cells.users[cells.views > 0].sum())
    if n < compound.FEWEST_USERS:
        raise SampleError(
            f"A group has {n} users with views, the bootstrap needs {compound.FEWEST_USERS}."
        )
    columns = np.column_stack([cells.likes, cells.views]).astype(float)
    batch = max(1, _BATCH // len(cells.users))
    sums = [
        rng.poisson(cells.users, (min(batch, count - start), len(cells.users))) @ columns
        for start in range(0, count, batch)
    ]
    likes, views = np.concatenate(sums).T
    ratios: Real = likes / views
    return ratios
