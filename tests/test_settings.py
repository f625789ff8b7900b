import os
from pathlib import Path

import pytest

from nbtools import settings
from nbtools.dsn import Address, parse_dsn
from nbtools.errors import SettingsError
from nbtools.settings import PROJECT, Settings

SECRET = "s3cr3t-p/ss@word"
QUOTED = "s3cr3t-p%2Fss%40word"


def parse(dsn: str) -> Address:
    return parse_dsn(dsn, "NBTOOLS_WAREHOUSE")


def test_everything_has_a_default_within_one_folder(home: Settings) -> None:
    assert home.warehouse == f"chdb://{home.home}/warehouse"
    assert home.source == home.warehouse
    assert home.state_url == f"sqlite:///{home.home}/nbtools.sqlite3"
    assert home.tz == "Europe/Moscow"


def test_a_relative_home_starts_at_the_checkout_wherever_the_process_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A kernel runs in the folder of the notebooks and must find the same home.
    monkeypatch.setenv("NBTOOLS_HOME", "elsewhere")
    monkeypatch.chdir(tmp_path)
    assert settings.load().home == PROJECT / "elsewhere"
    assert parse("chdb://elsewhere/warehouse").path == PROJECT / "elsewhere" / "warehouse"


def test_a_home_with_odd_letters_keeps_its_warehouse(tmp_path: Path) -> None:
    odd = tmp_path / "a b#1%41ж"
    assert parse(Settings(home=odd).warehouse).path == odd / "warehouse"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBTOOLS_TZ", "")
    assert settings.load().tz == "Europe/Moscow"


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("NBTOOLS_TZ", "Europe/Moskau", "Europe/Moskau.*no time zone"),
        ("NBTOOLS_TZ", "../../etc/passwd", "no time zone"),
        ("NBTOOLS_LOCK_WAIT", "soon", "valid number"),
        ("NBTOOLS_LOCK_WAIT", "-1", "greater than or equal to 0"),
        ("NBTOOLS_LOCK_WAIT", "nan", "finite"),
        ("NBTOOLS_CELL_TIMEOUT", "0", "greater than 0"),
    ],
)
def test_a_wrong_variable_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, needed: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: .*{needed}") as caught:
        settings.load()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_settings_never_show_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NBTOOLS_WAREHOUSE", "NBTOOLS_SOURCE"):
        monkeypatch.setenv(name, f"clickhouse://anna:{QUOTED}@db/analytics")
    monkeypatch.setenv("NBTOOLS_STATE_URL", f"postgresql://anna:{QUOTED}@db/state")
    found = settings.load()
    assert "s3cr3t" not in repr(found) + str(found)


def test_the_telegram_token_is_hidden_and_needs_a_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBTOOLS_TELEGRAM_TOKEN", SECRET)
    with pytest.raises(SettingsError, match="set NBTOOLS_TELEGRAM_CHAT") as caught:
        settings.load_telegram()
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("NBTOOLS_TELEGRAM_CHAT", "-100")
    assert SECRET not in repr(settings.load_telegram())


def test_secrets_are_hidden_from_what_is_started_inside_and_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NBTOOLS_TELEGRAM_TOKEN", SECRET)
    with pytest.raises(KeyError, match="TOKEN"), settings.without_secrets():
        os.environ["NBTOOLS_TELEGRAM_TOKEN"]
    assert os.environ["NBTOOLS_TELEGRAM_TOKEN"] == SECRET


def test_a_server_is_named_with_every_part() -> None:
    found = parse(f"clickhouse://anna:{QUOTED}@db.example.org:9001/mine")
    assert found == Address(None, "db.example.org", 9001, "http", "anna", SECRET, "mine")


@pytest.mark.parametrize(
    ("dsn", "address"),
    [
        ("clickhouse://db", Address(None, "db", 8123, "http", "default", "", "analytics")),
        ("clickhouses://db/x", Address(None, "db", 8443, "https", "default", "", "x")),
        ("https://u@db:1/", Address(None, "db", 1, "https", "u", "", "analytics")),
        ("clickhouse://[::1]:8123", Address(None, "::1", 8123, "http")),
        ("chdb:///tmp/a%20b", Address(Path("/tmp/a b"))),
        ("chdb:///tmp/a b", Address(Path("/tmp/a b"))),
        ("chdb:///tmp/a#b", Address(Path("/tmp/a#b"))),
        ("chdb:///tmp/x/../a//b/", Address(Path("/tmp/a/b"))),
    ],
)
def test_a_dsn_says_where(dsn: str, address: Address) -> None:
    assert parse(dsn) == address


def test_two_spellings_of_a_folder_are_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert parse(f"chdb://{tmp_path}/link/w") == parse(f"chdb://{tmp_path}/real/w")


@pytest.mark.parametrize(
    ("dsn", "needed"),
    [
        ("", "starts with no scheme"),
        ("postgresql://db/x", "starts with postgresql://"),
        ("clickhouse:///x", "names no host"),
        ("chdb://", "names no folder"),
        ("chdb:///", "names no folder"),
        ("chdb:///tmp/a?b", r"has a \? in its folder"),
        ("chdb:///tmp/a%3Fb", r"has a \? in its folder"),
        ("clickhouse://db:port/x", "host or port cannot be read"),
        ("clickhouse://db:99999/x", "host or port cannot be read"),
        ("clickhouse://[::1/x", "host or port cannot be read"),
        # Letters of a password that mean something in an address.
        ("clickhouse://u:s3cr3t#1@db:8123/x", "%23"),
        ("clickhouse://u:s3cr3t/1@db:8123/x", "%2F"),
        ("clickhouse://u:8123?s3cr3t@db/x", "%3F"),
    ],
)
def test_a_wrong_dsn_is_told_without_repeating_it(dsn: str, needed: str) -> None:
    with pytest.raises(SettingsError, match=needed) as caught:
        parse(dsn)
    line = str(caught.value)
    assert line.startswith("NBTOOLS_WAREHOUSE ")
    assert "s3cr3t" not in line
    assert "\n" not in line
    assert caught.value.__cause__ is None


def test_an_address_never_shows_its_password() -> None:
    found = parse(f"clickhouse://anna:{QUOTED}@db/analytics")
    assert "s3cr3t" not in f"{found} {found!r} {found.place}"


def test_a_kernel_has_one_thread_for_linear_algebra_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "OPENBLAS_NUM_THREADS"
    monkeypatch.delenv(name, raising=False)
    with settings.kernel_environment():
        assert os.environ[name] == "1"
    assert name not in os.environ
    monkeypatch.setenv(name, "4")
    with settings.kernel_environment():
        assert os.environ[name] == "4"
    assert os.environ[name] == "4"
