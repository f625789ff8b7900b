-- Maps a log, which is put in front as the CTE log, to loading_rows; one row per row of the log.
-- Parameters: log String, item String, actions Array(String), rank UInt8, rank_item UInt8, unit String, format String,
-- zone String, shift Int64, names Array(String), lows Array(Int32), highs Array(Int32) (low above high: a text), needed Array(UInt8)
INSERT INTO app.loading_rows
SELECT
    {log:String} AS log,
    file,
    line,
    user_key,
    item_key,
    action,
    ifNull(moment, 0) AS seconds,
    values AS attributes,
    multiIf(
        user_key = '', 'user_id is missing',
        NOT {rank:UInt8} AND accurateCastOrNull(toFloat64OrNull(user_key), 'UInt32') IS NULL,
        'user_id is no whole number from 0 to 4294967295 (rank: true takes any text)',
        item_key = '', {item:String} || ' is missing',
        NOT {rank_item:UInt8} AND accurateCastOrNull(toFloat64OrNull(item_key), 'UInt32') IS NULL,
        {item:String} || ' is no whole number from 0 to 4294967295 (rank: true takes any text)',
        moment_text = '', 'time is missing',
        moment IS NULL, 'time cannot be read',
        -- Before 2000 a unit is mistaken; after 2099 the column DateTime ends soon.
        moment < 946684800 OR moment >= 4102444800, 'time is not between 2000 and 2099, after the shift',
        NOT has({actions:Array(String)}, action), 'action is neither view nor like',
        unusable > 0, {names:Array(String)}[unusable] || ' is missing or unusable and has no default',
        ''
    ) AS reason
FROM
(
    SELECT
        __file AS file,
        __line AS line,
        __user_key AS user_key,
        __item_key AS item_key,
        __action AS action,
        __time AS moment_text,
        accurateCastOrNull(
            floor(
                multiIf(
                    {format:String} != '',
                    toFloat64(toUnixTimestamp(parseDateTimeOrNull(moment_text, {format:String}, {zone:String}))),
                    {unit:String} = 'iso',
                    -- The parser alone would also take a lone year or a number.
                    if(
                        match(
                            moment_text,
                            '^\\d{4}-\\d\\d-\\d\\d([ T]\\d\\d:\\d\\d(:\\d\\d([.,]\\d+)?)?( ?(Z|UTC|[+-]\\d\\d(:?\\d\\d)?))?)?$'
                        ),
                        toFloat64(parseDateTime64BestEffortOrNull(moment_text, 3, {zone:String})),
                        NULL
                    ),
                    toFloat64OrNull(moment_text)
                    / multiIf({unit:String} = 'ms', 1000, {unit:String} = 'us', 1000000, 1)
                )
            ),
            'Int64'
        ) + {shift:Int64} AS moment,
        arrayMap(
            (value, low, high) -> multiIf(
                low > high, value,
                accurateCastOrNull(toFloat64OrNull(value), 'Int32') BETWEEN low AND high,
                toString(accurateCastOrNull(toFloat64OrNull(value), 'Int32')),
                ''
            ),
            __attributes,
            {lows:Array(Int32)},
            {highs:Array(Int32)}
        ) AS values,
        arrayFirstIndex((value, need) -> need AND value = '', values, {needed:Array(UInt8)}) AS unusable
    FROM log
)
