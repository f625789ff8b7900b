-- A log as it was read; one row per row of its files, every value a text.
-- Parameters: table Identifier
CREATE TABLE app.{table:Identifier}
(
    __file UInt16 COMMENT 'number of the file within the log',
    __line UInt64 COMMENT 'where the row begins in its file',
    __problem String COMMENT 'why it is no row of this log, empty when it is one',
    __fields Array(String) COMMENT 'values in the order of the columns'
)
ENGINE = MergeTree
ORDER BY (__file, __line)
