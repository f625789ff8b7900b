"""Commands start without what only notebooks need: cron calls one every quarter of an hour."""

import subprocess
import sys

SLOW = ("rfc3987_syntax.syntax_helpers", "seaborn", "scipy.stats", "matplotlib.pyplot", "plotly")


def test_a_check_does_not_import_what_draws_its_page() -> None:
    code = (
        "import sys; from nbtools import lean; lean.skip_unused(); from nbtools import alerting;"
        f" print([name for name in {SLOW} if sys.modules.get(name)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
