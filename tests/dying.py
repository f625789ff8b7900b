"""Work in a process of its own, that dies of itself before a statement, or can be killed."""

import subprocess
import sys
from pathlib import Path

from nbtools import warehouse

# What follows may use ``left``: how many statements it still has to live, below 0 for ever.
_PRELUDE = """
import os, signal, sys
from datetime import date, datetime
from nbtools import etl, settings, slices, warehouse
from nbtools.warehouse import Connection

left = int(sys.argv[2])

def dying(method):
    def run(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*args, **options)
    return run

for name in ("frame", "arrow", "insert", "execute", "replace_partition"):
    setattr(Connection, name, dying(getattr(Connection, name)))
config = settings.load()
with warehouse.open_source(config) as source, warehouse.open_warehouse(config) as db:
    print("ready", flush=True)
"""


def start(work: str, argument: str, statements: int = 0) -> "subprocess.Popen[str]":
    """Start work in a process of its own, and return it once its connections are open.

    Parameters
    ----------
    work : str
        Lines of Python that know ``source``, ``db``, ``config``, ``left`` and ``sys.argv[1]``.
    argument : str
        For ``sys.argv[1]``.
    statements : int
        The one it dies before; 0 for none.
    """
    body = "".join(f"    {line}\n" for line in work.strip().splitlines())
    found = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + body, argument, str(statements)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(warehouse.__file__).parent,
    )
    assert found.stdout is not None
    assert found.stdout.readline() == "ready\n"
    return found
