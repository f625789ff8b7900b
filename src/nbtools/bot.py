"""One call of the Bot API over HTTP, retried within bounds, and what came of it.

The token is in the address of every request, and the libraries below put addresses into
their exceptions and log lines. So exceptions end here: what leaves this module are values
whose texts are our own words or the Bot API's, with the token cut out.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import requests
import tenacity
from urllib3.exceptions import HTTPError

from nbtools.calls import Call
from nbtools.settings import TelegramSettings

_SETTINGS_HINT = "check NBTOOLS_TELEGRAM_TOKEN and NBTOOLS_TELEGRAM_API_URL"
_HINTS = {
    "chat not found": "check NBTOOLS_TELEGRAM_CHAT, and let the bot into the chat",
    "blocked by the user": "the reader has to start the bot again",
    "bot was kicked": "let the bot into the chat again",
    "bot is not a member": "let the bot into the chat",
}


class Patience(NamedTuple):
    """How long one delivery waits for the Bot API.

    Attributes
    ----------
    attempts : int
        Requests per call.
    first, longest : float
        Seconds of the first pause, and of the longest; it doubles in between.
    total : float
        Seconds after which no pause begins any more; a longer ``retry_after`` is left to
        the next delivery.
    connect, read : float
        Seconds for a connection, and between two bytes of an answer.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 30.0
    total: float = 90.0
    connect: float = 10.0
    read: float = 60.0


PATIENCE = Patience()


class Answer(NamedTuple):
    """What came of a call.

    Attributes
    ----------
    verdict : {"ok", "retry", "hold", "refused", "moved"}
        Sent; to be tried later; nothing can be sent until the settings are mended; this
        message never; the chat has another number now.
    description : str
        Why, in one line.
    ids : tuple of int
        Numbers of the messages that were sent.
    retry_after : float
        Seconds that the Bot API asks to wait.
    chat : str
        The chat's new number.
    """

    verdict: Literal["ok", "retry", "hold", "refused", "moved"]
    description: str = ""
    ids: tuple[int, ...] = ()
    retry_after: float = 0.0
    chat: str = ""


@dataclass(frozen=True)
class Bot:
    """An open session with the Bot API.

    Attributes
    ----------
    session : requests.Session
        Its connections.
    api_url : str
        Address of the Bot API.
    token : str
        Secret, left out of the representation.
    patience : Patience
        How long to wait.
    """

    session: requests.Session
    api_url: str
    token: str = field(repr=False)
    patience: Patience = PATIENCE


@contextmanager
def open_bot(settings: TelegramSettings, patience: Patience) -> Iterator[Bot]:
    """Open a session with the Bot API; it connects at the first call.

    Parameters
    ----------
    settings : TelegramSettings
        With a token.
    patience : Patience
        How long to wait.

    Yields
    ------
    Bot
        Closed at the end of the block.
    """
    assert settings.token is not None
    token = settings.token.get_secret_value().strip()
    with requests.Session() as session, _without_token_in_logs(token):
        yield Bot(session, settings.api_url.rstrip("/"), token, patience)


@contextmanager
def _without_token_in_logs(token: str) -> Iterator[None]:
    """Cut the token out of urllib3's log lines, which name the path of each request."""

    def cut(record: logging.LogRecord) -> bool:
        record.msg, record.args = _cut(record.getMessage(), token), ()
        return True

    loggers = [logging.getLogger(f"urllib3.{name}") for name in ("connectionpool", "util.retry")]
    for logger in loggers:
        logger.addFilter(cut)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(cut)


def _cut(text: str, token: str) -> str:
    for secret in {token, quote(token, safe=":"), quote(token, safe="")} - {""}:
        text = text.replace(secret, "***")
    return text


