"""The book, built from records and small executed notebooks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from nbtools import book, locks, records, runpages
from nbtools.errors import BookError, LockedError
from nbtools.metrics import CATALOGUE
from nbtools.settings import PROJECT, Settings
from tests import browser
from tests.books import (
    LOG,
    NEW,
    ODD,
    Built,
    add_run,
    code,
    copy_project,
    days,
    numbers,
    output,
    record,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the written pages, to break and mend."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return a built book; tests that change its home put it back."""
    home = tmp_path_factory.mktemp("book") / "home"
    for day in days(4):
        add_run(home, "report_feed", day)
    add_run(home, "ab_test", "algorithm.2", title=ODD, parameters={"title": "x", "name": ODD},
            figures={"p_value": 0.000123456, "verdict": ODD}, command=ODD, source=LOG,
            finished="2023-02-26T03:05:00+00:00")  # fmt: skip
    late = "2023-02-27T05:05:00+00:00"
    add_run(home, "report_feed", days(2)[1], outcome="failed", error=ODD, finished=late)
    add_run(home, "report_app", days(1)[0], outcome="timeout", error="Cell 5.", finished=late)
    found = Built(Settings(home=home), project)
    found.build()
    return found


def every_page(built: Built) -> list[str]:
    site = (built.home / "site").resolve()
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def images(built: Built) -> set[str]:
    return {path.name for path in (built.home / "site" / "_images").iterdir()}


def stamps(built: Built) -> dict[str, int]:
    return {
        path.relative_to(built.html).as_posix(): path.stat().st_mtime_ns
        for path in built.html.rglob("*.html")
        if path.stem not in {"search", "genindex"}
    }


def test_the_landing_page_shows_the_newest_report_formatted_by_the_catalogue(built: Built) -> None:
    cards = [
        [numbers(" ".join(part.get_text().split())) for part in card.find_all("p")]
        for card in built.page("index.html").select(".card-figure")
    ]
    assert cards == [
        ["Feed DAU", "19 234", "↑ +1.2 % better than the day before",
         "↓ \u22123.1 % worse than the same weekday"],
        ["Users of only the feed, same day", "800", "↑ +50.0 % on the day before",
         "↓ \u221250.0 % on the same weekday"],
        ["Views", "1 234 567", "±0.0 % the same as the day before", "the same weekday: not known"],
        ["CTR", "20.5 %", "↓ \u22120.4 % worse than the day before",
         "↑ +0.2 % better than the same weekday"],
    ]  # fmt: skip
    text = built.text("index.html")
    assert "The feed on Sunday 26 February 2023" in text
    assert "Data up to Sunday 26 February 2023 , the last full day." in text
    assert "Demo history." in text
    assert "2 runs failed and wait for a repair" in text


def test_a_run_page_shows_its_parameters_and_times_below_its_heading(built: Built) -> None:
    page = built.page("runs/report_feed/2023-02-26.html")
    heading = page.select_one("article h1")
    assert heading is not None
    assert heading.find(string=True) == "Feed report, 2023-02-26"
    facts = page.select_one("article h1 ~ .facts")
    assert facts is not None
    shown = {
        numbers(" ".join(row.dt.get_text().split())): numbers(" ".join(row.dd.get_text().split()))
        for row in facts.select("dl > div")
        if row.dt and row.dd
    }
    assert shown == {
        "Ran": "27 February 2023, 06:05 (Europe/Moscow)",  # 03:05 UTC
        "Took": "3.9 s, 0.4 s of it in ClickHouse",
        "Rows read": "1 234 567",
        "Parameters": "date = 2023-02-26 days = 7",
        "Notebook": "report_feed",
        "Code version": "0.1.0+abc1234",
        "Command": "nbtools run report_feed daily --set date=2023-02-26",
    }
    text = built.text("runs/report_feed/2023-02-26.html")
    assert text.index("Ran 27") < text.index("Question.") < text.index("Result")
    assert "default" not in text
    assert "given" not in text
    assert "a warning" not in text
    assert len(page.select("article .cell_output img")) == 1
    assert "failed" not in text


def test_a_page_whose_newest_run_failed_says_so_and_stays(built: Built) -> None:
    page = built.page("runs/report_feed/2023-02-25.html")
    banner = page.select_one(".admonition.warning")
    assert banner is not None
    text = " ".join(banner.get_text().split())
    assert text == (
        "The newest run of this page failed It failed on 27 February 2023, 08:05 (Europe/Moscow), "
        f"a cell raised an error: {ODD} "
        "What follows is the last good page, of 27 February 2023, 06:05, 2 hours before."
    )
    assert page.select("article .cell_output img")


