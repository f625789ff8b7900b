"""Tables as pages show them: numbers to the right, words to the left, nothing cut off."""

from collections.abc import Collection, Sequence

import pandas as pd
from IPython.display import HTML
from jinja2 import Environment

_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """\
<table class="dataframe">
<thead><tr>
{% for name, words in heads %}
<th scope="col"{% if words %} class="words"{% endif %}>{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for label, cells in rows %}
<tr><th scope="row" class="words">{{ label }}</th>
{% for cell, words in cells %}
<td{% if words %} class="words"{% endif %}>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
"""
)


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
    sides = [str(name) in words for name in frame.columns]
    corner = "" if frame.index.name is None else str(frame.index.name)
    heads = [(corner, True)]
    heads += [(str(name), side) for name, side in zip(frame.columns, sides, strict=True)]
    rows = [
        (label, list(zip(row, sides, strict=True)))
        for label, row in zip(frame.index, frame.itertuples(index=False), strict=True)
    ]
    return HTML(_TEMPLATE.render(heads=heads, rows=rows))
