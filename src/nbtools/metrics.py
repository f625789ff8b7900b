"""The metric catalogue: what each number means, once.

A metric's ``sql`` is an expression over the rows of ``daily_metrics_v1``; reports,
cards and the reference page take it from here. A changed definition is a new slug.
"""

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
    if slug not in CATALOGUE:
        raise ParameterError(
            f"{slug!r} is no metric; the catalogue has {', '.join(sorted(CATALOGUE))}."
        )
    return CATALOGUE[slug]


def select_list(slugs: tuple[str, ...]) -> str:
    """Return the metrics as the select list of a statement over ``daily_metrics_v1``.

    Examples
    --------
    >>> select_list(("views",))
    'sum(views) AS views_value'
    """
    return ",\n    ".join(f"{metric(slug).sql} AS {slug}_value" for slug in slugs)
