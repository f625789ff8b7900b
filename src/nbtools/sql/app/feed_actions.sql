-- Creates a table of feed events; one row per post viewed or liked.
-- Parameters: table Identifier, tz String
CREATE TABLE app.{table:Identifier}
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (user_id, time)
COMMENT 'Feed events of the app; attributes are those of the user'
-- A zone cannot be bound in a column list, so the columns are those of a select without rows.
EMPTY AS SELECT
    CAST(0, 'UInt32') AS user_id,
    CAST(0, 'UInt32') AS post_id,
    CAST('view', 'LowCardinality(String)') AS action, -- view or like
    toDateTime(0, {tz:String}) AS time,
    CAST(0, 'UInt8') AS gender, -- 0 female, 1 male
    CAST(0, 'UInt8') AS age,
    CAST('', 'LowCardinality(String)') AS country,
    CAST('', 'LowCardinality(String)') AS city,
    CAST('', 'LowCardinality(String)') AS os,
    CAST('ads', 'LowCardinality(String)') AS source, -- ads or organic
    CAST(0, 'Int8') AS exp_group
