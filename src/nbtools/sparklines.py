"""Small lines of the recent past, as SVG within a page."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _EDGE = 120.0, 30.0, 3.0


def draw(values: Sequence[float | None], words: str) -> Markup:
    """Return a line through values of equal distance, with a dot on the last.

    Parameters
    ----------
    values : sequence of float or None
        Oldest first; where there is none the line has a gap.
    words : str
        What it shows, for those who cannot see it.

    Returns
    -------
    Markup
        Empty when there are fewer than two values.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2:
        return Markup()
    low, high = min(known), max(known)
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    scale = (_HEIGHT - 2 * _EDGE) / ((high - low) or 1)
    points: list[tuple[float, float] | None] = [
        None
        if value is None or not math.isfinite(value)
        else (_EDGE + place * step, _HEIGHT - _EDGE - (value - low) * scale)
        for place, value in enumerate(values)
    ]
    lines = "".join(_line(part) for part in _parts(points))
    last = next(point for point in reversed(points) if point)
    dot = f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.5"/>'
    # Safe: the words are escaped, the rest is numbers.
    return Markup(  # noqa: S704
        f'<svg class="spark" role="img" aria-label="{escape(words)}" '
        f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}">{lines}{dot}</svg>'
    )


def _parts(
    points: Sequence[tuple[float, float] | None],
) -> list[list[tuple[float, float]]]:
    """Return the points in runs without a gap."""
    parts: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point:
            parts[-1].append(point)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _line(points: Sequence[tuple[float, float]]) -> str:
    if len(points) == 1:  # a day between two gaps
        (x, y) = points[0]
        points = [(x - 0.5, y), (x + 0.5, y)]
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
