-- The users of an experiment split in halves anew by many salts, as the splitter would; one row per salt, and one, with place 0, for all users.
-- Parameters: groups Array(Int16), salts Array(UInt64) (1024 at most)
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
            + bitAnd(cityHash64(user_id, salt_set.2), 1)
            + bitAnd(cityHash64(user_id, salt_set.3), 1) * 2
            + bitAnd(cityHash64(user_id, salt_set.4), 1) * 4
            + bitAnd(cityHash64(user_id, salt_set.5), 1) * 8
            + bitAnd(cityHash64(user_id, salt_set.6), 1) * 16
            + bitAnd(cityHash64(user_id, salt_set.7), 1) * 32
            + bitAnd(cityHash64(user_id, salt_set.8), 1) * 64
            + bitAnd(cityHash64(user_id, salt_set.9), 1) * 128
            + bitAnd(cityHash64(user_id, salt_set.10), 1) * 256) AS pattern,
        count() AS one,
        sum(users.views) AS views,
        sum(users.likes) AS likes,
        sum(users.likes * users.likes) AS likes2,
        sum(users.likes * users.views) AS likes_views,
        sum(users.views * users.views) AS views2,
        sum(users.likes / users.views) AS ctr,
        sum(users.likes / users.views * (users.likes / users.views)) AS ctr2,
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
        -- After the last salt comes the first again.
        SELECT
            arrayJoin(arrayMap(
                start -> (
                    toUInt16(intDiv(start, 8)),
                    {salts:Array(UInt64)}[1 + start % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 1) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 2) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 3) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 4) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 5) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 6) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 7) % length({salts:Array(UInt64)})],
                    {salts:Array(UInt64)}[1 + (start + 8) % length({salts:Array(UInt64)})]
                ),
                range(0, length({salts:Array(UInt64)}), 8)
            )) AS salt_set
    ) AS salt_sets
    -- All users for a set of salts, then for the next one: the sums of a set's patterns stay in the processor's cache.
    CROSS JOIN
    (
        SELECT
            user_id,
            sumIf(user_days.views, during) AS views,
            sumIf(user_days.likes, during) AS likes,
            sumIf(user_days.likes, NOT during) AS before,
            sumIf(user_days.views, NOT during) AS views_before
        FROM user_days
        GROUP BY user_id
        HAVING views > 0
           AND has({groups:Array(Int16)}, minIf(low_group, during))
    ) AS users
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
