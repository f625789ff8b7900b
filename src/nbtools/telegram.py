"""Deliver the outbox: by the Telegram Bot API, or as folders when no token is set.

The order within a chat is kept: a message that waits holds back the later ones of its
chat, a refused one does not. Between the moment when the Bot API has accepted a call and
the moment when that is recorded lies one transaction; a process killed right there sends
the call again, as does one that never heard the answer.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from nbtools import calls, folders, locks, outbox
from nbtools.bot import PATIENCE, Answer, Bot, Patience, open_bot, send
from nbtools.errors import LockedError
from nbtools.outbox import Message
from nbtools.settings import Settings, TelegramSettings
from nbtools.state import Store

_DELIVERY_LOCK = 0x6E62_746F_6F6C_7301  # any number that all machines share
# Pauses between deliveries, in seconds; the first doubles up to the longest.
_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 3600.0
_POLL_SECONDS = 0.5

Clock = Callable[[], datetime]


class DeliveryReport(NamedTuple):
    """What became of the messages.

    Attributes
    ----------
    sent, refused : int
        Messages that were sent, and refused for good, by this delivery.
    waiting : int
        Messages that wait for a later one.
    problems : tuple of str
        One line for each message that was not sent, and for what should be mended.
    folder : str
        Where they were written when no token is set, else empty.
    """

    sent: int = 0
    waiting: int = 0
    refused: int = 0
    problems: tuple[str, ...] = ()
    folder: str = ""

    def __str__(self) -> str:
        """Return the report in words."""
        counts = f"Messages: {self.sent} {'written to ' + self.folder if self.folder else 'sent'}"
        counts += f", {self.waiting} waiting" if self.waiting else ""
        counts += f", {self.refused} refused" if self.refused else ""
        return "\n".join((counts + ".", *self.problems))


@dataclass
class _Delivery:
    """What one delivery has come to so far."""

    sent: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)


def deliver(
    store: Store,
    settings: Settings,
    telegram_settings: TelegramSettings,
    *,
    now: datetime | None = None,
    patience: Patience = PATIENCE,
) -> DeliveryReport:
    """Send every message that is due, or write it to the outbox folder without a token.

    Parameters
    ----------
    store : Store
        The open state store.
    settings : Settings
        Names the home folder.
    telegram_settings : TelegramSettings
        Bot and chats.
    now : datetime or None
        The clock's time by default.
    patience : Patience
        How long to wait for the Bot API.

    Returns
    -------
    DeliveryReport
        What the Bot API does never raises; it is told here and kept in the outbox.
    """

    def clock() -> datetime:
        """Return the moment of an attempt."""
        return now or datetime.now(UTC)

    with ExitStack() as held:
        try:
            held.enter_context(_one_delivery(store, settings))
        except LockedError as error:
            return DeliveryReport(waiting=len(store.pending()), problems=(str(error),))
        if telegram_settings.token is None:
            return _write_all(store, settings, clock)
        bot = held.enter_context(open_bot(telegram_settings, patience))
        return _send_all(store, bot, _chats(telegram_settings), clock)


@contextmanager
def _one_delivery(store: Store, settings: Settings) -> Iterator[None]:
    """Hold back other deliveries: of this machine by a file, of others by the database."""
    lock = settings.home / "locks" / "delivery.lock"
    with locks.hold(lock, "delivering messages", wait=settings.lock_wait):
        if store.engine.dialect.name != "postgresql":
            yield
            return
        # The lock ends with the session, however the process ends.
        with store.engine.connect() as connection:
            _take(connection, time.monotonic() + settings.lock_wait)
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_DELIVERY_LOCK)))


def _take(connection: sa.Connection, deadline: float) -> None:
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_DELIVERY_LOCK))):
        connection.commit()
        if time.monotonic() > deadline:
            raise LockedError("Another machine is delivering; the next delivery goes on.")
        time.sleep(_POLL_SECONDS)
    connection.commit()


def _chats(settings: TelegramSettings) -> dict[str, str]:
    reports = (settings.chat or "").strip()
    return {"reports": reports, "operations": (settings.ops_chat or "").strip() or reports}


def _write_all(store: Store, settings: Settings, clock: Clock) -> DeliveryReport:
    folder = settings.home / "outbox"
    written = 0
    try:
        for message in store.pending():
            folders.write(store, folder, message, now=clock())
            written += 1
    except OSError as error:
        problem = f"Cannot write {folder}: {error.strerror}; the messages wait."
        return DeliveryReport(written, len(store.pending()), 0, (problem,), str(folder))
    return DeliveryReport(written, folder=str(folder))


def _send_all(store: Store, bot: Bot, chats: dict[str, str], clock: Clock) -> DeliveryReport:
    state = _Delivery()
    # The outbox is read again each time: other runs may put messages into it meanwhile.
    while message := _next_due(store, chats, state, clock()):
        answer = _send(store, bot, message, chats[message.chat], state, clock)
        if answer.verdict == "ok":
            state.sent += 1
            continue
        state.problems.append(f"{message.key}: {answer.description}")
        _record(store, message, answer, clock())
        if answer.verdict == "refused":
            state.refused += 1
        else:
            # Where the settings are to blame, no chat can be reached.
            state.blocked |= set(chats.values()) if answer.verdict == "hold" else set()
            state.blocked.add(chats[message.chat])
    return DeliveryReport(state.sent, len(store.pending()), state.refused, tuple(state.problems))


def _next_due(
    store: Store, chats: dict[str, str], state: _Delivery, now: datetime
) -> Message | None:
    for message in store.pending():
        chat = chats[message.chat]
        if chat in state.blocked:
            continue
        if message.next_attempt is None or message.next_attempt <= now:
            return message
        state.blocked.add(chat)
        state.problems.append(
            f"{message.key}: waits until {message.next_attempt:%Y-%m-%d %H:%M:%S} UTC: "
            f"{message.error}"
        )
    return None


def _send(
    store: Store, bot: Bot, message: Message, chat: str, state: _Delivery, clock: Clock
) -> Answer:
    """Send what has not been sent of a message, recording each call that succeeds."""
    with store.reading() as connection:
        plan = calls.plan(outbox.draft(connection, message))
    ids = list(message.message_ids)
    for call in plan[len(ids) :]:
        answer = _follow(bot, chat, call, state)
        if answer.verdict != "ok":
            return answer
        ids.append(answer.ids)
        if len(ids) < len(plan):
            with store.writing() as connection:
                outbox.mark_part(connection, message, ids)
    with store.writing() as connection:
        outbox.mark_sent(connection, message, ids, now=clock())
    return Answer("ok")


def _follow(bot: Bot, chat: str, call: calls.Call, state: _Delivery) -> Answer:
    """Make a call, in the chat's new place where it has moved."""
    answer = send(bot, state.moved.get(chat, chat), call)
    if answer.verdict != "moved":
        return answer
    if chat in state.moved:
        return Answer("refused", f"{answer.description}; the chat moved twice")
    state.moved[chat] = answer.chat
    state.problems.append(
        f"Chat {chat} is {answer.chat} now ({answer.description}); "
        "set NBTOOLS_TELEGRAM_CHAT or NBTOOLS_TELEGRAM_OPS_CHAT to that."
    )
    return _follow(bot, chat, call, state)


def _record(store: Store, message: Message, answer: Answer, now: datetime) -> None:
    with store.writing() as connection:
        if answer.verdict == "refused":
            outbox.mark_refused(connection, message, error=answer.description)
            return
        doubled = min(_FIRST_PAUSE * 2 ** min(message.attempts, 10), _LONGEST_PAUSE)
        pause = {"hold": 0.0}.get(answer.verdict, max(answer.retry_after, doubled))
        next_attempt = now + timedelta(seconds=pause)
        outbox.mark_attempt(
            connection, message, error=answer.description, next_attempt=next_attempt
        )
