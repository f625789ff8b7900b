-- A database.
-- Parameters: name Identifier
CREATE DATABASE IF NOT EXISTS {name:Identifier}
