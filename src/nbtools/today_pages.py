"""What the page of the day so far shows: a sentence, a table, a chart a metric."""

from datetime import timedelta

import pandas as pd
from IPython.display import HTML

from nbtools import languages, messages, tables, today
from nbtools.handover import Figure
from nbtools.metrics import Metric, metric, slice_metric
from nbtools.plots import Plot, Words
from nbtools.today import Today

_ROWS = ("app_users", "feed_users", "messenger_users", "new_users", "views", "likes", "ctr",
         "messages_sent")  # fmt: skip
_COMPARED = {"day_before": timedelta(1), "week_before": timedelta(7)}


def figures(found: Today) -> dict[str, Figure]:
    """Return the key figures of the day so far."""
    shown: dict[str, Figure] = {
        "day": found.day.isoformat(),
        "until": found.until.isoformat(timespec="minutes"),
        "new_posts": found.new_posts["now"],
    }
    for slug in _ROWS:
        totals = today.total(found, slug)
        shown[slug] = totals["now"]
        shown[f"{slug}.change_1d"] = today.change(totals, "day_before")
        shown[f"{slug}.change_7d"] = today.change(totals, "week_before")
    return shown


def headline(found: Today) -> str:
    """Return the day so far in one sentence."""
    users = today.total(found, "app_users")
    shown = messages.value(_item("app_users"), users["now"])
    relative = today.change(users, "week_before")
    weekday = languages.text("en", "weekday-before", weekday=found.day.weekday())
    against = f"; nothing is known of {weekday}"
    if pd.notna(relative):
        against = f", {languages.percent('en', relative)} on {weekday}"
        against += "" if found.is_whole else " up to the same time"
    day = languages.day("en", found.day)
    when = f"{day}, the whole day" if found.is_whole else f"{day} up to {found.until:%H:%M}"
    return f"{when}: {shown} users of the app{against}."


def summary(found: Today) -> HTML:
    """Return the day so far in a few sentences."""
    lines = [headline(found), _ranges(found), _earlier(found), _posts(found)]
    if found.is_late:
        lines.append(
            f"It is {found.at:%H:%M} on {messages.day(found.at.date())}: slices from"
            f" {found.until:%H:%M} on have not arrived, and nothing is said of them."
        )
    return tables.sentences([line for line in lines if line])


def _ranges(found: Today) -> str:
    """Return which metrics are outside their ranges in the newest slice."""
    known = {slug: _newest(frame) for slug, frame in found.frames.items()}
    judged = {slug: row for slug, row in known.items() if pd.notna(row["expected"])}
    if not judged:
        return "No expected range is known yet, the history is too short."
    odd = [_item(slug).name for slug, row in judged.items() if row["anomalous"] > 0]
    newest = found.until - timedelta(minutes=15)
    when = f"in the newest slice, {newest:%H:%M} to {found.until:%H:%M}"
    if not odd:
        return f"All {len(judged)} metrics are as expected {when}."
    return f"Outside the expected range {when}: {', '.join(odd)}."


def _earlier(found: Today) -> str:
    """Return which metrics were outside their ranges in earlier slices of the day."""
    odd = []
    for slug, frame in found.frames.items():
        slices = frame.index[(frame["anomalous"] > 0) & (frame.index != _newest(frame).name)]
        if len(slices):
            odd.append(f"{_item(slug).name} ({len(slices)}, the first at {slices[0]:%H:%M})")
    return f"Slices outside the range earlier on the day: {', '.join(odd)}." if odd else ""


def _newest(frame: pd.DataFrame) -> pd.Series:
    """Return the last slice of which something is known."""
    known = frame[frame["now"].notna()]
    return known.iloc[-1] if len(known) else frame.iloc[0]


def _posts(found: Today) -> str:
    now, before = found.new_posts["now"], found.new_posts["day_before"]
    if pd.isna(now):
        return ""
    text = f"{messages.count(now)} new posts"
    if pd.isna(before):
        return f"{text}."
    until = "" if found.is_whole else " up to the same time"
    return f"{text}, {messages.count(before)} on the day before{until}."


def _item(slug: str) -> Metric:
    """Return a metric in the words of a day: distinct users of a day are no sum of slices."""
    return metric(slug) if slug.endswith("_users") and slug != "new_users" else slice_metric(slug)


def table(found: Today) -> HTML:
    """Return the day so far beside the same part of the day before and of the same weekday."""
    rows = []
    for slug in _ROWS:
        item, totals = _item(slug), today.total(found, slug)
        cells = {"Metric": item.name, "So far": messages.value(item, totals["now"])}
        for name, back in _COMPARED.items():
            relative = today.change(totals, name)
            judged = messages.judgement(item, relative)
            head = f"{found.day - back:%a} {messages.day(found.day - back)}"
            cells[head] = messages.value(item, totals[name])
            words = f"{messages.change(item, relative)} {messages.arrow(relative)} {judged}"
            cells[f"Against {found.day - back:%a}"] = " ".join(words.split())
        rows.append(cells)
    return tables.show(pd.DataFrame(rows).set_index("Metric"))


def chart(found: Today, slug: str) -> Plot:
    """Return a metric by 15 minutes: the day, the day before, the same weekday, the range.

    Parameters
    ----------
    found : Today
        The day so far.
    slug : str
        One of :data:`nbtools.today.SHOWN`.
    """
    frame, item = found.frames[slug], slice_metric(slug)
    lines = frame[["now", "day_before", "week_before"]].rename(columns={"now": slug})
    return Plot(
        "lines",
        lines.dropna(axis=1, how="all"),
        Words(
            f"today-{slug.replace('_', '-')}",
            _title(item, _newest(frame)),
            "share of views" if item.style == "share" else f"{item.unit} in 15 minutes",
            f"{item.name} by 15 minutes on {languages.day('en', found.day)}, with the day before,"
            " the same weekday and the range expected",
        ),
        style=item.style,
        bands={"expected": frame[["lower", "upper"]]} if frame["lower"].notna().any() else {},
    )


def _title(item: Metric, row: pd.Series) -> str:
    value = messages.value(item, row["now"])
    begin = row.name
    assert isinstance(begin, pd.Timestamp)
    when = f"{begin:%H:%M} to {begin + timedelta(minutes=15):%H:%M}"
    if pd.isna(row["expected"]):
        return f"{item.name}: {value} from {when}"
    low, high = (messages.value(item, row[name]) for name in ("lower", "upper"))
    where = "outside" if row["anomalous"] > 0 else "within"
    return f"{item.name}: {value} from {when}, {where} the range expected ({low} to {high})"


def top_posts(found: Today) -> HTML:
    """Return the posts that were viewed most in the day so far."""
    if found.top_posts.empty:
        return tables.sentences(["No post was viewed yet."])
    views, likes, ctr = (slice_metric(slug) for slug in ("views", "likes", "ctr"))
    rows = [
        {
            "Post": str(int(row["post_id"])),
            "Views": messages.value(views, row["views"]),
            "Likes": messages.value(likes, row["likes"]),
            "CTR": messages.value(ctr, row["likes"] / row["views"] if row["views"] else None),
        }
        for row in found.top_posts.to_dict("records")
    ]
    return tables.show(pd.DataFrame(rows).set_index("Post"))
