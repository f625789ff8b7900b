"""Who gains and who loses: the effect on the global CTR in parts of the audience.

Many parts are looked at, so their p-values are corrected by Benjamini and Hochberg's rule: of
the parts called different, at most alpha are expected to be so by chance. Whether an attribute
matters at all is Cochran's test that the effects of its values are one.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from nbtools.errors import SampleError
from nbtools.inference import Comparison, adjusted
from nbtools.ratios import delta_ratio
from nbtools.studies import SEGMENTS, Study

# Bands in the order of what they measure; the values of other attributes by their names.
_BANDS = {
    "age": ("under 18", "18-24", "25-34", "35-49", "50 and over"),
    "activity": ("none", "1-49", "50-149", "150 or more"),
}
# Fewer users than this in a group say nothing about a part of the audience.
FEWEST_USERS = 100


class Segment(NamedTuple):
    """The effect in one part of the audience.

    Attributes
    ----------
    part, value : str
        Attribute and its value.
    result : Comparison
        Of the global CTR.
    adjusted_p : float
        P-value corrected for all parts looked at.
    """

    part: str
    value: str
    result: Comparison
    adjusted_p: float


def effects(study: Study, control: int, treatment: int, *, alpha: float = 0.05) -> list[Segment]:
    """Return the effect in every part of the audience that is large enough.

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
    list of Segment
        In the order of `studies.SEGMENTS`.
    """
    found = []
    for part in SEGMENTS:
        sizes = study.sizes(part).reindex(columns=[control, treatment], fill_value=0)
        large = sizes.index[(sizes >= FEWEST_USERS).all(axis=1)]
        for value in sorted(map(str, large), key=partial(_place, part)):
            groups = [study.sums(group, part, str(value)) for group in (control, treatment)]
            try:
                found.append((part, str(value), delta_ratio(*groups, alpha=alpha)))
            except SampleError:  # nobody of this part liked anything
                continue
    corrected = adjusted([result.p_value for _, _, result in found], "benjamini-hochberg")
    return [Segment(*row, p) for row, p in zip(found, corrected, strict=True)]


def _place(part: str, value: str) -> tuple[int, str]:
    bands = _BANDS.get(part, ())
    return (bands.index(value) if value in bands else len(bands), value)


def heterogeneity(segments: list[Segment], *, alpha: float = 0.05) -> pd.Series:
    """Return whether the effect depends on an attribute.

    Parameters
    ----------
    segments : list of Segment
        From `effects`.
    alpha : float
        What their intervals were made with.

    Returns
    -------
    Series
        P-value of Cochran's test by attribute, with Holm's correction; attributes of one value
        are left out.
    """
    p_values = {}
    for part in SEGMENTS:
        results = [segment.result for segment in segments if segment.part == part]
        if len(results) < 2:
            continue
        effect = np.array([result.estimate for result in results])
        width = np.array([result.upper - result.lower for result in results])
        error = width / (2 * stats.norm.isf(alpha / 2))
        weight = 1 / error**2
        q = float((weight * (effect - np.average(effect, weights=weight)) ** 2).sum())
        p_values[part] = float(stats.chi2.sf(q, len(results) - 1))
    return pd.Series(adjusted(list(p_values.values())), index=list(p_values), dtype=float)
