import io
import sys
from types import SimpleNamespace

import pytest

from nbtools import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_at_the_start_and_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track([1, 2, 3], "Loading", name=lambda day: f"day {day}")) == [1, 2, 3]
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Loading: day 1 (1 of 3)", "Loading: 3 done in 00:00"]


def test_a_slow_task_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 6.0, 8.0, 60.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    list(progress.track("abc", "Loading"))
    # After one of three items in 6 s, two are left: 12 s. The third is too soon for a line.
    assert capsys.readouterr().err.splitlines() == [
        "Loading: a (1 of 3)",
        "Loading: b (2 of 3), 00:06 elapsed, 00:12 remaining",
        "Loading: 3 done in 01:00",
    ]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.track([1, 2], "Loading", name=lambda day: f"day {day}")) == [1, 2]
    assert "Loading: 100%" in terminal.getvalue()
    assert "day 2" in terminal.getvalue()


def test_nothing_to_do_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track([], "Loading")) == []
    assert capsys.readouterr().err == ""


def test_an_error_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        [1 / item for item in progress.track([0, 2], "Loading")]
    assert "done" not in capsys.readouterr().err


def test_standard_output_stays_clean(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.track([1], "Loading"))
    progress.say("a line")
    assert capsys.readouterr().out == ""
