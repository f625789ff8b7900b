"""Delivery over real HTTP against a stand-in of the Bot API, and to folders without a token."""

import json
import logging
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nbtools import calls, locks, state, telegram
from nbtools.bot import Patience
from nbtools.handover import Attachment, Draft
from nbtools.settings import Settings, TelegramSettings
from nbtools.state import Store
from nbtools.telegram import DeliveryReport
from tests import botapi
from tests.botapi import OPERATIONS, REPORTS, TOKEN, BotApi

NOON = datetime(2023, 2, 26, 12, tzinfo=UTC)
QUICK = Patience(attempts=4, first=0.01, longest=0.05, total=3, connect=1, read=1)
NO_TOKEN = TelegramSettings()


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as found:
        yield found


@pytest.fixture
def store(home: Settings) -> Iterator[Store]:
    with state.open_store(home) as found:
        yield found


def bot_settings(api: BotApi, **changes: Any) -> TelegramSettings:
    values = {"token": api.token, "chat": REPORTS, "ops_chat": OPERATIONS, "api_url": api.url}
    return TelegramSettings(**{**values, **changes})


def hand_over(store: Store, *drafts: Draft, run: str = "2023-02-25", resend: bool = False) -> None:
    run_id = store.start_run("report_feed", run, parameters={})
    store.finish_run(run_id, outcome="ok", drafts=drafts, resend=resend)


def deliver(
    store: Store, home: Settings, settings: TelegramSettings, **options: Any
) -> DeliveryReport:
    return telegram.deliver(store, home, settings, **{"patience": QUICK, **options})


def png(width: int = 8, height: int = 6, padding: int = 0) -> bytes:
    """Return a valid picture, made heavier by a chunk that no reader shows."""
    rows = (b"\x00" + b"\xff" * ((width + 7) // 8)) * height

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"prVt", bytes(padding))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def pictures(count: int) -> tuple[Attachment, ...]:
    return tuple(Attachment(f"{number}.png", png(8 + number), "") for number in range(count))


# What a chat shows


def test_a_message_shows_a_bold_title_its_lines_and_a_link(
    api: BotApi, store: Store, home: Settings
) -> None:
    link = 'https://example.org/runs/feed.html?a=1&b="2"'
    hand_over(store, Draft("report", "Feed, 25 Feb", "DAU 16 000\nCTR 20.5 %", link))
    report = deliver(store, home, bot_settings(api))
    (message,) = api.messages
    assert report == DeliveryReport(sent=1)
    assert str(report) == "Messages: 1 sent."
    assert message.chat == REPORTS
    assert message.text == "Feed, 25 Feb\nDAU 16 000\nCTR 20.5 %\nOpen the page"
    assert message.entities == [
        {"offset": 0, "length": 12, "type": "bold"},
        {"offset": 35, "length": 13, "type": "text_link", "url": link},
    ]
    assert store.undelivered() == []


def test_text_is_shown_as_it_was_written_whatever_it_holds(
    api: BotApi, store: Store, home: Settings
) -> None:
    text = 'a < b && c > d; <b>no tag</b> &amp; &lt; &#8364; "quoted" </a> 🙂'
    hand_over(store, Draft("report", "Q<A> & more", text))
    deliver(store, home, bot_settings(api))
    assert api.texts() == [f"Q<A> & more\n{text}"]


@pytest.mark.parametrize("link", ["http://localhost:8000/a", "file:///tmp/a.html", "/a/b.html"])
def test_an_address_that_telegram_would_drop_is_written_out(link: str) -> None:
    (call,) = calls.plan(Draft("a", "Title", link=link))
    assert call.text == f"Title\n{link}"


def test_reports_and_operations_go_to_their_chats(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "for readers"), Draft("b", "for operators", chat="operations"))
    deliver(store, home, bot_settings(api))
    assert api.texts(REPORTS) == ["for readers"]
    assert api.texts(OPERATIONS) == ["for operators"]


def test_operators_read_the_chat_of_the_reports_when_they_have_none(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "for operators", chat="operations"))
    deliver(store, home, bot_settings(api, ops_chat=None))
    assert api.texts(REPORTS) == ["for operators"]


