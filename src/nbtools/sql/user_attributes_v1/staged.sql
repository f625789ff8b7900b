-- The fingerprints of staged users' attributes; one row per day.
-- Parameters: users Identifier
SELECT
    event_date,
    toString(sum(cityHash64(user_id, gender, age, os))) AS fingerprint
FROM {users:Identifier}
WHERE acted
GROUP BY event_date
