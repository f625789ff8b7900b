-- Creates the table of visits to the feed that a demo history is drawn from; one row per user and day with a visit.
-- Parameters: none
CREATE TABLE app.building_visits
(
    day UInt16,
    user_id UInt32,
    gender UInt8,
    age UInt8,
    country LowCardinality(String),
    city LowCardinality(String),
    os LowCardinality(String),
    source LowCardinality(String),
    exp_group Int8,
    views UInt16,
    begins Float64 COMMENT 'as a share of the day',
    like_rate Float64,
    stream UInt64 COMMENT 'where the random numbers of the visit come from'
)
ENGINE = MergeTree
ORDER BY (day, user_id)
