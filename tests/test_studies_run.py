"""The notebooks about experiments through the command line: page, record, figures, message."""

import json
import re
from datetime import date
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result
from scipy import stats

from nbtools import jobs, runner
from nbtools.__main__ import main
from nbtools.settings import Settings
from tests.demo_events import rows

METHODS = (
    "welch_ctr",
    "mann_whitney",
    "delta_ratio",
    "linearized_likes",
    "smoothed_ctr",
    "buckets_t",
    "buckets_rank",
    "poisson_bootstrap",
    "cuped",
)
PARTS = ("estimate", "lower", "upper", "p_value")


def nbtools(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), catch_exceptions=False)


def figures(settings: Settings, notebook: str, run: str) -> dict[str, float | str]:
    text = runner.record_path(settings.home, notebook, run).read_text("utf-8")
    found: dict[str, float | str] = json.loads(text)["figures"]
    return found


def contents(home: Path) -> dict[str, bytes]:
    """Return every page, record and message of a home."""
    places = (home / name for name in ("runs", "outbox", "failed"))
    files = (path for place in places for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def message(settings: Settings) -> str:
    """Return the text of the only message, which has pictures."""
    (folder,) = (settings.home / "outbox").glob("*")
    assert len(list(folder.glob("*.png"))) >= 2
    return "\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.txt")))


def page(settings: Settings, notebook: str, run: str) -> str:
    """Return what a page shows as text; it has no traceback and no number that is none."""
    found = nbformat.read(settings.home / "runs" / notebook / f"{run}.ipynb", as_version=4)
    cells = [cell for cell in found.cells if cell.cell_type == "code"]
    shown = [
        output.data.get("text/html", "")
        for cell in cells
        for output in cell.outputs
        if output.output_type in ("display_data", "execute_result")
    ]
    assert not any(output.output_type in ("error", "stream") for c in cells for output in c.outputs)
    text = "\n".join([found.cells[0].source, *shown])
    assert re.search(r"\b(nan|inf)\b", text) is None
    return text


def oracle(
    settings: Settings, control: int, treatment: int, first: date, last: date
) -> dict[str, float]:
    """Return scipy's figures on a frame with a row a user."""
    users = rows(
        settings,
        "SELECT any(exp_group) AS exp_group, countIf(action = 'view') AS views,"
        " countIf(action = 'like') AS likes FROM app.feed_actions"
        f" WHERE toDate(time, 'Europe/Moscow') BETWEEN '{first}' AND '{last}'"
        " GROUP BY user_id HAVING views > 0",
    )
    users["ctr"] = users["likes"] / users["views"]
    base, treated = (users[users["exp_group"] == group] for group in (control, treatment))
    k = base["likes"].sum() / base["views"].sum()
    linear = [group["likes"] - k * group["views"] for group in (treated, base)]
    tests = {
        "welch_ctr": stats.ttest_ind(treated["ctr"], base["ctr"], equal_var=False),
        "linearized_likes": stats.ttest_ind(*linear, equal_var=False),
    }
    found = {"mann_whitney.p_value": stats.mannwhitneyu(treated["ctr"], base["ctr"]).pvalue}
    for name, test in tests.items():
        ends = test.confidence_interval()
        found |= {f"{name}.p_value": test.pvalue}
        found |= {f"{name}.lower": ends.low, f"{name}.upper": ends.high}
    return found


@pytest.fixture
def clean(demo_copy: Settings) -> Settings:
    assert not contents(demo_copy.home)
    return demo_copy


def test_an_ab_test_has_scipys_figures_a_page_and_a_message(clean: Settings) -> None:
    done = nbtools("ab-test")
    assert done.exit_code == 0, done.output
    found = figures(clean, "ab_test", "new_recommender")
    assert {"verdict", *(f"{name}.{part}" for name in METHODS for part in PARTS)} <= set(found)
    expected = oracle(clean, 1, 2, date(2023, 1, 1), date(2023, 1, 7))
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    shown = page(clean, "ab_test", "new_recommender")
    assert shown.startswith("# AB test: the new recommender")
    assert "No recorded attribute explains it." in shown
    said = message(clean)
    assert "AB test: the new recommender, 1" in said
    assert "Group 2 against 1:" in said
    # The same study again is the same page and no second message.
    before = contents(clean.home)
    assert nbtools("ab-test").exit_code == 0
    same = [name for name in before if name.endswith((".ipynb", ".txt"))]
    after = contents(clean.home)
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after.keys() == before.keys()


