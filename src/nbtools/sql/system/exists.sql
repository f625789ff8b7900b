-- Whether there is a table in the connection's database; one row, 1 or 0.
-- Parameters: table Identifier
EXISTS TABLE {table:Identifier}
