"""A complete book from real logs, in a home of its own, by the documented commands."""

import csv
import io
import json
import re
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nbtools import messages
from nbtools.metrics import CATALOGUE
from nbtools.settings import PROJECT
from tests.test_pipeline import make

SHIFT = timedelta(weeks=351)


@pytest.fixture(scope="module")
def state(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a book made from the logs."""
    home = tmp_path_factory.mktemp("logs")
    mapping = PROJECT / "parameters" / "mappings" / "deskdrop_collegemsg.yml"
    for words in (["load", f"MAPPING={mapping}", f"DATA={realdata}"], ["book"]):
        done = make(home, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    return home / "state"


@pytest.fixture(scope="module")
def counted(realdata: Path) -> dict[str, Counter[str]]:
    """Return views and likes by day, counted from the log by the csv module."""
    found: dict[str, Counter[str]] = {"VIEW": Counter(), "LIKE": Counter()}
    with zipfile.ZipFile(realdata / "deskdrop" / "users_interactions.csv.zip") as archive:
        (name,) = (item for item in archive.namelist() if item.endswith(".csv"))
        with archive.open(name) as raw:
            for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8")):
                moment = datetime.fromtimestamp(int(row["timestamp"]), UTC) + SHIFT
                day = moment.astimezone(ZoneInfo("Europe/Moscow")).date().isoformat()
                if row["eventType"] in found:
                    found[row["eventType"]][day] += 1
    return found


def test_the_report_of_the_last_day_is_that_of_the_log(
    state: Path, counted: dict[str, Counter[str]]
) -> None:
    (path,) = (state / "runs" / "report_feed").glob("*.json")
    figures = json.loads(path.read_text())["figures"]
    assert figures["views"] == counted["VIEW"][path.stem]
    assert figures["likes"] == counted["LIKE"][path.stem]


def test_the_book_says_which_columns_are_drawn(state: Path) -> None:
    page = (state / "site" / "index.html").read_text("utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "gender" in text
    assert "drawn, not measured" in text


def test_the_book_is_complete(state: Path) -> None:
    site = state / "site"
    for page in ("index", "about", "reference/metrics", "methods/etl_daily", "methods/report_feed"):
        assert (site / f"{page}.html").is_file(), page
    for notebook in ("etl_daily", "report_feed"):
        (page_path,) = (site / "runs" / notebook).glob("*.html")
        assert "Traceback" not in page_path.read_text("utf-8")
    assert messages.MISSING
    assert CATALOGUE
