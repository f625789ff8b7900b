"""The command line: every make target is one call of a command here."""

import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any

import click

from nbtools import lean
from nbtools import settings as settings_module
from nbtools.errors import NbtoolsError, ParameterError
from nbtools.parameters import DEFAULT_RUN, MODELS, parse_day

# Engines, kernels and the book are imported by the command that needs them, so that
# --help and a mistyped option answer at once.

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Day(click.ParamType[date]):
    """A day on the command line, for commands that run no notebook."""

    name = "day"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        try:
            return parse_day(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


_DAY = _Day()


def _clear(command: Callable[..., None]) -> Callable[..., None]:
    """End a command with one line and the error's exit code instead of a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except NbtoolsError as error:
            click.echo(f"nbtools: {' '.join(str(error).split())}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("nbtools: stopped.", err=True)
            sys.exit(130)

    return wrapped


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="nbtools")
def main() -> None:
    """Product analytics of an app on ClickHouse, as a book of parameterized notebooks.

    Every command reads the NBTOOLS_* variables (and the checkout's .env file); see the
    operating guide of the book. Exit codes: 0 done, 1 a run failed, 2 bad input, 75
    another run holds the lock.
    """
    lean.skip_unused()


@main.command()
@_clear
def book() -> None:
    """Build whatever is missing, up to the book.

    Demo history when the source is empty, days of the ETL, pages, the book.
    """
    from nbtools import pipeline

    page = pipeline.build_book(settings_module.load())
    click.echo(f"The book is ready. Open {page.as_uri()}")


@main.command()
@click.option("--scale", type=float, default=1.0, show_default=True, help="1 is 50 million events.")
@click.option(
    "--seed", type=int, default=20221205, show_default=True, help="Another seed, another history."
)
@click.option("--start", type=_DAY, default="2022-12-05", show_default=True, help="First day.")
@click.option("--days", type=int, default=85, show_default=True, help="Length of the history.")
@_clear
def demo(scale: float, seed: int, start: date, days: int) -> None:
    """Build the demo history anew.

    Replaces the app's events in the warehouse.
    """
    from nbtools import pipeline

    pipeline.build_demo(settings_module.load(), scale=scale, seed=seed, start=start, days=days)


@main.command()
@click.option(
    "--mapping", type=click.Path(path_type=Path), required=True, help="YAML file that maps the log."
)
@click.option(
    "--data", type=click.Path(path_type=Path), default=None, help="Folder of the log's files."
)
@_clear
def load(mapping: Path, data: Path | None) -> None:
    """Load a real log in place of the demo.

    Replaces the app's events in the warehouse.
    """
    from nbtools import pipeline

    click.echo(pipeline.load_log(settings_module.load(), mapping, data=data))


@main.command()
@click.argument("notebook", type=click.Choice(sorted(MODELS)))
@click.argument("run", default=DEFAULT_RUN)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter; may be repeated.",
)
@click.option("--resend", is_flag=True, help="Send the messages again though they were sent.")
@_clear
def run(notebook: str, run: str, assignments: Sequence[str], *, resend: bool) -> None:
    """Run a notebook with a parameter file.

    The file is parameters/NOTEBOOK/RUN.yml; --set overrides it.
    """
    overrides = {}
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign or not name:
            raise ParameterError(f"--set {assignment}: needed is NAME=VALUE.")
        overrides[name] = value
    _run(notebook, run, overrides, resend=resend)


def _run(notebook: str, run: str, overrides: dict[str, str], *, resend: bool = False) -> None:
    from nbtools import runner

    result = runner.run(settings_module.load(), notebook, run, overrides, resend=resend)
    click.echo(f"{notebook} {result.job.run}: done in {result.seconds:.1f} s, {result.page}")
    click.echo(str(result.delivery))


def _daily(name: str, notebook: str, text: str) -> None:
    """Add the command of a notebook about one day."""

    @main.command(name, help=text)
    @click.option(
        "--date",
        "day",
        default=None,
        metavar="DAY",
        help="YYYY-MM-DD, today or yesterday (the default).",
    )
    @click.option("--resend", is_flag=True, help="Send the messages again though they were sent.")
    @_clear
    def command(day: str | None, *, resend: bool) -> None:
        _run(notebook, DEFAULT_RUN, {"date": day} if day else {}, resend=resend)


def _study(name: str, notebook: str, default: str, text: str) -> None:
    """Add the command of a notebook about an experiment."""

    @main.command(name, help=text)
    @click.option(
        "--study",
        default=default,
        show_default=True,
        help=f"Name of its file in parameters/{notebook}/.",
    )
    @click.option("--from", "first", metavar="DAY", default=None, help="First day of the window.")
    @click.option("--to", "last", metavar="DAY", default=None, help="Last day of the window.")
    @click.option("--resend", is_flag=True, help="Send the messages again though they were sent.")
    @_clear
    def command(study: str, first: str | None, last: str | None, *, resend: bool) -> None:
        given = {"start_date": first, "end_date": last}
        _run(notebook, study, {k: v for k, v in given.items() if v}, resend=resend)


_study("aa-test", "aa_test", "groups_2_3", "Check the system that splits users into groups.")
_study("ab-test", "ab_test", "new_recommender", "Analyse an experiment up to its verdict.")
_study("linearized-ctr", "linearized_ctr", "groups_0_3", "Test users' linearized likes.")


@main.command()
@click.option("--from", "first", metavar="DAY", default=None, help="First day of the period.")
@click.option("--to", "last", metavar="DAY", default=None, help="Last day of the period.")
@_clear
def backtest(first: str | None, last: str | None) -> None:
    """Replay the alerts over a period, and plant incidents in it."""
    given = {"start_date": first, "end_date": last}
    _run("alerts_backtest", "ten_weeks", {name: day for name, day in given.items() if day})


_daily("etl", "etl_daily", "Load one day into daily_metrics_v1.")
_daily("report-feed", "report_feed", "Report one day of the feed to the chat.")
_daily("report-app", "report_app", "Report one day of the whole app to the chat.")


@main.command()
@click.option(
    "--date", "day", default=None, metavar="DAY", help="YYYY-MM-DD, today or yesterday (default)."
)
@_clear
def dashboards(day: str | None) -> None:
    """Make the dashboards anew, as of a day."""
    from nbtools import jobs

    for notebook in jobs.DASHBOARDS:
        _run(notebook, DEFAULT_RUN, {"date": day} if day else {})
    _run("dashboard_today", "live", {"at": jobs.end_of(day)} if day else {})


@main.command()
@click.option(
    "--from", "first", type=_DAY, default=None, help="First day; the history's first by default."
)
@click.option(
    "--to", "last", type=_DAY, default=None, help="Last day; the last full day by default."
)
@click.option("--redo", is_flag=True, help="Load days again that are loaded already.")
@_clear
def backfill(first: date | None, last: date | None, *, redo: bool) -> None:
    """Load a range of days; goes on where it was stopped."""
    from nbtools import pipeline

    click.echo(pipeline.backfill(settings_module.load(), first, last, redo=redo))


@main.command()
@click.option(
    "--to",
    required=True,
    metavar="PLACE",
    help="branch, branch:NAME, folder:PATH or rsync:HOST:PATH.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Earlier publications to keep in a folder.",
)
@click.option("--dry", is_flag=True, help="Say what would change, and write nothing.")
@_clear
def publish(to: str, keep: int, *, dry: bool) -> None:
    """Publish the built book, whole or not at all."""
    from nbtools import publication

    click.echo(publication.publish(settings_module.load(), to, keep=keep, dry=dry))


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@_clear
def preview(port: int) -> None:
    """Show the book on a loopback port.

    It is built again when a page of it changes.
    """
    from nbtools import preview as preview_module

    preview_module.run(settings_module.load(), port)


@main.command()
@_clear
def status() -> None:
    """Show last runs, undelivered messages, what is stale."""
    from nbtools import pipeline

    click.echo(pipeline.status(settings_module.load()))


@main.command()
@_clear
def deliver() -> None:
    """Send the messages that wait in the outbox."""
    from nbtools import runner

    click.echo(str(runner.deliver(settings_module.load())))


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8123, show_default=True)
@_clear
def serve(port: int) -> None:
    """Serve the embedded warehouse over loopback HTTP.

    The port speaks ClickHouse's HTTP interface.
    """
    from nbtools import bridge

    bridge.serve(settings_module.load(), port)


@main.command()
@click.option("--query", required=True, help="One SELECT.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows shown."
)
@_clear
def explore(query: str, limit: int) -> None:
    """Show the rows of an ad-hoc query."""
    from nbtools import explore as explore_module

    frame = explore_module.run(settings_module.load(), query, limit=limit)
    click.echo(explore_module.table(frame))


@main.group(invoke_without_command=True)
@click.option("--at", default=None, metavar="MOMENT", help="YYYY-MM-DD HH:MM, now by default.")
@click.option("--resend", is_flag=True, help="Send the messages again though they were sent.")
@click.pass_context
@_clear
def alerts(context: click.Context, at: str | None, *, resend: bool) -> None:
    """Check the key metrics, and tell of what is out of the ordinary."""
    if context.invoked_subcommand is not None:
        return
    from nbtools import alerting

    done = alerting.check(settings_module.load(), at, resend=resend)
    figures = done.result.figures
    click.echo(
        f"alerts {figures['slice']}: {figures['status']}, {figures['anomalous']} of "
        f"{figures['judged']} series anomalous, {figures['incidents']} incidents open"
    )
    click.echo(str(done.result.delivery))


@alerts.command("look-back")
@_clear
def look_back() -> None:
    """Record what checks would have found in the history; sends nothing."""
    from nbtools import lookback

    click.echo(lookback.look_back(settings_module.load()))


@alerts.command()
@click.option("--metric", required=True, help="A metric by slice, no_data or all.")
@click.option("--segment", default="", help="total, or one such as os:iOS; every one by default.")
@click.option(
    "--until", required=True, metavar="MOMENT", help="YYYY-MM-DD [HH:MM], or a length such as +2h."
)
@click.option("--why", required=True, help="The reason, for others.")
@_clear
def mute(metric: str, segment: str, until: str, why: str) -> None:
    """Say nothing of a metric until a moment."""
    from nbtools import mutes as mutes_module

    settings = settings_module.load()
    click.echo(mutes_module.add(settings, metric=metric, segment=segment, until=until, why=why))


@alerts.command("mutes")
@_clear
def list_mutes() -> None:
    """Show what is muted, until when and why."""
    from nbtools import mutes as mutes_module

    click.echo(mutes_module.listing(settings_module.load()))


@alerts.command()
@click.argument("number", type=int)
@_clear
def unmute(number: int) -> None:
    """Take a mute back; its number is in the list."""
    from nbtools import mutes as mutes_module

    click.echo(mutes_module.remove(settings_module.load(), number))


@main.group()
def bench() -> None:
    """Measure the detector on published data."""


@bench.command("nab")
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    required=True,
    help="Checkout of the Numenta Anomaly Benchmark.",
)
@click.option(
    "--results",
    multiple=True,
    metavar="FOLDER",
    help="Score result files instead of the detector: a folder below results/, or all.",
)
@click.option(
    "--cooldown",
    type=click.FloatRange(min=0),
    default=12.0,
    show_default=True,
    help="Hours in which an alarm repeats only when it grows; 0 for none.",
)
@_clear
def bench_nab(path: Path, results: Sequence[str], cooldown: float) -> None:
    """Score the detector by the rules of the Numenta Anomaly Benchmark.

    With --results, score what other detectors found, beside the scores that NAB published.
    """
    from nbtools import nab

    click.echo(nab.run(path, results, cooldown=cooldown))


if __name__ == "__main__":
    main()
