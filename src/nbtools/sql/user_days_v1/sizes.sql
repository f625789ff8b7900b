-- How many users each day has; one row per day. The engine knows them without reading the table.
-- Parameters: none
SELECT
    toYYYYMMDD(event_date) AS day,
    min(event_date) AS only_date,
    count() AS users
FROM user_days_v1
GROUP BY day
