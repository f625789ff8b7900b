"""DSNs of the warehouse and the source: which ClickHouse, and where.

A DSN may hold a password, so no message and no representation repeats one.
"""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from nbtools.errors import SettingsError
from nbtools.settings import PROJECT

DATABASE = "analytics"
_SERVER_SCHEMES = {
    "clickhouse": ("http", 8123),
    "http": ("http", 8123),
    "clickhouses": ("https", 8443),
    "https": ("https", 8443),
}
_NEEDED = "chdb:///folder or clickhouse://user:password@host:8123/database"


class Address(NamedTuple):
    """Where a DSN points to.

    Attributes
    ----------
    path : Path or None
        Folder of the embedded engine; None for a server.
    host, port, interface, user, password : str, int
        The server.
    database : str
        Default database of the connection.
    """

    path: Path | None
    host: str = ""
    port: int = 0
    interface: str = "chdb"
    user: str = "default"
    password: str = ""
    database: str = DATABASE

    @property
    def place(self) -> str:
        """The address in words, without user and password."""
        return str(self.path) if self.path else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Address({self.interface}, {self.place})"


def parse_dsn(dsn: str, name: str) -> Address:
    """Return where a DSN points to.

    Parameters
    ----------
    dsn : str
        ``chdb:///folder``, ``clickhouse://user:password@host:8123/database`` or
        ``clickhouses://`` for TLS. Characters with a meaning in an address are written
        as ``%40``; a relative folder starts at the checkout.
    name : str
        The variable it came from, for messages.

    Returns
    -------
    Address
        Of the embedded engine if it has a path, else of a server.

    Raises
    ------
    SettingsError
        If it is neither; the DSN is not repeated, it may hold a password.

    Examples
    --------
    >>> parse_dsn("clickhouse://anna:p%40ss@db.example.org/analytics", "NBTOOLS_WAREHOUSE")
    Address(http, db.example.org:8123)
    """
    parts, port = _split(dsn, name)
    if parts.scheme == "chdb":
        return Address(_folder(parts, name))
    if parts.scheme not in _SERVER_SCHEMES:
        scheme = f"{parts.scheme}://" if parts.scheme else "no scheme"
        raise SettingsError(f"{name} starts with {scheme}; needed is {_NEEDED}.")
    if not parts.hostname:
        raise SettingsError(f"{name} names no host; needed is {_NEEDED}.")
    if parts.query or parts.fragment:
        raise SettingsError(
            f"{name} has a ? or # that ends its address; write %3F or %23 in a password."
        )
    interface, default_port = _SERVER_SCHEMES[parts.scheme]
    return Address(
        None,
        parts.hostname,
        port or default_port,
        interface,
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
        unquote(parts.path.strip("/")) or DATABASE,
    )


def _split(dsn: str, name: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(dsn)
        port = None if parts.scheme == "chdb" else parts.port
    except ValueError:
        # The reason would quote a piece of the DSN, and the piece may be of the password.
        raise SettingsError(
            f"{name} is not a DSN: its host or port cannot be read (write %40 for @, %23 "
            f"for #, %2F for / in a password); needed is {_NEEDED}."
        ) from None
    return parts, port


def _folder(parts: SplitResult, name: str) -> Path:
    # In a folder, ? and # are letters like any other until the engine sees them.
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    written = unquote(parts.netloc + parts.path + query + fragment)
    if not written.strip("/"):
        raise SettingsError(f"{name} names no folder; needed is {_NEEDED}.")
    if "?" in written:
        raise SettingsError(f"{name} has a ? in its folder, which the engine cannot open.")
    # One folder, one spelling: the lock beside it and the engine compare names.
    return (PROJECT / Path(written).expanduser()).resolve()
