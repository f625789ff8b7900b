"""What every page of a book of real runs must hold, seen through a browser.

A page is drawn by Debian's chromium, driven by Playwright, and is served as a web server
would serve it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import axe_playwright_python
import nbformat
import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, Response, sync_playwright

from nbtools import book, preview, records, runner
from nbtools.settings import Settings
from tests import browser
from tests.conftest import copy_home

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
STUDY, REPORT, METHOD = "runs/ab_test/new_recommender", "runs/report_feed/", "methods/ab_test"
KINDS = ("index", "status", "search", "runs/report_feed", STUDY, REPORT, METHOD)
MODES = ("light", "dark")
LIMIT_KB = 300
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
PAPER = {"width": 718, "height": 1000}  # A4 at 96 dots an inch, less its margins
# What a box cuts off, and what reaches beyond the sheet.
CUT_OFF = """() => [...document.querySelectorAll("article *")].filter(found => {
  const box = found.getBoundingClientRect(), style = getComputedStyle(found);
  if (!box.width || !box.height || style.visibility === "hidden") return false;
  if (found.closest("math, svg, .visually-hidden, details:not([open])")) return false;
  const hidden = style.overflowX !== "visible" && found.scrollWidth > found.clientWidth + 1;
  return hidden || box.right > innerWidth + 1;
}).map(found => found.outerHTML.slice(0, 120))"""


class Served(NamedTuple):
    site: Path
    address: str
    browser: Browser
    report: str

    def names(self) -> list[str]:
        found = (path.relative_to(self.site).as_posix() for path in self.site.rglob("*.html"))
        return sorted(name.removesuffix(".html") for name in found)

    def name(self, kind: str) -> str:
        return self.report if kind == REPORT else kind

    @contextmanager
    def page(
        self, size: dict[str, int], mode: str = "light", *, scripts: bool = True
    ) -> Iterator[Page]:
        context = self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            java_script_enabled=scripts,
        )
        context.add_init_script(f"localStorage.mode = localStorage.theme = '{mode}'")
        try:
            yield context.new_page()
        finally:
            context.close()

    def go(self, page: Page, kind: str) -> Page:
        page.goto(f"{self.address}{self.name(kind)}.html")
        return page


@pytest.fixture(scope="module")
def served(loaded_home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a book of a report, a study and a failed run, and a browser to read it with."""
    browser.require()
    home = copy_home(loaded_home, tmp_path_factory.mktemp("gates") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBTOOLS_HOME", str(home.home))
        page = runner.run(home, "report_feed", "daily", {"date": "2023-02-26"}).page
        runner.run(home, "ab_test", "new_recommender", {})
        fail(home, page)
        site = book.build(home).parent
        with preview.serving(site, 0) as address, sync_playwright() as driver:
            opened = driver.chromium.launch(executable_path=browser.CHROMIUM, args=["--no-sandbox"])
            report = f"{REPORT}{page.stem}"
            yield Served(site.resolve(), address, opened, report)
            opened.close()


def fail(home: Settings, page: Path) -> None:
    """Leave what a failed run of a page leaves."""
    good = records.Record.model_validate_json(page.with_suffix(".json").read_bytes())
    failed = home.home / "failed" / page.parent.name / page.name
    failed.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(), failed)
    later = good.finished + timedelta(minutes=5)
    record = good.model_copy(
        update={"outcome": "failed", "error": "Cell 5: no data", "finished": later}
    )
    failed.with_suffix(".json").write_text(record.model_dump_json())


def test_every_link_of_every_page_leads_somewhere(served: Served) -> None:
    anchors: dict[str, set[str]] = {}
    links: dict[str, set[str]] = {}
    for name in served.names():
        text = (served.site / f"{name}.html").read_text("utf-8")
        page = BeautifulSoup(text, "html.parser")
        anchors[f"{name}.html"] = {str(tag["id"]) for tag in page.find_all(id=True)}
        links[f"{name}.html"] = {str(tag["href"]) for tag in page.find_all("a", href=True)}
    broken = []
    for name, addresses in links.items():
        for address in addresses:
            if urlsplit(address).scheme:
                continue
            path, anchor = urldefrag(unquote(urljoin(name, address)))
            there = (served.site / path).is_file()
            if not there or (anchor and path.endswith(".html") and anchor not in anchors[path]):
                broken.append(f"{name}: {address}")
    assert broken == []


def test_no_page_asks_the_network_or_for_what_is_not_there(served: Served) -> None:
    asked: list[str] = []
    with served.page(DESK) as page:
        page.context.on("request", lambda request: asked.append(request.url))
        lost: list[str] = []
        page.context.on("response", lambda answer: note_lost(answer, lost))
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        for name in served.names():
            page.goto(f"{served.address}{name}.html")
        for kind in KINDS:  # and what comes later than the page itself
            served.go(page, kind).wait_for_load_state("networkidle")
        outside = {address for address in asked if not address.startswith(served.address)}
        assert {
            address for address in outside if not address.startswith(("data:", "blob:"))
        } == set()
        assert lost == []
        assert faults == []
        page.set_content("<img src='http://127.0.0.1:9/x.png'>")
        assert asked[-1] == "http://127.0.0.1:9/x.png"  # or nothing would be seen here


def note_lost(answer: Response, lost: list[str]) -> None:
    if answer.status >= 400:
        lost.append(f"{answer.status} {answer.url}")


def test_no_page_scrolls_sideways_on_a_phone(served: Served) -> None:
    wide = []
    with served.page(PHONE) as page:
        for name in served.names():
            page.goto(f"{served.address}{name}.html")
            by = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if by:
                wide.append(f"{name} by {by}")
    assert wide == []


