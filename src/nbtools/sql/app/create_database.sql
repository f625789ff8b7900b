-- The database of the app's events.
-- Parameters: none
CREATE DATABASE IF NOT EXISTS app
