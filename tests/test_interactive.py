"""Charts of pages: described, drawn as pictures, and brought to life by the real browser."""

import base64
import json
import shutil
import zlib
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from nbtools import book, chart_pages, cubes, interactive, messages, pictures, plots
from nbtools.cubes import Cube
from nbtools.errors import InputError
from nbtools.metrics import CATALOGUE, Metric
from nbtools.plots import Mark, Plot, Words
from nbtools.settings import Settings
from tests import browser
from tests.books import add_run, code, copy_project

NEW = nbformat.v4
DIMENSIONS = ("os", "source", "gender", "country")
SHOWN = ("feed_users", "app_users", "feed_only_users", "views", "likes", "ctr", "messages_per_user")
DAYS = pd.date_range("2023-01-02", "2023-02-19", name="day", unit="s")
ODD = 'Users\' <b>DAU</b> & "more" </script><!-- é'
PAGE = "runs/dashboard/2023-02-19.html"


def words(name: str, **changes: str) -> Words:
    given = {"title": f"The finding of {name}", "unit": "users a day", "alt": f"What {name} shows"}
    return Words(name, **(given | changes))


def daily(*keys: str) -> pd.DataFrame:
    rng = np.random.default_rng(len(keys))
    return pd.DataFrame({key: rng.integers(500, 2000, len(DAYS)) for key in keys}, index=DAYS)


def cohorts() -> pd.DataFrame:
    shares = pd.DataFrame(
        {
            str(age): [0.9**age / 2 if row + age < 6 else np.nan for row in range(6)]
            for age in range(6)
        }
    )
    return shares.set_axis([f"{2 + 7 * row} Jan" for row in range(6)])


def open_cells() -> pd.DataFrame:
    frame = cohorts()
    last = [[row + age == 5 for age in range(6)] for row in range(6)]
    return pd.DataFrame(last, frame.index, frame.columns)


MARKS = (Mark(date(2023, 1, 14), "ad campaign"), Mark(date(2023, 1, 23), "four cities lost"))
WEEKS = pd.date_range("2023-01-02", periods=7, freq="7D", unit="s")
PLOTS = (
    Plot("lines", daily("feed_users", "messenger_users"), words("dau", title=ODD, note=ODD),
         marks=MARKS, unfinished=True),
    Plot("areas", daily("feed_only_users", "both_users"), words("audience"), unfinished=True),
    Plot("bars", daily("new", "retained", "gone").iloc[:7].set_axis(WEEKS), words("movement"),
         below=("gone",), unfinished=True),
    Plot("ranks", daily("female", "male").iloc[:4].set_axis(["to 18", "18-25", "26-35", "over 35"]),
         words("ages", unit="users")),
    Plot("heat", cohorts(), words("retention", unit="share", across="weeks later"), style="share",
         unfinished=open_cells()),
    Plot("lines", cohorts().T.reset_index(drop=True).iloc[:, :2], style="share",
         words=words("curves", unit="share", across="weeks later")),
    Plot("lines", daily("views"), words("expected", unit="views a day"), bands={
        "expected": pd.DataFrame({"lower": 400, "upper": 2100}, index=DAYS)}),
)  # fmt: skip


def cells(days: pd.DatetimeIndex = DAYS) -> pd.DataFrame:
    """Return counts in which some cells are missing, and a day has none at all."""
    rng = np.random.default_rng(7)
    grid = pd.MultiIndex.from_product(
        [
            days.delete(10),
            ["Android", "iOS"],
            ["ads", "organic"],
            ["0", "1"],
            ["Russia", "Ukraine", "Cyprus", "unknown"],
        ],
        names=["day", *DIMENSIONS],
    )
    frame = grid.to_frame(index=False).sample(frac=0.7, random_state=1)
    feed = rng.integers(0, 900, len(frame))
    return frame.assign(
        feed_users=feed,
        messenger_users=feed // 7,
        both_users=feed // 20,
        views=feed * rng.integers(20, 45, len(frame)),
        likes=feed * rng.integers(3, 9, len(frame)),
        messages_sent=feed // 7 * 6,
    )


