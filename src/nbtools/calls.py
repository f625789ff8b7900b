"""A message as calls of the Bot API: escaped, marked up, split and grouped into albums.

Lengths are counted as Telegram does, in UTF-16 code units of what a reader sees. Lines
are marked up one by one, so that no tag and no escape can be cut in two.
"""

import html
import json
import struct
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from nbtools.handover import Attachment, Draft

TEXT_LIMIT = 4096  # UTF-16 code units after entity parsing
CAPTION_LIMIT = 1024
ALBUM_LIMIT = 10
PHOTO_BYTES = 10 * 1024 * 1024
PHOTO_SIDES = 10_000  # pixels, width and height together
PHOTO_RATIO = 20
LINK_TEXT = "Open the page"
_PNG = b"\x89PNG\r\n\x1a\n"
_NO_BREAK = {"\u00a0", "\u202f", "\u2007"}
_JOINERS = {"\u200d", "\ufe0f"}  # they belong to the character before them


class Line(NamedTuple):
    """A line of a message.

    Attributes
    ----------
    text : str
        What a reader sees.
    style : {"plain", "bold", "link"}
        How it is marked up.
    href : str
        Where a link leads.
    """

    text: str
    style: Literal["plain", "bold", "link"] = "plain"
    href: str = ""

    @property
    def html(self) -> str:
        """The line as the Bot API takes it."""
        escaped = html.escape(self.text, quote=False)
        if self.style == "bold":
            return f"<b>{escaped}</b>"
        if self.style == "link":
            return f'<a href="{html.escape(self.href)}">{escaped}</a>'
        return escaped


