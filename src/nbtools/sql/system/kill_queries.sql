-- Ends every statement but this one; one row per statement that was ended.
-- Parameters: none
KILL QUERY
WHERE query_id != queryID()
SYNC
