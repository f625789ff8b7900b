"""Real logs through a mapping: generated ones with known content, and those under realdata."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from nbtools import loader, rejects, settings, warehouse
from nbtools.errors import InputError, SettingsError
from nbtools.mapping import read_mapping
from nbtools.settings import Settings

MAPPINGS = Path(__file__).parents[1] / "parameters" / "mappings"

# Two full days in Moscow time (UTC+3): 2023-03-01 and 2023-03-02, the last event at 23:30.
EVENTS = [
    {"who": "ann", "what": "a1", "kind": "view", "at": "2023-03-01T07:00:00Z", "os": "Android"},
    {"who": "bob", "what": "b2", "kind": "view", "at": "2023-03-01T06:00:00Z", "os": "iOS"},
    {"who": "ann", "what": "b2", "kind": "like", "at": "2023-03-01T07:00:30Z", "os": "iOS"},
    {"who": "ann", "what": "a1", "kind": "view", "at": "2023-03-02T20:30:00Z", "os": "Android"},
]
LATE = {"at": "2023-03-02T20:30:00Z"}
FEED: dict[str, Any] = {
    "title": "A log",
    "feed": {
        "file": "log.csv",
        "columns": {
            "user_id": {"column": "who", "rank": True},
            "post_id": {"column": "what", "rank": True},
            "action": {"column": "kind"},
            "time": {"column": "at"},
            "gender": {"constant": 1},
            "age": {"constant": 30},
            "country": {"constant": "Iceland"},
            "city": {"constant": ""},
            "os": {"column": "os"},
            "source": {"constant": "ads"},
            "exp_group": {"constant": -1},
        },
    },
}
SENT = [
    {"from": "bob", "to": "ann", "at": "2023-03-01T08:00:00Z"},
    {"from": "cid", "to": "dan", "at": "2023-03-01T05:00:00Z"},
]
MESSAGES: dict[str, Any] = {
    "file": "messages.csv",
    "columns": {
        "user_id": {"column": "from", "rank": True},
        "receiver_id": {"column": "to", "rank": True},
        "time": {"column": "at"},
        **{name: {"from": "feed"} for name in ("gender", "age", "country", "city", "source")},
        "os": {"from": "feed", "default": "none"},
        "exp_group": {"from": "feed"},
    },
}
ORDERED = {
    "feed_actions": """SELECT *, toString(time) AS local FROM app.feed_actions
        ORDER BY time, user_id, post_id, action""",
    "message_actions": "SELECT * FROM app.message_actions ORDER BY time, user_id, reciever_id",
}


def changed(path: str, value: Any, mapping: dict[str, Any] = FEED) -> dict[str, Any]:
    """Return a mapping with one key set; None removes it."""
    copy = deepcopy(mapping)
    place = copy
    *parents, last = path.split(".")
    for key in parents:
        place = place[key]
    place[last] = value
    if value is None:
        del place[last]
    return copy


def both(**more: Any) -> dict[str, Any]:
    return {**deepcopy(FEED), "messages": deepcopy(MESSAGES), **more}


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def load(
    home: Settings, folder: Path, mapping: dict[str, Any], **files: bytes
) -> loader.LoadResult:
    """Load a mapping whose files are given by name, a point written as two underscores."""
    files = {"log__csv": as_csv(EVENTS), "messages__csv": as_csv(SENT), **files}
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    path = folder / "history.yml"
    path.write_text(yaml.safe_dump(mapping, sort_keys=False))
    return loader.load(home, path, data=folder)


def query(home: Settings, text: str) -> pd.DataFrame:
    with warehouse.open_warehouse(home) as db:
        result = db.client.query(text)
    # No block, and so no names, comes without rows.
    return pd.DataFrame([list(row) for row in result.result_rows], columns=result.column_names)


def table(home: Settings, name: str = "feed_actions") -> pd.DataFrame:
    return query(home, ORDERED[name])


def info(home: Settings) -> dict[str, Any]:
    with warehouse.open_source(home) as source:
        return warehouse.source_info(source)


# The logs under realdata


@pytest.fixture(scope="module")
def real_home(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = Settings(home=tmp_path_factory.mktemp("real") / "home", realdata=realdata)
    loader.load(home, MAPPINGS / "deskdrop_collegemsg.yml")
    return home


@pytest.fixture(scope="module")
def deskdrop(realdata: Path) -> list[dict[str, str]]:
    path = realdata / "deskdrop" / "users_interactions.csv.zip"
    with zipfile.ZipFile(path) as archive, archive.open("users_interactions.csv") as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))


@pytest.fixture(scope="module")
def collegemsg(realdata: Path) -> list[list[str]]:
    with gzip.open(realdata / "collegemsg" / "CollegeMsg.txt.gz", "rt") as file:
        return [line.split() for line in file]


def first_events(pairs: Iterator[tuple[str, int]]) -> list[str]:
    """Return keys in the order of their earliest event, of two alike the one read first."""
    first: dict[str, tuple[int, int]] = {}
    for line, (key, moment) in enumerate(pairs):
        first[key] = min((moment, line), first.get(key, (moment, line)))
    return sorted(first, key=lambda key: first[key])


def test_the_raw_logs_are_the_published_ones(
    deskdrop: list[dict[str, str]], collegemsg: list[list[str]]
) -> None:
    assert len(deskdrop) == 72_312
    assert len({row["personId"] for row in deskdrop}) == 1_895
    kinds = Counter(row["eventType"] for row in deskdrop)
    assert (kinds["VIEW"], kinds["LIKE"]) == (61_086, 5_745)
    assert len(collegemsg) == 59_835
    assert len({person for row in collegemsg for person in row[:2]}) == 1_899


def test_every_view_and_like_of_deskdrop_is_loaded(
    real_home: Settings, deskdrop: list[dict[str, str]]
) -> None:
    kept = [row for row in deskdrop if row["eventType"] in {"VIEW", "LIKE"}]
    users = first_events((row["personId"], int(row["timestamp"])) for row in kept)
    posts = first_events((row["contentId"], int(row["timestamp"])) for row in kept)
    user_ids = {key: place for place, key in enumerate(users, 1)}
    post_ids = {key: place for place, key in enumerate(posts, 1)}
    assert len(users) == 1_894  # one of the 1,895 has only other events
    expected = Counter(
        (
            user_ids[row["personId"]],
            post_ids[row["contentId"]],
            row["eventType"].lower(),
            int(row["timestamp"]) + 351 * 7 * 86400,
        )
        for row in kept
    )
    found = query(
        real_home, "SELECT user_id, post_id, action, toUnixTimestamp(time) FROM app.feed_actions"
    )
    assert Counter(found.itertuples(index=False, name=None)) == expected
    assert sum(count - 1 for count in expected.values()) == 2_284


def test_every_message_of_collegemsg_is_loaded(
    real_home: Settings, collegemsg: list[list[str]]
) -> None:
    senders = first_events((sender, int(moment)) for sender, _, moment in collegemsg)
    receivers = first_events((receiver, int(moment)) for _, receiver, moment in collegemsg)
    assert len(senders) == 1_350
    order = [*senders, *(key for key in receivers if key not in set(senders))]
    ids = {key: place for place, key in enumerate(order, 1)}
    expected = Counter(
        (ids[sender], ids[receiver], int(moment) + 973 * 7 * 86400)
        for sender, receiver, moment in collegemsg
    )
    found = query(
        real_home, "SELECT user_id, reciever_id, toUnixTimestamp(time) FROM app.message_actions"
    )
    assert Counter(found.itertuples(index=False, name=None)) == expected
    assert sum(count - 1 for count in expected.values()) == 37


def test_weekdays_of_the_real_logs_stay(
    real_home: Settings, deskdrop: list[dict[str, str]]
) -> None:
    times = [int(row["timestamp"]) for row in deskdrop if row["eventType"] in {"VIEW", "LIKE"}]
    expected = Counter(datetime.fromtimestamp(moment, UTC).isoweekday() for moment in times)
    found = query(
        real_home,
        "SELECT toDayOfWeek(time, 0, 'UTC') AS day, count() FROM app.feed_actions GROUP BY day",
    )
    assert dict(found.itertuples(index=False, name=None)) == expected


SYSTEMS = {
    "Android": "Android",
    "iPhone": "iOS",
    "iPad": "iOS",
    "iOS": "iOS",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def test_a_real_users_system_is_the_most_frequent_one(
    real_home: Settings, deskdrop: list[dict[str, str]]
) -> None:
    kept = [row for row in deskdrop if row["eventType"] in {"VIEW", "LIKE"}]
    users = first_events((row["personId"], int(row["timestamp"])) for row in kept)
    counts: dict[str, Counter[str]] = {user: Counter() for user in users}
    for row in kept:
        names = [name for mark, name in SYSTEMS.items() if mark in row["userAgent"]]
        counts[row["personId"]].update(names[:1])
    expected = {}
    for number, user in enumerate(users, 1):
        (name, most), *others = counts[user].most_common(2)
        if not others or others[0][1] < most:
            expected[number] = name
    assert len(expected) > 1_850  # few users have two systems alike
    found = query(real_home, "SELECT DISTINCT user_id, os FROM app.feed_actions")
    systems = dict(found.itertuples(index=False, name=None))
    assert {number: systems[number] for number in expected} == expected


def test_a_real_user_has_one_set_of_attributes_in_both_services(real_home: Settings) -> None:
    found = query(
        real_home,
        """SELECT uniqExact(user_id) AS users,
            uniqExact(user_id, gender, age, country, city, os, source, exp_group) AS sets
        FROM (SELECT * EXCEPT (post_id, action) FROM app.feed_actions
            UNION ALL SELECT * EXCEPT reciever_id FROM app.message_actions)""",
    )
    assert found["users"].tolist() == found["sets"].tolist() == [1_894]


def test_real_users_split_into_five_groups_and_two_genders(real_home: Settings) -> None:
    # 1,894 users: a fifth is 379 with a standard deviation of 17; 55 % are 1,042 with 22.
    found = query(
        real_home,
        """SELECT exp_group, uniqExact(user_id) AS users, uniqExactIf(user_id, gender = 1) AS men
        FROM app.feed_actions GROUP BY exp_group ORDER BY exp_group""",
    )
    assert found["exp_group"].tolist() == [0, 1, 2, 3, 4]
    assert found["users"].between(379 - 68, 379 + 68).all()
    assert abs(found["men"].sum() - 1_042) < 88


def test_the_book_can_say_what_the_real_history_is(real_home: Settings) -> None:
    found = info(real_home)
    assert (found["kind"], found["start"], found["today"], found["days"]) == (
        "log",
        "2022-12-05",
        "2023-11-21",  # the log ends in the evening of that day, so it is not over
        351,
    )
    assert "Panzarasa" in found["citation"]
    measured = {"feed.user_id", "feed.post_id", "feed.action", "feed.time", "feed.country"}
    assert not measured & set(found["synthetic_columns"])
    drawn = {"feed.gender", "feed.age", "feed.source", "feed.exp_group", "messages.user_id"}
    assert drawn <= set(found["synthetic_columns"])
    assert any("artificial" in note for note in found["notes"])
    assert any("2,284 rows of feed repeat" in note for note in found["notes"])


# Files


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


FORMATS: dict[str, Callable[[list[dict[str, str]]], bytes]] = {
    "csv": as_csv,
    "tsv": lambda rows: as_csv(rows, "\t"),
    "jsonl": lambda rows: "\n".join(map(json.dumps, rows)).encode(),
    "parquet": as_parquet,
}


def zipped(content: bytes, name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("__MACOSX/._x", "no data")
    return file.getvalue()


@pytest.mark.parametrize("packing", ["", "gz", "zip"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_log_is_the_same_in_every_format(
    kind: str, packing: str, home: Settings, tmp_path: Path
) -> None:
    content = FORMATS[kind](EVENTS)
    name = f"log.{kind}"
    if packing:
        content = gzip.compress(content) if packing == "gz" else zipped(content, name)
        name = f"{name}.{packing}"
    (tmp_path / name).write_bytes(content)
    result = load(home, tmp_path, changed("feed.file", name))
    assert result.rows == {"feed_actions": 4}
    found = table(home)
    # bob comes first in time, so he is 1 and his post is 1.
    assert found["user_id"].tolist() == [1, 2, 2, 2]
    assert found["post_id"].tolist() == [1, 2, 1, 2]
    assert found["action"].tolist() == ["view", "view", "like", "view"]
    assert found["os"].tolist() == ["iOS", "Android", "iOS", "Android"]
    assert found["local"].tolist()[::3] == ["2023-03-01 09:00:00", "2023-03-02 23:30:00"]


def test_types_of_parquet_and_json_become_plain_texts(home: Settings, tmp_path: Path) -> None:
    times = pa.array([datetime(2023, 3, 1, 7, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    rows = pa.table(
        {
            "who": pa.array([2**32 - 1, None], pa.float64()).fill_null(7.0),
            "what": pa.array([5, 6], pa.int64()),
            "kind": pa.array(["view", "like"]).dictionary_encode(),
            "at": times,
            "os": pa.array([None, "x"]),
            "old": pa.array([[1, 2], []]),
        }
    )
    pq.write_table(rows, tmp_path / "log.parquet")
    lines = [
        {"who": 2**32 - 1, "what": 5, "kind": "view", "at": "2023-03-01T07:00:00Z"},
        {"at": "2023-03-01T07:00:00Z", "os": "x", "kind": "like", "what": 6.0, "who": "7"},
    ]
    (tmp_path / "log.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    mapping = changed("last_day", date(2023, 3, 1))
    for key, column in (("user_id", "who"), ("post_id", "what")):
        mapping = changed(f"feed.columns.{key}", {"column": column}, mapping)
    mapping = changed("feed.columns.os.default", "unknown", mapping)
    for name in ("log.parquet", "log.jsonl"):
        load(home, tmp_path, changed("feed.file", name, mapping))
        found = table(home)
        assert found["user_id"].tolist() == [7, 2**32 - 1]
        assert found["post_id"].tolist() == [6, 5]
        assert found["os"].tolist() == ["x", "unknown"]


def test_a_quoted_field_may_run_over_lines_and_a_reject_names_its_first(
    home: Settings, tmp_path: Path
) -> None:
    text = (
        b"\xef\xbb\xbfwho,what,kind,at,os\r\n"
        b'ann,a1,view,2023-03-01T07:00:00Z,"a\r\nlong ""name"""\r\n'
        b"\r\n"
        b'ann,a1,view,never,"two\r\nlines"\r\n'
        b"bob,b2,view,2023-03-02T20:30:00Z,iOS\r\n"
    )
    result = load(home, tmp_path, changed("max_reject_share", 0.5), log__csv=text)
    assert table(home)["os"].tolist() == ['a\r\nlong "name"', "iOS"]
    assert result.rejects == {"feed: time cannot be read": 1}
    assert result.reject_file is not None
    with result.reject_file.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["log"], row["file"], row["line"], row["reason"]) for row in rows] == [
        ("feed", "log.csv", "5", "time cannot be read")
    ]
    assert json.loads(rows[0]["fields"]) == {
        "who": "ann",
        "what": "a1",
        "kind": "view",
        "at": "never",
        "os": "two\r\nlines",
    }


