-- Users of the app by day in some cities; one row per day and city.
-- Parameters: last Date (nothing after it is read), cities Array(String)
SELECT
    event_date AS day,
    users.city AS city,
    count() AS users
FROM user_days_v1 AS users
WHERE event_date <= {last:Date}
  AND users.city IN {cities:Array(String)}
GROUP BY day, city
ORDER BY day, city
