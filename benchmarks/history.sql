-- Makes the feed events of synthetic users in two weeks, the second of which is an experiment; one row per post viewed or liked.
-- Parameters: from, to UInt32 (users, half-open), first Date (of the first week), tz String
INSERT INTO app.feed_actions
SELECT
    user_id,
    toUInt32(cityHash64(user_id, week, place, 'post') % 5000) AS post_id,
    event AS action,
    toDateTime({first:Date}, {tz:String}) + week * 604800 + cityHash64(user_id, week, place, 'time') % 604000 + (event = 'like') * 20 AS time,
    toUInt8(attribute % 2) AS gender,
    toUInt8(14 + attribute % 50) AS age,
    ['Russia', 'Russia', 'Ukraine', 'Belarus'][1 + bitShiftRight(attribute, 8) % 4] AS country,
    concat('City ', toString(bitShiftRight(attribute, 16) % 100)) AS city,
    ['Android', 'Android', 'iOS'][1 + bitShiftRight(attribute, 24) % 3] AS os,
    ['ads', 'organic'][1 + bitShiftRight(attribute, 32) % 2] AS source,
    toInt8(exp_group) AS exp_group
FROM
(
    SELECT
        user_id,
        week,
        exp_group,
        attribute,
        ctr,
        -- Nearly 1 + Poisson(activity).
        1 + toUInt32(greatest(0, round(activity + sqrt(activity) * sqrt(-2 * log(chances[5 + 2 * week])) * cos(2 * pi() * chances[6 + 2 * week])))) AS views
    FROM
    (
        SELECT
            toUInt32(number) AS user_id,
            cityHash64(user_id, 'attribute') AS attribute,
            cityHash64(user_id, 'group') % 2 AS exp_group,
            arrayMap(place -> (bitShiftRight(cityHash64(user_id, place, 'chance'), 11) + 0.5) / pow(2, 53), range(8)) AS chances,
            -- Logarithm normal with mean 3 and deviation 0.75.
            exp(3 + 0.75 * sqrt(-2 * log(chances[1])) * cos(2 * pi() * chances[2])) AS activity,
            -- Nearly Beta(6, 24); one percent more in the second group, see below.
            1 / (1 + exp(1.43 - 0.45 * sqrt(-2 * log(chances[3])) * cos(2 * pi() * chances[4]))) AS ctr
        FROM numbers({from:UInt32}, {to:UInt32} - {from:UInt32})
    )
    ARRAY JOIN [0, 1] AS week
)
ARRAY JOIN range(views) AS place
ARRAY JOIN if(
    bitShiftRight(cityHash64(user_id, week, place, 'like'), 11) / pow(2, 53) < ctr * (1 + 0.01 * week * exp_group),
    ['view', 'like'],
    ['view']
) AS event
