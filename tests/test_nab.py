"""NAB's scoring: worked by hand, against published figures, and through the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from nbtools import nab, nab_scores
from nbtools.__main__ import main
from nbtools.nab_scores import PROFILES, Labelled, Profile, Window

STANDARD = PROFILES["standard"]
ROWS = 672
STEP = pd.Timedelta(minutes=30)
WINDOWS = {
    "real/one.csv": [Window(400, 430), Window(600, 620)],
    "real/quiet.csv": [],
    "made/two.csv": [Window(500, 540)],
}


def file(windows: tuple[Window, ...], rows: int = 100) -> Labelled:
    times = pd.date_range("2020-01-01", periods=rows, freq="h")
    return Labelled("x.csv", times, np.zeros(rows), windows)


def at(rows: int, **found: float) -> NDArray[np.float64]:
    """Return anomaly scores that are 0 but in some rows, given as ``r50=0.9``."""
    scores = np.zeros(rows)
    for name, score in found.items():
        scores[int(name[1:])] = score
    return scores


def best_at(labelled: Labelled, scores: NDArray[np.float64], threshold: float) -> float:
    return nab_scores.sweep([(labelled, scores)], STANDARD).at(threshold)


# ---- published figures


# NAB's results of ARTime on artificialWithAnomaly/art_daily_flatmiddle.csv: of 4,032 rows every
# five minutes, two have a score above the threshold, one in the window and one behind it.
PUBLISHED = {
    "2014-04-10 07:10": (-0.11, -0.22),
    "2014-04-10 07:15": (1.0, 1.0),
    "2014-04-10 07:20": (0.9998317702127428, 0.9998317702127428),
    "2014-04-10 12:35": (0.9837935728631486, 0.9837935728631486),
    "2014-04-11 16:45": (0.0062875577436667185, 0.0062875577436667185),
    "2014-04-11 16:50": (-0.0006840707832492387, -0.0013681415664984775),
    "2014-04-11 23:15": (-0.049532834169457536, -0.09906566833891507),
    "2014-04-12 01:55": (-0.06535816814278825, -0.1307163362855765),
}


def published() -> tuple[Labelled, NDArray[np.float64]]:
    times = pd.date_range("2014-04-01", periods=4032, freq="5min")
    first, last = times.get_indexer(pd.to_datetime(["2014-04-10 07:15", "2014-04-11 16:45"]))
    labelled = Labelled("f", times, np.zeros(4032), (Window(int(first), int(last)),))
    scores = np.zeros(4032)
    scores[times.get_indexer(pd.to_datetime(["2014-04-11 00:20", "2014-04-11 23:15"]))] = 0.75
    return labelled, scores


@pytest.mark.parametrize(("place", "profile"), [(0, "standard"), (1, "reward_low_FP_rate")])
def test_a_row_is_worth_what_nab_publishes(place: int, profile: str) -> None:
    labelled, _ = published()
    weights = nab_scores.row_weights(4032, labelled.windows, PROFILES[profile])
    for time, worth in PUBLISHED.items():
        row = labelled.times.get_loc(pd.Timestamp(time))
        assert weights[row] == pytest.approx(worth[place], abs=1e-14), time


def test_a_file_has_the_score_that_nab_publishes() -> None:
    labelled, scores = published()
    assert best_at(labelled, scores, 0.317486) == pytest.approx(0.8039739326751801, abs=1e-14)
    assert len(scores) - nab_scores.probation(len(scores)) == 3428


# Sums over all 116 windows from NAB's thresholds, and the scores it publishes of them.
@pytest.mark.parametrize(
    ("profile", "score", "normalised"),
    [
        ("standard", 57.66075157860638, 74.85377223215792),
        ("reward_low_FP_rate", 35.1572804170157, 65.15400017974811),
        ("reward_low_FN_rate", 47.66075157860638, 80.36228493638114),
        ("standard", -116.0, 0.0),
    ],
)
def test_sums_are_put_on_the_published_scale(profile: str, score: float, normalised: float) -> None:
    assert nab_scores.normalise(score, 116, PROFILES[profile]) == pytest.approx(normalised)


# ---- worked by hand


def test_detecting_nothing_is_0_and_every_window_at_once_is_100() -> None:
    windows = (Window(30, 39), Window(70, 79))
    nothing = nab_scores.score_all([(file(windows), np.zeros(100))], dict.fromkeys(PROFILES, 1.0))
    perfect = nab_scores.score_all([(file(windows), at(100, r30=1, r70=1))])
    assert [result.score for result in nothing.values()] == [0, 0, 0]
    assert [result.score for result in perfect.values()] == pytest.approx([100, 100, 100])
    assert {result.threshold for result in perfect.values()} == {1.0}


def test_of_a_window_only_the_earliest_detection_counts() -> None:
    # Row 35 of 30..39: position -(39 - 35 + 1) / 10 = -0.5; (2 / (1 + exp(-2.5)) - 1) / 0.98661.
    one = best_at(file((Window(30, 39),)), at(100, r35=0.9), 0.5)
    both = best_at(file((Window(30, 39),)), at(100, r35=0.8, r38=0.9), 0.5)
    assert one == pytest.approx(0.8482836 / 0.9866143, abs=1e-6)
    assert both == one


def test_false_detections_cost_less_just_behind_a_window_and_all_count() -> None:
    # Row 44: (44 - 39) / 9 of the window behind it; 3 / 9 = 0.33 is nearer and cheaper.
    labelled = file((Window(30, 39),))
    near = best_at(labelled, at(100, r30=1, r42=1), 0.5)
    far = best_at(labelled, at(100, r30=1, r44=1), 0.5)
    before = best_at(labelled, at(100, r20=1, r30=1), 0.5)
    assert near == pytest.approx(1 + 0.11 * (2 / (1 + np.exp(5 * 3 / 9)) - 1))
    assert far == pytest.approx(1 + 0.11 * (2 / (1 + np.exp(5 * 5 / 9)) - 1))
    assert before == pytest.approx(1 - 0.11)
    assert best_at(labelled, at(100, r30=1, r80=1, r81=1), 0.5) == pytest.approx(1 - 0.22)


def test_the_first_rows_are_not_scored() -> None:
    labelled = file((Window(5, 9), Window(30, 39)))
    # 15 rows of 100: the detection in row 14 is free, the one in row 15 costs.
    assert best_at(labelled, at(100, r14=1, r30=1), 0.5) == pytest.approx(1)
    assert best_at(labelled, at(100, r15=1, r30=1), 0.5) < 1
    assert [nab_scores.probation(rows) for rows in (100, 5000, 50_000)] == [15, 750, 750]


def test_one_threshold_is_chosen_for_all_files() -> None:
    # File a is found at 0.9, b only at 0.2, where a has twenty false rows: 0.2 does not pay.
    a, b = file((Window(30, 39),)), file((Window(50, 59),))
    noisy = at(100, r30=0.9)
    noisy[75:95] = 0.3
    swept = nab_scores.sweep([(a, noisy), (b, at(100, r50=0.2))], STANDARD)
    threshold, score = swept.best
    assert threshold == 0.9
    assert score == pytest.approx(0.0)
    # Far behind the window each costs 0.11; the gain of the second window is 2.
    assert swept.at(0.2) == pytest.approx(2 - 20 * 0.11)


def test_the_sweep_equals_scoring_each_threshold_by_itself() -> None:
    rng = np.random.default_rng(5)
    windows = (Window(120, 150), Window(300, 310), Window(311, 330))
    files = [(file(windows, 400), np.round(rng.random(400), 2)) for _ in range(3)]
    for profile in PROFILES.values():
        swept = nab_scores.sweep(files, profile)
        for threshold in (0.05, 0.5, 0.77, 0.985, 1.0):
            slow = sum(_slow(one, scores, profile, threshold) for one, scores in files)
            assert swept.at(threshold) == pytest.approx(slow)


def _slow(
    labelled: Labelled, scores: NDArray[np.float64], profile: Profile, threshold: float
) -> float:
    weights = nab_scores.row_weights(len(scores), labelled.windows, profile)
    found = np.flatnonzero(scores >= threshold)
    found = found[found >= nab_scores.probation(len(scores))]
    total = sum(
        max([-profile.miss, *weights[found[(found >= first) & (found <= last)]]])
        for first, last in labelled.windows
    )
    outside = [
        row for row in found if not any(first <= row <= last for first, last in labelled.windows)
    ]
    return float(total + weights[outside].sum())


def test_a_row_without_a_score_is_never_detected() -> None:
    scores = at(100, r30=np.nan, r31=np.inf, r80=1)
    swept = nab_scores.sweep([(file((Window(30, 39),)), scores)], STANDARD)
    assert swept.best[1] > 0.9
    assert swept.scores[0] == -1


def test_rows_keep_their_order_on_the_grid() -> None:
    times = pd.to_datetime(
        ["2020-01-01 00:00", "2020-01-01 00:05", "2020-01-01 00:06", "2020-01-01 00:30"]
    )
    assert nab.grid(pd.DatetimeIndex(times), 5).tolist() == [0, 1, 2, 6]
    back = pd.DatetimeIndex(["2020-01-01 02:00", "2020-01-01 01:00", "2020-01-01 02:00"])
    assert nab.grid(back, 60).tolist() == [0, 1, 2]
    assert nab_scores.cool_down(back, np.array([1.0, 1.0, 2.0]), 3).tolist() == [1, 1, 2]


def test_the_detector_gets_an_even_grid_and_every_row_its_score() -> None:
    times = pd.date_range("2020-01-01", periods=50, freq="7min").delete([20, 21])
    labelled = Labelled("x", times, np.arange(48.0), ())

    def detector(values: NDArray[np.float64], _: pd.Timestamp, step: int) -> NDArray[np.float64]:
        # Of the parts of a day, six minutes are the longest that no two rows share.
        assert (step, len(values), np.isnan(values).sum()) == (6, 58, 10)
        return np.where(np.isnan(values), 99.0, values)

    assert nab.detect_file(labelled, detector).tolist() == list(range(48))


# ---- a checkout, through the command line


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like NAB's: three files, three windows, three detectors' results."""
    path: Path = tmp_path_factory.mktemp("nab")
    rng = np.random.default_rng(1)
    times = pd.date_range("2020-01-06", periods=ROWS, freq=STEP)
    for name, windows in WINDOWS.items():
        values = 100 + 30 * np.sin(np.arange(ROWS) / 48 * 2 * np.pi) + rng.normal(0, 2, ROWS)
        for first, last in windows:
            values[first + 5 : last] += 200
        _write(path / "data" / name, pd.DataFrame({"timestamp": times, "value": values}))
        section, _, base = name.partition("/")
        firsts = [first for first, _ in windows]
        for detector, rows in (("null", []), ("perfect", firsts), ("noisy", [*firsts, 200])):
            scores = np.isin(np.arange(ROWS), rows).astype(float)
            results = pd.DataFrame({"timestamp": times, "anomaly_score": scores})
            _write(path / "results" / detector / section / f"{detector}_{base}", results)
    labels = {
        name: [[str(times[first]), str(times[last])] for first, last in windows]
        for name, windows in WINDOWS.items()
    }
    _dump(path / "labels" / "combined_windows.json", labels)
    final = {"null": dict.fromkeys(PROFILES, 0.0), "perfect": dict.fromkeys(PROFILES, 100.0)}
    _dump(path / "results" / "final_results.json", final | {"noisy": dict.fromkeys(PROFILES, 50)})
    half = {profile: {"threshold": 0.5, "score": 0} for profile in PROFILES}
    _dump(path / "config" / "thresholds.json", {"perfect": half})
    return path


