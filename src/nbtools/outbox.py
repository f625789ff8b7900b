"""The outbox: messages that a run has handed over, and what became of them.

The key of a message is ``notebook/run/part``. What has reached a chat, even in part, is
left alone by a rerun; what has not gets the newest content.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from nbtools.handover import Attachment, Draft
from nbtools.schema import attachments, outbox

State = Literal["pending", "sent", "refused"]


class Message(NamedTuple):
    """A message of the outbox.

    Attributes
    ----------
    id : int
        Its number, also the beginning of its folder's name.
    key : str
        ``notebook/run/part``.
    chat : {"reports", "operations"}
        Who reads it.
    title, text, link : str
        Plain text.
    created : datetime
        When it was handed over; messages of a chat are sent in this order.
    state : {"pending", "sent", "refused"}
        What became of it.
    resends : int
        How often it was asked to be sent again.
    attempts : int
        Deliveries that tried to send it in vain.
    next_attempt : datetime or None
        Not before this moment.
    sent_at : datetime or None
        When its last part was accepted.
    message_ids : tuple of tuple of int
        What the Bot API called its parts, one tuple per call that succeeded.
    error : str
        Why it is not sent yet, one line.
    """

    id: int
    key: str
    chat: Literal["reports", "operations"]
    title: str
    text: str
    link: str
    created: datetime
    state: State
    resends: int
    attempts: int
    next_attempt: datetime | None
    sent_at: datetime | None
    message_ids: tuple[tuple[int, ...], ...]
    error: str


_COLUMNS = [outbox.c[name] for name in Message._fields]
_FRESH: dict[str, Any] = {
    "state": "pending",
    "attempts": 0,
    "next_attempt": None,
    "sent_at": None,
    "message_ids": [],
    "error": "",
}


def put(
    connection: Connection,
    drafts: Sequence[Draft],
    *,
    job: str,
    run_id: int,
    now: datetime,
    resend: bool = False,
) -> None:
    """Put a run's messages into the outbox.

    Parameters
    ----------
    connection : Connection
        Of the transaction that records the run's outcome.
    drafts : sequence of Draft
        The messages in their order.
    job : str
        ``notebook/run``, the beginning of their keys.
    run_id : int
        The run they come from.
    now : datetime
        When they are handed over.
    resend : bool
        Send them again though they were sent.
    """
    for key, draft in _keyed(job, drafts):
        values = {
            "run_id": run_id,
            "chat": draft.chat,
            "title": _clean(draft.title),
            "text": _clean(draft.text),
            "link": _clean(draft.link),
        }
        there = connection.execute(sa.select(*_COLUMNS).where(outbox.c.key == key)).first()
        if there is None:
            insert = sa.insert(outbox).values(key=key, created=now, resends=0, **values, **_FRESH)
            outbox_id = connection.execute(insert.returning(outbox.c.id)).scalar_one()
            _attach(connection, outbox_id, draft)
        elif resend or _untouched(there):
            # A refused message joins the end of the queue, a waiting one keeps its place.
            created = there.created if there.state == "pending" and not resend else now
            connection.execute(
                sa.update(outbox)
                .where(outbox.c.id == there.id)
                .values(created=created, resends=there.resends + int(resend), **values, **_FRESH)
            )
            _attach(connection, there.id, draft)


def _untouched(row: sa.Row[Any]) -> bool:
    return row.state != "sent" and not row.message_ids


def _keyed(job: str, drafts: Sequence[Draft]) -> Iterator[tuple[str, Draft]]:
    """Yield each draft with its key; parts of one name are numbered, none is lost."""
    seen: dict[str, int] = {}
    for draft in drafts:
        part = _clean(draft.part)
        seen[part] = seen.get(part, 0) + 1
        yield f"{job}/{part}" + (f"#{seen[part]}" if seen[part] > 1 else ""), draft


def _clean(text: str) -> str:
    """Return text without what no database stores and no chat shows."""
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "".join(char for char in paired if char in "\n\t" or unicodedata.category(char) != "Cc")


def _attach(connection: Connection, outbox_id: int, draft: Draft) -> None:
    connection.execute(sa.delete(attachments).where(attachments.c.outbox_id == outbox_id))
    for kind, items in (("picture", draft.pictures), ("document", draft.documents)):
        for position, item in enumerate(items):
            connection.execute(
                sa.insert(attachments).values(
                    outbox_id=outbox_id,
                    kind=kind,
                    position=position,
                    name=_clean(item.name),
                    alt=_clean(item.alt),
                    data=item.data,
                )
            )


def pending(connection: Connection) -> list[Message]:
    """Return the messages that are to be sent, in the order in which they were handed over."""
    return _select(connection, outbox.c.state == "pending")


def undelivered(connection: Connection) -> list[Message]:
    """Return the messages that no chat has, whether they wait or were refused."""
    return _select(connection, outbox.c.state != "sent")


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Message]:
    query = sa.select(*_COLUMNS).where(condition).order_by(outbox.c.created, outbox.c.id)
    return [
        Message(**{**row._mapping, "message_ids": tuple(map(tuple, row.message_ids))})  # noqa: SLF001 -- public
        for row in connection.execute(query)
    ]


def draft(connection: Connection, message: Message) -> Draft:
    """Return a message with its pictures and documents.

    Parameters
    ----------
    connection : Connection
        Of any transaction.
    message : Message
        From :func:`pending`.
    """
    query = (
        sa.select(attachments)
        .where(attachments.c.outbox_id == message.id)
        .order_by(attachments.c.position)
    )
    found: dict[str, list[Attachment]] = {"picture": [], "document": []}
    for row in connection.execute(query):
        found[row.kind].append(Attachment(row.name, bytes(row.data), row.alt))
    return Draft(
        message.key,
        message.title,
        message.text,
        message.link,
        tuple(found["picture"]),
        tuple(found["document"]),
        message.chat,
    )


def mark_part(connection: Connection, message: Message, ids: Sequence[Sequence[int]]) -> None:
    """Record which calls of a message have succeeded, so that a retry goes on after them."""
    _update(connection, message, message_ids=[list(part) for part in ids])


def mark_sent(
    connection: Connection, message: Message, ids: Sequence[Sequence[int]], *, now: datetime
) -> None:
    """Record that all of a message has been sent; its files are not needed any more."""
    done = {"state": "sent", "sent_at": now, "next_attempt": None, "error": ""}
    if _update(connection, message, message_ids=[list(part) for part in ids], **done):
        connection.execute(sa.delete(attachments).where(attachments.c.outbox_id == message.id))


def mark_attempt(
    connection: Connection, message: Message, *, error: str, next_attempt: datetime
) -> None:
    """Record that sending failed for now, and when to try again."""
    attempts = message.attempts + 1
    _update(connection, message, attempts=attempts, error=error, next_attempt=next_attempt)


def mark_refused(connection: Connection, message: Message, *, error: str) -> None:
    """Record that a message was refused for good, and why."""
    attempts = message.attempts + 1
    _update(connection, message, attempts=attempts, error=error, state="refused", next_attempt=None)


def _update(connection: Connection, message: Message, **values: Any) -> bool:
    """Change a message unless it was asked to be sent again meanwhile."""
    changed = connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == message.id, outbox.c.resends == message.resends)
        .values(**values)
    )
    return changed.rowcount == 1