def test_a_file_without_header_takes_names_and_any_delimiter(
    home: Settings, tmp_path: Path
) -> None:
    mapping = changed("feed.names", ["who", "what", "kind", "at", "os"])
    mapping = changed("feed.delimiter", "|", mapping)
    mapping = changed("feed.format", "csv", changed("feed.file", "log.txt", mapping))
    rows = "\n".join("|".join(event.values()) for event in EVENTS).encode()
    assert load(home, tmp_path, mapping, log__txt=rows).rows == {"feed_actions": 4}


def test_quotes_are_plain_text_when_the_mapping_says_so(home: Settings, tmp_path: Path) -> None:
    rows = as_csv(EVENTS, "\t").replace(b"Android", b'"Andr')
    mapping = changed("feed.quote", "", changed("feed.file", "log.tsv"))
    load(home, tmp_path, mapping, log__tsv=rows)
    assert table(home)["os"].tolist() == ["iOS", '"Andr', "iOS", '"Andr']


def test_a_pattern_takes_all_files_in_the_order_of_their_names(
    home: Settings, tmp_path: Path
) -> None:
    mapping = changed("feed.file", "day-*.csv", changed("max_reject_share", 0.5))
    bad = [{**EVENTS[0], "at": "?"}]
    result = load(
        home,
        tmp_path,
        mapping,
        **{"day-2__csv": as_csv([*EVENTS[2:], *bad]), "day-1__csv": as_csv(EVENTS[:2])},
    )
    assert result.rows == {"feed_actions": 4}
    assert result.reject_file is not None
    assert "feed,day-2.csv,4,time cannot be read" in result.reject_file.read_text()


