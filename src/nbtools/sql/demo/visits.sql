-- Draws who opens the feed on some days and how much they view; one row per user and day with a visit.
-- Parameters: seed UInt64, first_day UInt16, end_day UInt16, returns_ads Array(Float64), returns_organic Array(Float64),
-- day_activity Array(Float64), day_views Array(Float64), day_likes Array(Float64) (of these days), hour_shares Array(Float64),
-- views_floor Float64, views_mean Float64, views_most UInt16, fatigue Float64, experiment_days Array(UInt16), campaign_day UInt16,
-- campaign_return Float64, outage_day UInt16, outage_left Float64, outage_cities Array(String)
INSERT INTO app.building_visits
WITH
    (what, key) -> (bitShiftRight(sipHash64({seed:UInt64}, what, key), 11) + 0.5) / pow(2, 53) AS uniform
SELECT
    day,
    user_id,
    gender,
    age,
    country,
    city,
    os,
    source,
    exp_group,
    least(
        {views_most:UInt16},
        greatest(
            1,
            round(
                -- A floor and a gamma of shape 1.5, the sum of one of shape 1 and one of shape 1/2.
                if(is_tested, views_factor_tested, views_factor) * {day_views:Array(Float64)}[day - {first_day:UInt16} + 1] * (
                    {views_floor:Float64} - ({views_mean:Float64} - {views_floor:Float64}) / 1.5 * (
                        log(uniform('views', key))
                        + log(uniform('more views', key)) * pow(cos(pi() * uniform('views, angle', key)), 2)
                    )
                )
            )
        )
    ) AS views,
    -- No visit goes on from the day before, so those after midnight begin at once.
    (hour - 1 + pow((hour_draw - earlier) / ({hour_shares:Array(Float64)}[hour] - earlier), if(hour = 1, 3, 1))) / 24 AS begins,
    -- Who views much likes less of it.
    if(is_tested, like_rate_tested, like_rate)
    * {day_likes:Array(Float64)}[day - {first_day:UInt16} + 1]
    * pow(views / {views_mean:Float64}, -{fatigue:Float64}) AS like_rate,
    sipHash64({seed:UInt64}, 'visit', key) AS stream
FROM
(
    SELECT
        *,
        day,
        (user_id, day) AS key,
        day >= {experiment_days:Array(UInt16)}[1] AND day < {experiment_days:Array(UInt16)}[2] AS is_tested,
        uniform('hour', key) AS hour_draw,
        arrayFirstIndex(share -> share > hour_draw, {hour_shares:Array(Float64)}) AS hour,
        if(hour = 1, 0, {hour_shares:Array(Float64)}[hour - 1]) AS earlier
    FROM app.building_users
    ARRAY JOIN arrayMap(x -> toUInt16(x), range(greatest(joined, {first_day:UInt16}), {end_day:UInt16})) AS day
    WHERE reads
      AND joined < {end_day:UInt16}
      AND uniform('visit', (user_id, day))
        < if(
            day = joined,
            1,
            if(source = 'ads', {returns_ads:Array(Float64)}, {returns_organic:Array(Float64)})[day - joined + 1]
            * activity
            * {day_activity:Array(Float64)}[day - {first_day:UInt16} + 1]
            * if(joined = {campaign_day:UInt16} AND source = 'ads', {campaign_return:Float64}, 1)
        )
        * if(day = {outage_day:UInt16} AND has({outage_cities:Array(String)}, city), {outage_left:Float64}, 1)
)
