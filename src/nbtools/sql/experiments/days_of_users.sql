-- What users did, and who they were, as the rollup tells it; one row per user and day.
-- Parameters: those of days_of_events
SELECT
    user_id,
    event_date,
    event_date >= {first:Date} AS during,
    views,
    likes,
    -- Who only wrote messages has no attributes of the feed, and the least and the greatest group pass them by.
    views + likes > 0 AS is_feed,
    if(low_group < 0, toInt16(32767), low_group) AS low_group,
    high_group,
    low_gender AS gender,
    low_age AS age,
    low_os AS os,
    source,
    country,
    city
FROM user_days_v1
WHERE event_date >= {first:Date} - {before_days:UInt16}
  AND event_date <= {last:Date}
