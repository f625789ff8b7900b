-- The users of an experiment split in halves anew by many salts, as the splitter would; one row per salt, and one, with place 0, for all users.
-- Parameters: first Date, last Date (both inclusive), before_days UInt16, groups Array(Int16), salts Array(UInt64), tz String
SELECT
    number - 1 AS place,
    half.1 AS one,
    half.2 AS views,
    half.3 AS likes,
    half.4 AS likes2,
    half.5 AS likes_views,
    half.6 AS views2,
    half.7 AS ctr,
    half.8 AS ctr2,
    half.9 AS before,
    half.10 AS before2,
    half.11 AS likes_before,
    half.12 AS views_before,
    half.13 AS views_before2,
    half.14 AS likes_views_before,
    half.15 AS views_likes_before,
    half.16 AS views_views_before,
    half.17 AS likes_before_views_before,
    half.18 AS also_next
FROM
(
    SELECT
        sumForEach(halves) AS one,
        sumForEach(arrayMap(half -> half * users.views, halves)) AS views,
        sumForEach(arrayMap(half -> half * users.likes, halves)) AS likes,
        sumForEach(arrayMap(half -> half * users.likes * users.likes, halves)) AS likes2,
        sumForEach(arrayMap(half -> half * users.likes * users.views, halves)) AS likes_views,
        sumForEach(arrayMap(half -> half * users.views * users.views, halves)) AS views2,
        sumForEach(arrayMap(half -> half * users.likes / users.views, halves)) AS ctr,
        sumForEach(arrayMap(half -> half * pow(users.likes / users.views, 2), halves)) AS ctr2,
        sumForEach(arrayMap(half -> half * users.before, halves)) AS before,
        sumForEach(arrayMap(half -> half * users.before * users.before, halves)) AS before2,
        sumForEach(arrayMap(half -> half * users.before * users.likes, halves)) AS likes_before,
        sumForEach(arrayMap(half -> half * users.views_before, halves)) AS views_before,
        sumForEach(arrayMap(half -> half * users.views_before * users.views_before, halves)) AS views_before2,
        sumForEach(arrayMap(half -> half * users.likes * users.views_before, halves)) AS likes_views_before,
        sumForEach(arrayMap(half -> half * users.views * users.before, halves)) AS views_likes_before,
        sumForEach(arrayMap(half -> half * users.views * users.views_before, halves)) AS views_views_before,
        sumForEach(arrayMap(half -> half * users.before * users.views_before, halves)) AS likes_before_views_before,
        -- A second experiment at the same time is the same users under the next salt.
        sumForEach(arrayMap((half, next) -> half * next, halves, arrayRotateLeft(halves, 1))) AS also_next
    FROM
    (
        SELECT
            countIf(action = 'view' AND during) AS views,
            countIf(action = 'like' AND during) AS likes,
            countIf(action = 'like' AND NOT during) AS before,
            countIf(action = 'view' AND NOT during) AS views_before,
            -- In front stands a one, so that all users come with the halves.
            arrayPushFront(
                arrayMap(salt -> toUInt64(cityHash64(user_id, salt) % 2), {salts:Array(UInt64)}), toUInt64(1)
            ) AS halves
        FROM
        (
            SELECT
                user_id,
                action,
                time >= toDateTime({first:Date}, {tz:String}) AS during
            FROM feed
            WHERE time >= toDateTime({first:Date} - {before_days:UInt16}, {tz:String})
              AND time < toDateTime({last:Date} + 1, {tz:String})
              AND has({groups:Array(Int16)}, exp_group)
        )
        GROUP BY user_id
        HAVING views > 0
    ) AS users
) AS sums
ARRAY JOIN
    arrayEnumerate(sums.one) AS number,
    arrayZip(
        sums.one,
        sums.views,
        sums.likes,
        sums.likes2,
        sums.likes_views,
        sums.views2,
        sums.ctr,
        sums.ctr2,
        sums.before,
        sums.before2,
        sums.likes_before,
        sums.views_before,
        sums.views_before2,
        sums.likes_views_before,
        sums.views_likes_before,
        sums.views_views_before,
        sums.likes_before_views_before,
        sums.also_next
    ) AS half
ORDER BY place
