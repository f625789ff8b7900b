-- What a decision on CTR with CUPED needs, in the SQL of both engines, from users by day; one row per experiment group.
-- Parameters: none; user_days is what the engine reads
SELECT
    exp_group,
    count(*) AS users,
    sum(users.likes) AS likes,
    sum(users.likes_before) AS likes_before,
    sum(users.views) AS views,
    sum(users.views_before) AS views_before,
    sum(users.likes * users.likes) AS likes__likes,
    sum(users.likes * users.likes_before) AS likes__likes_before,
    sum(users.likes * users.views) AS likes__views,
    sum(users.likes * users.views_before) AS likes__views_before,
    sum(users.likes_before * users.likes_before) AS likes_before__likes_before,
    sum(users.likes_before * users.views) AS likes_before__views,
    sum(users.likes_before * users.views_before) AS likes_before__views_before,
    sum(users.views * users.views) AS views__views,
    sum(users.views * users.views_before) AS views__views_before,
    sum(users.views_before * users.views_before) AS views_before__views_before
FROM
(
    SELECT
        min(days.low_group) FILTER (WHERE days.during) AS exp_group,
        sum(days.views) FILTER (WHERE days.during) AS views,
        sum(days.likes) FILTER (WHERE days.during) AS likes,
        coalesce(sum(days.views) FILTER (WHERE NOT days.during), 0) AS views_before,
        coalesce(sum(days.likes) FILTER (WHERE NOT days.during), 0) AS likes_before
    FROM user_days AS days
    GROUP BY user_id
) AS users
WHERE users.views > 0
GROUP BY exp_group
ORDER BY exp_group
