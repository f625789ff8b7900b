-- Daily metrics of both services; one row per day, dimension and value of the dimension.
-- Parameters: none
CREATE TABLE IF NOT EXISTS daily_metrics_v1
(
    event_date Date COMMENT 'Day in the app''s time zone',
    dimension LowCardinality(String) COMMENT 'gender, age, os or total',
    dimension_value String COMMENT 'Value as text; unknown for receivers who never acted in the app; total',
    views UInt64 COMMENT 'Posts viewed',
    likes UInt64 COMMENT 'Posts liked',
    messages_received UInt64 COMMENT 'Messages, by the attributes of the receiver',
    messages_sent UInt64 COMMENT 'Messages, by the attributes of the sender',
    users_received UInt64 COMMENT 'Distinct pairs of sender and receiver, by the attributes of the receiver',
    users_sent UInt64 COMMENT 'Distinct pairs of sender and receiver, by the attributes of the sender',
    feed_users UInt64 COMMENT 'Distinct users with a view or a like',
    messenger_users UInt64 COMMENT 'Distinct users who sent a message',
    both_users UInt64 COMMENT 'Distinct users who did both on the day'
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(event_date)
ORDER BY (dimension, dimension_value)
COMMENT 'Daily metrics by gender, age, os and in total; one row per day, dimension and value'
