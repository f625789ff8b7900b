-- Users with more than one set of attributes on the day; one row.
-- Parameters: date Date, tz String
SELECT countIf(sets > 1) AS found
FROM
(
    SELECT
        user_id,
        uniqExact(cityHash64(gender, age, os)) AS sets
    FROM
    (
        SELECT user_id, time, gender, age, os
        FROM feed
        UNION ALL
        SELECT user_id, time, gender, age, os
        FROM messages
    )
    WHERE time >= toDateTime({date:Date}, {tz:String})
      AND time < toDateTime({date:Date} + 1, {tz:String})
    GROUP BY user_id
)
