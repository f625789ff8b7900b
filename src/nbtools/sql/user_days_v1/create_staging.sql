-- An empty table with the columns and the partitions of user_days_v1.
-- Parameters: table Identifier
CREATE TABLE {table:Identifier} AS user_days_v1
