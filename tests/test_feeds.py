"""The feed and the change log: what is news, once, for good."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from nbtools import changes, feeds, pages
from nbtools.errors import BookError, SettingsError
from nbtools.metrics import CATALOGUE
from nbtools.settings import PROJECT, Settings, load
from nbtools.standing import Incident, Standing
from tests.books import Built, add_run, collect, days, long_home

ATOM = "{http://www.w3.org/2005/Atom}"
NOW = datetime(2023, 3, 1, 9, tzinfo=UTC)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


def texts(node: ET.Element, name: str) -> list[str]:
    return [found.text or "" for found in node.findall(f"{ATOM}{name}")]


def entries(content: bytes) -> dict[str, ET.Element]:
    """Return the entries of a feed by title, after checking what RFC 4287 demands."""
    feed = ET.fromstring(content)
    assert feed.tag == f"{ATOM}feed"
    found = feed.findall(f"{ATOM}entry")
    for node in (feed, *found):
        for name in ("id", "title", "updated"):
            assert len(texts(node, name)) == 1, name
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", texts(node, "id")[0])
        assert _MOMENT.fullmatch(texts(node, "updated")[0])
        assert [link.get("href") for link in node.findall(f"{ATOM}link[@rel='alternate']")]
    assert feed.findall(f"{ATOM}author/{ATOM}name")
    assert [link.get("href") for link in feed.findall(f"{ATOM}link[@rel='self']")]
    ids = [texts(node, "id")[0] for node in (feed, *found)]
    assert len(set(ids)) == len(ids)
    moments = [texts(node, "updated")[0] for node in found]
    assert moments == sorted(moments, reverse=True)
    assert texts(feed, "updated")[0] == (moments or ["1970-01-01T00:00:00Z"])[0]
    return {texts(node, "title")[0]: node for node in found}


def change_log(home: Path, moment: datetime) -> str:
    found = collect(home, moment)
    made = pages.generated(
        found, home=home, written=PROJECT / "book", zone=Settings(home=home).zone
    )
    return " ".join(re.sub(r"<[^>]+>", "", made["changes.md"]).split())


def test_the_feed_of_a_book_is_valid_and_leads_to_its_pages(archived: Built) -> None:
    site = archived.home / "site"
    found = entries((site / "feed.xml").read_bytes())
    kinds = {node.find(f"{ATOM}category").get("term") for node in found.values()}  # type: ignore[union-attr]
    assert kinds == {"report", "verdict"}
    assert "AB test: the algorithm: ship" in found
    report = found[f"Feed report, {days(2)[1]}"]
    assert texts(report, "summary")[0].startswith("Feed DAU 20\u202f000, ")
    for node in found.values():
        link = node.find(f"{ATOM}link")
        assert link is not None
        assert (site / str(link.get("href"))).is_file()
    head = archived.page("runs/report_feed/2023-02-20.html").select_one(
        'link[type="application/atom+xml"]'
    )
    assert head is not None
    assert head["href"] == "../../feed.xml"


def test_an_address_makes_every_link_absolute(tmp_path: Path) -> None:
    long_home(tmp_path)
    found = collect(tmp_path, NOW)
    plain = ET.fromstring(feeds.atom(found, address=""))
    moved = ET.fromstring(feeds.atom(found, address="https://book.example/app"))
    assert [texts(node, "id") for node in plain.iter()] == [
        texts(node, "id") for node in moved.iter()
    ]
    for link in moved.iter(f"{ATOM}link"):
        assert str(link.get("href")).startswith("https://book.example/app/")
    assert not any(urlsplit(str(link.get("href"))).scheme for link in plain.iter(f"{ATOM}link"))


def test_an_address_is_checked(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBTOOLS_SITE_URL", "book.example")
    with pytest.raises(SettingsError, match="NBTOOLS_SITE_URL"):
        load()
    monkeypatch.setenv("NBTOOLS_SITE_URL", "https://book.example")
    assert load().site_url == "https://book.example"


def test_a_book_that_is_built_again_has_the_same_entries(tmp_path: Path) -> None:
    long_home(tmp_path)
    first = feeds.atom(collect(tmp_path, NOW), address="")
    assert feeds.atom(collect(tmp_path, NOW + timedelta(days=9)), address="") == first
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "runs", moved / "runs")
    ids = {name: texts(node, "id") for name, node in entries(first).items()}
    again = entries(feeds.atom(collect(moved, NOW), address=""))
    assert {name: texts(node, "id") for name, node in again.items()} == ids


def test_an_incident_is_one_entry_that_is_updated_when_it_is_over(tmp_path: Path) -> None:
    opened = Incident(1, "views", "os:iOS", NOW, NOW, None, "critical", -0.48)
    over = opened._replace(resolved=NOW + timedelta(hours=1))
    found = collect(tmp_path, NOW)
    first, second = (
        entries(feeds.atom(found._replace(standing=standing), address=""))
        for standing in (
            Standing("incident", "", (opened,), None),
            Standing("well", "", (over,), None),
        )
    )
    assert list(first) == ["Incident: Views, iOS"]
    assert list(second) == ["Recovered: Views, iOS"]
    before, after = *first.values(), *second.values()
    assert texts(before, "id") == texts(after, "id")
    assert texts(before, "updated") < texts(after, "updated")


def test_odd_characters_do_not_break_the_feed(tmp_path: Path) -> None:
    odd = "<b> & \x00\x1f 'q' \u202f]]>"
    add_run(tmp_path, "ab_test", "odd", title=odd, parameters={}, figures={"verdict": "<ship>"})
    found = entries(feeds.atom(collect(tmp_path, NOW), address=""))
    assert list(found) == ["<b> &  'q' \u202f]]>: <ship>"]


def test_an_empty_home_has_an_empty_feed(tmp_path: Path) -> None:
    assert entries(feeds.atom(collect(tmp_path, NOW), address="")) == {}


def test_a_verdict_that_changed_is_news_and_stays_in_the_log(tmp_path: Path) -> None:
    title = {"title": "AB test", "parameters": {}}
    add_run(tmp_path, "ab_test", "one", figures={"verdict": "ship"}, **title)
    assert "AB test: ship" in change_log(tmp_path, NOW)
    later = {**title, "finished": "2023-03-01T03:05:00+00:00"}
    add_run(tmp_path, "ab_test", "one", figures={"verdict": "look deeper"}, **later)
    assert "1 March 2023, 06:05 AB test: ship → look deeper" in change_log(tmp_path, NOW)
    found = entries(feeds.atom(collect(tmp_path, NOW), address=""))
    assert list(found) == ["AB test: look deeper, was ship", "AB test: ship"]
    # A run again that decides the same is no news.
    again = {**title, "finished": "2023-03-02T03:05:00+00:00"}
    add_run(tmp_path, "ab_test", "one", figures={"verdict": "look deeper"}, **again)
    assert len(entries(feeds.atom(collect(tmp_path, NOW), address=""))) == 2


def test_each_treatment_has_its_own_verdict(tmp_path: Path) -> None:
    figures = {"group_2.verdict": "ship", "group_3.verdict": "do not ship", "users": 9}
    add_run(tmp_path, "ab_test", "one", title="AB", parameters={}, figures=figures)
    found = entries(feeds.atom(collect(tmp_path, NOW), address=""))
    assert set(found) == {"AB, group 2: ship", "AB, group 3: do not ship"}


def test_a_definition_that_changed_under_its_slug_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = change_log(tmp_path, NOW)
    assert f"{len(CATALOGUE)} definitions stand unchanged since this log began" in log
    views = CATALOGUE["views"]._replace(sql="sum(views) / 2")
    shown = CATALOGUE["likes"]._replace(name="Hearts")  # another name is no other meaning
    other = {**CATALOGUE, "views": views, "likes": shown, "new": views._replace(slug="new")}
    del other["ctr"]
    monkeypatch.setattr(changes, "CATALOGUE", other)
    log = change_log(tmp_path, NOW + timedelta(days=1))
    assert (
        "Views views: now Posts viewed; a post viewed twice counts twice. sum(views) / 2, was"
        in log
    )
    assert "Views new: new" in log
    assert "CTR ctr: withdrawn, was Likes divided by views" in log
    assert "likes:" not in log
    found = entries(feeds.atom(collect(tmp_path, NOW + timedelta(days=2)), address=""))
    assert set(found) == {"Metric Views: changed", "Metric Views: new", "Metric CTR: withdrawn"}
    assert change_log(tmp_path, NOW + timedelta(days=3)) == log


def test_a_change_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    for text in ("{", '[{"kind": "verdict"}]', '[{"kind": "mood"}]'):
        path.write_text(text)
        with pytest.raises(BookError, match=f"{re.escape(str(path))} is no change log") as raised:
            collect(tmp_path, NOW)
        assert "\n" not in str(raised.value)


def test_the_log_is_written_only_when_there_is_news(tmp_path: Path) -> None:
    collect(tmp_path, NOW)
    path = tmp_path / "changes.json"
    stamp = path.stat().st_mtime_ns
    collect(tmp_path, NOW + timedelta(days=1))
    assert path.stat().st_mtime_ns == stamp
    assert len(json.loads(path.read_text("utf-8"))) == len(CATALOGUE)
