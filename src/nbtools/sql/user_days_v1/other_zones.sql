-- The days that were not cut in a time zone; one row per day. The zone leads the key, so where there are none nothing is read.
-- Parameters: tz String
SELECT DISTINCT event_date
FROM user_days_v1
WHERE tz != {tz:String}
