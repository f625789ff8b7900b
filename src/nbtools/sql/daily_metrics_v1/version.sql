-- A fingerprint of everything in the table; one row, the same for the same rows in whatever order.
-- Parameters: none
SELECT hex(sum(cityHash64(
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
))) AS version
FROM daily_metrics_v1
