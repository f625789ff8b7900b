-- The posts that were viewed most in some days; one row per post, the most viewed first.
-- Parameters: first Date, last Date (both included), most UInt16, tz String
SELECT
    post_id,
    countIf(action = 'view') AS views,
    countIf(action = 'like') AS likes
FROM feed
WHERE time >= toDateTime({first:Date}, {tz:String})
  AND time < toDateTime({last:Date} + 1, {tz:String})
GROUP BY post_id
ORDER BY views DESC, likes DESC, post_id
LIMIT {most:UInt16}
