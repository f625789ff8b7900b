from pathlib import Path

import pytest
import yaml

from nbtools.errors import SettingsError
from nbtools.settings import PROJECT
from nbtools.source import ATTRIBUTES, COLUMNS, find_file, load_source

SHIPPED = PROJECT / "parameters" / "source.yml"
FEED = {"user_id", "post_id", "action", "time", *ATTRIBUTES}
MESSAGES = {"user_id", "reciever_id", "time", *ATTRIBUTES}


def tables(feed: set[str] = FEED, messages: set[str] = MESSAGES) -> dict[tuple[str, str], set[str]]:
    return {("app", "feed_actions"): feed, ("app", "message_actions"): messages}


def names(path: Path = SHIPPED, **columns: set[str]) -> dict[str, str]:
    existing = tables(**columns)
    return load_source(path, lambda *place: existing.get(place, set())).names


def changed(path: Path, **changes: object) -> Path:
    content = yaml.safe_load(SHIPPED.read_text())
    for place, value in changes.items():
        *parents, last = place.split("__")
        node = content
        for parent in parents:
            node = node[parent]
        if value is None:
            del node[last]
        else:
            node[last] = value
    path.write_text(yaml.safe_dump(content))
    return path


def test_every_canonical_column_has_a_name() -> None:
    columns = {f"{table}_{name}" for table, those in COLUMNS.items() for name in those}
    places = {f"{table}_{what}" for table in COLUMNS for what in ("database", "table")}
    assert set(names()) == columns | places


@pytest.mark.parametrize("spelling", ["reciever_id", "receiver_id"])
def test_both_spellings_of_the_receiver_are_found(spelling: str) -> None:
    found = names(messages=MESSAGES - {"reciever_id"} | {spelling})
    assert found["messages_receiver_id"] == spelling


def test_the_first_spelling_that_exists_is_taken() -> None:
    assert names(messages=MESSAGES | {"receiver_id"})["messages_receiver_id"] == "reciever_id"


def test_the_home_has_its_own_names_if_it_wants(tmp_path: Path) -> None:
    assert find_file(tmp_path) == SHIPPED
    (tmp_path / "source.yml").touch()
    assert find_file(tmp_path) == tmp_path / "source.yml"


def test_a_missing_column_is_told_with_file_and_key() -> None:
    with pytest.raises(
        SettingsError,
        match=r"app\.feed_actions has no column os, named as feed\.columns\.os in .*source\.yml",
    ):
        names(feed=FEED - {"os"})


def test_every_spelling_that_was_tried_is_told() -> None:
    with pytest.raises(SettingsError, match="no column reciever_id or receiver_id"):
        names(messages=MESSAGES - {"reciever_id"})


def test_a_missing_table_is_remembered_with_file_and_key() -> None:
    found = load_source(SHIPPED, lambda *place: FEED if place[1] == "feed_actions" else set())
    assert "app.message_actions, named as messages.table in" in found.missing
    assert str(SHIPPED) in found.missing


def test_a_whole_source_misses_nothing() -> None:
    existing = tables()
    assert load_source(SHIPPED, lambda *place: existing[place]).missing == ""


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"feed__columns__os": None}, r"feed\.columns misses os"),
        ({"feed__columns__likes": "likes"}, r"feed\.columns has an unknown likes"),
        ({"feed__table": None}, r"feed\.table: Field required"),
        ({"feed__tabel": "x"}, r"feed\.tabel: Extra inputs"),
        ({"clicks": {}}, "clicks: Extra inputs"),
        ({"messages": None}, "messages: Field required"),
        ({"feed__columns__os": 7}, r"feed\.columns\.os"),
    ],
)
def test_a_wrong_file_is_told_with_its_key(
    tmp_path: Path, changes: dict[str, object], needed: str
) -> None:
    path = changed(tmp_path / "source.yml", **changes)
    with pytest.raises(SettingsError, match=needed) as caught:
        names(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a", "a: [", "\t"])
def test_a_file_that_is_no_mapping_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "source.yml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"source\.yml") as caught:
        names(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot read .*No such file"):
        names(tmp_path / "none.yml")
    (tmp_path / "latin.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        names(tmp_path / "latin.yml")
