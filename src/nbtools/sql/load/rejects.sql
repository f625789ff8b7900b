-- A page of a log's rejected rows with their values as read, in the order of the files; one row per row.
-- Parameters: log String, table Identifier, after_file UInt16, after_line UInt64, limit UInt32
SELECT
    rejected.file,
    rejected.line,
    rejected.why AS reason,
    log.__problem != '' AS is_unreadable,
    log.__fields AS fields
FROM
(
    SELECT
        file,
        line,
        min(reason) AS why
    FROM app.loading_rows
    WHERE log = {log:String}
      AND reason != ''
      AND (file, line) > ({after_file:UInt16}, {after_line:UInt64})
    GROUP BY file, line
    ORDER BY file, line
    LIMIT {limit:UInt32}
) AS rejected
INNER JOIN app.{table:Identifier} AS log ON log.__file = rejected.file AND log.__line = rejected.line
ORDER BY rejected.file, rejected.line
