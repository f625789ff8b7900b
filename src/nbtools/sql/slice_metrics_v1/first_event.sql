-- The first event of either service, in seconds since 1970; one row, 0 if there are no events.
-- Parameters: none
SELECT min(second) AS second
FROM
(
    SELECT toUInt32(toUnixTimestamp(min(time))) AS second
    FROM feed
    HAVING count() > 0
    UNION ALL
    SELECT toUInt32(toUnixTimestamp(min(time))) AS second
    FROM messages
    HAVING count() > 0
)
