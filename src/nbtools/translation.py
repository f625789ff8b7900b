"""A mapping as ClickHouse statements: the CTE ``log`` and the values that are bound.

Here, and nowhere else, is statement text composed: the operator's own expressions stand
in it as written. They are tried one by one first, so that a mistake names its key.
Columns are read by position and everything else is bound.
"""

from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from nbtools.engine import statement
from nbtools.errors import InputError, SettingsError
from nbtools.mapping import FeedLog, Mapping, MessageLog
from nbtools.origins import NUMBERS, Column, TimeColumn, expand
from nbtools.source import ATTRIBUTES
from nbtools.warehouse import Connection

ITEMS = {"feed": "post_id", "messages": "receiver_id"}
ACTIONS = {"feed": ["view", "like"], "messages": ["message"]}
_MESSAGE = Column(constant="message")
_BEYOND = 2.0  # any number from 0 to 1 is below it


def staging_table(log: str) -> str:
    """Return the table that holds a log as read.

    Parameters
    ----------
    log : str
        ``feed`` or ``messages``.
    """
    return f"loading_{log}"


def check(
    db: Connection, path: Path, name: str, log: FeedLog | MessageLog, names: list[str]
) -> None:
    """Compare a mapping with the log's columns, and try each of its expressions.

    Parameters
    ----------
    db : Connection
        With the staging table of the log.
    path : Path
        The mapping, for messages.
    name : str
        ``feed`` or ``messages``.
    log : FeedLog or MessageLog
        Its part of the mapping.
    names : list of str
        Columns of the log.

    Raises
    ------
    SettingsError
        If a column is not there or the engine refuses an expression.
    """
    for key, column in _columns(log):
        if column.column is not None and column.column not in names:
            shown = ", ".join(names)[:300]
            hint = "; is the delimiter another?" if len(names) == 1 else ""
            raise SettingsError(
                f"{path}: {name}.columns.{key}: {log.file} has no column {column.column!r}; "
                f"it has {shown}{hint}."
            )
    for key, sql in _expressions(log):
        value = f"SELECT __line, (\n{sql}\n) AS __value FROM raw"  # noqa: S608 -- the operator's
        select = _with_expression(name, names, value)
        described = _try(db, f"DESCRIBE TABLE ({select})", f"{path}: {name}.{key}", SettingsError)
        kind = described[1][1].removeprefix("Nullable(").rstrip(")")
        if key == "where" and kind not in {"UInt8", "Bool"}:
            raise SettingsError(f"{path}: {name}.where gives {kind}, needed is a condition.")


def map_rows(
    db: Connection, path: Path, mapping: Mapping, name: str, names: list[str], tz: str
) -> None:
    """Fill ``loading_rows`` from the log as read.

    Parameters
    ----------
    db : Connection
        With the staging tables.
    path : Path
        The mapping, for messages.
    mapping : Mapping
        The whole of it.
    name : str
        ``feed`` or ``messages``.
    names : list of str
        Columns of the log.
    tz : str
        Zone of times that name none.

    Raises
    ------
    InputError
        If an expression fails on a row of the log.
    """
    log = mapping.logs[name]
    text = f"WITH {_raw(name, names)}, {_log(name, log)}\n{statement('load/map')}"
    values = {**_recodes(name, log), **_map_values(mapping, name, tz)}
    try:
        db.client.command(text, parameters=values)
    except ClickHouseError as error:
        for key, sql in _expressions(log):
            count = f"SELECT count() FROM raw WHERE NOT ignore((\n{sql}\n))"  # noqa: S608
            _try(db, _with_expression(name, names, count), f"{path}: {name}.{key}", InputError)
        raise InputError(f"{path}: {name}: ClickHouse says: {_line(error)}") from None


def _with_expression(name: str, names: list[str], select: str) -> str:
    return f"WITH {_raw(name, names)} {select}"


def _try(db: Connection, text: str, place: str, kind: type[InputError]) -> Any:
    try:
        return db.client.query(text).result_rows
    except ClickHouseError as error:
        raise kind(f"{place}: ClickHouse says: {_line(error)}") from None


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    for end in (". In scope", ": In scope", " In query", ": while executing"):
        text = text.partition(end)[0]
    return text[:300]


def _columns(log: FeedLog | MessageLog) -> Iterator[tuple[str, Column | TimeColumn]]:
    yield from log.columns


def _expressions(log: FeedLog | MessageLog) -> Iterator[tuple[str, str]]:
    if log.where:
        yield "where", log.where
    for key, column in _columns(log):
        if column.expression:
            yield f"columns.{key}.expression", column.expression


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _raw(name: str, names: list[str]) -> str:
    """Return the CTE that gives the log's columns their names."""
    fields = ",\n        ".join(
        f"__fields[{place}] AS {_quoted(column)}" for place, column in enumerate(names, 1)
    )
    return (
        f"raw AS (\n    SELECT\n        __file,\n        __line,\n        {fields}\n"
        f"    FROM app.{staging_table(name)}\n    WHERE __problem = ''\n)"
    )


