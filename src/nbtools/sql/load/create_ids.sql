-- The numbers of users and posts; one row per kind and key.
-- Parameters: none
CREATE TABLE app.loading_ids
(
    kind LowCardinality(String) COMMENT 'feed.user, messages.user or feed.post',
    key String COMMENT 'the log''s id',
    id UInt32
)
ENGINE = MergeTree
ORDER BY (kind, key)
