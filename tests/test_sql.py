"""Statements live in files that say what they return and what they take."""

import ast
import json
import re
from pathlib import Path

import pytest

from nbtools.settings import PROJECT
from nbtools.source import COLUMNS

SQL = PROJECT / "src" / "nbtools" / "sql"
FILES = sorted(SQL.rglob("*.sql"))
PLACEHOLDER = re.compile(r"\{(\w+):([^{}]+)\}")
# A name and a type; remarks stand in brackets behind them.
DECLARED = re.compile(r"(\w+) ((?:Array|Nullable|LowCardinality|Map|Tuple)\(.*\)|\w+)")
SOURCE = re.compile(r"\b(?:FROM|JOIN)\s+(?:feed|messages)\b")
IN_PYTHON = re.compile(
    r"\b(?:SELECT\s|INSERT INTO|CREATE TABLE|CREATE DATABASE|ALTER TABLE|DROP TABLE|DESCRIBE TABLE"
    r"|TRUNCATE TABLE|RENAME TABLE|KILL QUERY)"
)
# Texts that only exist at run time; the decision record of each says why.
COMPOSED = {
    "explore.py": "0010: the user's own query, wrapped",
    "translation.py": "0006: the columns and rules of a user's mapping",
    "warehouse.py": "0010: DESCRIBE of a query that returned no rows",
}


def name_of(path: Path) -> str:
    return path.relative_to(SQL).with_suffix("").as_posix()


def head_and_body(path: Path) -> tuple[list[str], str]:
    lines = path.read_text("utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return lines[:end], "\n".join(lines[end:])


def code(text: str) -> str:
    """Return a statement without its comments and quoted texts."""
    return re.sub(r"--[^\n]*|'(?:[^'\\]|\\.|'')*'", " ", text)


def declared(path: Path) -> dict[str, str]:
    head, _ = head_and_body(path)
    text = " ".join(line.removeprefix("--").strip() for line in head[1:])
    text = text.removeprefix("Parameters:").partition(";")[0].strip()
    if text == "none":
        return {}
    if text.startswith("those of "):
        return declared(path.with_name(text.removeprefix("those of ") + ".sql"))
    # Outside the brackets of a type, brackets hold remarks.
    text = re.sub(r"(?<![yp)e]) \([^()]*\)", "", re.sub(r" \([^()]*\)", "", text))
    found = {}
    for part in re.split(r",\s*(?![^(]*\))", text):
        match = DECLARED.fullmatch(part.strip())
        assert match, f"{name_of(path)}: {part!r} is not 'name Type'"
        found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_statement_says_what_it_is_and_what_it_takes(path: Path) -> None:
    head, body = head_and_body(path)
    assert len(head) >= 2
    assert re.match(r"-- [A-Z].*\.$", head[0]), head[0]
    assert head[1].startswith("-- Parameters: ")
    assert body.strip()
    assert not body.rstrip().endswith(";")


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "source.sql"], ids=name_of)
def test_the_declared_parameters_are_the_placeholders(path: Path) -> None:
    _, body = head_and_body(path)
    used = dict(PLACEHOLDER.findall(code(body)))
    given = declared(path)
    if "those of" in path.read_text("utf-8").splitlines()[1]:
        given = {name: kind for name, kind in given.items() if name in used}
    assert used == given


def test_the_source_is_put_in_front_under_the_names_of_its_file() -> None:
    used = PLACEHOLDER.findall((SQL / "source.sql").read_text("utf-8"))
    columns = {f"{table}_{name}" for table, those in COLUMNS.items() for name in those}
    places = {f"{table}_{what}" for table in COLUMNS for what in ("database", "table")}
    assert {name for name, _ in used} == columns | places
    assert {kind for _, kind in used} == {"Identifier"}


def outermost(text: str) -> str:
    """Return a statement without what stands in brackets."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_columns_of_a_result_are_named(path: Path) -> None:
    _, body = head_and_body(path)
    # Inside, a star repeats columns that a subquery of the same file has named.
    assert not re.search(r"(?:SELECT|,)\s*(?:DISTINCT\s+)?(?:\w+\.)?\*", outermost(code(body)))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_keywords_are_upper_case(path: Path) -> None:
    _, body = head_and_body(path)
    lower = r"\b(select|from|where|group by|order by|insert|create|union)\b"
    assert not re.search(lower, PLACEHOLDER.sub("", code(body)))


def source_statements() -> list[Path]:
    """Return the statements that read the CTEs of ``source.sql``; that makes them so."""
    return [path for path in FILES if SOURCE.search(code(head_and_body(path)[1]))]


def test_there_are_source_statements() -> None:
    assert "daily_metrics_v1/user_day" in map(name_of, source_statements())


@pytest.mark.parametrize("path", source_statements(), ids=name_of)
def test_a_source_statement_can_follow_the_source(path: Path) -> None:
    _, body = head_and_body(path)
    assert body.startswith("SELECT")


def texts(path: Path) -> list[str]:
    """Return the texts of a module that are not its documentation."""
    tree = ast.parse(path.read_text("utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    ]


def modules() -> list[Path]:
    return sorted((PROJECT / "src" / "nbtools").glob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_no_statement_is_written_in_python(path: Path) -> None:
    found = [text for text in texts(path) if IN_PYTHON.search(text)]
    assert not found or path.name in COMPOSED, found


def test_every_exception_has_its_decision_record() -> None:
    records = PROJECT / "book" / "decisions"
    for reason in COMPOSED.values():
        number, _, _ = reason.partition(":")
        assert list(records.glob(f"{number}-*.md")), reason


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_no_statement_is_written_in_a_notebook(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not [source for source in sources if IN_PYTHON.search(source)]
