-- The tables of the connection's database whose name starts with a prefix; one row per table.
-- Parameters: prefix String
SELECT
    name,
    dateDiff('hour', metadata_modification_time, now()) AS age_hours
FROM system.tables
WHERE database = currentDatabase()
  AND startsWith(name, {prefix:String})
ORDER BY name
