"""Texts for people in English and Russian, from one catalogue with plural forms.

The files in ``locales/`` are Project Fluent's: a sentence is whole in each language, with its
own word order and plural forms, and code only names it and gives its arguments. Numbers are
formatted by :mod:`nbtools.messages`, so that they look alike everywhere.
"""

from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton
from fluent.runtime import FluentBundle, FluentResource

from nbtools import messages
from nbtools.metrics import CATALOGUE, SLICE_METRICS

Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_COMMA = str.maketrans({".": ","})
_DAY = timedelta(days=1)


@cache
def _bundle(language: Language) -> FluentBundle:
    # Isolation marks around arguments would show as boxes in a chat.
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource(source(language)))
    return bundle


def source(language: Language) -> str:
    """Return the catalogue of a language as it is written."""
    path = resources.files("nbtools").joinpath("locales", f"{language}.ftl")
    return path.read_text("utf-8")


def knows(language: Language, name: str) -> bool:
    """Return whether the catalogue has a text of a name."""
    return _bundle(language).has_message(name)


def text(language: Language, name: str, **arguments: str | int) -> str:
    """Return a text of the catalogue.

    Parameters
    ----------
    language : {"en", "ru"}
        Its language.
    name : str
        Its name in the catalogue.
    **arguments : str or int
        Its arguments; a whole number chooses the plural form.

    Raises
    ------
    KeyError
        If there is no such text, or an argument is missing.

    Examples
    --------
    >>> text("ru", "unit-views", count=22, number="22")
    '22 просмотра'
    """
    bundle = _bundle(language)
    if not bundle.has_message(name):
        raise KeyError(f"The catalogue {language} has no text {name!r}.")
    pattern = bundle.get_message(name).value
    assert pattern is not None, "a text of attributes alone cannot be shown"
    found, errors = bundle.format_pattern(pattern, arguments)
    if errors:
        raise KeyError(f"The text {name!r} of {language}: {errors[0]}")
    return str(found)


def metric_name(language: Language, slug: str) -> str:
    """Return a metric's name.

    Examples
    --------
    >>> metric_name("ru", "views")
    'Просмотры'
    """
    return text(language, f"metric-{slug}")


def segment_name(language: Language, dimension: str, raw: str) -> str:
    """Return a segment's name; proper names stay as the source has them.

    Examples
    --------
    >>> segment_name("ru", "gender", "1"), segment_name("ru", "os", "iOS")
    ('мужчины', 'iOS')
    """
    shown = messages.attribute(dimension, raw)
    name = f"segment-{shown}"
    return text(language, name) if knows(language, name) else shown


def dimension_name(language: Language, dimension: str) -> str:
    """Return a dimension's name in the plural, in Russian as after a number."""
    name = f"dimension-{dimension}"
    return text(language, name) if knows(language, name) else dimension


def number(language: Language, shown: str) -> str:
    """Return a number that :mod:`nbtools.messages` has formatted as a language writes it."""
    return shown.translate(_COMMA) if language == "ru" else shown


def quantity(language: Language, slug: str, x: float | None) -> str:
    """Return a metric's value.

    Examples
    --------
    >>> quantity("ru", "ctr", 0.2047).replace(messages.THIN_SPACE, " ")
    '20,5 %'
    """
    item = SLICE_METRICS.get(slug) or CATALOGUE[slug]
    return number(language, messages.value(item, x))


def amount(language: Language, slug: str, x: float) -> str:
    """Return how many events of a metric, in words.

    Examples
    --------
    >>> amount("en", "views", 1234.4).replace(messages.THIN_SPACE, " ")
    '1 234 views'
    """
    unit = (SLICE_METRICS.get(slug) or CATALOGUE[slug]).unit
    return text(language, f"unit-{unit}", count=round(x), number=messages.count(x))


def percent(language: Language, relative: float) -> str:
    """Return a relative deviation with its sign, no more precise than it is read.

    Examples
    --------
    >>> percent("en", 0.4833).replace(messages.THIN_SPACE, " "), percent("ru", 0.0512)[:4]
    ('+48 %', '+5,1')
    """
    decimals = 0 if abs(relative) >= 0.0995 else 1
    shown = messages.signed(100 * relative, decimals)
    return number(language, shown) + messages.THIN_SPACE + "%"


def moment(language: Language, at: datetime, zone: ZoneInfo, beside: datetime) -> str:
    """Return a time of day, with the day where it is another one than that of the message.

    Parameters
    ----------
    language : {"en", "ru"}
        Its language.
    at : datetime
        The moment.
    zone : ZoneInfo
        Where people are.
    beside : datetime
        The message's own moment.
    """
    local = at.astimezone(zone)
    if local.date() == beside.astimezone(zone).date():
        return f"{local:%H:%M}"
    day = str(format_skeleton("MMMd", local, locale=language))
    return f"{day} {local:%H:%M}".replace(" ", messages.NO_BREAK_SPACE)


def day(language: Language, at: date, *, pattern: str = "EEE d MMM y") -> str:
    """Return a day as a report names it; a line never breaks inside it.

    Parameters
    ----------
    language : {"en", "ru"}
        Its language.
    at : datetime.date
        The day.
    pattern : str
        What is said of it, in the letters of Unicode's date patterns.

    Examples
    --------
    >>> day("en", date(2023, 2, 27)).replace(messages.NO_BREAK_SPACE, " ")
    'Mon 27 Feb 2023'
    >>> day("ru", date(2023, 2, 27)).replace(messages.NO_BREAK_SPACE, " ")
    'пн 27 февр. 2023'
    """
    return str(format_date(at, pattern, locale=language)).replace(" ", messages.NO_BREAK_SPACE)


def duration(language: Language, length: timedelta) -> str:
    """Return a length of time, to the minute below a day and to the hour above.

    Examples
    --------
    >>> duration("ru", timedelta(hours=3, minutes=15)), duration("en", timedelta(days=2, hours=1))
    ('3 ч 15 мин', '2 days 1 h')
    """
    if length >= _DAY:
        hours = round(length / timedelta(hours=1))
        return text(language, "long-duration", days=hours // 24, hours=hours % 24)
    minutes = round(length / timedelta(minutes=1))
    return text(language, "duration", hours=minutes // 60, minutes=minutes % 60)
