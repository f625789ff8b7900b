"""What differs from machine to machine: environment variables and the ``.env`` file.

Nothing else in the package reads the environment. The Telegram token is in a class of
its own because only the sender may load it; a notebook never does.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from nbtools.errors import SettingsError


def _checkout() -> Path:
    """Return the folder that holds notebooks, parameters and book."""
    here = Path(__file__).resolve().parents[2]
    return here if (here / "notebooks").is_dir() else Path.cwd()


PROJECT = _checkout()
_THREADS = "OPENBLAS_NUM_THREADS"
SECRETS = (
    "NBTOOLS_TELEGRAM_TOKEN",
    "NBTOOLS_TELEGRAM_CHAT",
    "NBTOOLS_TELEGRAM_OPS_CHAT",
)

_CONFIG = SettingsConfigDict(
    env_file=PROJECT / ".env",
    env_ignore_empty=True,
    extra="ignore",
    frozen=True,
    hide_input_in_errors=True,
)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; needed is a name such as Europe/Moscow"
        ) from None
    return name


class Settings(BaseSettings):
    """Where things are, with the names of the ``NBTOOLS_*`` variables.

    Attributes
    ----------
    home : Path
        The one folder for everything generated; a relative one starts at the checkout.
    warehouse : str
        DSN of our tables, read and write.
    source : str
        DSN of the app's events, read only.
    state_url : str
        SQLAlchemy URL of runs, outbox and incidents.
    tz : str
        Time zone of the app: where a day begins.
    cell_timeout : float
        Seconds that one cell of a notebook may take.
    lock_wait : float
        Seconds to wait for the embedded warehouse while another process has it open.
    site_url : str
        Where the book is published, for the links of its feed; relative ones without it.
    realdata : Path or None
        Folder of the real logs that mappings name; a relative one starts at the checkout.
    """

    model_config = SettingsConfigDict(env_prefix="NBTOOLS_", **_CONFIG)

    home: Path = PROJECT / "state"
    # These may hold passwords, and a traceback shows the representation of its values.
    warehouse: Annotated[str, Field(repr=False)] = ""
    source: Annotated[str, Field(repr=False)] = ""
    state_url: Annotated[str, Field(repr=False)] = ""
    tz: Annotated[str, AfterValidator(_known_zone)] = "Europe/Moscow"
    lock_wait: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 600.0
    cell_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1800.0
    site_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    realdata: Path | None = None

    @model_validator(mode="after")
    def _defaults(self) -> Self:
        # A frozen model is completed, not changed: these depend on other fields.
        fill = object.__setattr__
        # Not the working directory: a kernel's is another one than the command's.
        fill(self, "home", PROJECT / self.home.expanduser())
        if self.realdata:
            fill(self, "realdata", PROJECT / self.realdata.expanduser())
        if not self.warehouse:
            fill(self, "warehouse", f"chdb://{quote(str(self.home / 'warehouse'))}")
        if not self.source:
            fill(self, "source", self.warehouse)
        if not self.state_url:
            fill(self, "state_url", f"sqlite:///{self.home / 'nbtools.sqlite3'}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The app's time zone."""
        return ZoneInfo(self.tz)


class TelegramSettings(BaseSettings):
    """Where messages go; without a token they become files in the outbox folder.

    Attributes
    ----------
    token : SecretStr or None
        Token of the bot.
    chat, ops_chat : str or None
        Chat of the reports and chat of the operators; the second defaults to the first.
    api_url : str
        Address of the Bot API.
    """

    model_config = SettingsConfigDict(env_prefix="NBTOOLS_TELEGRAM_", **_CONFIG)

    token: SecretStr | None = None
    chat: str | None = None
    ops_chat: str | None = None
    api_url: str = "https://api.telegram.org"

    @model_validator(mode="after")
    def _chat_for_token(self) -> Self:
        if self.token and not self.chat:
            raise ValueError("a token is set but no chat; set NBTOOLS_TELEGRAM_CHAT")
        return self


def load() -> Settings:
    """Return the settings of this process.

    Raises
    ------
    SettingsError
        If a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_first(error, "NBTOOLS_")) from None


def load_telegram() -> TelegramSettings:
    """Return where messages go.

    Raises
    ------
    SettingsError
        If a token is set without a chat.
    """
    try:
        return TelegramSettings()
    except ValidationError as error:
        raise SettingsError(_first(error, "NBTOOLS_TELEGRAM_")) from None


def secret_values() -> dict[str, str]:
    """Return every secret of this process by the name of its variable, to look for leaks."""
    telegram, machine = load_telegram(), load()
    found = {
        "NBTOOLS_TELEGRAM_TOKEN": telegram.token.get_secret_value() if telegram.token else None,
        "NBTOOLS_TELEGRAM_CHAT": telegram.chat,
        "NBTOOLS_TELEGRAM_OPS_CHAT": telegram.ops_chat,
    }
    for name in ("warehouse", "source", "state_url"):
        found[f"NBTOOLS_{name.upper()}"] = _password(getattr(machine, name))
    return {name: value for name, value in found.items() if value}


def _password(url: str) -> str | None:
    """Return the password in an address."""
    try:
        return unquote(urlsplit(url).password or "") or None
    except ValueError:  # what opens the address says what is wrong with it
        return None


def _first(error: ValidationError, prefix: str) -> str:
    """Return the first problem as one line that never repeats a secret value."""
    problem = error.errors(include_input=False, include_url=False)[0]
    name = prefix + "_".join(str(part) for part in problem["loc"]).upper()
    text = problem["msg"].removeprefix("Value error, ")
    return f"{name.removesuffix('_')}: {text} (environment or .env, see .env.example)."


@contextmanager
def without_secrets() -> Iterator[None]:
    """Hide the Telegram variables from processes started inside the block."""
    hidden = {name: os.environ.pop(name) for name in SECRETS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def kernel_environment() -> Iterator[None]:
    """Hide the secrets from kernels, and give their linear algebra one thread.

    The products of the statistics are small: on a busy machine several threads wait for each
    other longer than they compute. Whoever sets the variable is left alone.
    """
    with without_secrets():
        unset = _THREADS not in os.environ
        os.environ.setdefault(_THREADS, "1")
        try:
            yield
        finally:
            if unset:
                del os.environ[_THREADS]
