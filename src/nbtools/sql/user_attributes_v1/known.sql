-- How far attributes are known; one row: the last known day (days = 0: none), and the fingerprint of one day.
-- Parameters: date Date
SELECT
    max(event_date) AS last_day,
    count() AS days,
    toString(anyIf(fingerprint, event_date = {date:Date})) AS fingerprint
FROM attribute_days_v1 FINAL
WHERE is_known
