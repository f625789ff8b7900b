-- Metrics of the catalogue; one row per segment and slice, in their order, slices numbered from the first.
-- Parameters: first UInt32, last UInt32 (excluded, both in seconds since 1970), dimensions Array(String); the metrics are the select list of the catalogue
SELECT
    toString(dimension) AS dimension,
    toString(dimension_value) AS dimension_value,
    intDiv(toUnixTimestamp(slice) - {first:UInt32}, 900) AS number,
    {metrics}
FROM slice_metrics_v1 FINAL
WHERE slice >= toDateTime({first:UInt32}, 'UTC')
  AND slice < toDateTime({last:UInt32}, 'UTC')
  AND dimension IN {dimensions:Array(String)}
GROUP BY dimension, dimension_value, slice
ORDER BY dimension, dimension_value, slice
-- Some thousand rows: several threads wait for each other longer than they read.
SETTINGS max_threads = 1
