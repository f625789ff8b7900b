"""Every run stays reachable: lists, calendars, neighbours, comparisons, files, retention."""

import csv
import io
import os
import re
import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from nbtools import archive, assembly, downloads, keeping, keyfigures, making, records, site
from nbtools.errors import BookError, ParameterError
from nbtools.keeping import Rule
from nbtools.records import Runs
from nbtools.settings import PROJECT, Settings
from tests import browser
from tests.books import (
    NEW,
    Built,
    add_run,
    assemble,
    code,
    copy_project,
    days,
    numbers,
    output,
    record,
)

NOW = datetime(2023, 2, 27, 9, tzinfo=UTC)
PAGES = days(65)[1:]


def rows(page: BeautifulSoup) -> list[list[str]]:
    return [
        [numbers(" ".join(cell.get_text().split())) for cell in row.find_all(["th", "td"])]
        for row in page.select("table.runs tbody tr")
    ]


def linked(page: BeautifulSoup, selector: str) -> set[str]:
    found = (unquote(str(tag["href"])).rpartition("/")[2] for tag in page.select(selector))
    return {name.removesuffix(".html") for name in found}


def dated(count: int) -> Runs:
    pages = tuple(
        record(run=f"{date(2026, 1, 1) - timedelta(back)}", figures={"x": back})
        for back in range(count)
    )
    return Runs(notebook="n", pages=pages, failures={})


def test_every_run_is_linked_from_a_table_and_from_a_calendar(archived: Built) -> None:
    start = archived.page("runs/report_feed.html")
    assert len(rows(start)) == archive.SHOWN
    periods = linked(start, '.around a[href*="archive/"]')
    assert periods == {"2022", "2023"}
    lists = [archived.page(f"archive/report_feed/{name}.html") for name in sorted(periods)]
    for selector in ("table.runs th a", "table.month td a"):
        found = set().union(*(linked(page, selector) for page in lists))
        assert found - {"status"} >= set(PAGES), selector
    assert "Older runs: 2023 (57), 2022 (8)" in " ".join(start.get_text().split())


def test_a_calendar_has_every_day_in_its_place(archived: Built) -> None:
    tables = archived.page("runs/report_feed.html").select("table.month")
    assert [table.caption.get_text() for table in tables if table.caption] == [
        "February 2023", "January 2023", "December 2022",
    ]  # fmt: skip
    heads = [head["abbr"] for head in tables[0].select("th")]
    assert heads[0] == "Monday"
    first = [cell.get_text() for cell in tables[0].select("tbody tr")[0].select("td")]
    assert first == ["", "", "1", "2", "3", "4", "5"]  # 1 February 2023 was a Wednesday
    failed = tables[0].select_one("a.failed")
    assert failed is not None
    assert (failed.get_text(), failed["href"]) == ("26✕", "../status.html#failures")
    # The oldest month is whole, though the list ends within it.
    assert len(tables[2].select("td a")) == 8


def test_a_list_says_what_all_runs_were_given_and_shows_what_differs(archived: Built) -> None:
    page = archived.page("runs/report_feed.html")
    heads = [head.get_text() for head in page.select("table.runs thead th")]
    assert heads[-1] == "days"
    assert {row[-1] for row in rows(page)} == {"7", "14"}
    common, varying = archive.parameters(archive.rows(dated(3)))
    assert (common, varying) == ({}, [])
    given = [record(run=f"{day}", parameters={"a": 1, "b": day}) for day in (1, 2)]
    both = Runs(notebook="n", pages=tuple(given), failures={})
    assert archive.parameters(archive.rows(both)) == ({"a": 1}, ["b"])


def test_previous_and_next_lead_through_every_page(archived: Built) -> None:
    name, seen = PAGES[0], []
    while name:
        seen.append(name)
        page = archived.page(f"runs/report_feed/{name}.html")
        around = page.select_one(".facts .around")
        assert around is not None
        links = {a.get_text().partition(":")[0]: str(a["href"]) for a in around.select("a")}
        assert ("Next" in links) == (name != PAGES[0])
        if len(seen) > 1:
            assert links["Next"] == f"{seen[-2]}.html"
        name = links.get("Previous", "").removesuffix(".html")
    assert seen == PAGES


