-- Users of the app on a day and on the same weekday a week before; one row per city.
-- Parameters: date Date
SELECT
    city,
    countIf(event_date = {date:Date}) AS users,
    countIf(event_date = {date:Date} - 7) AS users_before
FROM user_days_v1
WHERE event_date IN ({date:Date}, {date:Date} - 7)
GROUP BY city
ORDER BY users_before DESC, city