def test_a_long_text_is_split_at_line_ends_and_loses_nothing(
    api: BotApi, store: Store, home: Settings
) -> None:
    lines = [f"{number:04d} <&> 🙂 " + "x" * (number % 90) for number in range(300)]
    hand_over(store, Draft("report", "Long", "\n".join(lines)))
    deliver(store, home, bot_settings(api))
    texts = api.texts()
    assert [line for text in texts for line in text.split("\n")] == ["Long", *lines]
    sizes = [len(text.encode("utf-16-le")) // 2 for text in texts]
    assert max(sizes) <= 4096
    # Greedy: the first line of a part would not have fitted into the part before it.
    for size, following in zip(sizes, texts[1:], strict=False):
        first = following.split("\n")[0]
        assert size + 1 + len(first.encode("utf-16-le")) // 2 > 4096


def test_a_single_line_that_is_too_long_is_cut_at_words() -> None:
    words = [f"word{number}" for number in range(2000)]
    parts = calls.split([calls.Line(" ".join(words))], 4096)
    assert [word for (line,) in parts for word in line.text.split(" ")] == words
    assert len(parts) == -(-len(" ".join(words)) // 4096)


def test_a_cut_never_parts_a_number_from_its_unit_nor_a_sign_from_its_accent() -> None:
    line = calls.Line("a 1\u202f000\u00a0%" + "e\u0301" * 10)
    parts = calls.split([line], 8)
    assert parts[0][0].text == "a"
    assert all(not part[0].text.startswith("\u0301") for part in parts)
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    texts = [part[0].text for part in calls.split([calls.Line("xx" + family * 3)], 9)]
    assert texts == ["xx", family, family, family]


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    title=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60),
    lines=st.lists(
        st.tuples(
            st.text(st.sampled_from('ab <>&";/🙂é\u202f\u200d'), max_size=40),
            st.integers(1, 300),
        ),
        max_size=12,
    ),
)
def test_any_text_arrives_whole_in_parts_that_the_bot_api_takes(
    title: str, lines: list[tuple[str, int]]
) -> None:
    text = "\n".join(piece * times for piece, times in lines)
    plan = calls.plan(Draft("a", title, text, "https://example.org/x?a=1&b=2"))
    shown = []
    for call in plan:
        parsed, _ = botapi.parse_html(call.fields["text"])
        assert 0 < len(parsed.strip().encode("utf-16-le")) // 2 <= 4096
        assert parsed == call.text
        shown.append(parsed)
    # Only white space may be lost, where parts end.
    expected = "".join(f"{title}\n{text}\nOpen the page".split())
    assert "".join("".join(shown).split()) == expected


# Pictures and documents


def test_a_short_text_is_the_caption_of_the_picture(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "Title", "x" * 1018, pictures=pictures(1)))  # 5 + 1 + 1018 = 1024
    deliver(store, home, bot_settings(api))
    (message,) = api.messages
    assert (message.method, message.text) == ("sendPhoto", "Title\n" + "x" * 1018)
    assert message.file == botapi.Upload("0.png", png(8))


def test_a_longer_text_is_a_message_of_its_own_before_the_picture(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "Title", "x" * 1019, pictures=pictures(1)))
    deliver(store, home, bot_settings(api))
    assert [(m.method, len(m.text)) for m in api.messages] == [
        ("sendMessage", 1025),
        ("sendPhoto", 0),
    ]


@pytest.mark.parametrize(
    ("count", "albums"),
    [(1, [1]), (2, [2]), (10, [10]), (11, [5, 6]), (21, [7, 7, 7])],
)
def test_pictures_travel_in_albums_and_none_is_left_alone(
    api: BotApi, store: Store, home: Settings, count: int, albums: list[int]
) -> None:
    hand_over(store, Draft("a", "Title", pictures=pictures(count)))
    deliver(store, home, bot_settings(api))
    names = [message.album for message in api.messages]
    assert [names.count(name) for name in dict.fromkeys(names)] == albums
    assert [m.file.name for m in api.messages if m.file] == [f"{n}.png" for n in range(count)]
    assert [m.text for m in api.messages] == ["Title"] + [""] * (count - 1)


