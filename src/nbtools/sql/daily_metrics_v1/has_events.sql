-- Whether a day has events: one row if it has, else none.
-- Parameters: date Date, tz String
SELECT found
FROM
(
    SELECT 1 AS found
    FROM feed
    WHERE time >= toDateTime({date:Date}, {tz:String})
      AND time < toDateTime({date:Date} + 1, {tz:String})
    LIMIT 1
    UNION ALL
    SELECT 1 AS found
    FROM messages
    WHERE time >= toDateTime({date:Date}, {tz:String})
      AND time < toDateTime({date:Date} + 1, {tz:String})
    LIMIT 1
)
LIMIT 1
