-- What users did in some slices; one row per slice, user, service and attributes. Attributes not asked for are empty.
-- Parameters: first UInt32, last UInt32 (excluded, both in seconds since 1970), dimensions Array(String)
SELECT
    slice,
    user_id,
    any(os_text) AS os,
    any(source_text) AS source,
    any(country_text) AS country,
    any(city_text) AS city,
    any(gender_text) AS gender,
    any(exp_group_text) AS exp_group,
    min(second) AS first_event,
    max(second) AS last_feed_event,
    toUInt32(0) AS last_message,
    countIf(action = 'view') AS views,
    countIf(action = 'like') AS likes,
    toUInt64(0) AS messages_sent
FROM
(
    SELECT
        user_id,
        action,
        toUInt32(toUnixTimestamp(time)) AS second,
        toUInt32(intDiv(second, 900) * 900) AS slice,
        if(has({dimensions:Array(String)}, 'os'), ifNull(toString(os), 'unknown'), '') AS os_text,
        if(has({dimensions:Array(String)}, 'source'), ifNull(toString(source), 'unknown'), '') AS source_text,
        if(has({dimensions:Array(String)}, 'country'), ifNull(toString(country), 'unknown'), '') AS country_text,
        if(has({dimensions:Array(String)}, 'city'), ifNull(toString(city), 'unknown'), '') AS city_text,
        if(has({dimensions:Array(String)}, 'gender'), ifNull(toString(gender), 'unknown'), '') AS gender_text,
        if(has({dimensions:Array(String)}, 'exp_group'), ifNull(toString(exp_group), 'unknown'), '') AS exp_group_text
    FROM feed
    WHERE time >= toDateTime({first:UInt32}, 'UTC')
      AND time < toDateTime({last:UInt32}, 'UTC')
      AND action IN ('view', 'like')
)
-- A number is a quicker key than six texts.
GROUP BY slice, user_id, cityHash64(os_text, source_text, country_text, city_text, gender_text, exp_group_text)
UNION ALL
SELECT
    slice,
    user_id,
    any(os_text) AS os,
    any(source_text) AS source,
    any(country_text) AS country,
    any(city_text) AS city,
    any(gender_text) AS gender,
    any(exp_group_text) AS exp_group,
    min(second) AS first_event,
    toUInt32(0) AS last_feed_event,
    max(second) AS last_message,
    toUInt64(0) AS views,
    toUInt64(0) AS likes,
    count() AS messages_sent
FROM
(
    SELECT
        user_id,
        toUInt32(toUnixTimestamp(time)) AS second,
        toUInt32(intDiv(second, 900) * 900) AS slice,
        if(has({dimensions:Array(String)}, 'os'), ifNull(toString(os), 'unknown'), '') AS os_text,
        if(has({dimensions:Array(String)}, 'source'), ifNull(toString(source), 'unknown'), '') AS source_text,
        if(has({dimensions:Array(String)}, 'country'), ifNull(toString(country), 'unknown'), '') AS country_text,
        if(has({dimensions:Array(String)}, 'city'), ifNull(toString(city), 'unknown'), '') AS city_text,
        if(has({dimensions:Array(String)}, 'gender'), ifNull(toString(gender), 'unknown'), '') AS gender_text,
        if(has({dimensions:Array(String)}, 'exp_group'), ifNull(toString(exp_group), 'unknown'), '') AS exp_group_text
    FROM messages
    WHERE time >= toDateTime({first:UInt32}, 'UTC')
      AND time < toDateTime({last:UInt32}, 'UTC')
)
GROUP BY slice, user_id, cityHash64(os_text, source_text, country_text, city_text, gender_text, exp_group_text)
