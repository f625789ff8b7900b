-- The attributes of users, one row per user and day from which they had them, and load of that day.
-- Parameters: none
CREATE TABLE IF NOT EXISTS user_attributes_v1
(
    user_id UInt64 COMMENT 'User of the feed or sender of a message',
    since Date COMMENT 'First day, in the app''s time zone, on which they had them after others or none',
    load UInt32 COMMENT 'Counts if attribute_days_v1 names it for the day',
    gender LowCardinality(String) COMMENT 'As of the user''s latest event of the day, as text',
    age LowCardinality(String) COMMENT 'As of the user''s latest event of the day, as text',
    os LowCardinality(String) COMMENT 'As of the user''s latest event of the day, as text'
)
ENGINE = MergeTree
ORDER BY (user_id, since)
-- Some thousand users are looked up a day; small granules keep what is read beside them small.
SETTINGS index_granularity = 512
COMMENT 'History of users'' attributes, to know those of receivers who do nothing on a day'
