-- The days that are loaded; one row per day, in their order.
-- Parameters: none
SELECT DISTINCT event_date
FROM daily_metrics_v1
ORDER BY event_date
