-- Writes what is known of a history that nbtools built itself; one row per key.
-- Parameters: database Identifier, keys Array(String), values Array(String) (JSON, in the order of the keys)
INSERT INTO {database:Identifier}.source_info (key, value)
SELECT
    key,
    value
FROM
(
    SELECT
        {keys:Array(String)} AS keys,
        {values:Array(String)} AS values
)
ARRAY JOIN
    keys AS key,
    values AS value
