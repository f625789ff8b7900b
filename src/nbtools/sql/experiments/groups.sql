-- Who viewed the feed in a window; one row per experiment group, with the least and the greatest CTR of its users.
-- Parameters: none
SELECT
    low_group AS exp_group,
    count() AS users,
    min(likes / views) AS lowest,
    max(likes / views) AS highest
FROM
(
    SELECT
        min(user_days.low_group) AS low_group,
        sum(user_days.views) AS views,
        sum(user_days.likes) AS likes
    FROM user_days
    GROUP BY user_id
    HAVING views > 0
)
GROUP BY low_group
ORDER BY exp_group
