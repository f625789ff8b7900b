-- What a metric's count was in two ranges of time, by attribute; one row per dimension and value, and one in total.
-- Parameters: first UInt32, last UInt32, first_before UInt32, last_before UInt32 (in seconds since 1970, the last ones excluded), dimensions Array(String)
SELECT
    tupleElement(segment, 1) AS dimension,
    tupleElement(segment, 2) AS dimension_value,
    sumIf(feed_user, is_now) AS feed_users_now,
    sumIf(feed_user, NOT is_now) AS feed_users_before,
    sumIf(messenger_user, is_now) AS messenger_users_now,
    sumIf(messenger_user, NOT is_now) AS messenger_users_before,
    sumIf(users.views, is_now) AS views_now,
    sumIf(users.views, NOT is_now) AS views_before,
    sumIf(users.likes, is_now) AS likes_now,
    sumIf(users.likes, NOT is_now) AS likes_before,
    sumIf(users.messages_sent, is_now) AS messages_sent_now,
    sumIf(users.messages_sent, NOT is_now) AS messages_sent_before
FROM
(
    -- One place a user and range, so that the values of a dimension add up to the total.
    SELECT
        user_id,
        is_now,
        countIf(what = 'view') AS views,
        countIf(what = 'like') AS likes,
        countIf(what = 'message') AS messages_sent,
        views + likes > 0 AS feed_user,
        messages_sent > 0 AS messenger_user,
        arrayJoin(argMax(segments, (time, segments))) AS segment
    FROM
    (
        SELECT
            user_id,
            what,
            time,
            time >= toDateTime({first:UInt32}, 'UTC') AND time < toDateTime({last:UInt32}, 'UTC') AS is_now,
            arrayFilter(pair -> has({dimensions:Array(String)}, tupleElement(pair, 1)), [
                ('total', 'total'),
                ('os', ifNull(toString(os), 'unknown')),
                ('source', ifNull(toString(source), 'unknown')),
                ('country', ifNull(toString(country), 'unknown')),
                ('city', ifNull(toString(city), 'unknown')),
                ('gender', ifNull(toString(gender), 'unknown')),
                ('exp_group', ifNull(toString(exp_group), 'unknown'))
            ]) AS segments
        FROM
        (
            SELECT
                user_id,
                toString(action) AS what,
                toDateTime(time, 'UTC') AS time,
                os,
                source,
                country,
                city,
                gender,
                exp_group
            FROM feed
            WHERE action IN ('view', 'like')
              AND ((feed.time >= toDateTime({first:UInt32}, 'UTC') AND feed.time < toDateTime({last:UInt32}, 'UTC'))
                OR (feed.time >= toDateTime({first_before:UInt32}, 'UTC') AND feed.time < toDateTime({last_before:UInt32}, 'UTC')))
            UNION ALL
            SELECT
                user_id,
                'message' AS what,
                toDateTime(time, 'UTC') AS time,
                os,
                source,
                country,
                city,
                gender,
                exp_group
            FROM messages
            WHERE (messages.time >= toDateTime({first:UInt32}, 'UTC') AND messages.time < toDateTime({last:UInt32}, 'UTC'))
               OR (messages.time >= toDateTime({first_before:UInt32}, 'UTC') AND messages.time < toDateTime({last_before:UInt32}, 'UTC'))
        )
    )
    GROUP BY user_id, is_now
) AS users
GROUP BY segment
ORDER BY dimension, dimension_value
