"""Tables as pages show them: numbers to the right, words to the left, nothing cut off."""

from collections.abc import Collection

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
