-- Metrics by 15-minute slice and segment; one row per slice, dimension and value of the dimension.
-- Parameters: none
CREATE TABLE IF NOT EXISTS slice_metrics_v1
(
    slice DateTime('UTC') COMMENT 'When the 15 minutes began, an instant: unambiguous on days when clocks change',
    dimension LowCardinality(String) COMMENT 'total, os, source, or another of parameters/slices.yml',
    dimension_value LowCardinality(String) COMMENT 'Value as text, as in the events; other where only some are kept; total',
    feed_users UInt64 COMMENT 'Distinct users with a view or a like',
    messenger_users UInt64 COMMENT 'Distinct users who sent a message',
    both_users UInt64 COMMENT 'Distinct users who did both in the slice',
    views UInt64 COMMENT 'Posts viewed',
    likes UInt64 COMMENT 'Posts liked',
    messages_sent UInt64 COMMENT 'Messages, by the attributes of the sender',
    new_users UInt64 COMMENT 'Users whose first event ever, in either service, is in the slice; by the attributes of that event',
    last_feed_event DateTime('UTC') COMMENT 'The latest view or like of the slice, 1970 if there is none',
    last_message DateTime('UTC') COMMENT 'The latest message of the slice, 1970 if there is none',
    slicing LowCardinality(String) COMMENT 'What the slice was divided by; another setting fills the table anew',
    read_at DateTime64(6, 'UTC') COMMENT 'When the events were read; the latest row of a slice and segment is the valid one'
)
ENGINE = ReplacingMergeTree(read_at)
PARTITION BY toYYYYMM(slice)
ORDER BY (slice, dimension, dimension_value)
COMMENT 'Metrics by 15-minute slice in total and by segment; read it with FINAL'
