-- Empties what is known of the history; an empty table marks one that is not complete.
-- Parameters: none
TRUNCATE TABLE app.source_info
