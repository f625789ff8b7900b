-- Messages received straight from the events, by the receiver's latest attributes; one row per dimension and value.
-- Parameters: date Date, tz String, since Date (events from this day on tell who a receiver is)
SELECT
    multiIf(grouping(gender) = 0, 'gender', grouping(age) = 0, 'age', grouping(os) = 0, 'os', 'total') AS dimension,
    multiIf(grouping(gender) = 0, gender, grouping(age) = 0, age, grouping(os) = 0, os, 'total') AS dimension_value,
    count() AS messages_received,
    uniqExact(sender, receiver) AS users_received
FROM
(
    SELECT
        sent.user_id AS sender,
        sent.receiver_id AS receiver,
        if(people.known, people.gender, 'unknown') AS gender,
        if(people.known, people.age, 'unknown') AS age,
        if(people.known, people.os, 'unknown') AS os
    FROM
    (
        SELECT
            user_id,
            receiver_id
        FROM messages
        WHERE time >= toDateTime({date:Date}, {tz:String})
          AND time < toDateTime({date:Date} + 1, {tz:String})
    ) AS sent
    LEFT JOIN
    (
        SELECT
            user_id,
            true AS known,
            toString(argMax(seen.gender, time)) AS gender,
            toString(argMax(seen.age, time)) AS age,
            toString(argMax(seen.os, time)) AS os
        FROM
        (
            SELECT user_id, time, gender, age, os
            FROM feed
            UNION ALL
            SELECT user_id, time, gender, age, os
            FROM messages
        ) AS seen
        WHERE time >= toDateTime({since:Date}, {tz:String})
          AND time < toDateTime({date:Date} + 1, {tz:String})
        GROUP BY user_id
    ) AS people ON people.user_id = sent.receiver_id
)
GROUP BY GROUPING SETS ((gender), (age), (os), ())
