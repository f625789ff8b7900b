"""Scripts of what the app did, turned into the observations that a detector would give."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from nbtools import alarms
from nbtools.checks import Check, Missing, Outcome, State
from nbtools.incidents import Observation, Rules
from nbtools.stories import Mute

STEP = timedelta(minutes=15)
START = datetime(2023, 2, 25, 4, tzinfo=UTC)  # 07:00 in Moscow
# Per series: what is expected in every slice. Segments add up to their total.
EXPECTED = {
    ("views", "total", "total"): 5000.0,
    ("views", "os", "iOS"): 1800.0,
    ("views", "os", "Android"): 3200.0,
    ("likes", "total", "total"): 1000.0,
    ("feed_users", "total", "total"): 400.0,
    ("ctr", "total", "total"): 0.2,
    ("messages_sent", "total", "total"): 600.0,
}
NOISE = {"ctr": 0.1}  # half the width of the band, relative; 0.2 for the others


def slice_at(number: float) -> datetime:
    return START + number * STEP


def seen(number: int, name: str, factor: float) -> Observation:
    """Return what is seen of a series, such as ``views`` or ``views/iOS``, times a factor."""
    metric, _, segment = name.partition("/")
    [key] = [key for key in EXPECTED if key[0] == metric and key[2] == (segment or "total")]
    expected = EXPECTED[key]
    width = expected * NOISE.get(metric, 0.2)
    value = expected * factor
    score = abs(value - expected) / width
    return Observation(
        *key,
        slice_at(number),
        value,
        expected,
        expected - width,
        expected + width,
        score,
        score > 1,
    )


def slices(script: Mapping[str, Sequence[float]], first: int = 0) -> list[tuple[Observation, ...]]:
    """Return the observations of each slice; every series of ``EXPECTED`` is normal if not named.

    A factor of -1 stands for a slice without a value.
    """
    length = max(len(factors) for factors in script.values())
    names = [
        metric if dimension == "total" else f"{metric}/{segment}"
        for metric, dimension, segment in EXPECTED
    ]
    found = []
    for number in range(length):
        row = []
        for name in names:
            factors = script.get(name, ())
            factor = factors[number] if number < len(factors) else 1.0
            if factor >= 0:
                row.append(seen(first + number, name, factor))
        found.append(tuple(row))
    return found


def live(
    rows: Sequence[tuple[Observation, ...]],
    *,
    state: State | None = None,
    first: int = 0,
    rules: Rules | None = None,
    mutes: Sequence[Mute] = (),
    **given: object,
) -> Iterator[Outcome]:
    """Yield the outcome of each check, one a slice, five minutes after its end."""
    state = state or State()
    for number, row in enumerate(rows, first):
        check = Check(slice_at(number + 1) + timedelta(minutes=5), slice_at(number), row)
        outcome = alarms.advance(state, check, rules, mutes=mutes, **given)  # type: ignore[arg-type]
        state = outcome.state
        yield outcome


def said(outcomes: Sequence[Outcome]) -> list[tuple[int, str, str]]:
    """Return the messages: number of the check, stage, and the leading series."""
    return [
        (
            number,
            "summary" if len(intent.stories) > 1 else intent.stories[0].stage,
            " ".join(f"{one.lead.metric}@{one.lead.place}" for one in intent.stories),
        )
        for number, outcome in enumerate(outcomes)
        for intent in outcome.intents
    ]


def no_data(number: float, since: float, service: str = "app") -> Check:
    """Return a check that finds no data since the end of a slice."""
    at = slice_at(number + 1) + timedelta(minutes=5)
    return Check(at, slice_at(number), (), (Missing(service, slice_at(since)),))
