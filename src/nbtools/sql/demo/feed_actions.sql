-- Draws the views and likes of the visits of some days; one row per view or like.
-- Parameters: seed UInt64, start Date, tz String, first_day UInt16, end_day UInt16, posts_a_day UInt16, stock_days UInt16,
-- post_life_days Float64, skew_least Float64, skew_range Float64, shown_again Float64, likes_by_rank Float64, likes_spread Float64,
-- odd_days Array(UInt16), odd_seconds Array(UInt32), odd_factors Array(Float64)
INSERT INTO app.building_feed_actions
SELECT
    user_id,
    post_id,
    if(after = 0, 'view', 'like') AS action,
    midnight + second + after AS time,
    gender,
    age,
    country,
    city,
    os,
    source,
    exp_group
FROM
(
    SELECT
        *,
        second,
        draw,
        wanted,
        post_id,
        view,
        like_rate
        * (1 + {likes_by_rank:Float64} * (1 - 2 * if(post_id = wanted, bitAnd(bitShiftRight(draw, 21), 2097151) / pow(2, 21), 0.5)))
        * (1 + {likes_spread:Float64} * (2 * (intHash64({seed:UInt64} + post_id) % 1000) / 999 - 1)) AS chance,
        -- A post is liked when the visit shows it for the first time, or not at all.
        showing = 1 AND bitShiftRight(draw, 42) / pow(2, 22) < chance AS is_liked,
        8 + intHash64(stream + 4000 + view) % 170 AS like_after
    FROM
    (
        WITH
            -- Uniform numbers from two ranges of the bits of one draw.
            draw -> (bitAnd(draw, 2097151) + 0.5) / pow(2, 21) AS recency,
            draw -> (bitAnd(bitShiftRight(draw, 21), 2097151) + 0.5) / pow(2, 21) AS popularity,
            {posts_a_day:UInt16} AS posts,
            published -> {skew_least:Float64}
                + {skew_range:Float64} * (intHash64({seed:UInt64} + published) % 1000) / 1000 AS skew,
            (rank, published) -> (rank * 37 + intHash64({seed:UInt64} + published)) % posts AS slot
        SELECT
            *,
            toDateTime({start:Date} + day, {tz:String}) AS midnight,
            toUnixTimestamp(toDateTime({start:Date} + day + 1, {tz:String})) - toUnixTimestamp(midnight) AS day_seconds,
            arrayCumSum(arrayMap(i -> 10 + intHash64(stream + i) % 171, range(views))) AS steps,
            -- The visit ends, its last like included, before the day does.
            least(toInt64(begins * day_seconds), toInt64(day_seconds) - 200 - steps[-1]) AS opened,
            arrayMap(step -> toUInt32(opened + step), steps) AS regular,
            -- In an odd slice the client asks again, a few seconds later, before the next view.
            arrayMap(
                moment -> arraySum(
                    arrayMap(
                        (odd_day, odd_second, factor) ->
                            (day = odd_day AND moment >= odd_second AND moment < odd_second + 900)
                            * floor(factor - 1 + intHash64(stream + moment) % 1000 / 1000),
                        {odd_days:Array(UInt16)},
                        {odd_seconds:Array(UInt32)},
                        {odd_factors:Array(Float64)}
                    )
                ),
                if(has({odd_days:Array(UInt16)}, day), regular, [])
            ) AS repeats,
            arrayConcat(
                regular,
                arrayFlatten(
                    arrayMap(
                        (moment, times) -> arrayMap(i -> toUInt32(moment + 1 + 3 * i), range(toUInt32(times))),
                        arraySlice(regular, 1, length(repeats)),
                        repeats
                    )
                )
            ) AS seconds,
            arrayMap(i -> intHash64(stream + 1000 + i), arrayEnumerate(seconds)) AS draws,
            -- Days since a post was published; a day before the first stands for its like in the stock.
            arrayMap(draw -> toUInt32(floor(-log(recency(draw)) * {post_life_days:Float64})), draws) AS ages,
            arrayMap(
                age -> toUInt32(if(age > day + {stock_days:UInt16}, age % {stock_days:UInt16}, day + {stock_days:UInt16} - age)),
                ages
            ) AS published,
            arrayMap((draw, born) -> toUInt32(floor(posts * pow(popularity(draw), skew(born)))), draws, published) AS ranks,
            -- Posts appear one after the other during their day.
            arrayMap(
                (rank, born, moment) -> toUInt32(
                    born - (born = day + {stock_days:UInt16} AND slot(rank, born) * day_seconds > moment * posts)
                ),
                ranks,
                published,
                seconds
            ) AS shown,
            arrayMap((rank, born) -> toUInt32(1 + posts * born + slot(rank, born)), ranks, shown) AS wanted_ids,
            -- What the visit has shown is rarely shown again: some older post takes its place.
            arrayMap(
                (wanted, times, moment) -> if(
                    times = 1 OR intHash64(stream + 5000 + moment) % 1000 < 1000 * {shown_again:Float64},
                    wanted,
                    toUInt32(1 + intHash64(stream + 100000 + moment) % (posts * (day + {stock_days:UInt16})))
                ),
                wanted_ids,
                arrayEnumerateUniq(wanted_ids),
                seconds
            ) AS post_ids
        FROM app.building_visits
        WHERE day >= {first_day:UInt16}
          AND day < {end_day:UInt16}
    )
    ARRAY JOIN
        seconds AS second,
        draws AS draw,
        wanted_ids AS wanted,
        post_ids AS post_id,
        arrayEnumerateUniq(post_ids) AS showing,
        arrayEnumerate(seconds) AS view
)
ARRAY JOIN if(is_liked, [0, like_after], [0]) AS after
SETTINGS max_block_size = 4096