def test_other_encodings_are_read_when_named(home: Settings, tmp_path: Path) -> None:
    rows = as_csv([{**EVENTS[0], "os": "Größe"}, EVENTS[3]])
    for encoding in ("latin-1", "utf-16"):
        content = rows.decode().encode(encoding)
        load(home, tmp_path, changed("feed.encoding", encoding), log__csv=content)
        assert table(home)["os"].tolist() == ["Größe", "Android"]


# What a mapping can do


def one_column(
    home: Settings, folder: Path, key: str, entry: dict[str, Any], events: Any = None
) -> list[Any]:
    """Load the log with another entry for a column and return its values."""
    log = as_csv(events or EVENTS)
    load(home, folder, changed(f"feed.columns.{key}", entry), log__csv=log)
    values: list[Any] = table(home)[key].tolist()
    return values


def test_values_are_recoded_and_others_stay(home: Settings, tmp_path: Path) -> None:
    entry = {"column": "os", "values": {"iOS": "Apple"}}
    assert one_column(home, tmp_path, "os", entry) == ["Apple", "Android", "Apple", "Android"]


def test_values_outside_the_list_become_the_default(home: Settings, tmp_path: Path) -> None:
    entry = {"column": "os", "values": {"iOS": 0}, "default": 1}
    assert one_column(home, tmp_path, "gender", entry) == [0, 1, 0, 1]


