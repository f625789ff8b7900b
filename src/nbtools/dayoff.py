"""Whether today is like a day off.

A public holiday is a weekday that behaves like a Sunday. No calendar says so for every country,
and each app has its own: so the slices of the day so far are held against both profiles, that
of the weekday and that of the weekday least like the others, and the rest of the day is judged by
the other one once it fits better beyond doubt. Until then a day is an ordinary one, so a drop at
noon, after a morning as usual, remains a drop.
"""

import numpy as np

from nbtools.clocks import Floats
from nbtools.seasonality import NORMAL, Profile, Series

DOUBT = 4.0  # the evidence, a log-likelihood ratio, that a day has to overcome at midnight
MOST = 10.0  # and at most, however ordinary the day has been
SHARE = 0.3  # of each slice's evidence that counts, since errors of neighbours are alike
CUT = 9.0  # squared standardised errors count as no more


def recognised(series: Series, past: Profile) -> Profile:
    """Return the profile with days off recognised, each slice by the day's slices before it.

    Parameters
    ----------
    series : Series
        The series.
    past : Profile
        Their profile.

    Returns
    -------
    Profile
        The same but for what is usual on days off.
    """
    known = ~past.new
    spread = np.where(known, np.nan_to_num(past.spread, nan=1.0), 1.0)
    # Twice the misfit: a day off has to fit well, not just better than a day gone wrong.
    evidence = 1 + _squares(series, past.usual, spread) - 2 * _squares(series, past.off, spread)
    evidence = np.where(known & (past.off != past.usual), SHARE * evidence / 2, 0.0) * series.seen
    total = np.cumsum(series.when.lay(evidence), axis=2) - DOUBT
    lowest = np.maximum.accumulate(np.maximum(-MOST - total, 0.0), axis=2)
    doubt = np.full_like(total[..., :1], -DOUBT)
    before = np.concatenate([doubt, (total + lowest)[..., :-1]], axis=2)
    return past._replace(usual=np.where(series.when.flat(before) > 0, past.off, past.usual))


def _squares(series: Series, usual: Floats, spread: Floats) -> Floats:
    """Return squared standardised errors."""
    expected = usual * series.size
    unit = 1.0 if series.additive else np.sqrt(np.maximum(expected, 1e-9))
    errors = (series.observed - expected) / (NORMAL * spread * unit + 1e-12)
    return np.minimum(errors**2, CUT)
