-- Fills the new feed_actions from the CTE events; one row per view or like.
-- Parameters: those of events
INSERT INTO app.loading_feed_actions
    (user_id, post_id, action, time, gender, age, country, city, os, source, exp_group)
SELECT
    user_id,
    item_id,
    action,
    time,
    toUInt8(attributes[1]),
    toUInt8(attributes[2]),
    attributes[3],
    attributes[4],
    attributes[5],
    attributes[6],
    toInt8(attributes[7])
FROM events
SETTINGS max_partitions_per_insert_block = 0
