-- The attributes of everyone who acted in a range of days; one row per user and day.
-- Parameters: first Date, last Date (both included), tz String
SELECT
    event_date,
    user_id,
    true AS acted,
    toString(argMax(gender, moment)) AS gender,
    toString(argMax(age, moment)) AS age,
    toString(argMax(os, moment)) AS os
FROM
(
    SELECT
        user_id,
        toDate(time, {tz:String}) AS event_date,
        gender,
        age,
        os,
        -- The same order as in daily_metrics_v1/user_day.
        bitOr(
            bitShiftLeft(toUInt64(toUnixTimestamp(time)), 32),
            bitAnd(cityHash64(gender, age, os), 4294967295)
        ) AS moment
    FROM
    (
        SELECT
            user_id,
            time,
            gender,
            age,
            os
        FROM feed
        WHERE time >= toDateTime({first:Date}, {tz:String})
          AND time < toDateTime({last:Date} + 1, {tz:String})
        UNION ALL
        SELECT
            user_id,
            time,
            gender,
            age,
            os
        FROM messages
        WHERE time >= toDateTime({first:Date}, {tz:String})
          AND time < toDateTime({last:Date} + 1, {tz:String})
    )
)
GROUP BY
    event_date,
    user_id
ORDER BY
    event_date,
    user_id
