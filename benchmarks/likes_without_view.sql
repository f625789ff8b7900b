-- Likes of posts that the user did not view on the day; one row.
-- Parameters: date Date, tz String
SELECT sumIf(likes, views = 0) AS found
FROM
(
    SELECT
        user_id,
        post_id,
        countIf(action = 'like') AS likes,
        countIf(action = 'view') AS views
    FROM feed
    WHERE time >= toDateTime({date:Date}, {tz:String})
      AND time < toDateTime({date:Date} + 1, {tz:String})
    GROUP BY
        user_id,
        post_id
)