def test_text_outside_the_list_becomes_the_default_too(home: Settings, tmp_path: Path) -> None:
    entry = {"column": "os", "values": {"iOS": "Apple"}, "default": "other"}
    assert one_column(home, tmp_path, "os", entry) == ["Apple", "other", "Apple", "other"]
    entry = {"column": "kind", "values": {"like": "like"}, "default": "view"}
    events = [{**event, "kind": event["kind"].replace("view", "seen")} for event in EVENTS]
    found = one_column(home, tmp_path, "action", entry, events)
    assert found == ["view", "view", "like", "view"]


def test_an_expression_may_use_every_column_also_one_called_like_ours(
    home: Settings, tmp_path: Path
) -> None:
    events = [{**event, "time": "t", "user_id": "u", "odd `name`": "!"} for event in EVENTS]
    entry = {"expression": "concat(who, user_id, time, `odd \\`name\\``) -- all of them"}
    found = one_column(home, tmp_path, "city", entry, events)
    assert found == ["bobut!", "annut!", "annut!", "annut!"]


def test_the_most_frequent_value_of_a_user_stands_in_each_row(
    home: Settings, tmp_path: Path
) -> None:
    events = [*EVENTS[:3], {**EVENTS[0], "at": "2023-03-01T07:00:10Z"}, {**EVENTS[2], **LATE}]
    events.insert(0, {**EVENTS[0], "at": "2023-03-01T05:00:00Z"})
    found = one_column(home, tmp_path, "os", {"column": "os", "per": "user"}, events)
    # ann: Android three times, then iOS twice; bob iOS.
    assert sorted(found) == ["Android"] * 5 + ["iOS"]


def test_missing_values_do_not_count_for_the_most_frequent(home: Settings, tmp_path: Path) -> None:
    events = [{**event, "os": "" if event["os"] == "Android" else "iOS"} for event in EVENTS]
    found = one_column(home, tmp_path, "os", {"column": "os", "per": "user"}, events)
    assert found == ["iOS"] * 4


def test_of_two_values_alike_the_later_is_taken(home: Settings, tmp_path: Path) -> None:
    found = one_column(home, tmp_path, "os", {"column": "os", "per": "user"}, EVENTS[1:])
    assert found == ["iOS", "Android", "Android"]  # ann: iOS on day 1, Android on day 2


def test_numbers_that_cannot_be_used_become_the_default(home: Settings, tmp_path: Path) -> None:
    ages = ["300", "41.0", "n/a", "0"]
    events = [{**event, "age": age} for event, age in zip(EVENTS, ages, strict=True)]
    found = one_column(home, tmp_path, "age", {"column": "age", "default": 99}, events)
    assert found == [41, 99, 99, 0]  # in the order of time


TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "s": ({"unit": "s"}, "1677657600.9"),
    "ms": ({"unit": "ms"}, "1677657600900"),
    "us": ({"unit": "us"}, "1677657600900000"),
    "iso with zone": ({}, "2023-03-01T08:00:00.9+00:00"),
    "iso with Z": ({}, "2023-03-01 08:00:00Z"),
    "iso in the app's zone": ({}, "2023-03-01 11:00:00"),
    "iso in a named zone": ({"zone": "Asia/Tokyo"}, "2023-03-01 17:00:00"),
    "format": ({"format": "%d/%m/%Y %H:%i", "zone": "UTC"}, "01/03/2023 08:00"),
    "shift": ({"unit": "s", "shift": {"weeks": 2, "hours": -1}}, str(1677657600 - 335 * 3600)),
}


@pytest.mark.parametrize("case", TIMES)
def test_times_are_read_in_every_unit(case: str, home: Settings, tmp_path: Path) -> None:
    entry, text = TIMES[case]
    mapping = changed("feed.columns.time", {"column": "at", **entry})
    mapping = changed("last_day", date(2023, 3, 1), mapping)
    load(home, tmp_path, mapping, log__csv=as_csv([{**EVENTS[0], "at": text}]))
    found = query(home, "SELECT toUnixTimestamp(time) AS seconds FROM app.feed_actions")
    assert found["seconds"].tolist() == [1677657600]


def test_ids_that_are_numbers_stay_and_others_are_rejected(home: Settings, tmp_path: Path) -> None:
    ids = ["12", "4294967296", "-1", "4294967295"]
    events = [{**event, "who": key} for event, key in zip(EVENTS, ids, strict=True)]
    mapping = changed("feed.columns.user_id", {"column": "who"}, changed("max_reject_share", 0.5))
    result = load(home, tmp_path, mapping, log__csv=as_csv(events))
    assert table(home)["user_id"].tolist() == [12, 2**32 - 1]
    assert list(result.rejects.values()) == [2]


def test_draws_follow_weights_and_depend_on_user_and_seed(home: Settings, tmp_path: Path) -> None:
    events = [
        {**EVENTS[0], "who": f"user {number:04}", "at": f"2023-03-0{number % 2 + 1}T20:00:00Z"}
        for number in range(1000)
        for _ in range(2)
    ]
    mapping = changed("feed.columns.age", {"draw": {"18-19": 3, "20": 1}})
    mapping = changed("feed.columns.source", {"draw": {"ads": 1, "organic": 1}}, mapping)
    drawn: dict[int, pd.Series[Any]] = {}
    for seed in (1, 1, 2):
        load(home, tmp_path, {**mapping, "seed": seed}, log__csv=as_csv(events))
        found = table(home).drop_duplicates(["user_id", "age", "source"]).set_index("user_id")
        assert len(found) == 1000  # one value per user
        shares = found["age"].value_counts(normalize=True)
        # 3/8, 3/8 and 1/4 of 1,000 users, standard deviation at most 0.016.
        assert shares[18] == pytest.approx(0.375, abs=0.06)
        assert shares[19] == pytest.approx(0.375, abs=0.06)
        assert shares[20] == pytest.approx(0.25, abs=0.06)
        old = found["source"][found["age"] == 18].eq("ads").mean()
        assert old == pytest.approx(0.5, abs=0.1)  # columns are drawn independently
        before = drawn.setdefault(seed, found["age"].sort_index())
        assert before.equals(found["age"].sort_index())
    assert not drawn[1].equals(drawn[2])