class Call(NamedTuple):
    """One call of the Bot API.

    Attributes
    ----------
    method : str
        Such as ``sendMessage``.
    fields : dict of str
        Form fields, without the chat.
    files : tuple of (str, Attachment)
        Uploads and the names of their form fields.
    lines : tuple of Line
        The text or caption it carries.
    """

    method: str
    fields: dict[str, str]
    files: tuple[tuple[str, Attachment], ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def text(self) -> str:
        """The text or caption as a chat shows it."""
        return "\n".join(line.text for line in self.lines)

    @property
    def html(self) -> str:
        """The text or caption as the Bot API takes it."""
        return "\n".join(line.html for line in self.lines)


def plan(draft: Draft) -> list[Call]:
    """Return the calls that send a message; the same message always gives the same ones.

    Parameters
    ----------
    draft : Draft
        The message, plain text.

    Returns
    -------
    list of Call
        At least one. The text comes first, unless it fits under the first picture or
        document.
    """
    photos = [item for item in draft.pictures if is_photo(item.data)]
    papers = [item for item in draft.pictures if not is_photo(item.data)]
    papers += draft.documents
    lines = _lines(draft)
    caption: tuple[Line, ...] = ()
    calls = []
    if (photos or papers) and _units("\n".join(line.text for line in lines)) <= CAPTION_LIMIT:
        caption = tuple(lines)
    else:
        calls = [_message(part) for part in split(lines, TEXT_LIMIT)]
    for number, album in enumerate(_albums(photos)):
        calls.append(_photos(album, caption if number == 0 else ()))
    for number, paper in enumerate(papers):
        calls.append(_document(paper, caption if number == 0 and not photos else ()))
    return calls


def _lines(draft: Draft) -> list[Line]:
    lines = [Line(" ".join(draft.title.split()), "bold")] if draft.title.strip() else []
    lines += [Line(text) for text in draft.text.strip("\n").split("\n") if draft.text.strip()]
    if draft.link:
        lines.append(_link(draft.link))
    return lines


def _link(link: str) -> Line:
    """Return a link that can be clicked, or the bare address where Telegram would drop it."""
    try:
        parts = urlsplit(link)
        known = parts.scheme in {"http", "https"} and "." in (parts.hostname or "")
        known = known and not any(char.isspace() for char in link)
    except ValueError:
        known = False
    return Line(LINK_TEXT, "link", link) if known else Line(link)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def split(lines: Sequence[Line], limit: int) -> list[list[Line]]:
    """Return lines in parts that each fit a message.

    Parameters
    ----------
    lines : sequence of Line
        The message.
    limit : int
        UTF-16 code units of a part.

    Returns
    -------
    list of list of Line
        Cut at line ends; a single line that is too long is cut at words. Parts that show
        nothing are left out, but there is at least one part.
    """
    parts: list[list[Line]] = [[]]
    room = limit
    for line in lines:
        rest = line
        if _units(rest.text) > room:
            if _units(rest.text) <= limit or room < limit // 2:
                parts.append([])
                room = limit
            while _units(rest.text) > room:
                head, tail = _cut(rest.text, room)
                parts[-1].append(rest._replace(text=head))
                parts.append([])
                rest, room = rest._replace(text=tail), limit
        parts[-1].append(rest)
        room -= _units(rest.text) + 1
    shown = [part for part in map(_trim, parts) if part]
    return shown or [[]]


def _trim(part: list[Line]) -> list[Line]:
    """Return a part without the blank lines around it, which Telegram would drop."""
    filled = [number for number, line in enumerate(part) if line.text.strip()]
    return part[filled[0] : filled[-1] + 1] if filled else []


def _cut(text: str, limit: int) -> tuple[str, str]:
    """Return the longest beginning that fits, ended at a word where there is one, and the rest."""
    end = len(text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore"))
    for place in range(end, 0, -1):
        if text[place].isspace() and text[place] not in _NO_BREAK and text[:place].strip():
            return text[:place].rstrip(), text[place:].lstrip()
    place = end
    while place > 1 and _inside_character(text, place):
        place -= 1
    place = place if place > 1 else end
    return text[:place], text[place:]


def _inside_character(text: str, place: int) -> bool:
    return (
        text[place] in _JOINERS
        or text[place - 1] == "\u200d"
        or bool(unicodedata.combining(text[place]))
    )


def is_photo(data: bytes) -> bool:
    """Return whether Telegram takes a picture as a photo; others travel as documents.

    Parameters
    ----------
    data : bytes
        Content. Charts are PNG; nothing else is sent as a photo.
    """
    if len(data) > PHOTO_BYTES or not data.startswith(_PNG) or len(data) < 24:
        return False
    width, height = struct.unpack(">II", data[16:24])
    if not width or not height or width + height > PHOTO_SIDES:
        return False
    return bool(max(width, height) <= PHOTO_RATIO * min(width, height))


def _albums(photos: Sequence[Attachment]) -> list[Sequence[Attachment]]:
    """Return photos in albums of equal size, so that none is left with one."""
    count = -(-len(photos) // ALBUM_LIMIT)
    bounds = [len(photos) * number // count for number in range(count + 1)] if count else []
    return [photos[start:end] for start, end in pairwise(bounds)]


def _message(lines: Sequence[Line]) -> Call:
    call = Call("sendMessage", {}, (), tuple(lines))
    fields = {
        "text": call.html,
        "parse_mode": "HTML",
        "link_preview_options": json.dumps({"is_disabled": True}),
    }
    return call._replace(fields=fields)


def _photos(album: Sequence[Attachment], caption: tuple[Line, ...]) -> Call:
    if len(album) == 1:
        return _upload("sendPhoto", "photo", album[0], caption)
    files = tuple((f"photo{number}", item) for number, item in enumerate(album))
    media: list[dict[str, Any]] = [
        {"type": "photo", "media": f"attach://{name}"} for name, _ in files
    ]
    call = Call("sendMediaGroup", {}, files, caption)
    if caption:
        media[0] |= {"caption": call.html, "parse_mode": "HTML"}
    return call._replace(fields={"media": json.dumps(media)})


def _document(item: Attachment, caption: tuple[Line, ...]) -> Call:
    return _upload("sendDocument", "document", item, caption)


def _upload(method: str, field: str, item: Attachment, caption: tuple[Line, ...]) -> Call:
    call = Call(method, {}, ((field, item),), caption)
    fields = {"caption": call.html, "parse_mode": "HTML"} if caption else {}
    return call._replace(fields=fields)