def send(bot: Bot, chat: str, call: Call) -> Answer:
    """Make a call, again while that is worth it.

    Parameters
    ----------
    bot : Bot
        From :func:`open_bot`.
    chat : str
        Number or name of the chat.
    call : Call
        What to send.

    Returns
    -------
    Answer
        The last one. Never raises for what the network or the Bot API does.
    """
    patience = bot.patience
    backoff = tenacity.wait_exponential(patience.first, patience.longest)
    backoff_with_jitter = backoff + tenacity.wait_random(0, patience.first / 2)

    def pause(state: tenacity.RetryCallState) -> float:
        """Return how long to wait: what the Bot API asks for, else longer each time."""
        return _last(state).retry_after or backoff_with_jitter(state)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: answer.verdict == "retry"),
        wait=pause,
        stop=tenacity.stop_after_attempt(patience.attempts)
        | tenacity.stop_before_delay(patience.total),
        retry_error_callback=_last,
    )
    return retrying(_request, bot, chat, call)


def _last(state: tenacity.RetryCallState) -> Answer:
    assert state.outcome is not None
    answer: Answer = state.outcome.result()
    return answer


def _request(bot: Bot, chat: str, call: Call) -> Answer:
    patience = bot.patience
    try:
        response = bot.session.post(
            f"{bot.api_url}/bot{quote(bot.token, safe=':')}/{call.method}",
            data={"chat_id": chat, **call.fields},
            files=[(name, (item.name, item.data)) for name, item in call.files],
            timeout=(patience.connect, patience.read),
            allow_redirects=False,  # a redirect would carry the token elsewhere
        )
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        answer = _no_answer(error, patience)
    else:
        answer = _read(response)
    return answer._replace(description=_cut(answer.description, bot.token))


def _no_answer(error: Exception, patience: Patience) -> Answer:
    """Return our own words for an exception, whose text has the address."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Answer("retry", f"no connection to the Bot API within {patience.connect:g} s")
    if isinstance(error, requests.exceptions.ReadTimeout):
        return Answer("retry", f"no answer from the Bot API within {patience.read:g} s")
    if isinstance(error, ValueError):  # requests' own for addresses it cannot use, too
        return Answer("hold", f"the address of the Bot API cannot be used; {_SETTINGS_HINT}")
    return Answer("retry", f"no connection to the Bot API: {_system_words(error)}")


def _system_words(error: BaseException | None) -> str:
    """Return what the operating system said, such as ``Connection refused``."""
    words = ""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            words = error.strerror
        inner = [item for item in error.args if isinstance(item, BaseException)]
        inner += [item for item in (getattr(error, "reason", None),) if isinstance(item, Exception)]
        error = inner[0] if inner else error.__cause__ or error.__context__
    return words or "it was closed"


def _read(response: requests.Response) -> Answer:
    status, body = response.status_code, _body(response)
    if status == 200 and body.get("ok") is True:
        return Answer("ok", ids=_ids(body.get("result")))
    description = " ".join(str(body.get("description") or _status_line(response)).split())[:300]
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    if status == 429 or status >= 500:
        return Answer("retry", description, retry_after=_seconds(parameters))
    if "migrate_to_chat_id" in parameters:
        return Answer("moved", description, chat=str(parameters["migrate_to_chat_id"]))
    # Without the Bot API's own word it was something before it that spoke, such as a
    # proxy, and no message is to blame; 413 is what stands before the Bot API itself.
    refused = status == 413 or (body.get("ok") is False and status not in {401, 404})
    if not refused:
        return Answer("hold", f"{description}; {_SETTINGS_HINT}")
    hint = next((text for word, text in _HINTS.items() if word in description), "")
    return Answer("refused", f"{description}; {hint}" if hint else description)


def _body(response: requests.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _status_line(response: requests.Response) -> str:
    kind = "a redirect" if 300 <= response.status_code < 400 else response.reason or ""
    return f"the Bot API answered {response.status_code} {kind}".rstrip()


def _ids(result: Any) -> tuple[int, ...]:
    messages = result if isinstance(result, list) else [result]
    return tuple(
        message["message_id"]
        for message in messages
        if isinstance(message, dict) and isinstance(message.get("message_id"), int)
    )


def _seconds(parameters: Mapping[str, Any]) -> float:
    wait = parameters.get("retry_after")
    return float(wait) if isinstance(wait, int | float) and wait > 0 else 0.0
