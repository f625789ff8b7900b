-- How much users do on a day, and on how many days; one row per part and number, with how many user-days or users.
-- Parameters: first Date, last Date (both included)
SELECT
    part,
    number,
    sum(times) AS times
FROM
(
    SELECT
        arrayJoin(arrayFilter(pair -> tupleElement(pair, 2) > 0, [
            ('views', views),
            ('likes', likes),
            ('messages_sent', messages_sent)
        ])) AS pair,
        tupleElement(pair, 1) AS part,
        tupleElement(pair, 2) AS number,
        count() AS times
    FROM user_days_v1
    WHERE event_date >= {first:Date}
      AND event_date <= {last:Date}
    GROUP BY pair
    UNION ALL
    SELECT
        ('days', toUInt32(number)) AS pair,
        'days' AS part,
        number,
        count() AS times
    FROM
    (
        SELECT toUInt32(count()) AS number
        FROM user_days_v1
        WHERE event_date >= {first:Date}
          AND event_date <= {last:Date}
        GROUP BY user_id
    )
    GROUP BY number
)
GROUP BY part, number
ORDER BY part, number
