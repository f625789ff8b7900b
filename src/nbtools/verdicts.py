"""From numbers to a decision, by rules that are written down.

1. A guard that failed makes the experiment *invalid*, whatever the numbers say.
2. The question is about CTR, likes from views, so the test of the global CTR decides
   (linearized likes, corrected by Holm's rule where there are several treatments). Where it
   rejects too often on these very users it decides nothing: *look deeper*.
3. Significantly down: *do not ship*.
4. Significantly up: *ship*, unless an honest method that asks another question is significantly
   down, part of the audience loses, or the treated users have fallen into two populations: then
   *look deeper*.
5. Neither: *look deeper* if such a method sees an effect or the treated users have fallen into
   two populations, else *do not ship*: nothing was gained.

The methods that ask other questions are corrected by Holm's rule among themselves, and for the
number of treatments. A method whose false alarms are not known counts as honest.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from nbtools import messages
from nbtools.experiments import METHODS, amount, interval, is_honest, p_text
from nbtools.guards import Guard
from nbtools.inference import Comparison, adjusted
from nbtools.populations import Populations
from nbtools.segments import Segment
from nbtools.splitting import ErrorRate

Decision = Literal["ship", "do not ship", "look deeper", "invalid"]
DECIDES = "linearized_likes"
# They ask about the global CTR too, so they cannot contradict the method that decides.
_SAME_QUESTION = frozenset(
    {"linearized_likes", "delta_ratio", "poisson_bootstrap", "cuped_ratio", "buckets_t"}
    | {"buckets_rank"}
)
# Level of what a page looks for beyond its question: what explains populations, on what an
# effect depends, whether it wears off.
EXPLORED = 0.01


class Verdict(NamedTuple):
    """A decision and its reasons.

    Attributes
    ----------
    decision : {"ship", "do not ship", "look deeper", "invalid"}
        What to do.
    headline : str
        The decision and its first reason, one sentence.
    reasons : tuple of str
        Sentences with the numbers, the most important first.
    """

    decision: Decision
    headline: str
    reasons: tuple[str, ...]


class Evidence(NamedTuple):
    """What is known of one treatment.

    Attributes
    ----------
    found : mapping of str to Comparison
        From `experiments.compare`.
    rates : mapping of str to ErrorRate
        From `experiments.error_rates`.
    corrected_p : float
        P-value of `DECIDES`, corrected for several treatments.
    segments : sequence of Segment
        From `segments.effects`.
    population : Populations or None
        From `populations.split`, where the treated have fallen into two and the control has not.
    treatments : int
        How many groups are compared with the control.
    alpha : float
        Level of the decision.
    """

    found: Mapping[str, Comparison]
    rates: Mapping[str, ErrorRate]
    corrected_p: float
    segments: Sequence[Segment] = ()
    population: Populations | None = None
    treatments: int = 1
    alpha: float = 0.05


def decide(guards: Sequence[Guard], evidence: Evidence) -> Verdict:
    """Return the verdict on one treatment.

    Parameters
    ----------
    guards : sequence of Guard
        From `guards.check`.
    evidence : Evidence
        What is known of the treatment.

    Returns
    -------
    Verdict
        By the rules of this module.
    """
    failed = [guard for guard in guards if not guard.passed]
    if failed:
        return Verdict(
            "invalid",
            f"The experiment is invalid: {failed[0].name.lower()} failed.",
            tuple(f"{guard.name}: {guard.finding}." for guard in failed),
        )
    numbers = _numbers(evidence.found["delta_ratio"], evidence.corrected_p)
    if not _honest(DECIDES, evidence):
        headline = "Look deeper: the test that decides is not honest on these users."
        return Verdict("look deeper", headline, (numbers,))
    if evidence.corrected_p > evidence.alpha:
        return _unmoved(evidence, numbers)
    return _risen(evidence, numbers) if _rose(DECIDES, evidence) else _fallen(evidence, numbers)


def _fallen(evidence: Evidence, numbers: str) -> Verdict:
    ups, _ = _signs(evidence)
    return Verdict("do not ship", "Do not ship: CTR fell.", (numbers, *_agree(ups, "up")))


def _risen(evidence: Evidence, numbers: str) -> Verdict:
    _, downs = _signs(evidence)
    doubts = (*_agree(downs, "down"), *_lose(evidence), *_parted(evidence))
    if not doubts:
        return Verdict("ship", "Ship: CTR rose.", (numbers,))
    headline = "Look deeper: CTR rose, but not for everybody."
    return Verdict("look deeper", headline, (numbers, *doubts))


def _unmoved(evidence: Evidence, numbers: str) -> Verdict:
    ups, downs = _signs(evidence)
    doubts = (*_agree(ups, "up"), *_agree(downs, "down"), *_parted(evidence))
    if not doubts:
        return Verdict("do not ship", "Do not ship: no effect on CTR was found.", (numbers,))
    headline = "Look deeper: CTR did not move, its users did."
    return Verdict("look deeper", headline, (numbers, *doubts))


def _honest(name: str, evidence: Evidence) -> bool:
    rate = evidence.rates.get(name)
    return rate is None or is_honest(rate, alpha=evidence.alpha)


def _rose(name: str, evidence: Evidence) -> bool:
    null = 0.5 if METHODS[name].unit == "probability" else 0.0
    return evidence.found[name].estimate > null


def _signs(evidence: Evidence) -> tuple[list[str], list[str]]:
    """Return the honest methods of other questions that see a rise, and that see a fall."""
    asked = [name for name in evidence.found if name not in _SAME_QUESTION]
    names = [name for name in asked if _honest(name, evidence)]
    corrected = adjusted([evidence.found[name].p_value for name in names])
    ups: list[str] = []
    downs: list[str] = []
    for name, p_value in zip(names, corrected, strict=True):
        if p_value * evidence.treatments <= evidence.alpha:
            (ups if _rose(name, evidence) else downs).append(METHODS[name].label)
    return ups, downs


def _numbers(ctr: Comparison, corrected_p: float) -> str:
    return (
        f"The global CTR went from {ctr.control:.4f} to {ctr.treatment:.4f}, "
        f"{amount('CTR', ctr.estimate)} ({interval('CTR', ctr)}), "
        f"{messages.signed_percent(ctr.relative)}; p = {p_text(corrected_p)} by linearized likes."
    )


def _agree(names: Sequence[str], direction: str) -> tuple[str, ...]:
    return (f"{', '.join(names)}: significantly {direction}.",) if names else ()


def _lose(evidence: Evidence) -> tuple[str, ...]:
    losers = [
        f"{messages.part(segment.part)} {messages.attribute(segment.part, segment.value)}"
        for segment in evidence.segments
        if segment.adjusted_p <= evidence.alpha and segment.result.estimate < 0
    ]
    return (f"Parts of the audience lose: {', '.join(losers[:5])}.",) if losers else ()


def _parted(evidence: Evidence) -> tuple[str, ...]:
    if evidence.population is None:
        return ()
    return ("The treated users have fallen into two populations.",)


def in_likes_a_day(ctr: Comparison, views_a_day: float) -> tuple[float, float, float]:
    """Return an effect on CTR as likes a day, had everybody been treated.

    Parameters
    ----------
    ctr : Comparison
        Of the global CTR.
    views_a_day : float
        Views of the whole audience a day.

    Returns
    -------
    tuple of float
        Estimate, lower and upper end, in likes a day at unchanged views.
    """
    return ctr.estimate * views_a_day, ctr.lower * views_a_day, ctr.upper * views_a_day


def population_sentence(group: int, found: Populations | None, explained: float | None) -> str:
    """Return what was found about two populations, in one or two sentences.

    Parameters
    ----------
    group : int
        Experiment group.
    found : Populations or None
        From `populations.split`.
    explained : float or None
        Smallest p-value of an attribute that might tell them apart.
    """
    if found is None:
        return f"One peak was found in the CTR of group {group}: its users have not visibly parted."
    shares = f"{100 * found.share_above:.0f} % near {found.ctr_above:.2f}"
    rest = f"{100 * (1 - found.share_above):.0f} % near {found.ctr_below:.2f}"
    text = (
        f"The users of group {group} have fallen into two populations, parted at a CTR of "
        f"{found.threshold:.2f}: {shares} and {rest}."
    )
    if explained is None:
        return text
    if explained > EXPLORED:
        return f"{text} No recorded attribute explains it."
    return f"{text} An attribute goes with it, see the table."