def test_what_is_no_photo_for_telegram_travels_as_a_document(
    api: BotApi, store: Store, home: Settings
) -> None:
    odd = {
        "wide.png": png(210, 10),
        "huge.png": png(9_000, 1_001),
        "heavy.png": png(8, 6, padding=10 * 1024 * 1024),
        "chart.svg": b"<svg/>",
        "torn.png": png()[:20],
    }
    fine = {"ratio20.png": png(200, 10), "sides10000.png": png(9_000, 1_000)}
    items = tuple(Attachment(name, data) for name, data in (odd | fine).items())
    table = Attachment('таблица "1".csv', b"x;y\r\n\r\n--1;2\r\n")
    hand_over(store, Draft("a", "Title", pictures=items, documents=(table,)))
    report = deliver(store, home, bot_settings(api))
    assert report.sent == 1, report
    by_method = [(m.method, m.file.name) for m in api.messages if m.file]
    assert by_method[:2] == [("sendMediaGroup", name) for name in fine]
    assert by_method[2:7] == [("sendDocument", name) for name in odd]
    last = api.messages[-1].file
    assert last is not None
    assert last.data == table.data
    assert last.name.startswith("таблица ")


def test_a_document_alone_carries_the_text(api: BotApi, store: Store, home: Settings) -> None:
    documents = (Attachment("a.csv", b"1"), Attachment("b.csv", b"2"))
    hand_over(store, Draft("a", "Title", documents=documents))
    deliver(store, home, bot_settings(api))
    assert [(m.method, m.text) for m in api.messages] == [
        ("sendDocument", "Title"),
        ("sendDocument", ""),
    ]


# Once, in order


def test_a_rerun_sends_nothing_twice_and_resend_does(
    api: BotApi, store: Store, home: Settings
) -> None:
    draft = Draft("report", "Feed")
    for _ in range(2):
        hand_over(store, draft)
        deliver(store, home, bot_settings(api))
    assert api.texts() == ["Feed"]
    hand_over(store, draft, resend=True)
    assert deliver(store, home, bot_settings(api)).sent == 1
    assert api.texts() == ["Feed", "Feed"]


def test_a_waiting_message_holds_back_its_chat_and_no_other(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(
        store,
        Draft("a", "first"),
        Draft("b", "second"),
        Draft("c", "other chat", chat="operations"),
    )
    api.script(botapi.too_many(3600))
    report = deliver(store, home, bot_settings(api), now=NOON)
    assert (report.sent, report.waiting, report.refused) == (1, 2, 0)
    assert (api.texts(REPORTS), api.texts(OPERATIONS)) == ([], ["other chat"])
    assert str(report) == (
        "Messages: 1 sent, 2 waiting.\n"
        "report_feed/2023-02-25/a: Too Many Requests: retry after 3600"
    )

    requests_so_far = len(api.calls)
    early = deliver(store, home, bot_settings(api), now=NOON + timedelta(seconds=3599))
    assert (early.sent, early.waiting, len(api.calls)) == (0, 2, requests_so_far)
    assert "waits until 2023-02-26 13:00:00 UTC" in early.problems[0]

    deliver(store, home, bot_settings(api), now=NOON + timedelta(seconds=3600))
    assert api.texts(REPORTS) == ["first", "second"]


def test_two_roles_in_one_chat_keep_their_order(api: BotApi, store: Store, home: Settings) -> None:
    hand_over(store, Draft("a", "first"), Draft("b", "second", chat="operations"))
    api.script(botapi.too_many(3600))
    report = deliver(store, home, bot_settings(api, ops_chat=REPORTS))
    assert (report.sent, report.waiting, api.messages) == (0, 2, [])


def test_a_refused_message_is_kept_shown_and_holds_back_nothing(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "", ""), Draft("b", "second"))
    report = deliver(store, home, bot_settings(api))
    assert (report.sent, report.waiting, report.refused) == (1, 0, 1)
    assert report.problems == ("report_feed/2023-02-25/a: Bad Request: message text is empty",)
    (refused,) = store.undelivered()
    assert (refused.state, refused.error, refused.attempts) == (
        "refused",
        "Bad Request: message text is empty",
        1,
    )
    assert [code for *_, code in api.calls] == [400, 200]
    deliver(store, home, bot_settings(api))
    assert len(api.calls) == 2


