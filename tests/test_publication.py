"""Publishing: real git, real folders read by a real server, real rsync."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import yaml
from click.testing import CliRunner

from nbtools import __main__, inputs, publication, remote, targets, trees
from nbtools.errors import BookError, PublicationError, SettingsError
from nbtools.settings import PROJECT, Settings

PAGES = ["index.html", "runs/report.html", "methods/ab.html"]


class Checkout:
    """A home with a built book beside a checkout with a remote."""

    def __init__(self, folder: Path) -> None:
        self.home, self.project = Settings(home=folder / "home"), folder / "checkout"
        self.remote = folder / "remote.git"
        (self.project / "book").mkdir(parents=True)
        (self.project / "book" / "page.md").write_text("# Page")
        git(folder, "init", "--bare", "--quiet", str(self.remote))
        git(self.project, "init", "--quiet", "--initial-branch=main")
        git(self.project, "config", "user.name", "Reader")
        git(self.project, "config", "user.email", "reader@example.org")
        git(self.project, "remote", "add", "origin", str(self.remote))
        git(self.project, "add", ".")
        git(self.project, "commit", "--quiet", "-m", "book")
        git(self.project, "push", "--quiet", "origin", "main")
        self.build("one")

    def build(self, word: str, *, size: int = 100) -> None:
        """Leave what a build leaves: pages that all show one word, and a picture of it."""
        work = self.home.home / "build"
        inputs.mark(self.home)
        published = work / "published"
        copy = published / f"{len(list(published.glob('*'))) + 1:06d}"
        for page in PAGES:
            text = f"<html>{word * size}<img src='_images/{word}.png'></html>"
            write(copy / page, text)
        write(copy / "searchindex.js", f"Search({word})")
        write(copy / "_static" / "book.css", "body {}")
        write(copy / "_images" / f"{word}.png", word)
        write(copy / f"runs/{word}.html", "<html>only here</html>")
        (work / "built").touch()
        link = work / "new"
        link.symlink_to(copy)
        link.replace(self.home.home / "site")

    def publish(self, to: str, *, keep: int = 5, dry: bool = False) -> str:
        return publication.publish(self.home, to, keep=keep, dry=dry, project=self.project)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def git(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return ended.stdout


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "www" / "book"
    folder.parent.mkdir()
    return folder


@pytest.fixture(params=["folder", "rsync"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "rsync":
        assert shutil.which("rsync"), "These tests need rsync: apt-get install rsync"
    return str(request.param)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def reading(address: str, faults: list[str]) -> Iterator[Callable[[], int]]:
    """Read the pages in a loop, noting every answer that is no whole page."""
    stop, read = threading.Event(), [0]

    def loop() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                for page in PAGES:
                    answer = session.get(f"{address}/{page}", timeout=10)
                    words = set(answer.text.removeprefix("<html>").partition("<img")[0].split())
                    whole = answer.text.endswith("</html>") and len(words) == 1
                    if answer.status_code != 200 or not whole:
                        faults.append(f"{page}: {answer.status_code} {answer.text[:60]}")
                    read[0] += 1

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield lambda: read[0]
    finally:
        stop.set()
        thread.join()


def test_a_branch_gets_the_book_as_one_commit_on_top_of_the_last(checkout: Checkout) -> None:
    said = checkout.publish("branch")
    assert said.startswith("Published: branch gh-pages of origin.\nadded: 4 pages, 4 other files")
    checkout.build("two")
    said = checkout.publish("branch")
    assert "added: 1 page, 1 other file\n  runs/two.html" in said
    assert "changed: 3 pages, 1 other file" in said
    assert "removed: 1 page, 1 other file\n  runs/one.html" in said
    copy = checkout.project.parent / "copy"
    git(copy.parent, "clone", "--quiet", "--branch=gh-pages", str(checkout.remote), str(copy))
    assert tree(copy) == {**tree(checkout.home.home / "site"), ".nojekyll": ""}
    assert git(copy, "log", "--format=%s %an").splitlines() == ["Publish the book Reader"] * 2
    assert git(checkout.project, "branch", "--show-current").strip() == "main"
    assert git(checkout.project, "status", "--porcelain") == ""


def test_the_same_book_is_not_published_twice(checkout: Checkout) -> None:
    checkout.publish("branch:book")
    said = checkout.publish("branch:book")
    assert said == "Nothing to publish: branch book of origin has this book already."
    assert git(checkout.remote, "rev-list", "--count", "book").strip() == "1"


def test_a_commit_that_another_machine_pushed_is_built_upon(checkout: Checkout) -> None:
    checkout.publish("branch")
    other = checkout.project.parent / "other"
    git(other.parent, "clone", "--quiet", "--branch=gh-pages", str(checkout.remote), str(other))
    (other / "runs" / "other.html").write_text("<html>")
    git(other, "add", ".")
    git(other, "-c", "user.name=a", "-c", "user.email=b", "commit", "--quiet", "-m", "other")
    git(other, "push", "--quiet")
    assert "removed: 1 page" in checkout.publish("branch", dry=True)
    assert git(checkout.remote, "rev-list", "--count", "gh-pages").strip() == "2"
    checkout.publish("branch")
    assert git(checkout.remote, "rev-list", "--count", "gh-pages").strip() == "3"


def test_a_branch_of_something_else_is_refused(checkout: Checkout) -> None:
    with pytest.raises(SettingsError, match=r"main is checked out in .*checkout"):
        checkout.publish("branch:main")
    git(checkout.project, "push", "--quiet", "origin", "main:work")
    with pytest.raises(SettingsError, match="refs/remotes/origin/work holds something else"):
        checkout.publish("branch:work")
    git(checkout.project, "branch", "local")
    with pytest.raises(SettingsError, match="refs/heads/local holds something else"):
        checkout.publish("branch:local")
    git(checkout.project, "remote", "rename", "origin", "hub")
    with pytest.raises(SettingsError, match="no remote origin"):
        checkout.publish("branch")
    assert "branch book of hub" in checkout.publish("branch:hub/book")


def test_a_remote_that_is_gone_is_one_line(checkout: Checkout) -> None:
    shutil.rmtree(checkout.remote)
    with pytest.raises(PublicationError, match=r"git ls-remote failed: fatal: .*") as found:
        checkout.publish("branch")
    assert "\n" not in str(found.value)


def test_no_password_of_an_address_is_shown(tmp_path: Path) -> None:
    with pytest.raises(
        PublicationError, match=r"^it failed: fatal: .*https://127\.0\.0\.1:9/x"
    ) as found:
        trees.command(
            ["git", "ls-remote", "https://reader:s3cret@127.0.0.1:9/x"], tmp_path, "it failed"
        )
    assert "s3cret" not in str(found.value)


def test_a_remote_that_refuses_is_one_line(checkout: Checkout) -> None:
    hook = checkout.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PublicationError, match=r"gh-pages of origin was not published: .*rejected"):
        checkout.publish("branch")
    hook.unlink()
    assert "Published" in checkout.publish("branch")


def test_readers_never_see_half_a_book(checkout: Checkout, place: Path, kind: str) -> None:
    checkout.publish(f"{kind}:{place}")
    faults: list[str] = []
    with served(place) as address, reading(address, faults) as read:
        before = read()
        for round_ in range(6):
            checkout.build(f"word{round_} ", size=20_000)
            checkout.publish(f"{kind}:{place}", keep=1)
        assert read() > before
    assert faults == []


def test_a_folder_is_a_link_to_the_newest_publication(
    checkout: Checkout, place: Path, kind: str
) -> None:
    for word in ("one", "two", "three", "four"):
        checkout.build(word)
        checkout.publish(f"{kind}:{place}", keep=2)
    assert place.readlink() == Path("book.published/000004")
    whole = place.with_name("book.published")
    folders = sorted(path.name for path in whole.iterdir() if path.is_dir())
    assert folders == ["000002", "000003", "000004"]
    assert tree(whole / "000002")["index.html"].startswith("<html>two")
    found = tree(place)
    assert found.pop(".nojekyll") == ""
    site = tree(checkout.home.home / "site")
    assert found.items() >= site.items()
    assert (place / "_static" / "book.css").stat().st_nlink >= 3


def test_a_folder_keeps_the_pictures_of_a_page_that_is_open(
    checkout: Checkout, place: Path
) -> None:
    checkout.publish(f"folder:{place}")
    for word, kept in (("two", {"one", "two"}), ("three", {"two", "three"})):
        checkout.build(word)
        said = checkout.publish(f"folder:{place}")
        assert "removed: 1 page, 1 other file" in said
        assert {path.stem for path in (place / "_images").iterdir()} == kept
        assert not (place / "runs" / "one.html").exists()


def test_a_dry_run_says_what_would_change_and_writes_nothing(
    checkout: Checkout, place: Path, kind: str
) -> None:
    said = checkout.publish(f"{kind}:{place}", dry=True)
    assert said.startswith("Would publish to folder")
    assert "added: 4 pages, 4 other files" in said
    assert list(place.parent.iterdir()) == []
    checkout.publish(f"{kind}:{place}")
    checkout.build("two")
    before = tree(place.parent)
    said = checkout.publish(f"{kind}:{place}", dry=True)
    assert "added: 1 page, 1 other file\n  runs/two.html" in said
    assert "changed: 3 pages, 1 other file\n  index.html\n" in said
    assert "removed: 1 page, 1 other file\n  runs/one.html" in said
    assert tree(place.parent) == before
    checkout.publish(f"{kind}:{place}")
    assert checkout.publish(f"{kind}:{place}").startswith("Nothing to publish")
    assert place.readlink().name == "000002"


def test_a_place_that_is_taken_is_refused(checkout: Checkout, place: Path, kind: str) -> None:
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    with pytest.raises(SettingsError, match="is there and no publication of a book"):
        checkout.publish(f"{kind}:{place}")
    shutil.rmtree(place)
    place.symlink_to(checkout.project)
    with pytest.raises(SettingsError, match="is there and no publication of a book"):
        checkout.publish(f"{kind}:{place}")
    assert (checkout.project / "book" / "page.md").is_file()


def test_what_a_killed_publication_left_goes(checkout: Checkout, place: Path, kind: str) -> None:
    checkout.publish(f"{kind}:{place}")
    half = place.with_name("book.published") / ("000002.part" if kind == "folder" else "000002")
    half.mkdir()
    (half / "index.html").write_text("half")
    checkout.build("two")
    checkout.publish(f"{kind}:{place}")
    assert place.readlink().name == "000003"
    assert not half.exists()


def test_a_place_that_cannot_be_written_is_one_line(checkout: Checkout, kind: str) -> None:
    with pytest.raises((PublicationError, SettingsError), match=r"/proc/nowhere|Cannot write"):
        checkout.publish(f"{kind}:/proc/nowhere/book")


def test_without_rsync_it_says_so(
    checkout: Checkout, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match=r"rsync is not installed.*apt-get install rsync"):
        checkout.publish(f"rsync:{place}")


@pytest.mark.parametrize(
    ("where", "parent"),
    [
        ("reader@host:/srv/www/book", "reader@host:/srv/www"),
        ("host:book", "host:."),
        ("/book", ""),
        ("rsync://host/module/book", "rsync://host/module"),
    ],
)
def test_a_host_is_told_from_its_folder(where: str, parent: str) -> None:
    found = remote.Rsync(where)
    assert found._all == f"{parent}/book.published"


@pytest.mark.parametrize("to", ["", "folder", "folder:", "rsync:", "ftp:there", "gh-pages"])
def test_no_place_is_said_with_the_places_there_are(checkout: Checkout, to: str) -> None:
    with pytest.raises(SettingsError, match="needed is TO=branch, branch:NAME, folder:PATH"):
        targets.parse(to, checkout.project)


def test_a_book_that_is_not_built_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match=r"There is no built book in .*; make book builds it"):
        publication.publish(Settings(home=tmp_path), f"folder:{tmp_path / 'www'}")


@pytest.mark.parametrize("what", ["page", "run", "build"])
def test_a_stale_book_is_refused(checkout: Checkout, place: Path, what: str) -> None:
    later = checkout.home.home / "build" / "assembled"
    newer = later.stat().st_mtime_ns + 1_000_000
    if what == "page":
        path = checkout.project / "book" / "page.md"
        os.utime(path, ns=(newer, newer))
    elif what == "run":
        path = checkout.home.home / "runs" / "report" / "one.json"
        write(path, "{}")
        os.utime(path, ns=(newer * 2, newer * 2))
    else:
        path = Path("The last build of the book failed")
        (checkout.home.home / "build" / "built").unlink()
    with pytest.raises(BookError, match=path.name):
        checkout.publish(f"folder:{place}", dry=True)
    assert not place.exists()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("NBTOOLS_TELEGRAM_TOKEN", "123456:AAbb<cc>", "123456:AAbb&lt;cc&gt;"),
        ("NBTOOLS_TELEGRAM_OPS_CHAT", "-1001234567", "-1001234567"),
        ("NBTOOLS_WAREHOUSE", "clickhouse://reader:pa%2Fss w0rd@host/db", "pa/ss w0rd"),
        ("NBTOOLS_STATE_URL", "postgresql://u:longsecret@host/db", "longsecret"),
    ],
)
def test_a_book_with_a_secret_is_refused(
    checkout: Checkout,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    shown: str,
) -> None:
    monkeypatch.setenv("NBTOOLS_TELEGRAM_CHAT", "@reports_of_us")
    monkeypatch.setenv(name, value)
    checkout.publish(f"folder:{place}")
    checkout.build("two")
    page = (checkout.home.home / "site" / "runs" / "report.html").resolve()
    page.write_text(page.read_text() + shown)
    for dry in (True, False):
        with pytest.raises(
            BookError, match=rf"runs/report\.html holds the secret of {name}\."
        ) as found:
            checkout.publish(f"folder:{place}", dry=dry)
        assert shown not in str(found.value)
    assert place.readlink().name == "000001"


def test_the_command_needs_a_place() -> None:
    found = CliRunner().invoke(__main__.main, ["publish"])
    assert found.exit_code == 2
    assert "--to" in found.output


def test_the_workflow_for_github_pages_uses_the_same_targets() -> None:
    path = PROJECT / "deploy" / "github" / "pages.yml"
    job = yaml.safe_load(path.read_text())["jobs"]["book"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    made = [
        word.split()[1]
        for command in commands
        for word in command.splitlines()
        if word.startswith("make ")
    ]
    assert made == ["book", "publish"]
    assert not (PROJECT / ".github").exists()
