"""The catalogue of texts: both languages say the same, with their own grammar."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from fluent.syntax import FluentParser, ast, visitor

from nbtools import alert_messages, languages
from nbtools.handover import Draft
from nbtools.languages import LANGUAGES, Language
from nbtools.messages import NO_BREAK_SPACE, THIN_SPACE
from nbtools.metrics import CATALOGUE, SLICE_METRICS
from tests.checks import START, live, slices

MOSCOW = ZoneInfo("Europe/Moscow")


class _Arguments(visitor.Visitor):
    """Collects the arguments of a text, and the branches of its selectors."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.branches: dict[str, set[str]] = {}

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802
        self.names.add(node.id.name)

    def visit_SelectExpression(self, node: ast.SelectExpression) -> None:  # noqa: N802
        if isinstance(node.selector, ast.VariableReference):
            keys = {key.name for one in node.variants if isinstance(key := one.key, ast.Identifier)}
            self.branches.setdefault(node.selector.id.name, set()).update(keys)
        self.generic_visit(node)


def catalogue(language: Language) -> dict[str, _Arguments]:
    found = {}
    for entry in FluentParser().parse(languages.source(language)).body:
        assert not isinstance(entry, ast.Junk), entry.content
        if isinstance(entry, ast.Message):
            assert entry.id.name not in found, f"{entry.id.name} twice"
            found[entry.id.name] = _Arguments()
            found[entry.id.name].visit(entry)
    return found


def test_both_languages_have_the_same_texts_with_the_same_arguments() -> None:
    english, russian = catalogue("en"), catalogue("ru")
    assert list(english) == list(russian)
    for name, arguments in english.items():
        assert arguments.names == russian[name].names, name


def test_russian_has_its_three_plural_forms_wherever_english_has_two() -> None:
    russian = catalogue("ru")
    plurals = [
        name for name, found in catalogue("en").items() if "one" in found.branches.get("count", ())
    ]
    assert len(plurals) >= 5
    for name in plurals:
        assert russian[name].branches["count"] >= {"one", "few", "other"}, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_metric_and_every_unit_of_events_has_its_words(language: Language) -> None:
    for slug in {**CATALOGUE, **SLICE_METRICS}:
        assert languages.metric_name(language, slug)
    for item in SLICE_METRICS.values():
        if item.additive:
            assert languages.knows(language, f"unit-{item.unit}"), item.unit


def test_russian_plurals_follow_the_number() -> None:
    shown = [languages.amount("ru", "views", count) for count in (1, 3, 5, 11, 21, 1102)]
    assert [text.replace(THIN_SPACE, " ") for text in shown] == [
        "1 просмотр",
        "3 просмотра",
        "5 просмотров",
        "11 просмотров",
        "21 просмотр",
        "1 102 просмотра",
    ]


def test_numbers_are_those_of_the_house_with_russians_comma() -> None:
    assert languages.quantity("en", "ctr", 0.2047) == f"20.5{THIN_SPACE}%"
    assert languages.quantity("ru", "ctr", 0.2047) == f"20,5{THIN_SPACE}%"
    assert languages.percent("en", -0.0512) == f"\N{MINUS SIGN}5.1{THIN_SPACE}%"
    assert languages.percent("en", -0.483) == f"\N{MINUS SIGN}48{THIN_SPACE}%"


@pytest.mark.parametrize(
    ("minutes", "english", "russian"),
    [
        (45, "45 min", "45 мин"),
        (120, "2 h", "2 ч"),
        (195, "3 h 15 min", "3 ч 15 мин"),
        (1440, "1 day", "1 день"),
        (3 * 1440 + 60, "3 days 1 h", "3 дня 1 ч"),
    ],
)
def test_a_length_of_time_is_said_shortly(minutes: int, english: str, russian: str) -> None:
    length = timedelta(minutes=minutes)
    assert languages.duration("en", length) == english
    assert languages.duration("ru", length) == russian


def test_a_time_names_its_day_only_when_it_is_another() -> None:
    assert languages.moment("en", START, MOSCOW, START) == "07:00"
    next_day = START + timedelta(days=1)
    assert (
        languages.moment("en", START, MOSCOW, next_day)
        == f"Feb{NO_BREAK_SPACE}25{NO_BREAK_SPACE}07:00"
    )
    assert languages.moment("ru", START, MOSCOW, next_day).startswith(f"25{NO_BREAK_SPACE}февр.")


def test_a_text_that_is_not_there_or_lacks_an_argument_is_an_error() -> None:
    with pytest.raises(KeyError, match="no text 'nonsense'"):
        languages.text("en", "nonsense")
    with pytest.raises(KeyError, match="series"):
        languages.text("en", "alert-reminder", change="+1", since="07:00")


IOS = {"views/iOS": [1, 0.3, 1, 1, 1], "views": [1, 0.74, 1, 1, 1]}


def messages(language: Language) -> list[Draft]:
    return [
        draft
        for outcome in live(slices(IOS))
        for draft in alert_messages.drafts(
            outcome,
            language=language,
            zone=MOSCOW,
            link=lambda key: f"https://book/{key}",
            dashboard="https://live",
        )
    ]


def test_a_message_says_it_in_one_line_and_then_the_numbers() -> None:
    first, last = messages("en")
    assert first.title == f"Warning: Views, iOS \N{MINUS SIGN}70{THIN_SPACE}% since 07:15"
    assert first.text.replace(THIN_SPACE, " ").splitlines() == [
        "Most likely: iOS \N{MINUS SIGN}70 %; Android as expected.",
        "Views, iOS: 540, expected 1 800 (1 440 to 2 160), \N{MINUS SIGN}70 %, "
        "3.5\N{MULTIPLICATION SIGN} the alarm threshold",
        "Live: https://live",
    ]
    assert first.link == "https://book/2023-02-25T0415Z-views-os-iOS"
    assert last.title == "Recovered: Views, iOS, after 15 min"
    assert "Lost: about 1 260 views." in last.text.replace(THIN_SPACE, " ")
    assert first.part != last.part


def test_segments_beside_their_total_do_not_fill_the_phone() -> None:
    script = {name: [1, 0.0] for name in ("views", "views/iOS", "views/Android", "likes")}
    [draft] = alert_messages.drafts(list(live(slices(script)))[1], language="en", zone=MOSCOW)
    assert draft.title.startswith("Critical: ")
    lines = draft.text.splitlines()
    assert lines[0] == "All segments move alike."
    assert [line.split(":")[0] for line in lines[1:]] == ["Likes", "Views"]


def test_a_message_in_russian_has_no_english_word_left() -> None:
    for draft in messages("ru"):
        words = set(re.findall(r"[A-Za-z]{3,}", f"{draft.title} {draft.text}"))
        assert words <= {"iOS", "Android", "https", "live", "CTR"}


def test_every_stage_of_every_kind_has_its_headline_in_both_languages() -> None:
    for stage in ("opened", "worse", "reminder", "recovered", "passed"):
        for language in LANGUAGES:
            assert languages.knows(language, f"alert-{stage}")
            assert languages.knows(language, f"alert-silent-{stage}")
