"""Homes for tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbtools import settings
from nbtools.settings import Settings


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
