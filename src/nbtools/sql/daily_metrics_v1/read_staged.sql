-- The counts of one staged day; one row per dimension and value.
-- Parameters: staging Identifier
SELECT
    dimension,
    views,
    likes,
    messages_received,
    messages_sent,
    users_received,
    users_sent,
    feed_users,
    messenger_users,
    both_users
FROM {staging:Identifier}
