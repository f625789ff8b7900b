"""Templates of pages, and texts of any content made safe for them.

What comes from a run, such as titles and parameters, is escaped: as HTML by default, as
Markdown by the filters ``md`` and ``code``.
"""

import calendar
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nbtools import messages

# How fresh a section is, in words.
STATES = {
    "on_time": "on time",
    "late": "late",
    "failed": "failed",
    "on_request": "made on request",
}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|$~&^:@=%\"'])")


@cache
def renderer(zone: ZoneInfo, **filters: Callable[..., str]) -> Callable[..., str]:
    """Return what renders a template of the package.

    Parameters
    ----------
    zone : ZoneInfo
        Zone in which times are shown.
    **filters : callable
        Further filters by name.

    Returns
    -------
    callable
        Takes the template's name and its values.
    """
    environment = Environment(
        loader=PackageLoader("nbtools"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "md": markdown,
        "code": code,
        "flat": _flat,
        "day": lambda day: f"{day:%A} {day.day} {day:%B %Y}",
        "moment": lambda found: moment(found, zone),
        "relative": messages.signed_percent,
        "took": _took,
        "count": messages.count,
        "href": lambda docname: quote(docname) + ".html",
    }
    environment.filters |= filters
    environment.globals |= {
        "zone": zone.key,
        "value": messages.value,
        "state_words": STATES,
        "week": [(name, name[:2]) for name in calendar.day_name],
    }

    def render(template: str, **values: Any) -> str:
        """Return a template filled with values."""
        return environment.get_template(template).render(**values)

    return render


def csv_links(files: Sequence[str]) -> str:
    """Return links to the tables above them as files, as HTML."""
    links = (
        f'<a href="{quote(name)}" download>This table{f" ({place})" if len(files) > 1 else ""}'
        " as CSV</a>"
        for place, name in enumerate(files, 1)
    )
    return f'<p class="download">{" · ".join(links)}</p>'


def _flat(value: object) -> str:
    """Return a value as one line."""
    return " ".join(str(value).split())


def markdown(text: object) -> Markup:
    """Return text that Markdown shows as it is, on one line."""
    # Safe: angle brackets and ampersands are among the characters that are escaped.
    return Markup(_SPECIAL.sub(r"\\\1", _flat(text)))  # noqa: S704


def code(text: object) -> Markup:
    """Return text as a Markdown code span."""
    flat = _flat(text)
    longest = max((len(run) for run in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    # Safe: Markdown escapes what is in a code span.
    return Markup(f"{fence}{pad}{flat}{pad}{fence}")  # noqa: S704


def moment(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment as pages show it, in a zone."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%B %Y, %H:%M}"


def _took(seconds: float) -> str:
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