def test_a_chat_that_shuts_the_bot_out_says_what_to_do(
    api: BotApi, store: Store, home: Settings
) -> None:
    api.forbidden[REPORTS] = "Forbidden: bot was blocked by the user"
    hand_over(store, Draft("a", "first"), Draft("b", "other", chat="operations"))
    report = deliver(store, home, bot_settings(api, ops_chat="-5"))
    assert report.refused == 2
    assert "bot was blocked by the user; the reader has to start" in report.problems[0]
    assert "chat not found; check NBTOOLS_TELEGRAM_CHAT" in report.problems[1]


def test_a_message_of_several_calls_goes_on_where_it_stopped(
    api: BotApi, store: Store, home: Settings
) -> None:
    document = Attachment("a.csv", b"1")
    hand_over(store, Draft("a", "Title", "x" * 2000, "", pictures(3), (document,)))
    api.script(botapi.NORMAL, *[botapi.status(502)] * QUICK.attempts)
    first = deliver(store, home, bot_settings(api), now=NOON)
    assert (first.sent, first.waiting) == (0, 1)
    assert [m.method for m in api.messages] == ["sendMessage"]
    assert store.pending()[0].message_ids == ((101,),)
    deliver(store, home, bot_settings(api), now=NOON + timedelta(minutes=1))
    assert [m.method for m in api.messages] == [
        "sendMessage", "sendMediaGroup", "sendMediaGroup", "sendMediaGroup", "sendDocument",
    ]  # fmt: skip
    with store.reading() as connection:
        ids = connection.exec_driver_sql("SELECT message_ids FROM outbox").scalar_one()
    assert json.loads(ids) == [[101], [102, 103, 104], [105]]


# Trouble on the way


def test_too_many_requests_waits_as_long_as_it_is_told(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "first"))
    api.script(botapi.too_many(1))
    assert deliver(store, home, bot_settings(api)).sent == 1
    assert api.times[1] - api.times[0] >= 1
    assert api.texts() == ["first"]


@pytest.mark.parametrize(
    "step",
    [botapi.status(500), botapi.status(502), botapi.status(503, ""), botapi.DROP_BEFORE],
)
def test_trouble_that_passes_is_sat_out(
    api: BotApi, store: Store, home: Settings, step: botapi.Step
) -> None:
    hand_over(store, Draft("a", "first"))
    api.script(step, step)
    assert deliver(store, home, bot_settings(api)) == DeliveryReport(sent=1)
    assert api.texts() == ["first"]


def test_trouble_that_stays_is_left_to_the_next_delivery(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "first"))
    now = NOON
    for pause in (60, 120, 240):
        api.script(*[botapi.status(502)] * QUICK.attempts)
        before = len(api.calls)
        report = deliver(store, home, bot_settings(api), now=now)
        assert report.problems == (
            "report_feed/2023-02-25/a: the Bot API answered 502 Bad Gateway",
        )
        assert len(api.calls) - before == QUICK.attempts
        (message,) = store.pending()
        assert message.next_attempt == now + timedelta(seconds=pause)
        now = message.next_attempt
    assert deliver(store, home, bot_settings(api), now=now).sent == 1


def test_a_delivery_is_bounded_in_time(api: BotApi, store: Store, home: Settings) -> None:
    hand_over(store, Draft("a", "first"))
    api.script(*[botapi.status(502)] * 50)
    started = time.monotonic()
    patience = QUICK._replace(attempts=1000, first=0.1, longest=0.2, total=1)
    assert deliver(store, home, bot_settings(api), patience=patience).waiting == 1
    assert time.monotonic() - started < 2


def test_an_answer_that_never_comes_is_the_window_for_a_second_copy(
    api: BotApi, store: Store, home: Settings
) -> None:
    """The Bot API has no key to tell a repeated request by; this cannot be known."""
    hand_over(store, Draft("a", "first"), Draft("b", "second"))
    api.script(botapi.DROP_AFTER, botapi.NORMAL, botapi.slow(1.5))
    assert deliver(store, home, bot_settings(api)).sent == 2
    assert api.texts() == ["first", "first", "second", "second"]


