-- How many users of a group have a CTR above a threshold; one row per attribute and value.
-- Parameters: exp_group Int16, threshold Float64
SELECT
    attribute.1 AS part,
    attribute.2 AS value,
    count() AS users,
    countIf(likes / views > {threshold:Float64}) AS users_above
FROM
(
    SELECT
        min(low_group) AS least_group,
        sum(user_days.views) AS views,
        sum(user_days.likes) AS likes,
        arrayJoin([
            ('os', toString(min(os))),
            ('source', toString(min(source))),
            ('gender', toString(min(gender))),
            ('age', multiIf(min(age) < 18, 'under 18', min(age) < 25, '18-24', min(age) < 35, '25-34', min(age) < 50, '35-49', '50 and over')),
            ('country', toString(min(country))),
            ('city', toString(min(city)))
        ]) AS attribute
    FROM user_days
    WHERE is_feed
    GROUP BY user_id
    HAVING views > 0
       AND least_group = {exp_group:Int16}
)
GROUP BY part, value
ORDER BY part, value
