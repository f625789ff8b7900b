-- Registers staged users who are not registered, or were first seen earlier than registered.
-- Parameters: users Identifier
INSERT INTO user_first_seen_v1
(
    user_id,
    first_seen
)
SELECT
    staged.user_id AS user_id,
    toDateTime(staged.second, 'UTC') AS first_seen
FROM
(
    SELECT
        user_id,
        min(first_event) AS second
    FROM {users:Identifier}
    GROUP BY user_id
) AS staged
LEFT JOIN
(
    SELECT
        user_id,
        toUnixTimestamp(min(user_first_seen_v1.first_seen)) AS second
    FROM user_first_seen_v1
    WHERE user_id IN (SELECT user_id FROM {users:Identifier})
    GROUP BY user_id
) AS known ON known.user_id = staged.user_id
WHERE known.second = 0
   OR staged.second < known.second
