"""The documents say what is true: commands, settings, notebooks, modules, pins, layers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from nbtools import __main__
from nbtools.parameters import MODELS
from nbtools.settings import PROJECT, Settings, TelegramSettings

README = (PROJECT / "README.md").read_text("utf-8")
OPERATE = (PROJECT / "book" / "guides" / "operate.md").read_text("utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
DOCUMENTS = [
    path
    for path in (
        PROJECT / "README.md",
        PROJECT / "CONTRIBUTING.md",
        *(PROJECT / "book").rglob("*.md"),
    )
    if "_build" not in path.parts
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_of_a_document_is_a_target(path: Path) -> None:
    named = set(
        re.findall(r"\bmake (?:-C \S+ )?([a-z][a-z-]+)\b(?=[^\n]*`|\s*$|\s+[A-Z]+=)", _code(path))
    )
    assert named <= TARGETS, named - TARGETS


def _code(path: Path) -> str:
    """Return the code of a document: fenced blocks and spans, one a line."""
    text = path.read_text("utf-8")
    blocks = re.findall(r"```[^\n]*\n(.*?)```", text, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("target", sorted(TARGETS - {"tools"}))
def test_every_target_has_its_line_of_help(target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE)


def test_every_command_is_a_target_and_reads_well() -> None:
    commands = set(__main__.main.commands)
    assert commands - {"run"} <= TARGETS
    for name in sorted(commands):
        shown = CliRunner().invoke(__main__.main, [name, "--help"])
        assert shown.exit_code == 0
        assert __main__.main.commands[name].help, name


def test_every_setting_has_its_row() -> None:
    names = {f"NBTOOLS_{name.upper()}" for name in Settings.model_fields}
    names |= {f"NBTOOLS_TELEGRAM_{name.upper()}" for name in TelegramSettings.model_fields}
    documented = set(re.findall(r"^\| `(NBTOOLS_[A-Z_]+)`", OPERATE, re.MULTILINE))
    assert documented == names
    mentioned = set(re.findall(r"NBTOOLS_[A-Z_]+", (PROJECT / ".env.example").read_text()))
    assert mentioned <= names


@pytest.mark.parametrize("notebook", sorted(MODELS))
def test_every_notebook_has_its_row_in_the_readme(notebook: str) -> None:
    assert f"`{notebook}`" in README


def test_every_module_is_on_the_map() -> None:
    rows = re.findall(r"^\| (`.+?) \|", (PROJECT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    mapped = set(re.findall(r"`(\w+)`", " ".join(rows)))
    modules = {path.stem for path in (PROJECT / "src" / "nbtools").glob("*.py")} - {"__init__"}
    assert modules == mapped


def test_every_requirement_has_its_reason() -> None:
    record = (PROJECT / "book" / "decisions" / "0003-dependencies.md").read_text()
    text = (PROJECT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert listed is not None
    for name in re.findall(r'"([a-z-]+)', listed[1]):
        assert name in record, name


def _pins(lines: list[str]) -> dict[str, str]:
    found = (re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_conda_users_get_the_pins_of_the_lock() -> None:
    lock = (PROJECT / "requirements.lock").read_text().splitlines()
    conda = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    assert conda[0] == "python=3.11"
    pip = conda[-1]["pip"]
    assert _pins(pip) == _pins(lock)
    assert pip[-1] == "-e ."


def test_the_lock_has_a_hash_for_every_pin_and_no_address() -> None:
    text = (PROJECT / "requirements.lock").read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)
    assert not re.search(r"\w+://|--index|--find-links|/opt|/root|/work", text)


def test_the_environment_is_the_lock() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installed = {_plain(k): v for k, v in _pins(out.splitlines()).items()}
    for name, version in _pins((PROJECT / "requirements.lock").read_text().splitlines()).items():
        assert installed.get(_plain(name)) == version, name


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_imports_point_downward() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_only_settings_reads_the_environment() -> None:
    readers = {
        path.name
        for path in (PROJECT / "src" / "nbtools").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers == {"settings.py"}
