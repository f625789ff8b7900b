"""The law of one group's ratio under the Poisson bootstrap, computed and not drawn.

**The law.** The Poisson bootstrap weighs every user with an independent Poisson(1) number ``w``
and recomputes the ratio ``R* = sum(w l) / sum(w v)`` [1]_. As ``v >= 0``,

    P(R* <= r) = P(Z_r <= 0),    Z_r = sum over users of w (l - r v),

and ``Z_r`` is compound Poisson: the logarithm of its characteristic function is
``psi(t) = sum over cells of c (exp(i t (l - r v)) - 1)``, since the weights of the ``c`` users of
a cell add up to Poisson(c). Gil-Pelaez's inversion [2]_ gives the probability,

    P(Z <= 0) = 1/2 - 1/pi * integral over t > 0 of Im(exp(psi(t))) / t,

and the midpoint rule with step ``h`` is in error by at most ``P(|Z| >= 2 pi / h)`` [3]_. A jump is
never above one standard deviation of ``Z``, so by Bennett's inequality the step taken here leaves
less than 1e-9, and very much less unless one user carries most of the variance.

**Moments.** With many users ``t (l - r v)`` is small wherever the integrand is not, and
``exp(i t x) - 1`` is a short power series. Summed over the cells it is a polynomial in ``t`` and
``r`` whose coefficients are the joint moments of ``l - R v`` and ``v``: one product of the cells
with their powers serves all ``t`` and ``r``. The remainder of the series has a computed bound;
where it is too large, the characteristic function is summed over the cells.

**Where it does not hold.** The bootstrap itself asks for many users none of which dominates. With
few of them, or one whose weight alone decides, the law has steps and its percentiles do not cover.
Fewer than `FEWEST_USERS` users with views, or a law too uneven for the series, is an error.

.. [1] Chamandy, Muralidharan, Najmi and Naidu (2012), "Estimating Uncertainty for Massive Data
   Streams", Google.
.. [2] Gil-Pelaez (1951), "Note on the inversion theorem", Biometrika 38.
.. [3] Davies (1973), "Numerical inversion of a characteristic function", Biometrika 60.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import special

from nbtools.cells import Cells
from nbtools.errors import SampleError

Real = NDArray[np.float64]

FEWEST_USERS = 30

_ORDER = 10
_REMAINDER = 1e-11
# Half-widths of the law that is kept, in standard errors, and degrees of its series.
_WIDTHS = (8.0, 13.0, 18.0)
_DEGREES = (64, 128, 256)
# Until the characteristic function is below this, and what may lie beyond the ends.
_NEGLIGIBLE = 1e-10
_TAIL = 1e-9
_LONGEST = 64
_MOST_STEPS = 2_000


class Law(NamedTuple):
    """The bootstrap law of one group's ratio.

    Attributes
    ----------
    ratio : float
        The ratio itself, such as the global CTR.
    error : float
        Its standard error to first order, that of the delta method up to 1/n.
    low, high : float
        Less than 1e-9 of the law is outside.
    cdf : ndarray of float64
        Chebyshev series of the distribution function from low to high.
    pdf : ndarray of float64
        That of the density, per unit of the ratio.
    is_direct : bool
        Whether the characteristic function was summed over the cells, not taken from moments.
    """

    ratio: float
    error: float
    low: float
    high: float
    cdf: Real
    pdf: Real
    is_direct: bool

    def below(self, r: Real) -> Real:
        """Return the probability of a ratio up to each of some values."""
        return self._at(r, self.cdf).clip(0, 1)

    def density(self, r: Real) -> Real:
        """Return the density at each of some values."""
        return np.where((r >= self.low) & (r <= self.high), self._at(r, self.pdf), 0.0)

    def _at(self, r: Real, series: Real) -> Real:
        unit = ((2 * r - self.low - self.high) / (self.high - self.low)).clip(-1, 1)
        # The definition of Chebyshev's polynomials; one product beats a recurrence.
        values: Real = np.cos(np.outer(np.arccos(unit), np.arange(len(series)))) @ series
        return values


class _Scaled(NamedTuple):
    # u = (l - R v) / sigma and w = v / V of each cell, where sigma**2 and V are the sums of
    # (l - R v)**2 and of v over the users. With r = R + y * error, (l - r v) / sigma = u - y w.
    u: Real
    w: Real
    users: Real
    ratio: float
    error: float

    def spread(self, width: float) -> tuple[float, float]:
        """Return the smallest and the largest standard deviation of Z / sigma for |y| <= width."""
        b, a = float(self.users @ (self.u * self.w)), float(self.users @ self.w**2)
        turn = min(max(b / a, -width), width)
        variances = [1 - 2 * y * b + y * y * a for y in (-width, turn, width)]
        return math.sqrt(max(min(variances), 1e-6)), math.sqrt(max(variances))


def law_of(cells: Cells, *, is_direct: bool | None = None) -> Law:
    """Return the bootstrap law of a group's ratio of likes to views.

    Parameters
    ----------
    cells : Cells
        A group; users without views and likes change nothing.
    is_direct : bool, optional
        Sum the characteristic function over the cells, or take its moment form. If it is left
        out: the moment form where its remainder is below 1e-11.

    Returns
    -------
    Law
        See there.

    Raises
    ------
    SampleError
        If there are too few users, all have the same ratio, or one outweighs the rest.
    """
    scaled = _scaled(cells)
    for width in _WIDTHS:
        law = _law_within(scaled, width, is_direct=is_direct)
        if law:
            return law
    raise _uneven(scaled)


def _law_within(scaled: _Scaled, width: float, *, is_direct: bool | None) -> Law | None:
    step, count = _grid(scaled, width)
    direct = _needs_sum(scaled, width, step, count) if is_direct is None else is_direct
    for degree in _DEGREES:
        y = width * chebyshev.chebpts1(degree + 1)
        values = (_summed if direct else _by_moments)(scaled, y, step, count)
        if values.min() > _TAIL or values.max() < 1 - _TAIL:
            return None
        series = _series(values)
        if abs(series[-4:]).max() < _NEGLIGIBLE:
            half = width * scaled.error
            pdf = chebyshev.chebder(series).astype(float) / half
            ends = scaled.ratio - half, scaled.ratio + half
            return Law(scaled.ratio, scaled.error, *ends, series, pdf, direct)
    raise _uneven(scaled)


def _uneven(scaled: _Scaled) -> SampleError:
    return SampleError(
        f"The bootstrap law of {int(scaled.users.sum())} users has steps: there are too few, or"
        " one outweighs the rest."
    )


def _scaled(cells: Cells) -> _Scaled:
    n = int(cells.users[cells.views > 0].sum())
    if n < FEWEST_USERS:
        raise SampleError(f"A group has {n} users with views, the bootstrap needs {FEWEST_USERS}.")
    order = np.argsort(cells.views, kind="stable")
    views, likes, users = (column[order] for column in cells)
    all_views = int(users @ views)
    ratio = int(users @ likes) / all_views
    x = likes - ratio * views
    sigma = math.sqrt(float(users @ x**2))
    if sigma <= 1e-12 * float(likes.max()):
        raise SampleError(f"All {n} users with views have the same ratio, which cannot vary.")
    return _Scaled(x / sigma, views / all_views, users.astype(float), ratio, sigma / all_views)


def _grid(scaled: _Scaled, width: float) -> tuple[float, int]:
    # The mean of Z / sigma is -y, so it is within the width and twelve deviations.
    smallest, largest = scaled.spread(width)
    step = 2 * math.pi / (width + 12 * largest)
    return step, math.ceil(7.5 / smallest / step)


def _needs_sum(scaled: _Scaled, width: float, step: float, count: int) -> bool:
    # The next absolute moment bounds the series' remainder, and |phi| what it does to the
    # integral: 1 - cos x >= x**2 / 2 - x**4 / 24.
    t = (np.arange(count) + 0.5) * step
    reach = abs(scaled.u) + width * scaled.w
    fourth, beyond = (float(scaled.users @ reach**m) for m in (4, _ORDER + 1))
    rest = t**_ORDER * beyond / math.factorial(_ORDER + 1)
    smallest, _ = scaled.spread(width)
    exponent = -((t * smallest) ** 2) / 2 + t**4 * fourth / 24 + t * rest
    decay = np.exp(np.minimum(exponent, 100))
    return not float(decay @ rest) * step / math.pi < _REMAINDER


def _by_moments(scaled: _Scaled, y: Real, step: float, count: int) -> Real:
    t = (np.arange(count) + 0.5) * step
    powers = np.arange(_ORDER + 1)
    joint = (scaled.users * _powers(scaled.u)) @ _powers(scaled.w).T
    # Coefficients of (i t)**m / m!, a row per y: the sum over users of (u - y w)**m.
    moments = np.zeros((len(y), _ORDER + 1))
    for m in powers[1:]:
        for b in range(m + 1):
            moments[:, m] += math.comb(m, b) * joint[m - b, b] * (-y) ** b
    psi = moments @ ((1j * t) ** powers[:, None] / special.factorial(powers)[:, None])
    return _inverted(np.exp(psi).imag / t, step)


def _powers(x: Real) -> Real:
    powers = np.empty((_ORDER + 1, len(x)))
    powers[0] = 1
    for m in range(_ORDER):
        np.multiply(powers[m], x, out=powers[m + 1])
    return powers


def _inverted(terms: Real, step: float) -> Real:
    total: Real = terms.sum(axis=1)
    return 0.5 - total * step / math.pi


def _summed(scaled: _Scaled, y: Real, step: float, count: int) -> Real:
    starts = np.flatnonzero(np.diff(scaled.w, prepend=-1.0))
    n = scaled.users.sum()
    # exp(i t (u - y w)) = exp(i t u) exp(-i t y w); the second factor knows only the views, and
    # from one t to the next it is multiplied by the same number.
    turn = np.exp(-1j * step * np.outer(y, scaled.w[starts]))
    phase = np.sqrt(turn)
    total = np.zeros(len(y))
    for j in range(min(_LONGEST * count, _MOST_STEPS)):
        t = (j + 0.5) * step
        inner = np.add.reduceat(scaled.users * np.exp(1j * t * scaled.u), starts)
        phi = np.exp(phase @ inner - n)
        total += phi.imag / t
        if j >= count and abs(phi).max() < _NEGLIGIBLE:
            return _inverted(total[:, None], step)
        phase *= turn
    raise _uneven(scaled)


def _series(values: Real) -> Real:
    # The interpolation at Chebyshev's points is their discrete cosine transform.
    n = len(values)
    series: Real = np.cos(np.outer(np.arange(n), np.arccos(chebyshev.chebpts1(n)))) @ values
    series *= 2 / n
    series[0] /= 2
    return series
