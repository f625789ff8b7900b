-- Whether either service has events before a moment: one row if it has, else none.
-- Parameters: last UInt32 (the moment, in seconds since 1970)
SELECT found
FROM
(
    SELECT 1 AS found
    FROM feed
    WHERE time < toDateTime({last:UInt32}, 'UTC')
    LIMIT 1
    UNION ALL
    SELECT 1 AS found
    FROM messages
    WHERE time < toDateTime({last:UInt32}, 'UTC')
    LIMIT 1
)
LIMIT 1
