-- The quality checks of one staged day; one row per check, in the order they are shown.
-- Parameters: date Date, tz String, users Identifier, staging Identifier
WITH
    -- The users of the day, summed up once.
    day AS (
        SELECT
            sum(users.views + users.likes + users.unknown_actions) AS feed_events,
            sum(users.views) AS views,
            sum(users.likes) AS likes,
            sum(users.messages_sent) AS messages,
            countIf(users.acted) AS acting_users,
            sum(users.repeated_feed) AS repeated_feed,
            argMax(user_id, users.repeated_feed) AS repeated_feed_user,
            sum(users.repeated_messages) AS repeated_messages,
            argMax(user_id, users.repeated_messages) AS repeated_messages_user,
            countIf(is_outside) AS outside,
            argMax(user_id, is_outside) AS outside_user,
            sum(users.unknown_actions) AS unknown_actions,
            argMax(user_id, users.unknown_actions) AS unknown_actions_user,
            sum(users.likes_without_view) AS likes_without_view,
            argMax(user_id, users.likes_without_view) AS likes_without_view_user,
            sum(users.attributes_changed) AS attributes_changed,
            argMax(user_id, users.attributes_changed) AS attributes_changed_user
        FROM
        (
            SELECT
                *,
                toDate(first_event, {tz:String}) != {date:Date}
                    OR toDate(last_event, {tz:String}) != {date:Date} AS is_outside
            FROM {users:Identifier}
        ) AS users
    ),
    -- The four dimensions must have the same sums.
    sums AS (
        SELECT
            count() AS dimensions,
            uniqExact(counts) AS different
        FROM
        (
            SELECT
                dimension,
                (
                    sum(views),
                    sum(likes),
                    sum(messages_received),
                    sum(messages_sent),
                    sum(users_received),
                    sum(users_sent),
                    sum(feed_users),
                    sum(messenger_users),
                    sum(both_users)
                ) AS counts
            FROM {staging:Identifier}
            GROUP BY dimension
        )
    ),
    -- The same weekday one to four weeks before.
    weekdays AS (
        SELECT
            count() AS days,
            min(total.views) AS least_views,
            max(total.views) AS most_views,
            min(total.messages_sent) AS least_messages,
            max(total.messages_sent) AS most_messages
        FROM daily_metrics_v1 AS total
        WHERE total.dimension = 'total'
          AND total.event_date IN ({date:Date} - 7, {date:Date} - 14, {date:Date} - 21, {date:Date} - 28)
    )
SELECT
    tupleElement(line, 1) AS check,
    tupleElement(line, 2) AS severity,
    tupleElement(line, 3) AS sentence,
    tupleElement(line, 4) AS found,
    tupleElement(line, 5) AS checked,
    if(found > 0, tupleElement(line, 6), '') AS example
FROM day
CROSS JOIN sums
CROSS JOIN weekdays
ARRAY JOIN [
    (
        'sums',
        'fail',
        'the rows of a dimension do not add up to the total',
        toUInt64(if(dimensions = 4, different - 1, 4)),
        dimensions,
        concat(toString(dimensions), ' dimensions, ', toString(different), ' different sums')
    ),
    (
        'outside',
        'fail',
        'users have events outside the day',
        outside,
        acting_users,
        concat('user ', toString(outside_user))
    ),
    (
        'unknown_actions',
        'fail',
        'feed events are neither a view nor a like',
        unknown_actions,
        feed_events,
        concat('user ', toString(unknown_actions_user))
    ),
    (
        'repeated_feed',
        if(repeated_feed >= 10 AND repeated_feed * 3 > feed_events, 'fail', 'warn'),
        'feed events repeat another one: same user, post, action and second',
        repeated_feed,
        feed_events,
        concat('user ', toString(repeated_feed_user))
    ),
    (
        'repeated_messages',
        if(repeated_messages >= 10 AND repeated_messages * 3 > messages, 'fail', 'warn'),
        'messages repeat another one: same sender, receiver and second',
        repeated_messages,
        messages,
        concat('user ', toString(repeated_messages_user))
    ),
    (
        'likes_without_view',
        'warn',
        'likes have no view of the post by the same user on the day',
        likes_without_view,
        likes,
        concat('user ', toString(likes_without_view_user))
    ),
    (
        'attributes_changed',
        'warn',
        'users change gender, age or os within the day; their latest count',
        attributes_changed,
        acting_users,
        concat('user ', toString(attributes_changed_user))
    ),
    (
        'views_volume',
        'warn',
        'views are under half or over twice those of the same weekday in the four weeks before',
        toUInt64(days > 0 AND (views * 2 < least_views OR views > most_views * 2)),
        days,
        concat(toString(views), ' views, before ', toString(least_views), ' to ', toString(most_views))
    ),
    (
        'messages_volume',
        'warn',
        'messages are under half or over twice those of the same weekday in the four weeks before',
        toUInt64(days > 0 AND (messages * 2 < least_messages OR messages > most_messages * 2)),
        days,
        concat(toString(messages), ' messages, before ', toString(least_messages), ' to ', toString(most_messages))
    )
] AS line
