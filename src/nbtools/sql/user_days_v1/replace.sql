-- Puts a staged day in place of the day's old rows, in one step.
-- Parameters: partition UInt32 (the day as YYYYMMDD); the name of the staging table cannot be bound here
ALTER TABLE user_days_v1 REPLACE PARTITION {partition:UInt32} FROM {staging}