def test_the_list_of_a_notebook_shows_its_runs_newest_first(built: Built) -> None:
    rows = [
        [numbers(" ".join(cell.get_text().split())) for cell in row.find_all(["th", "td"])]
        for row in built.page("runs/report_feed.html").select("table.runs tr")
    ]
    figures = ["19 234", "800", "1 234 567", "20.5 %"]
    names = ["Feed DAU", "Users of only the feed, same day", "Views", "CTR"]
    assert rows == [
        ["Page", *names, "Outcome", "Took"],
        ["2023-02-26 Sun", *figures, "ok", "3.9 s"],
        ["2023-02-25 Sat", *figures, "newest run failed, last good page", "3.9 s"],
        ["2023-02-24 Fri", *figures, "ok", "3.9 s"],
        ["2023-02-23 Thu", *figures, "ok", "3.9 s"],
    ]
    study = built.text("runs/ab_test.html")
    assert "Verdict P value" in study
    assert "0.0001235" in study
    assert "2023-02-26 Sun failed , no page" in built.text("runs/report_app.html")


def test_the_page_of_runs_lists_failures_with_their_errors(built: Built) -> None:
    text = built.text("status.html")
    assert f"report_feed 2023-02-25 : a cell raised an error, 27 February 2023, 08:05 {ODD}" in text
    assert "report_app 2023-02-26 : a cell took too long" in text


def test_a_failure_older_than_the_page_is_over(tmp_path: Path) -> None:
    add_run(tmp_path, "report_feed", "2023-02-26")
    early = "2023-02-27T01:00:00+00:00"
    add_run(tmp_path, "report_feed", "2023-02-26", outcome="failed", finished=early)
    assert records.read(tmp_path)[0].failures == {}


def test_odd_titles_and_parameters_are_shown_as_they_are(built: Built) -> None:
    name = "runs/ab_test/algorithm.2.html"
    for heading in built.page(name).find_all("h1"):  # one for the screen, one for paper
        assert "".join(heading.find_all(string=True, recursive=False)) == ODD
    assert f"name = {ODD}" in built.text(name)
    assert ODD in built.text("index.html")
    assert ODD in built.text("runs/ab_test.html")
    for path in every_page(built):
        assert not [tag for tag in built.page(path).find_all("script") if "alert(1)" in tag.text]


def test_a_real_log_names_its_drawn_columns_on_its_pages(built: Built) -> None:
    text = built.text("runs/ab_test/algorithm.2.html")
    assert "Real log. Music listening, 2023. These columns are drawn, not measured:" in text
    assert "feed.gender , feed.exp_group ." in text
    assert "Real log" in built.text("runs/ab_test.html")
    assert "Demo history" in built.text("runs/report_feed/2023-02-26.html")


def test_the_metric_reference_has_all_of_the_catalogue(built: Built) -> None:
    page = built.page("reference/metrics.html")
    for slug, metric in CATALOGUE.items():
        section = page.select_one(f"#metric-{slug.replace('_', '-')}")
        assert section is not None, slug
        text = " ".join((section.find_parent("section") or section).get_text(" ").split())
        for part in (metric.name, metric.counts, slug, metric.unit, metric.sql):
            assert part in text


def test_every_table_of_ours_is_in_the_reference(built: Built) -> None:
    statements = list((PROJECT / "src" / "nbtools" / "sql").glob("*_v*/create.sql"))
    assert statements
    text = built.text("reference/tables.html")
    for path in statements:
        assert path.parent.name in text
        for column, comment in re.findall(r"^\s+(\w+) .*COMMENT '(.+)'", path.read_text(), re.M):
            assert f"{column} " in text
            assert comment.replace("''", "'") in text


def test_every_link_within_the_book_leads_somewhere(built: Built) -> None:
    site = built.home / "site"
    anchors: dict[Path, set[str]] = {}
    broken = []
    for name in every_page(built):
        page = built.page(name)
        for tag in page.find_all(["a", "img", "link", "script", "iframe", "source"]):
            address = urlsplit(str(tag.get("href") or tag.get("src") or "#"))
            if address.scheme or address.netloc:
                assert tag.name == "a", f"{name} loads {address.geturl()}"
                continue
            path = (site / name).parent / unquote(address.path) if address.path else site / name
            if path.suffix == ".html" and path.is_file() and path not in anchors:
                other = BeautifulSoup(path.read_text("utf-8"), "html.parser")
                anchors[path] = {str(found["id"]) for found in other.find_all(id=True)}
            lost = address.fragment and address.fragment not in anchors.get(path, set())
            if not path.is_file() or (lost and not path.name.startswith("search")):
                broken.append(f"{name}: {address.geturl()}")
    assert broken == []


