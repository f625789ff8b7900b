-- Takes the rows that could not be read as rejected into loading_rows; one row per such row.
-- Parameters: log String, table Identifier
INSERT INTO app.loading_rows (log, file, line, reason)
SELECT
    {log:String} AS log,
    __file,
    __line,
    __problem
FROM app.{table:Identifier}
WHERE __problem != ''
