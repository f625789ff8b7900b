-- An empty table with the columns and the partitions of daily_metrics_v1.
-- Parameters: table Identifier
CREATE TABLE {table:Identifier} AS daily_metrics_v1