def test_an_aa_test_has_the_figures_of_every_method_and_a_page(clean: Settings) -> None:
    done = nbtools("aa-test")
    assert done.exit_code == 0, done.output
    found = figures(clean, "aa_test", "groups_2_3")
    assert found["verdict"] == "sound"
    for name in METHODS:
        for part in ("false_positive_rate", "ks_p_value"):
            # Five hundred users a group are too few for fifty buckets of each half.
            if not name.startswith("buckets") or f"{name}.{part}" in found:
                assert 0 <= float(found[f"{name}.{part}"]) <= 1
    assert 0 < float(found["subsample_share"]) < 0.2
    assert page(clean, "aa_test", "groups_2_3").startswith("# AA test: groups 2 and 3")


def test_a_window_of_its_own_is_a_page_of_its_own(clean: Settings) -> None:
    first, last = date(2023, 1, 2), date(2023, 1, 5)
    done = nbtools("linearized-ctr", "--from", str(first), "--to", str(last))
    assert done.exit_code == 0, done.output
    run = f"groups_0_3_{first}_{last}"
    found = figures(clean, "linearized_ctr", run)
    expected = oracle(clean, 0, 3, first, last)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert page(clean, "linearized_ctr", run).startswith("# Linearized likes: groups 0 and 3")
    assert "groups 0 and 3, 2 Jan 2023 to 5 Jan 2023\n" in message(clean)
    assert not (clean.home / "runs" / "linearized_ctr" / "groups_0_3.ipynb").exists()


def test_only_what_differs_from_the_studys_file_makes_another_page(demo_home: Settings) -> None:
    def name(**given: str) -> str:
        return jobs.prepare(demo_home, "ab_test", "new_recommender", given).run

    assert name() == "new_recommender"
    assert name(start_date="2023-01-01", end_date="2023-01-07", control="1") == "new_recommender"
    assert name(alpha="0.01").startswith("new_recommender_alpha-")
    assert name(alpha="0.01") != name(alpha="0.02")
    both = name(end_date="2023-01-06", treatments="[2, 3]")
    assert both.startswith("new_recommender_2023-01-01_2023-01-06_treatments-")


STUDY = ("run", "ab_test", "new_recommender", "--set")
REFUSED = {
    "an unknown group": ((*STUDY, "control=99"), "Group 99 has 0 users"),
    "control equal to treatment": ((*STUDY, "treatments=[1]"), "group 1 is named twice"),
    "a level that is none": ((*STUDY, "alpha=2"), "alpha"),
    "no level at all": ((*STUDY, "alpha=.nan"), "alpha"),
    "an unknown study": (("ab-test", "--study", "nonsense"), "new_recommender"),
    "no events": (
        ("aa-test", "--from", "2021-01-01", "--to", "2021-01-07"),
        "Nobody viewed a post from 2021-01-01",
    ),
    "the future": (("ab-test", "--from", "2199-01-01", "--to", "2199-01-07"), "not over"),
    "a window turned round": (("ab-test", "--from", "2023-01-07", "--to", "2023-01-01"), "after"),
    "no day": (("linearized-ctr", "--from", "yesteryear"), "yesteryear"),
}


def test_what_cannot_be_studied_is_one_line_exit_2_and_nothing_changed(clean: Settings) -> None:
    for name, (words, said) in REFUSED.items():
        done = nbtools(*words)
        assert done.exit_code == 2, (name, done.output)
        assert len(done.output.strip().splitlines()) == 1, done.output
        assert said in done.output, (name, done.output)
    assert not contents(clean.home)
