-- Who was active in some days, by the attributes of each user's latest day; one row per part and pair of values.
-- Parameters: first Date, last Date (both included)
SELECT
    multiIf(
        grouping(os) = 0, 'os and source',
        grouping(age_band) = 0, 'age and gender',
        grouping(city) = 0, 'city',
        'country'
    ) AS part,
    multiIf(part = 'os and source', os, part = 'age and gender', age_band, part = 'city', city, country) AS value,
    multiIf(part = 'os and source', source, part = 'age and gender', gender, part = 'city', country, '') AS of_value,
    count() AS users
FROM
(
    SELECT
        argMax(user_days_v1.os, event_date) AS os,
        argMax(user_days_v1.source, event_date) AS source,
        argMax(user_days_v1.gender, event_date) AS gender,
        argMax(user_days_v1.country, event_date) AS country,
        argMax(user_days_v1.city, event_date) AS city,
        argMax(user_days_v1.age, event_date) AS age,
        multiIf(
            age < 0, 'unknown', age < 18, 'under 18', age < 25, '18-24', age < 35, '25-34',
            age < 50, '35-49', '50 and over'
        ) AS age_band
    FROM user_days_v1
    WHERE event_date >= {first:Date}
      AND event_date <= {last:Date}
    GROUP BY user_id
)
GROUP BY GROUPING SETS ((os, source), (age_band, gender), (country), (city, country))
ORDER BY part, users DESC, value, of_value
