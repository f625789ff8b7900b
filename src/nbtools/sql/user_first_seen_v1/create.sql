-- When each user was first seen in either service; one row per user, some unmerged.
-- Parameters: none
CREATE TABLE IF NOT EXISTS user_first_seen_v1
(
    user_id UInt64 COMMENT 'User of the feed or sender of a message',
    first_seen SimpleAggregateFunction(min, DateTime('UTC')) COMMENT 'First event ever; of several rows the earliest counts'
)
ENGINE = AggregatingMergeTree
ORDER BY user_id
-- Some thousand users are looked up a check; small granules keep what is read beside them small.
SETTINGS index_granularity = 512
COMMENT 'Who was seen before, so that new users are known without reading the history'