def test_a_group_that_became_a_supergroup_is_followed(
    api: BotApi, store: Store, home: Settings
) -> None:
    api.migrated["-42"] = REPORTS
    hand_over(store, Draft("a", "first", pictures=pictures(1)), Draft("b", "second"))
    report = deliver(store, home, bot_settings(api, chat="-42"))
    assert report.sent == 2
    assert api.texts(REPORTS) == ["first", "second"]
    assert [code for *_, code in api.calls] == [400, 200, 200]
    (line,) = report.problems
    assert line.startswith(f"Chat -42 is {REPORTS} now")
    assert "NBTOOLS_TELEGRAM_CHAT" in line


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (f"{TOKEN}-unknown", "Unauthorized"),
        ("no token/../at all?#", "Not Found"),
    ],
)
def test_a_wrong_token_loses_no_message(
    api: BotApi, store: Store, home: Settings, token: str, words: str
) -> None:
    hand_over(store, Draft("a", "first"), Draft("b", "other", chat="operations"))
    report = deliver(store, home, bot_settings(api, token=token))
    assert (report.sent, report.waiting, report.refused) == (0, 2, 0)
    assert report.problems == (
        f"report_feed/2023-02-25/a: {words}; "
        "check NBTOOLS_TELEGRAM_TOKEN and NBTOOLS_TELEGRAM_API_URL",
    )
    assert len(api.calls) == 1
    assert deliver(store, home, bot_settings(api)).sent == 2


@pytest.mark.parametrize("code", [200, 403])
def test_a_stranger_in_place_of_the_bot_api_loses_no_message(
    api: BotApi, store: Store, home: Settings, code: int
) -> None:
    hand_over(store, Draft("a", "first"))
    api.script(botapi.status(code, "<html>Log in to this network</html>"))
    report = deliver(store, home, bot_settings(api))
    assert (report.waiting, report.refused) == (1, 0)
    assert deliver(store, home, bot_settings(api)).sent == 1


def test_an_upload_that_is_too_large_is_refused(api: BotApi, store: Store, home: Settings) -> None:
    heavy = Attachment("events.csv", bytes(50 * 1024 * 1024 + 1))
    hand_over(store, Draft("a", "first", documents=(heavy,)), Draft("b", "second"))
    report = deliver(store, home, bot_settings(api))
    assert report.problems == ("report_feed/2023-02-25/a: Request Entity Too Large",)
    assert api.texts() == ["second"]


def test_an_upload_that_is_too_large_for_what_stands_before_the_bot_api_is_refused(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "first"), Draft("b", "second"))
    api.script(botapi.status(413, "<html>413 Request Entity Too Large</html>"))
    report = deliver(store, home, bot_settings(api))
    assert (report.sent, report.refused) == (1, 1)
    assert api.texts() == ["second"]


