-- The metrics of one day; one row per dimension and value, numbers in their order, then names.
-- Parameters: date Date
SELECT
    event_date,
    dimension,
    dimension_value,
    views,
    likes,
    messages_received,
    messages_sent,
    users_received,
    users_sent,
    feed_users,
    messenger_users,
    both_users
FROM daily_metrics_v1
WHERE event_date = {date:Date}
ORDER BY dimension, toUInt64OrNull(dimension_value) NULLS LAST, dimension_value
