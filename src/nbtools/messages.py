"""Numbers as people read them, on pages and in messages alike.

The catalogue says how a metric is shown; nothing else in the package formats one.
"""

import math
from datetime import date
from typing import Literal

from nbtools.metrics import Metric

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
# It groups thousands and precedes the per cent sign, and a line never breaks at it.
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"

Judgement = Literal["better", "worse", "same", ""]


def value(metric: Metric, x: float | None) -> str:
    """Return a metric's value as people read it.

    Parameters
    ----------
    metric : Metric
        Says how it is shown.
    x : float or None
        Value; a share is from 0 to 1.

    Returns
    -------
    str
        Counts whole, ratios with two decimals, shares in per cent with two decimals below
        10 % and one above; a dash where there is no value.

    Examples
    --------
    >>> from nbtools.metrics import CATALOGUE
    >>> value(CATALOGUE["ctr"], 0.2047).replace(THIN_SPACE, " ")
    '20.5 %'
    """
    if _undefined(x):
        return MISSING
    assert x is not None
    match metric.style:
        case "count":
            return _number(x, 0)
        case "ratio":
            return _number(x, 2)
        case "share":
            percent = x * 100
            return _number(percent, 2 if round(abs(percent), 2) < 10 else 1) + THIN_SPACE + "%"


def change(_metric: Metric, relative: float | None) -> str:
    """Return a relative change as people read it.

    Parameters
    ----------
    _metric : Metric
        What changed; all metrics show their changes alike today.
    relative : float or None
        Relative change: 0.012 is one of +1.2 %.

    Returns
    -------
    str
        Per cent with sign and one decimal; a dash where it is undefined.

    Examples
    --------
    >>> from nbtools.metrics import CATALOGUE
    >>> change(CATALOGUE["views"], 0.012).replace(THIN_SPACE, " ")
    '+1.2 %'
    """
    if _undefined(relative):
        return MISSING
    assert relative is not None
    percent = _percent(relative)
    sign = "+" if percent > 0 else MINUS if percent < 0 else "\N{PLUS-MINUS SIGN}"
    return f"{sign}{_number(abs(percent), 1)}{THIN_SPACE}%"


def judgement(metric: Metric, relative: float | None) -> Judgement:
    """Return whether a change is good news.

    Parameters
    ----------
    metric : Metric
        Its ``good`` direction decides.
    relative : float or None
        Relative change.

    Returns
    -------
    {"better", "worse", "same", ""}
        ``same`` when the change is shown as ±0.0 %; empty when the change is undefined or
        the metric has no good direction.

    Examples
    --------
    >>> from nbtools.metrics import CATALOGUE
    >>> judgement(CATALOGUE["views"], -0.2)
    'worse'
    """
    if _undefined(relative) or metric.good == "neither":
        return ""
    assert relative is not None
    percent = _percent(relative)
    if percent == 0:
        return "same"
    return "better" if (percent > 0) == (metric.good == "up") else "worse"


def arrow(relative: float | None) -> str:
    """Return the direction of a change as a sign, empty when it is undefined or shown as zero."""
    if _undefined(relative):
        return ""
    assert relative is not None
    percent = _percent(relative)
    return "\N{UPWARDS ARROW}" if percent > 0 else "\N{DOWNWARDS ARROW}" if percent < 0 else ""


def _undefined(x: float | None) -> bool:
    return x is None or not math.isfinite(x)


def _percent(relative: float) -> float:
    """Return the change as it is shown, so that its sign, arrow and judgement agree."""
    return round(relative * 100, 1)


def _number(x: float, decimals: int) -> str:
    # Adding zero turns a minus zero left by rounding into a plain one.
    rounded = round(x, decimals) + 0
    return f"{rounded:,.{decimals}f}".replace(",", THIN_SPACE).replace("-", MINUS)


def signed(x: float, decimals: int) -> str:
    """Return a difference with its sign.

    Examples
    --------
    >>> signed(0.714, 2), signed(1.5, 1)
    ('+0.71', '+1.5')
    """
    shown = _number(abs(x), decimals)
    if float(f"{abs(x):.{decimals}f}") == 0:
        return "\N{PLUS-MINUS SIGN}" + shown
    return ("+" if x > 0 else MINUS) + shown


def signed_percent(share: float | None) -> str:
    """Return a relative effect in per cent with its sign; a dash where there is none.

    Examples
    --------
    >>> signed_percent(0.0827).replace(THIN_SPACE, " ")
    '+8.3 %'
    """
    if _undefined(share):
        return MISSING
    assert share is not None
    return signed(100 * share, 1) + THIN_SPACE + "%"


def count(x: float | None) -> str:
    """Return a plain count as people read it, with thin spaces between thousands.

    Examples
    --------
    >>> count(19234).replace(THIN_SPACE, " ")
    '19 234'
    """
    if _undefined(x):
        return MISSING
    assert x is not None
    return _number(x, 0)


def day(moment: date) -> str:
    """Return a day as a table's head shows it; a line never breaks inside it.

    Examples
    --------
    >>> day(date(2023, 2, 27)).replace(NO_BREAK_SPACE, " ")
    '27 Feb 2023'
    """
    return f"{moment.day} {moment:%b %Y}".replace(" ", NO_BREAK_SPACE)


_PARTS = {"os": "OS", "total": "All users", "activity": "Views before"}
_GENDERS = {"0": "female", "1": "male"}


def part(name: str) -> str:
    """Return what divides the users, as people read it.

    Examples
    --------
    >>> part("os"), part("first_day")
    ('OS', 'First day')
    """
    return _PARTS.get(name, name.replace("_", " ").capitalize())


def attribute(dimension: str, raw: str) -> str:
    """Return a value of a user attribute as people read it.

    Parameters
    ----------
    dimension : str
        Such as ``gender`` or ``os``.
    raw : str
        The value as the source has it.

    Examples
    --------
    >>> attribute("gender", "1"), attribute("os", "iOS"), attribute("gender", "unknown")
    ('male', 'iOS', 'unknown')
    """
    return _GENDERS.get(raw, raw) if dimension == "gender" else raw
