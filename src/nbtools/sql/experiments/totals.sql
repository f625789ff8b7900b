-- What an experiment's users did, summed up; one row per part, group, value and, in the part 'cells', views and likes.
-- Parameters: buckets UInt16
SELECT
    part,
    exp_group,
    value,
    cell_views,
    cell_likes,
    users,
    users_in_two_groups,
    likes,
    likes_before,
    views,
    views_before,
    likes__likes,
    likes__likes_before,
    likes__views,
    likes__views_before,
    likes_before__likes_before,
    likes_before__views,
    likes_before__views_before,
    views__views,
    views__views_before,
    views_before__views_before
FROM
(
    -- Texts are numbered in their order, and become texts again in the end: numbers are compared much faster.
    WITH
        (SELECT arraySort(groupUniqArray(toString(gender))) FROM (SELECT DISTINCT gender FROM user_days)) AS genders,
        (SELECT arraySort(groupArray(os)) FROM (SELECT DISTINCT os FROM user_days)) AS systems,
        (SELECT arraySort(groupArray(country)) FROM (SELECT DISTINCT country FROM user_days)) AS countries,
        (SELECT arraySort(groupArray(source)) FROM (SELECT DISTINCT source FROM user_days)) AS sources
    SELECT
        of_part.1 AS part,
        exp_group,
        multiIf(
            part IN ('cells', 'total'), '',
            part = 'first_day', toString(toDate(of_part.2)),
            part = 'os', systems[of_part.2],
            part = 'gender', genders[of_part.2],
            part = 'age', ['under 18', '18-24', '25-34', '35-49', '50 and over'][of_part.2],
            part = 'country', countries[of_part.2],
            part = 'source', sources[of_part.2],
            part = 'activity', ['none', '1-49', '50-149', '150 or more'][of_part.2],
            toString(of_part.2)
        ) AS value,
        cell_views,
        cell_likes,
        sum(combined.users) AS users,
        sum(combined.users_in_two_groups) AS users_in_two_groups,
        sum(combined.likes) AS likes,
        sum(combined.likes_before) AS likes_before,
        sum(combined.views) AS views,
        sum(combined.views_before) AS views_before,
        sum(combined.likes__likes) AS likes__likes,
        sum(combined.likes__likes_before) AS likes__likes_before,
        sum(combined.likes__views) AS likes__views,
        sum(combined.likes__views_before) AS likes__views_before,
        sum(combined.likes_before__likes_before) AS likes_before__likes_before,
        sum(combined.likes_before__views) AS likes_before__views,
        sum(combined.likes_before__views_before) AS likes_before__views_before,
        sum(combined.views__views) AS views__views,
        sum(combined.views__views_before) AS views__views_before,
        sum(combined.views_before__views_before) AS views_before__views_before
    FROM
    (
        -- Users who are alike in everything are summed up first, so that few rows go into each part.
        SELECT
            exp_group,
            multiIf(
                grouping(cell_views) = 0, [('cells', toUInt32(0))],
                grouping(bucket) = 0, [('bucket', toUInt32(bucket))],
                [
                    ('total', toUInt32(0)),
                    ('first_day', toUInt32(first_day)),
                    ('os', system),
                    ('gender', toUInt32(gender)),
                    ('age', toUInt32(age_band)),
                    ('country', country),
                    ('source', source),
                    ('activity', toUInt32(activity))
                ]
            ) AS parts,
            cell_views,
            cell_likes,
            count() AS users,
            sum(in_two_groups) AS users_in_two_groups,
            sum(per_user.likes) AS likes,
            sum(per_user.likes_before) AS likes_before,
            sum(per_user.views) AS views,
            sum(per_user.views_before) AS views_before,
            sum(per_user.likes * per_user.likes) AS likes__likes,
            sum(per_user.likes * per_user.likes_before) AS likes__likes_before,
            sum(per_user.likes * per_user.views) AS likes__views,
            sum(per_user.likes * per_user.views_before) AS likes__views_before,
            sum(per_user.likes_before * per_user.likes_before) AS likes_before__likes_before,
            sum(per_user.likes_before * per_user.views) AS likes_before__views,
            sum(per_user.likes_before * per_user.views_before) AS likes_before__views_before,
            sum(per_user.views * per_user.views) AS views__views,
            sum(per_user.views * per_user.views_before) AS views__views_before,
            sum(per_user.views_before * per_user.views_before) AS views_before__views_before
        FROM
        (
            SELECT
                -- The group is that of the window: before it there may have been another experiment.
                minIf(user_days.low_group, during) AS exp_group,
                exp_group != maxIf(user_days.high_group, during) AS in_two_groups,
                sumIf(user_days.views, during) AS views,
                sumIf(user_days.likes, during) AS likes,
                sumIf(user_days.views, NOT during) AS views_before,
                sumIf(user_days.likes, NOT during) AS likes_before,
                -- The keys of one grouping set are empty in the others, so what is summed has columns of its own.
                toUInt32(views) AS cell_views,
                toUInt32(likes) AS cell_likes,
                -- The hash knows the type of a number; small ones have the narrower one, whatever their column's.
                toUInt16(if(user_id < 4294967296, xxHash64(toUInt32(user_id)), xxHash64(toUInt64(user_id))) % {buckets:UInt16}) AS bucket,
                minIf(event_date, during AND user_days.views > 0) AS first_day,
                -- A user whose attributes changed has the least of each, so that the answer does not depend on threads.
                transform(toString(min(user_days.gender)), genders, range(toUInt32(1), toUInt32(length(genders) + 1)), toUInt32(0)) AS gender,
                min(transform(user_days.os, systems, range(toUInt32(1), toUInt32(length(systems) + 1)), toUInt32(0))) AS system,
                min(transform(user_days.country, countries, range(toUInt32(1), toUInt32(length(countries) + 1)), toUInt32(0))) AS country,
                min(transform(user_days.source, sources, range(toUInt32(1), toUInt32(length(sources) + 1)), toUInt32(0))) AS source,
                min(user_days.age) AS low_age,
                toUInt8(multiIf(low_age < 18, 1, low_age < 25, 2, low_age < 35, 3, low_age < 50, 4, 5)) AS age_band,
                toUInt8(multiIf(views_before = 0, 1, views_before < 50, 2, views_before < 150, 3, 4)) AS activity
            FROM user_days
            WHERE is_feed
            GROUP BY user_id
            HAVING views > 0
        ) AS per_user
        GROUP BY GROUPING SETS
        (
            (exp_group, first_day, system, gender, age_band, country, source, activity),
            (exp_group, cell_views, cell_likes),
            (exp_group, bucket)
        )
    ) AS combined
    ARRAY JOIN parts AS of_part
    GROUP BY
        of_part,
        exp_group,
        cell_views,
        cell_likes
)
ORDER BY part, exp_group, value, cell_views, cell_likes