# The token stays secret


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listen_closely(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # clickhouse-connect sets a level of its own here, and no line would come through.
    caplog.set_level(logging.DEBUG, logger="urllib3")


def assert_secret(
    report: DeliveryReport, store: Store, home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    secret = botapi.TOKEN.partition(":")[2]
    files = [path.read_bytes() for path in home.home.rglob("*") if path.is_file()]
    assert secret not in repr(report) + str(report) + repr(store.undelivered()) + caplog.text
    assert not any(secret.encode() in content for content in files)


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for a name server, which may be slow or lie where the tests run."""
    find = socket.getaddrinfo

    def found(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return find(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)


def make_trouble(api: BotApi, trouble: str) -> dict[str, Any]:
    """Prepare a trouble and return the settings that lead to it."""
    elsewhere = f"http://127.0.0.1:{closed_port()}"
    steps = {
        "slow": [botapi.slow(0.5)] * 2,
        "dropped": [botapi.DROP_BEFORE] * 2,
        "unauthorized": [botapi.refusal(401, "Unauthorized")],
        "redirect": [botapi.redirect(f"{elsewhere}/bot{api.token}/sendMessage")],
        "echo": [botapi.refusal(400, f"Bad Request: no /bot{api.token}/sendMessage")],
    }
    addresses = {
        "refused": elsewhere,
        "host": "http://no-such-host.invalid",
        "scheme": "ftp://127.0.0.1",
        "address": "http://[127.0.0.1",
    }
    api.script(*steps.get(trouble, []))
    return {"api_url": addresses.get(trouble, api.url)}


@pytest.mark.usefixtures("nameless")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("refused", "no connection to the Bot API: Connection refused"),
        ("slow", "no answer from the Bot API within 0.2 s"),
        ("dropped", "no connection to the Bot API: Connection reset by peer"),
        ("unauthorized", "Unauthorized"),
        ("redirect", "the Bot API answered 302 a redirect"),
        ("echo", "Bad Request: no /bot***/sendMessage"),
        ("host", "no connection to the Bot API: Name or service not known"),
        ("scheme", "the address of the Bot API cannot be used"),
        ("address", "the address of the Bot API cannot be used"),
    ],
)
def test_the_token_is_in_no_message_row_or_log(
    trouble: str,
    words: str,
    api: BotApi,
    store: Store,
    home: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen_closely(caplog)
    hand_over(store, Draft("a", "first"))
    settings = bot_settings(api, **make_trouble(api, trouble))
    report = deliver(store, home, settings, patience=QUICK._replace(attempts=2, read=0.2))
    assert words in report.problems[0]
    assert_secret(report, store, home, caplog)
    assert botapi.TOKEN not in repr(settings)


def test_a_redirect_is_not_followed(api: BotApi, store: Store, home: Settings) -> None:
    with BotApi() as other:
        hand_over(store, Draft("a", "first"))
        api.script(botapi.redirect(f"{other.url}/bot{other.token}/sendMessage"))
        report = deliver(store, home, bot_settings(api))
        assert (report.waiting, other.calls) == (1, [])


def test_log_lines_of_requests_are_kept_without_the_token(
    api: BotApi, store: Store, home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    listen_closely(caplog)
    hand_over(store, Draft("a", "first"))
    deliver(store, home, bot_settings(api))
    assert '"POST /bot***/sendMessage HTTP/1.1" 200' in caplog.text
    assert_secret(DeliveryReport(), store, home, caplog)


# Several processes, and kills

DELIVERER = """
import sys
from nbtools import settings, state, telegram
found = settings.load()
with state.open_store(found) as store:
    print(telegram.deliver(store, found, settings.load_telegram()))
"""


@contextmanager
def deliverer(monkeypatch: pytest.MonkeyPatch, api: BotApi) -> Iterator[None]:
    with monkeypatch.context() as patch:
        for name, value in {
            "TOKEN": api.token,
            "CHAT": REPORTS,
            "OPS_CHAT": OPERATIONS,
            "API_URL": api.url,
        }.items():
            patch.setenv(f"NBTOOLS_TELEGRAM_{name}", value)
        yield


def test_two_processes_send_each_message_once(
    api: BotApi, store: Store, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over(store, *(Draft(str(number), f"message {number}") for number in range(8)))
    api.script(*[botapi.slow(0.05)] * 8)
    with deliverer(monkeypatch, api):
        both = [
            subprocess.Popen([sys.executable, "-c", DELIVERER], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert api.texts() == [f"message {number}" for number in range(8)]
    assert said == ["Messages: 0 sent.", "Messages: 8 sent."]


def test_a_kill_while_sending_repeats_one_call_at_most(
    api: BotApi, store: Store, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over(store, *(Draft(str(number), f"message {number}") for number in range(6)))
    api.script(botapi.NORMAL, botapi.NORMAL, botapi.slow(20))
    with deliverer(monkeypatch, api):
        process = subprocess.Popen([sys.executable, "-c", DELIVERER])
        deadline = time.monotonic() + 30
        while len(api.messages) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    report = deliver(store, home, bot_settings(api))
    assert report.sent == 4
    assert api.texts() == [f"message {number}" for number in (0, 1, 2, 2, 3, 4, 5)]


HOLDER = """
import sys, time
from pathlib import Path
from nbtools import locks
with locks.hold(Path(sys.argv[1]), "nbtools deliver"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_delivery_that_cannot_have_the_lock_says_who_has_it(
    api: BotApi, store: Store, home: Settings
) -> None:
    hand_over(store, Draft("a", "first"))
    lock = home.home / "locks" / "delivery.lock"
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    with other, other.stdout:
        assert other.stdout.readline() == b"held\n"
        impatient = home.model_copy(update={"lock_wait": 0.1})
        report = deliver(store, impatient, bot_settings(api))
        other.kill()
    assert (report.sent, report.waiting, api.calls) == (0, 1, [])
    assert f"process {other.pid} (nbtools deliver)" in report.problems[0]
    assert locks.holder(lock)


# Without a token


def test_without_a_token_messages_are_folders(store: Store, home: Settings) -> None:
    table = Attachment("table.csv", b"x;y\n")
    link = "https://example.org/x"
    draft = Draft("report", "Feed <1>", "a & b", link, pictures(2), (table,), "operations")
    hand_over(store, draft)
    report = deliver(store, home, NO_TOKEN, now=NOON)
    folder = home.home / "outbox" / "00001-report_feed-2023-02-25-report"
    assert report == DeliveryReport(sent=1, folder=str(home.home / "outbox"))
    assert str(report) == f"Messages: 1 written to {home.home / 'outbox'}."
    assert (folder / "message.txt").read_text() == "Feed <1>\na & b\nOpen the page\n"
    assert (folder / "message.html").read_text() == (
        f'<b>Feed &lt;1&gt;</b>\na &amp; b\n<a href="{link}">Open the page</a>\n'
    )
    assert (folder / "1.png").read_bytes() == png(9)
    assert (folder / "table.csv").read_bytes() == b"x;y\n"
    about = json.loads((folder / "message.json").read_text())
    assert (about["key"], about["chat"], about["calls"]) == (
        "report_feed/2023-02-25/report",
        "operations",
        ["sendMediaGroup", "sendDocument"],
    )
    assert store.undelivered() == []
    assert deliver(store, home, NO_TOKEN).sent == 0


def test_names_of_files_stay_inside_the_folder_and_apart(store: Store, home: Settings) -> None:
    names = ["../../evil.png", "/etc/passwd", "a.png", "a.png", "A.png", "message.txt", "..", ""]
    documents = tuple(Attachment(name, name.encode()) for name in names)
    hand_over(store, Draft("../x", "Title", documents=documents), run="2023-02-25")
    assert deliver(store, home, NO_TOKEN).sent == 1
    (folder,) = (home.home / "outbox").iterdir()
    assert folder.name == "00001-report_feed-2023-02-25-..-x"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            *("evil.png", "passwd", "a.png", "a-2.png", "A-3.png", "message-2.txt"),
            *("file", "file-2", "message.txt", "message.html", "message.json"),
        ]
    )


def test_a_message_sent_again_has_a_folder_of_its_own(store: Store, home: Settings) -> None:
    hand_over(store, Draft("a", "old", documents=(Attachment("old.csv", b"1"),)))
    deliver(store, home, NO_TOKEN)
    folder = home.home / "outbox"
    (folder / ".00001-report_feed-2023-02-25-a-again-1.new").mkdir()  # left by a kill
    hand_over(store, Draft("a", "new"), resend=True)
    deliver(store, home, NO_TOKEN)
    first, again = sorted(folder.iterdir())
    assert again.name == f"{first.name}-again-1"
    assert sorted(file.name for file in again.iterdir()) == [
        "message.html",
        "message.json",
        "message.txt",
    ]
    assert (first / "message.txt").read_text() == "old\n"
    assert (again / "message.txt").read_text() == "new\n"


def test_an_outbox_folder_that_cannot_be_written_keeps_the_messages(
    store: Store, home: Settings
) -> None:
    (home.home / "outbox").touch()
    hand_over(store, Draft("a", "first"))
    report = deliver(store, home, NO_TOKEN)
    assert (report.sent, report.waiting) == (0, 1)
    assert re.fullmatch("Cannot write .*outbox: .*; the messages wait.", report.problems[0])


def test_a_split_text_is_one_file(store: Store, home: Settings) -> None:
    hand_over(store, Draft("a", "Title", "\n".join(["x" * 3000, "y" * 3000])))
    deliver(store, home, NO_TOKEN)
    (path,) = (home.home / "outbox").glob("*/message.txt")
    assert path.read_text() == (
        "Title\n" + "x" * 3000 + "\n\n--- next message ---\n\n" + "y" * 3000 + "\n"
    )


# The stand-in itself: a sender that were wrong would hear of it


def ask(api: BotApi, method: str, token: str = "", **form: Any) -> tuple[int, str]:
    files = {name: value for name, value in form.items() if isinstance(value, tuple)}
    fields = {name: value for name, value in form.items() if name not in files}
    answer = requests.post(
        f"{api.url}/bot{token or api.token}/{method}",
        data={"chat_id": REPORTS, "parse_mode": "HTML", **fields},
        files=files,
        timeout=10,
    )
    body = answer.json()
    assert answer.status_code == body.get("error_code", 200)
    return answer.status_code, str(body.get("description"))


@pytest.mark.parametrize(
    ("text", "description"),
    [
        (" \n", "message text is empty"),
        ("<b></b>", "message text is empty"),
        ("x" * 4097, "message is too long"),
        ("🙂" * 2049, "message is too long"),
        ("&amp;" * 4096, "None"),
        ("a < b", 'can\'t parse entities: Unsupported start tag "" at byte offset 2'),
        ("é<br>", 'can\'t parse entities: Unsupported start tag "br" at byte offset 2'),
        ("<b>a", "can't parse entities: Can't find end tag corresponding to start tag \"b\""),
        ("a</b>", "can't parse entities: Unexpected end tag at byte offset 1"),
        (
            "<b>a</i>",
            "can't parse entities: Unmatched end tag at byte offset 4, "
            'expected "</b>", found "</i>"',
        ),
        ("<a href=", 'can\'t parse entities: Unclosed start tag "a" at byte offset 0'),
        ("a & b &nbsp; &lt;", "None"),
    ],
)
def test_the_stand_in_reads_texts_like_the_bot_api(
    api: BotApi, text: str, description: str
) -> None:
    expected = (200, "None") if description == "None" else (400, f"Bad Request: {description}")
    assert ask(api, "sendMessage", text=text) == expected


def test_the_stand_in_refuses_what_the_bot_api_refuses(api: BotApi) -> None:
    photo = ("a.png", png())
    album = [{"type": "photo", "media": "attach://p"}]
    bad = "Bad Request: "
    assert ask(api, "sendMessage", token="1:" + "x" * 30, text="a") == (401, "Unauthorized")
    assert ask(api, "sendMessage", token="nonsense", text="a") == (404, "Not Found")
    assert ask(api, "sendMessage", chat_id="-7", text="a") == (400, bad + "chat not found")
    long_caption = ask(api, "sendPhoto", photo=photo, caption="x" * 1025)
    assert long_caption == (400, bad + "message caption is too long")
    for data in (png(210, 10), png(9_000, 1_001)):
        refused = ask(api, "sendPhoto", photo=("a.png", data))
        assert refused == (400, bad + "PHOTO_INVALID_DIMENSIONS")
    text_file = ask(api, "sendPhoto", photo=("a.png", b"text"))
    assert text_file == (400, bad + "IMAGE_PROCESS_FAILED")
    heavy = ask(api, "sendPhoto", photo=("a.png", png(padding=10 * 1024 * 1024)))
    assert "is too big for a photo; the maximum size is 10485760 bytes" in heavy[1]
    for media, description in (
        ([], "there are no messages to send"),
        (album * 11, "too many messages to send as an album"),
        ([{"type": "photo", "media": "attach://q"}], "can't parse InputMedia: media not found"),
    ):
        answer = ask(api, "sendMediaGroup", media=json.dumps(media), p=photo)
        assert answer == (400, bad + description)
    assert api.messages == []
    assert ask(api, "sendMediaGroup", media=json.dumps(album * 2), p=photo)[0] == 200