def test_a_page_has_its_figures_beside_the_day_before_and_the_same_weekday(
    archived: Built,
) -> None:
    page = archived.page("runs/report_feed/2023-02-20.html")
    heads = [head.get_text() for head in page.select(".facts thead th")]
    assert heads == [
        "Key figure", "2023-02-20", "2023-02-19", "Change", "2023-02-13, same weekday", "Change",
    ]  # fmt: skip
    found = {row[0]: row[1:] for row in rows(page)}
    # 2023-02-20 is the sixth newest: 20000 - 10 * 5, and 0.2 + 5 / 10000.
    assert found["Feed DAU"] == [
        "19 950", "19 940", "↑ +0.1 % better", "19 880", "↑ +0.4 % better",
    ]  # fmt: skip
    oldest = archived.page(f"runs/report_feed/{PAGES[-1]}.html")
    assert "Compared with" not in oldest.get_text()


def test_any_two_runs_can_be_compared(archived: Built, tmp_path: Path) -> None:
    page = (archived.home / "site").resolve() / "compare" / "report_feed.html"
    text = page.read_text("utf-8")
    assert "Choosing runs needs JavaScript" in text
    dom = browser.dump_dom(page, query="2023-02-20&2022-12-24")
    shown = {row[0]: row[1:] for row in rows(BeautifulSoup(dom, "html.parser"))}
    assert shown["Feed DAU"] == ["19 950", "19 370", "↑ +3.0 % better"]
    assert shown["Views"] == ["1 234 567", "1 234 567", "±0.0 %"]
    heads = BeautifulSoup(dom, "html.parser").select("table.compared thead a")
    assert [head["href"] for head in heads] == [
        "../runs/report_feed/2023-02-20.html", "../runs/report_feed/2022-12-24.html",
    ]  # fmt: skip


def test_the_figures_of_a_thousand_runs_are_a_small_script() -> None:
    assert len(keyfigures.script(dated(1000), "N")) < 60_000
    odd = Runs(notebook="n", pages=(record(figures={"</script>": "</script>"}),), failures={})
    assert "</" not in keyfigures.script(odd, "</script>")


def test_a_page_offers_its_notebook_and_its_tables(archived: Built) -> None:
    folder = archived.home / "site" / "runs" / "report_feed"
    executed = archived.home / "runs" / "report_feed" / "2023-02-20.ipynb"
    assert (folder / "2023-02-20.ipynb").read_bytes() == executed.read_bytes()
    links = archived.page("runs/report_feed/2023-02-20.html").select("p.download a")
    assert [link["href"] for link in links] == ["2023-02-20.table-1.csv"]
    content = (folder / "2023-02-20.table-1.csv").read_text("utf-8-sig")
    lines = list(csv.reader(io.StringIO(content)))
    assert lines[0][1] == "Against day 0 (2023-02-20)"
    assert lines[1] == ["Row 0", *["1234567"] * 8]


def test_key_figures_of_all_runs_are_one_file(archived: Built) -> None:
    text = (archived.home / "site" / "runs" / "report_feed.csv").read_text("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["run"] for line in lines] == PAGES[::-1]
    assert lines[-1]["feed_users"] == "20000"
    assert lines[-1]["views.change_7d"] == ""


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("1 234 567", "1234567"),
        ("\u22123.1\u202f%", "-3.1%"),
        ("\u2191 +1.2 % better", "\u2191 +1.2% better"),
        ("27 Feb 2023", "27 Feb 2023"),
        ("12 345", "12345"),
        ("1 12", "1 12"),
        ("\u2013", ""),
    ],
)
def test_a_displayed_number_is_written_for_programs(shown: str, written: str) -> None:
    assert downloads.plain(shown) == written