@pytest.mark.parametrize("mode", MODES)
def test_axe_has_no_serious_finding(served: Served, mode: str) -> None:
    found = []
    with served.page(DESK, mode) as page:
        for kind in KINDS:
            served.go(page, kind)
            assert page.evaluate("document.documentElement.dataset.theme") == mode
            page.add_script_tag(path=AXE)
            for violation in page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]:
                if violation["impact"] in {"serious", "critical"}:
                    where = [node["target"] for node in violation["nodes"][:3]]
                    found.append(f"{kind}: {violation['id']} {violation['help']} {where}")
        page.set_content("<img src='x.png'><p style='color:#aaa;background:#fff'>pale</p>")
        page.add_script_tag(path=AXE)
        control = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        assert {"image-alt", "color-contrast"} <= {violation["id"] for violation in control}
    assert found == []


@pytest.mark.parametrize("mode", MODES)
def test_paper_shows_everything_in_black_on_white(served: Served, mode: str) -> None:
    with served.page(PAPER, mode) as page:
        page.emulate_media(media="print")
        for kind in (*KINDS, "methods/poisson_bootstrap", "reference/demo"):
            if kind == "search":
                continue
            served.go(page, kind)
            assert page.evaluate(CUT_OFF) == [], kind
            for part in (".bd-sidebar-primary", ".bd-header-article", ".bd-footer-content"):
                assert not page.locator(part).first.is_visible(), (kind, part)
            colours = page.evaluate(
                "[...document.querySelectorAll('article :is(h1, h2, p, li, td, dd)')]"
                ".filter(found => found.offsetHeight)"
                ".map(found => getComputedStyle(found).color.match(/\\d+/g).map(Number))"
            )
            assert max(max(colour[:3]) for colour in colours) < 0xD0, kind
        assert page.pdf(format="A4")[:4] == b"%PDF"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("Likes per user", "reference/metrics.html"),
        ("feed_users", "reference/metrics.html"),
        ("2023-02-26", REPORT),
        ("2023-02", REPORT),
        ("Poisson bootstrap", "methods/poisson_bootstrap.html"),
        ("linearized", "methods/linearized_ctr.html"),
    ],
)
def test_search_finds_a_metric_a_date_and_a_method(served: Served, asked: str, wanted: str) -> None:
    with served.page(DESK) as page:
        page.goto(f"{served.address}search.html?q={asked}")
        page.locator("#search-results .search li a").first.wait_for()
        page.wait_for_function("!document.querySelector('#search-progress')?.textContent")
        hrefs = page.locator("#search-results .search li a").evaluate_all(
            "found => found.map(link => link.getAttribute('href'))"
        )
    target = f"{served.report}.html" if wanted == REPORT else wanted
    assert target in [href.partition("?")[0].partition("#")[0] for href in hrefs]


def test_a_date_that_no_page_has_is_not_found(served: Served) -> None:
    with served.page(DESK) as page:
        page.goto(f"{served.address}search.html?q=1999-12-31")
        page.locator("#search-results .search-summary").wait_for()
        page.get_by_text("did not match any documents").wait_for()


@pytest.mark.parametrize("kind", ["index", REPORT, METHOD])
def test_a_page_is_light(served: Served, kind: str) -> None:
    """Everything but pictures, as it lies on the disk: a plain file server does not compress."""
    sizes: dict[str, int] = {}
    with served.page(DESK) as page:
        page.on("response", lambda answer: note_size(answer, served.site, sizes))
        served.go(page, kind).wait_for_load_state("networkidle")
    assert {".html", ".css", ".js", ".woff"} <= {Path(name).suffix for name in sizes}
    assert sum(sizes.values()) < LIMIT_KB * 1000, sizes


def note_size(answer: Response, site: Path, sizes: dict[str, int]) -> None:
    name = unquote(urlsplit(answer.url).path).lstrip("/")
    # The preview's own question, each second, is no part of a page.
    if answer.request.resource_type != "image" and name != ".current":
        sizes[name] = (site / name).stat().st_size


def test_every_file_of_the_theme_is_loaded_by_some_page(served: Served) -> None:
    found = [path for path in (served.site / "_static").rglob("*") if path.is_file()]
    spare = {".map", ".ttf", ".po", ".mo", ".html"}
    assert [path for path in found if path.suffix in spare] == []
    assert {"fontawesome.js", "screenshot.png"}.isdisjoint(path.name for path in found)
    assert sum(path.stat().st_size for path in found) < 900_000


def test_icons_are_drawn_without_the_whole_font(served: Served) -> None:
    fonts: list[str] = []
    with served.page(DESK) as page:
        page.on("response", lambda answer: fonts.append(answer.url))
        served.go(page, "index")
        width = "document.querySelector('.primary-toggle span').getBoundingClientRect().width"
        assert page.evaluate(width) > 8
        page.wait_for_load_state("networkidle")
    assert [Path(url).name for url in fonts if "woff" in url] == ["icons.woff"]


def test_a_page_is_readable_without_scripts(served: Served) -> None:
    with served.page(PHONE, scripts=False) as page:
        served.go(page, "index")
        assert page.locator("article h1").first.is_visible()
        ground = page.locator("article .card-figure").first.evaluate(
            "found => getComputedStyle(found).backgroundColor"
        )
        assert ground == "rgb(245, 247, 249)"
        page.get_by_role("link", name="the metric reference").click()
        assert page.url == f"{served.address}reference/metrics.html"


def test_formulae_are_drawn_by_the_browser_alone(served: Served) -> None:
    with served.page(PHONE) as page:
        served.go(page, "methods/poisson_bootstrap")
        sizes = page.locator(".formula math").evaluate_all(
            "found => found.map(one => one.getBoundingClientRect().height)"
        )
        assert len(sizes) >= 5
        assert min(sizes) > 15
        assert "\\" not in page.locator("article").inner_text()
