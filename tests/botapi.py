"""A loopback stand-in of the Telegram Bot API.

It refuses what the real one refuses, with its bodies: tokens, chats, the HTML subset,
lengths in UTF-16 code units after parsing, albums, photo sizes read from real PNG headers,
uploads. And it can be told to be slow, busy, broken or gone::

    with BotApi() as api:
        api.script(status(502), too_many(1))
        ...
        assert api.messages[0].text == "Feed"
"""

import html
import json
import re
import socket
import struct
import threading
import time
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self
from urllib.parse import parse_qs, unquote

# Put together, so that no scanner for secrets takes it for a real one.
TOKEN = ":".join(["123456789", "AAFakeTokenForTheLoopbackStandIn-0_xyz"])
REPORTS = "-1001000000001"
OPERATIONS = "-1001000000002"

_PHOTO_BYTES = 10 * 1024 * 1024
_UPLOAD_BYTES = 50 * 1024 * 1024
_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
    "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "code": "code", "pre": "pre", "blockquote": "blockquote", "tg-spoiler": "spoiler",
    "a": "text_link",
}  # fmt: skip


class Upload(NamedTuple):
    """A file as it came in."""

    name: str
    data: bytes


class Sent(NamedTuple):
    """A message that a chat shows."""

    message_id: int
    chat: str
    method: str
    text: str
    entities: list[dict[str, Any]]
    source: str
    file: Upload | None
    album: str


class Step(NamedTuple):
    """How one request is to be treated instead of, or before, being answered."""

    code: int = 0
    body: str = ""
    seconds: float = 0.0
    drop: str = ""
    headers: tuple[tuple[str, str], ...] = ()


NORMAL = Step()


def status(code: int, body: str = "<html><body><h1>Bad Gateway</h1></body></html>") -> Step:
    return Step(code, body)


def too_many(seconds: int) -> Step:
    description = f"Too Many Requests: retry after {seconds}"
    body = error_body(429, description, {"retry_after": seconds})
    return Step(429, body)


def refusal(code: int, description: str) -> Step:
    return Step(code, error_body(code, description))


def slow(seconds: float) -> Step:
    """Accept the request, then keep the sender waiting."""
    return Step(seconds=seconds)


def redirect(target: str) -> Step:
    return Step(302, "", headers=(("Location", target),))


DROP_BEFORE = Step(drop="before")
DROP_AFTER = Step(drop="after")


def error_body(code: int, description: str, parameters: dict[str, Any] | None = None) -> str:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return json.dumps(body | ({"parameters": parameters} if parameters else {}))


