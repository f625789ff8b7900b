-- What became of users, each of whom is read once; one row per kind of fact and what it says.
-- Parameters: last Date (nothing after it is read), longest UInt16 (of gaps in days, and what is longer or has not ended counts as one day more), most_days UInt16 (days after the first that cohorts are told), os Array(String), source Array(String), gender Array(String), country Array(String) (all their values), os_codes Array(UInt64), source_codes Array(UInt64), gender_codes Array(UInt64), country_codes Array(UInt64) (their codes, which add up to fewer than 2^45), sources UInt64 (a sum of codes leaves that of the source when divided by it)
SELECT
    -- 0 app, 1 feed, 2 messenger: active on a day, with days to the next one as `detail`, and for the app what was used
    --   up to and including the day as `who`: 1 only the feed, 2 only the messenger, 3 both.
    -- 3, 4: active on a day, or in a week, of the cohort that began on a day, or in a week, of the source of code `who`;
    --   a week's `detail` is 1 if the users were also active in the week before. Weeks count from that of 1970-01-01.
    -- 5: first day with the feed as `began`, with the messenger as `active`; 0 where never.
    -- 6: first day and attributes on it, as `came`.
    bitShiftRight(fact, 61) AS kind,
    -- A fact is one number, so that few bytes are grouped.
    bitAnd(bitShiftRight(fact, 48), 8191) AS who,
    bitAnd(bitShiftRight(fact, 32), 65535) AS began,
    bitAnd(bitShiftRight(fact, 16), 65535) AS active,
    bitAnd(fact, 65535) AS detail,
    bitAnd(fact, 2305843009213693951) AS came,
    count() AS users
FROM
(
    SELECT arrayJoin(arrayConcat(
        arrayMap(
            (on_day, next) -> bitShiftLeft(toUInt64((first_feed <= on_day) + 2 * (first_message <= on_day)), 48)
                + on_day * 65536
                + least(toUInt64(next - on_day), {longest:UInt16} + 1),
            days,
            arrayShiftLeft(days, 1, never)
        ),
        arrayMap(
            (on_day, next) -> bitShiftLeft(toUInt64(1), 61) + on_day * 65536 + least(toUInt64(next - on_day), {longest:UInt16} + 1),
            feed_days,
            arrayShiftLeft(feed_days, 1, never)
        ),
        arrayMap(
            (on_day, next) -> bitShiftLeft(toUInt64(2), 61) + on_day * 65536 + least(toUInt64(next - on_day), {longest:UInt16} + 1),
            message_days,
            arrayShiftLeft(message_days, 1, never)
        ),
        arrayMap(
            on_day -> bitShiftLeft(toUInt64(3), 61) + cohort + bitShiftLeft(toUInt64(days[1]), 32) + on_day * 65536,
            arrayFilter(on_day -> on_day <= days[1] + {most_days:UInt16}, days)
        ),
        arrayMap(
            (week, before) -> bitShiftLeft(toUInt64(4), 61) + cohort + bitShiftLeft(toUInt64(weeks[1]), 32) + week * 65536
                + (week = before + 1),
            weeks,
            arrayShiftRight(weeks, 1, never)
        ),
        [
            bitShiftLeft(toUInt64(5), 61)
                + bitShiftLeft(toUInt64(if(first_feed = never, 0, first_feed)), 32)
                + if(first_message = never, 0, first_message) * 65536,
            bitShiftLeft(toUInt64(6), 61) + came
        ]
    )) AS fact
    FROM
    (
        SELECT
            toUInt32(1000000) AS never,
            came,
            bitShiftLeft(bitAnd(came, 35184372088831) % {sources:UInt64}, 48) AS cohort,
            arrayMap(visit -> intDiv(visit, 4), visits) AS days,
            arrayMap(visit -> intDiv(visit, 4), arrayFilter(visit -> visit % 2 = 1, visits)) AS feed_days,
            arrayMap(visit -> intDiv(visit, 4), arrayFilter(visit -> visit % 4 >= 2, visits)) AS message_days,
            -- Day 0, 1970-01-01, was a Thursday.
            arrayCompact(arrayMap(on_day -> intDiv(on_day + 3, 7), days)) AS weeks,
            if(empty(feed_days), never, feed_days[1]) AS first_feed,
            if(empty(message_days), never, message_days[1]) AS first_message
        FROM
        (
            SELECT
                arraySort(groupArray(
                    toUInt32(event_date) * 4 + (views + likes > 0) + 2 * (messages_sent > 0)
                )) AS visits,
                min(
                    bitShiftLeft(toUInt64(event_date), 45)
                    + transform(user_days_v1.os, {os:Array(String)}, {os_codes:Array(UInt64)}, toUInt64(0))
                    + transform(user_days_v1.source, {source:Array(String)}, {source_codes:Array(UInt64)}, toUInt64(0))
                    + transform(user_days_v1.gender, {gender:Array(String)}, {gender_codes:Array(UInt64)}, toUInt64(0))
                    + transform(user_days_v1.country, {country:Array(String)}, {country_codes:Array(UInt64)}, toUInt64(0))
                ) AS came
            FROM user_days_v1
            WHERE event_date <= {last:Date}
            GROUP BY user_id
        )
    )
)
GROUP BY fact
ORDER BY fact
