"""What the pages of experiments show of their analysis."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from nbtools import ab, charts, experiment_charts, experiments, messages, tables, verdicts
from nbtools import linearized as linearized_module
from nbtools import segments as segment_module
from nbtools.ab import Analysis, Outcome
from nbtools.handover import Draft


def verdict(analysis: Analysis) -> HTML:
    """Return what is to be done, and why."""
    several = len(analysis.outcomes) > 1
    blocks = []
    for outcome in analysis.outcomes:
        lines = ab.sentences(analysis, outcome)
        front = f"Group {outcome.treatment}. " if several else ""
        blocks.append([front + lines[0], *lines[1:]])
    return tables.sentences(*blocks)


def distribution(analysis: Analysis) -> Figure:
    """Return the distribution of the users' own CTR by group."""
    treatments = [outcome.treatment for outcome in analysis.outcomes]
    groups = {group: analysis.study.cells(group) for group in (analysis.control, *treatments)}
    parted = [str(o.treatment) for o in analysis.outcomes if o.population is not None]
    title = "No group has fallen into two populations"
    if parted:
        title = f"Group {', '.join(parted)} has fallen into two populations"
    colours = experiment_charts.group_colours(analysis.control, treatments)
    return experiment_charts.ctr_distribution(groups, colours, title)


def populations(analysis: Analysis) -> HTML:
    """Return what was found about two populations, and whether an attribute explains it."""
    parts = []
    for outcome in analysis.outcomes:
        least = None if outcome.explained is None else float(outcome.explained["p_value"].min())
        text = verdicts.population_sentence(outcome.treatment, outcome.population, least)
        parts.append(tables.sentences([text]).data)
        if outcome.explained is not None:
            parts.append(tables.show(_explained(outcome.explained)).data)
    return HTML("\n".join(parts))


def _explained(found: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Attribute": messages.part(str(part)),
            "Lowest share above": f"{100 * row['lowest']:.1f}{messages.THIN_SPACE}%",
            "Highest share above": f"{100 * row['highest']:.1f}{messages.THIN_SPACE}%",
            "p, corrected": experiments.p_text(float(row["p_value"])),
        }
        for part, row in found.iterrows()
    ]
    return pd.DataFrame(rows).set_index("Attribute")


def guards(analysis: Analysis) -> HTML:
    """Return the guards, and what the users were read from."""
    table = tables.show(ab.guards_table(analysis.guards), words=("Found",))
    return HTML(f"{table.data}\n{tables.sentences([analysis.study.origin]).data}")


def groups(analysis: Analysis) -> HTML:
    """Return what each group did."""
    names = [analysis.control, *(outcome.treatment for outcome in analysis.outcomes)]
    return tables.show(experiments.groups_table(analysis.study, names))


def metrics(analysis: Analysis, names: Sequence[str]) -> HTML:
    """Return other metrics than CTR, one table a treatment."""
    return _each(
        analysis, lambda outcome: tables.show(ab.metrics_table(analysis, outcome, names)).data
    )


def results(analysis: Analysis) -> HTML:
    """Return all methods on one table a treatment, and those left out with the reason."""
    return _each(analysis, lambda outcome: _results(analysis, outcome))


def _results(analysis: Analysis, outcome: Outcome) -> str:
    table = experiments.results_table(outcome.pair.found, analysis.rates, alpha=analysis.alpha)
    left_out = [
        tables.sentences([f"Left out: {experiments.METHODS[name].label}. {reason}"]).data
        for name, reason in outcome.pair.left_out.items()
    ]
    return "\n".join([tables.show(table, words=("Asks",)).data, *left_out])


def _each(analysis: Analysis, shown: Callable[[Outcome], str]) -> HTML:
    """Return something for each treatment, named where there are several."""
    parts = []
    for outcome in analysis.outcomes:
        if len(analysis.outcomes) > 1:
            name = f"Group {outcome.treatment} against group {analysis.control}"
            parts.append(tables.sentences([name]).data)
        parts.append(shown(outcome))
    return HTML("\n".join(parts))


def linearized(analysis: Analysis) -> HTML:
    """Return the groups' linearized likes, and the identity behind them."""
    return _each(
        analysis,
        lambda outcome: "\n".join(
            [
                tables.show(linearized_module.table(analysis, outcome)).data,
                tables.show(linearized_module.identity(analysis, outcome)).data,
            ]
        ),
    )


def sensitivity(analysis: Analysis) -> HTML:
    """Return how clearly each method sees the effect."""
    return _each(
        analysis,
        lambda outcome: tables.show(linearized_module.sensitivity(outcome), words=("Asks",)).data,
    )


def message(title: str, analysis: Analysis, pictures: Mapping[str, Figure]) -> Draft:
    """Return the verdict as a message for the chat.

    Parameters
    ----------
    title : str
        First line.
    analysis : Analysis
        The experiment.
    pictures : mapping of str to Figure
        By what they show.
    """
    attached = [
        charts.attach(figure, f"picture-{number}", alt)
        for number, (alt, figure) in enumerate(pictures.items(), 1)
    ]
    return ab.message(title, analysis, attached)


def forests(analysis: Analysis) -> dict[str, Figure]:
    """Draw the effect under every method, by what the pictures show."""
    figures = {}
    for outcome in analysis.outcomes:
        found = outcome.pair.found
        rows = experiments.relative_intervals(found, analysis.rates, alpha=analysis.alpha)
        if rows:
            honest = [row for row in rows if row.solid]
            apart = sum(not row.lower <= 0 <= row.upper for row in honest)
            group, count = outcome.treatment, len(honest)
            title = f"Group {group}: {apart} of {count} honest methods see an effect"
            figures[f"{title}, relative to the control"] = experiment_charts.forest(
                rows, title, "share"
            )
        rows = experiments.probability_intervals(found, analysis.rates, alpha=analysis.alpha)
        if rows:
            title = f"How often group {outcome.treatment} is above group {analysis.control}"
            figures[title] = experiment_charts.forest(rows, title, "share", null=0.5)
    return figures


def courses(analysis: Analysis) -> HTML:
    """Draw the effect day by day, and return what daily looks would have shown."""
    sentences = []
    for outcome in analysis.outcomes:
        if outcome.course.empty:
            continue
        experiment_charts.course(outcome.course, f"Group {outcome.treatment}: the effect so far")
        text = ab.course_sentence(outcome)
        several = len(analysis.outcomes) > 1
        sentences.append([f"Group {outcome.treatment}. {text}" if several else text])
    return tables.sentences(*sentences) if sentences else HTML("")


def segments(analysis: Analysis) -> HTML:
    """Return the effects in parts of the audience, and which attributes matter."""
    parts = []
    for outcome in analysis.outcomes:
        if not outcome.segments:
            parts.append(tables.sentences(["No part of the audience is large enough."]).data)
            continue
        parts.append(tables.show(ab.segments_table(outcome, alpha=analysis.alpha)).data)
        found = segment_module.heterogeneity(outcome.segments, alpha=analysis.alpha)
        matter = [str(name) for name, p in found.items() if p <= verdicts.EXPLORED]
        text = "The effect is not seen to depend on any attribute."
        if matter:
            text = f"The effect depends on: {', '.join(map(messages.part, matter))}."
        parts.append(tables.sentences([text]).data)
    return HTML("\n".join(parts))
