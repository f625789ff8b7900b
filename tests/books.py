"""Homes with run records and small executed notebooks, and the books built from them."""

import base64
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import nbformat
from bs4 import BeautifulSoup

from nbtools import assembly, book, records
from nbtools.pages import Contents
from nbtools.settings import PROJECT, Settings

LAST = date(2023, 2, 26)
DEMO = {
    "kind": "demo",
    "title": "Twelve weeks of a made-up app.",
    "today": "2023-02-27",
    "seed": 20221205,
    "scale": 0.05,
}
LOG = {
    "kind": "log",
    "title": "Music listening, 2023.",
    "today": "2023-02-28",
    "synthetic_columns": ["feed.gender", "feed.exp_group"],
}
FIGURES = {
    "feed_users": 19234,
    "feed_users.change_1d": 0.0123,
    "feed_users.change_7d": -0.031,
    "views": 1234567,
    "views.change_1d": 0.0,
    "views.change_7d": None,
    "feed_only_users": 800,
    "feed_only_users.change_1d": 0.5,
    "feed_only_users.change_7d": -0.5,
    "ctr": 0.20474,
    "ctr.change_1d": -0.004,
    "ctr.change_7d": 0.002,
}
ODD = (
    "<script>alert(1)</script> | *b* _c_ `d` {{ e }} {f}`g` $h$ [i](j) <!-- k -->"
    " \\ # &amp; 'l' \"m\" https://example.org"
)
NEW = nbformat.v4


@cache
def picture(seed: int) -> str:
    figure, axis = plt.subplots(figsize=(6, 2.5))
    axis.plot([seed, 2, 3 + seed], marker="o")
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    plt.close(figure)
    return base64.b64encode(content.getvalue()).decode()


def table() -> str:
    head = "".join(f"<th>Against day {number} (2023-02-2{number})</th>" for number in range(8))
    rows = "".join(f"<tr><th>Row {row}</th>{'<td>1 234 567</td>' * 8}</tr>" for row in range(4))
    return (
        '<table border="1" class="dataframe">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def code(name: str, source: str, *tags: str, outputs: tuple[Any, ...] = ()) -> Any:
    return NEW.new_code_cell(
        source, id=name, outputs=list(outputs), execution_count=1, metadata={"tags": list(tags)}
    )


def output(kind: str, content: str) -> Any:
    return NEW.new_output("display_data", {kind: content, "text/plain": "shown"})


def notebook(title: str, seed: int, *cells: Any) -> Any:
    noise = NEW.new_output("stream", name="stderr", text="/home/someone: a warning\n")
    frame, image = output("text/html", table()), output("image/png", picture(seed))
    return NEW.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        cells=[
            NEW.new_markdown_cell(f"# {title}\n\n**Question.** How was the day?", id="intro"),
            code("parameters", 'title = "default"', "parameters"),
            code("given", 'title = "given"', "injected-parameters"),
            NEW.new_markdown_cell("## Result", id="result"),
            code("table", "reports.table(day)", "hide-input", outputs=(noise, frame)),
            code("chart", "charts.recent(day)", "hide-input", outputs=(image,)),
            NEW.new_markdown_cell("## How to read this\n\nWith care.", id="read"),
            *cells,
        ],
    )


def add_run(home: Path, name: str, run: str, *cells: Any, **changes: Any) -> None:
    """Write a page and its record as the runner does."""
    ended = datetime(2023, 2, 27, 3, 5, tzinfo=UTC)
    record: dict[str, Any] = {
        "notebook": name,
        "run": run,
        "title": f"Feed report, {run}",
        "outcome": "ok",
        "error": "",
        "parameters": {"title": "Feed report", "date": run, "days": 7},
        "figures": FIGURES,
        "started": (ended - timedelta(seconds=4)).isoformat(),
        "finished": ended.isoformat(),
        "seconds": 3.94,
        "engine_seconds": 0.412,
        "rows_read": 1234567,
        "statements": 3,
        "code_version": "0.1.0+abc1234",
        "source": DEMO,
        "fingerprint": "f",
        "command": f"nbtools run {name} daily --set date={run}",
    } | changes
    good = record["outcome"] == "ok"
    path = home / ("runs" if good else "failed") / name / f"{run}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    page = notebook(record["title"], sum(map(ord, name + run)), *cells)
    nbformat.write(page, path.with_suffix(".ipynb"))
    path.write_text(json.dumps(record), "utf-8")


