-- What users did on a day and who they were; one row per user and day on which they viewed, liked or sent a message.
-- Parameters: none
CREATE TABLE IF NOT EXISTS user_days_v1
(
    -- Numbers are cropped to the bits they need, which is unpacked much faster than texts are.
    event_date Date COMMENT 'Day in the app''s time zone',
    user_id UInt64 CODEC(T64) COMMENT 'User with an event of their own in either service; who only received is not there',
    views UInt32 CODEC(T64) COMMENT 'Posts viewed',
    likes UInt32 CODEC(T64) COMMENT 'Posts liked; someone is of the feed with views + likes > 0',
    messages_sent UInt32 CODEC(T64) COMMENT 'Messages sent; someone is of the messenger with one or more',
    messages_received UInt32 CODEC(T64) COMMENT 'Messages received; those of users without an event of their own are not there',
    gender LowCardinality(String) COMMENT 'As of the latest event of the day in either service, as text',
    age Int16 CODEC(T64) COMMENT 'As of the latest event of the day in either service; -1 where the source has no number',
    os LowCardinality(String) COMMENT 'As of the latest event of the day in either service',
    source LowCardinality(String) COMMENT 'Least of the feed''s events of the day; of the messages sent if there are none of the feed',
    country LowCardinality(String) COMMENT 'Least of the feed''s events of the day; of the messages sent if there are none of the feed',
    city LowCardinality(String) COMMENT 'Least of the feed''s events of the day; of the messages sent if there are none of the feed',
    low_group Int16 CODEC(T64) COMMENT 'Least experiment group of the feed''s events of the day; -1 without any',
    high_group Int16 CODEC(T64) COMMENT 'Greatest one; another than the least if the user was in two groups',
    low_gender LowCardinality(String) COMMENT 'Least of the feed''s events of the day, by which experiments divide users; empty without any',
    low_age Int16 CODEC(T64) COMMENT 'Least of the feed''s events of the day; -1 without any',
    low_os LowCardinality(String) COMMENT 'Least of the feed''s events of the day; empty without any',
    tz LowCardinality(String) COMMENT 'The time zone in which the day was cut out of the events'
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(event_date)
-- A day has one zone, so this is the order of users.
ORDER BY (tz, user_id)
COMMENT 'Users by day: events of both services and attributes; one row per user and day'
