-- The accepted rows of a log as events, put in front of feed.sql and messages.sql; one row per event.
-- Parameters: log String, item_kind String, before Int64 (seconds), tz String, seed UInt64, names Array(String), rules Array(String)
-- ('row', 'user' or 'draw'), defaults Array(String), draw_values Array(Array(String)), draw_limits Array(Array(Float64))
WITH events AS
(
    SELECT
        users.id AS user_id,
        items.id AS item_id,
        rows.action AS action,
        toDateTime(rows.seconds, {tz:String}) AS time,
        arrayMap(
            (rule, value, name, values, limits, position) -> multiIf(
                rule = 'draw',
                -- The first value whose cumulated weight is above the user's number from 0 to 1.
                values[
                    arrayFirstIndex(
                        limit -> sipHash64({seed:UInt64}, name, users.id) / 18446744073709551616 < limit,
                        limits
                    )
                ],
                rule = 'user', known.values[position],
                value
            ),
            {rules:Array(String)},
            rows.attributes,
            {names:Array(String)},
            {draw_values:Array(Array(String))},
            {draw_limits:Array(Array(Float64))},
            arrayEnumerate(rows.attributes)
        ) AS found,
        arrayMap((value, other) -> if(value = '', other, value), found, {defaults:Array(String)}) AS attributes
    FROM app.loading_rows AS rows
    INNER JOIN
    (
        SELECT key, id
        FROM app.loading_ids
        WHERE kind = {log:String} || '.user'
    ) AS users ON users.key = rows.user_key
    INNER JOIN
    (
        SELECT key, id
        FROM app.loading_ids
        WHERE kind = {item_kind:String}
    ) AS items ON items.key = rows.item_key
    LEFT JOIN
    (
        SELECT
            user_id,
            mapFromArrays(groupArray(position), groupArray(value)) AS values
        FROM app.loading_attributes
        WHERE log = {log:String}
        GROUP BY user_id
    ) AS known ON known.user_id = users.id
    WHERE rows.log = {log:String}
      AND rows.reason = ''
      AND rows.seconds < {before:Int64}
)
