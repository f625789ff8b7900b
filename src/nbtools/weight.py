"""What the site need not carry: rules that no page uses, files that no page loads.

Sphinx's own output stays as it is, so that it need not copy anything again. Beside it lie
the slim style sheets, which `site` publishes in the place of the whole ones.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from nbtools import making, styles
from nbtools.site import Seen

_LINK = re.compile(r"""(\bhref=["'][^"'?]*_static/[^"'?]*\.css)(?:\?[^"']*)?(?=["'])""")
_FILE = re.compile(r"[\w.-]+\.\w+")
_IMPORT = re.compile(r"""(@import\s*["'][^"'?]+\.css)(?=["'])""")


class Light(NamedTuple):
    """What a site is made of.

    Attributes
    ----------
    folder : Path
        The slim style sheets, as they lie in the site.
    left : frozenset of str
        Files that are not published, or not as they are.
    changed : list of str
        Pages whose links to style sheets are new.
    """

    folder: Path
    left: frozenset[str]
    changed: list[str]


def lighten(html: Path, extras: Path, own: Collection[str], seen: Seen) -> Light:
    """Write slim style sheets, and make the pages ask for these.

    Parameters
    ----------
    html, extras : Path
        Folders of the built pages and of what is published beside them.
    own : collection of str
        Files of the book's own, whose style sheets stay as they are.
    seen : Seen
        What the pages show, after `site.prune`.
    """
    assets = {name: html / name for name in _under(html, "_static")}
    assets |= {name: extras / name for name in _under(extras, "vendor")}
    loaded = _loaded(assets, seen.files)
    sheets = {name: _text(html / name) for name in sorted(loaded) if name.endswith(".css")}
    scripts = [assets[name] for name in loaded if name.startswith("_static/") and _is_script(name)]
    scripts += [extras / name for name in _under(extras, "compare") if _is_script(name)]
    known = set[str]().union(*map(styles.names, sheets.values()))
    words = seen.words | styles.script_words("\n".join(map(_text, scripts)), known)
    slim = sheets.keys() - set(own)
    # The addresses of the sheets end with a digest of what they hold. A sheet grows when a
    # page is the first to have a class; a reader's copy of the old one would leave that page
    # without its style, so then all pages get the new address.
    before, token = _slim(sheets, slim, words, html.parent / "light")
    asked = seen.fresh & seen.pages.keys() if token == before else seen.pages.keys()
    changed = [name for name in sorted(asked) if _address(html / name, token)]
    return Light(html.parent / "light", frozenset(assets.keys() - loaded | slim), changed)


def _under(folder: Path, inner: str) -> list[str]:
    return [f"{inner}/{name}" for name in making.names(folder / inner)]


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _is_script(name: str) -> bool:
    return name.endswith(".js")


def _loaded(assets: Mapping[str, Path], mentioned: Iterable[str]) -> set[str]:
    """Return what pages load, and what that loads in turn, told by the names of files."""
    places: dict[str, list[str]] = {}
    for name in assets:
        # A font is taken in its smallest form, and a map is for the theme's developers.
        if not name.endswith(".map") and f"{name.removesuffix('.ttf')}.woff2" not in assets:
            places.setdefault(name.rpartition("/")[2], []).append(name)
    found: set[str] = set()
    new = {place for name in mentioned for place in places.get(name, ())}
    while new:
        found |= new
        # What lies in vendor/ is whole in itself, and large.
        texts = (name for name in new if name.startswith("_static/"))
        readable = [assets[name] for name in texts if name.endswith((".css", ".js", ".svg"))]
        named = {name for path in readable for name in _FILE.findall(_text(path))}
        new = {place for name in named for place in places.get(name, ())} - found
    return found


def _slim(
    sheets: Mapping[str, str], names: Collection[str], words: set[str], folder: Path
) -> tuple[str, str]:
    """Write the slim sheets unless they are there; return their digests before and now."""
    memory = folder.with_suffix(".json")
    before = json.loads(_text(memory)) if memory.is_file() else {"from": "", "digest": ""}
    code = Path(styles.__file__).read_bytes()
    facts = json.dumps([sorted(sheets.items()), sorted(names), sorted(words)])
    made_from = hashlib.sha256(facts.encode() + code).hexdigest()
    if before["from"] == made_from:
        return before["digest"], before["digest"]
    whole = {name: text for name, text in sheets.items() if name not in names}
    words = words.union(*map(styles.properties, whole.values()))
    made = styles.slim({name: sheets[name] for name in names}, words)
    digest = hashlib.sha256(json.dumps([sorted(made.items()), sorted(whole.items())]).encode())
    token = digest.hexdigest()[:8]
    for name, text in made.items():
        addressed = _IMPORT.sub(rf"\1?v={token}", text)
        making.write_changed(folder / name, addressed.encode())
    memory.write_text(json.dumps({"from": made_from, "digest": token}), "utf-8")
    return before["digest"], token


def _address(path: Path, token: str) -> bool:
    """Make a page ask for the sheets of a digest, and return whether it did not yet."""
    content = path.read_bytes().decode("utf-8")
    changed = _LINK.sub(rf"\1?v={token}", content)
    if changed == content:
        return False
    path.write_bytes(changed.encode("utf-8"))
    return True
