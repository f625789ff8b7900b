-- The database of one name, one row; no rows when there is none, or none that the user may see.
-- Parameters: name String
SELECT name
FROM system.databases
WHERE name = {name:String}
