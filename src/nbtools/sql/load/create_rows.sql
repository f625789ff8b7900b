-- The rows of both logs under the names of the event tables; one row per row that is kept by the mapping.
-- Parameters: none
CREATE TABLE app.loading_rows
(
    log LowCardinality(String) COMMENT 'feed or messages',
    file UInt16,
    line UInt64,
    user_key String COMMENT 'the log''s id of the user',
    item_key String COMMENT 'the log''s id of the post or of the receiver',
    action LowCardinality(String),
    seconds Int64 COMMENT 'since 1970 in UTC, shifted',
    attributes Array(String) COMMENT 'usable values in the order of the tables, else empty',
    reason LowCardinality(String) COMMENT 'why it is rejected, empty when it is accepted'
)
ENGINE = MergeTree
ORDER BY (log, file, line)
