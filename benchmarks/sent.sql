-- Messages sent straight from the events, by the attributes of the sender; one row per dimension and value.
-- Parameters: date Date, tz String
SELECT
    multiIf(grouping(gender) = 0, 'gender', grouping(age) = 0, 'age', grouping(os) = 0, 'os', 'total') AS dimension,
    multiIf(grouping(gender) = 0, toString(gender), grouping(age) = 0, toString(age), grouping(os) = 0, toString(os), 'total') AS dimension_value,
    count() AS messages_sent,
    uniqExact(user_id, receiver_id) AS users_sent,
    uniqExact(user_id) AS messenger_users
FROM messages
WHERE time >= toDateTime({date:Date}, {tz:String})
  AND time < toDateTime({date:Date} + 1, {tz:String})
GROUP BY GROUPING SETS ((gender), (age), (os), ())
