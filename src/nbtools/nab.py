"""The detector's score on a checkout of the Numenta Anomaly Benchmark, and those of others.

One setting for all files, the default one; what the files hold is not looked at beforehand.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbtools import anomaly
from nbtools.errors import InputError
from nbtools.nab_scores import PROFILES, Labelled, Result, Window, cool_down, probation, score_all
from nbtools.progress import track

Real = NDArray[np.float64]
Whole = NDArray[np.int64]
Files = list[tuple[Labelled, Real]]

ALL = "all"
_DAY_MINUTES = 1_440
# What a person would call one alarm; NAB charges for each row.
COOLDOWN_HOURS = 12.0
# Published scores have all decimals, but some detectors' rows have three.
_AGREE = 0.01


class Row(NamedTuple):
    """One line of the table: whose score, made with which threshold, by profile."""

    detector: str
    threshold: str
    scores: tuple[float, ...]


def run(path: Path, results: Sequence[str] = (), *, cooldown: float = COOLDOWN_HOURS) -> str:
    """Score the detector, or published result files, and return a table.

    Parameters
    ----------
    path : Path
        A checkout of NAB.
    results : sequence of str
        Folders of result files to score instead of the detector: names below the checkout's
        ``results`` or paths; ``all`` for every one below ``results``.
    cooldown : float
        Hours in which the detector repeats itself only when its score rises.

    Returns
    -------
    str
        A line for each score, a column for each profile.

    Raises
    ------
    InputError
        When the folder is no checkout of NAB, or its files do not fit together.
    """
    labelled = load(path)
    if not results:
        return _table(_own(labelled, cooldown))
    published = _scores(path / "results" / "final_results.json")
    thresholds = _thresholds(path / "config" / "thresholds.json")
    rows: list[Row] = []
    for folder in _folders(path, results):
        files = read_results(folder, labelled)
        rows += _theirs(folder.name, files, thresholds, published)
    return "\n".join([_table(rows), *_agreement(rows)])


def load(path: Path) -> list[Labelled]:
    """Return the benchmark's files with their windows, in the order of the labels.

    Raises
    ------
    InputError
        When there are no labels, or a file is missing, cannot be read or lacks a window's row.
    """
    labels = path / "labels" / "combined_windows.json"
    if not labels.is_file():
        raise InputError(
            f"{path} is no checkout of the Numenta Anomaly Benchmark: {labels} is not there."
        )
    windows = _json(labels)
    if not windows:
        raise InputError(f"{labels} names no files.")
    return [_labelled(path / "data" / name, name, windows[name]) for name in sorted(windows)]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is no dictionary.")
    return found


def _labelled(path: Path, name: str, limits: Sequence[Sequence[str]]) -> Labelled:
    frame = _csv(path, ["timestamp", "value"])
    try:
        times = pd.DatetimeIndex(pd.to_datetime(frame["timestamp"]))
        values = frame["value"].to_numpy(dtype=np.float64)
        windows = tuple(Window(_place(times, first), _place(times, last)) for first, last in limits)
    except (ValueError, KeyError) as error:
        raise InputError(
            f"{path} does not fit its labels: {' '.join(str(error).split())}"
        ) from error
    if len(times) < 2:
        raise InputError(f"{path} has {len(times)} rows; needed are two or more.")
    return Labelled(name, times, values, windows)


def _place(times: pd.DatetimeIndex, limit: str) -> int:
    places = np.flatnonzero(times == pd.Timestamp(limit))
    if not len(places):
        raise ValueError(f"no row has the time {limit}, where a window begins or ends.")
    return int(places[0])


def _csv(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is missing, though the labels name it.")
    try:
        return pd.read_csv(path, usecols=columns)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _folders(path: Path, results: Sequence[str]) -> list[Path]:
    home = path / "results"
    if ALL in results:
        found = sorted(folder for folder in home.glob("*") if any(folder.glob("*/*.csv")))
        if not found:
            raise InputError(f"{home} has no folder of result files.")
        return found
    folders = []
    for name in results:
        choices = [folder for folder in (home / name, Path(name)) if folder.is_dir()]
        if not choices:
            known = ", ".join(sorted(folder.name for folder in home.glob("*") if folder.is_dir()))
            raise InputError(f"{home} has no folder {name}; it has {known or 'none'}.")
        folders.append(choices[0])
    return folders


def read_results(folder: Path, labelled: Sequence[Labelled]) -> Files:
    """Return the benchmark's files with the anomaly scores that a detector's folder has of them.

    Raises
    ------
    InputError
        When a file is missing, or does not have as many rows as the data.
    """
    files = []
    for one in labelled:
        section, _, name = one.name.rpartition("/")
        path = folder / section / f"{folder.name}_{name}"
        scores = _csv(path, ["anomaly_score"])["anomaly_score"].to_numpy(dtype=np.float64)
        if len(scores) != len(one.measured):
            raise InputError(f"{path} has {len(scores)} rows, the data have {len(one.measured)}.")
        files.append((one, scores))
    return files


def _own(labelled: Sequence[Labelled], cooldown: float) -> list[Row]:
    files = [
        (one, detect_file(one, _detect)) for one in track(labelled, "NAB", lambda one: one.name)
    ]
    rows = [_row("nbtools", "best", score_all(files))]
    if cooldown:
        cooled = [(one, cool_down(one.times, scores, cooldown)) for one, scores in files]
        rows.append(_row(f"nbtools, {cooldown:g} h between alarms", "best", score_all(cooled)))
    # A score of 1 is an alarm without knowing any label.
    files = cooled if cooldown else files
    rows.append(_row(rows[-1].detector, "its own", score_all(files, dict.fromkeys(PROFILES, 1.0))))
    return rows


def _detect(values: Real, start: pd.Timestamp, step_minutes: int) -> Real:
    found = anomaly.detect_all(values, start=start, step_minutes=step_minutes, kind="gauge")
    return np.asarray(found["score"], dtype=np.float64)


def _theirs(
    detector: str,
    files: Files,
    thresholds: Mapping[str, dict[str, float]],
    published: Mapping[str, dict[str, float]],
) -> list[Row]:
    rows = [_row(detector, "best", score_all(files))]
    if detector in thresholds:
        rows.append(_row(detector, "NAB's", score_all(files, thresholds[detector])))
    if detector in published:
        scores = tuple(published[detector][profile] for profile in PROFILES)
        rows.append(Row(detector, "published", scores))
    return rows


def _row(detector: str, threshold: str, results: Mapping[str, Result]) -> Row:
    return Row(detector, threshold, tuple(results[profile].score for profile in PROFILES))


def _scores(path: Path) -> dict[str, dict[str, float]]:
    found = _json(path) if path.is_file() else {}
    return {name: scores for name, scores in found.items() if PROFILES.keys() <= scores.keys()}


def _thresholds(path: Path) -> dict[str, dict[str, float]]:
    found = _json(path) if path.is_file() else {}
    return {
        name: {profile: float(found[name][profile]["threshold"]) for profile in PROFILES}
        for name in found
        if PROFILES.keys() <= found[name].keys()
    }


def _table(rows: Sequence[Row]) -> str:
    width = max(len("detector"), *(len(row.detector) for row in rows))
    lines = [f"{'detector':<{width}}  {'threshold':<9}  standard  low FP  low FN"]
    for row in rows:
        standard, low_fp, low_fn = row.scores
        lines.append(
            f"{row.detector:<{width}}  {row.threshold:<9}  {standard:8.2f}  {low_fp:6.2f}"
            f"  {low_fn:6.2f}"
        )
    return "\n".join(lines)


def _agreement(rows: Sequence[Row]) -> list[str]:
    """Say how many published scores the scoring reproduces, under all profiles."""
    made: dict[str, list[Row]] = {}
    for row in rows:
        made.setdefault(row.detector, []).append(row)
    checked = [found for found in made.values() if found[-1].threshold == "published"]
    same = [
        found[0].detector
        for found in checked
        if any(np.allclose(row.scores, found[-1].scores, atol=_AGREE) for row in found[:-1])
    ]
    if not checked:
        return []
    others = sorted({found[0].detector for found in checked} - set(same))
    line = f"Reproduced: the published scores of {len(same)} of {len(checked)} detectors"
    return [line + (f"; not those of {', '.join(others)}." if others else ".")]


Detector = Callable[[Real, pd.Timestamp, int], Real]


def detect_file(labelled: Labelled, detector: Detector) -> Real:
    """Return the anomaly score of each row, of a detector that wants evenly spaced values.

    Rows are put on a grid whose step is the median of the file's own steps in the probationary
    rows, or the next shorter part of a day; what no row falls on is missing there. Rows that
    come more densely take the next free place, so each row has one of its own.

    Parameters
    ----------
    labelled : Labelled
        The file.
    detector : callable
        Takes values with NaN for missing ones, the first one's time and the step in minutes;
        returns a score for each value.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        Scores, not negative; 0 where the detector has none.
    """
    step = _step(labelled.times[: max(2, probation(len(labelled.times)))])
    places = grid(labelled.times, step)
    values = np.full(int(places[-1]) + 1, np.nan)
    values[places] = labelled.measured
    return np.nan_to_num(detector(values, labelled.times[0], step)[places], nan=0.0, posinf=1e9)


def _step(times: pd.DatetimeIndex) -> int:
    minutes = np.diff(times.to_numpy()) / np.timedelta64(1, "m")
    usual = float(np.median(minutes[minutes > 0])) if (minutes > 0).any() else 1.0
    parts = [part for part in range(1, _DAY_MINUTES + 1) if _DAY_MINUTES % part == 0]
    return max(part for part in parts if part <= max(usual, 1))


def grid(times: pd.DatetimeIndex, step: int) -> Whole:
    """Return the places of rows on a grid of so many minutes, rising, the first one 0.

    Examples
    --------
    >>> grid(pd.DatetimeIndex(["2020-01-01 00:00", "2020-01-01 00:05", "2020-01-01 00:31"]), 15)
    array([0, 1, 2])
    """
    minutes = (times - times[0]).to_numpy() / np.timedelta64(1, "m")
    wanted = np.rint(minutes / step).astype(np.int64)
    # The running maximum of the surplus pushes a row behind the one before it, no further.
    rows = np.arange(len(wanted))
    return np.asarray(np.maximum.accumulate(wanted - rows) + rows, dtype=np.int64)
