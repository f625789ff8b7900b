-- Rows by log and reason, empty for accepted ones, with the first file and line; one row per log and reason.
-- Parameters: none
SELECT
    log,
    reason,
    count() AS rows,
    tupleElement(min((file, line)), 1) AS first_file,
    tupleElement(min((file, line)), 2) AS first_line
FROM app.loading_rows
GROUP BY log, reason
ORDER BY log, rows DESC, reason