def test_each_table_of_an_output_is_a_file_of_its_own() -> None:
    tables = '<table><tr><th colspan="2">A</th></tr></table><table><tr><td>b, c</td></tr></table>'
    page = NEW.new_notebook(cells=[code("t", "show()", outputs=(output("text/html", tables),))])
    found = downloads.tables(page, "run")
    assert found == {
        "run.table-1.csv": b"\xef\xbb\xbfA,\n",
        "run.table-2.csv": b'\xef\xbb\xbf"b, c"\n',
    }
    shown = page.cells[0].outputs[0]["data"]["text/html"]
    assert 'href="run.table-1.csv" download>This table (1) as CSV' in shown


def test_a_page_that_is_not_kept_leaves_its_figures(tmp_path: Path) -> None:
    for day in days(6):
        add_run(tmp_path, "report_feed", day)
    project = copy_project(tmp_path / "project")
    rules = project / "parameters" / "archive.yml"
    rules.parent.mkdir()
    rules.write_text("report_feed: {keep_days: 3}\n")
    assembly.thin(Settings(home=tmp_path), project)
    runs = records.read(tmp_path)[0]
    assert [page.run for page in runs.pages] == days(3)
    assert [page.run for page in runs.thinned] == days(6)[3:]
    assert len(list((tmp_path / "runs" / "report_feed").glob("*.json"))) == 6
    assemble(tmp_path, project, NOW)
    text = (tmp_path / "build" / "source" / "runs" / "report_feed.md").read_text("utf-8")
    for day in days(6):
        assert day in text
    assert f"{days(3)[-1]}.html" in text
    assert f"{days(4)[-1]}.html" not in text
    compared = (tmp_path / "build" / "extras" / "compare" / "report_feed.js").read_text("utf-8")
    assert days(6)[-1] in compared
    # What is gone can still be compared with.
    kept = archive.neighbours(runs.done)[days(3)[-1]]
    assert kept[0] is not None
    assert kept[0].run == days(4)[-1]


def test_a_row_without_a_page_says_so(archived: Built) -> None:
    found = {row[0]: row for row in rows(archived.page("runs/etl_daily.html"))}
    label = f"{date.fromisoformat(days(5)[-1]):%Y-%m-%d %a}"
    assert found[label][1:4] == ["75", "0", "ok, page not kept"]


