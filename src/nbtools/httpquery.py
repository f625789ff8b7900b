"""A request of ClickHouse's HTTP interface, taken apart: statement, data, values, settings.

Pure functions over bytes; :mod:`nbtools.bridge` reads them from a socket and asks the
engine. Names, codes and statuses are those of a ClickHouse server, so that clients take
the bridge for one.
"""

import base64
import binascii
import gzip
import re
import sys
import zlib
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from nbtools.dsn import DATABASE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

try:
    import lz4.frame as lz4
except ImportError:
    lz4 = None  # as in clickhouse-connect: present up to Python 3.13

READER = "reader"
_WRITERS = ("", "default")
_NAME = re.compile(r"[A-Za-z_]\w*")
# What the transport takes for itself; everything else in the URL is an engine setting.
_TRANSPORT = frozenset(
    [
        *("query", "user", "password", "database", "default_format", "query_id", "role"),
        *("session_id", "session_timeout", "session_check", "quota_key", "stacktrace"),
        *("compress", "decompress", "buffer_size", "wait_end_of_query"),
        *("client_protocol_version", "enable_http_compression"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
        "cancel_http_readonly_queries_on_client_close",
    ]
)
_STATUSES = {
    400: """BAD_ARGUMENTS BAD_QUERY_PARAMETER CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT
    CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE
    CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER CANNOT_PARSE_INPUT_ASSERTION_FAILED
    CANNOT_PARSE_UUID CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING DUPLICATE_COLUMN ILLEGAL_COLUMN
    THERE_IS_NO_COLUMN UNKNOWN_ELEMENT_IN_AST TOO_DEEP_AST TOO_BIG_AST
    UNEXPECTED_AST_STRUCTURE SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH
    VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE""",
    403: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED",
    404: """UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE
    UNKNOWN_DATABASE UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION
    UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY""",
    408: "TIMEOUT_EXCEEDED",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE",
}
_STATUS = {name: status for status, names in _STATUSES.items() for name in names.split()}
# What is never closed goes on to the end; looked for again and again, it would take for ever.
_TOKEN = re.compile(
    rb"""(?P<gap>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<quoted>'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)
        |"(?:[^"\\]++|\\.|"")*+(?:"|\\?\Z)
        |`(?:[^`\\]++|\\.|``)*+(?:`|\\?\Z)
        |\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<word>\w+)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
# Wider than the grammar on purpose: what separates two words may be written in many ways.
_INTO_OUTFILE = re.compile(
    rb"\bINTO(?:/\*.*?(?:\*/|\Z)|--[^\n]*\n|\#[^\n]*\n|\W)++OUTFILE\b", re.DOTALL | re.IGNORECASE
)
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_EFFECTS = frozenset(
    b"""INSERT CREATE DROP ALTER TRUNCATE RENAME EXCHANGE SET USE OPTIMIZE DELETE UPDATE ATTACH
    DETACH GRANT REVOKE SYSTEM UNDROP REPLACE BACKUP RESTORE""".split()
)


class Refused(Exception):  # noqa: N818 -- an answer, not a failure of ours
    """A request that is answered with an error.

    Attributes
    ----------
    code : int
        ClickHouse's number of the error.
    name : str
        ClickHouse's name of the error.
    text : str
        The whole line, code and name included.
    """

    def __init__(self, code: int, name: str, reason: str) -> None:
        self.code = code
        self.name = name
        self.text = f"Code: {code}. DB::Exception: {reason} ({name})"
        super().__init__(self.text)

    @property
    def status(self) -> int:
        """The HTTP status that a server gives to this error."""
        return _STATUS.get(self.name, 500)


class Query(NamedTuple):
    """One statement with everything it needs.

    Attributes
    ----------
    text : bytes
        The statement; for an insert with data, without its FORMAT clause.
    data, data_format : bytes, str
        What is inserted; the format is empty unless the statement takes data.
    values : dict of str
        Values of the ``{name:Type}`` placeholders.
    settings : dict of str
        Settings of the engine.
    database : str
        Default database.
    output_format : str
        Format of the answer where the statement names none.
    may_write : bool
        False for the read-only user.
    """

    text: bytes
    data: bytes
    data_format: str
    values: dict[str, str]
    settings: dict[str, str]
    database: str
    output_format: str
    may_write: bool

    @property
    def first_word(self) -> bytes:
        """The statement's first word in upper case."""
        return first_word(self.text)

    @property
    def has_result(self) -> bool:
        """Whether the statement is one that answers with rows, be they none."""
        return self.first_word not in _EFFECTS

    @property
    def result_format(self) -> str:
        """Format of the answer."""
        named = _FORMAT.search(self.text)
        return named[1].decode() if named else self.output_format


def read(method: str, target: str, headers: "Message[str, str]", body: bytes) -> Query | None:
    """Return the query of a request.

    Parameters
    ----------
    method, target : str
        Such as ``POST`` and ``/?database=app``.
    headers : Message
        Of the request.
    body : bytes
        As sent, compressed or not.

    Returns
    -------
    Query or None
        None when there is nothing to run (a GET without a query).

    Raises
    ------
    Refused
        If a server would refuse the request before it reaches the engine, or the bridge
        cannot do what it asks for.
    """
    fields = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
    body = _decompressed(body, headers.get("Content-Encoding", "identity").lower())
    if headers.get("Content-Type", "").startswith("multipart/form-data"):
        fields |= _form(headers["Content-Type"], body)
        body = b""
    for name in ("compress", "decompress"):
        if fields.get(name, "0") not in {"0", "false"}:
            raise Refused(48, "NOT_IMPLEMENTED", f"{name}=1 is not supported by the bridge")
    in_url = fields.get("query", "").encode("utf-8", "surrogateescape")
    text = in_url + b"\n" + body if in_url and body else in_url or body
    if not first_word(text):
        if method == "GET" and not text.strip():
            return None
        raise Refused(62, "SYNTAX_ERROR", "Empty query")
    may_write = _may_write(fields, headers)
    refuse_what_no_server_does(text)
    text, data, data_format = _split_data(text)
    settings = _settings(fields)
    if method == "GET" and may_write:
        settings["readonly"] = "2"
    return Query(
        text,
        data,
        data_format,
        {name[6:]: value for name, value in fields.items() if name.startswith("param_")},
        settings,
        fields.get("database") or headers.get("X-ClickHouse-Database") or DATABASE,
        fields.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated",
        may_write,
    )


def _decompressed(body: bytes, encoding: str) -> bytes:
    try:
        match encoding:
            case "" | "identity":
                return body
            case "gzip" | "x-gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
            case "lz4" if lz4:
                return b"".join(_lz4_frames(body))
            case "zstd":
                return zstd.decompress(body)
    except (OSError, EOFError, RuntimeError, zlib.error, zstd.ZstdError) as error:
        raise Refused(
            354, "ZLIB_INFLATE_FAILED", f"Cannot decompress the {encoding} body: {error}"
        ) from None
    raise Refused(89, "UNKNOWN_COMPRESSION_METHOD", f"Unknown content encoding {encoding!r}")


def _lz4_frames(body: bytes) -> Iterator[bytes]:
    # clickhouse-connect sends one frame per block; the library's one-shot function stops
    # after the first, and most of an insert would be lost without a word.
    while body:
        frame = lz4.LZ4FrameDecompressor()
        yield frame.decompress(body)
        if not frame.eof:
            raise EOFError("it ends in the middle of a frame")
        body = frame.unused_data or b""


def _form(content_type: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    fields = {}
    for part in message_from_bytes(head + body, policy=HTTP).iter_parts():
        name = part.get_param("name", header="content-disposition")
        if name is None or part.get_filename() or not _is_field(str(name)):
            raise Refused(48, "NOT_IMPLEMENTED", "External tables are not supported by the bridge")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        fields[str(name)] = content.decode("utf-8", "surrogateescape")
    return fields


def _is_field(name: str) -> bool:
    return name == "query" or name.startswith("param_")


def _may_write(fields: Mapping[str, str], headers: "Message[str, str]") -> bool:
    user = fields.get("user") or headers.get("X-ClickHouse-User") or _basic_user(headers)
    if user not in (READER, *_WRITERS):
        raise Refused(
            516,
            "AUTHENTICATION_FAILED",
            f"{user}: Authentication failed: the bridge knows the users default and {READER}.",
        )
    return user != READER


def _basic_user(headers: "Message[str, str]") -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(token, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(516, "AUTHENTICATION_FAILED", "Unreadable credentials") from None


def _settings(fields: Mapping[str, str]) -> dict[str, str]:
    found = {
        name: value
        for name, value in fields.items()
        if name not in _TRANSPORT and not name.startswith("param_")
    }
    for name in found:
        if not _NAME.fullmatch(name):
            raise Refused(115, "UNKNOWN_SETTING", f"Unknown setting {name!r}")
    return found


def _words(text: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield words, signs and quoted texts, with start and end; words in upper case."""
    for token in _TOKEN.finditer(text):
        if not token["gap"]:
            yield token[0].upper(), token.start(), token.end()


def first_word(text: bytes) -> bytes:
    """Return a statement's first word in upper case; empty when it says nothing."""
    # A query may begin with brackets, and an empty one is nothing but semicolons.
    return next((word for word, _, _ in _words(text) if word not in {b"(", b";"}), b"")


def trimmed(text: bytes) -> bytes:
    """Return a statement without the semicolons and comments at its end."""
    ends = [end for word, _, end in _words(text) if word != b";"]
    return text[: ends[-1]] if ends else b""


def refuse_what_no_server_does(text: bytes) -> None:
    """Refuse what the embedded engine would do although a server does not.

    Parameters
    ----------
    text : bytes
        A statement.

    Raises
    ------
    Refused
        If it writes a file of this machine, or is several statements.
    """
    if first_word(text) == b"INSERT":
        return
    if _INTO_OUTFILE.search(text):
        raise Refused(358, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE is not allowed over HTTP")
    ended = False
    for word, _, _ in _words(text):
        if ended and word != b";":
            raise Refused(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
        ended = ended or word == b";"


def _split_data(text: bytes) -> tuple[bytes, bytes, str]:
    """Return an insert's statement, its data and their format; another text unchanged."""
    if first_word(text) != b"INSERT":
        return text, b"", ""
    depth, before = 0, b""
    words = _words(text)
    for word, start, end in words:
        depth += (word == b"(") - (word == b")")
        # A table may have the name of a keyword.
        if depth or before in {b"INTO", b"TABLE", b"."}:
            word = b""  # noqa: PLW2901
        before = text[start:end].upper()
        if word in {b"SELECT", b"WITH", b"INFILE"}:
            break
        if word == b"VALUES":
            return text[:start], text[end:].rstrip(b"; \t\r\n"), "Values"
        if word == b"FORMAT":
            _, name, data = next(words, (b"", end, end))
            return text[:start], _after_line(text[data:]), text[name:data].decode()
    return text, b"", ""


def _after_line(rest: bytes) -> bytes:
    # As a server does: blanks, then at most one end of line, belong to the statement.
    start = re.match(rb"[ \t\f]*;?[ \t\f]*\r?\n?", rest)
    return rest[start.end() :] if start else rest
