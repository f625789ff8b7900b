-- Counts of each day by attributes of users; one row per day, os, source, gender and country.
-- Parameters: last Date (nothing after it is read)
SELECT
    event_date AS day,
    users.os AS os,
    users.source AS source,
    users.gender AS gender,
    users.country AS country,
    countIf(users.views + users.likes > 0) AS feed_users,
    countIf(users.messages_sent > 0) AS messenger_users,
    countIf(users.views + users.likes > 0 AND users.messages_sent > 0) AS both_users,
    countIf((users.user_id, users.event_date) IN (
        SELECT user_id, min(event_date) FROM user_days_v1 WHERE event_date <= {last:Date} GROUP BY user_id
    )) AS new_users,
    sum(users.views) AS views,
    sum(users.likes) AS likes,
    sum(users.messages_sent) AS messages_sent
FROM user_days_v1 AS users
WHERE event_date <= {last:Date}
GROUP BY day, os, source, gender, country
ORDER BY day, os, source, gender, country
