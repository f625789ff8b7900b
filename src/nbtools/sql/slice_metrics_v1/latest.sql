-- The latest event of each service before a slice, in seconds since 1970, 0 if there is none; one row.
-- Parameters: last UInt32 (the slice, in seconds since 1970)
SELECT
    maxIf(moment, service = 'feed') AS feed,
    maxIf(moment, service = 'messages') AS messages
FROM
(
    SELECT
        'feed' AS service,
        toUnixTimestamp(last_feed_event) AS moment
    FROM slice_metrics_v1
    WHERE dimension = 'total'
      AND slice < toDateTime({last:UInt32}, 'UTC')
      AND feed_users > 0
    ORDER BY slice DESC, read_at DESC
    LIMIT 1
    UNION ALL
    SELECT
        'messages' AS service,
        toUnixTimestamp(last_message) AS moment
    FROM slice_metrics_v1
    WHERE dimension = 'total'
      AND slice < toDateTime({last:UInt32}, 'UTC')
      AND messenger_users > 0
    ORDER BY slice DESC, read_at DESC
    LIMIT 1
)