def _write(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)


def _dump(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def bench(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["bench", "nab", "--path", str(path), *options])


def test_the_detector_is_scored_on_a_checkout(checkout: Path) -> None:
    done = bench(checkout)
    assert done.exit_code == 0, done.stderr
    head, raw, cooled, own = done.stdout.splitlines()
    assert head.split() == ["detector", "threshold", "standard", "low", "FP", "low", "FN"]
    assert raw.startswith("nbtools ")
    assert "12 h between alarms" in cooled
    assert " its own " in own
    # Three jumps of a hundred standard deviations, five rows into their windows.
    assert float(cooled.split()[-3]) > 50
    assert float(cooled.split()[-3]) >= float(raw.split()[-3])
    assert len(bench(checkout, "--cooldown", "0").stdout.splitlines()) == 3


def test_published_results_are_scored_beside_what_was_published(checkout: Path) -> None:
    done = bench(checkout, "--results", "all")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["null", "best", "0.00", "0.00", "0.00"] in lines
    assert ["perfect", "NAB's", "100.00", "100.00", "100.00"] in lines
    assert ["perfect", "published", "100.00", "100.00", "100.00"] in lines
    last = done.stdout.splitlines()[-1]
    assert last == "Reproduced: the published scores of 2 of 3 detectors; not those of noisy."
    # Two false rows before any window, in two of the files: 100 * (6 - 3 * 0.11) / 6.
    assert ["noisy", "best", "94.50", "89.00", "96.33"] in lines
    one = bench(checkout, "--results", str(checkout / "results" / "null"))
    assert one.stdout.splitlines()[1].split() == ["null", "best", "0.00", "0.00", "0.00"]


@pytest.mark.parametrize(
    ("removed", "options", "said"),
    [
        ("labels/combined_windows.json", [], "is no checkout of the Numenta Anomaly Benchmark"),
        ("data/real/one.csv", [], "one.csv is missing, though the labels name it"),
        ("results/null/real/null_one.csv", ["--results", "null"], "null_one.csv is missing"),
        ("README", ["--results", "skyline"], "no folder skyline; it has noisy, null, perfect"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    checkout: Path, tmp_path: Path, removed: str, options: list[str], said: str
) -> None:
    broken = _copy(checkout, tmp_path)
    (broken / removed).unlink(missing_ok=True)
    _assert_refused(broken, options, said)


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("labels/combined_windows.json", "{", [], "cannot be read"),
        ("labels/combined_windows.json", "[]", [], "is no dictionary"),
        ("labels/combined_windows.json", "{}", [], "names no files"),
        ("data/real/one.csv", "timestamp,worth\n1,2\n", [], "cannot be read"),
        ("data/real/one.csv", "timestamp,value\n2020-01-01,2\n", [], "no row has the time"),
        ("data/real/quiet.csv", "timestamp,value\n2020-01-01,2\n", [], "has 1 rows"),
        ("data/real/quiet.csv", "timestamp,value\n2020-01-01,two\n", [], "does not fit"),
        (
            "results/null/real/null_one.csv",
            "timestamp,anomaly_score\n2020-01-01,0\n",
            ["--results", "null"],
            "has 1 rows, the data have 672",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    checkout: Path, tmp_path: Path, name: str, text: str, options: list[str], said: str
) -> None:
    broken = _copy(checkout, tmp_path)
    (broken / name).write_text(text, "utf-8")
    _assert_refused(broken, options, said)


def test_a_checkout_without_results_says_so(checkout: Path, tmp_path: Path) -> None:
    _copy(checkout, tmp_path)
    (tmp_path / "nab" / "results").rename(tmp_path / "elsewhere")
    _assert_refused(tmp_path / "nab", ["--results", "all"], "has no folder of result files")


def _copy(checkout: Path, folder: Path) -> Path:
    import shutil

    return Path(shutil.copytree(checkout, folder / "nab"))


def _assert_refused(path: Path, options: list[str], said: str) -> None:
    done = bench(path, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
