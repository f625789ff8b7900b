-- The users of an experiment split in halves anew by many salts, as the splitter would; one row per salt, and one, with place 0, for all users.
-- Parameters: first Date, last Date (both inclusive), before_days UInt16, groups Array(Int16), salts Array(UInt64) (1024 at most), tz String
SELECT
    half.1 AS place,
    sum(patterns.one) AS one,
    sum(patterns.views) AS views,
    sum(patterns.likes) AS likes,
    sum(patterns.likes2) AS likes2,
    sum(patterns.likes_views) AS likes_views,
    sum(patterns.views2) AS views2,
    sum(patterns.ctr) AS ctr,
    sum(patterns.ctr2) AS ctr2,
    sum(patterns.before) AS before,
    sum(patterns.before2) AS before2,
    sum(patterns.likes_before) AS likes_before,
    sum(patterns.views_before) AS views_before,
    sum(patterns.views_before2) AS views_before2,
    sum(patterns.likes_views_before) AS likes_views_before,
    sum(patterns.views_likes_before) AS views_likes_before,
    sum(patterns.views_views_before) AS views_views_before,
    sum(patterns.likes_before_views_before) AS likes_before_views_before,
    -- A second experiment at the same time is the same users under the next salt.
    sumIf(patterns.one, half.2) AS also_next
FROM
(
    -- Users in the same halves under eight salts and the ninth, which is the next set's first, are summed up
    -- together, so every user is added once for eight salts. With 128 sets the patterns fill 16 bits.
    SELECT
        toUInt16(salt_set.1 * 512
            + cityHash64(user_id, salt_set.2) % 2
            + cityHash64(user_id, salt_set.3) % 2 * 2
            + cityHash64(user_id, salt_set.4) % 2 * 4
            + cityHash64(user_id, salt_set.5) % 2 * 8
            + cityHash64(user_id, salt_set.6) % 2 * 16
            + cityHash64(user_id, salt_set.7) % 2 * 32
            + cityHash64(user_id, salt_set.8) % 2 * 64
            + cityHash64(user_id, salt_set.9) % 2 * 128
            + cityHash64(user_id, salt_set.10) % 2 * 256) AS pattern,
        count() AS one,
        sum(users.views) AS views,
        sum(users.likes) AS likes,
        sum(users.likes * users.likes) AS likes2,
        sum(users.likes * users.views) AS likes_views,
        sum(users.views * users.views) AS views2,
        sum(users.likes / users.views) AS ctr,
        sum(pow(users.likes / users.views, 2)) AS ctr2,
        sum(users.before) AS before,
        sum(users.before * users.before) AS before2,
        sum(users.before * users.likes) AS likes_before,
        sum(users.views_before) AS views_before,
        sum(users.views_before * users.views_before) AS views_before2,
        sum(users.likes * users.views_before) AS likes_views_before,
        sum(users.views * users.before) AS views_likes_before,
        sum(users.views * users.views_before) AS views_views_before,
        sum(users.before * users.views_before) AS likes_before_views_before
    FROM
    (
        SELECT
            user_id,
            countIf(action = 'view' AND during) AS views,
            countIf(action = 'like' AND during) AS likes,
            countIf(action = 'like' AND NOT during) AS before,
            countIf(action = 'view' AND NOT during) AS views_before
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
    -- After the last salt comes the first again.
    ARRAY JOIN arrayMap(
        start -> (toUInt16(intDiv(start, 8)),
            {salts:Array(UInt64)}[1 + start % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 1) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 2) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 3) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 4) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 5) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 6) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 7) % length({salts:Array(UInt64)})],
            {salts:Array(UInt64)}[1 + (start + 8) % length({salts:Array(UInt64)})]),
        range(0, length({salts:Array(UInt64)}), 8)
    ) AS salt_set
    GROUP BY pattern
) AS patterns
ARRAY JOIN arrayFilter(
    half -> half.1 <= length({salts:Array(UInt64)}),
    arrayConcat(
        if(intDiv(pattern, 512) = 0, [(toUInt64(0), bitTest(pattern, 0) = 1)], []),
        arrayMap(
            bit -> (toUInt64(intDiv(pattern, 512) * 8 + bit + 1), bitTest(pattern, bit + 1) = 1),
            arrayFilter(bit -> bitTest(pattern, bit) = 1, range(8))
        )
    )
) AS half
GROUP BY half.1
ORDER BY place
