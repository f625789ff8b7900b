"""How a notebook ended, for each way in which one can end; with real kernels."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbtools import execution
from nbtools.execution import Execution
from nbtools.settings import PROJECT


def notebook(path: Path, *cells: str) -> Path:
    built = new_notebook(
        cells=[
            new_markdown_cell("# Heading\n\nText."),
            new_code_cell("day = '2023-01-01'", metadata={"tags": ["parameters"]}),
            *map(new_code_cell, cells),
        ],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(built, path)
    return path


def run(tmp_path: Path, *cells: str, cell_timeout: float = 60) -> Execution:
    return execution.execute(
        notebook(tmp_path / "in.ipynb", *cells),
        tmp_path / "out" / "out.ipynb",
        {"day": "2023-01-20"},
        cell_timeout=cell_timeout,
    )


def test_a_notebook_that_reaches_its_end_is_ok(tmp_path: Path) -> None:
    assert run(tmp_path, "assert day == '2023-01-20'", "") == Execution("ok")


def test_a_cell_that_raises_fails_with_its_own_words(tmp_path: Path) -> None:
    ended = run(tmp_path, "raise ValueError('no\\nviews')")
    assert ended == Execution("failed", "ValueError: no views")
    assert (tmp_path / "out" / "out.ipynb").exists()


def test_sys_exit_zero_is_never_ok(tmp_path: Path) -> None:
    early = run(tmp_path, "import sys; sys.exit(0)", "1 + 1")
    assert early == Execution("stopped", "Cell 4 ended the notebook before its end.")
    assert run(tmp_path, "import sys; sys.exit(0)") == early


def test_sys_exit_with_a_code_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "import sys; sys.exit(3)", "1 + 1") == Execution("failed", "SystemExit: 3")


def test_a_cell_over_its_time_is_a_timeout(tmp_path: Path) -> None:
    ended = run(tmp_path, "import time; time.sleep(60)", cell_timeout=2)
    assert ended.outcome == "timeout"
    assert "Cell 4" in ended.error


def test_a_dead_kernel_is_told_from_a_failed_cell(tmp_path: Path) -> None:
    ended = run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert ended.outcome == "kernel_died"


def test_sigterm_to_the_runner_interrupts_and_leaves_no_kernel(tmp_path: Path) -> None:
    mark = tmp_path / "kernel.pid"
    notebook(
        tmp_path / "in.ipynb",
        f"import os, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))",
        "import time; time.sleep(120)",
    )
    program = (
        "from pathlib import Path; from nbtools import execution;"
        f"print(execution.execute(Path({str(tmp_path / 'in.ipynb')!r}),"
        f" Path({str(tmp_path / 'out.ipynb')!r}), {{}}, cell_timeout=300).outcome)"
    )
    runner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    runner.send_signal(signal.SIGTERM)
    out, _ = runner.communicate(timeout=30)
    assert out.strip() == "interrupted"
    assert _ends(int(mark.read_text()), seconds=20)


def _ends(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False


def test_the_token_never_reaches_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBTOOLS_TELEGRAM_TOKEN", "123:secret")
    ended = run(tmp_path, "import os; assert 'NBTOOLS_TELEGRAM_TOKEN' not in os.environ")
    assert ended == Execution("ok")
    assert os.environ["NBTOOLS_TELEGRAM_TOKEN"] == "123:secret"


def test_a_tidied_page_has_its_heading_and_nothing_of_the_machine(tmp_path: Path) -> None:
    run(
        tmp_path,
        "import os, sys; print(os.getcwd()); print('noi' + 'se', file=sys.stderr)",
    )
    page = nbformat.read(tmp_path / "out" / "out.ipynb", as_version=4)
    execution.tidy(page, "Report, 2023-01-20", {str(tmp_path): "state", str(PROJECT): "nbtools"})
    text = nbformat.writes(page)
    assert page.cells[0].source == "# Report, 2023-01-20\n\nText."
    assert "nbtools/notebooks" in text
    assert str(PROJECT) not in text
    assert str(tmp_path) not in text
    assert "noise" not in text
    assert "papermill" not in text.replace("injected-parameters", "")
