-- Sums up staged users into the rows of their slices, empty ones as zeros, in one part.
-- Parameters: users Identifier, first UInt32, last UInt32 (excluded, both in seconds since 1970), divided_by Array(String), kept_dimensions Array(String), kept_values Array(String), slicing String, read_at UInt64
INSERT INTO slice_metrics_v1
(
    slice,
    dimension,
    dimension_value,
    feed_users,
    messenger_users,
    both_users,
    views,
    likes,
    messages_sent,
    new_users,
    last_feed_event,
    last_message,
    slicing,
    read_at
)
WITH people AS
(
    SELECT
        slice,
        user_id,
        last_feed_event,
        last_message,
        views,
        likes,
        messages_sent,
        row_number() OVER (
            PARTITION BY user_id
            ORDER BY first_event, os, source, country, city, gender, exp_group, last_message
        ) = 1 AS is_first,
        arrayMap(
            pair -> if(
                has({kept_dimensions:Array(String)}, tupleElement(pair, 1))
                    AND NOT has(arrayZip({kept_dimensions:Array(String)}, {kept_values:Array(String)}), pair),
                (tupleElement(pair, 1), 'other'),
                pair
            ),
            arrayFilter(pair -> has({divided_by:Array(String)}, tupleElement(pair, 1)), [
                ('total', 'total'),
                ('os', os),
                ('source', source),
                ('country', country),
                ('city', city),
                ('gender', gender),
                ('exp_group', exp_group)
            ])
        ) AS segments
    FROM {users:Identifier}
)
SELECT
    toDateTime(parts.slice, 'UTC') AS slice,
    tupleElement(segment, 1) AS dimension,
    tupleElement(segment, 2) AS dimension_value,
    sum(parts.feed_users) AS feed_users,
    sum(parts.messenger_users) AS messenger_users,
    sum(parts.feed_users) + sum(parts.messenger_users) - sum(parts.app_users) AS both_users,
    sum(parts.views) AS views,
    sum(parts.likes) AS likes,
    sum(parts.messages_sent) AS messages_sent,
    sum(parts.new_users) AS new_users,
    toDateTime(max(parts.last_feed_event), 'UTC') AS last_feed_event,
    toDateTime(max(parts.last_message), 'UTC') AS last_message,
    {slicing:String} AS slicing,
    fromUnixTimestamp64Micro(toInt64({read_at:UInt64}), 'UTC') AS read_at
FROM
(
    SELECT
        slice,
        arrayJoin(segments) AS segment,
        uniqExactIf(user_id, people.views + people.likes > 0) AS feed_users,
        uniqExactIf(user_id, people.messages_sent > 0) AS messenger_users,
        uniqExact(user_id) AS app_users,
        sum(people.views) AS views,
        sum(people.likes) AS likes,
        sum(people.messages_sent) AS messages_sent,
        countIf(is_first AND user_id NOT IN (
            SELECT user_id
            FROM user_first_seen_v1
            WHERE user_id IN (SELECT user_id FROM {users:Identifier})
              AND first_seen < toDateTime({first:UInt32}, 'UTC')
        )) AS new_users,
        max(people.last_feed_event) AS last_feed_event,
        max(people.last_message) AS last_message
    FROM people
    GROUP BY slice, segment
    UNION ALL
    -- Segments that were there within a week are there with zeros.
    SELECT
        arrayJoin(range({first:UInt32}, {last:UInt32}, 900)) AS slice,
        segment,
        0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM
    (
        SELECT ('total', 'total') AS segment
        UNION DISTINCT
        SELECT arrayJoin(segments) AS segment
        FROM people
        UNION DISTINCT
        SELECT (toString(dimension), toString(dimension_value)) AS segment
        FROM slice_metrics_v1
        WHERE slice >= toDateTime({first:UInt32} - 604800, 'UTC')
          AND slice < toDateTime({last:UInt32}, 'UTC')
          AND feed_users + messenger_users > 0
    )
) AS parts
GROUP BY parts.slice, segment
ORDER BY slice, dimension, dimension_value
