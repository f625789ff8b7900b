-- The days whose attributes are known, without a gap from the first day on; one row per day.
-- Parameters: none
CREATE TABLE IF NOT EXISTS attribute_days_v1
(
    event_date Date COMMENT 'Day in the app''s time zone, also one without events',
    is_known Bool DEFAULT true COMMENT 'False from a day on that was corrected, until it is known again',
    load UInt32 COMMENT 'Which rows of user_attributes_v1 count for the day',
    fingerprint UInt64 COMMENT 'Of the attributes of all who acted on the day, 0 if nobody did',
    registered DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'The latest row of a day is the valid one'
)
ENGINE = ReplacingMergeTree(registered)
ORDER BY event_date
COMMENT 'Which days'' attributes are known; written after their rows, so those of a killed load never count'
