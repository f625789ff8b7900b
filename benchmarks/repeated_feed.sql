-- Feed events that repeat another one; one row.
-- Parameters: date Date, tz String
SELECT count() - uniqExact(cityHash64(user_id, post_id, action, time)) AS found
FROM feed
WHERE time >= toDateTime({date:Date}, {tz:String})
  AND time < toDateTime({date:Date} + 1, {tz:String})
