"""What the book is built from, and whether it changed since the last build."""

from collections.abc import Iterator
from pathlib import Path

from nbtools.settings import PROJECT, Settings

_STAMP = "assembled"


def mark(settings: Settings) -> None:
    """Note that a build begins to read its inputs."""
    stamp = settings.home / "build" / _STAMP
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()


def changed(settings: Settings, *, project: Path = PROJECT) -> Path | None:
    """Return an input that is newer than the last build, None when there is none.

    Parameters
    ----------
    settings : Settings
        Where things are.
    project : Path
        The checkout, whose written pages and notebooks are inputs.

    Returns
    -------
    Path or None
        The newest such file, or the folder that a file was added to or taken from.
    """
    stamp = settings.home / "build" / _STAMP
    built = stamp.stat().st_mtime_ns if stamp.is_file() else 0
    newest = max(_times(settings, project), default=(0, project))
    return newest[1] if newest[0] > built else None


def _times(settings: Settings, project: Path) -> Iterator[tuple[int, Path]]:
    for folder in (
        project / "book",
        Path(__file__).parent / "templates",
        settings.home / "runs",
        settings.home / "failed",
    ):
        for path in (folder, *folder.rglob("*")):
            yield from _time(path)
    for path in (project / "notebooks").glob("*.ipynb"):
        yield from _time(path)


def _time(path: Path) -> Iterator[tuple[int, Path]]:
    # Editors and JupyterLab leave hidden files; and a file may go at any moment.
    if not path.name.startswith(".") and path.exists():
        yield path.stat().st_mtime_ns, path
