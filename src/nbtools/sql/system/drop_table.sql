-- Removes a table of the connection's database at once, if it is there.
-- Parameters: table Identifier
DROP TABLE IF EXISTS {table:Identifier} SYNC