def record(**changes: Any) -> records.Record:
    moment = datetime(2023, 2, 27, tzinfo=UTC)
    values = {"notebook": "n", "run": "r", "title": "t", "outcome": "ok", "seconds": 1.0}
    return records.Record.model_validate(
        {**values, "started": moment, "finished": moment, **changes}
    )


def days(count: int) -> list[str]:
    return [(LAST - timedelta(back)).isoformat() for back in range(count)]


class Built(NamedTuple):
    settings: Settings
    project: Path

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def html(self) -> Path:
        return self.home / "build" / "_build" / "html"

    def build(self) -> Path:
        return book.build(self.settings, project=self.project)

    def page(self, name: str) -> BeautifulSoup:
        return BeautifulSoup((self.home / "site" / name).read_text("utf-8"), "html.parser")

    def text(self, name: str) -> str:
        article = self.page(name).find("article")
        assert article is not None
        return " ".join(article.get_text(" ").split())


def numbers(text: str) -> str:
    return text.replace("\u202f", " ")


def long_home(home: Path) -> None:
    """Fill a home: 64 reports, the newest failed, thinned ETL pages, studies, a check."""
    for place, day in enumerate(days(65)[1:]):
        parameters = {"title": "Feed report", "date": day, "days": 7 if place < 40 else 14}
        figures = FIGURES | {"feed_users": 20000 - 10 * place, "ctr": 0.2 + place / 10000}
        add_run(home, "report_feed", day, parameters=parameters, figures=figures)
    late = "2023-02-28T05:05:00+00:00"
    broken = nbformat.v4.new_output(
        "error", ename="KeyError", evalue="'views'", traceback=["KeyError: 'views'"]
    )
    failing = code("broken", "table['views']", "hide-input", outputs=(broken,))
    add_run(
        home, "report_feed", days(1)[0], failing, outcome="failed", error="KeyError: 'views'",
        figures={}, finished=late,
    )  # fmt: skip
    for day in days(5):
        loaded = {"rows": 75, "warnings": 0}
        add_run(home, "etl_daily", day, title=f"Daily ETL, {day}", figures=loaded,
                parameters={"title": "Daily ETL", "date": day})  # fmt: skip
    for day in days(5)[3:]:
        (home / "runs" / "etl_daily" / f"{day}.ipynb").unlink()
    window = {"start_date": "2023-01-01", "end_date": "2023-01-07"}
    add_run(home, "ab_test", "algorithm", title="AB test: the algorithm",
            parameters={"title": "AB test: the algorithm", **window},
            figures={"verdict": "ship", "p_value": 0.001})  # fmt: skip
    add_run(home, "alerts", "live", title="Alerts", parameters={"title": "Alerts"},
            figures={"status": "well"})  # fmt: skip


def copy_project(folder: Path) -> Path:
    """Return a copy of what the book is written from, to break and mend."""
    for name in ("book", "notebooks"):
        shutil.copytree(PROJECT / name, folder / name)
    return folder


def assemble(home: Path, project: Path, moment: datetime) -> Path:
    """Put the sources of a book together and return their folder."""
    settings, work = Settings(home=home), home / "build"
    assembly.assemble(settings, project, work, moment, assembly.thin(settings, project))
    return work


def collect(home: Path, moment: datetime, project: Path = PROJECT) -> Contents:
    """Return what the book knows of a home."""
    settings = Settings(home=home)
    return assembly.collect(settings, project, moment, assembly.thin(settings, project))
