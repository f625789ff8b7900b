"""What the site need not carry: rules that no page uses, files that no page loads."""

import re
from pathlib import Path

import pytest

from nbtools import site, styles, weight
from nbtools.settings import Settings
from tests.books import NEW, Built, add_run, code, copy_project, output

SHEET = """@charset "UTF-8";
/*! Licence */
/* a remark */
:root, [data-theme=dark] { --used: 1px; --dead: 2px; --by-script: ; }
p, .gone > p { margin : 0  auto }
.page.gone, #lost { color: red }
.page:not(.gone), .x:is(.gone, p) { color: var(--used, #fff) }
.tip-top::before { content: ".gone{}" }
.modal .page { top: 0 }
@media print { .gone { top: 0 } .page { top: 1px } }
@media (width < 9px) { .gone { top: 0 } }
@font-face { font-family: F; src: url(f.woff2) }
@keyframes gone { to { opacity: 0 } }
.only-dead { --dead: 3px }
"""
SLIM = (
    '@charset "UTF-8";/*! Licence */:root,[data-theme=dark]{--used: 1px;--by-script: }'
    "p{margin : 0 auto}"
    ".page:not(.gone),.x:is(.gone, p){color: var(--used, #fff)}"
    '.tip-top::before{content: ".gone{}"}'
    "@media print {.page{top: 1px}}"
    "@font-face { font-family: F; src: url(f.woff2) }"
    "@keyframes gone { to { opacity: 0 } }"
)
PAGE = '<link href="{up}_static/a.css?v=old"><p class="page {extra}">{extra}</p>'


def test_a_rule_stays_when_a_page_could_have_what_it_asks_for() -> None:
    words = styles.page_words("<p class='page x only-dead' id=one>gone</p>")
    words |= styles.script_words("`tip-${side}`; set('--by-script'); show('modal')", {"modal"})
    known = styles.names(SHEET)
    words |= styles.script_words("`tip-${side}`; set('--by-script'); show('modal')", known)
    assert styles.slim({"a": SHEET}, words) == {"a": SLIM}
    assert styles.slim({"a": SLIM}, words) == {"a": SLIM}


def test_a_property_of_one_sheet_may_be_used_in_another() -> None:
    made = styles.slim({"a": "p{--one: 1px}", "b": "p{top: var(--one)}"}, set())
    assert made == {"a": "p{--one: 1px}", "b": "p{top: var(--one)}"}


@pytest.fixture
def html(tmp_path: Path) -> Path:
    """Return built pages, of which none has the class ``late`` yet."""
    folder = tmp_path / "_build" / "html"
    files = {
        "_static/a.css": '@import "b.css";.page{src: url(i.png)}.late{top: 1px}.never{top: 2px}',
        "_static/b.css": ".never{top: 1px}/* x */p{src: url(f.woff2), url(f.ttf)}",
        "_static/own.css": ".never { top: 3px }",
        "_static/go.js": "load('more.js')//# sourceMappingURL=go.js.map",
        "index.html": PAGE.format(up="", extra="") + '<script src="_static/go.js"></script>',
        "in/one.html": PAGE.format(up="../", extra="") + '<link href="../_static/own.css">',
    }
    unused = ("go.js.map", "f.ttf", "screenshot.png", "locales/x.po", "spare.css")
    for name in ("more.js", "i.png", "f.woff2", *unused):
        files[f"_static/{name}"] = ""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "extras" / "vendor").mkdir(parents=True)
    (tmp_path / "extras" / "vendor" / "charts.js").write_text("")
    return folder


def publish(html: Path) -> Path:
    home = html.parent.parent
    seen = site.check(html, home / "pages.json")
    light = weight.lighten(html, home / "extras", {"_static/own.css"}, seen)
    site.remember(html, home / "pages.json", seen, light.changed)
    parts = (html, home / "extras", light.folder)
    site.publish(parts, home / "site", home / "published", left=light.left)
    return (home / "site").resolve()


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def address(page: Path) -> str:
    found = re.search(r"a\.css\?v=(\w{8})\"", page.read_text())
    assert found is not None
    return found[1]


def test_what_no_page_loads_is_not_published(html: Path) -> None:
    loaded = {"a.css", "b.css", "own.css", "go.js", "more.js", "i.png", "f.woff2"}
    place = publish(html)
    assert names(place) == {"index.html", "in/one.html"} | {f"_static/{name}" for name in loaded}
    assert (html / "_static" / "go.js.map").exists()  # or Sphinx would copy it again
    token = address(place / "index.html")
    sheet = f'@import "b.css?v={token}";.page{{src: url(i.png)}}'
    assert (place / "_static" / "a.css").read_text() == sheet
    assert (place / "_static" / "own.css").read_text() == ".never { top: 3px }"


def test_sheets_get_a_new_address_on_all_pages_when_they_grow(html: Path) -> None:
    first = publish(html)
    token = address(first / "in" / "one.html")
    second = publish(html)
    for name in names(first):
        assert (first / name).stat().st_ino == (second / name).stat().st_ino, name
    (html / "new.html").write_text(PAGE.format(up="", extra="known"))
    assert address(publish(html) / "new.html") == token
    (html / "new.html").write_text(PAGE.format(up="", extra="late"))
    third = publish(html)
    assert ".late{top: 1px}" in (third / "_static" / "a.css").read_text()
    grown = {address(third / name) for name in ("index.html", "in/one.html", "new.html")}
    assert len(grown) == 1
    assert token not in grown
    (html / "new.html").unlink()  # its rules stay until the book is built from nothing
    assert address(publish(html) / "index.html") in grown


def test_pages_that_did_not_change_are_not_read_again(html: Path) -> None:
    publish(html)
    memory = html.parent.parent / "pages.json"
    assert site.check(html, memory).fresh == set()
    assert site.check(html, memory).words == {"page"}
    (html / "index.html").write_text(PAGE.format(up="", extra="late"))
    assert site.check(html, memory).fresh == {"index.html"}
    memory.write_text("[]")
    assert site.check(html, memory).fresh == {"index.html", "in/one.html"}


def test_a_page_with_tabs_brings_their_rules_and_script(tmp_path: Path) -> None:
    home = tmp_path / "home"
    add_run(home, "report_feed", "2023-02-25")
    built = Built(Settings(home=home), copy_project(tmp_path / "project"))
    built.build()
    sheet = home / "site" / "_static" / "sphinx-design.min.css"
    theme = home / "site" / "_static" / "styles" / "pydata-sphinx-theme.css"
    script = home / "site" / "_static" / "design-tabs.js"
    before = built.page("index.html").find("link", href=re.compile("sphinx-design"))
    assert ".sd-tab-set{" not in sheet.read_text()
    assert not script.exists()
    assert not (home / "site" / "vendor").exists()  # no page has a chart
    tabs = NEW.new_markdown_cell("````{tab-set}\n```{tab-item} One\nText\n```\n````", id="tabs")
    markup = output("text/html", '<div class="fa-ghost alert-warning">x</div>')
    add_run(home, "report_feed", "2023-02-26", tabs, code("x", "show()", outputs=(markup,)))
    built.build()
    assert ".sd-tab-set{" in sheet.read_text()
    assert re.search(r"\.fa-ghost:?:before|\.fa-ghost\b", theme.read_text())
    assert ".alert-warning{" in theme.read_text()
    page = built.page("runs/report_feed/2023-02-26.html")
    assert page.find("script", src=re.compile("design-tabs"))
    assert script.exists()
    after = built.page("index.html").find("link", href=re.compile("sphinx-design"))
    assert before is not None
    assert after is not None
    assert before["href"] != after["href"]