def _log(name: str, log: FeedLog | MessageLog) -> str:
    """Return the CTE that ``map.sql`` reads."""
    columns = dict(_columns(log))
    action = columns.get("action", _MESSAGE)
    attributes = ",\n            ".join(_text(key, columns[key]) for key in ATTRIBUTES)
    where = f"\n    WHERE (\n{log.where}\n)" if log.where else ""
    return (
        "log AS (\n    SELECT\n        __file,\n        __line,\n"
        f"        {_text('user_id', columns['user_id'])} AS __user_key,\n"
        f"        {_text('item', columns[ITEMS[name]])} AS __item_key,\n"
        f"        {_text('action', action)} AS __action,\n"
        f"        {_text('time', columns['time'])} AS __time,\n"
        f"        [\n            {attributes}\n        ] AS __attributes\n"
        f"    FROM raw{where}\n)"
    )


def _text(key: str, column: Column | TimeColumn) -> str:
    """Return the expression of a column: the log's text, recoded."""
    if column.column is not None:
        text = _quoted(column.column)
    elif column.expression is not None:
        text = f"ifNull(toString((\n{column.expression}\n)), '')"
    else:
        text = f"{{{key}_constant:String}}"
    if isinstance(column, Column) and column.values:
        other = ", ''" if column.default is not None else ""
        text = f"transform({text}, {{{key}_old:Array(String)}}, {{{key}_new:Array(String)}}{other})"
    if key not in ATTRIBUTES and isinstance(column, Column) and column.default is not None:
        text = f"if({text} = '', {{{key}_default:String}}, {text})"
    return text


def _recodes(name: str, log: FeedLog | MessageLog) -> dict[str, Any]:
    """Return the values of the placeholders in the CTE ``log``."""
    values: dict[str, Any] = {"action_constant": "message"}
    for own, column in _columns(log):
        key = "item" if own == ITEMS[name] else own
        if not isinstance(column, Column):
            continue
        if key in ATTRIBUTES or column.constant is not None:
            values[f"{key}_constant"] = "" if key in ATTRIBUTES else column.constant
        if column.values:
            values[f"{key}_old"] = list(column.values)
            values[f"{key}_new"] = list(column.values.values())
        values[f"{key}_default"] = column.default or ""
    return values


def _map_values(mapping: Mapping, name: str, tz: str) -> dict[str, Any]:
    columns = dict(_columns(mapping.logs[name]))
    moment = columns["time"]
    assert isinstance(moment, TimeColumn)
    user = columns["user_id"]
    item = columns[ITEMS[name]]
    assert isinstance(user, Column)
    assert isinstance(item, Column)
    attributes = mapping.attributes(name)
    bounds = [NUMBERS.get(key, (1, 0)) for key in ATTRIBUTES]
    return {
        "log": name,
        "item": ITEMS[name],
        "actions": ACTIONS[name],
        "rank": int(user.rank),
        "rank_item": int(item.rank),
        "unit": moment.unit,
        "format": moment.format or "",
        "zone": moment.zone or tz,
        "shift": moment.shift.seconds,
        "names": list(ATTRIBUTES),
        "lows": [low for low, _ in bounds],
        "highs": [high for _, high in bounds],
        "needed": [
            int(key in NUMBERS and _rule(column) == "row" and column.default is None)
            for key, column in zip(ATTRIBUTES, attributes, strict=True)
        ],
    }


def _rule(column: Column) -> str:
    if column.is_synthetic:
        return "draw"
    return "user" if column.per or column.origin else "row"


def once_per_user(mapping: Mapping, name: str) -> Iterator[tuple[str, list[int]]]:
    """Yield the logs that a log takes its users' attributes from, and which, from 1.

    Parameters
    ----------
    mapping : Mapping
        The whole of it.
    name : str
        ``feed`` or ``messages``.
    """
    tests: dict[str, Callable[[Column], bool]] = {
        name: lambda column: column.per is not None,
        "feed": lambda column: column.origin is not None or (name == "feed" and bool(column.per)),
    }
    for origin, has in tests.items():
        positions = [
            place
            for place, column in enumerate(mapping.attributes(name), 1)
            if not column.is_synthetic and has(column)
        ]
        if positions:
            yield origin, positions


def event_values(mapping: Mapping, name: str) -> dict[str, Any]:
    """Return the values of ``events.sql`` that the mapping decides.

    Parameters
    ----------
    mapping : Mapping
        The whole of it.
    name : str
        ``feed`` or ``messages``.
    """
    attributes = dict(zip(ATTRIBUTES, mapping.attributes(name), strict=True))
    draws = [_draw(key, column) for key, column in attributes.items()]
    return {
        "log": name,
        "item_kind": "feed.post" if name == "feed" else "messages.user",
        "seed": mapping.seed,
        "names": list(ATTRIBUTES),
        "rules": [_rule(column) for column in attributes.values()],
        "defaults": [_default(mapping, name, key) for key in ATTRIBUTES],
        "draw_values": [list(draw) for draw in draws],
        "draw_limits": [_limits(list(draw.values())) for draw in draws],
    }


def _draw(key: str, column: Column) -> dict[str, float]:
    if column.constant is not None:
        return {column.constant: 1.0}
    return expand(key, column.draw or {})


def _default(mapping: Mapping, name: str, key: str) -> str:
    default: str | None = getattr(mapping.logs[name].columns, key).default
    # Rows without a number are rejected before, so this zero is never seen.
    return default if default is not None else "0" if key in NUMBERS else ""


def _limits(weights: list[float]) -> list[float]:
    """Return the cumulated shares; the last one is beyond rounding."""
    shares = [weight / sum(weights) for weight in weights]
    return [*accumulate(shares[:-1]), *[_BEYOND] * bool(shares)]
