-- Makes appended attributes count, and their days known; one row per day.
-- Parameters: days Array(Date), fingerprints Array(UInt64), load UInt32
INSERT INTO attribute_days_v1
(
    event_date,
    load,
    fingerprint
)
SELECT
    tupleElement(day, 1) AS event_date,
    {load:UInt32} AS load,
    tupleElement(day, 2) AS fingerprint
FROM
(
    SELECT arrayJoin(arrayZip({days:Array(Date)}, {fingerprints:Array(UInt64)})) AS day
)
