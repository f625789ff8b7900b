-- What a decision on CTR with CUPED needs, in the SQL of both engines; one row per experiment group.
-- Parameters: none
SELECT
    exp_group,
    count(*) AS users,
    sum(likes) AS likes,
    sum(likes_before) AS likes_before,
    sum(views) AS views,
    sum(views_before) AS views_before,
    sum(likes_likes) AS likes__likes,
    sum(likes_likes_before) AS likes__likes_before,
    sum(likes_views) AS likes__views,
    sum(likes_views_before) AS likes__views_before,
    sum(likes_before_likes_before) AS likes_before__likes_before,
    sum(likes_before_views) AS likes_before__views,
    sum(likes_before_views_before) AS likes_before__views_before,
    sum(views_views) AS views__views,
    sum(views_views_before) AS views__views_before,
    sum(views_before_views_before) AS views_before__views_before
FROM
(
    SELECT
        exp_group,
        likes,
        likes_before,
        views,
        views_before,
        likes * likes AS likes_likes,
        likes * likes_before AS likes_likes_before,
        likes * views AS likes_views,
        likes * views_before AS likes_views_before,
        likes_before * likes_before AS likes_before_likes_before,
        likes_before * views AS likes_before_views,
        likes_before * views_before AS likes_before_views_before,
        views * views AS views_views,
        views * views_before AS views_views_before,
        views_before * views_before AS views_before_views_before
    FROM
    (
        SELECT
            user_id,
            min(exp_group) AS exp_group,
            count(*) FILTER (WHERE action = 'view' AND time >= '2023-01-01 00:00:00') AS views,
            count(*) FILTER (WHERE action = 'like' AND time >= '2023-01-01 00:00:00') AS likes,
            count(*) FILTER (WHERE action = 'view' AND time < '2023-01-01 00:00:00') AS views_before,
            count(*) FILTER (WHERE action = 'like' AND time < '2023-01-01 00:00:00') AS likes_before
        FROM app.feed_actions
        WHERE time >= '2022-12-25 00:00:00' AND time < '2023-01-08 00:00:00'
        GROUP BY user_id
    ) AS users
    WHERE views > 0
) AS products
GROUP BY exp_group
ORDER BY exp_group
