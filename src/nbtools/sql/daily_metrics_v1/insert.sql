-- Sums up the users of one day into a staging table; one row per dimension and value.
-- Parameters: date Date, users Identifier, staging Identifier
INSERT INTO {staging:Identifier}
(
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
)
SELECT
    {date:Date} AS event_date,
    multiIf(grouping(gender) = 0, 'gender', grouping(age) = 0, 'age', grouping(os) = 0, 'os', 'total') AS dimension,
    multiIf(grouping(gender) = 0, gender, grouping(age) = 0, age, grouping(os) = 0, os, 'total') AS dimension_value,
    sum(combined.views) AS views,
    sum(combined.likes) AS likes,
    sum(combined.messages_received) AS messages_received,
    sum(combined.messages_sent) AS messages_sent,
    sum(combined.users_received) AS users_received,
    sum(combined.users_sent) AS users_sent,
    sum(combined.feed_users) AS feed_users,
    sum(combined.messenger_users) AS messenger_users,
    sum(combined.both_users) AS both_users
FROM
(
    -- A user has one gender, age and os on a day, so sums over their combinations count each user once.
    SELECT
        multiIf(users.acted, users.gender, past.known, past.gender, 'unknown') AS gender,
        multiIf(users.acted, users.age, past.known, past.age, 'unknown') AS age,
        multiIf(users.acted, users.os, past.known, past.os, 'unknown') AS os,
        sum(users.views) AS views,
        sum(users.likes) AS likes,
        sum(users.messages_received) AS messages_received,
        sum(users.messages_sent) AS messages_sent,
        sum(users.users_received) AS users_received,
        sum(users.users_sent) AS users_sent,
        countIf(users.views + users.likes > 0) AS feed_users,
        countIf(users.messages_sent > 0) AS messenger_users,
        countIf(users.views + users.likes > 0 AND users.messages_sent > 0) AS both_users
    FROM {users:Identifier} AS users
    LEFT JOIN
    (
        SELECT
            user_id,
            true AS known,
            argMax(user_attributes_v1.gender, since) AS gender,
            argMax(user_attributes_v1.age, since) AS age,
            argMax(user_attributes_v1.os, since) AS os
        FROM user_attributes_v1
        WHERE user_id IN (SELECT user_id FROM {users:Identifier} WHERE NOT acted)
          AND since < {date:Date}
          AND (since, load) IN (SELECT event_date, load FROM attribute_days_v1 FINAL WHERE is_known)
        GROUP BY user_id
    ) AS past ON past.user_id = users.user_id
    GROUP BY gender, age, os
) AS combined
GROUP BY GROUPING SETS ((gender), (age), (os), ())
