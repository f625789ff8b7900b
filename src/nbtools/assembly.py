"""The book's sources put together, touching only what changed.

::

    source/    what Sphinx reads: written pages, generated pages, executed notebooks
    extras/    what readers fetch as it is: notebooks, tables, status.json, feed.xml
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from nbtools import (
    changes,
    chart_pages,
    feeds,
    freshness,
    keeping,
    keyfigures,
    making,
    pages,
    records,
    standing,
)
from nbtools.pages import Contents
from nbtools.records import Runs
from nbtools.settings import Settings

_SCHEMA = "status.schema.json"


def assemble(
    settings: Settings, project: Path, work: Path, moment: datetime, everything: Sequence[Runs]
) -> None:
    """Bring the folders of the book's sources up to date, touching only what changed.

    Parameters
    ----------
    settings : Settings
        Where things are.
    project : Path
        Folder of the written book, the notebooks and the parameters.
    work : Path
        Folder of ``source`` and ``extras``; files that belong to nothing any more are
        removed.
    moment : datetime
        When, aware.
    everything : sequence of Runs
        From `thin`.
    """
    contents = collect(settings, project, moment, everything)
    source = dict(_written(project / "book"))
    texts = pages.generated(
        contents, home=settings.home, written=project / "book", zone=settings.zone
    )
    source |= {path: text.encode() for path, text in texts.items()}
    extras = _extras(contents, settings, project, moment)
    executed = making.Making(settings, project, work)
    for runs in contents.everything:
        executed.add(runs, settings.home)
    executed.close()
    _bring(work / "source", source, executed.kept("source"))
    _bring(work / "extras", extras, executed.kept("extras"))


def thin(settings: Settings, project: Path) -> list[Runs]:
    """Remove the pages that are not kept any longer, and return what is left of every run.

    Their records stay.

    Parameters
    ----------
    settings : Settings
        Where things are.
    project : Path
        Folder of the notebooks and the parameters.
    """
    rules = _rules(project)
    everything = []
    for runs in records.read(settings.home):
        old = keeping.outlived(runs, rules.get(runs.notebook, keeping.DEFAULT))
        for page in old:
            (settings.home / f"{page.docname}.ipynb").unlink(missing_ok=True)
        everything.append(runs.without(old) if old else runs)
    return everything


def _rules(project: Path) -> dict[str, keeping.Rule]:
    return keeping.load(project / "parameters" / "archive.yml", project / "notebooks")


def collect(
    settings: Settings, project: Path, moment: datetime, everything: Sequence[Runs]
) -> Contents:
    """Return what is known of the runs.

    Parameters
    ----------
    settings : Settings
        Where things are.
    project : Path
        Folder of the notebooks and the parameters.
    moment : datetime
        When, aware.
    everything : sequence of Runs
        From `thin`.
    """
    rules = _rules(project)
    present = freshness.clock(everything, moment, settings.zone)
    return Contents(
        everything,
        {runs.notebook: pages.name_of(runs.notebook, project / "notebooks") for runs in everything},
        freshness.sections(everything, rules, present),
        present,
        standing.read(settings, everything),
        changes.update(settings.home, everything, moment),
        frozenset(
            failure.docname
            for runs in everything
            for failure in runs.failures.values()
            if making.copy_of(settings.home, failure).is_file()
        ),
    )


def _written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix(), path.read_bytes()


def _extras(
    contents: Contents, settings: Settings, project: Path, moment: datetime
) -> dict[str, bytes]:
    found = {
        "status.json": feeds.status(contents, moment).encode(),
        "feed.xml": feeds.atom(contents, address=settings.site_url),
    }
    schema = project / "book" / "reference" / _SCHEMA
    if schema.is_file():
        found[_SCHEMA] = schema.read_bytes()
    found |= chart_pages.assets()
    for runs in contents.everything:
        found[f"runs/{runs.notebook}.csv"] = keyfigures.table(runs)
        if len(runs.done) > 1:
            name = contents.names[runs.notebook]
            found[f"compare/{runs.notebook}.js"] = keyfigures.script(runs, name).encode()
            found["compare/compare.js"] = (
                files("nbtools").joinpath("templates", "compare.js").read_bytes()
            )
    return found


def _bring(folder: Path, wanted: Mapping[str, bytes], kept: set[str]) -> None:
    """Write the files that changed and remove those that are neither wanted nor kept."""
    for name, content in wanted.items():
        making.write_changed(folder / name, content)
    for name in set(making.names(folder)) - kept - wanted.keys():
        path = folder / name
        path.unlink()
        while not any(path.parent.iterdir()):
            path = path.parent
            path.rmdir()
