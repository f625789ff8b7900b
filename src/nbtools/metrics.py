"""The metric catalogue: what each number means, once.

A metric's ``sql`` is an expression over the rows of ``daily_metrics_v1``; reports,
cards and the reference page take it from here. A changed definition is a new slug. Some
metrics are also known by 15-minute slice: the same expression over ``slice_metrics_v1``,
whose columns have the same names.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from nbtools.errors import ParameterError


class Metric(NamedTuple):
    """One row of the catalogue.

    Attributes
    ----------
    slug : str
        Name in tables, key figures and parameters.
    name : str
        Name for people.
    unit : str
        What is counted, in the plural; ``share`` for a number from 0 to 1.
    counts : str
        What it counts and at which grain, one sentence.
    good : {"up", "down", "neither"}
        The direction that is good news.
    sql : str
        Expression over ``daily_metrics_v1``; NULL where it is undefined.
    style : {"count", "ratio", "share"}
        How it is shown: whole numbers, two decimals, per cent.
    additive : bool
        Whether values of several days or of several segments may be added up.
    """

    slug: str
    name: str
    unit: str
    counts: str
    good: Literal["up", "down", "neither"]
    sql: str
    style: Literal["count", "ratio", "share"] = "count"
    additive: bool = False


_METRICS = (
    Metric(
        "feed_users",
        "Feed DAU",
        "users",
        "Distinct users with at least one view or like in the feed on the day.",
        "up",
        "sum(feed_users)",
    ),
    Metric(
        "messenger_users",
        "Messenger DAU",
        "users",
        "Distinct users who sent at least one message on the day.",
        "up",
        "sum(messenger_users)",
    ),
    Metric(
        "app_users",
        "App DAU",
        "users",
        "Distinct users of the feed, the messenger, or both on the day.",
        "up",
        "sum(feed_users) + sum(messenger_users) - sum(both_users)",
    ),
    Metric(
        "both_users",
        "Users of both services, same day",
        "users",
        "Distinct users of the feed who also sent a message on the same day.",
        "up",
        "sum(both_users)",
    ),
    Metric(
        "feed_only_users",
        "Users of only the feed, same day",
        "users",
        "Distinct users of the feed who sent no message on the same day.",
        "neither",
        "sum(feed_users) - sum(both_users)",
    ),
    Metric(
        "messenger_only_users",
        "Users of only the messenger, same day",
        "users",
        "Distinct users who sent a message and had no view or like on the same day.",
        "neither",
        "sum(messenger_users) - sum(both_users)",
    ),
    Metric(
        "views",
        "Views",
        "views",
        "Posts viewed; a post viewed twice counts twice.",
        "up",
        "sum(views)",
        additive=True,
    ),
    Metric(
        "likes",
        "Likes",
        "likes",
        "Posts liked.",
        "up",
        "sum(likes)",
        additive=True,
    ),
    Metric(
        "ctr",
        "CTR",
        "share",
        "Likes divided by views, over all users of the day together (global CTR).",
        "up",
        "sum(likes) / nullIf(sum(views), 0)",
        "share",
    ),
    Metric(
        "views_per_user",
        "Views per user",
        "views per user",
        "Views divided by the feed's users of the day.",
        "up",
        "sum(views) / nullIf(sum(feed_users), 0)",
        "ratio",
    ),
    Metric(
        "likes_per_user",
        "Likes per user",
        "likes per user",
        "Likes divided by the feed's users of the day.",
        "up",
        "sum(likes) / nullIf(sum(feed_users), 0)",
        "ratio",
    ),
    Metric(
        "messages_sent",
        "Messages sent",
        "messages",
        "Messages, by the attributes of the sender.",
        "up",
        "sum(messages_sent)",
        additive=True,
    ),
    Metric(
        "messages_received",
        "Messages received",
        "messages",
        "Messages, by the attributes of the receiver.",
        "up",
        "sum(messages_received)",
        additive=True,
    ),
    Metric(
        "users_sent",
        "Receivers written to",
        "users",
        "Distinct receivers of each sender on the day, added up over senders.",
        "up",
        "sum(users_sent)",
    ),
    Metric(
        "users_received",
        "Senders heard from",
        "users",
        "Distinct senders to each receiver on the day, added up over receivers.",
        "up",
        "sum(users_received)",
    ),
    Metric(
        "messages_per_user",
        "Messages per user",
        "messages per user",
        "Messages sent divided by the messenger's users of the day.",
        "up",
        "sum(messages_sent) / nullIf(sum(messenger_users), 0)",
        "ratio",
    ),
)

CATALOGUE: dict[str, Metric] = {metric.slug: metric for metric in _METRICS}

# Another grain needs other words for people, never another expression.
SLICE_METRICS: dict[str, Metric] = {
    "feed_users": CATALOGUE["feed_users"]._replace(
        name="Feed users",
        counts="Distinct users with at least one view or like in the feed in the slice.",
    ),
    "messenger_users": CATALOGUE["messenger_users"]._replace(
        name="Messenger users",
        counts="Distinct users who sent at least one message in the slice.",
    ),
    "app_users": CATALOGUE["app_users"]._replace(
        name="App users",
        counts="Distinct users of the feed, the messenger, or both in the slice.",
    ),
    "views": CATALOGUE["views"],
    "likes": CATALOGUE["likes"],
    "ctr": CATALOGUE["ctr"]._replace(
        counts="Likes divided by views, over all users of the slice together (global CTR)."
    ),
    "messages_sent": CATALOGUE["messages_sent"],
    "new_users": Metric(
        "new_users",
        "New users",
        "users",
        "Users whose first event ever, in either service, is in the slice.",
        "up",
        "sum(new_users)",
        additive=True,
    ),
}


def metric(slug: str) -> Metric:
    """Return a metric of the catalogue.

    Raises
    ------
    ParameterError
        If there is none of that name.

    Examples
    --------
    >>> metric("ctr").name
    'CTR'
    """
    return _of(CATALOGUE, slug)


def slice_metric(slug: str) -> Metric:
    """Return a metric that is known by 15-minute slice.

    Raises
    ------
    ParameterError
        If there is none of that name.

    Examples
    --------
    >>> slice_metric("feed_users").name
    'Feed users'
    """
    return _of(SLICE_METRICS, slug)


def _of(catalogue: Mapping[str, Metric], slug: str) -> Metric:
    if slug not in catalogue:
        which = "is no metric" if catalogue is CATALOGUE else "is no metric by 15-minute slice"
        raise ParameterError(f"{slug!r} {which}; the catalogue has {', '.join(sorted(catalogue))}.")
    return catalogue[slug]


def select_list(slugs: tuple[str, ...], catalogue: Mapping[str, Metric] = CATALOGUE) -> str:
    """Return metrics of a catalogue as the select list of a statement over its table.

    Parameters
    ----------
    slugs : tuple of str
        The metrics.
    catalogue : mapping of str to Metric
        Where they are from.

    Raises
    ------
    ParameterError
        If the catalogue has none of a name.

    Examples
    --------
    >>> select_list(("views",))
    'sum(views) AS views_value'
    """
    metrics = [_of(catalogue, slug) for slug in slugs]
    return ",\n    ".join(f"{item.sql} AS {item.slug}_value" for item in metrics)
