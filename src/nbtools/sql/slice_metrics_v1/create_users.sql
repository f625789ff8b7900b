-- Where the users of some slices wait for being summed up; one row per slice, user, service and attributes.
-- Parameters: table Identifier
CREATE TABLE {table:Identifier}
(
    slice UInt32,
    user_id UInt64,
    os String,
    source String,
    country String,
    city String,
    gender String,
    exp_group String,
    first_event UInt32,
    last_feed_event UInt32,
    last_message UInt32,
    views UInt64,
    likes UInt64,
    messages_sent UInt64
)
ENGINE = Memory