class Refused(Exception):  # noqa: N818 -- an answer, not an error of ours
    """The request is answered with an error."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


class BotApi:
    """The stand-in; all its state is open to the tests."""

    def __init__(self, port: int = 0) -> None:
        self.token = TOKEN
        self.chat = REPORTS
        self.chats: dict[str, str] = {REPORTS: "supergroup", OPERATIONS: "supergroup"}
        self.forbidden: dict[str, str] = {}
        self.migrated: dict[str, str] = {}
        self.messages: list[Sent] = []
        self.calls: list[tuple[str, str, int]] = []
        self.times: list[float] = []
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._next = 100
        self._albums = 13_000_000_000_000_000
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, *steps: Step) -> None:
        """Treat the next requests so, one step each."""
        self._steps.extend(steps)

    def texts(self, chat: str = REPORTS) -> list[str]:
        return [message.text for message in self.messages if message.chat == chat]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def step(self) -> Step:
        with self._lock:
            self.times.append(time.monotonic())
            return self._steps.pop(0) if self._steps else NORMAL

    def record(self, method: str, chat: str, code: int) -> None:
        with self._lock:
            self.calls.append((method, chat, code))

    def answer(self, method: str, fields: dict[str, str], files: dict[str, Upload]) -> Any:
        """Do what a method does and return its result, in the order of the real checks."""
        methods = {
            "getMe": self._get_me,
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "sendDocument": self._send_document,
            "sendMediaGroup": self._send_media_group,
        }
        if method not in methods:
            raise Refused(404, "Not Found")
        if any(len(upload.data) > _UPLOAD_BYTES for upload in files.values()):
            raise Refused(413, "Request Entity Too Large")
        with self._lock:
            return methods[method](fields, files)

    def _get_me(self, _fields: dict[str, str], _files: dict[str, Upload]) -> Any:
        return _bot(self.token)

    def _send_message(self, fields: dict[str, str], _files: dict[str, Upload]) -> Any:
        source = fields.get("text", "")
        if not source.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(source.encode()) > 1 << 15:
            raise Refused(400, "Bad Request: text is too long")
        text, entities = _parse(source, fields)
        if not text:
            raise Refused(400, "Bad Request: message text is empty")
        chat = self._chat(fields)
        if _units(text) > 4096:
            raise Refused(400, "Bad Request: message is too long")
        return self._store(Sent(0, chat, "sendMessage", text, entities, source, None, ""))

    def _send_photo(self, fields: dict[str, str], files: dict[str, Upload]) -> Any:
        if "photo" not in files:
            raise Refused(400, "Bad Request: there is no photo in the request")
        text, entities = _caption(fields)
        _check_photo_size(files["photo"])
        chat = self._chat(fields)
        problem = _photo_problem(files["photo"].data)
        if problem:
            raise Refused(400, f"Bad Request: {problem}")
        source = fields.get("caption", "")
        return self._store(Sent(0, chat, "sendPhoto", text, entities, source, files["photo"], ""))

    def _send_document(self, fields: dict[str, str], files: dict[str, Upload]) -> Any:
        if "document" not in files:
            raise Refused(400, "Bad Request: there is no document in the request")
        text, entities = _caption(fields)
        if not files["document"].data:
            raise Refused(400, "Bad Request: file must be non-empty")
        chat = self._chat(fields)
        source = fields.get("caption", "")
        return self._store(
            Sent(0, chat, "sendDocument", text, entities, source, files["document"], "")
        )

    def _send_media_group(self, fields: dict[str, str], files: dict[str, Upload]) -> Any:
        if "media" not in fields:
            raise Refused(400, 'Bad Request: parameter "media" is required')
        items = [_album_item(item, files) for item in json.loads(fields["media"])]
        chat = self._chat(fields)
        _check_album(items)
        self._albums += 1
        return [
            self._store(
                Sent(
                    0, chat, "sendMediaGroup", text, entities, item.get("caption", ""),
                    upload, str(self._albums),
                )
            )
            for item, text, entities, upload in items
        ]  # fmt: skip

    def _chat(self, fields: dict[str, str]) -> str:
        chat = fields.get("chat_id", "")
        if not chat:
            raise Refused(400, "Bad Request: chat_id is empty")
        if chat in self.migrated:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=int(self.migrated[chat]),
            )
        if chat in self.forbidden:
            raise Refused(403, self.forbidden[chat])
        if chat not in self.chats:
            raise Refused(400, "Bad Request: chat not found")
        return chat

    def _store(self, message: Sent) -> dict[str, Any]:
        self._next += 1
        message = message._replace(message_id=self._next)
        self.messages.append(message)
        shown: dict[str, Any] = {
            "message_id": message.message_id,
            "from": _bot(self.token),
            "chat": {"id": int(message.chat), "title": "Chat", "type": self.chats[message.chat]},
            "date": int(time.time()),
        }
        if message.album:
            shown["media_group_id"] = message.album
        if message.file is None:
            return shown | {"text": message.text, "entities": message.entities}
        if message.method == "sendDocument":
            shown["document"] = {
                "file_name": message.file.name,
                "file_id": f"BQACAgIAAx{message.message_id}",
                "file_unique_id": f"AgAD{message.message_id}",
                "file_size": len(message.file.data),
            }
        else:
            width, height = struct.unpack(">II", message.file.data[16:24])
            shown["photo"] = [
                {
                    "file_id": f"AgACAgIAAx{message.message_id}",
                    "file_unique_id": f"AQAD{message.message_id}",
                    "file_size": len(message.file.data),
                    "width": width,
                    "height": height,
                }
            ]
        if message.text:
            shown |= {"caption": message.text, "caption_entities": message.entities}
        return shown


def _bot(token: str) -> dict[str, Any]:
    return {
        "id": int(token.partition(":")[0]),
        "is_bot": True,
        "first_name": "Reports",
        "username": "reports_bot",
    }


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _caption(fields: dict[str, str]) -> tuple[str, list[dict[str, Any]]]:
    text, entities = _parse(fields.get("caption", ""), fields)
    if _units(text) > 1024:
        raise Refused(400, "Bad Request: message caption is too long")
    return text, entities


_Item = tuple[dict[str, Any], str, list[dict[str, Any]], Upload]


def _album_item(item: dict[str, Any], files: dict[str, Upload]) -> _Item:
    text, entities = _caption(item)
    upload = files.get(item["media"].removeprefix("attach://"))
    if upload is None:
        raise Refused(400, "Bad Request: can't parse InputMedia: media not found")
    if item["type"] == "photo":
        _check_photo_size(upload)
    return item, text, entities, upload


def _check_album(items: list[_Item]) -> None:
    if not items:
        raise Refused(400, "Bad Request: there are no messages to send")
    if len(items) > 10:
        raise Refused(400, "Bad Request: too many messages to send as an album")
    kinds = {item["type"] for item, *_ in items}
    if "document" in kinds and len(kinds) > 1:
        raise Refused(400, "Bad Request: document can't be mixed with other media types")
    for number, (item, _, _, upload) in enumerate(items, 1):
        problem = _photo_problem(upload.data) if item["type"] == "photo" else ""
        if problem:
            raise Refused(
                400,
                f'Bad Request: failed to send message #{number} with the error message "{problem}"',
            )


def _check_photo_size(upload: Upload) -> None:
    if not upload.data:
        raise Refused(400, "Bad Request: file must be non-empty")
    if len(upload.data) > _PHOTO_BYTES:
        raise Refused(
            400,
            f"Bad Request: file of size {len(upload.data)} bytes is too big for a photo; "
            f"the maximum size is {_PHOTO_BYTES} bytes",
        )


def _photo_problem(data: bytes) -> str:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return "IMAGE_PROCESS_FAILED"
    width, height = struct.unpack(">II", data[16:24])
    sides = sorted((width, height))
    if not sides[0] or sum(sides) > 10_000 or sides[1] > 20 * sides[0]:
        return "PHOTO_INVALID_DIMENSIONS"
    return ""


def _parse(source: str, fields: dict[str, str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the text that is shown and its entities; trims it as the real one does."""
    if fields.get("parse_mode", "") == "":
        return source.strip(), []
    if fields["parse_mode"].lower() != "html":
        raise Refused(400, "Bad Request: unsupported parse_mode")
    text, entities = parse_html(source)
    return text.strip(), entities