def test_one_id_is_one_person_in_both_logs(home: Settings, tmp_path: Path) -> None:
    load(home, tmp_path, both())
    # By first event: cid at 5, bob at 6, ann at 7; dan only receives and comes last.
    messages = table(home, "message_actions")
    assert messages[["user_id", "reciever_id"]].to_numpy().tolist() == [[1, 4], [2, 3]]
    assert messages["os"].tolist() == ["none", "iOS"]  # cid is not in the feed
    assert table(home)["user_id"].tolist() == [2, 3, 3, 3]
    assert "messages.os" not in info(home)["synthetic_columns"]


def test_paired_logs_number_their_users_apart(home: Settings, tmp_path: Path) -> None:
    load(home, tmp_path, both(users="paired"))
    # Senders cid 1, bob 2; receivers dan 3 (at 5), ann 4 (at 8). Feed: bob 1, ann 2.
    messages = table(home, "message_actions")
    assert messages[["user_id", "reciever_id"]].to_numpy().tolist() == [[1, 3], [2, 4]]
    assert messages["os"].tolist() == ["iOS", "Android"]  # those of bob and ann
    assert table(home)["user_id"].tolist() == [1, 2, 2, 2]
    assert {"messages.user_id", "messages.os"} <= set(info(home)["synthetic_columns"])


def test_a_draw_of_the_feed_is_the_same_for_messages(home: Settings, tmp_path: Path) -> None:
    mapping = changed("feed.columns.age", {"draw": {"14-99": 1}}, both())
    load(home, tmp_path, mapping)
    found = query(
        home,
        """SELECT uniqExact(user_id) AS users, uniqExact(user_id, age) AS pairs, min(age) AS low
        FROM (SELECT user_id, age FROM app.feed_actions
            UNION ALL SELECT user_id, age FROM app.message_actions)""",
    )
    assert found["users"].tolist() == found["pairs"].tolist() == [3]
    assert found["low"].tolist()[0] >= 14  # cid, who is not in the feed, has one too


def test_messages_alone_make_a_history(home: Settings, tmp_path: Path) -> None:
    mapping: dict[str, Any] = {"title": "Messages", "messages": deepcopy(MESSAGES)}
    for name in ("gender", "age", "exp_group"):
        mapping["messages"]["columns"][name] = {"constant": 1}
    for name in ("country", "city", "os", "source"):
        mapping["messages"]["columns"][name] = {"constant": "x"}
    sent = [*SENT, {"from": "ann", "to": "bob", "at": "2023-03-02T20:59:00Z"}]
    result = load(home, tmp_path, mapping, messages__csv=as_csv(sent))
    assert result.rows == {"message_actions": 3}
    assert table(home).empty


def test_where_keeps_rows_and_sees_the_logs_names(home: Settings, tmp_path: Path) -> None:
    mapping = changed("feed.where", "kind = 'view' AND os != 'iOS' -- Android only")
    assert load(home, tmp_path, mapping).rows == {"feed_actions": 2}


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2023-03-02T19:59:59Z", date(2023, 3, 1)),  # 22:59:59 in Moscow
        ("2023-03-02T20:00:00Z", date(2023, 3, 2)),  # 23:00:00
        ("2023-03-02T21:00:00Z", date(2023, 3, 2)),  # midnight: a day that has begun
    ],
)
def test_the_last_day_is_full_when_it_has_events_after_23(
    last: str, expected: date, home: Settings, tmp_path: Path
) -> None:
    log = as_csv([*EVENTS[:3], {**EVENTS[3], "at": last}])
    result = load(home, tmp_path, FEED, log__csv=log)
    assert (result.first_day, result.last_day) == (date(2023, 3, 1), expected)
    found = info(home)
    assert found["today"] == str(expected + pd.Timedelta(days=1))
    assert found["days"] == (expected - date(2023, 3, 1)).days + 1


def test_events_after_a_given_last_day_are_left_out(home: Settings, tmp_path: Path) -> None:
    result = load(home, tmp_path, changed("last_day", date(2023, 3, 1)))
    assert result.rows == {"feed_actions": 3}
    assert result.last_day == date(2023, 3, 1)


def test_repeated_rows_stay_and_are_told(home: Settings, tmp_path: Path) -> None:
    result = load(home, tmp_path, FEED, log__csv=as_csv([*EVENTS, EVENTS[0], EVENTS[0]]))
    assert result.rows == {"feed_actions": 6}
    assert result.repeats == {"feed": 2}
    assert "2 rows of feed repeat another one" in str(result)


def test_a_load_can_be_repeated_and_pages_can_tell_another_one(
    home: Settings, tmp_path: Path
) -> None:
    load(home, tmp_path, FEED)
    first = table(home), info(home)
    load(home, tmp_path, FEED)
    again = table(home), info(home)
    pd.testing.assert_frame_equal(first[0], again[0])
    assert first[1] == again[1]
    load(home, tmp_path, changed("feed.columns.age.constant", 31))
    assert info(home)["fingerprint"] != first[1]["fingerprint"]


# Bad rows


