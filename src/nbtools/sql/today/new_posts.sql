-- Posts of the day so far, and of the same part of the day before, that nobody saw in the seven days before; one row.
-- Parameters: first UInt32, last UInt32, first_day UInt32, last_day UInt32, since UInt32, week UInt32 (in seconds since 1970, the last ones excluded, since and week seven days before the first ones)
SELECT
    countIf(is_now AND NOT is_seen_before_now) AS now,
    countIf(is_day_before AND NOT is_seen_before_day) AS day_before
FROM
(
    SELECT
        post_id,
        max(time >= toDateTime({first:UInt32}, 'UTC')) AS is_now,
        max(time < toDateTime({first:UInt32}, 'UTC') AND time >= toDateTime({week:UInt32}, 'UTC')) AS is_seen_before_now,
        max(time >= toDateTime({first_day:UInt32}, 'UTC') AND time < toDateTime({last_day:UInt32}, 'UTC')) AS is_day_before,
        max(time < toDateTime({first_day:UInt32}, 'UTC')) AS is_seen_before_day
    FROM feed
    WHERE time >= toDateTime({since:UInt32}, 'UTC')
      AND time < toDateTime({last:UInt32}, 'UTC')
    GROUP BY post_id
)
