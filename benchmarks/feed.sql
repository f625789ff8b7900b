-- The feed's counts straight from the events; one row per dimension and value.
-- Parameters: date Date, tz String
SELECT
    multiIf(grouping(gender) = 0, 'gender', grouping(age) = 0, 'age', grouping(os) = 0, 'os', 'total') AS dimension,
    multiIf(grouping(gender) = 0, toString(gender), grouping(age) = 0, toString(age), grouping(os) = 0, toString(os), 'total') AS dimension_value,
    countIf(action = 'view') AS views,
    countIf(action = 'like') AS likes,
    uniqExact(user_id) AS feed_users
FROM feed
WHERE time >= toDateTime({date:Date}, {tz:String})
  AND time < toDateTime({date:Date} + 1, {tz:String})
GROUP BY GROUPING SETS ((gender), (age), (os), ())
