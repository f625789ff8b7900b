-- Who viewed the feed in a window; one row per experiment group, with the least and the greatest CTR of its users.
-- Parameters: first Date, last Date (both inclusive), tz String
SELECT
    low_group AS exp_group,
    count() AS users,
    min(likes / views) AS lowest,
    max(likes / views) AS highest
FROM
(
    SELECT
        min(exp_group) AS low_group,
        countIf(action = 'view') AS views,
        countIf(action = 'like') AS likes
    FROM feed
    WHERE time >= toDateTime({first:Date}, {tz:String})
      AND time < toDateTime({last:Date} + 1, {tz:String})
    GROUP BY user_id
    HAVING views > 0
)
GROUP BY low_group
ORDER BY exp_group