def test_a_page_loads_only_the_scripts_that_it_has_work_for(built: Built) -> None:
    def scripts(name: str) -> set[str]:
        found = built.page(name).find_all("script", src=True)
        return {urlsplit(str(tag["src"])).path.rpartition("/")[2] for tag in found}

    always = {"doctools.js", "sphinx_highlight.js", "bootstrap.js", "pydata-sphinx-theme.js"}
    choice = {"copybutton.js", "clipboard.min.js", "togglebutton.js", "design-tabs.js"}
    choice |= {"chart-figures.js", "dashboards.js"}
    assert always <= scripts("index.html")
    assert not choice & scripts("index.html")
    copied = {"copybutton.js", "clipboard.min.js"}
    assert choice & scripts("runs/report_feed/2023-02-26.html") == copied
    assert "searchtools.js" in scripts("search.html")


def test_the_browser_fetches_nothing_from_the_network(built: Built, tmp_path: Path) -> None:
    control = tmp_path / "control.html"
    control.write_text('<img src="http://127.0.0.1:9/x.png">')
    assert browser.fetched(control) == {"http://127.0.0.1:9/x.png"}
    for name in ("index.html", "runs/report_feed/2023-02-26.html", "search.html"):
        assert browser.fetched(built.home / "site" / name) == set(), name


