-- The latest event of each service in a range of time, in seconds since 1970, 0 if there is none; one row.
-- Parameters: first UInt32, last UInt32 (excluded, both in seconds since 1970)
SELECT
    maxIf(second, service = 'feed') AS feed,
    maxIf(second, service = 'messages') AS messages,
    toUnixTimestamp64Micro(now64(6)) AS read_at
FROM
(
    SELECT
        'feed' AS service,
        toUInt32(toUnixTimestamp(max(time))) AS second
    FROM feed
    WHERE time >= toDateTime({first:UInt32}, 'UTC')
      AND time < toDateTime({last:UInt32}, 'UTC')
    HAVING count() > 0
    UNION ALL
    SELECT
        'messages' AS service,
        toUInt32(toUnixTimestamp(max(time))) AS second
    FROM messages
    WHERE time >= toDateTime({first:UInt32}, 'UTC')
      AND time < toDateTime({last:UInt32}, 'UTC')
    HAVING count() > 0
)
