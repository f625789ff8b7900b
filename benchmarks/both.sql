-- Users of both services straight from the events; one row per dimension and value.
-- Parameters: date Date, tz String
SELECT
    multiIf(grouping(gender) = 0, 'gender', grouping(age) = 0, 'age', grouping(os) = 0, 'os', 'total') AS dimension,
    multiIf(grouping(gender) = 0, toString(gender), grouping(age) = 0, toString(age), grouping(os) = 0, toString(os), 'total') AS dimension_value,
    uniqExact(user_id) AS both_users
FROM messages
WHERE time >= toDateTime({date:Date}, {tz:String})
  AND time < toDateTime({date:Date} + 1, {tz:String})
  AND user_id IN (
      SELECT user_id
      FROM feed
      WHERE time >= toDateTime({date:Date}, {tz:String})
        AND time < toDateTime({date:Date} + 1, {tz:String})
  )
GROUP BY GROUPING SETS ((gender), (age), (os), ())
