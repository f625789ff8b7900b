"""Homes for tests: an empty one, the small demo history, and a copy of it to change."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from nbtools import demo, etl, settings
from nbtools.settings import Settings

if TYPE_CHECKING:
    from tests.books import Built

# Files that take minutes, the longest first: when each core takes the next file, a long one at the
# end would keep all the others waiting.
_LONG = (
    "test_realdata",
    "test_pipeline",
    "test_runner",
    "test_notebooks",
    "test_alerts",
    "test_book",
    "test_etl_kills",
    "test_gates",
    "test_slices",
    "test_dashboards",
)
SCALE = 0.05
SEED = 20221205


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """Keep the developer's own settings, and so their data, out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("NBTOOLS_") and name != "NBTOOLS_REALDATA":
                patch.delenv(name)
        for model in (settings.Settings, settings.TelegramSettings):
            patch.setitem(model.model_config, "env_file", None)
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an empty home, also set in the environment."""
    monkeypatch.setenv("NBTOOLS_HOME", str(tmp_path / "home"))
    return settings.load()


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a home with the demo history at small scale; tests only read it."""

    def make(home: Settings) -> None:
        demo.build(home, scale=SCALE, seed=SEED)

    return _made_once(tmp_path_factory, "demo", make)


def _made_once(
    folders: pytest.TempPathFactory, name: str, make: Callable[[Settings], None]
) -> Settings:
    """Return a copy of a home that the first process that asks for it has made.

    Every process has its own copy, as the engine lets only one open a warehouse.
    """
    base = folders.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made, part = shared / f"made-{name}", shared / f"part-{name}"
    with FileLock(shared / f"made-{name}.lock"):
        if not made.is_dir():
            make(Settings(home=part))
            part.rename(made)
    return copy_home(Settings(home=made), folders.mktemp(name) / "home")


@pytest.fixture
def demo_copy(demo_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a home of its own with the demo history, also set in the environment."""
    monkeypatch.setenv("NBTOOLS_HOME", str(tmp_path / "home"))
    return copy_home(demo_home, tmp_path / "home")


@pytest.fixture(scope="session")
def loaded_home(demo_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the demo history with every day loaded by the ETL; tests only read it."""

    def make(home: Settings) -> None:
        etl.backfill(copy_home(demo_home, home.home))

    return _made_once(tmp_path_factory, "loaded", make)


@pytest.fixture
def loaded_copy(loaded_home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return a loaded home of its own, also set in the environment."""
    monkeypatch.setenv("NBTOOLS_HOME", str(tmp_path / "home"))
    return copy_home(loaded_home, tmp_path / "home")


def copy_home(home: Settings, target: Path) -> Settings:
    """Return a home of its own that holds what another one does."""
    # The engine's own lock file must not travel.
    shutil.copytree(
        home.home, target, symlinks=True, ignore=shutil.ignore_patterns("status", "*.lock*")
    )
    return Settings(home=target)


@pytest.fixture(scope="session")
def archived(tmp_path_factory: pytest.TempPathFactory) -> "Built":
    """Return the built book of a long home; tests only read it."""
    from tests import books  # drawing and reading pages is for the tests of the book alone

    home = tmp_path_factory.mktemp("archived") / "home"
    books.long_home(home)
    project = books.copy_project(tmp_path_factory.mktemp("project"))
    found = books.Built(Settings(home=home), project)
    found.build()
    return found


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Return the folder of the real logs; without the variable their tests are left out."""
    folder = os.environ.get("NBTOOLS_REALDATA")
    if folder is None:
        pytest.skip("set NBTOOLS_REALDATA to the folder of the real logs to test on them")
    path = Path(folder)
    assert path.is_dir(), f"NBTOOLS_REALDATA is {folder}, which is no folder."
    return path
