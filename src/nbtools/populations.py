"""Has a group of users fallen into two? A mean can stay while the users part.

The density of the users' own CTR is estimated with a normal kernel; peaks that stand out from
the valley beside them are counted, and the deepest point between the two highest parts the
users. The control beside it says how many peaks this app's users have when nothing was done.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import signal, stats

from nbtools.cells import Cells, exposed
from nbtools.inference import adjusted

# Below this many views a user's CTR is mostly noise.
FEWEST_VIEWS = 10
# A peak stands out by at least this share of the highest one.
_PROMINENCE = 0.08
_GRID = np.linspace(0, 1, 501)


class Populations(NamedTuple):
    """Two populations within a group.

    Attributes
    ----------
    threshold : float
        CTR between them, 0 to 1.
    share_above : float
        Share of the users above it, 0 to 1.
    ctr_below, ctr_above : float
        Mean CTR of the users on either side.
    users_below, users_above : int
        How many there are.
    """

    threshold: float
    share_above: float
    ctr_below: float
    ctr_above: float
    users_below: int
    users_above: int


def peaks(cells: Cells) -> list[float]:
    """Return where the users' own CTR is frequent.

    Parameters
    ----------
    cells : Cells
        A group; users with fewer than `FEWEST_VIEWS` views are left out.

    Returns
    -------
    list of float
        CTR of each peak, in order; empty if there are too few users to tell.
    """
    ctr, users = _steady(cells)
    if len(np.unique(ctr)) < 3:
        return []
    density = _density(ctr, users)
    found, _ = signal.find_peaks(np.pad(density, 1), prominence=_PROMINENCE * density.max())
    return [float(_GRID[place - 1]) for place in found]


def split(cells: Cells) -> Populations | None:
    """Return the two populations of a group, or None if it has not parted.

    Parameters
    ----------
    cells : Cells
        A group. The valley is found among the users with `FEWEST_VIEWS` views or more, then
        all are divided there.
    """
    found = peaks(cells)
    if len(found) < 2:
        return None
    density = _density(*_steady(cells))
    heights = np.interp(found, _GRID, density)
    low, high = sorted(np.array(found)[np.argsort(heights)[-2:]])
    between = (low <= _GRID) & (high >= _GRID)
    threshold = float(_GRID[between][np.argmin(density[between])])
    seen = exposed(cells)
    ctr = seen.likes / seen.views
    above = ctr > threshold
    users_above, users = int(seen.users[above].sum()), seen.n_users
    return Populations(
        threshold,
        users_above / users,
        float(np.average(ctr[~above], weights=seen.users[~above])),
        float(np.average(ctr[above], weights=seen.users[above])),
        users - users_above,
        users_above,
    )


def _steady(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    steady = cells.views >= FEWEST_VIEWS
    return cells.likes[steady] / cells.views[steady], cells.users[steady]


def _density(ctr: np.ndarray, users: np.ndarray) -> np.ndarray:
    return np.asarray(stats.gaussian_kde(ctr, weights=users)(_GRID))


def explained_by(rows: pd.DataFrame) -> pd.DataFrame:
    """Return whether an attribute of the users tells the two populations apart.

    Parameters
    ----------
    rows : DataFrame
        ``part``, ``value``, ``users``, ``users_above``: see `studies.users_above`.

    Returns
    -------
    DataFrame
        One row an attribute: the smallest and the largest share above among its values of 30
        users or more, chi-square p-value with Holm's correction. Attributes without such a
        value are left out.
    """
    found = []
    for part, values in rows.groupby("part", sort=False):
        large = values[values["users"] >= 30]
        if large.empty:
            continue
        share = large["users_above"] / large["users"]
        found.append((str(part), float(share.min()), float(share.max()), _p_value(large)))
    table = pd.DataFrame(found, columns=["part", "lowest", "highest", "p_value"])
    table["p_value"] = adjusted(list(table["p_value"]))
    return table.set_index("part")


def _p_value(values: pd.DataFrame) -> float:
    above = values["users_above"].to_numpy()
    table = np.stack([above, values["users"].to_numpy() - above])
    if len(values) < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)
