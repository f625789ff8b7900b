"""What the pages of alerts show: the state now, the series, the incidents."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure as Drawing

from nbtools import alert_charts, alert_messages, charts, languages, messages, tables, titles
from nbtools.alert_messages import Reader
from nbtools.alerts import METRICS, SHOWN, STEP, Checked, Verdicts
from nbtools.handover import Attachment, Draft, Figure
from nbtools.incidents import TOTAL, Incident
from nbtools.languages import Language
from nbtools.metrics import slice_metric
from nbtools.slices import Key
from nbtools.stories import Story

_AROUND = timedelta(hours=9)
_WORDS = {
    "well": "All is well",
    "incident": "There is an incident",
    "missing": "Data are missing, nothing is known of the newest slices",
    "learning": "Nothing can be judged yet, the history is too short",
    "past": "Later slices have been checked already, so nothing was judged here",
}


def figures(checked: Checked) -> dict[str, Figure]:
    """Return the key figures of a check."""
    newest = _newest(checked)
    found: dict[str, Figure] = {
        "status": checked.outcome.status,
        "slice": checked.slice.isoformat(timespec="minutes"),
        "judged": checked.outcome.judged,
        "anomalous": int(newest["anomalous"].sum()),
        "incidents": sum(one.phase == "open" for one in checked.outcome.state.incidents),
        "messages": len(checked.outcome.intents),
        "newest_event": checked.filled.newest.astimezone(checked.at.tzinfo).isoformat(),
    }
    for row in newest[newest["dimension"] == TOTAL].to_dict("records"):
        slug = str(row["metric"])
        found[slug] = float(row["value"])
        found[f"{slug}.expected"] = float(row["expected"])
        found[f"{slug}.score"] = float(row["score"])
    return found


def _newest(checked: Checked) -> pd.DataFrame:
    seen = checked.verdicts.observations([checked.verdicts.history.size - 1])
    return pd.DataFrame(seen)


def state(checked: Checked) -> HTML:
    """Return whether the app is well, in a sentence or two."""
    newest = _newest(checked)
    odd = int(newest["anomalous"].sum())
    known = int(newest["score"].notna().sum())
    lines = [
        f"{_WORDS[checked.outcome.status]}: the slice from {_clock(checked.slice)} to "
        f"{_clock(checked.slice + STEP)} on {messages.day(checked.slice.date())}."
    ]
    if known:
        lines.append(f"{odd} of {known} series are outside what their past leads to expect.")
    filled = checked.filled
    if filled.first_missing is not None:
        missing = filled.first_missing.astimezone(checked.at.tzinfo)
        newest_event = filled.newest.astimezone(checked.at.tzinfo)
        lines.append(
            f"Slices from {_clock(missing)} on have not arrived; the newest event is from "
            f"{messages.day(newest_event.date())} {newest_event:%H:%M:%S}."
        )
        if checked.outcome.status == "well":
            lines.append("At this time of the week such a silence is usual.")
    return tables.sentences(lines)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def table(checked: Checked) -> HTML:
    """Return the newest slice of every metric, over all users."""
    newest = _newest(checked)
    return tables.show(_rows(newest[newest["dimension"] == TOTAL]).set_index("Metric"))


def segments(checked: Checked) -> HTML:
    """Return the segments that are anomalous now."""
    newest = _newest(checked)
    odd = newest[newest["anomalous"] & (newest["dimension"] != TOTAL)]
    if odd.empty:
        return tables.sentences(["No segment is outside its range."])
    rows = _rows(odd)
    rows["Segment"] = [
        languages.segment_name("en", str(row.dimension), str(row.segment))
        for row in odd.itertuples()
    ]
    return tables.show(rows.set_index(["Metric"])[["Segment", *rows.columns[1:-1]]])


def _rows(seen: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for one in seen.to_dict("records"):
        item = slice_metric(str(one["metric"]))
        value, expected = float(one["value"]), float(one["expected"])
        low, high = (messages.value(item, float(one[name])) for name in ("lower", "upper"))
        known = np.isfinite(expected) and expected > 0 and np.isfinite(value)
        rows.append(
            {
                "Metric": item.name,
                "Anomalous": "YES" if one["anomalous"] else "no",
                "Value": messages.value(item, value),
                "Expected": messages.value(item, expected),
                "Range": f"{low} to {high}" if np.isfinite(expected) else messages.MISSING,
                "Off by": messages.signed_percent(value / expected - 1 if known else None),
                "Of the threshold": _score(float(one["score"])),
            }
        )
    return pd.DataFrame(rows)


def _score(score: float) -> str:
    return f"{abs(score):.1f}" if np.isfinite(score) else messages.MISSING


def panels(checked: Checked) -> Drawing:
    """Return the last day of every metric, over all users."""
    frames = {
        slug: checked.verdicts.frame((slug, TOTAL, TOTAL)).iloc[-int(SHOWN / STEP) :]
        for slug in METRICS
        if (slug, TOTAL, TOTAL) in checked.verdicts.judged
    }
    odd = sum(bool(frame["anomalous"].iloc[-1]) for frame in frames.values())
    title = f"{odd} of {len(frames)} metrics are outside their range" if odd else "All as expected"
    return alert_charts.panels(frames, title=title)


def incidents(found: Sequence[Incident], zone: ZoneInfo) -> HTML:
    """Return the incidents that are not over, or a sentence that there are none."""
    open_ones = [one for one in found if one.phase == "open"]
    if not open_ones:
        return tables.sentences(["No incident is open."])
    rows = [
        {
            "Series": titles.series(one),
            "Severity": one.severity,
            "Since": titles.moment(one.opened, zone),
            "Last": titles.moment(one.last, zone),
            "Worst": titles.relative(one),
        }
        for one in open_ones
    ]
    return tables.show(pd.DataFrame(rows).set_index("Series"), words=("Severity",))


def headline(story: Story, zone: ZoneInfo, language: Language = "en") -> str:
    """Return a story in one line."""
    told = max((one.last for one in story.incidents), default=story.group.opened)
    return alert_messages.headline(Reader(language, zone, told), story)


def key_of(one: Incident) -> Key:
    """Return which series an incident is of."""
    return (one.metric, one.dimension, one.segment or TOTAL)


def picture(
    verdicts: Verdicts, story: Story, title: str, language: Language = "en"
) -> Drawing | None:
    """Return a story's leading series around its incident; None where data were missing.

    Parameters
    ----------
    verdicts : Verdicts
        Of the slices around it.
    story : Story
        What happened.
    title : str
        The finding.
    language : {"en", "ru"}
        In which the title is.
    """
    lead = story.lead
    key = key_of(lead)
    if key not in verdicts.judged:
        return None
    frame = verdicts.frame(key)
    first, last = lead.opened - _AROUND, (lead.resolved or lead.last) + _AROUND / 3
    shown = frame.loc[first:last]
    return alert_charts.incident(shown, lead.metric, title, language) if len(shown) else None


def messages_of(checked: Checked, language: Language, *, site: str = "") -> list[Draft]:
    """Return the messages of a check, each with its picture.

    Parameters
    ----------
    checked : Checked
        The check.
    language : {"en", "ru"}
        Of the texts.
    site : str
        Address of the published book, for links to the page of the incident and to the live
        dashboard; without it there are none.
    """
    zone = ZoneInfo(str(checked.at.tzinfo))
    pages = f"{site.rstrip('/')}/runs" if site else ""

    def _pictures(story: Story) -> Sequence[Attachment]:
        title = headline(story, zone, language)
        figure = picture(checked.verdicts, story, title, language)
        return () if figure is None else (charts.attach(figure, "incident", title),)

    def _link(key: str) -> str:
        return f"{pages}/incident/{key}.html" if pages and key else ""

    return alert_messages.drafts(
        checked.outcome,
        language=language,
        zone=zone,
        pictures=_pictures,
        link=_link,
        dashboard=f"{pages}/dashboard_today/live.html" if pages else "",
    )
