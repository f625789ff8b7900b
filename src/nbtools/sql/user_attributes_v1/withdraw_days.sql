-- Makes the days from one on unknown again; one row per day.
-- Parameters: first Date
INSERT INTO attribute_days_v1
(
    event_date,
    is_known,
    load,
    fingerprint
)
SELECT
    event_date,
    false AS is_known,
    load,
    fingerprint
FROM attribute_days_v1 FINAL
WHERE event_date >= {first:Date}
