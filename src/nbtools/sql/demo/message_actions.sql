-- Draws the messages of the writing days among some days; one row per message.
-- Parameters: seed UInt64, start Date, tz String, first_day UInt16, end_day UInt16
INSERT INTO app.building_message_actions
WITH
    (what, key) -> (bitShiftRight(sipHash64({seed:UInt64}, what, key), 11) + 0.5) / pow(2, 53) AS uniform
SELECT
    messages.user_id AS user_id,
    friends.user_id AS reciever_id,
    midnight + second AS time,
    gender,
    age,
    country,
    city,
    os,
    source,
    exp_group
FROM
(
    SELECT
        *,
        toDateTime({start:Date} + day, {tz:String}) AS midnight,
        toUnixTimestamp(toDateTime({start:Date} + day + 1, {tz:String})) - toUnixTimestamp(midnight) AS day_seconds,
        arrayCumSum(arrayMap(i -> 5 + intHash64(stream + i) % 176, range(messages))) AS steps,
        least(toInt64(begins * day_seconds), toInt64(day_seconds) - 1 - steps[-1]) AS opened,
        -- The same few friends all along, who joined no later; some of them far more often than others.
        2 + toUInt32(floor(12 * uniform('friends', user_id))) AS friends,
        uniform('friend', (user_id, toUInt32(floor(friends * pow(intHash64(stream + 1000 + i) % 1000 / 1000, 1.5))))) AS friend_draw,
        -- Nobody writes to himself: his own place is left out of the circle.
        circle_size - (circle_place > 0) AS others,
        1 + toUInt32(floor(friend_draw * others)) AS place,
        place + (circle_place > 0 AND place >= circle_place) AS friend_place,
        opened + step AS second
    FROM app.building_chats
    ARRAY JOIN
        steps AS step,
        arrayEnumerate(steps) AS i
    WHERE day >= {first_day:UInt16}
      AND day < {end_day:UInt16}
) AS messages
INNER JOIN
(
    SELECT
        user_id,
        circle_place
    FROM app.building_users
    WHERE circle_place > 0
) AS friends ON friends.circle_place = messages.friend_place