def cube(frame: pd.DataFrame | None = None) -> Cube:
    found = cells() if frame is None else frame
    return Cube(found, DIMENSIONS, [CATALOGUE[slug] for slug in SHOWN])


def by_hand(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics of a frame of cells by day, from their definitions in words."""
    sums = frame.groupby("day").sum(numeric_only=True).reindex(DAYS, fill_value=0)
    return pd.DataFrame(
        {
            "feed_users": sums["feed_users"],
            "app_users": sums["feed_users"] + sums["messenger_users"] - sums["both_users"],
            "feed_only_users": sums["feed_users"] - sums["both_users"],
            "views": sums["views"],
            "likes": sums["likes"],
            "ctr": sums["likes"] / sums["views"],
            "messages_per_user": sums["messages_sent"] / sums["messenger_users"],
        }
    )


def as_shown(frame: pd.DataFrame) -> list[list[str]]:
    return [
        [messages.value(CATALOGUE[str(slug)], x) for slug, x in row.items()]
        for _, row in frame.iterrows()
    ]


def outputs(chart: interactive.Chart) -> tuple[Any, ...]:
    return tuple(
        NEW.new_output("display_data", data, metadata=metadata)
        for data, metadata in chart.outputs()
    )


class Site(NamedTuple):
    root: Path

    def copy(self, folder: Path) -> Path:
        """Return the page with charts in a copy of the site, to change it."""
        shutil.copytree(self.root, folder / "site")
        return folder / "site" / PAGE


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a book of a page with charts and a page without; its written pages are empty."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    for page in (project / "book").rglob("*.md"):
        page.write_text(f"# {page.stem}\n", "utf-8")
    home = tmp_path_factory.mktemp("charts") / "home"
    charts = [interactive.show_cube(cube(), words("explore"), marks=MARKS, unfinished=True)]
    charts += [interactive.show(plot) for plot in PLOTS]
    shown = [
        code(f"chart-{k}", "interactive.show(plot)", "remove-input", outputs=outputs(chart))
        for k, chart in enumerate(charts)
    ]
    add_run(home, "dashboard", "2023-02-19", *shown)
    add_run(home, "report_feed", "2023-02-19")
    book.build(Settings(home=home), project=project)
    return Site((home / "site").resolve())


@pytest.fixture(scope="module")
def drawn(site: Site) -> BeautifulSoup:
    """Return the page with charts as it is after its scripts ran."""
    return dom(site.root / PAGE)


def dom(page: Path, fragment: str = "", *flags: str) -> BeautifulSoup:
    return BeautifulSoup(
        browser._run(*flags, "--dump-dom", page.as_uri() + fragment), "html.parser"
    )


def told(page: Path, script: str, fragment: str = "") -> Any:
    """Return what the body of an asynchronous function returns in a page once it is drawn."""
    copy = page.with_name(f"asked-{page.name}")
    asked = f"""<script>(async () => {{
      const pause = (time) => new Promise((done) => setTimeout(done, time));
      while (document.documentElement.dataset.charts !== "drawn") await pause(50);
      const said = await (async () => {{ {script} }})();
      document.body.dataset.told = JSON.stringify(said);
    }})();</script></body>"""
    copy.write_text(page.read_text("utf-8").replace("</body>", asked), "utf-8")
    body = dom(copy, fragment).body
    assert body is not None
    assert body.has_attr("data-told"), "the charts were not drawn"
    return json.loads(str(body["data-told"]))


def table(page: BeautifulSoup, name: str) -> tuple[list[str], list[list[str]]]:
    """Return head and cells of a chart's table, without its first column."""
    found = page.select_one(f"#{name} .chart-numbers table")
    assert found is not None
    head = [cell.get_text() for cell in found.select("thead th")][1:]
    rows = [[cell.get_text() for cell in row.select("td")] for row in found.select("tbody tr")]
    return head, rows


_WITHOUT_SCRIPTS = """<!doctype html><body>
<iframe sandbox="allow-same-origin" src="PAGE" width="1000" height="800"></iframe><script>
document.querySelector("iframe").addEventListener("load", (event) => {
  const page = event.target.contentDocument;
  const seen = (what) => [...page.querySelectorAll(what)].filter((at) => at.offsetHeight > 100);
  for (const details of page.querySelectorAll("details")) details.open = true;
  document.body.dataset.told = JSON.stringify({
    pictures: seen(".cell_output img[alt^='What ']").map((at) => at.alt),
    tables: seen(".chart-numbers table").length,
    live: page.querySelectorAll(".chart-live").length,
  });
});</script></body>"""


def test_every_chart_is_drawn_in_the_place_of_its_picture(drawn: BeautifulSoup) -> None:
    page = drawn
    assert [str(root["id"]) for root in page.select(".chart")] == [
        "explore", *[plot.words.name for plot in PLOTS],
    ]  # fmt: skip
    for root in page.select(".chart"):
        assert root.select_one(".chart-plot svg.main-svg"), root["id"]
        picture = root.find_parent(class_="cell_output").select_one("img")  # type: ignore[union-attr]
        assert picture is not None
        assert "chart-replaced" in picture["class"]
        assert str(picture["alt"]).startswith("What ")
    title = page.select_one("#dau .chart-title")
    assert title is not None
    assert title.get_text() == ODD
    names = {text.get_text() for text in page.select("#dau .annotation-text")}
    assert names == {"ad campaign", "four cities lost", "Feed", "Messenger"}


def test_nothing_comes_from_the_network_and_a_page_without_charts_loads_no_plotly(
    site: Site, drawn: BeautifulSoup
) -> None:
    assert browser.fetched(site.root / PAGE) == set()
    assert len(list(site.root.rglob("plotly*.js"))) == 1
    plain = dom(site.root / "runs" / "report_feed" / "2023-02-19.html")
    loaded = [
        [str(tag["src"]) for tag in page.select("script[src]") if "plotly" in str(tag["src"])]
        for page in (plain, drawn)
    ]
    assert [len(found) for found in loaded] == [0, 1]


def test_without_scripts_the_picture_and_the_numbers_are_there(site: Site, tmp_path: Path) -> None:
    page = site.copy(tmp_path)
    frame = page.with_name("frame.html")
    frame.write_text(_WITHOUT_SCRIPTS.replace("PAGE", page.name), "utf-8")
    body = dom(frame, "", "--allow-file-access-from-files").body
    assert body is not None
    said = json.loads(str(body["data-told"]))
    assert said == {
        "pictures": ["What explore shows", *[plot.words.alt for plot in PLOTS]],
        "tables": len(PLOTS) + 1,
        "live": 0,
    }
    written = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    head, rows = table(written, "explore")
    assert head == [CATALOGUE[slug].name for slug in SHOWN]
    # No cell is known of the day without one, so there is nothing to show.
    expected = as_shown(by_hand(cells()))
    expected[10] = [messages.MISSING] * len(SHOWN)
    assert rows == expected
    head, rows = table(written, "dau")
    assert head == ["Feed", "Messenger"]
    assert rows[0] == [messages.count(x) for x in PLOTS[0].frame.iloc[0]]


def test_a_picture_that_cannot_be_replaced_stays(site: Site, tmp_path: Path) -> None:
    page = site.copy(tmp_path)
    (page.parents[2] / chart_pages.LIBRARY).unlink()
    assert not dom(page).select(".chart-live, .chart-replaced")


def test_the_browser_sums_up_the_cells_that_are_chosen(site: Site, drawn: BeautifulSoup) -> None:
    frame = cells()
    page = dom(site.root / PAGE, "#explore.os=iOS&explore.gender=0&explore.country=unknown")
    chosen = frame[
        (frame["os"] == "iOS") & (frame["gender"] == "0") & (frame["country"] == "unknown")
    ]
    head, rows = table(page, "explore")
    assert head == [CATALOGUE[slug].name for slug in SHOWN]
    assert rows == as_shown(by_hand(chosen))
    title = page.select_one("#explore .chart-title")
    value = messages.value(CATALOGUE["feed_users"], by_hand(chosen)["feed_users"].iloc[-2])
    assert title is not None
    assert title.get_text() == f"Feed DAU, iOS, Female, Unknown: {value} on Sat 18 Feb 2023"
    assert table(drawn, "explore")[1] == as_shown(by_hand(frame))


def test_the_browser_compares_the_values_of_a_dimension(site: Site) -> None:
    frame = cells()
    page = dom(site.root / PAGE, "#explore.metric=ctr&explore.by=country&explore.source=ads")
    head, rows = table(page, "explore")
    order = frame.groupby("country")["feed_users"].sum().sort_values(ascending=False).index
    names = [name for name in order if name != "unknown"] + ["unknown"]
    assert head == [*names[:-1], "Unknown"]
    ads = frame[frame["source"] == "ads"]
    expected = pd.concat([by_hand(ads[ads["country"] == name])["ctr"] for name in names], axis=1)
    assert rows == [
        [messages.value(CATALOGUE["ctr"], x) for x in row] for row in expected.to_numpy()
    ]
    assert len(page.select("#explore .chart-chips button")) == 4


def test_what_is_chosen_stands_in_the_address(site: Site, tmp_path: Path) -> None:
    said = told(
        site.copy(tmp_path),
        """
        const button = (where, text) => [...document.querySelectorAll(`${where} button`)]
          .find((one) => one.textContent === text);
        const lines = () => document.querySelectorAll("#dau .scatterlayer .js-line").length;
        const before = lines();
        button("#dau", "Feed").click();
        button("#dau", "28 d").click();
        await pause(100);
        const select = document.querySelector("#explore select[data-key=os]");
        select.value = "iOS";
        select.dispatchEvent(new Event("change"));
        await pause(100);
        const plot = document.querySelector("#dau .chart-plot");
        plot.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft"}));
        const {range} = plot.layout.xaxis;
        return {
          before, after: lines(), hash: location.hash, range, from: plot.layout.yaxis.range[0],
          pressed: button("#dau", "Feed").getAttribute("aria-pressed"),
          told: document.querySelector("#dau .chart-told").textContent,
        };
        """,
    )
    last = messages.count(PLOTS[0].frame["messenger_users"].iloc[-1])
    assert said == {
        "before": 4,
        "after": 2,
        "hash": "#dau.hide=feed_users&dau.days=28&explore.os=iOS",
        "range": ["2023-01-22 12:00", "2023-02-19 12:00"],
        "from": 0,
        "pressed": "false",
        "told": f"Sun 19 Feb 2023: Messenger {last}",
    }


def test_an_address_brings_back_what_was_chosen(site: Site, tmp_path: Path) -> None:
    said = told(
        site.copy(tmp_path),
        """
        const chart = document.querySelector("#dau");
        return [chart.querySelectorAll(".js-line").length,
          chart.querySelector("[data-days='7']").getAttribute("aria-pressed"),
          chart.querySelector("[data-key=feed_users]").getAttribute("aria-pressed"),
          document.querySelector("#explore select[data-key=metric]").value,
          scrollY > 0];
        """,
        "#explore.metric=no_such&dau.hide=feed_users,nobody&dau.days=7",
    )
    assert said == [2, "true", "false", "feed_users", True]


_CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (text) => parse(text).slice(0, 3)
  .map((x) => x / 255).map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
  .reduce((sum, x, k) => sum + x * [0.2126, 0.7152, 0.0722][k], 0);
const ground = (at) => {
  const own = at ? getComputedStyle(at).backgroundColor : "rgb(255,255,255)";
  return parse(own)[3] === 0 ? ground(at.parentElement) : own;
};
const found = [];
for (const chart of document.querySelectorAll(".chart")) {
  for (const at of chart.querySelectorAll(
      ".chart-live p:not(:empty), .chart-live button, .chart-live select, summary, li," +
      ".chart-live label span, .xtick text, .ytick text, .annotation-text, .xtitle")) {
    const style = getComputedStyle(at);
    const svg = at.namespaceURI.endsWith("svg");
    const both = [light(svg ? style.fill : style.color), light(ground(svg ? chart : at))];
    const [low, high] = both.sort((a, b) => a - b);
    found.push([Math.round((high + 0.05) / (low + 0.05) * 10) / 10, chart.id, at.textContent]);
  }
}
const shift = document.querySelector("html").dataset.theme;
return [shift, found.length, found.sort((a, b) => a[0] - b[0])[0]];
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_in_both_themes(site: Site, tmp_path: Path, theme: str) -> None:
    page = site.copy(tmp_path)
    # Switched after the charts are drawn, as the book's own button does.
    script = f"document.documentElement.dataset.theme = '{theme}'; await pause(300); {_CONTRAST}"
    shown, texts, (worst, chart, text) = told(page, script)
    assert shown == theme
    assert texts > 100
    assert worst >= 4.5, f"{chart}: {text}"


def test_charts_fit_a_phone(site: Site, tmp_path: Path) -> None:
    root = "document.documentElement"
    drawn = "document.querySelectorAll('.chart .main-svg').length"
    wide = "[...document.querySelectorAll('.chart-live')].map((at) => at.scrollWidth)"
    inside = f"Math.max(...{wide}) <= 390 ? {root}.scrollWidth - {root}.clientWidth : 999"
    assert browser.measured(site.copy(tmp_path), f"{drawn} ? {inside} : -1") == 0


def test_a_page_stays_light() -> None:
    years = pd.date_range("2020-01-01", periods=1100, name="day", unit="s")
    chart = interactive.show_cube(cube(cells(years)), words("explore"))
    data = chart.content.partition("</script>")[0]
    assert len(data) < 500_000


def test_a_chart_that_is_too_heavy_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactive, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match=r"Chart dau has \d+ bytes of numbers, a page takes 1000"):
        interactive.show(PLOTS[0])


