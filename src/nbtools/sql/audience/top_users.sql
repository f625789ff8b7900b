-- The users who viewed most in some days; one row per user, the most active first.
-- Parameters: first Date, last Date (both included), most UInt16
SELECT
    user_id,
    sum(users.views) AS views,
    sum(users.likes) AS likes,
    sum(users.messages_sent) AS messages_sent,
    count() AS days
FROM user_days_v1 AS users
WHERE event_date >= {first:Date}
  AND event_date <= {last:Date}
GROUP BY user_id
ORDER BY views DESC, likes DESC, messages_sent DESC, user_id
LIMIT {most:UInt16}
