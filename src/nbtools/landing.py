"""The first page, which says whether the app is well and whether it can be believed itself."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from nbtools import keyfigures, messages, sparklines
from nbtools.freshness import Clock, Section
from nbtools.metrics import CATALOGUE, Metric
from nbtools.records import Record, Runs

# Their key figures are the cards; the first has the last word where both know a metric.
REPORTS = {"report_app": "app", "report_feed": "feed"}
_MOST_CARDS = 12
DAYS = 28  # of a small line
_RECENT = "recent.json"
_COMPARED = (("change_1d", "the day before"), ("change_7d", "the same weekday"))


class Card(NamedTuple):
    """A key figure as the landing page shows it.

    Attributes
    ----------
    metric : Metric
        Its row of the catalogue.
    value : str
        The figure.
    changes : sequence of tuple
        For each comparison: what with, arrow, change, judgement.
    page : str
        Docname of the report that has it.
    line : Markup
        Its last four weeks, empty where they are not known.
    """

    metric: Metric
    value: str
    changes: Sequence[tuple[str, str, str, str]]
    page: str
    line: Markup


def remember(home: Path, recent: Mapping[str, Mapping[date, float]]) -> None:
    """Keep the recent values of metrics for the small lines of the cards.

    Parameters
    ----------
    home : Path
        The home folder.
    recent : mapping of str
        Metric to day to value, of days that may have no report.
    """
    content = {
        slug: {f"{day}": value for day, value in values.items() if math.isfinite(value)}
        for slug, values in recent.items()
    }
    draft = home / f"{_RECENT}.new"
    draft.write_text(json.dumps(content) + "\n", "utf-8")
    draft.replace(home / _RECENT)


def recent(home: Path, everything: Sequence[Runs]) -> dict[str, dict[date, float]]:
    """Return the values of metrics by day: of every report, else what was remembered.

    Parameters
    ----------
    home : Path
        The home folder.
    everything : sequence of Runs
        The runs of every notebook.
    """
    found: dict[str, dict[date, float]] = {}
    try:
        kept = json.loads((home / _RECENT).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        kept = {}
    for slug, of_slug in kept.items():
        found[slug] = {date.fromisoformat(day): value for day, value in of_slug.items()}
    for name in reversed(REPORTS):
        for record in _done(everything, name):
            for slug in CATALOGUE.keys() & record.figures.keys():
                value = keyfigures.number(record.figures[slug])
                if record.day and value is not None:
                    found.setdefault(slug, {})[record.day] = value
    return found


def _done(everything: Sequence[Runs], notebook: str) -> list[Record]:
    return [record for runs in everything if runs.notebook == notebook for record in runs.done]


def newest_reports(everything: Sequence[Runs]) -> list[Record]:
    """Return the newest pages of the reports that are about the newest day of all of them."""
    found = [
        runs.pages[0]
        for name in REPORTS
        for runs in everything
        if runs.notebook == name and runs.pages
    ]
    last = max((record.day or date.min for record in found), default=None)
    return [record for record in found if (record.day or date.min) == last]


def cards(reports: Sequence[Record], past: Mapping[str, Mapping[date, float]] = {}) -> list[Card]:
    """Return the key figures of reports that are metrics, in the catalogue's order.

    Parameters
    ----------
    reports : sequence of Record
        Reports about one day; the first has the last word.
    past : mapping of str
        Metric to day to value, for the small lines.
    """
    found = []
    for slug, metric in CATALOGUE.items():
        record = next((report for report in reports if slug in report.figures), None)
        if record:
            value = messages.value(metric, keyfigures.number(record.figures[slug]))
            line = _line(metric, past.get(slug, {}), record.day)
            found.append(Card(metric, value, _changes(record, metric), record.docname, line))
    return found[:_MOST_CARDS]


def _changes(record: Record, metric: Metric) -> list[tuple[str, str, str, str]]:
    changes: list[tuple[str, str, str, str]] = []
    for name, words in _COMPARED:
        relative = keyfigures.number(record.figures.get(f"{metric.slug}.{name}"))
        arrow = messages.arrow(relative)
        changes.append(
            (
                words,
                arrow + messages.THIN_SPACE if arrow else "",
                messages.change(metric, relative) if relative is not None else "",
                messages.judgement(metric, relative),
            )
        )
    return changes


def _line(metric: Metric, past: Mapping[date, float], last: date | None) -> Markup:
    if last is None:
        return Markup()
    values = [past.get(last - timedelta(back)) for back in reversed(range(DAYS))]
    first = next((place for place, value in enumerate(values) if value is not None), 0)
    known = [value for value in values if value is not None]
    if not known:
        return Markup()
    low, high = (messages.value(metric, end) for end in (min(known), max(known)))
    words = f"{metric.name}, last {len(values) - first} days: from {low} to {high}"
    return sparklines.draw(values[first:], words)


def weekday_words(found: Sequence[Card]) -> str:
    """Return in words how many key figures are better and worse than a week before."""
    judged = [card.changes[-1][3] for card in found if card.changes[-1][2]]
    if not judged:
        return ""
    counts = [f"{judged.count(word)} {word}" for word in ("better", "worse") if word in judged]
    said = ", ".join(counts) or "none better or worse"
    return f"Key figures against the same weekday: {said}, of {len(judged)}."


def freshness_words(sections: Sequence[Section], names: Mapping[str, str]) -> tuple[str, str, str]:
    """Return whether the pages can be believed: kind of mark, headline, sentence.

    Parameters
    ----------
    sections : sequence of Section
        Of every notebook.
    names : mapping of str
        What each notebook is called.
    """
    called = {
        state: ", ".join(names[one.runs.notebook] for one in sections if one.state == state)
        for state in ("failed", "late")
    }
    states = [section.state for section in sections]
    timed = len(states) - states.count("on_request")
    if failed := states.count("failed"):
        shows = "section shows its" if failed == 1 else "sections show their"
        why = f"The newest run failed: {called['failed']}."
        return "bad", f"{failed} {shows} last good page", why
    if late := states.count("late"):
        is_late = "section is" if late == 1 else "sections are"
        return "late", f"{late} {is_late} late", f"A newer page is due: {called['late']}."
    if not timed:
        return "unknown", "Nothing here runs by the clock", ""
    every = (
        "The one section that runs by the clock is"
        if timed == 1
        else (f"All {timed} sections that run by the clock are")
    )
    return "good", "This book is up to date", f"{every} on time."


def last_day(everything: Sequence[Runs], present: Clock) -> date | None:
    """Return the last day of data: of a history that stands still, else of the newest page."""
    if present.stands_still:
        return present.last_full_day
    return max((page.day for runs in everything for page in runs.pages if page.day), default=None)


def studies(everything: Sequence[Runs]) -> list[Record]:
    """Return the pages of studies with a verdict, newest first."""
    found = [page for runs in everything for page in runs.pages if page.verdicts and not page.day]
    return sorted(found, key=lambda page: page.finished, reverse=True)


def context(everything: Sequence[Runs], home: Path, present: Clock) -> dict[str, Any]:
    """Return what the template of the landing page takes of the runs.

    Parameters
    ----------
    everything : sequence of Runs
        The runs of every notebook.
    home : Path
        The home folder.
    present : Clock
        The app's present.
    """
    reports = newest_reports(everything)
    found = cards(reports, recent(home, everything))
    pages = [page for runs in everything for page in runs.pages]
    last = max(pages, key=lambda page: page.finished, default=None)
    return {
        "reports": reports,
        "subject": REPORTS[reports[0].notebook] if reports else "",
        "cards": found,
        "weekday": weekday_words(found),
        "data_day": last_day(everything, present),
        "source": last.source if last else {},
        "studies": studies(everything),
        "failures": sum(len(runs.failures) for runs in everything),
    }
