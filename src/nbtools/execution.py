"""One notebook under papermill, and an honest word on how it ended.

papermill's own metadata calls a run complete when a cell ran out of time or the kernel
died, and failed when a cell called ``sys.exit(0)``; so the outcome is decided here, from
what was raised and from which cells ran.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from nbtools.settings import PROJECT, kernel_environment

Outcome = Literal["ok", "failed", "timeout", "kernel_died", "stopped", "interrupted"]

_START_SECONDS = 60
_INJECTED = "injected-parameters"
# The kernel's ports are on loopback, which other users of the machine can listen to.
_KERNEL = Config({"KernelManager": {"transport_encryption": "auto"}})


class Execution(NamedTuple):
    """How a notebook ended.

    Attributes
    ----------
    outcome : str
        ``ok``, ``failed`` (a cell raised), ``timeout``, ``kernel_died``, ``stopped``
        (a cell ended the notebook early) or ``interrupted`` (the runner was told to end).
    error : str
        One line, empty when ok.
    """

    outcome: Outcome
    error: str = ""


class _Terminated(BaseException):
    """The process was asked to end."""


def execute(
    source: Path, target: Path, parameters: Mapping[str, Any], *, cell_timeout: float
) -> Execution:
    """Run a notebook in a fresh kernel and say how it ended.

    Parameters
    ----------
    source : Path
        The notebook.
    target : Path
        Where the executed copy is written, whatever the outcome.
    parameters : mapping
        Values for its tagged cell, of JSON types.
    cell_timeout : float
        Seconds that one cell may take.

    Returns
    -------
    Execution
        Never raises for what the notebook does.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    call = _InThread(lambda: _papermill(source, target, parameters, cell_timeout))
    try:
        with _termination():
            call.start_and_wait()
    except (_Terminated, KeyboardInterrupt):
        return Execution("interrupted", "The run was told to stop while the notebook ran.")
    return _judge(call.error, target)


def _papermill(
    source: Path, target: Path, parameters: Mapping[str, Any], cell_timeout: float
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that drive the kernel
        papermill.execute_notebook(
            source,
            target,
            parameters=dict(parameters),
            kernel_name="python3",
            cwd=PROJECT / "notebooks",
            progress_bar=False,
            start_timeout=_START_SECONDS,
            execution_timeout=int(cell_timeout),
            config=_KERNEL,
        )


class _InThread:
    """A call in a thread of its own, so that the main thread hears signals.

    nbclient takes SIGTERM over in the main thread and ends the kernel, which then looks
    like a kernel that died by itself.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self.error: Exception | None = None

    def _run(self) -> None:
        try:
            self._call()
        except Exception as error:  # noqa: BLE001 -- judged by the caller
            self.error = error
        finally:
            ensure_event_loop().close()  # this thread's own, made by the kernel client

    def start_and_wait(self) -> None:
        thread = threading.Thread(target=self._run, daemon=True)
        with kernel_environment():
            thread.start()
            # Short waits, because a lock cannot be interrupted by a signal handler
            # that raises.
            while thread.is_alive():
                thread.join(0.1)


@contextmanager
def _termination() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _judge(error: Exception | None, target: Path) -> Execution:
    if isinstance(error, PapermillExecutionError):
        return Execution("failed", _line(f"{error.ename}: {error.evalue}"))
    if isinstance(error, CellTimeoutError):
        return Execution("timeout", _timeout_line(target))
    if isinstance(error, DeadKernelError):
        return Execution("kernel_died", "The kernel died (out of memory, or a crash in a library).")
    if error is not None:
        return Execution("failed", _line(f"{type(error).__name__}: {error}"))
    stopped = _cell_with_error(target)
    if stopped:
        return Execution("stopped", f"Cell {stopped} ended the notebook before its end.")
    return Execution("ok")


def _timeout_line(target: Path) -> str:
    return f"Cell {_cell_with_error(target)} took longer than allowed (NBTOOLS_CELL_TIMEOUT)."


def _cell_with_error(target: Path) -> int | None:
    """Return the number of the first cell that shows an error, counted from 1."""
    for number, cell in enumerate(nbformat.read(target, as_version=4).cells, 1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return number
    return None


def _line(text: str, limit: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def tidy(notebook: NotebookNode, heading: str, paths: Mapping[str, str]) -> None:
    """Make an executed notebook a page: its heading, nothing of the machine.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place.
    heading : str
        The H1.
    paths : mapping of str
        Paths of this machine and what stands for them on the page.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata["title"] = heading
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if _INJECTED in cell.metadata.get("tags", []):
            cell["id"] = _INJECTED  # papermill draws a new one each time
        if cell.cell_type == "code":
            cell["outputs"] = [
                _without(output, paths) for output in cell.outputs if output.get("name") != "stderr"
            ]
    _write_heading(notebook, heading)


def _write_heading(notebook: NotebookNode, heading: str) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            _, _, rest = cell.source.partition("\n")
            cell["source"] = f"# {heading}\n{rest}".rstrip("\n")
            return
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {heading}", id="heading"))


def _without(value: Any, paths: Mapping[str, str]) -> Any:
    """Return an output with the machine's paths replaced in every text of it."""
    if isinstance(value, str):
        for path, name in paths.items():
            value = value.replace(path, name)
        return value
    if isinstance(value, list):
        return [_without(item, paths) for item in value]
    if isinstance(value, Mapping):
        return NotebookNode({key: _without(item, paths) for key, item in value.items()})
    return value


logging.getLogger("papermill").setLevel(logging.ERROR)
