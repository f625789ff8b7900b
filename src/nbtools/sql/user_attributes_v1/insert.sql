-- Appends staged users' attributes where they differ from before, for days that follow the known ones.
-- Parameters: users Identifier, first Date, load UInt32
INSERT INTO user_attributes_v1
(
    user_id,
    since,
    load,
    gender,
    age,
    os
)
SELECT
    user_id,
    event_date AS since,
    {load:UInt32} AS load,
    gender,
    age,
    os
FROM
(
    SELECT
        user_id,
        event_date,
        gender,
        age,
        os,
        lagInFrame((true, gender, age, os)) OVER (PARTITION BY user_id ORDER BY event_date) AS before
    FROM
    (
        SELECT
            user_id,
            event_date,
            gender,
            age,
            os
        FROM {users:Identifier}
        WHERE acted
        UNION ALL
        SELECT
            user_id,
            {first:Date} - 1 AS event_date,
            toString(argMax(user_attributes_v1.gender, since)) AS gender,
            toString(argMax(user_attributes_v1.age, since)) AS age,
            toString(argMax(user_attributes_v1.os, since)) AS os
        FROM user_attributes_v1
        WHERE user_id IN (SELECT user_id FROM {users:Identifier} WHERE acted)
          AND since < {first:Date}
          AND (since, load) IN (SELECT event_date, load FROM attribute_days_v1 FINAL WHERE is_known)
        GROUP BY user_id
    )
)
WHERE event_date >= {first:Date}
  AND (true, gender, age, os) != before
