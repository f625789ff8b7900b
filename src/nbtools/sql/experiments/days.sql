-- An experiment's course; one row per day and group: its users from the first day to this one, and on this day alone, those with views.
-- Parameters: first Date, last Date (both inclusive), tz String
SELECT
    low_group AS exp_group,
    {first:Date} + slot AS day,
    countIf(user_days.views_so_far > 0) AS users,
    sum(user_days.views_so_far) AS views,
    sumIf(user_days.likes_so_far, user_days.views_so_far > 0) AS likes,
    sum(user_days.views_so_far * user_days.views_so_far) AS views__views,
    sum(user_days.likes_so_far * user_days.views_so_far) AS likes__views,
    sumIf(user_days.likes_so_far * user_days.likes_so_far, user_days.views_so_far > 0) AS likes__likes,
    countIf(user_days.views_today > 0) AS users_today,
    sum(user_days.views_today) AS views_today,
    sumIf(user_days.likes_today, user_days.views_today > 0) AS likes_today,
    sum(user_days.views_today * user_days.views_today) AS views_today__views_today,
    sum(user_days.likes_today * user_days.views_today) AS likes_today__views_today,
    sumIf(user_days.likes_today * user_days.likes_today, user_days.views_today > 0) AS likes_today__likes_today
FROM
(
    SELECT
        low_group,
        arrayJoin(range(toUInt32({last:Date} - {first:Date} + 1))) AS slot,
        arraySum((at, count) -> if(at <= slot, count, 0), slots, slot_views) AS views_so_far,
        arraySum((at, count) -> if(at <= slot, count, 0), slots, slot_likes) AS likes_so_far,
        arraySum((at, count) -> if(at = slot, count, 0), slots, slot_views) AS views_today,
        arraySum((at, count) -> if(at = slot, count, 0), slots, slot_likes) AS likes_today
    FROM
    (
        SELECT
            min(user_group) AS low_group,
            groupArray(slot) AS slots,
            groupArray(views) AS slot_views,
            groupArray(likes) AS slot_likes
        FROM
        (
            SELECT
                user_id,
                min(exp_group) AS user_group,
                toUInt32(toDate(time, {tz:String}) - {first:Date}) AS slot,
                countIf(action = 'view') AS views,
                countIf(action = 'like') AS likes
            FROM feed
            WHERE time >= toDateTime({first:Date}, {tz:String})
              AND time < toDateTime({last:Date} + 1, {tz:String})
            GROUP BY user_id, slot
        )
        GROUP BY user_id
        HAVING arraySum(slot_views) > 0
    )
) AS user_days
GROUP BY low_group, slot
ORDER BY day, exp_group
