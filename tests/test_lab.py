"""JupyterLab as ``make lab`` starts it: a source and an executed copy, on the same warehouse."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
import requests
from jupyter_client.blocking.client import BlockingKernelClient

from nbtools import runner
from nbtools.settings import PROJECT, Settings

MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")


class Lab:
    """What the browser does, without one."""

    def __init__(self, address: str, runtime: Path) -> None:
        self._address, self._runtime = address, runtime

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self._address}/api/{path}", timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run_all(self, path: str) -> list[dict[str, Any]]:
        """Open a notebook, start its kernel, run all cells; return the outputs."""
        cells = self.get(f"contents/{path}")["content"]["cells"]
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        started = requests.post(f"{self._address}/api/sessions", json=body, timeout=60)
        assert started.status_code == 201, started.text
        file = self._runtime / f"kernel-{started.json()['kernel']['id']}.json"
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        outputs: list[dict[str, Any]] = []
        try:
            _wait_until_ready(client)
            for cell in cells:
                if cell["cell_type"] == "code":
                    client.execute_interactive(
                        "".join(cell["source"]), timeout=120, output_hook=outputs.append
                    )
        finally:
            client.stop_channels()
            requests.delete(f"{self._address}/api/sessions/{started.json()['id']}", timeout=60)
        return outputs


@contextmanager
def lab(folder: Path, runtime: Path) -> Iterator[Lab]:
    """Start JupyterLab on a folder, with no right of a browser but to the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", f"--port={port}", "--ip=127.0.0.1", "--allow-root"]
    safe = ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("jupyter")), "lab", str(folder), *options, *safe],
        cwd=PROJECT,
        env=os.environ | {"JUPYTER_RUNTIME_DIR": str(runtime), "HOME": str(runtime)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/api")
            page = requests.get(f"http://127.0.0.1:{port}/lab", timeout=60)
            assert page.status_code == 200
            assert "JupyterLab" in page.text
            yield Lab(f"http://127.0.0.1:{port}", runtime)
        finally:
            server.terminate()
            server.wait(timeout=60)


def _wait_until_ready(client: BlockingKernelClient) -> None:
    # A heart that beats late on a busy machine counts as a kernel that died.
    for left in range(20, -1, -1):
        try:
            client.wait_for_ready(timeout=60)
        except RuntimeError:
            if not left:
                raise
            time.sleep(1)
        else:
            return


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            if requests.get(address, timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{address} did not answer")


def shown(outputs: list[dict[str, Any]], kind: str) -> list[str]:
    """Return what was displayed of a kind, and no error."""
    errors = [found["content"] for found in outputs if found["msg_type"] == "error"]
    assert errors == []
    data = [found["content"].get("data", {}) for found in outputs]
    return [found[kind] for found in data if kind in found]


def test_make_lab_opens_the_sources_or_another_folder() -> None:
    recipe = re.search(r"^lab:.*\n\t@?(.*)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    assert recipe[1] == '$(BIN)/jupyter lab "$${DIR:-notebooks}"'


def test_a_source_runs_in_jupyterlab_without_the_runner(
    loaded_copy: Settings, tmp_path: Path
) -> None:
    before = sorted(loaded_copy.home.rglob("runs/**/*"))
    with lab(Path("notebooks"), tmp_path) as server:
        names = {item["name"] for item in server.get("contents")["content"]}
        assert {path.name for path in (PROJECT / "notebooks").glob("*.ipynb")} <= names
        outputs = server.run_all("report_feed.ipynb")
    assert any("Feed DAU" in table for table in shown(outputs, "text/html"))
    assert len(shown(outputs, "image/png")) >= 2
    assert sorted(loaded_copy.home.rglob("runs/**/*")) == before
    assert not list(loaded_copy.home.glob("outbox/*"))


def test_an_executed_copy_runs_again_with_the_parameters_it_had(
    loaded_copy: Settings, tmp_path: Path
) -> None:
    page = runner.run(loaded_copy, "report_feed", "daily", {"date": "2023-01-20"}).page
    content = page.read_bytes()
    with lab(page.parents[1], tmp_path) as server:
        outputs = server.run_all(f"report_feed/{page.name}")
    saved = [output for cell in nbformat.read(page, 4).cells for output in cell.get("outputs", ())]
    tables = [output.data["text/html"] for output in saved if "text/html" in output.get("data", {})]
    assert tables
    assert shown(outputs, "text/html") == tables
    assert page.read_bytes() == content


@pytest.mark.parametrize("path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=str)
def test_no_source_has_a_path_or_a_shell_command(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r'"\s*[!%]\w|\.\./|open\(|sys\.path|/home/', text)
