-- A number that differs when the loaded events differ; one row.
-- Parameters: none
SELECT hex(sum(hash)) AS value
FROM
(
    SELECT sipHash64('feed', *) AS hash
    FROM app.feed_actions
    UNION ALL
    SELECT sipHash64('messages', *) AS hash
    FROM app.message_actions
)
