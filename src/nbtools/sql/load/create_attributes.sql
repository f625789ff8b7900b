-- Attributes that a user has once; one row per log, user and attribute.
-- Parameters: none
CREATE TABLE app.loading_attributes
(
    log LowCardinality(String) COMMENT 'the log that takes the value',
    user_id UInt32,
    position UInt8 COMMENT 'of the attribute in the tables, from 1',
    value String
)
ENGINE = MergeTree
ORDER BY (log, user_id, position)