def test_bad_rows_are_counted_by_reason_and_kept_in_a_file(home: Settings, tmp_path: Path) -> None:
    log = as_csv(EVENTS) + (
        b",a1,view,2023-03-01T07:00:00Z,x\r\n"  # line 6
        b"ann,,view,2023-03-01T07:00:00Z,x\r\n"
        b"ann,a1,share,2023-03-01T07:00:00Z,x\r\n"
        b"ann,a1,view,,x\r\n"
        b"ann,a1,view,2023-02-30T07:00:00Z,x\r\n"  # line 10
        b"ann,a1,view,1999-12-31T07:00:00Z,x\r\n"
        b"ann,a1,view,2100-01-01T07:00:00Z,x\r\n"
        b"ann,a1,view\r\n"
        b'ann,a1,view,"2023"-03-01T07:00:00Z,x\r\n'
        b"ann,a1,view,2023-03-01T07:00:00Z,x,y\r\n"
    )
    result = load(home, tmp_path, changed("max_reject_share", 0.75), log__csv=log)
    assert result.rows == {"feed_actions": 4}
    assert sum(result.rejects.values()) == 10
    assert result.rejects["feed: time cannot be read"] == 1
    assert result.reject_file == home.home / "rejects" / "history.csv"
    with result.reject_file.open(newline="", encoding="utf-8") as file:
        rows = {int(row["line"]): row for row in csv.DictReader(file)}
    assert {line: row["reason"] for line, row in rows.items()} == {
        6: "user_id is missing",
        7: "post_id is missing",
        8: "action is neither view nor like",
        9: "time is missing",
        10: "time cannot be read",
        11: "time is not between 2000 and 2099, after the shift",
        12: "time is not between 2000 and 2099, after the shift",
        13: "has 3 fields instead of 5",
        14: "is not ',' separated: ',' expected after '\"'",
        15: "has 6 fields instead of 5",
    }
    assert json.loads(rows[15]["fields"])[-1] == "y"
    load(home, tmp_path, FEED)
    assert not result.reject_file.exists()  # it is about the last load


def test_every_reject_is_written_once_however_many_there_are(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects, "_PAGE", 2)
    bad = [{**EVENTS[0], "at": "?"}] * 5
    mapping = changed("feed.file", "day-*.csv", changed("max_reject_share", 0.8))
    files = {"day-1__csv": as_csv([*bad, *EVENTS]), "day-2__csv": as_csv([EVENTS[0], *bad])}
    result = load(home, tmp_path, mapping, **files)
    assert result.reject_file is not None
    with result.reject_file.open(newline="", encoding="utf-8") as file:
        found = [(row["file"], int(row["line"])) for row in csv.DictReader(file)]
    first = [("day-1.csv", line) for line in range(2, 7)]
    assert found == [*first, *(("day-2.csv", line) for line in range(3, 8))]


def test_a_number_without_default_is_needed(home: Settings, tmp_path: Path) -> None:
    mapping = changed("feed.columns.age", {"column": "os"}, changed("max_reject_share", 0.9))
    with pytest.raises(InputError, match=r"4 of 4 rows of feed are bad .*age is missing or unus"):
        load(home, tmp_path, mapping)


def test_bad_lines_of_json_are_rejected(home: Settings, tmp_path: Path) -> None:
    lines = "\n".join([json.dumps(EVENTS[0]), "{", '"text"', json.dumps(EVENTS[3])])
    mapping = changed("feed.file", "log.jsonl", changed("max_reject_share", 0.5))
    result = load(home, tmp_path, mapping, log__jsonl=lines.encode())
    assert result.rejects == {"feed: is no JSON object": 2}
    assert result.reject_file is not None
    assert 'feed,log.jsonl,2,is no JSON object,"[""{""]"' in result.reject_file.read_text()


def test_loading_stops_above_the_share_and_below_it_does_not(
    home: Settings, tmp_path: Path
) -> None:
    bad = {**EVENTS[0], "at": "?"}
    good = as_csv([*(EVENTS * 25)[:-1], bad])  # 1 of 100: the share is not passed
    assert load(home, tmp_path, FEED, log__csv=good).rejects == {"feed: time cannot be read": 1}
    before = table(home), info(home)
    with pytest.raises(InputError) as caught:
        load(home, tmp_path, FEED, log__csv=as_csv([*(EVENTS * 25)[:-2], bad, bad]))
    assert str(caught.value) == (
        "2 of 100 rows of feed are bad (2.0%, max_reject_share is 1.0%), mostly: time cannot be "
        f"read, first in line 100 of log.csv; all are in {home.home}/rejects/history.csv."
    )
    pd.testing.assert_frame_equal(table(home), before[0])
    assert info(home) == before[1]


# Mistakes: one line, nothing changed


