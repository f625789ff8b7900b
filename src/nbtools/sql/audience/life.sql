-- When users first used each service; one row per pair of first days, 1970-01-01 where they never have.
-- Parameters: last Date (nothing after it is read)
SELECT
    first_feed,
    first_message,
    count() AS users
FROM
(
    SELECT
        minIf(event_date, views + likes > 0) AS first_feed,
        minIf(event_date, messages_sent > 0) AS first_message
    FROM user_days_v1
    WHERE event_date <= {last:Date}
    GROUP BY user_id
)
GROUP BY first_feed, first_message
ORDER BY first_feed, first_message
