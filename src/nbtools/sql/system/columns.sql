-- The columns of one table, one row per column; no rows when there is no such table.
-- Parameters: database String, table String
SELECT name
FROM system.columns
WHERE database = {database:String}
  AND table = {table:String}
ORDER BY position
