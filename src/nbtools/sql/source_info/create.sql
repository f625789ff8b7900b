-- What is known of a history that nbtools built itself; one row per key, values are JSON.
-- Parameters: database Identifier
CREATE TABLE IF NOT EXISTS {database:Identifier}.source_info
(
    key String COMMENT 'kind, title, today, seed, scale, start, days, synthetic_columns, ...',
    value String COMMENT 'JSON'
)
ENGINE = MergeTree
ORDER BY key
