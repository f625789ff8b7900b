-- Distinct users in the day so far and in the same part of two earlier days; one row per day with any.
-- Parameters: first UInt32, last UInt32, first_day UInt32, last_day UInt32, first_week UInt32, last_week UInt32 (in seconds since 1970, the last ones excluded)
SELECT
    multiIf(
        time >= toDateTime({first:UInt32}, 'UTC'), 'now',
        time >= toDateTime({first_day:UInt32}, 'UTC'), 'day_before',
        'week_before'
    ) AS moment,
    uniqExact(user_id) AS app_users,
    uniqExactIf(user_id, service = 'feed') AS feed_users,
    uniqExactIf(user_id, service = 'messages') AS messenger_users
FROM
(
    SELECT
        user_id,
        'feed' AS service,
        toDateTime(time, 'UTC') AS time
    FROM feed
    WHERE action IN ('view', 'like')
      AND ((feed.time >= toDateTime({first:UInt32}, 'UTC') AND feed.time < toDateTime({last:UInt32}, 'UTC'))
        OR (feed.time >= toDateTime({first_day:UInt32}, 'UTC') AND feed.time < toDateTime({last_day:UInt32}, 'UTC'))
        OR (feed.time >= toDateTime({first_week:UInt32}, 'UTC') AND feed.time < toDateTime({last_week:UInt32}, 'UTC')))
    UNION ALL
    SELECT
        user_id,
        'messages' AS service,
        toDateTime(time, 'UTC') AS time
    FROM messages
    WHERE (messages.time >= toDateTime({first:UInt32}, 'UTC') AND messages.time < toDateTime({last:UInt32}, 'UTC'))
       OR (messages.time >= toDateTime({first_day:UInt32}, 'UTC') AND messages.time < toDateTime({last_day:UInt32}, 'UTC'))
       OR (messages.time >= toDateTime({first_week:UInt32}, 'UTC') AND messages.time < toDateTime({last_week:UInt32}, 'UTC'))
)
GROUP BY moment
ORDER BY moment
