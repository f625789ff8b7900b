-- What one day's users did, and what the checks need; one row per user who acted or received a message.
-- Parameters: date Date, tz String
SELECT
    {date:Date} AS event_date,
    user_id,
    max(latest) > 0 AS acted,
    toString(argMax(gender, latest)) AS gender,
    toString(argMax(age, latest)) AS age,
    toString(argMax(os, latest)) AS os,
    -- The feed's, if the user has events of both services.
    toString(argMax(source, is_feed)) AS source,
    toString(argMax(country, is_feed)) AS country,
    toString(argMax(city, is_feed)) AS city,
    max(low_group) AS low_group,
    max(high_group) AS high_group,
    toString(max(low_gender)) AS low_gender,
    max(low_age) AS low_age,
    toString(max(low_os)) AS low_os,
    minIf(low, latest > 0) != maxIf(high, latest > 0) AS attributes_changed,
    min(first_event) AS first_event,
    toUInt32(max(last_event)) AS last_event,
    toUInt32(sum(views)) AS views,
    toUInt32(sum(likes)) AS likes,
    toUInt32(sum(unknown_actions)) AS unknown_actions,
    toUInt32(sum(repeated_feed)) AS repeated_feed,
    toUInt32(sum(likes_without_view)) AS likes_without_view,
    toUInt32(sum(messages_sent)) AS messages_sent,
    toUInt32(sum(messages_received)) AS messages_received,
    toUInt32(sum(users_sent)) AS users_sent,
    toUInt32(sum(users_received)) AS users_received,
    toUInt32(sum(repeated_messages)) AS repeated_messages
FROM
(
    SELECT
        user_id,
        max(moment) AS latest,
        argMax(gender, moment) AS gender,
        argMax(age, moment) AS age,
        argMax(os, moment) AS os,
        true AS is_feed,
        min(any_source) AS source,
        min(any_country) AS country,
        min(any_city) AS city,
        toInt16OrDefault(toString(min(any_group)), toInt16(-1)) AS low_group,
        toInt16OrDefault(toString(max(any_group)), toInt16(-1)) AS high_group,
        toString(min(any_gender)) AS low_gender,
        toInt16OrDefault(toString(min(any_age)), toInt16(-1)) AS low_age,
        min(any_os) AS low_os,
        min(attributes) AS low,
        max(attributes) AS high,
        toUnixTimestamp(min(time)) AS first_event,
        bitShiftRight(latest, 32) AS last_event,
        length(viewed) AS views,
        length(liked) AS likes,
        count() - views - likes AS unknown_actions,
        views - arrayUniq(viewed) + likes - arrayUniq(liked) AS repeated_feed,
        -- Counting is rarely needed and dear, so it comes after a test that is cheap.
        if(hasAll(viewed_posts, liked_posts), 0, arrayCount(post -> NOT has(viewed_posts, post), liked_posts))
            AS likes_without_view,
        0 AS messages_sent,
        0 AS messages_received,
        0 AS users_sent,
        0 AS users_received,
        0 AS repeated_messages,
        groupArrayIf(event, action = 'view') AS viewed,
        groupArrayIf(event, action = 'like') AS liked,
        arrayMap(event -> bitShiftRight(event, 32), viewed) AS viewed_posts,
        arrayMap(event -> bitShiftRight(event, 32), liked) AS liked_posts
    FROM
    (
        SELECT
            user_id,
            action,
            time,
            gender,
            age,
            os,
            -- The engine takes a name in an aggregate for the result of that name.
            gender AS any_gender,
            age AS any_age,
            os AS any_os,
            source AS any_source,
            country AS any_country,
            city AS any_city,
            exp_group AS any_group,
            toUInt64(toUnixTimestamp(time)) AS second,
            cityHash64(gender, age, os) AS attributes,
            -- Ordered by second, then attributes: of two events in one second the same one is always the latest.
            bitOr(bitShiftLeft(second, 32), bitAnd(attributes, 4294967295)) AS moment,
            bitOr(bitShiftLeft(cityHash64(post_id), 32), second) AS event
        FROM feed
        WHERE time >= toDateTime({date:Date}, {tz:String})
          AND time < toDateTime({date:Date} + 1, {tz:String})
    )
    GROUP BY user_id
    UNION ALL
    SELECT
        person AS user_id,
        maxIf(moment, sends) AS latest,
        argMaxIf(gender, moment, sends) AS gender,
        argMaxIf(age, moment, sends) AS age,
        argMaxIf(os, moment, sends) AS os,
        false AS is_feed,
        minIf(any_source, sends) AS source,
        minIf(any_country, sends) AS country,
        minIf(any_city, sends) AS city,
        toInt16(-1) AS low_group,
        toInt16(-1) AS high_group,
        '' AS low_gender,
        toInt16(-1) AS low_age,
        '' AS low_os,
        minIf(attributes, sends) AS low,
        maxIf(attributes, sends) AS high,
        toUnixTimestamp(min(time)) AS first_event,
        toUnixTimestamp(max(time)) AS last_event,
        0 AS views,
        0 AS likes,
        0 AS unknown_actions,
        0 AS repeated_feed,
        0 AS likes_without_view,
        countIf(sends) AS messages_sent,
        countIf(NOT sends) AS messages_received,
        uniqExactIf(other, sends) AS users_sent,
        uniqExactIf(other, NOT sends) AS users_received,
        messages_sent - uniqExactIf(message, sends) AS repeated_messages,
        [] AS viewed,
        [] AS liked,
        [] AS viewed_posts,
        [] AS liked_posts
    FROM
    (
        SELECT
            tupleElement(role, 1) AS person,
            tupleElement(role, 2) AS other,
            tupleElement(role, 3) AS sends,
            message,
            time,
            gender,
            age,
            os,
            any_source,
            any_country,
            any_city,
            attributes,
            moment
        FROM
        (
            SELECT
                arrayJoin([(user_id, receiver_id, true), (receiver_id, user_id, false)]) AS role,
                cityHash64(receiver_id, time) AS message,
                time,
                gender,
                age,
                os,
                source AS any_source,
                country AS any_country,
                city AS any_city,
                cityHash64(gender, age, os) AS attributes,
                bitOr(bitShiftLeft(toUInt64(toUnixTimestamp(time)), 32), bitAnd(attributes, 4294967295)) AS moment
            FROM messages
            WHERE time >= toDateTime({date:Date}, {tz:String})
              AND time < toDateTime({date:Date} + 1, {tz:String})
        )
    )
    GROUP BY person
)
GROUP BY user_id
-- One block in the answer instead of hundreds.
ORDER BY user_id