_OPEN = re.compile(r"""<([^\s/<>]*)((?:\s+[a-z-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*)\s*>""", re.I)
_CLOSE = re.compile(r"</([^\s<>]*)\s*>")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")
_HREF = re.compile(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.I)


def parse_html(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Parse the HTML subset with the complaints of the real parser.

    Like there, a character reference that is not known stays as it is written.
    """
    shown: list[str] = []
    entities: list[dict[str, Any]] = []
    stack: list[tuple[str, int, str]] = []
    place = 0
    while place < len(source):
        if source.startswith("</", place):
            place = _close(source, place, shown, stack, entities)
        elif source[place] == "<":
            place = _open(source, place, shown, stack)
        elif found := _ENTITY.match(source, place):
            shown.append(html.unescape(found[0]))
            place = found.end()
        else:
            shown.append(source[place])
            place += 1
    if stack:
        _complain(f'Can\'t find end tag corresponding to start tag "{stack[-1][0]}"')
    return "".join(shown), sorted(entities, key=lambda entity: entity["offset"])


def _complain(text: str) -> None:
    raise Refused(400, f"Bad Request: can't parse entities: {text}")


def _open(source: str, place: int, shown: list[str], stack: list[tuple[str, int, str]]) -> int:
    offset = len(source[:place].encode())
    found = _OPEN.match(source, place)
    name = re.match(r"[^\s>]*", source[place + 1 :])
    assert name is not None
    if name[0].lower() not in _TAGS:
        _complain(f'Unsupported start tag "{name[0].lower()}" at byte offset {offset}')
    if found is None:
        _complain(f'Unclosed start tag "{name[0].lower()}" at byte offset {offset}')
        return 0
    href = _HREF.search(found[2])
    target = html.unescape(href[1] or href[2] or "") if href else ""
    stack.append((name[0].lower(), _units("".join(shown)), target))
    return found.end()


def _close(
    source: str, place: int, shown: list[str], stack: list[tuple[str, int, str]],
    entities: list[dict[str, Any]],
) -> int:  # fmt: skip
    offset = len(source[:place].encode())
    if not stack:
        _complain(f"Unexpected end tag at byte offset {offset}")
    found = _CLOSE.match(source, place)
    if found is None:
        _complain(f"Unclosed end tag at byte offset {offset}")
        return 0
    name, start, target = stack.pop()
    if found[1].lower() not in {"", name}:
        _complain(
            f"Unmatched end tag at byte offset {offset}, "
            f'expected "</{name}>", found "</{found[1].lower()}>"'
        )
    length = _units("".join(shown)) - start
    if length:
        entity: dict[str, Any] = {"offset": start, "length": length, "type": _TAGS[name]}
        entities.append(entity | ({"url": target} if name == "a" else {}))
    return found.end()


class _Server(ThreadingHTTPServer):
    api: BotApi
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: senders that gave up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    _PATH: ClassVar = re.compile(r"/bot(\d+:[\w-]{20,})/(\w+)")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- inherited
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        step = api.step()
        found = self._PATH.fullmatch(unquote(self.path.partition("?")[0]))
        method = found[2] if found else self.path
        if step.drop == "before":
            return self._drop(method)
        if step.code:
            api.record(method, "", step.code)
            return self._reply(step.code, step.body, dict(step.headers))
        code, text = self._answer(found, body)
        if step.drop == "after":
            return self._drop(method)
        time.sleep(step.seconds)
        return self._reply(code, text, {})

    def _answer(self, found: re.Match[str] | None, body: bytes) -> tuple[int, str]:
        api = self.server.api
        chat = ""
        try:
            method = self._authorized(found)
            fields, files = read_form(self.headers.get("Content-Type", ""), body)
            chat = fields.get("chat_id", "")
            result = api.answer(method, fields, files)
        except Refused as refused:
            code = refused.code
            text = error_body(code, refused.description, refused.parameters)
        else:
            code, text = 200, json.dumps({"ok": True, "result": result})
        api.record(found[2] if found else self.path, chat, code)
        return code, text

    def _authorized(self, found: re.Match[str] | None) -> str:
        if found is None:
            raise Refused(404, "Not Found")
        if found[1] != self.server.api.token:
            raise Refused(401, "Unauthorized")
        return found[2]

    def _reply(self, code: int, text: str, headers: dict[str, str]) -> None:
        data = text.encode()
        self.send_response(code)
        kind = "application/json" if text.startswith("{") else "text/html"
        headers = {"Content-Type": kind, "Content-Length": str(len(data))} | headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _drop(self, method: str) -> None:
        self.server.api.record(method, "", 0)
        # A reset, not a polite end: the sender cannot know how far it got.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def read_form(kind: str, body: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    """Read the fields and files of a request, whichever way they are packed."""
    if kind.startswith("application/json"):
        return {name: str(value) for name, value in json.loads(body).items()}, {}
    if not kind.startswith("multipart/form-data"):
        pairs = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
        return {name: values[-1] for name, values in pairs.items()}, {}
    boundary = re.search(r'boundary="?([^";]+)', kind)
    if boundary is None:
        raise Refused(400, "Bad Request: invalid multipart boundary")
    fields: dict[str, str] = {}
    files: dict[str, Upload] = {}
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        header = BytesParser().parsebytes(head + b"\r\n\r\n")
        data = data.removesuffix(b"\r\n")
        disposition = str(header["Content-Disposition"])
        name = re.search(r'\bname="([^"]*)"', disposition)
        filename = re.search(rb'filename="([^"]*)"', head)
        assert name is not None
        if filename is None:
            fields[name[1]] = data.decode()
        else:
            files[name[1]] = Upload(filename[1].decode(), data)
    return fields, files
