-- Accepted rows that repeat another one: same user, post or receiver, action and second; one row per log.
-- Parameters: none
SELECT
    log,
    count() - uniqExact(user_key, item_key, action, seconds) AS rows
FROM app.loading_rows
WHERE reason = ''
GROUP BY log
ORDER BY log
