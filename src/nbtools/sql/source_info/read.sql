-- What is known of a history that nbtools built itself; one row per key.
-- Parameters: database Identifier
SELECT key, value
FROM {database:Identifier}.source_info
ORDER BY key