def test_a_cube_is_unpacked_to_the_same_counts() -> None:
    frame = cells()
    packed = cubes.encode(cube(frame))
    places, *counts = json.loads(zlib.decompress(base64.b64decode(packed["data"])))
    sizes = [packed["days"], *[len(one["values"]) for one in packed["dimensions"]]]
    at = np.unravel_index(np.cumsum(places), sizes)
    found = pd.DataFrame(dict(zip(packed["columns"], counts, strict=True)))
    found["day"] = pd.Timestamp(packed["first"]) + pd.to_timedelta(at[0], unit="D")
    for dimension, codes in zip(packed["dimensions"], at[1:], strict=True):
        found[dimension["key"]] = [dimension["values"][code]["key"] for code in codes]
    keys = ["day", *DIMENSIONS]
    expected = frame.groupby(keys)[packed["columns"]].sum()
    pd.testing.assert_frame_equal(
        found.groupby(keys)[packed["columns"]].sum(), expected, check_index_type=False
    )


def test_totals_of_a_cube_are_the_metrics_of_all_its_cells() -> None:
    expected = by_hand(cells()).astype(float)
    expected.iloc[10] = np.nan
    pd.testing.assert_frame_equal(cubes.totals(cube()), expected, check_freq=False)


def test_every_metric_of_the_catalogue_can_be_in_a_cube() -> None:
    for item in CATALOGUE.values():
        parts = cubes.quotient(item)
        assert parts.above
        assert bool(parts.below) == ("/" in item.sql)


