-- The posts that were viewed most in a range of time; one row per post, the most viewed first.
-- Parameters: first UInt32, last UInt32 (excluded, both in seconds since 1970), most UInt16
SELECT
    post_id,
    countIf(action = 'view') AS views,
    countIf(action = 'like') AS likes
FROM feed
WHERE time >= toDateTime({first:UInt32}, 'UTC')
  AND time < toDateTime({last:UInt32}, 'UTC')
GROUP BY post_id
ORDER BY views DESC, likes DESC, post_id
LIMIT {most:UInt16}
