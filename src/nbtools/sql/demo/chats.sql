-- Draws who writes in the messenger on some days and how much; one row per user and day with a message.
-- Parameters: seed UInt64, first_day UInt16, end_day UInt16, day_writers Array(Float64) (expected number),
-- day_messages Array(Float64) (both of these days), hour_shares Array(Float64), while_reading Float64
INSERT INTO app.building_chats
WITH
    (what, key) -> (bitShiftRight(sipHash64({seed:UInt64}, what, key), 11) + 0.5) / pow(2, 53) AS uniform
SELECT
    day,
    user_id,
    gender,
    age,
    country,
    city,
    os,
    source,
    exp_group,
    greatest(
        1,
        round(
            -{day_messages:Array(Float64)}[day - {first_day:UInt16} + 1] / 3
            * log(uniform('messages', key) * uniform('more messages', key) * uniform('most messages', key))
        )
    ) AS messages,
    (hour - 1 + (hour_draw - earlier) / ({hour_shares:Array(Float64)}[hour] - earlier)) / 24 AS begins,
    circle_place,
    circle_size,
    sipHash64({seed:UInt64}, 'chat', key) AS stream
FROM
(
    SELECT
        *,
        (user_id, day) AS key,
        uniform('chat hour', key) AS hour_draw,
        arrayFirstIndex(share -> share > hour_draw, {hour_shares:Array(Float64)}) AS hour,
        if(hour = 1, 0, {hour_shares:Array(Float64)}[hour - 1]) AS earlier,
        -- Weights of a day add up to the writers that the day is to have.
        toUInt64(1e6 * write_weight * if(is_reading, {while_reading:Float64}, 1)) AS weight,
        sum(weight) OVER (PARTITION BY day) AS day_weight
    FROM
    (
        SELECT
            *,
            day,
            (user_id, day) IN
            (
                SELECT user_id, day
                FROM app.building_visits
                WHERE day >= {first_day:UInt16}
                  AND day < {end_day:UInt16}
            ) AS is_reading
        FROM app.building_users
        ARRAY JOIN arrayMap(x -> toUInt16(x), range(greatest(joined, {first_day:UInt16}), {end_day:UInt16})) AS day
        WHERE writes
          AND joined < {end_day:UInt16}
          AND circle_size > 1
    )
)
WHERE uniform('chat', key) * day_weight < weight * {day_writers:Array(Float64)}[day - {first_day:UInt16} + 1]
