-- Puts the staged users of one day who acted into a staging table; one row per user.
-- Parameters: users Identifier, staging Identifier, tz String
INSERT INTO {staging:Identifier}
(
    event_date,
    user_id,
    views,
    likes,
    messages_sent,
    messages_received,
    gender,
    age,
    os,
    source,
    country,
    city,
    low_group,
    high_group,
    low_gender,
    low_age,
    low_os,
    tz
)
SELECT
    event_date,
    user_id,
    views,
    likes,
    messages_sent,
    messages_received,
    gender,
    toInt16OrDefault(age, toInt16(-1)) AS age,
    os,
    source,
    country,
    city,
    low_group,
    high_group,
    low_gender,
    low_age,
    low_os,
    {tz:String} AS tz
FROM {users:Identifier}
WHERE acted
