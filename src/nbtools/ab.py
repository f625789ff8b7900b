"""An experiment from its events to its verdict, as the AB notebooks call it."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from nbtools import (
    aa,
    courses,
    experiments,
    guards,
    messages,
    populations,
    power,
    ratios,
    segments,
    splitting,
    studies,
    verdicts,
)
from nbtools.courses import Novelty
from nbtools.errors import SampleError
from nbtools.experiments import METHODS, Pair
from nbtools.guards import Guard
from nbtools.handover import Attachment, Draft, Figure
from nbtools.inference import adjusted, compare_means
from nbtools.parameters import ComparisonParameters
from nbtools.populations import Populations
from nbtools.power import mean_moments
from nbtools.segments import Segment
from nbtools.splitting import ErrorRate
from nbtools.studies import Study
from nbtools.user_days import UserDays
from nbtools.verdicts import DECIDES, Evidence, Verdict
from nbtools.warehouse import Connection

# Salts for the false alarms of CUPED, which needs every user's past.
_SALTS = 256


class Outcome(NamedTuple):
    """What was found for one treatment.

    Attributes
    ----------
    treatment : int
        Experiment group.
    pair : Pair
        It and the control under every method.
    corrected_p : float
        P-value of the deciding method, corrected for several treatments.
    segments : list of Segment
        Effects in parts of the audience.
    population : Populations or None
        Two populations within the treated group, if it fell into two.
    explained : DataFrame or None
        Whether an attribute tells them apart.
    course : DataFrame
        The effect day by day.
    novelty : Novelty or None
        Whether it changes.
    verdict : Verdict
        What to do.
    likes_a_day : tuple of float
        The effect in likes a day, had everybody been treated: estimate, lower, upper.
    """

    treatment: int
    pair: Pair
    corrected_p: float
    segments: list[Segment]
    population: Populations | None
    explained: pd.DataFrame | None
    course: pd.DataFrame
    novelty: Novelty | None
    verdict: Verdict
    likes_a_day: tuple[float, float, float]


class Analysis(NamedTuple):
    """A whole experiment.

    Attributes
    ----------
    study : Study
        The users of its window.
    control : int
        Control group.
    alpha : float
        Level of the tests.
    guards : list of Guard
        What must hold.
    rates : dict of str to ErrorRate
        False alarms of each method on random halves of the control's users.
    outcomes : tuple of Outcome
        One a treatment.
    """

    study: Study
    control: int
    alpha: float
    guards: list[Guard]
    rates: dict[str, ErrorRate]
    outcomes: tuple[Outcome, ...]


def analyse(source: Connection | UserDays, params: ComparisonParameters, *, tz: str) -> Analysis:
    """Analyse an experiment.

    Parameters
    ----------
    source : UserDays or Connection
        The app's events, and with them the rollup where it may be read.
    params : ComparisonParameters
        Window, groups and level.
    tz : str
        The app's time zone.

    Returns
    -------
    Analysis
        Everything that the page shows.

    Raises
    ------
    NoDataError
        If a group has no users.
    SampleError
        If the global CTR cannot be compared.
    """
    window = params.start_date, params.end_date
    control, treatments, alpha = params.control, params.treatments, params.alpha
    study = studies.load(
        source, *window, tz=tz, before_days=params.before_days, buckets=params.buckets
    )
    pairs = [experiments.compare(study, control, other, alpha=alpha) for other in treatments]
    corrected = adjusted([pair.found[DECIDES].p_value for pair in pairs])
    days = studies.days(source, *window, tz=tz)
    guarded = guards.check(study, control, treatments, days, weights=params.weights)
    rates = _rates(source, study, params, tz=tz)
    outcomes = []
    for treatment, pair, p_value in zip(treatments, pairs, corrected, strict=True):
        parts = segments.effects(study, control, treatment, alpha=alpha)
        population, explained = _populations(source, study, control, treatment, tz=tz)
        course = courses.course(days, control, treatment, alpha=alpha)
        evidence = Evidence(
            pair.found, rates, p_value, parts, population, len(treatments), params.alpha
        )
        verdict = verdicts.decide(guarded, evidence)
        effect = verdicts.in_likes_a_day(pair.found["delta_ratio"], views_a_day(study))
        outcomes.append(
            Outcome(
                treatment,
                pair,
                p_value,
                parts,
                population,
                explained,
                course,
                courses.novelty(course),
                verdict,
                effect,
            )
        )
    return Analysis(study, control, alpha, guarded, rates, tuple(outcomes))


def _rates(
    source: Connection | UserDays, study: Study, params: ComparisonParameters, *, tz: str
) -> dict[str, ErrorRate]:
    control, alpha = params.control, params.alpha
    rates = experiments.error_rates(study.cells(control), alpha=alpha, buckets=params.buckets)
    if not rates:
        return rates
    halves = studies.resplit(
        source,
        (study.first, study.last),
        [control],
        studies.salts(_SALTS),
        tz=tz,
        before_days=study.before_days,
    )
    try:
        p_values = aa.resalted(halves)
    except SampleError:
        return rates
    return rates | {
        name: splitting.error_rate(p_values[name], alpha=alpha)
        for name in aa.WITH_A_PAST
        if name in p_values
    }


def _populations(
    source: Connection | UserDays, study: Study, control: int, treatment: int, *, tz: str
) -> tuple[Populations | None, pd.DataFrame | None]:
    """Return the two populations of the treated, unless the control has several peaks too."""
    found = populations.split(study.cells(treatment))
    if found is None or len(populations.peaks(study.cells(control))) > 1:
        return None, None
    rows = studies.users_above(source, study.first, study.last, treatment, found.threshold, tz=tz)
    explained = populations.explained_by(rows)
    return found, None if explained.empty else explained


def views_a_day(study: Study) -> float:
    """Return the views of the whole audience a day in the window."""
    views = sum(study.sums(group).total("views") for group in study.groups)
    return views / ((study.last - study.first).days + 1)


def guards_table(found: Sequence[Guard]) -> pd.DataFrame:
    """Return the guards as people read them."""
    rows = [
        {"Guard": guard.name, "Holds": "yes" if guard.passed else "NO", "Found": guard.finding}
        for guard in found
    ]
    return pd.DataFrame(rows).set_index("Guard")


def segments_table(outcome: Outcome, *, alpha: float = 0.05) -> pd.DataFrame:
    """Return the effects in parts of the audience, as people read them.

    Parameters
    ----------
    outcome : Outcome
        One treatment of an experiment.
    alpha : float
        What its intervals were made with.
    """
    rows = []
    for segment in outcome.segments:
        result = segment.result
        rows.append(
            {
                "Part": f"{messages.part(segment.part)}: "
                f"{messages.attribute(segment.part, segment.value)}",
                "Users": messages.count(result.n_control + result.n_treatment),
                "CTR, control": f"{result.control:.4f}",
                "CTR, treated": f"{result.treatment:.4f}",
                "Difference": experiments.amount("CTR", result.estimate),
                f"{100 * (1 - alpha):g} % interval": experiments.interval("CTR", result),
                "p, corrected": experiments.p_text(segment.adjusted_p),
            }
        )
    return pd.DataFrame(rows).set_index("Part")


def metrics_table(analysis: Analysis, outcome: Outcome, metrics: Sequence[str]) -> pd.DataFrame:
    """Return other metrics than CTR, as people read them, with Holm's correction.

    Parameters
    ----------
    analysis : Analysis
        The experiment.
    outcome : Outcome
        One treatment of it.
    metrics : sequence of {"likes", "views"}
        Means per user.
    """
    groups = [analysis.study.sums(group) for group in (analysis.control, outcome.treatment)]
    moments = {name: [mean_moments(group, name) for group in groups] for name in metrics}
    found = [
        compare_means(name, *pair, alpha=analysis.alpha)
        for name, pair in moments.items()
        if any(group.variance for group in pair)  # else all users have the same
    ]
    corrected = adjusted([result.p_value for result in found])
    rows = [
        {
            "Metric": f"{result.method.capitalize()} per user",
            "Control": f"{result.control:.2f}",
            "Treated": f"{result.treatment:.2f}",
            "Difference": messages.signed(result.estimate, 2),
            "Relative": messages.signed_percent(result.relative),
            "p, corrected": experiments.p_text(p_value),
        }
        for result, p_value in zip(found, corrected, strict=True)
    ]
    columns = ["Metric", "Control", "Treated", "Difference", "Relative", "p, corrected"]
    return pd.DataFrame(rows, columns=columns).set_index("Metric")


def sentences(analysis: Analysis, outcome: Outcome) -> list[str]:
    """Return the verdict and its reasons, a sentence each, the verdict first."""
    estimate, lower, upper = (messages.signed(x, 0) for x in outcome.likes_a_day)
    lines = [outcome.verdict.headline, *outcome.verdict.reasons]
    if outcome.verdict.decision == "invalid":
        return lines
    if outcome.corrected_p > analysis.alpha:
        lines.append(reach_sentence(analysis, outcome))
    lines.append(
        f"Had everybody been treated, likes would change by {estimate} a day ({lower} to {upper})."
    )
    if outcome.population is not None:
        least = None if outcome.explained is None else float(outcome.explained["p_value"].min())
        lines.append(verdicts.population_sentence(outcome.treatment, outcome.population, least))
        lines.append(
            "The change suits some users and not others: look for what divides them before it is "
            "tried again."
        )
    dishonest = [
        METHODS[name].label
        for name, rate in analysis.rates.items()
        if name in outcome.pair.found and not experiments.is_honest(rate, alpha=analysis.alpha)
    ]
    if dishonest:
        lines.append(f"Not honest on these users, so not counted: {', '.join(dishonest)}.")
    return lines


def reach_sentence(analysis: Analysis, outcome: Outcome) -> str:
    """Return how small an effect these users could have shown, in one sentence.

    An effect that was not found may still be there if it is smaller than that.
    """
    control = analysis.study.sums(analysis.control)
    treated = analysis.study.sums(outcome.treatment)
    found = power.minimum_effect(
        ratios.moments_of(control),
        control.users + treated.users,
        alpha=analysis.alpha,
        allocation=treated.users / control.users,
    )
    share = experiments.amount("CTR", found.effect).removeprefix("+")
    return (
        f"With so many users a change of the global CTR of {share} or more would have been found "
        "in four of five experiments; a smaller one may have been missed."
    )


def course_sentence(outcome: Outcome) -> str:
    """Return what daily looks would have shown, in one or two sentences."""
    fixed = courses.first_excluding(outcome.course)
    always = courses.first_excluding(outcome.course, "always_")
    if fixed is None:
        text = "No daily look would have shown an effect."
    else:
        text = f"The fixed interval first leaves zero out on {messages.day(fixed.date())}"
        late = "never does" if always is None else f"does on {messages.day(always.date())}"
        text += f"; the one that holds at every look {late}."
    if outcome.novelty is None:
        return text
    changes = outcome.novelty.p_value <= verdicts.EXPLORED
    wear = "The effect changes" if changes else "No change of the effect is seen"
    return f"{text} {wear} along the window (p = {experiments.p_text(outcome.novelty.p_value)})."


def figures(analysis: Analysis) -> dict[str, Figure]:
    """Return the key figures of an experiment, with the group in front if there are several."""
    found: dict[str, Figure] = {}
    several = len(analysis.outcomes) > 1
    for outcome in analysis.outcomes:
        prefix = f"group_{outcome.treatment}." if several else ""
        found[f"{prefix}verdict"] = outcome.verdict.decision
        found |= experiments.figures(outcome.pair.found, prefix=prefix)
        found[f"{prefix}likes_a_day"] = outcome.likes_a_day[0]
        found[f"{prefix}users"] = analysis.study.sums(outcome.treatment).users
    return found


def message(title: str, analysis: Analysis, pictures: Sequence[Attachment] = ()) -> Draft:
    """Return the verdict as a message for the chat."""
    lines = []
    for outcome in analysis.outcomes:
        lines.append(f"Group {outcome.treatment} against {analysis.control}:")
        lines += sentences(analysis, outcome)
    window = f"{messages.day(analysis.study.first)} to {messages.day(analysis.study.last)}"
    # A rerun says nothing twice, but a verdict that has changed is news.
    decisions = (outcome.verdict.decision.replace(" ", "-") for outcome in analysis.outcomes)
    part = "-".join(["verdict", *decisions])
    return Draft(part, f"{title}, {window}", "\n".join(lines), pictures=tuple(pictures))
