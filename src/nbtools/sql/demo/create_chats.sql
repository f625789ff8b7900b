-- Creates the table of writing days that a demo history is drawn from; one row per user and day with a message.
-- Parameters: none
CREATE TABLE app.building_chats
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
    messages UInt16,
    begins Float64 COMMENT 'as a share of the day',
    circle_place UInt32,
    circle_size UInt32,
    stream UInt64 COMMENT 'where the random numbers of the day come from'
)
ENGINE = MergeTree
ORDER BY (day, user_id)
