"""Where a deviation comes from: the segments that explain it while their siblings are normal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from nbtools.incidents import TOTAL, Observation
from nbtools.metrics import slice_metric

_EXPLAINED = 0.7  # of the whole deviation
_REST = 0.3  # siblings count as normal below this part of the driver's own deviation
_NAMED = 6


@dataclass(frozen=True)
class Driver:
    """The most likely driver of a deviation.

    Attributes
    ----------
    dimension : str
        Such as ``os``; empty when all segments move alike.
    parts : tuple of tuple
        Segments and their relative deviations, the largest part first.
    others : tuple of str
        Siblings that are as expected.
    everywhere : bool
        Whether all segments move alike.
    """

    dimension: str = ""
    parts: tuple[tuple[str, float], ...] = ()
    others: tuple[str, ...] = ()
    everywhere: bool = False


def find(metric: str, place: str, seen: Iterable[Observation]) -> Driver | None:
    """Return the most likely driver of a metric's deviation.

    Parameters
    ----------
    metric : str
        Slug of the metric.
    place : str
        Where it deviates: ``total`` or a segment such as ``os:iOS``.
    seen : iterable of Observation
        One slice of the metric, with its segments; others are ignored.

    Returns
    -------
    Driver or None
        None when the segments do not tell.
    """
    judged = [one for one in seen if one.metric == metric and one.is_judged and one.expected > 0]
    segments = sorted((one for one in judged if one.dimension != TOTAL), key=lambda one: one.series)
    families = [list(group) for _, group in groupby(segments, key=lambda one: one.dimension)]
    if place != TOTAL:
        return _itself(place, families)
    total = next((one for one in judged if one.dimension == TOTAL), None)
    if total is None:
        return None
    found = [
        driver
        for family in families
        if len(family) > 1 and (driver := _within(total, family)) is not None
    ]
    if found:
        return max(found, key=lambda driver: abs(driver.parts[0][1]))
    alike = any(len(family) > 1 and _alike(total, family) for family in families)
    return Driver(everywhere=True) if alike else None


def _itself(place: str, families: Sequence[Sequence[Observation]]) -> Driver | None:
    """Return a deviating segment as its own driver, with its siblings' state."""
    for family in families:
        for one in family:
            if one.series[1] == place:
                sign = one.deviation
                off = [other for other in family if other is one or _follows(other, sign)]
                return _driver(off, [other for other in family if other not in off])
    return None


def _follows(one: Observation, sign: float) -> bool:
    """Return whether a segment lies outside its band on the given side."""
    return one.is_outside and one.deviation * sign > 0


def _within(total: Observation, family: Sequence[Observation]) -> Driver | None:
    """Return the segments of one dimension that explain a total's deviation, if they do."""
    off = [one for one in family if _follows(one, total.deviation)]
    rest = [one for one in family if one not in off]
    if not off or not rest:
        return None
    if slice_metric(total.metric).style != "count":
        return _driver(off, rest)
    moved = sum(one.deviation for one in off)
    own = moved / sum(one.expected for one in off)
    # Those that are outside their bands by a little only belong to the rest.
    small = [one for one in off if abs(_relative(one)) < abs(own) / 2]
    off = [one for one in off if one not in small]
    rest += small
    moved = sum(one.deviation for one in off)
    own = moved / sum(one.expected for one in off)
    others = sum(one.deviation for one in rest) / sum(one.expected for one in rest)
    if moved / total.deviation < _EXPLAINED or abs(others) > _REST * abs(own):
        return None
    return _driver(off, rest)


def _alike(total: Observation, family: Sequence[Observation]) -> bool:
    """Return whether every segment deviates about as much as the total."""
    whole = _relative(total)
    return all(0.6 < _relative(one) / whole < 1.6 for one in family) if whole else False


def _relative(one: Observation) -> float:
    return one.deviation / one.expected


def _driver(off: Sequence[Observation], rest: Sequence[Observation]) -> Driver:
    ordered = sorted(off, key=lambda one: abs(one.deviation), reverse=True)
    return Driver(
        dimension=ordered[0].dimension,
        parts=tuple((one.segment, _relative(one)) for one in ordered[:_NAMED]),
        others=tuple(one.segment for one in sorted(rest, key=lambda one: -one.expected)),
    )


def joined(driver: Driver, deviating: Iterable[tuple[str, float]]) -> Driver:
    """Return a driver with those siblings that deviate in another metric of the same incident.

    Parameters
    ----------
    driver : Driver
        As one metric has it.
    deviating : iterable of tuple
        Segments of its dimension that deviate, the worst first, with how far.
    """
    named = {name for name, _ in driver.parts}
    more: dict[str, float] = {}
    for name, relative in deviating:
        if name not in named:
            more.setdefault(name, relative)
    return replace(
        driver,
        parts=(*driver.parts, *more.items())[:_NAMED],
        others=tuple(name for name in driver.others if name not in more),
    )
