-- How users of each service come back; one row per service, day, gap and what its users had used by then.
-- Parameters: last Date (nothing after it is read), longest UInt16 (of gaps in days, 1000 at most, and what is longer or has not ended counts as one day more)
SELECT
    -- A number a visit, so that few bytes are grouped: day, gap, and who it was.
    ['app', 'app', 'app', 'feed', 'messenger'][visit % 8] AS service,
    toDate(intDiv(visit, 8192)) AS event_date,
    -- Days to the user's next active day of this service.
    intDiv(visit, 8) % 1024 AS gap,
    -- 1 only the feed, 2 only the messenger, 3 both, up to and including this day; 0 for one service.
    if(service = 'app', visit % 8, 0) AS used,
    count() AS users
FROM
(
    SELECT arrayJoin(arrayConcat(
        arrayMap(
            (active, next) -> active * 8192
                + least(next - active, {longest:UInt16} + 1) * 8
                + (first_feed <= active)
                + 2 * (first_message <= active),
            days,
            arrayShiftLeft(days, 1, never)
        ),
        arrayMap(
            (active, next) -> active * 8192 + least(next - active, {longest:UInt16} + 1) * 8 + 4,
            feed_days,
            arrayShiftLeft(feed_days, 1, never)
        ),
        arrayMap(
            (active, next) -> active * 8192 + least(next - active, {longest:UInt16} + 1) * 8 + 5,
            message_days,
            arrayShiftLeft(message_days, 1, never)
        )
    )) AS visit
    FROM
    (
        SELECT
            toUInt32(1000000) AS never,
            arraySort(groupArray(toUInt32(event_date))) AS days,
            arraySort(groupArrayIf(toUInt32(event_date), views + likes > 0)) AS feed_days,
            arraySort(groupArrayIf(toUInt32(event_date), messages_sent > 0)) AS message_days,
            if(empty(feed_days), never, feed_days[1]) AS first_feed,
            if(empty(message_days), never, message_days[1]) AS first_message
        FROM user_days_v1
        WHERE event_date <= {last:Date}
        GROUP BY user_id
    )
)
GROUP BY visit
ORDER BY service, event_date, gap, used
