-- How far the table reaches, in seconds since 1970, and what its last slice was divided by; one row, none when it is empty.
-- Parameters: none
SELECT
    (SELECT toUnixTimestamp(min(slice)) FROM slice_metrics_v1) AS first_slice,
    toUnixTimestamp(slice) AS last_slice,
    slicing
FROM slice_metrics_v1
WHERE dimension = 'total'
  -- The parts know their greatest slice, so nothing else of them is read.
  AND slice = (SELECT max(slice) FROM slice_metrics_v1)
ORDER BY read_at DESC
LIMIT 1
