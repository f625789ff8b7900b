-- Metrics of the catalogue; one row per loaded day and value of one dimension, in the order of days.
-- Parameters: dimension String, first Date, last Date (both included); the metrics are the select list of the catalogue
SELECT
    event_date,
    dimension_value,
    {metrics}
FROM daily_metrics_v1
WHERE dimension = {dimension:String}
  AND event_date >= {first:Date}
  AND event_date <= {last:Date}
GROUP BY event_date, dimension_value
ORDER BY event_date, dimension_value
