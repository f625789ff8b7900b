-- Numbers the users of some logs, by rank of their first event or by their own number; one row per log and user.
-- Parameters: logs Array(String), rank UInt8
INSERT INTO app.loading_ids
SELECT
    arrayJoin({logs:Array(String)}) || '.user' AS kind,
    key,
    if({rank:UInt8}, toUInt32(place), assumeNotNull(accurateCastOrNull(toFloat64OrNull(key), 'UInt32'))) AS id
FROM
(
    SELECT
        key,
        row_number() OVER (ORDER BY first) AS place
    FROM
    (
        SELECT
            key,
            -- Who only receives comes after all who act.
            min((is_receiver, seconds, log, file, line)) AS first
        FROM
        (
            SELECT
                user_key AS key,
                0 AS is_receiver,
                seconds,
                log,
                file,
                line
            FROM app.loading_rows
            WHERE log IN {logs:Array(String)}
              AND reason = ''
            UNION ALL
            SELECT
                item_key AS key,
                1 AS is_receiver,
                seconds,
                log,
                file,
                line
            FROM app.loading_rows
            WHERE log = 'messages'
              AND log IN {logs:Array(String)}
              AND reason = ''
        )
        GROUP BY key
    )
)
