-- What a metric's count was on two days, by attribute; one row per dimension and value, and one in total.
-- Parameters: now Date, before Date, dimensions Array(String)
SELECT
    tupleElement(segment, 1) AS dimension,
    tupleElement(segment, 2) AS dimension_value,
    countIf(feed_user AND event_date = {now:Date}) AS feed_users_now,
    countIf(feed_user AND event_date = {before:Date}) AS feed_users_before,
    countIf(messenger_user AND event_date = {now:Date}) AS messenger_users_now,
    countIf(messenger_user AND event_date = {before:Date}) AS messenger_users_before,
    sumIf(users.views, event_date = {now:Date}) AS views_now,
    sumIf(users.views, event_date = {before:Date}) AS views_before,
    sumIf(users.likes, event_date = {now:Date}) AS likes_now,
    sumIf(users.likes, event_date = {before:Date}) AS likes_before,
    sumIf(users.messages_sent, event_date = {now:Date}) AS messages_sent_now,
    sumIf(users.messages_sent, event_date = {before:Date}) AS messages_sent_before
FROM
(
    SELECT
        event_date,
        views,
        likes,
        messages_sent,
        views + likes > 0 AS feed_user,
        messages_sent > 0 AS messenger_user,
        arrayJoin(arrayFilter(pair -> has({dimensions:Array(String)}, tupleElement(pair, 1)), [
            ('total', 'total'),
            ('os', if(empty(os), 'unknown', toString(os))),
            ('source', if(empty(source), 'unknown', toString(source))),
            ('country', if(empty(country), 'unknown', toString(country))),
            ('city', if(empty(city), 'unknown', toString(city))),
            ('gender', if(empty(gender), 'unknown', toString(gender)))
        ])) AS segment
    FROM user_days_v1
    WHERE event_date IN ({now:Date}, {before:Date})
) AS users
GROUP BY segment
ORDER BY dimension, dimension_value
