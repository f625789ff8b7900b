"""Messages as folders, for when no Telegram token is set.

``outbox/<id>-<notebook>-<run>-<part>/`` in the home folder holds the text as a chat would
show it, its HTML source, and every picture and document under its name; a message that
was sent again on request has a second folder beside it, ``...-again-1``.
"""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nbtools import calls, outbox
from nbtools.handover import Attachment, Draft
from nbtools.outbox import Message
from nbtools.state import Store

_BETWEEN = "\n\n--- next message ---\n\n"
_OURS = ("message.txt", "message.html", "message.json")


def write(store: Store, folder: Path, message: Message, *, now: datetime) -> Path:
    """Write a message as a folder and record it as sent.

    Parameters
    ----------
    store : Store
        The open state store.
    folder : Path
        The outbox folder.
    message : Message
        A pending message.
    now : datetime
        When.

    Returns
    -------
    Path
        The message's folder. It appears whole or not at all; written again after a kill,
        it replaces the one before.
    """
    with store.reading() as connection:
        draft = outbox.draft(connection, message)
    path = folder / folder_name(message)
    work = folder / f".{path.name}.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    _fill(work, message, draft)
    if path.exists():
        shutil.rmtree(path)
    work.rename(path)
    with store.writing() as connection:
        outbox.mark_sent(connection, message, (), now=now)
    return path


def folder_name(message: Message) -> str:
    """Return the name of a message's folder."""
    again = f"-again-{message.resends}" if message.resends else ""
    return f"{message.id:05d}-{_safe(message.key)}{again}"


def _safe(name: str) -> str:
    # A path's name has at most 255 bytes, a character at most 4.
    return re.sub(r"[^\w.-]+", "-", name)[:55].strip(".-") or "file"


def _fill(folder: Path, message: Message, draft: Draft) -> None:
    plan = calls.plan(draft)
    texts = [call for call in plan if call.lines]
    (folder / "message.txt").write_text(_BETWEEN.join(call.text for call in texts) + "\n", "utf-8")
    (folder / "message.html").write_text(_BETWEEN.join(call.html for call in texts) + "\n", "utf-8")
    names = {}
    for name, item in _named((*draft.pictures, *draft.documents)):
        (folder / name).write_bytes(item.data)
        names[name] = item.alt
    about = {
        "key": message.key,
        "chat": message.chat,
        "created": message.created.isoformat(timespec="seconds"),
        "calls": [call.method for call in plan],
        "files": names,
    }
    (folder / "message.json").write_text(
        json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


def _named(items: tuple[Attachment, ...]) -> Iterator[tuple[str, Attachment]]:
    """Yield each file with a name of its own that stays inside the folder."""
    taken = {name.casefold() for name in _OURS}
    for item in items:
        wanted = Path(_safe(Path(item.name).name))
        name, number = wanted.name, 2
        while name.casefold() in taken:
            name, number = f"{wanted.stem}-{number}{wanted.suffix}", number + 1
        taken.add(name.casefold())
        yield name, item
