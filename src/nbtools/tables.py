"""Tables as pages show them: numbers to the right, words to the left, nothing cut off."""

from collections.abc import Collection, Sequence

import pandas as pd
from IPython.display import HTML
from jinja2 import Environment

_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """\
<table class="dataframe">
<thead><tr>
{% for name, kind in heads %}
<th scope="col"{% if kind %} class="{{ kind }}"{% endif %}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for label, cells in rows %}
<tr><th scope="row" class="words">{{ label }}</th>
{% for cell, kind in cells %}
<td{% if kind %} class="{{ kind }}"{% endif %}>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
"""
)

_LONG = 40  # characters

_SENTENCES = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """\
<p class="verdict"><strong>{{ headline }}</strong></p>
{% if sentences %}
<ul>
{% for sentence in sentences %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
{% endif %}
"""
)


def sentences(*blocks: Sequence[str]) -> HTML:
    """Return sentences for a page: of each block the first in bold, the others in a list.

    Parameters
    ----------
    *blocks : sequence of str
        A headline and what supports it.

    Returns
    -------
    HTML
        The last line of a cell shows it.
    """
    parts = [_SENTENCES.render(headline=lines[0], sentences=lines[1:]) for lines in blocks]
    return HTML("\n".join(parts))


def show(frame: pd.DataFrame, *, words: Collection[str] = ()) -> HTML:
    """Return a table for a page.

    Parameters
    ----------
    frame : DataFrame
        Cells as they are to be read; the index labels the rows, its name heads them.
    words : collection of str
        Columns of words, set to the left.

    Returns
    -------
    HTML
        The last line of a cell shows it.
    """
    kinds = [_kind(frame.iloc[:, place], words) for place in range(frame.shape[1])]
    corner = "" if frame.index.name is None else str(frame.index.name)
    heads = [(corner, "words")]
    heads += [(str(name), kind) for name, kind in zip(frame.columns, kinds, strict=True)]
    rows = [
        (label, list(zip(row, kinds, strict=True)))
        for label, row in zip(frame.index, frame.itertuples(index=False), strict=True)
    ]
    return HTML(_TEMPLATE.render(heads=heads, rows=rows))


def _kind(column: pd.Series, words: Collection[str]) -> str:
    """Return a column's style; sentences get room, or a row of them would be a page tall."""
    if str(column.name) not in words:
        return ""
    return "words long" if column.astype(str).str.len().max() > _LONG else "words"
