"""Style sheets without what no page of a site can use.

A theme brings every rule that any book might want: nine of ten are about icons, parts and
columns that this one does not have. A rule goes when each of its selectors asks for a class
or an id that no page has and no script could set. A rule that asks for none stays, and so do
key frames, fonts, and whatever is not understood.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tinycss2
from tinycss2.ast import WhitespaceToken

_SELECTED = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")
_ATTRIBUTES = re.compile(r"""\b(?:class|id)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_SCRIPTS = re.compile(r"<script\b(?![^>]*\bjson\b)[^>]*>(.*?)</script>", re.DOTALL)
_PROPERTIES = re.compile(r"--[A-Za-z][\w-]*")
_WORDS = re.compile(r"[\w-]+")
_ASKED = re.compile(r"var\(\s*(--[\w-]+)")
# Of Bootstrap's script: each needs markup that asks for it, so that without such a page its
# classes are never set.
_PARTS = re.compile(r"(?:bs-popover|carousel|modal|offcanvas|popover|toast)\b")
_LEAST_PREFIX = 3
_SPACE = WhitespaceToken(0, 0, " ")


def names(sheet: str) -> set[str]:
    """Return the classes, ids and properties that a style sheet knows, and more.

    Parameters
    ----------
    sheet : str
        Its text; what only looks like a name is returned too.

    Examples
    --------
    >>> sorted(names("a.b:hover, #c { --d: 0.5em; color: var(--e) }"))
    ['--d', '--e', 'b', 'c']
    """
    return set(_SELECTED.findall(sheet)) | properties(sheet)


def properties(text: str) -> set[str]:
    """Return the properties of its own that a text names, such as ``--book-line``.

    Parameters
    ----------
    text : str
        A style sheet, a script or a page.
    """
    return set(_PROPERTIES.findall(text))


def page_words(page: str) -> set[str]:
    """Return the words of a page by which a rule could find a part of it.

    Parameters
    ----------
    page : str
        HTML: its classes and ids, its properties, and all words of its scripts.

    Examples
    --------
    >>> sorted(page_words('<p class="a b" style="--c: 1">d<script>e("f")</script>'))
    ['--c', 'a', 'b', 'e', 'f']
    """
    found = {word for values in _ATTRIBUTES.findall(page) for word in "".join(values).split()}
    found |= properties(page)
    for script in _SCRIPTS.findall(page):
        found.update(_WORDS.findall(script))
    return found


def script_words(script: str, known: Collection[str]) -> set[str]:
    """Return the names that a script could set.

    Parameters
    ----------
    script : str
        Its text. Names are often put together: ``bs-`` stands for all that begin with it.
    known : collection of str
        The names of all style sheets.

    Examples
    --------
    >>> sorted(script_words("`bs-${kind}`; modal('open')", {"bs-tip", "open", "modal", "row"}))
    ['bs-tip', 'open']
    """
    words = set(_WORDS.findall(script))
    begins = tuple(word for word in words if word.endswith("-") and len(word) >= _LEAST_PREFIX)
    found = {name for name in known if name in words or name.startswith(begins)}
    return {name for name in found if not _PARTS.match(name)}


def slim(sheets: Mapping[str, str], words: Collection[str]) -> dict[str, str]:
    """Return style sheets without the rules and properties that nothing asks for.

    Parameters
    ----------
    sheets : mapping of str to str
        Name to text, all that a page may load: a property may be set in one and used in
        another.
    words : collection of str
        The names that pages have or that scripts could set.
    """
    parsed = {
        name: tinycss2.parse_stylesheet(text, skip_whitespace=True) for name, text in sheets.items()
    }
    # Twice, as only the rules that stay say which properties are asked for.
    first = [_written(rules, words, lambda _: True) for rules in parsed.values()]
    asked = set(words).union(*(_ASKED.findall(text) for text in first))
    return {name: _written(rules, words, asked.__contains__) for name, rules in parsed.items()}


def _written(rules: Iterable[Any], words: Collection[str], wanted: Callable[[str], bool]) -> str:
    return "".join(_write(rule, words, wanted) for rule in rules)


def _write(rule: Any, words: Collection[str], wanted: Callable[[str], bool]) -> str:
    """Return the text of a rule, empty when nothing of it is left."""
    if rule.type == "comment":  # of these only the licences
        return rule.serialize() if rule.value.startswith("!") else ""
    if rule.type == "at-rule" and rule.content and rule.lower_at_keyword in {"media", "supports"}:
        inner = _written(
            tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True),
            words,
            wanted,
        )
        return f"@{rule.at_keyword}{_tidy(rule.prelude)}{{{inner}}}" if inner else ""
    if rule.type != "qualified-rule":
        return str(rule.serialize())
    selectors = [part for part in _split(rule.prelude, ",") if _matches(part, words)]
    body = ";".join(_declarations(rule.content, wanted))
    if not selectors or not body:
        return ""
    return f"{','.join(_tidy(part).strip() for part in selectors)}{{{body}}}"


def _matches(selector: Sequence[Any], words: Collection[str]) -> bool:
    """Return whether a page could have all that a selector asks for.

    What stands in brackets is an alternative, a negation or an attribute: not looked at.
    """
    dot = False
    for token in selector:
        is_name = token.type == "hash" or (dot and token.type == "ident")
        if is_name and _WORDS.fullmatch(token.value) and token.value not in words:
            return False
        dot = token.type == "literal" and token.value == "."
    return True


def _declarations(content: Sequence[Any], wanted: Callable[[str], bool]) -> Iterator[str]:
    for part in _split(content, ";"):
        first = next((token for token in part if token.type not in {"whitespace", "comment"}), None)
        if first is None or (
            first.type == "ident" and first.value.startswith("--") and not wanted(first.value)
        ):
            continue
        # An empty value must keep its space.
        text = _tidy(part).lstrip()
        yield text if text.rstrip().endswith(":") else text.rstrip()


def _split(tokens: Sequence[Any], mark: str) -> Iterator[list[Any]]:
    part: list[Any] = []
    for token in tokens:
        if token.type == "literal" and token.value == mark:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _tidy(tokens: Iterable[Any]) -> str:
    """Return the text of tokens without comments and with single spaces."""
    kept = (token for token in tokens if token.type != "comment")
    return str(
        tinycss2.serialize(_SPACE if token.type == "whitespace" else token for token in kept)
    )
