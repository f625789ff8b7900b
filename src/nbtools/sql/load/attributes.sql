-- Each user's most frequent usable value of some attributes, of two alike the later; one row per user and attribute.
-- Parameters: log String (takes the value), origin String (has it), positions Array(UInt8)
INSERT INTO app.loading_attributes
SELECT
    {log:String} AS log,
    user_id,
    position,
    argMax(value, (rows, latest, value)) AS value
FROM
(
    SELECT
        ids.id AS user_id,
        position,
        rows.attributes[position] AS value,
        count() AS rows,
        max(rows.seconds) AS latest
    FROM app.loading_rows AS rows
    INNER JOIN app.loading_ids AS ids ON ids.key = rows.user_key
    ARRAY JOIN {positions:Array(UInt8)} AS position
    WHERE rows.log = {origin:String}
      AND rows.reason = ''
      AND ids.kind = {origin:String} || '.user'
      AND value != ''
    GROUP BY user_id, position, value
)
GROUP BY user_id, position
