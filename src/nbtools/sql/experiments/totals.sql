-- What an experiment's users did, summed up; one row per part, group, value and, in the part 'cells', views and likes.
-- Parameters: first Date, last Date (both inclusive), before_days UInt16, buckets UInt16, tz String
SELECT
    multiIf(
        grouping(cell_views) = 0, 'cells',
        grouping(bucket) = 0, 'bucket',
        grouping(first_day) = 0, 'first_day',
        grouping(os) = 0, 'os',
        grouping(gender) = 0, 'gender',
        grouping(age) = 0, 'age',
        grouping(country) = 0, 'country',
        grouping(source) = 0, 'source',
        grouping(activity) = 0, 'activity',
        'total'
    ) AS part,
    exp_group,
    multiIf(
        grouping(bucket) = 0, bucket,
        grouping(first_day) = 0, first_day,
        grouping(os) = 0, os,
        grouping(gender) = 0, gender,
        grouping(age) = 0, age,
        grouping(country) = 0, country,
        grouping(source) = 0, source,
        grouping(activity) = 0, activity,
        ''
    ) AS value,
    cell_views,
    cell_likes,
    count() AS users,
    sum(in_two_groups) AS users_in_two_groups,
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
        low_group AS exp_group,
        low_group != high_group AS in_two_groups,
        -- The keys of one grouping set are empty in the others, so what is summed has columns of its own.
        toUInt32(views) AS cell_views,
        toUInt32(likes) AS cell_likes,
        views,
        likes,
        views_before,
        likes_before,
        toString(xxHash64(user_id) % {buckets:UInt16}) AS bucket,
        toString(toDate(first_view, {tz:String})) AS first_day,
        low_os AS os,
        toString(low_gender) AS gender,
        multiIf(low_age < 18, 'under 18', low_age < 25, '18-24', low_age < 35, '25-34', low_age < 50, '35-49', '50 and over') AS age,
        low_country AS country,
        low_source AS source,
        multiIf(views_before = 0, 'none', views_before < 50, '1-49', views_before < 150, '50-149', '150 or more') AS activity
    FROM
    (
        SELECT
            user_id,
            -- The group is that of the window: before it there may have been another experiment.
            minIf(exp_group, during) AS low_group,
            maxIf(exp_group, during) AS high_group,
            countIf(action = 'view' AND during) AS views,
            countIf(action = 'like' AND during) AS likes,
            countIf(action = 'view' AND NOT during) AS views_before,
            countIf(action = 'like' AND NOT during) AS likes_before,
            minIf(time, action = 'view' AND during) AS first_view,
            -- A user whose attributes changed has the least of each, so that the answer does not depend on threads.
            min(os) AS low_os,
            min(gender) AS low_gender,
            min(age) AS low_age,
            min(country) AS low_country,
            min(source) AS low_source
        FROM
        (
            SELECT
                user_id,
                action,
                time,
                time >= toDateTime({first:Date}, {tz:String}) AS during,
                gender,
                age,
                country,
                os,
                source,
                exp_group
            FROM feed
            WHERE time >= toDateTime({first:Date} - {before_days:UInt16}, {tz:String})
              AND time < toDateTime({last:Date} + 1, {tz:String})
        )
        GROUP BY user_id
        HAVING views > 0
    )
) AS users
GROUP BY GROUPING SETS
(
    (exp_group),
    (exp_group, cell_views, cell_likes),
    (exp_group, bucket),
    (exp_group, first_day),
    (exp_group, os),
    (exp_group, gender),
    (exp_group, age),
    (exp_group, country),
    (exp_group, source),
    (exp_group, activity)
)
ORDER BY part, exp_group, value, cell_views, cell_likes
