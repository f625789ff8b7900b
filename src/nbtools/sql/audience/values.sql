-- The values that users' attributes have had; one row.
-- Parameters: last Date (nothing after it is read)
SELECT
    (
        SELECT arraySort(groupArray(toString(os)))
        FROM (SELECT DISTINCT os FROM user_days_v1 WHERE event_date <= {last:Date})
    ) AS os,
    (
        SELECT arraySort(groupArray(toString(source)))
        FROM (SELECT DISTINCT source FROM user_days_v1 WHERE event_date <= {last:Date})
    ) AS source,
    (
        SELECT arraySort(groupArray(toString(gender)))
        FROM (SELECT DISTINCT gender FROM user_days_v1 WHERE event_date <= {last:Date})
    ) AS gender,
    (
        SELECT arraySort(groupArray(toString(country)))
        FROM (SELECT DISTINCT country FROM user_days_v1 WHERE event_date <= {last:Date})
    ) AS country
