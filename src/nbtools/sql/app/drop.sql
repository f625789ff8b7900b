-- Removes a table of the app's database.
-- Parameters: table Identifier
DROP TABLE IF EXISTS app.{table:Identifier} SYNC