@pytest.mark.parametrize("sql", ["max(views)", "sum(views) / sum(likes)", "sum(views) * 2", ""])
def test_what_does_not_add_up_is_no_metric_of_a_cube(sql: str) -> None:
    item = Metric("odd", "Odd", "users", "Odd.", "up", sql)
    with pytest.raises(InputError, match=r"Metric odd is .*; a cube needs sums of columns"):
        cubes.quotient(item)


def test_small_values_of_a_dimension_become_one() -> None:
    frame = cells()
    folded = cubes.fold(frame, "country", "feed_users", keep=2)
    largest = frame.groupby("country")["feed_users"].sum().nlargest(2).index
    assert set(folded["country"]) == {*largest, "other"}
    assert folded["views"].sum() == frame["views"].sum()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"views": -1}, "negative or not whole"),
        ({"views": 0.5}, "negative or not whole"),
        ({"views": np.nan}, "negative or not whole"),
    ],
)
def test_counts_that_are_none_are_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cubes.encode(cube(cells().assign(**change)))


def test_a_cube_without_a_column_names_it() -> None:
    with pytest.raises(InputError, match="no column gender, likes"):
        cubes.encode(cube(cells().drop(columns=["gender", "likes"])))


@pytest.mark.parametrize(
    ("plot", "said"),
    [
        (PLOTS[0]._replace(words=words("No Name")), "is no name of a chart"),
        (PLOTS[0]._replace(frame=daily("a").iloc[:0]), "has no numbers"),
        (PLOTS[0]._replace(frame=daily("a") * np.nan), "has no numbers"),
        (PLOTS[0]._replace(kind="heat"), "index must be categories"),
        (PLOTS[3]._replace(kind="lines"), "index must be times or numbers"),
        (PLOTS[5]._replace(marks=MARKS), "mark at 2023-01-14, but no axis of time"),
    ],
)
def test_a_chart_that_cannot_be_drawn_says_why(plot: Plot, said: str) -> None:
    with pytest.raises(InputError, match=said):
        interactive.show(plot)


