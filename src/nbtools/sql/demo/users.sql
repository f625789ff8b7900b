-- Draws the accounts, also those that never act; one row per account.
-- Parameters: seed UInt64, joined_by Array(UInt32) (accounts by the end of each day), ads_shares Array(Float64),
-- acting_share Float64, male_share Float64, android_share Float64, age_edges Array(UInt8), age_shares Array(Float64),
-- place_shares Array(Float64), place_countries Array(String), place_cities Array(String), town_prefixes Array(String),
-- town_suffixes Array(String), activity_spread Float64, views_spread Float64, like_rate Float64, like_spread Float64,
-- uplift Float64, suited_share Float64, suited_views Float64, suited_rate Float64, suited_spread Float64,
-- unsuited_views Float64, unsuited_rate Float64, unsuited_spread Float64, writers_ads Float64, writers_organic Float64,
-- launch_more Float64, launch_days Float64, circle_others Float64, circle_strangers Float64
INSERT INTO app.building_users
WITH
    (what, key) -> (bitShiftRight(sipHash64({seed:UInt64}, what, key), 11) + 0.5) / pow(2, 53) AS uniform,
    (what, key) -> sqrt(-2 * log(uniform(what, key))) * cos(2 * pi() * uniform(what || ', angle', key)) AS normal
SELECT
    user_id,
    joined,
    gender,
    age,
    country,
    city,
    os,
    source,
    exp_group,
    reads,
    writes,
    activity,
    views_factor,
    views_factor * multiIf(exp_group != 2, 1, suited, {suited_views:Float64}, {unsuited_views:Float64}) AS views_factor_tested,
    like_rate,
    multiIf(
        exp_group = 2 AND suited, {suited_rate:Float64} * exp({suited_spread:Float64} * new_taste - pow({suited_spread:Float64}, 2) / 2),
        exp_group = 2, {unsuited_rate:Float64} * exp({unsuited_spread:Float64} * new_taste - pow({unsuited_spread:Float64}, 2) / 2),
        exp_group = 3, like_rate * {uplift:Float64},
        like_rate
    ) AS like_rate_tested,
    write_weight,
    if(is_written_to, row_number() OVER (PARTITION BY is_written_to ORDER BY user_id), 0) AS circle_place,
    countIf(is_written_to) OVER (ORDER BY joined) AS circle_size
FROM
(
    SELECT
        200 + number AS user_id,
        arrayFirstIndex(accounts -> accounts > number, {joined_by:Array(UInt32)}) - 1 AS joined,
        uniform('acts', number) < {acting_share:Float64} AS acts,
        -- A handful of users of the messenger who never open the feed.
        number % 42000 = 1000 AS only_writes,
        acts AND NOT only_writes AS reads,

        uniform('gender', number) < {male_share:Float64} AS gender,
        uniform('age bin', number) AS age_draw,
        arrayFirstIndex(share -> share > age_draw, {age_shares:Array(Float64)}) AS age_bin,
        {age_edges:Array(UInt8)}[age_bin] AS age_from,
        {age_edges:Array(UInt8)}[age_bin + 1] AS age_before,
        age_from + floor((age_before - age_from) * pow(uniform('age', number), 1.35)) AS age,
        uniform('place', number) AS place_draw,
        arrayFirstIndex(share -> share > place_draw, {place_shares:Array(Float64)}) AS place,
        {place_countries:Array(String)}[place] AS country,
        -- Sizes of the towns fall with their rank, down to a few users.
        length({town_prefixes:Array(String)}) * length({town_suffixes:Array(String)}) AS towns,
        toUInt32(floor(40 * pow((towns + 40) / 40, uniform('town', number)) - 40)) AS town,
        if(
            {place_cities:Array(String)}[place] != '',
            {place_cities:Array(String)}[place],
            {town_prefixes:Array(String)}[1 + town % length({town_prefixes:Array(String)})]
            || {town_suffixes:Array(String)}[
                1 + (intDiv(town, length({town_prefixes:Array(String)})) + town * 7) % length({town_suffixes:Array(String)})
            ]
        ) AS city,
        if(uniform('os', number) < {android_share:Float64}, 'Android', 'iOS') AS os,
        if(uniform('source', number) < {ads_shares:Array(Float64)}[joined + 1], 'ads', 'organic') AS source,
        sipHash64({seed:UInt64}, 'experiment', toUInt32(user_id)) % 5 AS exp_group,

        1 + {activity_spread:Float64} * (2 * uniform('activity', number) - 1) AS activity,
        exp({views_spread:Float64} * normal('eagerness', number) - pow({views_spread:Float64}, 2) / 2) AS views_factor,
        -- Most like a little less than the mean, a few far more.
        {like_rate:Float64} * (1 - {like_spread:Float64} - {like_spread:Float64} * log(uniform('liking', number))) AS like_rate,
        -- Whom the recommender of group 2 suits has nothing to do with what is known of him.
        uniform('suited', number) < {suited_share:Float64} AS suited,
        normal('new taste', number) AS new_taste,

        if(source = 'ads', {writers_ads:Float64}, {writers_organic:Float64})
        * (1 + {launch_more:Float64} * exp(-joined / {launch_days:Float64})) * activity AS write_share,
        only_writes OR (acts AND uniform('writes', number) < write_share) AS writes,
        if(only_writes, 4, -log(uniform('chatty', number) * uniform('chatty too', number)) / 2) AS write_weight,
        writes OR uniform('written to', number) < if(acts, {circle_others:Float64}, {circle_strangers:Float64}) AS is_written_to
    FROM numbers(arrayMax({joined_by:Array(UInt32)}))
)
