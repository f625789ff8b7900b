-- What the new tables hold; one row per table.
-- Parameters: tz String
SELECT
    'feed_actions' AS name,
    count() AS rows,
    toDate(min(time), {tz:String}) AS first_day,
    toDate(max(time), {tz:String}) AS last_day,
    toHour(max(time), {tz:String}) AS last_hour
FROM app.loading_feed_actions
UNION ALL
SELECT
    'message_actions' AS name,
    count() AS rows,
    toDate(min(time), {tz:String}) AS first_day,
    toDate(max(time), {tz:String}) AS last_day,
    toHour(max(time), {tz:String}) AS last_hour
FROM app.loading_message_actions
