-- Messages that repeat another one; one row.
-- Parameters: date Date, tz String
SELECT count() - uniqExact(cityHash64(user_id, receiver_id, time)) AS found
FROM messages
WHERE time >= toDateTime({date:Date}, {tz:String})
  AND time < toDateTime({date:Date} + 1, {tz:String})
