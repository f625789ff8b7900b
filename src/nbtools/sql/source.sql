-- The app's events under the names that every statement uses; put in front of each source statement.
-- Parameters: feed_* and messages_* Identifier, the names of parameters/source.yml
WITH
    feed AS (
        SELECT
            {feed_user_id:Identifier} AS user_id,
            {feed_post_id:Identifier} AS post_id,
            {feed_action:Identifier} AS action,
            {feed_time:Identifier} AS time,
            {feed_gender:Identifier} AS gender,
            {feed_age:Identifier} AS age,
            {feed_country:Identifier} AS country,
            {feed_city:Identifier} AS city,
            {feed_os:Identifier} AS os,
            {feed_source:Identifier} AS source,
            {feed_exp_group:Identifier} AS exp_group
        FROM {feed_database:Identifier}.{feed_table:Identifier}
    ),
    messages AS (
        SELECT
            {messages_user_id:Identifier} AS user_id,
            {messages_receiver_id:Identifier} AS receiver_id,
            {messages_time:Identifier} AS time,
            {messages_gender:Identifier} AS gender,
            {messages_age:Identifier} AS age,
            {messages_country:Identifier} AS country,
            {messages_city:Identifier} AS city,
            {messages_os:Identifier} AS os,
            {messages_source:Identifier} AS source,
            {messages_exp_group:Identifier} AS exp_group
        FROM {messages_database:Identifier}.{messages_table:Identifier}
    )
