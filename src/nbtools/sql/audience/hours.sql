-- Active users of either service by hour of the app's day; one row per day and hour with any.
-- Parameters: first Date, last Date (both included), tz String
SELECT
    toDate(hour_of_day, {tz:String}) AS day,
    toHour(hour_of_day, {tz:String}) AS hour,
    uniqExact(user_id) AS users
FROM
(
    SELECT
        user_id,
        toStartOfHour(toDateTime(time, 'UTC'), {tz:String}) AS hour_of_day
    FROM feed
    WHERE time >= toDateTime({first:Date}, {tz:String})
      AND time < toDateTime({last:Date} + 1, {tz:String})
      AND action IN ('view', 'like')
    UNION ALL
    SELECT
        user_id,
        toStartOfHour(toDateTime(time, 'UTC'), {tz:String}) AS hour_of_day
    FROM messages
    WHERE time >= toDateTime({first:Date}, {tz:String})
      AND time < toDateTime({last:Date} + 1, {tz:String})
)
GROUP BY day, hour
ORDER BY day, hour