def wrong(path: str, value: Any, mapping: dict[str, Any] = FEED) -> dict[str, Any]:
    return changed(path, value, mapping)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no title": (wrong("title", None), "title is missing"),
    "unknown key": (wrong("feed.wher", "1"), "feed.wher is an unknown key; did you mean where?"),
    "unknown entry": (
        wrong("feed.columns.os", {"colum": "os"}),
        "feed.columns.os.colum is an unknown key; did you mean column?",
    ),
    "unknown top": (wrong("mesages", {}), "mesages is an unknown key; did you mean messages?"),
    "own name": (wrong("name", "x"), "name is an unknown key"),
    "column left out": (wrong("feed.columns.os", None), "feed.columns.os is missing"),
    "no origin": (
        wrong("feed.columns.os", {"default": "x"}),
        "feed.columns.os: has none of column, expression, constant, draw, from; give one",
    ),
    "two origins": (
        wrong("feed.columns.os", {"column": "os", "constant": "x"}),
        "feed.columns.os: has column and constant of",
    ),
    "yes and no": (
        wrong("feed.columns.os", {"constant": True}),
        "feed.columns.os.constant: true is how YAML reads yes",
    ),
    "values of a draw": (
        wrong("feed.columns.os", {"draw": {"a": 1}, "values": {"a": "b"}}),
        "feed.columns.os: values goes with column or expression only",
    ),
    "weight": (wrong("feed.columns.os", {"draw": {"a": 0}}), "feed.columns.os.draw.a: input shou"),
    "draw beyond the type": (
        wrong("feed.columns.age", {"draw": {"200-300": 1}}),
        "feed.columns: age: '200-300' is no whole number from 0 to 255",
    ),
    "text for a number": (
        wrong("feed.columns.gender", {"column": "os", "values": {"iOS": "male"}}),
        "gender: 'male' is no whole number from 0 to 255",
    ),
    "number per user without default": (
        wrong("feed.columns.age", {"column": "os", "per": "user"}),
        "age: give a default",
    ),
    "draw of an id": (wrong("feed.columns.post_id", {"draw": {"1": 1}}), "post_id: draw, from"),
    "rank of an attribute": (
        wrong("feed.columns.os", {"column": "os", "rank": True}),
        "os: rank goes with ids only",
    ),
    "feed from feed": (
        wrong("feed.columns.os", {"from": "feed"}),
        "os: from: feed is for the messages",
    ),
    "unit and format": (
        wrong("feed.columns.time", {"column": "at", "unit": "s", "format": "%d"}),
        "feed.columns.time: give unit or format, not both",
    ),
    "unknown unit": (
        wrong("feed.columns.time", {"column": "at", "unit": "min"}),
        "feed.columns.time.unit: input should be 'iso', 's', 'ms' or 'us', got 'min'",
    ),
    "unknown zone": (
        wrong("feed.columns.time", {"column": "at", "zone": "Mars"}),
        "feed.columns.time.zone: 'Mars' is no time zone",
    ),
    "unknown encoding": (wrong("feed.encoding", "utf-7000"), "'utf-7000' is no encoding"),
    "share": (wrong("max_reject_share", 2), "max_reject_share: input should be less"),
    "no log": ({"title": "x"}, "there is no log; give feed, messages or both"),
    "ids of two kinds": (
        wrong("messages.columns.receiver_id.rank", None, both()),
        "user_id and receiver_id are one kind of id: rank both or neither",
    ),
    "paired without rank": (
        wrong("feed.columns.user_id.rank", None, both(users="paired")),
        "users: paired needs user_id with rank: true in both logs",
    ),
    "from a feed that is not there": (
        wrong("feed", None, both()),
        "messages.columns.gender: from: feed needs a feed",
    ),
    "number from the feed without default": (
        wrong("feed.columns.age", {"column": "os", "default": 1}, both()),
        "messages.columns.age: give a default",
    ),
    "unknown column": (
        wrong("feed.columns.os.column", "system"),
        "feed.columns.os: log.csv has no column 'system'; it has who, what, kind, at, os.",
    ),
    "wrong delimiter": (
        wrong("feed.delimiter", ";"),
        "feed.columns.user_id: log.csv has no column 'who'; it has who,what,kind,at,os; is the "
        "delimiter another?",
    ),
    "expression": (
        wrong("feed.columns.os", {"expression": "lower(oss)"}),
        "feed.columns.os.expression: ClickHouse says: Code: 47. DB::Exception: Unknown",
    ),
    "expression that ends the statement": (
        wrong("feed.columns.os", {"expression": "os) FROM system.one --"}),
        "feed.columns.os.expression: ClickHouse says: Code: 62.",
    ),
    "expression over many rows": (
        wrong("feed.columns.os", {"expression": "max(os)"}),
        "feed.columns.os.expression: ClickHouse says: Code: 215.",
    ),
    "expression that fails on a row": (
        wrong("feed.columns.os", {"expression": "toUInt8(os)"}),
        "feed.columns.os.expression: ClickHouse says: Code: 6.",
    ),
    "where is no condition": (
        wrong("feed.where", "os"),
        "feed.where gives String, needed is a condition",
    ),
    "where keeps nothing": (wrong("feed.where", "1 = 0"), "feed.where keeps no row of"),
    "last_day after the log": (
        wrong("last_day", date(2024, 1, 1)),
        "last_day 2024-01-01 is after the last event, which is of 2023-03-02",
    ),
    "last_day before the log": (
        wrong("last_day", date(2022, 1, 1)),
        "no event is left up to last_day 2022-01-01",
    ),
}


def app_tables(home: Settings) -> list[str]:
    found = query(home, "SELECT name FROM system.tables WHERE database = 'app' ORDER BY name")
    return [] if found.empty else list(found["name"])


def exits_in_one_line(
    home: Settings, folder: Path, mapping: dict[str, Any], message: str, **files: bytes
) -> None:
    with pytest.raises(InputError) as caught:
        load(home, folder, mapping, **files)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert app_tables(home) == []


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_a_mapping_is_one_line_that_names_its_key(
    case: str, home: Settings, tmp_path: Path
) -> None:
    mapping, message = MISTAKES[case]
    exits_in_one_line(home, tmp_path, mapping, message)


FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("log.csv", b"", "log.csv is empty"),
    "header only": ("log.csv", b"who,what,kind,at,os\n", "log.csv has no rows"),
    "blank lines": ("log.csv", b"\n\n\n", "log.csv has no header"),
    "one day that is not over": (
        "log.csv",
        as_csv(EVENTS[:2]),
        "the log ends on its first day 2023-03-01, needed is a full day",
    ),
    "two columns of a name": ("log.csv", b"who,who\na,b\n", "has 1 columns twice, such as 'who'"),
    "bytes": ("log.csv", bytes(range(256)), "does not begin with text in the set encoding"),
    "latin-1": (
        "log.csv",
        as_csv([{**EVENTS[0], "os": "Größe"}]).decode().encode("latin-1"),
        "log.csv line 2 is no text in the set encoding",
    ),
    "no gzip": ("log.csv.gz", as_csv(EVENTS), "log.csv.gz is no .gz file"),
    "hidden gzip": ("log.csv", gzip.compress(as_csv(EVENTS)), "log.csv is .gz by its content"),
    "cut gzip": ("log.csv.gz", gzip.compress(as_csv(EVENTS))[:-20], "Cannot unpack"),
    "gzip of something else": ("log.csv.gz", gzip.compress(os.urandom(4000)), "log.csv.gz"),
    "no zip": ("log.csv.zip", as_csv(EVENTS), "log.csv.zip is no .zip file"),
    "cut zip": ("log.csv.zip", zipped(as_csv(EVENTS), "log.csv")[:-30], "Cannot unpack"),
    "no parquet": ("log.parquet", as_csv(EVENTS), "Cannot unpack"),
    "unknown format": ("log.dat", as_csv(EVENTS), "The format of log.dat cannot be told"),
    "array of JSON": ("log.json", json.dumps(EVENTS).encode(), "is a JSON array"),
    "JSON over lines": ("log.json", b'{\n "who": 1\n}\n', "3 of 3 rows of feed are bad"),
    "endless quote": (
        "log.csv",
        as_csv(EVENTS) + b'ann,"a1,view\nbob,b2,view\n',
        "the quoted field that begins in line 6 does not end",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_one_line(case: str, home: Settings, tmp_path: Path) -> None:
    name, content, message = FILES[case]
    (tmp_path / name).write_bytes(content)
    files = {"log__csv": content} if name == "log.csv" else {}
    exits_in_one_line(home, tmp_path, changed("feed.file", name), message, **files)


def test_a_file_that_is_not_there_is_one_line(home: Settings, tmp_path: Path) -> None:
    for name in ("nothing.csv", "nothing-*.csv"):
        exits_in_one_line(
            home, tmp_path, changed("feed.file", name), f"is no file {tmp_path}/{name}"
        )
    (tmp_path / "folder").mkdir()
    exits_in_one_line(home, tmp_path, changed("feed.file", "folder"), "is a folder; needed is a")


def test_a_zip_of_several_files_is_one_line(home: Settings, tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    mapping = changed("feed.file", "log.zip")
    exits_in_one_line(home, tmp_path, mapping, "holds 2 files", log__zip=file.getvalue())


def test_files_of_a_pattern_have_the_same_columns(home: Settings, tmp_path: Path) -> None:
    mapping = changed("feed.file", "day-*.csv")
    files = {"day-1__csv": as_csv(EVENTS), "day-2__csv": b"who,what\na,b\n"}
    exits_in_one_line(home, tmp_path, mapping, "day-2.csv has columns who, what", **files)


def test_a_unit_that_is_wrong_does_not_make_a_history_of_decades(
    home: Settings, tmp_path: Path
) -> None:
    stray = {**EVENTS[0], "at": "2001-01-01T00:00:00Z"}
    log = as_csv([*EVENTS, stray])
    exits_in_one_line(home, tmp_path, FEED, "more than twenty years", log__csv=log)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no keys"),
        ("- a\n- b\n", "holds no keys"),
        ("title: [", "is not YAML"),
        ("title: \xe4".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_mapping_that_is_no_mapping_is_one_line(
    content: str | bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match=message) as caught:
        read_mapping(path)
    assert "\n" not in str(caught.value)


def test_a_mapping_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Cannot read the mapping"):
        read_mapping(tmp_path / "none.yml")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_mapping_of_the_repository_is_valid(path: Path) -> None:
    assert read_mapping(path).citation


def test_files_are_found_beside_the_mapping_or_in_the_folder_of_the_settings(
    home: Settings, tmp_path: Path
) -> None:
    home = home.model_copy(update={"realdata": None})
    load(home, tmp_path, FEED)
    assert loader.load(home, tmp_path / "history.yml").rows == {"feed_actions": 4}
    other = tmp_path / "other"
    other.mkdir()
    (other / "log.csv").write_bytes(as_csv(EVENTS[1:]))
    there = home.model_copy(update={"realdata": other})
    assert loader.load(there, tmp_path / "history.yml").rows == {"feed_actions": 3}


# What was there before


def test_events_that_are_not_ours_are_never_replaced(home: Settings, tmp_path: Path) -> None:
    with warehouse.open_warehouse(home) as db:
        db.execute("app/create_database")
        db.execute("app/feed_actions", table="feed_actions", tz=home.tz)
    with pytest.raises(InputError, match=r"app\.feed_actions was not built by nbtools"):
        load(home, tmp_path, FEED)


def test_a_log_is_not_loaded_where_it_would_not_be_read(home: Settings, tmp_path: Path) -> None:
    elsewhere = home.model_copy(update={"source": "clickhouse://localhost:1/app"})
    with pytest.raises(SettingsError, match="unset NBTOOLS_SOURCE"):
        load(elsewhere, tmp_path, FEED)


def test_a_second_log_replaces_both_tables_of_the_first(home: Settings, tmp_path: Path) -> None:
    load(home, tmp_path, both())
    load(home, tmp_path, FEED, log__csv=as_csv(EVENTS[1:]))
    assert len(table(home)) == 3
    assert table(home, "message_actions").empty


KILL_AT = """
import os, signal, sys
from pathlib import Path
from nbtools import loader, rejects, settings, warehouse

point = sys.argv[1]
execute = warehouse.Connection.execute

def execute_or_die(self, name, **values):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
    execute(self, name, **values)

warehouse.Connection.execute = execute_or_die
loader.load(settings.load(), Path(sys.argv[2]), data=Path(sys.argv[2]).parent)
"""


@pytest.mark.parametrize(
    "point",
    ["load/create_log", "load/unreadable", "load/posts", "app/message_actions", "load/forget"],
)
def test_a_killed_load_leaves_the_old_history(point: str, home: Settings, tmp_path: Path) -> None:
    load(home, tmp_path, both())
    before = table(home), table(home, "message_actions"), info(home)
    (tmp_path / "log.csv").write_bytes(as_csv(EVENTS[1:]))
    killed = subprocess.run(
        [sys.executable, "-c", KILL_AT, point, str(tmp_path / "history.yml")],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    pd.testing.assert_frame_equal(table(home), before[0])
    pd.testing.assert_frame_equal(table(home, "message_actions"), before[1])
    assert info(home) == before[2]
    assert loader.load(home, tmp_path / "history.yml", data=tmp_path).rows["feed_actions"] == 3
    assert app_tables(home) == ["feed_actions", "message_actions", "source_info"]


@pytest.mark.parametrize("point", ["load/publish", "source_info/insert"])
def test_a_load_killed_while_it_is_published_is_not_taken_for_a_finished_one(
    point: str, home: Settings, tmp_path: Path
) -> None:
    load(home, tmp_path, both())
    (tmp_path / "log.csv").write_bytes(as_csv(EVENTS[1:]))
    command = [sys.executable, "-c", KILL_AT, point, str(tmp_path / "history.yml")]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert query(home, "SELECT * FROM app.source_info").empty
    assert loader.load(home, tmp_path / "history.yml", data=tmp_path).rows["feed_actions"] == 3
    assert info(home)["kind"] == "log"


def test_settings_name_the_folder_of_real_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBTOOLS_REALDATA", "/somewhere/logs")
    assert settings.load().realdata == Path("/somewhere/logs")
