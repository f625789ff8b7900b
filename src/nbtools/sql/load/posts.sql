-- Numbers the posts, by rank of their first event or by their own number; one row per post.
-- Parameters: rank UInt8
INSERT INTO app.loading_ids
SELECT
    'feed.post' AS kind,
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
            item_key AS key,
            min((seconds, file, line)) AS first
        FROM app.loading_rows
        WHERE log = 'feed'
          AND reason = ''
        GROUP BY key
    )
)
