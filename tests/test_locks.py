import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbtools import locks
from nbtools.errors import LockedError, SettingsError

HOLD = """
import sys, time
from pathlib import Path
from nbtools import locks
with locks.hold(Path(sys.argv[1]), "nbtools etl"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holding(path: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_process_waits_and_says_for_whom(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.lock"
    lines: list[str] = []
    with holding(path, 2.5) as other:
        started = time.monotonic()
        with locks.hold(path, "us", wait=30, say=lines.append):
            waited = time.monotonic() - started
    assert waited > 1
    assert len(lines) == 1
    assert f"process {other.pid} (nbtools etl) since" in lines[0]
    assert "warehouse" in lines[0]


@pytest.mark.parametrize("wait", [0, 0.3, 1.5])
def test_the_wait_has_an_end_that_names_the_holder(tmp_path: Path, wait: float) -> None:
    path = tmp_path / "etl_daily.lock"
    with holding(path, 60) as other:
        started = time.monotonic()
        with (
            pytest.raises(
                LockedError, match=rf"etl_daily is held by process {other.pid}"
            ) as caught,
            locks.hold(path, "us", wait=wait, say=lambda _: None),
        ):
            pass
        assert wait <= time.monotonic() - started < wait + 1
        other.kill()
    assert caught.value.exit_code == 75


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with holding(path, 60) as other:
        other.send_signal(signal.SIGKILL)
    # Its signature is still there, and must not be believed.
    assert str(other.pid) in locks.holder(path)
    with locks.hold(path, "us", wait=5):
        assert f"process {os.getpid()} (us)" in locks.holder(path)


def test_one_process_may_hold_a_lock_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with locks.hold(path, "outer"):
        with locks.hold(path, "inner"):
            assert "(outer)" in locks.holder(path)
        assert "(outer)" in locks.holder(path)
    assert locks.holder(path) == "another process"
    with holding(path, 0):
        pass


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with pytest.raises(ZeroDivisionError), locks.hold(path, "us"):
        raise ZeroDivisionError
    with holding(path, 0):
        pass


@pytest.mark.parametrize("text", ["", "[]", "{}", "junk", json.dumps({"pid": 1})])
def test_a_broken_signature_is_another_process(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.lock"
    path.with_name("x.lock.owner").write_text(text)
    assert locks.holder(path) == "another process"


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SettingsError, match=r"Cannot write the lock .*NBTOOLS_HOME") as caught,
        locks.hold(tmp_path / "file" / "x.lock", "us"),
    ):
        pass
    assert "\n" not in str(caught.value)
