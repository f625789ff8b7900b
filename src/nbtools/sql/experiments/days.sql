-- An experiment's course; one row per day and group: its users from the first day to this one, and on this day alone, those with views.
-- Parameters: first Date, last Date (both inclusive)
SELECT
    low_group AS exp_group,
    {first:Date} + slot AS day,
    countIf(so_far.views_so_far > 0) AS users,
    sum(so_far.views_so_far) AS views,
    sumIf(so_far.likes_so_far, so_far.views_so_far > 0) AS likes,
    sum(so_far.views_so_far * so_far.views_so_far) AS views__views,
    sum(so_far.likes_so_far * so_far.views_so_far) AS likes__views,
    sumIf(so_far.likes_so_far * so_far.likes_so_far, so_far.views_so_far > 0) AS likes__likes,
    countIf(so_far.views_today > 0) AS users_today,
    sum(so_far.views_today) AS views_today,
    sumIf(so_far.likes_today, so_far.views_today > 0) AS likes_today,
    sum(so_far.views_today * so_far.views_today) AS views_today__views_today,
    sum(so_far.likes_today * so_far.views_today) AS likes_today__views_today,
    sumIf(so_far.likes_today * so_far.likes_today, so_far.views_today > 0) AS likes_today__likes_today
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
            min(user_days.low_group) AS low_group,
            groupArray(toUInt32(event_date - {first:Date})) AS slots,
            groupArray(toUInt32(user_days.views)) AS slot_views,
            groupArray(toUInt32(user_days.likes)) AS slot_likes
        FROM user_days
        GROUP BY user_id
        HAVING arraySum(slot_views) > 0
    )
) AS so_far
GROUP BY low_group, slot
ORDER BY day, exp_group
