-- The first and the last day with events of either service, and how many services have any; one row.
-- Parameters: tz String
SELECT
    toDate(min(first_time), {tz:String}) AS first_day,
    toDate(max(last_time), {tz:String}) AS last_day,
    count() AS services
FROM
(
    SELECT
        min(time) AS first_time,
        max(time) AS last_time
    FROM feed
    HAVING count() > 0
    UNION ALL
    SELECT
        min(time) AS first_time,
        max(time) AS last_time
    FROM messages
    HAVING count() > 0
)
