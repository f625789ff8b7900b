-- Creates the table of the accounts that a demo history is drawn for; one row per account.
-- Parameters: none
CREATE TABLE app.building_users
(
    user_id UInt32,
    joined UInt16 COMMENT 'day of the history',
    gender UInt8,
    age UInt8,
    country LowCardinality(String),
    city LowCardinality(String),
    os LowCardinality(String),
    source LowCardinality(String),
    exp_group Int8,
    reads UInt8 COMMENT 'opens the feed on the day of joining and returns to it',
    writes UInt8 COMMENT 'may write in the messenger',
    activity Float64 COMMENT 'factor of the share of days with a visit',
    views_factor Float64 COMMENT 'factor of the views of a visit',
    views_factor_tested Float64 COMMENT 'the same while the experiment runs',
    like_rate Float64 COMMENT 'likes per view',
    like_rate_tested Float64 COMMENT 'the same while the experiment runs',
    write_weight Float64 COMMENT 'how often compared with other writers',
    circle_place UInt32 COMMENT 'number among those who are written to, 0 for others',
    circle_size UInt32 COMMENT 'how many of them had joined by the same day'
)
ENGINE = MergeTree
ORDER BY user_id
