-- Counts of each day by attributes of users; one row per day and code of os, source, gender and country.
-- Parameters: last Date (nothing after it is read), os Array(String), source Array(String), gender Array(String), country Array(String) (all their values), os_codes Array(UInt64), source_codes Array(UInt64), gender_codes Array(UInt64), country_codes Array(UInt64) (their codes, to be added up)
SELECT
    event_date AS day,
    -- One number instead of four texts, so that few bytes are grouped.
    transform(users.os, {os:Array(String)}, {os_codes:Array(UInt64)}, toUInt64(0))
    + transform(users.source, {source:Array(String)}, {source_codes:Array(UInt64)}, toUInt64(0))
    + transform(users.gender, {gender:Array(String)}, {gender_codes:Array(UInt64)}, toUInt64(0))
    + transform(users.country, {country:Array(String)}, {country_codes:Array(UInt64)}, toUInt64(0)) AS code,
    countIf(users.views + users.likes > 0) AS feed_users,
    countIf(users.messages_sent > 0) AS messenger_users,
    countIf(users.views + users.likes > 0 AND users.messages_sent > 0) AS both_users,
    sum(users.views) AS views,
    sum(users.likes) AS likes,
    sum(users.messages_sent) AS messages_sent
FROM user_days_v1 AS users
WHERE event_date <= {last:Date}
GROUP BY day, code
ORDER BY day, code
