"""What programs read of the book: ``status.json`` and the news as ``feed.xml``.

The feed is Atom (RFC 4287), a dozen elements, written by the standard library; a feed
library would bring an XML library of its own. Ids are made from what an entry is about,
so a book that is built again, or moved, has the same entries.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

from nbtools import landing, messages
from nbtools.changes import Change
from nbtools.freshness import Section
from nbtools.landing import REPORTS
from nbtools.metrics import CATALOGUE
from nbtools.pages import Contents
from nbtools.records import Record
from nbtools.standing import Incident

VERSION = 1
_ATOM = "http://www.w3.org/2005/Atom"
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:nbtools:book")
_ENTRIES = 30  # of each kind, so that many of one do not push out the others
_SUMMARY = 4  # key figures of a report


class Entry(NamedTuple):
    """An entry of the feed.

    Attributes
    ----------
    about : str
        What it is about; the same text is the same entry.
    kind : {"report", "incident", "verdict", "definition"}
        Its category.
    title, summary : str
        For people.
    updated : datetime
        When.
    path : str
        Its page in the book.
    """

    about: str
    kind: str
    title: str
    summary: str
    updated: datetime
    path: str


def status(contents: Contents, built: datetime) -> str:
    """Return how the book stands, as JSON; ``status.schema.json`` describes it.

    Parameters
    ----------
    contents : Contents
        What is known.
    built : datetime
        When the book was built, aware.
    """
    everything, present = contents.everything, contents.present
    kind, headline, _ = landing.freshness_words(contents.sections, contents.names)
    day = landing.last_day(everything, present)
    found = {
        "$schema": "status.schema.json",
        "version": VERSION,
        "built": built.astimezone(UTC).isoformat(timespec="seconds"),
        "zone": str(present.now.tzinfo),
        "state": {"good": "on_time", "late": "late", "bad": "failed"}.get(kind, "unknown"),
        "headline": headline,
        "data_day": f"{day}" if day else None,
        "sections": [_section(section, contents) for section in contents.sections],
        "failures": [_failure(failure, contents) for failure in contents.failures],
        "alerts": {
            "state": contents.standing.state,
            "why": contents.standing.why,
            "open": [_incident(incident) for incident in contents.standing.open],
        },
        "verdicts": [
            {**_page(page), "figure": name, "verdict": verdict}
            for page in landing.studies(everything)
            for name, verdict in page.verdicts.items()
        ],
        "figures": list(_figures(contents)),
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _page(record: Record) -> dict[str, Any]:
    return {
        "notebook": record.notebook,
        "run": record.run,
        "title": record.title,
        "day": f"{record.day}" if record.day else None,
        "finished": record.finished.astimezone(UTC).isoformat(timespec="seconds"),
        "page": _path(record.docname),
    }


def _section(section: Section, contents: Contents) -> dict[str, Any]:
    runs = section.runs
    return {
        "notebook": runs.notebook,
        "name": contents.names[runs.notebook],
        "state": section.state,
        "expected_day": f"{section.expected}" if section.expected else None,
        "days_behind": section.behind,
        "newest": _page(section.newest) if section.newest else None,
        "pages": len(runs.pages),
        "failures": len(runs.failures),
    }


def _failure(failure: Record, contents: Contents) -> dict[str, Any]:
    has_copy = failure.docname in contents.copies
    copy = _path(f"failed/{failure.notebook}/{failure.run}") if has_copy else None
    return {
        **_page(failure),
        "page": copy,
        "outcome": failure.outcome,
        "error": failure.error,
        "command": failure.command,
    }


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "metric": incident.metric,
        "segment": incident.segment,
        "severity": incident.severity,
        "opened": incident.opened.isoformat(timespec="seconds"),
        "last": incident.last.isoformat(timespec="seconds"),
        "deviation": incident.deviation,
    }


def _figures(contents: Contents) -> Iterator[dict[str, Any]]:
    reports = landing.newest_reports(contents.everything)
    for slug, metric in CATALOGUE.items():
        record = next((report for report in reports if slug in report.figures), None)
        if record:
            yield {
                "metric": slug,
                "name": metric.name,
                "value": record.figures[slug],
                "change_1d": record.figures.get(f"{slug}.change_1d"),
                "change_7d": record.figures.get(f"{slug}.change_7d"),
                "page": _path(record.docname),
            }


def _path(docname: str) -> str:
    return quote(docname) + ".html"


def atom(contents: Contents, *, address: str) -> bytes:
    """Return the news of the book as an Atom feed, newest first.

    Parameters
    ----------
    contents : Contents
        What is known.
    address : str
        Where the site is published; empty for links relative to the feed.
    """
    base = f"{address.rstrip('/')}/" if address else ""
    found = [
        entry
        for kind in (_reports(contents), _incidents(contents), _changes(contents))
        for entry in _newest(kind)[:_ENTRIES]
    ]
    found = _newest(found)
    ET.register_namespace("", _ATOM)
    feed = ET.Element(f"{{{_ATOM}}}feed", {"xml:lang": "en"})
    _text(feed, "id", _id("feed"))
    _text(feed, "title", "Product analytics")
    _text(feed, "updated", _moment(found[0].updated if found else datetime.fromtimestamp(0, UTC)))
    author = ET.SubElement(feed, f"{{{_ATOM}}}author")
    _text(author, "name", "Product analytics")
    _link(feed, "self", f"{base}feed.xml", "application/atom+xml")
    _link(feed, "alternate", f"{base}index.html", "text/html")
    for entry in found:
        _put(feed, entry, base)
    ET.indent(feed, " ")
    text: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _newest(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.updated, reverse=True)


def _put(feed: ET.Element, entry: Entry, base: str) -> None:
    item = ET.SubElement(feed, f"{{{_ATOM}}}entry")
    _text(item, "id", _id(entry.about))
    _text(item, "title", entry.title)
    _text(item, "updated", _moment(entry.updated))
    _link(item, "alternate", base + entry.path, "text/html")
    ET.SubElement(item, f"{{{_ATOM}}}category", {"term": entry.kind})
    _text(item, "summary", entry.summary)


def _text(parent: ET.Element, name: str, text: str) -> None:
    # XML has no way to write most control characters.
    allowed = "".join(char for char in text if char >= " " or char in "\t\n")
    ET.SubElement(parent, f"{{{_ATOM}}}{name}").text = allowed


def _link(parent: ET.Element, rel: str, href: str, kind: str) -> None:
    ET.SubElement(parent, f"{{{_ATOM}}}link", {"rel": rel, "type": kind, "href": href})


def _id(about: str) -> str:
    return uuid.uuid5(_IDS, about).urn


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reports(contents: Contents) -> Iterator[Entry]:
    for runs in contents.everything:
        if runs.notebook in REPORTS:
            for page in runs.pages[:_ENTRIES]:
                about = f"report {page.notebook}/{page.run}"
                path = _path(page.docname)
                yield Entry(about, "report", page.title, _summary(page), page.finished, path)


def _summary(page: Record) -> str:
    shown = landing.cards([page])[:_SUMMARY]
    return ", ".join(f"{card.metric.name} {card.value}" for card in shown) or page.title


def _incidents(contents: Contents) -> Iterator[Entry]:
    for incident in contents.standing.incidents:
        over = f", over since {_moment(incident.resolved)}" if incident.resolved else ""
        yield Entry(
            f"incident {incident.metric} {incident.segment} {_moment(incident.opened)}",
            "incident",
            f"{'Recovered' if over else 'Incident'}: {incident.name}, {incident.where}",
            f"{incident.severity}, {messages.signed_percent(incident.deviation)} at worst, "
            f"since {_moment(incident.opened)}{over}",
            incident.resolved or incident.opened,
            _path(incident.page) if incident.page else "status.html",
        )


def _changes(contents: Contents) -> Iterator[Entry]:
    pages = {page.docname for runs in contents.everything for page in runs.pages}
    began = min((one.moment for one in contents.log if one.kind == "metric"), default=None)
    for change in contents.log:
        # What the catalogue held when the log began is no news.
        if change.kind == "verdict" or change.moment != began:
            yield _change(change, pages)


def _change(change: Change, pages: Sequence[str] | set[str]) -> Entry:
    if change.kind == "verdict":
        was = f", was {change.before}" if change.before else ""
        title = f"{change.title}: {change.after}{was}"
    else:
        how = "new" if change.is_first else "changed" if change.after else "withdrawn"
        title = f"Metric {change.title}: {how}"
    path = _path(change.docname) if change.docname in pages else "changes.html"
    return Entry(
        f"{change.kind} {change.subject} {_moment(change.moment)}",
        "verdict" if change.kind == "verdict" else "definition",
        title,
        change.data or change.after or change.before,
        change.moment,
        path,
    )
