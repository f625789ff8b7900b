-- On which days and in which weeks users of a cohort were active; one row per part, source, cohort and period.
-- Parameters: last Date (nothing after it is read), most_days UInt16 (days after the first that are told)
SELECT
    -- day: by first day; week: by first week. Weeks are told by their Monday; day 0, 1970-01-01, was a Thursday.
    if(visit % 2 = 0, 'day', 'week') AS part,
    source,
    if(part = 'day', toDate(began), toDate(began * 7 - 3)) AS cohort,
    if(part = 'day', toDate(period), toDate(period * 7 - 3)) AS active,
    -- Whether the users were also active in the week before.
    intDiv(visit, 2) % 2 AS stayed,
    count() AS users,
    -- A number a visit, so that few bytes are grouped.
    intDiv(visit, 262144) AS began,
    intDiv(visit, 4) % 65536 AS period
FROM
(
    SELECT
        source,
        arrayJoin(arrayConcat(
            arrayMap(
                found -> toUInt64(days[1]) * 262144 + found * 4,
                arrayFilter(found -> found <= days[1] + {most_days:UInt16}, days)
            ),
            arrayMap(
                (found, before) -> toUInt64(weeks[1]) * 262144 + found * 4 + 2 * (found - before = 1) + 1,
                weeks,
                arrayShiftRight(weeks, 1, toUInt32(0))
            )
        )) AS visit
    FROM
    (
        SELECT
            arraySort(groupArray(toUInt32(event_date))) AS days,
            arrayCompact(arrayMap(found -> intDiv(found + 3, 7), days)) AS weeks,
            argMin(user_days_v1.source, event_date) AS source
        FROM user_days_v1
        WHERE event_date <= {last:Date}
        GROUP BY user_id
    )
)
GROUP BY source, visit
ORDER BY part, source, cohort, active, stayed