def test_a_notebook_that_stopped_keeps_its_last_pages() -> None:
    runs = dated(10)
    assert [page.run for page in keeping.outlived(runs, Rule(keep_days=8))] == [
        "2025-12-24", "2025-12-23",
    ]  # fmt: skip
    assert keeping.outlived(runs, Rule()) == []
    study = Runs(notebook="n", pages=(record(),), failures={})
    assert keeping.outlived(study, Rule(keep_days=1)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("report_fed: {keep_days: 3}", "there is no notebook report_fed; there are "),
        ("report_feed: {keep_days: 0}", "report_feed.keep_days: Input should be greater than"),
        ("report_feed: {keep: 3}", "report_feed.keep: Extra inputs are not permitted"),
        ("report_feed: {due: 16:00}", "report_feed.due: needed is a time of day in quotes"),
        ('report_feed: {due: "25:00"}', "report_feed.due: "),
        ("report_feed: [", "Cannot read "),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "archive.yml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=re.escape(said)) as raised:
        keeping.load(path, PROJECT / "notebooks")
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_rules_of_this_project_can_be_used() -> None:
    rules = keeping.load(PROJECT / "parameters" / "archive.yml", PROJECT / "notebooks")
    assert rules["report_feed"].due == time(6)
    assert keeping.load(PROJECT / "nowhere.yml", PROJECT / "notebooks") == {}


def test_a_year_of_very_many_runs_is_listed_by_month() -> None:
    found = archive.periods(archive.rows(dated(370)))
    assert [period.name for period in found] == ["2026", "2025", "2024"]
    twice = [row for row in archive.rows(dated(370)) for _ in range(2)]
    assert [period.name for period in archive.periods(twice)][:3] == ["2026", "2025-12", "2025-11"]


def test_a_page_that_did_not_change_is_not_even_read(tmp_path: Path) -> None:
    for day in days(3):
        add_run(tmp_path, "report_feed", day)
    project, work = copy_project(tmp_path / "project"), tmp_path / "build"
    assemble(tmp_path, project, NOW)
    before = {path: path.read_bytes() for path in (work / "source").rglob("*.ipynb")}
    path = tmp_path / "runs" / "report_feed" / f"{days(3)[-1]}.ipynb"
    state = path.stat()
    path.write_bytes(b"x" * state.st_size)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assemble(tmp_path, project, NOW)
    assert {path: path.read_bytes() for path in before} == before
    path.write_bytes(b"y" * state.st_size)
    with pytest.raises(BookError, match=f"{re.escape(str(path))} is no notebook"):
        assemble(tmp_path, project, NOW)


def test_a_page_is_made_again_when_what_it_shows_of_others_changed(tmp_path: Path) -> None:
    for day in days(3):
        add_run(tmp_path, "report_feed", day)
    project, work = copy_project(tmp_path / "project"), tmp_path / "build"
    assemble(tmp_path, project, NOW)
    page = work / "source" / "runs" / "report_feed" / f"{days(2)[-1]}.ipynb"
    assert "7777777" not in page.read_text("utf-8")
    add_run(tmp_path, "report_feed", days(3)[-1], figures={"feed_users": 7777777})
    assemble(tmp_path, project, NOW)
    assert "7\u202f777\u202f777" in page.read_text("utf-8")


def test_copies_of_the_site_share_what_did_not_change(tmp_path: Path) -> None:
    html, extras = tmp_path / "html", tmp_path / "extras"
    for folder, name, text in (
        (html, "index.html", "1"),
        (html, "a/b.html", "b"),
        (extras, "c", "c"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    place, published = tmp_path / "site", tmp_path / "published"
    site.publish((html, extras), place, published)
    first = place.resolve()
    (html / "index.html").write_text("2")
    (html / "a" / "b.html").touch()
    site.publish((html, extras), place, published)
    second = place.resolve()
    assert (first / "index.html").read_text() == "1"
    assert (second / "index.html").read_text() == "2"
    for name in ("a/b.html", "c"):
        assert (first / name).stat().st_ino == (second / name).stat().st_ino, name
        assert (second / name).stat().st_ino not in {
            path.stat().st_ino for folder in (html, extras) for path in folder.rglob("*")
        }
    site.publish((html, extras), place, published)
    assert not first.exists()
    assert second.exists()


def test_lists_and_comparisons_fit_a_phone(archived: Built, tmp_path: Path) -> None:
    copy = tmp_path / "site"
    shutil.copytree(archived.home / "site", copy)
    for name in (
        "runs/report_feed.html",
        "archive/report_feed/2023.html",
        "compare/report_feed.html",
        "runs/report_feed/2023-02-20.html",
        "changes.html",
        f"failed/report_feed/{days(1)[0]}.html",
    ):
        assert browser.wider_by(copy / name) == 0, name


def test_what_shapes_a_page_is_all_of_what_it_is_made_with() -> None:
    package = PROJECT / "src" / "nbtools"
    found, todo = set(), ["runpages"]
    while todo:
        name = todo.pop()
        found.add(name)
        for line in (package / f"{name}.py").read_text("utf-8").splitlines():
            if match := re.match(r"from nbtools(?:\.(\w+))? import ([\w, ]+)", line):
                names = [match[1]] if match[1] else match[2].split(", ")
                todo += [one for one in names if one not in found]
    assert found - {"errors"} <= set(making.SHAPING)
    text = (package / "runpages.py").read_text("utf-8")
    used = set(re.findall(r'"([\w.]+)\.j2"', text)) | {"marks"}
    assert {f"templates/{name}" for name in used} <= set(making.SHAPING)
