-- What users did, and who they were, as the events tell it; one row per event, each like a user's day with one event.
-- Parameters: first Date, last Date (both inclusive), before_days UInt16 (days before the first that count too), tz String
SELECT
    user_id,
    toDate(time, {tz:String}) AS event_date,
    time >= toDateTime({first:Date}, {tz:String}) AS during,
    action = 'view' AS views,
    action = 'like' AS likes,
    true AS is_feed,
    exp_group AS low_group,
    exp_group AS high_group,
    gender,
    age,
    os,
    source,
    country,
    city
FROM feed
WHERE time >= toDateTime({first:Date} - {before_days:UInt16}, {tz:String})
  AND time < toDateTime({last:Date} + 1, {tz:String})