def test_the_same_plot_is_the_same_chart() -> None:
    assert interactive.show(PLOTS[2]) == interactive.show(PLOTS[2])


def test_the_last_period_that_is_not_over_is_dashed_and_hollow() -> None:
    figure = pictures.draw(PLOTS[0])
    whole, dashed, end = figure.axes[0].get_lines()[:3]
    frame = PLOTS[0].frame["feed_users"]
    np.testing.assert_array_equal(whole.get_ydata(), frame.iloc[:-1])
    np.testing.assert_array_equal(dashed.get_ydata(), frame.iloc[-2:])
    assert dashed.get_linestyle() == "--"
    assert end.get_markerfacecolor() == "#ffffff"
    plt.close(figure)


def test_a_line_that_ended_before_the_others_is_open_at_its_own_end() -> None:
    frame = daily("views", "week_before").astype(float)
    frame.loc[DAYS[-5:], "views"] = np.nan
    figure = pictures.draw(PLOTS[0]._replace(frame=frame, unfinished=("views",), marks=()))
    lines = figure.axes[0].get_lines()
    assert len(lines) == 4
    np.testing.assert_array_equal(lines[1].get_ydata(), frame["views"].iloc[-7:-5])
    plt.close(figure)


def test_gone_users_are_below_the_axis() -> None:
    figure = pictures.draw(PLOTS[2])
    low, high = figure.axes[0].get_ylim()
    frame = PLOTS[2].frame
    assert low <= -frame["gone"].max()
    assert high >= (frame["new"] + frame["retained"]).max()
    plt.close(figure)


def test_known_things_keep_their_colour_and_others_get_different_ones() -> None:
    found = plots.looks(["ads", "Mars", "Venus", "organic", "ctr"])
    assert found["ads"] == plots.LOOKS["ads"]
    assert found["ctr"].name == "CTR"
    assert len({look.colour for look in found.values()}) == 5


def test_every_colour_can_be_read_as_text_on_both_grounds() -> None:
    for look in plots.LOOKS.values():
        for ground, colours in zip(
            (plots.LIGHT, plots.DARK), plots.themed(look.colour).values(), strict=True
        ):
            assert plots.contrast(colours[1], ground) >= 4.5


def test_an_alternative_text_reaches_the_picture_of_its_cell_alone() -> None:
    chart = interactive.show(PLOTS[1])
    page = NEW.new_notebook(
        cells=[code("a", "x", outputs=outputs(chart)), code("b", "y"), NEW.new_markdown_cell("z")]
    )
    chart_pages.describe(page)
    assert page.cells[0].metadata["mystnb"] == {"image": {"alt": "What audience shows"}}
    assert "mystnb" not in page.cells[1].metadata