def test_no_page_scrolls_sideways_on_a_phone(built: Built, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(built.home / "site", site)
    control = site / "control.html"
    control.write_text('<body style="margin:0"><div style="width:400px">x</div></body>')
    assert browser.wider_by(control) == 10
    for name in (
        "index.html",
        "status.html",
        "runs/report_feed.html",
        "runs/report_feed/2023-02-25.html",
        "runs/ab_test/algorithm.2.html",
        "reference/metrics.html",
        "about.html",
    ):
        assert browser.wider_by(site / name) == 0, name


def test_cards_stand_in_two_columns_on_a_phone(built: Built, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(built.home / "site", site)
    columns = "getComputedStyle(document.querySelector('.cards')).gridTemplateColumns"
    count = f"{columns}.split(' ').length"
    assert browser.measured(site / "index.html", count) == 2
    assert browser.measured(site / "index.html", count, width=1280) > 2
    shot = tmp_path / "phone.png"
    browser.screenshot(browser.dark(site / "index.html"), shot, width=390, height=1200)
    assert shot.stat().st_size > 10_000


def test_a_second_build_touches_only_what_is_new(built: Built) -> None:
    before = stamps(built)
    built.build()
    assert stamps(built) == before
    add_run(built.home, "report_feed", "2023-02-27")
    built.build()
    after = stamps(built)
    touched = {name for name, stamp in after.items() if before.get(name) != stamp}
    assert touched == {
        "runs/report_feed/2023-02-27.html",
        "runs/report_feed/2023-02-26.html",  # it has a next page now
        "runs/report_feed.html",
        "status.html",
        "index.html",
        "decisions.html",  # Sphinx looks at a list with a glob whenever a page is new
    }
    assert "Previous: 2023-02-26" in built.text("runs/report_feed/2023-02-27.html")
    pictures = images(built)
    for path in (built.home / "runs" / "report_feed").glob("2023-02-27.*"):
        path.unlink()
    built.build()
    assert stamps(built).keys() == before.keys()
    assert not (built.home / "site" / "runs" / "report_feed" / "2023-02-27.html").exists()
    assert "2023-02-27" not in built.text("runs/report_feed.html")
    assert "2023-02-27" not in (built.home / "site" / "searchindex.js").read_text()
    assert len(pictures - images(built)) == 1


def test_a_new_notebook_appears_in_the_sidebar_of_every_page(built: Built) -> None:
    add_run(built.home, "zebra", "one", title="A study", parameters={})
    built.build()
    for name in every_page(built):
        sidebar = built.page(name).select_one(".bd-sidebar-primary")
        assert sidebar is not None
        assert "Zebra" in sidebar.get_text(), name
    shutil.rmtree(built.home / "runs" / "zebra")


def test_a_warning_stops_the_build_and_the_old_book_stays(built: Built) -> None:
    built.build()
    target = (built.home / "site").resolve()
    page = built.project / "book" / "about.md"
    text = page.read_text("utf-8")
    page.write_text(f"{text}\nSee [nothing](/guides/nowhere.md).\n", "utf-8")
    try:
        with pytest.raises(BookError, match=r"about\.md:\d+: WARNING: .*nowhere") as first:
            built.build()
        assert "\n" not in str(first.value)
        assert str(built.home) not in str(first.value)
        # Sphinx itself would not warn again of a page that did not change.
        with pytest.raises(BookError, match=r"about\.md:\d+"):
            built.build()
    finally:
        page.write_text(text, "utf-8")
    assert (built.home / "site").resolve() == target
    assert "nowhere" not in built.text("about.html")
    built.build()
    assert (built.home / "site").resolve() != target


def test_a_page_that_would_load_from_the_network_stops_the_build(built: Built) -> None:
    remote = output("text/html", '<script src="https://cdn.example/plotly.js"></script>')
    add_run(built.home, "report_feed", "2023-02-28", code("remote", "show()", outputs=(remote,)))
    try:
        with pytest.raises(
            BookError,
            match=r"runs/report_feed/2023-02-28\.html fetches https://cdn\.example/plotly\.js",
        ):
            built.build()
    finally:
        for path in (built.home / "runs" / "report_feed").glob("2023-02-28.*"):
            path.unlink()


def test_what_a_killed_build_left_is_not_trusted(built: Built) -> None:
    # The oldest: the first build made it, and no other test has changed it.
    page = built.html / "runs" / "report_feed" / f"{days(4)[-1]}.html"
    whole = page.read_text("utf-8")
    page.write_text(whole[:2000], "utf-8")
    (built.home / "build" / "built").unlink(missing_ok=True)
    half = built.home / "build" / "published" / "999999"
    half.mkdir()
    (half / "index.html").write_text("half")
    built.build()
    assert (built.home / "site" / "runs" / "report_feed" / page.name).read_text("utf-8") == whole
    assert not half.exists()


def test_a_copied_home_gets_its_link_back(built: Built, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built.home, copy)
    assert not (copy / "site").is_symlink()
    page = book.build(Settings(home=copy))
    assert page == copy / "site" / "index.html"
    assert page.is_file()
    assert (copy / "site").is_symlink()
    assert not (copy / "site").readlink().is_absolute()


def test_two_builds_at_once_without_an_environment_both_end_well(tmp_path: Path) -> None:
    add_run(tmp_path / "home", "report_feed", "2023-02-26")
    program = "from nbtools import book, settings; print(book.build(settings.load()))"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "NBTOOLS_HOME": str(tmp_path / "home"),
    }
    builds = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    ends = [(*build.communicate(timeout=120), build.returncode) for build in builds]
    assert [end[2] for end in ends] == [0, 0], ends
    assert {end[0].strip() for end in ends} == {str(tmp_path / "home" / "site" / "index.html")}


def test_a_book_being_built_elsewhere_is_left_alone(built: Built) -> None:
    impatient = Settings(home=built.home, lock_wait=0)
    program = (
        "import sys, pathlib; from nbtools import locks\n"
        "with locks.hold(pathlib.Path(sys.argv[1]), 'nbtools book'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    lock = built.home / "locks" / "book.lock"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="book is held by process"):
            book.build(impatient)
        other.communicate()
    with locks.hold(lock, "test"):
        pass


def test_an_empty_home_says_how_to_begin(project: Path, tmp_path: Path) -> None:
    empty = Built(Settings(home=tmp_path), project)
    empty.build()
    assert "No pages yet" in empty.text("index.html")
    assert "make book" in empty.text("index.html")
    assert "No notebook has run yet." in empty.text("status.html")
    add_run(tmp_path, "ab_test", "one", parameters={}, source=LOG, title="A study")
    empty.build()
    text = empty.text("index.html")
    assert "No feed report yet" in text
    assert "make report-feed DATE=yesterday" in text
    assert "drawn, not measured: feed.gender" in text
    assert "A study" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no run record"),
        ('{"notebook": "report_feed"}', "is no run record: run: Field required"),
        ("[]", "is no run record"),
    ],
)
def test_a_broken_record_is_named(tmp_path: Path, content: str, said: str) -> None:
    add_run(tmp_path, "report_feed", "2023-02-26")
    path = tmp_path / "runs" / "report_feed" / "2023-02-26.json"
    path.write_text(content)
    with pytest.raises(BookError, match=re.escape(f"{path} {said}")):
        records.read(tmp_path)


def test_a_record_in_the_wrong_place_is_named(tmp_path: Path) -> None:
    add_run(tmp_path, "report_feed", "2023-02-26")
    path = tmp_path / "runs" / "report_feed" / "2023-02-26.json"
    path.rename(path.with_name("2023-02-27.json"))
    with pytest.raises(BookError, match="is the record of report_feed/2023-02-26"):
        records.read(tmp_path)


def test_a_page_without_its_record_is_being_published_this_moment(tmp_path: Path) -> None:
    add_run(tmp_path, "report_feed", "2023-02-26")
    (tmp_path / "runs" / "report_feed" / "2023-02-26.json").unlink()
    assert records.read(tmp_path) == []


def test_a_notebook_without_a_heading_gets_one() -> None:
    page = runpages.run_page(
        NEW.new_notebook(cells=[NEW.new_markdown_cell("Text", id="text")]),
        record(title="T *x*", seconds=75),
        around=runpages.Around(),
        zone=Settings(home=PROJECT).zone,
    ).notebook
    assert page.cells[0].source == r"# T \*x\*"
    assert "1 min 15 s" in page.cells[1].source
    assert page.cells[2].source == "Text"
    assert page.metadata["orphan"] is True
