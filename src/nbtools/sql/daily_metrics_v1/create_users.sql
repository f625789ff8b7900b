-- Where the users of one day wait for being checked and summed up; one row per user and day.
-- Parameters: table Identifier
CREATE TABLE {table:Identifier}
(
    event_date Date,
    user_id UInt64,
    acted UInt8 COMMENT 'Whether the user has events of their own, and so attributes',
    gender String,
    age String,
    os String,
    source String,
    country String,
    city String,
    low_group Int16,
    high_group Int16,
    low_gender String,
    low_age Int16,
    low_os String,
    attributes_changed UInt8,
    first_event DateTime('UTC'),
    last_event DateTime('UTC'),
    views UInt32,
    likes UInt32,
    unknown_actions UInt32,
    repeated_feed UInt32,
    likes_without_view UInt32,
    messages_sent UInt32,
    messages_received UInt32,
    users_sent UInt32,
    users_received UInt32,
    repeated_messages UInt32
)
ENGINE = Memory
